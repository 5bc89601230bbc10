"""The catalog through time over HTTP."""

import json
from datetime import UTC, datetime

import pytest

from tests.unit.http.conftest import Api

CHANGED = b"""sku,product_name,price,currency,quantity
A-1,Lamp,10,USD,7
A-4,Shelf,20,USD,1
"""
DELETED = b"sku,deleted\nA-2,yes\n"


@pytest.fixture
def feeds(api: Api) -> list[str]:
    """Acme's first feed of three products, one that changed and made one, one that removed one."""
    api.partner()
    return [api.ingest("Acme"), api.ingest("Acme", CHANGED), api.ingest("Acme", DELETED)]


def test_a_product_has_a_history(api: Api, feeds: list[str]):
    """Every version, newest first, page by page, with what each field was before and after."""
    address = f"/v1/products/{api.product()}/history"
    newest = api.get(f"{address}?limit=1").json()
    (changed,) = newest["items"]
    assert (changed["version"], changed["change"], changed["line"]) == (2, "updated", 2)
    assert changed["feed_id"] == feeds[1]
    assert changed["fields"] == [{"field": "price", "before": "12.50", "after": "10.00"}]
    oldest = api.get(f"{address}?limit=1&cursor={newest['next_cursor']}").json()
    (created,) = oldest["items"]
    assert (created["change"], created["publication"], oldest["next_cursor"]) == (
        "created",
        1,
        None,
    )
    assert {"field": "quantity", "before": None, "after": 7} in created["fields"]


def test_a_product_is_seen_as_of_a_moment(api: Api, feeds: list[str]):
    """As it was then, and not at all before it was first published."""
    product_id = api.product("A-2")
    removed = api.get(f"/v1/products/{product_id}").json()
    then = api.get(f"/v1/products/{product_id}/history").json()["items"][1]["published_at"]
    before = api.get(f"/v1/products/{product_id}?as_of={then}").json()
    assert (removed["status"], before["status"], before["version"]) == ("removed", "active", 1)
    answer = api.get(f"/v1/products/{product_id}?as_of=2020-01-01")
    assert (answer.status_code, answer.json()["code"]) == (404, "not_yet")


def test_the_catalog_is_seen_as_of_a_moment(api: Api, feeds: list[str]):
    """By id, and filtered by partner, source, sku and status alone."""
    then = api.get(f"/v1/products/{api.product('A-2')}/history").json()["items"][1]["published_at"]
    listed = api.get(f"/v1/products?as_of={then}&partner_name=acme&count=true&limit=2").json()
    assert (listed["count"], [p["sku"] for p in listed["items"]]) == (3, ["A-1", "A-2"])
    rest = f"/v1/products?as_of={then}&partner_name=acme&limit=2&cursor={listed['next_cursor']}"
    assert [p["sku"] for p in api.get(rest).json()["items"]] == ["A-3"]
    for more in ("&brand=X", "&sort_by=updated_at", "&order=desc", "&q=lamp"):
        answer = api.get(f"/v1/products?as_of={then}{more}")
        assert (answer.status_code, answer.json()["code"]) == (400, "not_of_the_past"), more
    assert api.get("/v1/products?as_of=2020-01-01").json()["items"] == []


def test_prices_tell_the_lowest_of_the_days_before(api: Api, feeds: list[str]):
    """The present price is compared with what was asked before it."""
    told = api.get(f"/v1/products/{api.product()}/prices").json()
    assert told["lowest"]["unit_price"] == "12.50"
    assert [period["unit_price"] for period in told["periods"]] == ["12.50"]
    later = api.get(f"/v1/products/{api.product()}/prices?before=2999-01-01&days=366").json()
    assert later["lowest"]["unit_price"] == "10.00"
    assert api.get(f"/v1/products/{api.product()}/prices?days=0").status_code == 400


def test_availability_is_reported_in_periods(api: Api, feeds: list[str]):
    """What could be bought, and from when on it couldn't, newest first."""
    told = api.get(f"/v1/products/{api.product('A-2')}/availability").json()
    assert [period["not_sellable_reason"] for period in told["periods"]] == ["removed", None]


def test_changes_are_followed_by_cursor(api: Api, feeds: list[str]):
    """Each once and in order; who has caught up gets empty pages and goes on from there."""
    seen: list[tuple[int, int, str, str]] = []
    cursor = ""
    while True:
        page = api.get(f"/v1/products/changes?limit=2{cursor}").json()
        cursor = f"&cursor={page['next_cursor']}"
        if not page["items"]:
            break
        seen += [
            (c["publication"], c["ordinal"], c["change"], c["product"]["sku"])
            for c in page["items"]
        ]
    assert seen == [
        (1, 1, "created", "A-1"),
        (1, 2, "created", "A-2"),
        (1, 3, "created", "A-3"),
        (2, 1, "updated", "A-1"),
        (2, 2, "created", "A-4"),
        (3, 1, "removed", "A-2"),
    ]
    api.ingest("Acme", b"sku,price\nA-4,21\n")
    (new,) = api.get(f"/v1/products/changes?limit=2{cursor}").json()["items"]
    assert (new["change"], new["fields"], new["product"]["price"]) == (
        "updated",
        ["price"],
        "21.00",
    )


