"""Cases that other shops got wrong, of orders, refunds, stock and statements: over HTTP.

The clock is the test's own, so that months can pass. After each test all books agree.
"""

import itertools
from collections.abc import Callable, Generator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from attrs import define, evolve, field
from httpx import Response
from litestar.testing import TestClient

from commerce_core.commerce import Commerce
from commerce_core.partners.access import GRANTABLE_SCOPES
from entrypoints.compose import open_platform
from entrypoints.leases import budget_keeper
from entrypoints.settings import Settings
from tests.contracts.threads import together
from tests.support.applications import application
from tests.support.books import check_books
from tests.unit.http.conftest import Api

Json = dict[str, Any]
BEGIN = datetime(2026, 3, 2, 12, tzinfo=UTC)
FEED = b"""sku,product_name,price,currency,quantity
LAMP,Lamp,100.00,EUR,40
BELL,Bell,23.90,EUR,40
BAND,Band,5.00,EUR,40
LAST,Last,10.00,EUR,1
"""


@define
class Shop:
    """An API with two partners, whose products cost the same, and a clock that is set by hand."""

    now: datetime = BEGIN
    api: Api = field(init=False)

    def clock(self) -> datetime:
        """A moment later each time, so that ids sort by when they were made."""
        self.now += timedelta(milliseconds=1)
        return self.now

    def post(self, path: str, body: object = None, **headers: str) -> Response:
        return self.api.post(f"/v1/{path}", body, headers=headers)

    def get(self, path: str) -> Json:
        answer = self.api.get(f"/v1/{path}")
        assert answer.status_code == 200, answer.text
        return answer.json()

    def place(self, *lines: tuple[str, str, int], **headers: str) -> Json:
        items = [{"partner_name": p, "sku": sku, "quantity": n} for p, sku, n in lines]
        return made(self.post("orders", {"items": items}, **headers), 201)

    def act(self, order: Json, verb: str, *lines: tuple[int, int], **body: object) -> Json:
        return made(self.ask(order, verb, *lines, **body))

    def ask(self, order: Json, verb: str, *lines: tuple[int, int], **body: object) -> Response:
        if lines:
            ids = [item["item_id"] for item in order["items"]]
            body["items"] = [{"item_id": ids[n], "quantity": units} for n, units in lines]
        return self.post(f"orders/{order['order_id']}/{verb}", body)

    def rule(self, **form: object) -> None:
        made(
            self.post("pricing/rules", {"name": f"Rule {form}"[:60], "currency": "EUR", **form}),
            201,
        )

    def agree(self, partner: str, percent: str) -> None:
        id_ = self.api.commerce.partners.get(partner).partner_id
        body = {"terms": [{"commission_percent": percent}]}
        made(self.api.request("PUT", f"/v1/partners/{id_}/terms", json=body))

    def entries(self, **query: str) -> list[Json]:
        asked = "&".join(f"{name}={value}" for name, value in query.items())
        return self.get(f"analytics/entries?limit=200&{asked}")["items"]

    def close(self, partner: str | None = None) -> list[Json]:
        """Closes what is over; returns all statements, or a partner's, oldest first."""
        assert made(self.post("statements/close", {}))["more"] is False
        whose = f"&partner_name={partner}" if partner else ""
        found = self.get(f"statements?limit=200{whose}")["items"]
        return sorted(found, key=lambda statement: statement["number"])

    def available(self, sku: str, partner: str = "Acme") -> int:
        product = self.api.product(sku, partner)
        return self.get(f"products/{product}")["available"]


def made(answer: Response, status: int = 200) -> Json:
    assert answer.status_code == status, answer.text
    return answer.json()


def patient(ask: Callable[[], Response]) -> Response:
    """The answer, once there aren't too many requests under way."""
    while (answer := ask()).status_code == 429:
        assert answer.headers["Retry-After"]
    return answer


@pytest.fixture
def shop() -> Generator[Shop]:
    settings = Settings(database_url="memory:", limit_query_seconds_per_minute=1e6)
    shop = Shop()
    with open_platform(settings) as opened:
        keeper = budget_keeper(clock=shop.clock)
        commerce = Commerce(evolve(opened.context, clock=shop.clock, keep_lease=keeper))
        with (
            application(commerce, settings) as app,
            TestClient(app, raise_server_exceptions=False) as client,
        ):
            api = Api(client, commerce)
            shop.api = api.asking(api.key())
            for name in ("Acme", "Nord"):
                commerce.partners.add(name, currency="EUR", time_zone="Europe/Berlin")
                api.ingest(name, FEED)
            yield shop
        check_books(commerce)


