"""Terms, payouts and statements over HTTP."""

import hashlib
from typing import Any

import pytest
from httpx import Response

from tests.unit.http.conftest import Api


@pytest.fixture
def shop(api: Api) -> Api:
    """A partner from whom two lamps were bought at 10 % commission."""
    api.ingest(api.partner())
    shop = Api(api.client, api.commerce, {"X-API-Key": api.key()})
    agree(shop, {"commission_percent": "10", "fee": "0.30", "currency": "USD"})
    order = shop.post("/v1/orders", {"items": [{"product_id": api.product(), "quantity": 2}]})
    assert order.status_code == 201
    return shop


def agree(shop: Api, *terms: dict[str, str], **more: object) -> dict[str, Any]:
    path = f"/v1/partners/{partner(shop)}/terms"
    answer = shop.request("PUT", path, json={"terms": list(terms), **more})
    assert answer.status_code == 200, answer.text
    return answer.json()


def partner(shop: Api) -> str:
    return shop.commerce.partners.get("Acme").partner_id


def pay(shop: Api, amount: str, key: str | None = None, **more: object) -> Response:
    body = {
        "partner_name": "Acme", "amount": amount, "currency": "USD", "reference": "SEPA 1", **more,
    }  # fmt: skip
    return shop.post("/v1/payouts", body, headers={"Idempotency-Key": key} if key else None)


def open_statement(shop: Api) -> dict[str, Any]:
    (found,) = shop.get("/v1/statements/open").json()["items"]
    return found


def test_terms_are_versions_and_frozen_on_lines(shop: Api):
    path = f"/v1/partners/{partner(shop)}/terms"
    assert shop.get(path).json()["version"] == 1
    (order,) = shop.get("/v1/orders").json()["items"]
    (item,) = order["items"]
    assert (item["partner_amount"], item["commission_percent"], item["fee"]) == (
        "22.50", "10", "0.30",
    )  # fmt: skip
    agree(shop, {"commission_percent": "50"}, version=1, cycle="week")
    assert shop.get(f"/v1/orders/{order['order_id']}").json()["items"] == [item]
    stale = shop.request("PUT", path, json={"terms": [], "version": 1})
    assert (stale.status_code, stale.json()["code"]) == (409, "terms_changed")
    wrong = shop.request(
        "PUT", path, json={"terms": [{"commission_percent": "101"}, {"fee": "1"}, {}]}
    )
    assert [fault["code"] for fault in wrong.json()["errors"]] == [
        "bad_percent", "required", "overlapping_terms",
    ]  # fmt: skip


def test_what_was_cancelled_goes_back_at_the_rate_at_which_it_was_placed(shop: Api):
    agree(shop, {"commission_percent": "15"})
    (order,) = shop.get("/v1/orders").json()["items"]
    assert shop.post(f"/v1/orders/{order['order_id']}/cancel").status_code == 200
    entries = shop.get(f"/v1/analytics/entries?order_id={order['order_id']}").json()["items"]
    assert sorted((e["kind"], e["partner_amount"], e["platform_amount"]) for e in entries) == [
        ("cancelled", "-22.50", "-2.50"), ("fee", "-0.30", "0.30"), ("fee", "0.30", "-0.30"),
        ("placed", "22.50", "2.50"),
    ]  # fmt: skip
    assert open_statement(shop)["closing"] == "0.00"


def test_amounts_have_the_decimals_of_their_currency(shop: Api):
    """Zeros too, however they were sent."""
    agreed = agree(shop, {"fee": "0.3", "currency": "USD"}, {"category": "Other"})["terms"]
    assert [(term["fee"], term["currency"]) for term in agreed] == [("0.30", "USD"), ("0", None)]
    agree(shop)
    body = {"items": [{"product_id": shop.product(), "quantity": 1}]}
    (item,) = shop.post("/v1/orders", body).json()["items"]
    assert (item["fee"], item["cancelled_amount"], item["refunded_amount"]) == ("0.00",) * 3
    entry, *_ = shop.get("/v1/analytics/entries").json()["items"]
    assert (entry["discount"], entry["platform_discount"]) == ("0.00", "0.00")