def test_changes_may_be_followed_from_now_on(api: Api, feeds: list[str]):
    """The cursor `latest` skips what has been."""
    page = api.get("/v1/products/changes?cursor=latest").json()
    assert page["items"] == []
    api.ingest("Acme", b"sku,price\nA-4,21\n")
    later = api.get(f"/v1/products/changes?cursor={page['next_cursor']}").json()
    assert [change["product"]["sku"] for change in later["items"]] == ["A-4"]


def test_changes_are_filtered(api: Api, feeds: list[str]):
    """By kind, by partner, by source; a cursor belongs to its filters."""
    api.partner("Other")
    api.ingest("Other", b"sku,product_name\nX,Rug\n")
    removed = api.get("/v1/products/changes?kind=removed&kind=updated").json()
    assert [change["product"]["sku"] for change in removed["items"]] == ["A-1", "A-2"]
    others = api.get("/v1/products/changes?partner_name=other").json()
    assert [change["product"]["sku"] for change in others["items"]] == ["X"]
    source = others["items"][0]["product"]["source_id"]
    assert len(api.get(f"/v1/products/changes?source_id={source}").json()["items"]) == 1
    elsewhere = f"/v1/products/changes?cursor={removed['next_cursor']}"
    assert api.get(elsewhere).status_code == 400


def test_a_page_has_up_to_a_thousand_changes(api: Api, feeds: list[str]):
    assert len(api.get("/v1/products/changes?limit=1000").json()["items"]) == 6
    assert api.get("/v1/products/changes?limit=1001").status_code == 400


def test_a_partners_key_sees_its_own_changes_only(api: Api, feeds: list[str]):
    """In the stream, and of products and feeds nothing but its own: 404 otherwise."""
    other = api.partner("Other")
    api.ingest("Other", b"sku,product_name\nX,Rug\n")
    own = api.asking(api.key("Other"))
    assert [c["product"]["sku"] for c in own.get("/v1/products/changes").json()["items"]] == ["X"]
    mine = own.get(f"/v1/products/changes?partner_id={other}").json()["items"]
    assert len(mine) == 1
    lamp = api.product()
    for path in (
        f"products/{lamp}/history",
        f"products/{lamp}/prices",
        f"products/{lamp}/availability",
        f"products/{lamp}?as_of={datetime.now(UTC).date()}",
        f"feeds/{feeds[0]}/changes",
        f"feeds/{feeds[0]}/products",
    ):
        assert own.get(f"/v1/{path}").status_code == 404, path


def test_what_a_feed_did_stays(api: Api, feeds: list[str]):
    """Its changes and its products are as it wrote them, whatever later feeds did."""
    wrote = api.get(f"/v1/feeds/{feeds[0]}/products?count=true").json()
    assert (wrote["count"], [p["sku"] for p in wrote["items"]]) == (3, ["A-1", "A-2", "A-3"])
    assert wrote["items"][0]["price"] == "12.50"
    assert api.get(f"/v1/products/by-feed/{feeds[0]}").json()["items"] == wrote["items"]
    changed = api.get(f"/v1/feeds/{feeds[1]}/changes?limit=1").json()
    rest = api.get(f"/v1/feeds/{feeds[1]}/changes?limit=1&cursor={changed['next_cursor']}").json()
    assert [c["change"] for c in (*changed["items"], *rest["items"])] == ["updated", "created"]
    assert rest["next_cursor"] is None
    created = api.get(f"/v1/feeds/{feeds[1]}/changes?kind=created").json()["items"]
    assert [c["product"]["sku"] for c in created] == ["A-4"]
    assert api.get(f"/v1/feeds/{feeds[2]}/products").json()["items"] == []


def test_an_export_and_the_changes_behind_its_cursor_are_an_exact_copy(api: Api, feeds: list[str]):
    """The export names the cursor from which its client follows the catalog."""
    api.partner("Other")
    export = api.get("/v1/products/export?format=ndjson&partner_name=Acme")
    copy = {p["product_id"]: p for p in map(json.loads, export.text.splitlines())}
    api.ingest("Acme", b"sku,product_name,price\nA-1,Lamp,9\nA-7,Rug,30\n")
    api.ingest("Other", b"sku,product_name\nX,Vase\n")
    cursor = export.headers["X-Changes-Cursor"]
    page = api.get(f"/v1/products/changes?partner_name=Acme&cursor={cursor}").json()
    copy |= {change["product_id"]: change["product"] for change in page["items"]}
    live = api.get("/v1/products?partner_name=Acme").json()["items"]
    assert {(p["sku"], p["price"], p["version"]) for p in copy.values()} == {
        (p["sku"], p["price"], p["version"]) for p in live
    }