def refunded(order: Json) -> list[str]:
    return [refund["amount"] for part in order["parts"] for refund in part["refunds"]]


class TestOrders:
    def test_o1_two_of_three_are_sent(self, shop: Shop):
        order = shop.place(("Acme", "BAND", 3))
        sent = shop.act(order, "fulfil", (0, 2))
        assert (sent["status"], sent["items"][0]["open"]) == ("partially_fulfilled", 1)

    def test_o2_cancelling_never_takes_what_was_sent(self, shop: Shop):
        order = shop.place(("Acme", "BAND", 3))
        shop.act(order, "fulfil", (0, 1))
        assert shop.ask(order, "cancel", (0, 3)).status_code == 409
        left = shop.act(order, "cancel", (0, 2))
        (item,) = left["items"]
        assert (item["fulfilled"], item["cancelled"], item["open"]) == (1, 2, 0)
        assert left["parts"][0]["status"] == "fulfilled"

    def test_o3_a_cancelled_fulfilment_opens_its_units(self, shop: Shop):
        order = shop.place(("Acme", "BAND", 3))
        sent = shop.act(order, "fulfil")
        fulfilment = sent["parts"][0]["fulfilments"][0]["fulfilment_id"]
        again = made(shop.post(f"fulfilments/{fulfilment}/cancel"))
        assert again["items"][0]["open"] == 3
        assert shop.act(order, "fulfil")["status"] == "fulfilled"

    def test_o4_a_cancelled_line_goes_back_for_what_was_paid_for_it(self, shop: Shop):
        shop.rule(applies_to="order", benefit={"amount": "30.00"})
        order = shop.place(("Acme", "LAMP", 1), ("Nord", "LAMP", 1), ("Acme", "BAND", 20))
        assert [item["line_total"] for item in order["items"]] == ["90.00"] * 3
        left = shop.act(order, "cancel", (0, 1))
        assert left["cancelled_amount"] == "90.00"
        assert [item["line_total"] for item in left["items"]] == ["90.00"] * 3
        assert [item["cancelled_amount"] for item in left["items"]] == ["90.00", "0.00", "0.00"]
        assert [item["refundable_amount"] for item in left["items"]] == ["0.00", "90.00", "90.00"]

    def test_o5_any_path_of_refunds_sums_to_what_was_paid(self, shop: Shop):
        shop.rule(condition={"sku": ["BELL"]}, benefit={"percent": "25"})
        shop.rule(condition={"sku": ["BAND"]}, applies_to="order", benefit={"amount": "5.00"})
        whole, split = (shop.place(("Acme", "BELL", 10)) for _ in range(2))
        assert whole["total_amount"] == "179.25"
        assert refunded(shop.act(whole, "refund", (0, 10), reason="r")) == ["179.25"]
        last = [shop.act(split, "refund", (0, 1), reason="r") for _ in range(10)][-1]
        assert sum(map(Decimal, refunded(last))) == Decimal("179.25")
        assert last["status"] == "refunded"
        three = shop.place(("Acme", "BAND", 3))
        assert three["total_amount"] == "10.00"
        last = [shop.act(three, "refund", (0, 1), reason="r") for _ in range(3)][-1]
        assert refunded(last) == ["3.33", "3.33", "3.34"]

    def test_o6_of_two_refunds_at_once_that_are_too_much_one_is_done(self, shop: Shop):
        order = shop.place(("Acme", "LAMP", 1))
        answers = together(*[lambda: shop.ask(order, "refund", amount="60.00", reason="r")] * 2)
        assert sorted(answer.status_code for answer in answers) == [200, 409]
        (late,) = [answer.json() for answer in answers if answer.status_code == 409]
        assert (late["code"], late["refundable"]) == ("too_little_left", "40.00")
        order = shop.place(("Acme", "LAMP", 1))
        codes = [
            answer.status_code
            for answer in together(
                *[lambda: patient(lambda: shop.ask(order, "refund", amount="3.00", reason="r"))]
                * 50
            )
        ]
        assert (codes.count(200), codes.count(409)) == (33, 17)

    def test_o7_goodwill_up_to_what_was_paid_moves_no_units(self, shop: Shop):
        order = shop.place(("Acme", "LAMP", 5))
        assert shop.ask(order, "refund", amount="1.00", reason="").status_code == 422
        assert shop.ask(order, "refund", amount="500.01", reason="late").status_code == 409
        back = shop.act(order, "refund", amount="500.00", reason="late")
        (item,) = back["items"]
        assert (back["refunded_amount"], item["open"], item["returned"]) == ("500.00", 5, 0)
        assert shop.available("LAMP") == 35

    def test_o8_a_refund_in_part_changes_no_state(self, shop: Shop):
        order = shop.place(("Acme", "LAMP", 2))
        back = shop.act(order, "refund", (0, 1), reason="r")
        assert back["status"] == order["status"]
        assert shop.act(order, "fulfil")["parts"][0]["status"] == "fulfilled"

    def test_o9_parts_sum_to_the_order_in_every_column(self, shop: Shop):
        shop.agree("Acme", "12.5")
        order = shop.place(("Acme", "BELL", 3), ("Nord", "BELL", 7), ("Acme", "BAND", 1))
        shop.act(order, "refund", (0, 1), reason="r")
        seen = shop.act(order, "cancel", (1, 2))
        for column in ("total_amount", "refunded_amount", "cancelled_amount"):
            parts = sum(Decimal(part[column]) for part in seen["parts"])
            assert parts == Decimal(seen[column]), column
        lines = sum(Decimal(item["partner_amount"]) for item in seen["items"])
        assert lines == sum(Decimal(part["partner_amount"]) for part in seen["parts"])

    def test_o10_a_retry_gets_the_kept_answer_whatever_the_order_of_its_names(self, shop: Shop):
        """Concurrent ones too; another principal's key of the same text is another key."""
        product = shop.api.product("BAND")
        one = f'{{"items": [{{"product_id": "{product}", "quantity": 1}}], "metadata": {{}}}}'
        two = f'{{"metadata": {{}}, "items": [{{"quantity": 1, "product_id": "{product}"}}]}}'
        headers = {"Idempotency-Key": "again", "Content-Type": "application/json"}

        def send(body: str) -> Response:
            return shop.api.request("POST", "/v1/orders", content=body, headers=headers)

        answers = together(*[lambda: send(one), lambda: send(two)] * 4)
        assert {answer.status_code for answer in answers} == {201}
        assert len({answer.json()["order_id"] for answer in answers}) == 1
        replays = [a.headers.get("Idempotency-Replayed") for a in answers]
        assert replays.count(None) == 1
        assert shop.available("BAND") == 39
        key = shop.api.commerce.keys.add(partner="Acme", scopes=list(GRANTABLE_SCOPES)).secret
        other = shop.api.asking(key).request("POST", "/v1/orders", content=one, headers=headers)
        assert other.json()["order_id"] != answers[0].json()["order_id"]

    def test_o11_the_state_follows_from_its_parts(self, shop: Shop):
        order = shop.place(("Acme", "BAND", 1), ("Nord", "BAND", 1))
        ids = [part["partner_id"] for part in order["parts"]]
        assert shop.act(order, "fulfil", partner_id=ids[0])["status"] == "partially_fulfilled"
        assert shop.act(order, "cancel", partner_id=ids[1])["status"] == "fulfilled"
        other = shop.place(("Acme", "BAND", 1), ("Nord", "BAND", 1))
        assert shop.act(other, "cancel")["status"] == "cancelled"


