"""Where values came from: feed, line, cell, and how they were read."""

from io import BytesIO
from typing import Any

import pytest

from tests.support.commands import Cli
from tests.unit.http.conftest import Api

FIRST = b"""ID,Title,Price,Stock
A-1, Lamp ,"12,50",3
A-2,"Chair, oak",80,1
"""
PRICES = b"sku,price\nA-2,70\nA-1,11\n"
STOCK = b"sku,quantity\nA-1,2\n"


@pytest.fixture
def feeds(api: Api) -> list[str]:
    """A catalog feed with decimal commas, then prices, then stock, then a stock feed again."""
    api.partner(currency="EUR")
    api.commerce.sources.set_profile(decimal_comma(), partner="Acme")
    return [api.ingest("Acme", content) for content in (FIRST, PRICES, STOCK)]


def decimal_comma() -> Any:  # noqa: ANN401 - a profile
    from commerce_core.profiles.profile import Profile

    return Profile(decimal=",")


def lineage(api: Api, sku: str = "A-1", query: str = "") -> dict[str, Any]:
    answer = api.get(f"/v1/products/{api.product(sku)}/lineage{query}")
    assert answer.status_code == 200, answer.text
    return answer.json()


def values(told: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return {value["field"]: value for value in told["values"]}


def test_each_value_is_of_the_feed_that_set_it(api: Api, feeds: list[str]):
    """Not of the last one that wrote the product: a stock feed says nothing of a price."""
    told = lineage(api)
    said = values(told)
    assert {name: value["feed_id"] for name, value in said.items()} == {
        "product_name": feeds[0],
        "price": feeds[1],
        "currency": feeds[0],
        "quantity": feeds[2],
    }
    assert (said["price"]["line"], said["price"]["version"]) == (3, 2)
    assert said["price"]["cells"] == [{"column": "price", "cell": "11"}]
    assert said["product_name"]["cells"] == [{"column": "Title", "cell": " Lamp "}]
    assert said["product_name"]["reading"] == "trimmed"
    assert "the partner's default" in said["currency"]["reading"]


def test_the_raw_record_stands_with_its_feed(api: Api, feeds: list[str]):
    """The text of the line, every cell of it, and the SHA-256 of the file that it is in."""
    told = lineage(api, query="?version=1")
    (witness,) = told["witnesses"]
    assert witness["text"] == 'A-1, Lamp ,"12,50",3'
    assert witness["cells"][2] == {"column": "Price", "cell": "12,50"}
    assert witness["sha256"] == api.get(f"/v1/feeds/{feeds[0]}").json()["sha256"]
    assert (witness["line"], witness["profile_version"]) == (2, 1)
    price = values(told)["price"]
    assert price["value"] == "12.50"
    assert price["reading"] == "read by the profile as 12.50"


def test_lineage_follows_an_orders_line(api: Api, feeds: list[str]):
    """The item names the version that was sold, and its lineage is that version's."""
    made = api.post("/v1/orders", {"items": [{"product_id": api.product(), "quantity": 1}]}).json()
    sold = made["items"][0]["product_version"]
    api.ingest("Acme", b"sku,price\nA-1,19\n")
    said = values(lineage(api, query=f"?version={sold}"))
    assert (said["price"]["value"], said["price"]["feed_id"]) == ("11.00", feeds[1])
    answer = api.get(f"/v1/products/{api.product()}/lineage?version=99")
    assert (answer.status_code, answer.json()["code"]) == (404, "no_version")


def test_a_revert_leads_back_to_the_first_who_sent_it(api: Api, feeds: list[str]):
    """What a revert brought back is of the feed that had set it, and the revert is told too."""
    bad = api.ingest("Acme", b"sku,price\nA-1,5\n")
    api.commerce.jobs.run(api.commerce.reverts.start(bad).job_id)
    told = lineage(api)
    assert (told["written_by"]["kind"], values(told)["price"]["feed_id"]) == ("revert", feeds[1])
    assert values(told)["price"]["cells"] == [{"column": "price", "cell": "11"}]


def test_a_product_that_is_gone_says_why_there_is_no_record(api: Api, feeds: list[str]):
    """Removed for being absent, or by a revert; its values are still those of its feeds."""
    api.commerce.feeds.load(BytesIO(b"sku,product_name\nA-2,Chair\n"), partner="Acme", mode="full")
    told = lineage(api)
    assert (told["status"], told["written_by"]["line"]) == ("removed", 0)
    assert "didn't contain it" in told["written_by"]["note"]
    assert values(told)["price"]["feed_id"] == feeds[1]
    ghost = api.ingest("Acme", b"sku,product_name\nA-9,Ghost\n")
    api.commerce.jobs.run(api.commerce.reverts.start(ghost).job_id)
    assert "removed by a revert" in lineage(api, "A-9")["written_by"]["note"]


def test_a_raw_file_that_is_gone_is_reported(api: Api, feeds: list[str]):
    """The story stays; only the record itself can't be shown."""
    with api.commerce.context.store.begin() as unit:
        api.commerce.context.files.delete(unit.feeds.get(feeds[1]).file_key)
    told = lineage(api)
    notes = {witness["feed_id"]: witness["note"] for witness in told["witnesses"]}
    assert notes[feeds[1]] == "The raw file is no longer kept."
    assert notes[feeds[0]] is None
    assert values(told)["price"]["cells"] == []


def test_lineage_is_the_partners_own(api: Api, feeds: list[str]):
    """It shows raw records: another partner gets 404, and catalog:read alone isn't enough."""
    api.partner("Other")
    path = f"/v1/products/{api.product()}/lineage"
    assert api.asking(api.key("Other")).get(path).status_code == 404
    assert api.asking(api.key("Acme", "catalog:read")).get(path).status_code == 403
    assert api.asking(api.key("Acme")).get(path).status_code == 200


def test_the_command_tells_the_story(api: Api, feeds: list[str]):
    """Version, feeds, records, and every value with its column and cell."""
    told = Cli(api.commerce).fine("products", "explain", "A-1", "--partner", "Acme").out
    for words in ("A-1 of Acme", feeds[0], feeds[1], "sha256", "A-1,11", "Title", "price"):
        assert words in told
    as_json = (
        Cli(api.commerce)
        .fine("products", "explain", "A-1", "--partner", "Acme", "--version", "1", "--json")
        .json
    )
    assert as_json["version"] == 1
