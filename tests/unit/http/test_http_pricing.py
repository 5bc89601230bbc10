"""Price rules, quotes and the prices of orders over HTTP."""

import csv
import io
import json
from typing import Any

import pytest
from httpx import Response

from commerce_core.work.task import Task
from tests.unit.http.conftest import Api

FEED = b"""sku,product_name,brand,price,currency,quantity
A,Lamp,Acme,22.99,USD,70
B,Chair,Nord,15.99,USD,90
C,Sofa,Nord,399.00,USD,90
D,Rug,Acme,25.00,USD,9
E,Vase,Acme,30.00,USD,99
F,Desk,Nord,100.00,USD,99
G,Bag,Acme,10.00,USD,99
"""


@pytest.fixture
def shop(api: Api) -> Api:
    api.ingest(api.partner(), FEED)
    return Api(api.client, api.commerce, {"X-API-Key": api.key()})


def add(
    shop: Api, benefit: dict[str, Any], name: str = "Sale", **members: object
) -> dict[str, Any]:
    answer = shop.post("/v1/pricing/rules", {"name": name, "benefit": benefit, **members})
    assert answer.status_code == 201, answer.text
    return answer.json()


def quoted(shop: Api, *items: tuple[str, int], **members: object) -> dict[str, Any]:
    lines = [{"partner_name": "Acme", "sku": sku, "quantity": n} for sku, n in items]
    answer = shop.post("/v1/pricing/quote", {"items": lines, **members})
    assert answer.status_code == 200, answer.text
    return answer.json()


def totals(quote: dict[str, Any]) -> list[str]:
    return [item["line_total"] for item in quote["items"]]


def test_a_rule_is_added_changed_listed_and_archived(shop: Api):
    made = add(shop, {"percent": "10"}, condition={"any": [{"brand": "Acme"}, {"sku": ["B"]}]})
    path = f"/v1/pricing/rules/{made['rule_id']}"
    assert (made["version"], made["status"], made["benefit"]) == (1, "active", {"percent": "10"})
    assert shop.get(path).json() == made
    body = {"name": "Sale", "benefit": {"percent": "15"}, "status": "paused", "version": 1}
    changed = shop.request("PUT", path, json=body)
    assert (changed.json()["version"], changed.json()["status"]) == (2, "paused")
    again = shop.request("PUT", path, json=body)
    assert (again.status_code, again.json()["code"]) == (409, "rule_changed")
    listed = shop.get("/v1/pricing/rules?status=paused&count=true").json()
    assert (listed["items"], listed["count"]) == ([changed.json()], 1)
    assert [each["version"] for each in shop.get(f"{path}/versions").json()["items"]] == [2, 1]
    gone = shop.delete(path).json()
    assert (gone["status"], gone["version"]) == ("archived", 3)
    assert shop.get("/v1/pricing/rules").json()["items"] == []
    assert shop.get(f"/v1/pricing/rules/rule_{'0' * 32}").status_code == 404


def test_a_rule_changes_only_in_the_version_that_was_seen(shop: Api):
    path = f"/v1/pricing/rules/{add(shop, {'percent': '10'})['rule_id']}"
    seen = shop.get(path).headers["ETag"]

    def sent(method: str, tag: str) -> Response:
        form = {"name": "Sale", "benefit": {"percent": "20"}} if method == "PUT" else None
        headers = {**shop.headers, "If-Match": tag}
        return shop.client.request(method, path, json=form, headers=headers)

    assert sent("PUT", seen).headers["ETag"] == '"2"'
    for method in ("PUT", "DELETE"):
        assert (sent(method, seen).status_code, sent(method, seen).json()["code"]) == (
            412,
            "stale_version",
        )
        assert sent(method, "first").status_code == 400
    assert (shop.get(path).json()["version"], shop.get(path).json()["status"]) == (2, "active")
    assert sent("DELETE", "*").json()["status"] == "archived"


def test_a_rule_that_contradicts_itself_is_refused_where_it_does(shop: Api):
    excluded = {
        "all": [{"sku": ["A", "B"]}, {"any": [{"all": [{"sku": "A"}, {"not": {"sku": "A"}}]}]}]
    }
    form = {"name": "Sale", "benefit": {"percent": "10"}, "condition": excluded}
    refused = shop.post("/v1/pricing/rules", form)
    assert refused.status_code == 422
    (error,) = refused.json()["errors"]
    assert (error["pointer"], error["code"]) == ("/condition/all/1/any/0/all/1", "contradiction")
    assert shop.get("/v1/pricing/rules").json()["items"] == []


