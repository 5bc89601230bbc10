"""Price lists over HTTP: their content as files, and what is wrong with it, by line and column."""

from typing import Any, BinaryIO

import pytest
from httpx import Response

from commerce_core.usecases.list_files import read_list
from entrypoints.apart import InProcesses
from tests.unit.http.conftest import Api

FEED = b"sku,product_name,price,currency,quantity\nA,Lamp,10.00,USD,90\nB,Rug,20.00,USD,9\n"
CONTENT = b"sku,minimum_quantity,price\nA,,9.00\nA,10,8.50\nB,1,25.00\n"


@pytest.fixture
def shop(api: Api) -> Api:
    api.ingest(api.partner(), FEED)
    return Api(api.client, api.commerce, {"X-API-Key": api.key()})


@pytest.fixture
def trade(shop: Api) -> str:
    """The path of a price list for a group of customers, and of its rule."""
    answer = shop.post("/v1/pricing/lists", {"name": "Trade", "currency": "usd"})
    assert answer.status_code == 201, answer.text
    rule = {
        "name": "Trade prices",
        "condition": {"customer_group": "trade"},
        "benefit": {"price_list": "Trade"},
    }
    made = shop.post("/v1/pricing/rules", rule).json()
    assert made["benefit"] == {"price_list": answer.json()["list_id"]}
    return f"/v1/pricing/lists/{answer.json()['list_id']}"


def put(shop: Api, path: str, content: bytes, query: str = "") -> Response:
    return shop.request(
        "PUT", f"{path}/content{query}", content=content, headers={"Content-Type": "text/csv"}
    )


def total(shop: Api, sku: str, quantity: int, group: str = "trade", **more: object) -> str:
    item = {"partner_name": "Acme", "sku": sku, "quantity": quantity}
    body = {"items": [item], "customer_group": group, **more}
    return shop.post("/v1/pricing/quote", body).json()["total_amount"]


def test_a_list_is_planned_taken_and_reverted(shop: Api, trade: str):
    planned = put(shop, trade, CONTENT, "?plan=true").json()
    assert (planned["version"], planned["difference"]["added"]) == (1, 3)
    assert shop.get(trade).json()["version"] == 0
    assert put(shop, trade, CONTENT).json() == planned
    assert total(shop, "A", 9) == "81.00"
    assert total(shop, "A", 10) == "85.00"
    assert total(shop, "A", 10, "others") == "100.00"
    assert total(shop, "B", 1) == "20.00"
    changed = put(shop, trade, b"sku;price\nA;7,00\n", "?decimal=,").json()
    assert changed["difference"] == {
        "entries": 1, "added": 0, "changed": 1, "removed": 2, "unchanged": 0,
    }  # fmt: skip
    assert total(shop, "A", 10) == "70.00"
    same = put(shop, trade, b"sku,price\nA,7\n").json()
    assert (same["version"], same["difference"]["unchanged"]) == (2, 1)
    back = shop.post(f"{trade}/revert", {"version": 1}).json()
    assert (back["version"], total(shop, "A", 10)) == (3, "85.00")
    versions = shop.get(f"{trade}/versions").json()["items"]
    assert [each["version"] for each in versions] == [3, 2, 1]
    assert [each["reverted_to"] for each in versions] == [1, None, None]
    assert shop.post(f"{trade}/revert", {"version": 9}).status_code == 404
    entries = shop.get("/v1/audit?action=list.changed").json()["items"]
    assert [each["after"]["version"] for each in entries] == [3, 2, 1]


def test_an_order_freezes_the_price_of_the_list(shop: Api, trade: str):
    put(shop, trade, CONTENT)
    item = {"partner_name": "Acme", "sku": "A", "quantity": 10}
    order = shop.post("/v1/orders", {"items": [item], "customer_group": "trade"}).json()
    assert order["total_amount"] == "85.00"
    (step,) = order["items"][0]["adjustments"]
    assert (step["label"], step["amount"]) == ("Trade prices", "-15.00")
    put(shop, trade, b"sku,price\nA,1.00\n")
    assert shop.get(f"/v1/orders/{order['order_id']}").json() == order
    then = total(shop, "A", 10, at=order["created_at"])
    assert then == "85.00"


