"""Orders that live on over HTTP: acts by part and line, plans, versions, refusals."""

from typing import Any

import pytest

from commerce_core.partners.access import GRANTABLE_SCOPES
from tests.unit.http.conftest import Api

FEED = b"""sku,product_name,price,currency,quantity
A,Lamp,10.00,USD,9
B,Chair,20.00,USD,9
"""
Json = dict[str, Any]


@pytest.fixture
def shop(api: Api) -> Api:
    for name in ("Acme", "Nord"):
        api.ingest(api.partner(name), FEED)
    return Api(api.client, api.commerce, {"X-API-Key": api.key()})


def place(shop: Api, *items: tuple[str, str, int], **more: object) -> Json:
    lines = [{"partner_name": p, "sku": sku, "quantity": n} for p, sku, n in items]
    answer = shop.post("/v1/orders", {"items": lines, **more})
    assert answer.status_code == 201, answer.text
    return answer.json()


def act(shop: Api, order: Json, verb: str, status: int = 200, **body: object) -> Json:
    answer = shop.post(f"/v1/orders/{order['order_id']}/{verb}", body)
    assert answer.status_code == status, answer.text
    return answer.json()


def units(order: Json, n: int, quantity: int) -> list[Json]:
    return [{"item_id": order["items"][n]["item_id"], "quantity": quantity}]


def partner_shop(shop: Api, name: str) -> Api:
    key = shop.commerce.keys.add(partner=name, scopes=list(GRANTABLE_SCOPES))
    return shop.asking(key.secret)


def test_an_order_of_two_partners_lives_its_whole_life(shop: Api):
    order = place(shop, ("Acme", "A", 3), ("Nord", "B", 1))
    assert [part["status"] for part in order["parts"]] == ["created", "created"]
    acme = order["parts"][0]["partner_id"]
    done = act(shop, order, "confirm")
    assert (done["status"], done["version"]) == ("confirmed", 2)
    sent = act(
        shop, order, "fulfil", partner_id=acme, items=units(order, 0, 2), carrier="DHL",
        tracking_number="1",
    )  # fmt: skip
    assert [part["status"] for part in sent["parts"]] == ["partially_fulfilled", "confirmed"]
    assert (sent["items"][0]["open"], sent["items"][0]["fulfilled"]) == (1, 2)
    (fulfilment,) = sent["parts"][0]["fulfilments"]
    assert (fulfilment["carrier"], fulfilment["status"]) == ("DHL", "sent")
    back = act(shop, order, "refund", items=units(order, 0, 1), reason="damaged", returned=True)
    (refund,) = back["parts"][0]["refunds"]
    assert (refund["amount"], refund["reason"], back["refunded_amount"]) == (
        "10.00", "damaged", "10.00",
    )  # fmt: skip
    assert shop.get(f"/v1/refunds/{refund['refund_id']}").json() == refund
    over = act(shop, order, "cancel")
    assert (over["status"], over["cancelled_amount"]) == ("fulfilled", "30.00")
    entries = shop.get(f"/v1/analytics/entries?order_id={order['order_id']}").json()["items"]
    assert sorted(entry["kind"] for entry in entries) == [
        "cancelled", "cancelled", "placed", "placed", "refunded",
    ]  # fmt: skip


def test_a_cancelled_fulfilment_opens_its_units(shop: Api):
    order = place(shop, ("Acme", "A", 3))
    sent = act(shop, order, "fulfil")
    (fulfilment,) = sent["parts"][0]["fulfilments"]
    path = f"/v1/fulfilments/{fulfilment['fulfilment_id']}/cancel"
    again = shop.post(path)
    assert (again.status_code, again.json()["status"]) == (200, "confirmed")
    assert again.json()["parts"][0]["fulfilments"][0]["status"] == "cancelled"
    assert shop.post(path).json()["code"] == "fulfilment_cancelled"
    assert shop.post(f"/v1/fulfilments/ful_{'0' * 32}/cancel").status_code == 404
    assert shop.get(f"/v1/refunds/rfnd_{'0' * 32}").status_code == 404