def test_a_rule_is_made_once_under_a_key(shop: Api):
    body = {"name": "Sale", "benefit": {"percent": "10"}}
    key = {"Idempotency-Key": "k"}
    one, two = (shop.post("/v1/pricing/rules", body, headers=key) for _ in range(2))
    assert one.json() == two.json()
    assert shop.post("/v1/pricing/rules", body).json()["code"] == "rule_name_taken"


def test_an_answer_has_every_member_of_a_rule_and_can_be_sent_back(shop: Api):
    made = add(shop, {"percent": "10"})
    own = ("rule_id", "created_at", "updated_at")
    members = {name: value for name, value in made.items() if name not in own}
    assert members == {
        "version": 1, "status": "active", "name": "Sale", "applies_to": "line", "priority": 0,
        "group": None, "final": False, "on": "running", "condition": None,
        "benefit": {"percent": "10"}, "limits": {}, "currency": None, "funded_by": "platform",
    }  # fmt: skip
    again = shop.request("PUT", f"/v1/pricing/rules/{made['rule_id']}", json=members)
    assert again.json() == made


def test_every_fault_of_a_rule_is_reported_with_its_pointer(shop: Api):
    body = {
        "name": "", "benefit": {"percent": "101"}, "priority": "high", "colour": "red",
        "condition": {"all": [{"brand": []}, {"partner": 7}, {"window": {"tz": "Mars/Base"}}]},
        "status": "gone",
    }  # fmt: skip
    answer = shop.post("/v1/pricing/rules", body)
    assert (answer.status_code, answer.json()["code"]) == (422, "invalid_input")
    assert {(e["pointer"], e["code"]) for e in answer.json()["errors"]} == {
        ("/name", "bad_text"), ("/benefit/percent", "out_of_range"),
        ("/priority", "not_a_whole_number"), ("/colour", "unknown_field"),
        ("/condition/all/0/brand", "bad_length"), ("/condition/all/1/partner", "not_a_text"),
        ("/condition/all/2/window/tz", "unknown_time_zone"),
        ("/condition/all/2/window", "required"), ("/status", "not_one_of"),
    }  # fmt: skip
    lost = {"name": "x", "benefit": {"percent": "1"}, "condition": {"partner": "Nobody"}}
    assert [e["pointer"] for e in shop.post("/v1/pricing/rules", lost).json()["errors"]] == [
        "/condition/partner"
    ]
    assert shop.get("/v1/pricing/rules").json()["items"] == []


def test_partners_neither_see_nor_set_rules(shop: Api):
    partner = shop.asking(shop.key("Acme"))
    for method, path in (("GET", "/v1/pricing/rules"), ("POST", "/v1/pricing/quote")):
        answer = partner.request(method, path, json={"items": []} if method == "POST" else None)
        assert answer.status_code == 403
    reader = shop.asking(shop.key(None, "pricing:read"))
    body = {"name": "x", "benefit": {"percent": "1"}}
    assert reader.post("/v1/pricing/rules", body).status_code == 403
    assert reader.get("/v1/pricing/rules").status_code == 200


def test_a_quote_explains_itself(shop: Api):
    add(shop, {"floor": {"price": "20.00"}}, "Minimum", condition={"sku": "A"})
    sale = add(shop, {"percent": "20"}, "Twenty off")
    add(shop, {"percent": "50"}, "Trade", condition={"customer_group": "trade"})
    quote = quoted(shop, ("A", 1), explain=True)
    (item,) = quote["items"]
    assert (quote["list_total"], quote["total_amount"], quote["valid_until"]) == (
        "22.99", "20.00", None,
    )  # fmt: skip
    (step,) = item["adjustments"]
    assert (step["rule_id"], step["amount"], step["limited_by"]) == (
        sale["rule_id"], "-2.99", "floor",
    )  # fmt: skip
    (sentence,) = item["explanation"]
    assert sentence == (
        "Twenty off took 2.99, for 1 unit that cost 22.99 (the price so far), instead of 4.598, "
        "limited by the floor 'Minimum'; the line costs 20.00."
    )
    assert {each["name"]: each["outcome"] for each in quote["rules"]} == {
        "Minimum": "floor", "Twenty off": "applied",
    }  # fmt: skip
    asked = quoted(shop, ("A", 1), why_not="Trade")
    assert asked["rules"][0]["sentences"] == [
        "Trade did not apply: it wants customer group trade, and found none."
    ]


def test_drafts_are_tried_and_a_moment_can_be_chosen(shop: Api):
    window = {"window": {"from": "2099-01-01", "tz": "UTC"}}
    draft = {"name": "New", "benefit": {"percent": "50"}, "condition": window}
    assert totals(quoted(shop, ("F", 1), rules=[draft])) == ["100.00"]
    later = quoted(shop, ("F", 1), rules=[draft], at="2099-01-01T00:00:00Z")
    assert totals(later) == ["50.00"]
    lines = [{"partner_name": "Acme", "sku": "F", "quantity": 1}]
    wrong = shop.post("/v1/pricing/quote", {"items": lines, "rules": [{"name": "x"}]})
    assert [e["pointer"] for e in wrong.json()["errors"]] == ["/rules/0/benefit"]