def test_a_file_with_unreadable_records_saves_nothing(shop: Api, trade: str):
    put(shop, trade, CONTENT)
    broken = (
        b"sku,minimum_quantity,price,currency\nA,1,9.00,\nB,1,cheap,\nC,0,1.00,\nD,1,,\n"
        b"E,1,1.005,\nF,1,1.00,EUR\nA,,8.00,\n,1,2.00,\n"
    )
    answer = put(shop, trade, broken)
    assert (answer.status_code, answer.json()["code"]) == (422, "bad_price_list")
    faults = {(each["pointer"], each["code"]) for each in answer.json()["errors"]}
    assert {
        ("/lines/3/price", "not_a_number"),
        ("/lines/4/minimum_quantity", "out_of_range"),
        ("/lines/5/price", "missing"),
        ("/lines/6/price", "not_an_amount"),
        ("/lines/7/currency", "other_currency"),
        ("/lines/8", "repeated_entry"),
    } <= faults
    assert any(pointer.startswith("/lines/9") for pointer, _ in faults)
    planned = put(shop, trade, broken, "?plan=true").json()
    assert (planned["rejected"], planned["difference"]) == (7, None)
    assert len(planned["problems"]) >= 7
    assert shop.get(trade).json()["version"] == 1
    assert total(shop, "A", 1) == "9.00"


def test_files_that_are_no_lists_are_refused(shop: Api, trade: str):
    for content in (b"", b"sku,minimum_quantity\nA,1\n", b"<html></html>", b"name,cost\nA,1\n"):
        answer = put(shop, trade, content)
        assert answer.status_code in {400, 422}, (content, answer.text)
    missing = f"/v1/pricing/lists/list_{'0' * 32}"
    assert put(shop, missing, CONTENT).status_code == 404


def test_files_are_read_in_a_process_of_their_own(
    shop: Api, trade: str, monkeypatch: pytest.MonkeyPatch
):
    """So the server answers others meanwhile."""
    done: list[object] = []
    run = InProcesses.run

    def noted(apart: InProcesses, work: Any, file: BinaryIO, about: Any) -> object:  # noqa: ANN401
        done.append(work)
        return run(apart, work, file, about)

    monkeypatch.setattr(InProcesses, "run", noted)
    assert put(shop, trade, CONTENT).json()["difference"]["added"] == 3
    refused = put(shop, trade, b"sku,minimum_quantity,price\nA,x,1\n")
    assert refused.json()["errors"][0]["pointer"] == "/lines/2/minimum_quantity"
    assert done == [read_list, read_list]


def test_a_file_without_a_record_does_not_empty_a_list(shop: Api, trade: str):
    assert put(shop, trade, CONTENT).json()["version"] == 1
    refused = put(shop, trade, b"sku,price\n\n")
    assert (refused.status_code, refused.json()["code"]) == (422, "empty")
    assert shop.get(trade).json()["entries"] == 3
    emptied = shop.post(f"{trade}/revert", {"version": 0})
    assert emptied.json()["difference"]["removed"] == 3


def test_lists_are_listed_and_their_names_are_unique(shop: Api, trade: str):
    again = shop.post("/v1/pricing/lists", {"name": "Trade", "currency": "EUR"})
    assert (again.status_code, again.json()["code"]) == (409, "list_name_taken")
    bad = shop.post("/v1/pricing/lists", {"name": "x" * 201, "currency": "XXQ"}).json()
    assert [each["pointer"] for each in bad["errors"]] == ["/name", "/currency"]
    listed = shop.get("/v1/pricing/lists?count=true").json()
    assert (listed["count"], listed["items"]) == (1, [shop.get(trade).json()])
    unknown = {"name": "Other", "benefit": {"price_list": "Nobody's"}}
    refused = shop.post("/v1/pricing/rules", unknown).json()
    fault = refused["errors"][0]
    assert (fault["pointer"], fault["code"]) == ("/benefit/price_list", "unknown_price_list")


