"""What must not happen to orders and money is refused over HTTP, and changes nothing.

After each test all books agree, as the shop checks them.
"""

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

import pytest

from tests.contracts.threads import together
from tests.unit.http.test_http_order_cases import Shop, made, patient, shop

__all__ = ["shop"]

VERBS: Mapping[str, Mapping[str, Any]] = {"fulfil": {}, "cancel": {}, "refund": {"reason": "r"}}


@pytest.mark.parametrize("verb", VERBS)
def test_units_that_there_are_not(shop: Shop, verb: str):
    order = shop.place(("Acme", "BAND", 3), ("Nord", "BAND", 2))
    for units in (4, 0, -1, 10**9, 10**30, True, "2", 1.5):
        line = {"item_id": order["items"][0]["item_id"], "quantity": units}
        refused = shop.post(f"orders/{order['order_id']}/{verb}", {**VERBS[verb], "items": [line]})
        assert refused.status_code == (409 if units == 4 else 422)
        assert [fault["pointer"] for fault in refused.json()["errors"]] == ["/items/0/quantity"]
    assert shop.get(f"orders/{order['order_id']}") == order


@pytest.mark.parametrize("verb", VERBS)
def test_lines_and_parts_that_are_not_meant(shop: Shop, verb: str):
    order = shop.place(("Acme", "BAND", 3), ("Nord", "BAND", 2))
    other = shop.place(("Acme", "BAND", 1))
    mine, theirs, foreign = (
        {"item_id": item["item_id"], "quantity": 1} for item in order["items"] + other["items"]
    )
    nord = order["parts"][1]["partner_id"]
    for body, code in (
        ({"items": [mine, mine]}, "repeated_item"),
        ({"items": []}, "bad_items"),
        ({"items": [foreign]}, "unknown_item"),
        ({"items": [mine], "partner_id": nord}, "unknown_item"),
        ({"items": [theirs, {"item_id": "x"}]}, "unknown_item"),
        ({"partner_id": f"ptn_{'0' * 32}"}, "unknown_part"),
    ):
        refused = shop.post(f"orders/{order['order_id']}/{verb}", {**VERBS[verb], **body})
        assert refused.status_code == 422, refused.text
        assert code in [fault["code"] for fault in refused.json()["errors"]]
    assert shop.get(f"orders/{order['order_id']}") == order


def test_money_that_cannot_go_back(shop: Shop):
    order = shop.place(("Acme", "BAND", 3))
    path = f"orders/{order['order_id']}/refund"
    wrong: list[object] = [
        "0",
        "0.00",
        "-1",
        "1.005",
        "NaN",
        "1e1",
        "Infinity",
        "",
        "9" * 40,
        1,
        1.5,
    ]
    for amount in ("15.01", *wrong):
        refused = shop.post(path, {"amount": amount, "reason": "r"})
        assert refused.status_code == (409 if amount == "15.01" else 422)
        assert [fault["pointer"] for fault in refused.json()["errors"]] == ["/amount"]
    foreign = shop.post(path, {"amount": "1.00", "currency": "USD", "reason": "r"})
    assert foreign.json()["errors"][0]["code"] == "wrong_currency"
    assert shop.get(f"orders/{order['order_id']}") == order


def test_acts_on_what_is_finished(shop: Shop):
    cancelled, refunded = (shop.place(("Acme", "BAND", 3)) for _ in range(2))
    shop.act(cancelled, "cancel")
    shop.act(refunded, "refund", reason="r")
    for order in (cancelled, refunded):
        before = shop.get(f"orders/{order['order_id']}")
        for verb, body in (*VERBS.items(), ("confirm", {}), ("refund", {"amount": "0.01"})):
            refused = shop.ask(order, verb, **{**VERBS.get(verb, {}), **body})
            assert (refused.status_code, refused.json()["version"]) == (409, 2), refused.text
        assert shop.get(f"orders/{order['order_id']}") == before


def test_a_plan_writes_nothing_and_uses_no_key(shop: Shop):
    order = shop.place(("Acme", "BAND", 3))
    path, key = f"orders/{order['order_id']}", {"Idempotency-Key": "k"}
    entries = shop.entries()
    for verb, body in (*VERBS.items(), ("confirm", {})):
        made(shop.post(f"{path}/{verb}?plan=true", body, **key))
    late = shop.post(f"{path}/cancel?plan=true", {}, **{"If-Match": '"9"'})
    assert (late.status_code, late.json()["code"]) == (412, "stale_version")
    assert shop.post(f"{path}/cancel?plan=yes", {}).status_code == 400
    assert (shop.get(path), shop.entries(), shop.available("BAND")) == (order, entries, 37)
    assert made(shop.post(f"{path}/confirm", {}, **key))["status"] == "confirmed"