def test_a_plan_has_the_entries_and_the_sum_that_the_act_then_adds(shop: Api):
    """Signed, and with the fee that is given back."""
    (order,) = shop.get("/v1/orders").json()["items"]
    path, before = f"/v1/orders/{order['order_id']}/cancel", open_statement(shop)
    plan = shop.post(f"{path}?plan=true").json()
    assert shop.post(path).status_code == 200
    figures = ("kind", "quantity", "amount", "partner_amount", "platform_amount")
    made = shop.get("/v1/analytics/entries?limit=2").json()["items"][::-1]
    assert [[e[f] for f in figures] for e in plan["ledger"]] == [
        [e[f] for f in figures] for e in made
    ]
    (owed,) = plan["statement"]
    assert owed["amount"] == "-22.20" == f"-{before['closing']}"
    assert open_statement(shop)["closing"] == "0.00"


def test_a_payout_is_recorded_once_and_within_what_is_owed(shop: Api):
    assert open_statement(shop)["closing"] == "22.20"
    too_much = pay(shop, "22.21")
    assert (too_much.status_code, too_much.json()["code"]) == (409, "more_than_owed")
    paid = pay(shop, "20.00", "key-1")
    assert (paid.status_code, paid.json()["partner_amount"]) == (201, "-20.00")
    assert pay(shop, "20.00", "key-1").json() == paid.json()
    assert pay(shop, "20.0", "key-1").json() == paid.json()
    assert pay(shop, "5.00", advance=True).status_code == 201
    found = open_statement(shop)
    assert (found["entries"], found["payouts"], found["closing"]) == ("22.20", "25.00", "-2.80")
    for wrong in ({"amount": "0"}, {"amount": "1.005"}, {"currency": "QQQ"}, {"reference": " "}):
        assert pay(shop, **{"amount": "1.00", **wrong}).status_code == 422


def test_a_correction_names_what_was_wrong(shop: Api):
    paid = pay(shop, "2.00").json()
    body = {
        "partner_name": "Acme", "amount": "2.00", "currency": "USD", "reason": "Bounced.",
        "reverses": paid["entry_id"],
    }  # fmt: skip
    made = shop.post("/v1/corrections", body)
    assert (made.status_code, made.json()["reverses"]) == (201, paid["entry_id"])
    assert open_statement(shop)["closing"] == "22.20"
    assert shop.post("/v1/corrections", {**body, "currency": "EUR"}).status_code == 422
    unknown = shop.post("/v1/corrections", {**body, "reverses": "ent_" + "0" * 32})
    assert unknown.status_code == 404


def test_corrections_never_take_back_more_of_an_entry_than_there_was(shop: Api):
    """In one or in several, nor the other way; what was cancelled of it counts."""
    (order,) = shop.get("/v1/orders").json()["items"]
    paid = pay(shop, "2.00").json()["entry_id"]
    placed = next(
        e for e in shop.get("/v1/analytics/entries").json()["items"] if e["kind"] == "placed"
    )

    def correct(amount: str, reverses: str) -> tuple[int, str | None]:
        body = {"partner_name": "Acme", "amount": amount, "currency": "USD", "reason": "Wrong."}
        answer = shop.post("/v1/corrections", {**body, "reverses": reverses})
        return answer.status_code, answer.json().get("reversible")

    assert correct("2.01", paid) == (409, "2.00")
    assert correct("-0.01", paid) == (409, "2.00")
    assert correct("1.50", paid) == (201, None)
    assert correct("0.51", paid) == (409, "0.50")
    assert correct("0.50", paid) == (201, None)
    assert correct("0.01", paid) == (409, "0.00")
    line = [{"item_id": order["items"][0]["item_id"], "quantity": 1}]
    assert shop.post(f"/v1/orders/{order['order_id']}/cancel", {"items": line}).status_code == 200
    assert correct("-11.26", placed["entry_id"]) == (409, "-11.25")
    assert correct("-11.25", placed["entry_id"]) == (201, None)