def test_an_order_is_placed_at_the_expected_total_or_not_at_all(shop: Api):
    add(shop, {"percent": "10"}, condition={"code": "SPRING"}, limits={"most_uses": 1})
    body = {
        "items": [{"product_id": shop.product("F"), "quantity": 1}], "codes": ["spring"],
        "expected_total": "90.00", "customer": "c-1", "channel": "web",
    }  # fmt: skip
    placed = shop.post("/v1/orders", body).json()
    assert (placed["total_amount"], placed["codes"], placed["customer"]) == (
        "90.00", ["spring"], "c-1",
    )  # fmt: skip
    refused = shop.post("/v1/orders", body)
    assert (refused.status_code, refused.json()["code"]) == (409, "price_changed")
    shown = refused.json()
    assert (shown["expected_total"], shown["total_amount"]) == ("90.00", "100.00")
    without = shop.post("/v1/orders", {k: v for k, v in body.items() if k != "expected_total"})
    assert [(e["pointer"], e["code"]) for e in without.json()["errors"]] == [
        ("/codes/0", "used_up_code")
    ]
    explained = shop.get(f"/v1/orders/{placed['order_id']}/explanation").json()
    (line,) = explained["items"]
    assert (line["list_total"], line["line_total"]) == ("100.00", "90.00")
    assert line["explanation"] == [
        "Sale took 10.00, for 1 unit that cost 100.00 (the price so far); the line costs 90.00."
    ]


def test_lint_examines_active_rules_and_drafts(shop: Api):
    add(shop, {"percent": "10"}, "First", condition={"brand": "Acme"})
    draft = {"name": "New", "benefit": {"percent": "0"}, "condition": {"brand": "Acme"}}
    found = shop.post("/v1/pricing/rules/lint", {"rules": [draft]}).json()["items"]
    assert [(each["code"], each["name"]) for each in found] == [
        ("does_nothing", "New"), ("adds_up", "New"),
    ]  # fmt: skip
    assert shop.post("/v1/pricing/rules/lint", {}).json()["items"] == []


def test_what_if_adds_up_what_would_differ(shop: Api):
    shop.post("/v1/orders", {"items": [{"product_id": shop.product("F"), "quantity": 1}]})
    rules = [{"name": "New", "benefit": {"percent": "10"}}]
    body = {"rules": rules, "from": "2020-01-01T00:00:00Z"}
    found = shop.post("/v1/pricing/what-if", body).json()
    assert (found["orders"], found["totals"][0]["difference"]) == (1, "-10.00")
    assert found["uses"] == {"New": 1}


def test_a_what_if_is_left_to_a_worker_and_its_report_is_fetched_later(shop: Api):
    shop.post("/v1/orders", {"items": [{"product_id": shop.product("F"), "quantity": 1}]})
    rules = [{"name": "New", "benefit": {"percent": "10"}}]
    body = {"rules": rules, "from": "2020-01-01T00:00:00Z"}
    headers = {"Idempotency-Key": "k"}
    begun = shop.post("/v1/pricing/what-ifs", body, headers=headers)
    assert (begun.status_code, begun.json()["status"]) == (202, "queued")
    assert shop.post("/v1/pricing/what-ifs", body, headers=headers).json() == begun.json()
    task = shop.commerce.queue.claim("what_ifs")
    assert isinstance(task, Task)
    shop.commerce.queue.perform(task)
    run = shop.get(begun.headers["Location"]).json()
    assert (run["status"], run["from"]) == ("done", "2020-01-01T00:00:00Z")
    assert run["report"] == shop.post("/v1/pricing/what-if", body).json()


@pytest.mark.parametrize("path", ["/v1/pricing/quote", "/v1/orders"])
def test_items_name_their_product_alike_in_quotes_and_orders(shop: Api, path: str):
    named = {"partner_name": "acme", "sku": "A", "quantity": 1}
    answer = shop.post(path, {"items": [named, {"product_id": shop.product("B"), "quantity": 1}]})
    assert [item["sku"] for item in answer.json()["items"]] == ["A", "B"], answer.text
    lost = {"partner_name": "Nobody", "sku": "A", "quantity": 1}
    refusal = shop.post(path, {"items": [lost, named, lost]})
    assert refusal.status_code == 422
    assert [(each["pointer"], each["code"]) for each in refusal.json()["errors"]] == [
        ("/items/0/partner_name", "unknown_partner"),
        ("/items/2/partner_name", "unknown_partner"),
    ]