def test_a_plan_says_what_an_act_would_do_and_does_nothing(shop: Api):
    order = place(shop, ("Acme", "A", 3))
    path = f"/v1/orders/{order['order_id']}"
    plan = shop.post(f"{path}/refund?plan=true", {"reason": "x", "items": units(order, 0, 2)})
    shown = plan.json()
    assert plan.status_code == 200, plan.text
    assert sorted(shown) == ["ledger", "order", "refund", "statement", "stock"]
    assert (shown["refund"]["amount"], shown["order"]["refunded_amount"]) == ("20.00", "20.00")
    (stock,) = shown["stock"]
    assert (stock["available_before"], stock["available_after"]) == (6, 8)
    assert [entry["kind"] for entry in shown["ledger"]] == ["refunded"]
    assert shown["statement"][0]["amount"] == "-20.00"
    assert shop.get(path).json() == order
    assert shop.post(f"{path}/confirm?plan=true").json()["order"]["status"] == "confirmed"
    assert shop.post(f"{path}/fulfil?plan=true").json()["order"]["status"] == "fulfilled"
    assert shop.get(path).json() == order


def test_who_acts_on_what_it_has_seen_is_told_when_it_has_changed(shop: Api):
    order = place(shop, ("Acme", "A", 3))
    path = f"/v1/orders/{order['order_id']}"
    seen = shop.get(path)
    assert seen.headers["ETag"] == '"1"'
    assert shop.get(path, headers={"If-None-Match": '"1"'}).status_code == 304
    done = shop.post(f"{path}/confirm", headers={"If-Match": seen.headers["ETag"]})
    assert (done.status_code, done.headers["ETag"]) == (200, '"2"')
    late = shop.post(f"{path}/cancel", headers={"If-Match": '"1"'})
    assert (late.status_code, late.json()["code"], late.json()["version"]) == (
        412, "stale_version", 2,
    )  # fmt: skip
    assert shop.post(f"{path}/cancel", headers={"If-Match": "x"}).status_code == 400
    assert shop.post(f"{path}/cancel", headers={"If-Match": "*"}).status_code == 200


def test_a_retried_act_happens_once(shop: Api):
    order = place(shop, ("Acme", "A", 3))
    path = f"/v1/orders/{order['order_id']}/refund"
    key = {"Idempotency-Key": "k"}
    one, two = (shop.post(path, {"reason": "x", "amount": "5.00"}, headers=key) for _ in range(2))
    assert one.json() == two.json()
    assert two.headers["Idempotency-Replayed"] == "true"
    assert shop.post(path, {"reason": "y"}, headers=key).json()["code"] == "idempotency_key_reused"


def test_what_is_impossible_is_refused_with_all_reasons(shop: Api):
    order = place(shop, ("Acme", "A", 3))
    faults = act(
        shop, order, "refund", 422, reason="", currency="EUR", restock=True,
        items=[*units(order, 0, 9), {"item_id": "x"}],
    )  # fmt: skip
    assert [(fault["pointer"], fault["code"]) for fault in faults["errors"]] == [
        ("/reason", "bad_reason"), ("/currency", "wrong_currency"),
        ("/restock", "restock_without_return"), ("/items/1/item_id", "unknown_item"),
        ("/items/0/quantity", "too_few_units"),
    ]  # fmt: skip
    much = act(shop, order, "refund", 409, reason="x", amount="30.01")
    assert (much["code"], much["refundable"], much["version"]) == ("too_little_left", "30.00", 1)
    few = act(shop, order, "cancel", 409, items=units(order, 0, 4))
    assert few["errors"][0]["pointer"] == "/items/0/quantity"
    act(shop, order, "cancel")
    for verb in ("confirm", "fulfil", "cancel"):
        assert act(shop, order, verb, 409)["code"] == "order_cancelled"