def test_an_act_that_is_sent_several_times_at_once_happens_once(shop: Shop):
    order = shop.place(("Acme", "BAND", 3))
    answers = together(*[lambda: patient(lambda: shop.ask(order, "fulfil"))] * 4)
    assert sorted(answer.status_code for answer in answers) == [200, 409, 409, 409]
    (part,) = shop.get(f"orders/{order['order_id']}")["parts"]
    assert len(part["fulfilments"]) == 1


def test_what_is_paid_out_and_put_right_at_once_is_so_once(shop: Shop):
    shop.place(("Acme", "BAND", 3))
    body = {"partner_name": "Acme", "amount": "15.00", "currency": "EUR"}
    paid = {**body, "reference": "S"}
    answers = together(*[lambda: patient(lambda: shop.post("payouts", paid))] * 4)
    assert sorted(answer.status_code for answer in answers) == [201, 409, 409, 409]
    (payout,) = shop.entries(kind="payout")
    wrong = {**body, "reason": "Bounced.", "reverses": payout["entry_id"]}
    answers = together(*[lambda: patient(lambda: shop.post("corrections", wrong))] * 4)
    assert sorted(answer.status_code for answer in answers) == [201, 409, 409, 409]
    for change in ({"amount": "0"}, {"amount": "NaN"}, {"currency": "USD"}, {"reason": ""}):
        assert shop.post("corrections", {**wrong, **change}).status_code in (409, 422)


def test_a_statement_is_closed_once(shop: Shop):
    """However many ask for it; one that names two partners, or a time to come, is refused."""
    shop.place(("Acme", "BAND", 3))
    nord = shop.api.commerce.partners.get("Nord").partner_id
    shop.now += timedelta(days=31)
    answers = together(*[lambda: patient(lambda: shop.post("statements/close", {}))] * 4)
    assert sum(len(made(answer)["closed"]) for answer in answers) == 2
    assert made(shop.post("statements/close", {})) == {"closed": [], "more": False}
    both = shop.post("statements/close", {"partner_name": "Acme", "partner_id": nord})
    assert (both.status_code, both.json()["errors"][0]["pointer"]) == (422, "/partner_id")
    assert shop.post("statements/close", {"partner_name": "Nobody"}).status_code == 404
    for until in ("2190-01-01", "9999-12-31T23:59:59Z", "0001-01-01", "2026-02-30", "x"):
        assert shop.post("statements/close", {"to": until}).status_code == 422


@pytest.mark.parametrize("path", ["analytics/summary", "orders", "statements", "analytics/entries"])
def test_ranges_outside_the_calendar(shop: Shop, path: str):
    for query in (
        "from=0001-01-01&to=9999-12-31", "from=0001-01-01T00:00:00-23:00", "from=10000-01-01",
        "to=9999-12-31T23:59:59-23:00", "from=2026-02-30", "from=-0001-01-01",
        "from=2026-03-29T02:30:00",
    ):  # fmt: skip
        answer = shop.api.get(f"/v1/{path}?{query}")
        assert answer.status_code == 400, answer.text
        assert answer.json()["errors"][0]["pointer"] in ("/from", "/to")


def test_terms_that_overlap_or_cannot_be(shop: Shop):
    id_ = shop.api.commerce.partners.get("Acme").partner_id

    def put(*terms: object, **more: object) -> tuple[int, list[str]]:
        body = {"terms": terms, **more}
        answer = shop.api.request("PUT", f"/v1/partners/{id_}/terms", json=body)
        return answer.status_code, [f["code"] for f in answer.json().get("errors") or []]

    spring = {"from": "2026-01-01T00:00:00Z", "to": "2026-06-01T00:00:00Z"}
    summer = {"commission_percent": "2", "from": spring["to"]}
    assert put(spring, summer) == (200, [])
    assert put(spring, {**summer, "from": "2026-05-31T23:59:59Z"}) == (422, ["overlapping_terms"])
    assert put({"from": spring["to"], "to": spring["from"]}) == (422, ["bad_range"])
    assert put({"fee": "0.5", "currency": "JPY"}) == (422, ["too_many_decimals"])
    assert put({"commission_percent": "100.01"}) == (422, ["bad_percent"])
    assert put(cycle="year") == (422, ["not_one_of"])
    assert put(version=9)[0] == 409