def test_prices_are_included_in_products_where_they_are_asked_for(shop: Api):
    add(shop, {"percent": "10"}, condition={"sku": "A"})
    add(shop, {"percent": "50"}, "Trade", condition={"customer_group": "trade"})
    lamp = shop.product("A")
    plain = shop.get(f"/v1/products/{lamp}").json()
    both = shop.get(f"/v1/products/{lamp}?include=prior_price,selling_price").json()
    prices = {"selling_price": "20.69", "prior_price": "22.99", "prior_price_days": 0}
    assert both == {**plain, **prices}
    listed = shop.get("/v1/products?include=selling_price&sku=A&sku=F").json()["items"]
    assert [each["selling_price"] for each in listed] == ["20.69", "100.00"]
    assert listed[0] == {**plain, "selling_price": "20.69"}
    refused = shop.get("/v1/products?include=selling_price,cost")
    assert (refused.status_code, refused.json()["errors"][0]["pointer"]) == (400, "/include")


def test_an_export_with_prices_is_still_a_feed(shop: Api):
    add(shop, {"percent": "10"}, condition={"sku": "A"})
    shape = "sku=A&sku=F&include=selling_price,prior_price"
    lines = shop.get(f"/v1/products/export?{shape}&format=ndjson").text.splitlines()
    exported = [json.loads(line) for line in lines]
    assert exported == shop.get(f"/v1/products?{shape}").json()["items"]
    table = shop.get(f"/v1/products/export?{shape}").content
    first = next(csv.DictReader(io.StringIO(table.decode())))
    assert (first["_selling_price"], first["_prior_price"], first["price"]) == (
        "20.69", "22.99", "22.99",
    )  # fmt: skip
    feed = shop.ingest(shop.get("/v1/partners").json()["items"][0]["partner_id"], table)
    job = shop.get(f"/v1/jobs?feed_id={feed}").json()["items"][0]
    counted = shop.get(f"/v1/jobs/{job['job_id']}").json()["summary"]
    assert (counted["created"], counted["updated"], counted["unchanged"]) == (0, 0, 2)


def test_a_rule_is_sent_back_as_it_was_shown(shop: Api):
    made = add(shop, {"percent": "10"}, condition={"sku": "A"})
    path = f"/v1/pricing/rules/{made['rule_id']}"
    assert shop.request("PUT", path, json=made).json() == made
    changed = shop.request("PUT", path, json=made | {"priority": 7})
    assert (changed.status_code, changed.json()["version"]) == (200, 2)
    again = shop.request("PUT", path, json=made | {"priority": 8})
    assert (again.status_code, again.json()["code"]) == (409, "rule_changed")
    other = changed.json() | {"rule_id": f"rule_{'0' * 32}"}
    refused = shop.request("PUT", path, json=other).json()
    assert (refused["errors"][0]["pointer"], refused["errors"][0]["code"]) == (
        "/rule_id", "other_rule",
    )  # fmt: skip


def test_a_new_rule_has_no_version_and_no_name_like_an_id(shop: Api):
    body = {"name": "Sale", "benefit": {"percent": "10"}}
    versioned = shop.post("/v1/pricing/rules", {**body, "version": 1})
    assert (versioned.status_code, versioned.json()["errors"][0]["pointer"]) == (422, "/version")
    named = shop.post("/v1/pricing/rules", {**body, "name": f"rule_{'0' * 32}"}).json()
    assert (named["errors"][0]["pointer"], named["errors"][0]["code"]) == ("/name", "bad_name")


def test_hours_may_end_at_the_end_of_the_day(shop: Api):
    window = {"tz": "UTC", "hours": {"from": "18:00", "until": "24:00"}}
    add(shop, {"percent": "50"}, condition={"window": window})
    prices = [
        totals(quoted(shop, ("F", 1), at=f"2098-06-01T{hour}Z"))[0]
        for hour in ("17:59:59", "18:00:00", "23:59:59")
    ]
    assert prices == ["100.00", "50.00", "50.00"]
    assert totals(quoted(shop, ("F", 1), at="2098-06-02T00:00:00Z")) == ["100.00"]
    bad = {"tz": "UTC", "hours": {"from": "24:00", "until": "24:01"}}
    body = {"name": "Bad", "benefit": {"percent": "1"}, "condition": {"window": bad}}
    faults = shop.post("/v1/pricing/rules", body).json()["errors"]
    assert [fault["pointer"] for fault in faults] == [
        "/condition/window/hours/from", "/condition/window/hours/until",
    ]  # fmt: skip