def test_a_partner_acts_on_its_own_part_alone(shop: Api):
    order = place(shop, ("Acme", "A", 3), ("Nord", "B", 1))
    acme, nord = partner_shop(shop, "Acme"), partner_shop(shop, "Nord")
    path = f"/v1/orders/{order['order_id']}"
    sent = acme.post(f"{path}/fulfil")
    assert (sent.json()["status"], sent.json()["total_amount"]) == ("fulfilled", "30.00")
    assert [part["partner_id"] for part in sent.json()["parts"]] == [
        order["parts"][0]["partner_id"]
    ]
    seen = nord.get(path).json()
    assert (seen["status"], seen["version"], len(seen["items"])) == ("created", 1, 1)
    assert nord.get(path).headers["ETag"] == '"1"'
    other = {"partner_id": order["parts"][0]["partner_id"]}
    refused = nord.post(f"{path}/cancel", other)
    assert (refused.status_code, refused.json()["errors"][0]["code"]) == (422, "unknown_part")
    theirs = nord.post(f"{path}/cancel", {"items": units(order, 0, 1)})
    assert theirs.json()["errors"][0]["code"] == "unknown_item"
    fulfilment = sent.json()["parts"][0]["fulfilments"][0]["fulfilment_id"]
    assert nord.post(f"/v1/fulfilments/{fulfilment}/cancel").status_code == 404
    back = acme.post(f"{path}/refund", {"reason": "x", "amount": "1.00"}).json()
    refund = back["parts"][0]["refunds"][0]["refund_id"]
    assert nord.get(f"/v1/refunds/{refund}").status_code == 404
    assert acme.get(f"/v1/refunds/{refund}").status_code == 200
    assert nord.post(f"{path}/cancel", headers={"If-Match": '"1"'}).json()["status"] == "cancelled"
    assert shop.get(path).json()["status"] == "fulfilled"
    found = [nord.get(f"/v1/orders?status={s}").json()["items"] for s in ("cancelled", "created")]
    assert [len(items) for items in found] == [1, 0]
    events = [event for event in nord.get("/v1/events").json()["items"] if "order" in event["kind"]]
    assert [event["kind"] for event in events] == ["order.created", "order.cancelled"]
    assert all(len(event["data"]["parts"]) == 1 for event in events)
    assert events[1]["data"]["status"] == "cancelled"


def test_a_partners_refusals_have_the_version_of_its_part(shop: Api):
    """Whatever happens to other parts; with it, the partner can act."""
    order = place(shop, ("Acme", "A", 3), ("Nord", "B", 1))
    for verb in ("confirm", "fulfil"):
        act(shop, order, verb, partner_id=order["parts"][0]["partner_id"])
    nord, path = partner_shop(shop, "Nord"), f"/v1/orders/{order['order_id']}"
    line = [{"item_id": order["items"][1]["item_id"], "quantity": 2}]
    sent = nord.post(f"{path}/fulfil").json()["parts"][0]["fulfilments"][0]["fulfilment_id"]
    assert nord.post(f"/v1/fulfilments/{sent}/cancel").status_code == 200
    for address, body in (
        (f"{path}/fulfil", {"items": line}),
        (f"{path}/cancel", {"items": line}),
        (f"{path}/refund", {"reason": "late", "amount": "20.01"}),
        (f"{path}/confirm", {}),
        (f"/v1/fulfilments/{sent}/cancel", {}),
    ):
        refused = nord.post(address, body)
        assert (refused.status_code, refused.json()["version"]) == (409, 3)
    done = nord.post(f"{path}/cancel", headers={"If-Match": f'"{refused.json()["version"]}"'})
    assert done.status_code == 200


def test_acting_needs_its_own_scope(shop: Api):
    order = place(shop, ("Acme", "A", 1))
    key = shop.commerce.keys.add(partner="Acme", scopes=["orders:read", "orders:write"])
    refused = shop.asking(key.secret).post(f"/v1/orders/{order['order_id']}/cancel")
    assert (refused.status_code, refused.json()["code"]) == (403, "missing_scope")


def test_an_order_that_repeats_another_is_placed_with_a_warning(shop: Api):
    one = place(shop, ("Acme", "A", 1), customer_reference="web-1")
    two = place(shop, ("Acme", "A", 1), customer_reference="web-1")
    other = place(shop, ("Acme", "A", 2), customer_reference="web-1")
    assert (one["warnings"], other["warnings"]) == ([], [])
    assert [(w["code"], w["order_id"]) for w in two["warnings"]] == [
        ("likely_duplicate", one["order_id"])
    ]