def test_a_closed_statement_is_its_file(shop: Api):
    from datetime import timedelta

    from attrs import evolve

    from commerce_core.commerce import Commerce

    context = shop.commerce.context
    later = context.clock() + timedelta(days=40)
    closing = Commerce(evolve(context, clock=lambda: later)).statements.close()
    assert len(closing.closed) in (1, 2)
    listed = shop.get("/v1/statements?count=true").json()
    assert listed["count"] == len(closing.closed)
    first = next(each for each in listed["items"] if each["number"] == 1)
    path = f"/v1/statements/{first['statement_id']}"
    assert shop.get(path).json() == first
    assert (first["opening"], first["closing"]) == ("0.00", "22.20")
    file = shop.get(f"{path}?format=csv")
    assert file.headers["Content-Type"].startswith("text/csv")
    assert hashlib.sha256(file.content).hexdigest() == first["digest"]
    entries = shop.get(f"/v1/analytics/entries?statement_id={first['statement_id']}").json()
    assert len(entries["items"]) == first["entry_count"] == 2


def test_closing_what_is_closed_or_not_over_is_refused(shop: Api):
    assert shop.post("/v1/statements/close", {}).json() == {"closed": [], "more": False}
    early = shop.post("/v1/statements/close", {"to": "2190-01-01"})
    assert early.json()["errors"][0]["code"] == "not_over"


def test_a_partner_reads_its_own_and_acts_on_nothing(api: Api, shop: Api):
    api.partner("Other")
    own = shop.asking(api.key("Acme", "money:read"))
    other = shop.asking(api.key("Other", "money:read"))
    assert [each["closing"] for each in own.get("/v1/statements/open").json()["items"]] == ["22.20"]
    assert [each["closing"] for each in other.get("/v1/statements/open").json()["items"]] == [
        "0.00"
    ]
    assert own.get(f"/v1/partners/{partner(shop)}/terms").status_code == 200
    assert other.get(f"/v1/partners/{partner(shop)}/terms").status_code == 404
    assert pay(own, "1.00").status_code == 403
    assert own.post("/v1/statements/close", {}).status_code == 403


def test_an_entry_is_traced_to_the_line_of_the_feed(shop: Api):
    entries = shop.get("/v1/analytics/entries?kind=placed").json()["items"]
    found = shop.get(f"/v1/analytics/entries/{entries[0]['entry_id']}/trace").json()
    assert found["item"]["sku"] == "A-1"
    assert found["lineage"]["written_by"]["line"] == 2
    assert found["lineage"]["written_by"]["text"].startswith("A-1,Lamp,12.50")
    assert len(found["lineage"]["written_by"]["sha256"]) == 64


def test_entries_come_as_csv_that_adds_up(shop: Api):
    answer = shop.get("/v1/analytics/entries?format=csv")
    assert answer.headers["Content-Disposition"].startswith('attachment; filename="entries.csv"')
    header, *rows = answer.text.splitlines()
    at = header.split(",").index("partner_amount")
    assert sorted(row.split(",")[at] for row in rows) == ["-0.30", "22.50"]


def test_the_operator_reconciles_and_partners_do_not(shop: Api):
    found = shop.get("/v1/analytics/reconciliation").json()
    assert found["ok"] is True
    compared = {check["identity"]: check["compared"] for check in found["checks"]}
    assert compared["lines_are_placed"] == 1
    assert all(check["failed"] == 0 and not check["failures"] for check in found["checks"])
    assert shop.asking(shop.key("Acme")).get("/v1/analytics/reconciliation").status_code == 403