class TestStock:
    def test_s1_of_two_buyers_of_one_unit_one_wins(self, shop: Shop):
        items = [{"partner_name": "Acme", "sku": "LAST", "quantity": 1}]
        answers = together(*[lambda: shop.post("orders", {"items": items})] * 8)
        assert sorted(answer.status_code for answer in answers) == [201] + [422] * 7
        assert shop.available("LAST") == 0

    def test_s2_what_is_cancelled_is_available_at_once(self, shop: Shop):
        order = shop.place(("Acme", "LAST", 1))
        shop.act(order, "cancel")
        assert shop.available("LAST") == 1
        shop.place(("Acme", "LAST", 1))

    def test_s3_units_move_once_and_never_below_zero(self, shop: Shop):
        """Sent ones go on deducting until the partner's next figure; restocked ones don't."""
        order = shop.place(("Acme", "BAND", 10))
        shop.act(order, "fulfil", (0, 4))
        shop.act(order, "cancel", (0, 3))
        assert shop.available("BAND") == 33
        shop.act(order, "refund", (0, 2), reason="r", returned=True, restock=True)
        assert shop.available("BAND") == 35
        for verb, more in (("fulfil", {}), ("cancel", {})):
            assert shop.ask(order, verb, (0, 4), **more).status_code == 409
        much = shop.ask(order, "refund", (0, 9), reason="r", returned=True, restock=True)
        assert much.status_code == 409
        assert shop.available("BAND") == 35