def test_a_list_in_another_currency_changes_nothing(shop: Api):
    made = shop.post("/v1/pricing/lists", {"name": "Euro", "currency": "EUR"}).json()
    put(shop, f"/v1/pricing/lists/{made['list_id']}", b"sku,price\nA,1.00\n")
    shop.post("/v1/pricing/rules", {"name": "Euro", "benefit": {"price_list": "Euro"}})
    assert total(shop, "A", 1) == "10.00"


def test_a_partner_sees_no_lists(api: Api, trade: str):
    own = Api(api.client, api.commerce, {"X-API-Key": api.key("Acme")})
    assert own.get(trade).status_code == 403
    assert own.get("/v1/pricing/lists").status_code == 403


def test_no_price_falls_below_cost_and_margin(shop: Api, trade: str):
    costs = shop.post("/v1/pricing/lists", {"name": "Costs", "currency": "USD"}).json()["list_id"]
    put(shop, f"/v1/pricing/lists/{costs}", b"sku,minimum_quantity,price\nA,1,7.00\nA,10,6.00\n")
    floor = {"floor": {"margin_percent": "12.5", "cost_list": "Costs"}}
    made = shop.post("/v1/pricing/rules", {"name": "Margin", "benefit": floor}).json()
    assert made["benefit"] == {"floor": {"margin_percent": "12.5", "cost_list": costs}}
    shop.post("/v1/pricing/rules", {"name": "Half", "benefit": {"percent": "50"}})
    assert total(shop, "A", 1) == "7.88"
    assert total(shop, "A", 3) == "23.63"
    assert total(shop, "A", 10) == "67.50"
    assert total(shop, "B", 1) == "10.00"
    lamp = shop.get("/v1/products?sku=A&include=selling_price").json()["items"][0]
    assert lamp["selling_price"] == "7.88"
    put(shop, f"/v1/pricing/lists/{costs}", b"sku,price\nA,11.00\n")
    assert total(shop, "A", 1) == "10.00"


@pytest.mark.parametrize(
    ("floor", "pointer"),
    [
        ({"margin_percent": "10"}, "/benefit/floor/cost_list"),
        ({"cost_list": "Trade"}, "/benefit/floor/margin_percent"),
        ({"margin_percent": "1000.5", "cost_list": "Trade"}, "/benefit/floor/margin_percent"),
        ({"margin_percent": "10", "cost_list": "None"}, "/benefit/floor/cost_list"),
        ({}, "/benefit/floor"),
    ],
)
def test_a_margin_needs_costs(shop: Api, trade: str, floor: dict[str, str], pointer: str):
    answer = shop.post("/v1/pricing/rules", {"name": "Margin", "benefit": {"floor": floor}})
    assert answer.status_code == 422
    assert [each["pointer"] for each in answer.json()["errors"]] == [pointer]


def test_a_file_that_is_sent_again_with_its_key_is_taken_once(shop: Api, trade: str):
    """Also after others changed the list; plans use up no key, and another file needs another."""
    once = {"Content-Type": "text/csv", "Idempotency-Key": "once"}

    def send(content: bytes, query: str = "") -> Response:
        return shop.request("PUT", f"{trade}/content{query}", content=content, headers=once)

    assert send(b"sku,price\nA,1.00\n", "?plan=true").status_code == 200
    first = send(CONTENT)
    assert (first.status_code, first.json()["version"]) == (200, 1)
    assert put(shop, trade, b"sku,price\nA,7.00\n").json()["version"] == 2
    again = send(CONTENT)
    assert again.content == first.content
    assert again.headers["Idempotency-Replayed"] == "true"
    assert shop.get(trade).json()["version"] == 2
    other = send(b"sku,price\nA,1.00\n")
    assert (other.status_code, other.json()["code"]) == (409, "idempotency_key_reused")
    back = {"Idempotency-Key": "back"}
    for _ in range(2):
        reverted = shop.request("POST", f"{trade}/revert", json={"version": 1}, headers=back)
        assert (reverted.status_code, reverted.json()["version"]) == (200, 3)
    assert shop.get(trade).json()["version"] == 3