class TestLedger:
    def test_l1_a_refund_is_reversed_at_the_rate_of_the_sale(self, shop: Shop):
        shop.agree("Acme", "10")
        old = shop.place(("Acme", "LAMP", 1))
        shop.agree("Acme", "15")
        new = shop.place(("Acme", "LAMP", 1))
        for order in (old, new):
            shop.act(order, "refund", (0, 1), reason="r")
        back = {e["order_id"]: e["platform_amount"] for e in shop.entries(kind="refunded")}
        assert back == {old["order_id"]: "-10.00", new["order_id"]: "-15.00"}

    def test_l2_half_back_is_half_of_both_shares(self, shop: Shop):
        shop.agree("Acme", "10")
        order = shop.place(("Acme", "LAMP", 1))
        shop.act(order, "refund", amount="50.00", reason="r")
        found = shop.entries(order_id=order["order_id"])
        shares = ("partner_amount", "platform_amount")
        assert [[e[share] for share in shares] for e in found][::-1] == [
            ["90.00", "10.00"], ["-45.00", "-5.00"],
        ]  # fmt: skip

    def test_l3_a_refund_after_the_close_is_in_the_next_statement_with_a_link_back(
        self, shop: Shop
    ):
        order = shop.place(("Acme", "LAMP", 1))
        (placed,) = shop.entries(kind="placed")
        shop.now += timedelta(days=31)
        (first,) = shop.close("Acme")
        shop.act(order, "refund", (0, 1), reason="r")
        (back,) = shop.entries(kind="refunded")
        shop.now += timedelta(days=31)
        again, second = shop.close("Acme")
        assert again == first
        assert (first["closing"], second["opening"], second["closing"]) == (
            "100.00", "100.00", "0.00",
        )  # fmt: skip
        assert back["reverses"] == placed["entry_id"]
        for entry, statement in ((placed, first), (back, second)):
            within = shop.entries(statement_id=statement["statement_id"])
            assert [e["entry_id"] for e in within] == [entry["entry_id"]]

    def test_l4_an_entry_is_in_exactly_one_statement(self, shop: Shop):
        for month in range(3):
            order = shop.place(("Acme", "LAMP", 2), ("Nord", "BELL", 1))
            shop.act(order, "refund", (0, 1), reason="r")
            if month:
                body = {"partner_name": "Acme", "amount": "50.00", "currency": "EUR"}
                made(shop.post("payouts", {**body, "reference": f"SEPA {month}"}), 201)
            shop.now += timedelta(days=31)
            shop.close()
        within = [
            entry["entry_id"]
            for statement in shop.close()
            for entry in shop.entries(statement_id=statement["statement_id"])
        ]
        assert len(within) == len(set(within))
        assert sorted(within) == sorted(entry["entry_id"] for entry in shop.entries())

    def test_l5_two_months_that_are_sent_again_add_nothing(self, shop: Shop):
        """All of their requests, with their keys, and the closing of both months."""

        def month(number: int) -> list[Json]:
            order = shop.place(("Acme", "LAMP", 2), **{"Idempotency-Key": f"order {number}"})
            path, body = f"orders/{order['order_id']}/refund", {"reason": "r", "amount": "9.00"}
            back = made(shop.post(path, body, **{"Idempotency-Key": f"refund {number}"}))
            paid = {"partner_name": "Acme", "amount": "5.00", "currency": "EUR", "reference": "S"}
            key = {"Idempotency-Key": f"payout {number}"}
            return [order, back, made(shop.post("payouts", paid, **key), 201)]

        answers = []
        for number in range(2):
            answers += month(number)
            shop.now += timedelta(days=31)
            shop.close()
        before = shop.entries(), shop.close(), shop.available("LAMP")
        assert month(0) + month(1) == answers
        assert (shop.entries(), shop.close(), shop.available("LAMP")) == before

    def test_l6_a_statement_of_zero_exists(self, shop: Shop):
        """A month without sales too, between others."""
        shop.place(("Acme", "LAMP", 1))
        for _ in range(3):
            shop.now += timedelta(days=31)
            shop.close()
        found = shop.close("Acme")
        assert [(s["number"], s["entries"], s["closing"]) for s in found] == [
            (1, "100.00", "100.00"), (2, "0.00", "100.00"), (3, "0.00", "100.00"),
        ]  # fmt: skip
        assert all(s["opening"] == before["closing"] for before, s in itertools.pairwise(found))
        assert [s["closing"] for s in shop.close("Nord")] == ["0.00"] * 3
