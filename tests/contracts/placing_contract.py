"""What placing orders promises over time: expiry, likely duplicates, sources net of orders.

Through the use cases, with a clock of the test's own, so that moments can be exact.
"""

import io
import itertools
from contextlib import nullcontext
from datetime import datetime, timedelta

import pytest
from attrs import evolve

from adapters.memory import MemoryFiles
from commerce_core.base.errors import Conflict, InvalidInput
from commerce_core.commerce import Commerce
from commerce_core.orders.order import DUPLICATES_WITHIN, OrderQuery, OrderTerms
from commerce_core.partners.access import GRANTABLE_SCOPES, Principal
from commerce_core.ports.store import Store
from commerce_core.pricing.basket_terms import BasketTerms
from commerce_core.usecases.context import Context
from entrypoints.leases import budget_keeper
from tests.contracts.samples import MINUTE, SECOND, T0
from tests.contracts.threads import together
from tests.support.books import check_books

TICK = timedelta(microseconds=1)
HALF_AN_HOUR = 30 * MINUTE


class Shop:
    """A shop of one partner with one product, `LAMP`, and a clock that a test moves."""

    def __init__(self, store: Store, terms: OrderTerms, *, net: bool = False) -> None:
        self.now = T0
        numbers = itertools.count(1)
        context = Context(
            store, MemoryFiles(), lambda: self.now, lambda size: next(numbers).to_bytes(size),
            budget_keeper(clock=lambda: self.now), lambda _: nullcontext(io.BytesIO()),
            orders=terms,
        )  # fmt: skip
        self.commerce = Commerce(context)
        self.partner = self.commerce.partners.add("Lumen", currency="EUR")
        if net:
            self.commerce.sources.change("main", partner="Lumen", net_of_orders=True)

    def as_partner(self) -> Commerce:
        principal = Principal("Lumen", self.partner.partner_id, frozenset(GRANTABLE_SCOPES))
        return Commerce(evolve(self.commerce.context, principal=principal))

    def send(self, quantity: int, snapshot_at: datetime | None = None) -> None:
        text = f"sku,product_name,price,quantity\nLAMP,Lamp,10.00,{quantity}\n"
        job = self.commerce.feeds.load(
            io.BytesIO(text.encode()), partner="Lumen", mode="full", snapshot_at=snapshot_at
        )
        assert job.status == "completed", job

    @property
    def lamp(self) -> str:
        return self.commerce.products.get(partner="Lumen", sku="LAMP").product_id

    def stock(self) -> tuple[int | None, int, int | None]:
        """What the partner sent, what orders deduct, and what can be sold."""
        lamp = self.commerce.products.get(self.lamp)
        return lamp.quantity, lamp.reserved, lamp.available

    def order(self, units: int = 1, reference: str | None = None, key: str | None = None) -> str:
        placed = self.commerce.orders.place([(self.lamp, units)], reference=reference, key=key)
        return placed.order_id

    def status(self, order_id: str) -> str:
        return self.commerce.orders.get(order_id).status


def shop(store: Store, terms: OrderTerms, quantity: int = 5, *, net: bool = False) -> Shop:
    made = Shop(store, terms, net=net)
    made.send(quantity)
    return made


class TestPlacing:
    def test_an_unconfirmed_order_is_cancelled_from_the_moment_at_which_it_expires(
        self, store: Store
    ):
        """Exactly, whether or not that was written yet; writing it changes nothing that is seen."""
        here = shop(store, OrderTerms(expire_after=HALF_AN_HOUR))
        order_id = here.order(2)
        here.now = T0 + HALF_AN_HOUR - TICK
        assert here.status(order_id) == "created"
        assert here.commerce.orders.expire_due() == 0
        here.now += TICK
        unwritten = here.commerce.orders.get(order_id)
        assert (unwritten.status, unwritten.cancelled_amount) == (
            "cancelled",
            unwritten.total_amount,
        )
        cancelled = OrderQuery(status="cancelled")
        assert [o.order_id for o in here.commerce.orders.list(cancelled)] == [order_id]
        assert here.commerce.orders.expire_due() == 1
        assert here.commerce.orders.expire_due() == 0
        assert here.commerce.orders.get(order_id) == unwritten
        assert here.stock() == (5, 0, 5)
        entries = list(here.commerce.analytics.entries())
        assert [(e.kind, e.at, e.reason) for e in entries if e.kind == "cancelled"] == [
            ("cancelled", T0 + HALF_AN_HOUR, "expired")
        ]
        check_books(here.commerce)

    def test_an_expiry_counts_when_it_is_written(self, store: Store):
        """The order shows when it expired; what was reported of that time doesn't change."""
        here = shop(store, OrderTerms(expire_after=HALF_AN_HOUR))
        order_id = here.order(2)
        here.now = until = T0 + 3 * HALF_AN_HOUR
        before = here.commerce.analytics.summary(until=until)
        assert here.commerce.orders.expire_due() == 1
        assert here.commerce.orders.get(order_id).updated_at == T0 + HALF_AN_HOUR
        entries = list(here.commerce.analytics.entries())
        assert {(e.at, e.reason) for e in entries if e.kind == "cancelled"} == {(until, "expired")}
        after = here.commerce.analytics.summary(until=until)
        assert before.results
        assert after.results == before.results
        check_books(here.commerce)

    def test_an_order_that_is_confirmed_in_time_does_not_expire(self, store: Store):
        here = shop(store, OrderTerms(expire_after=HALF_AN_HOUR))
        order_id, late = here.order(), here.order()
        here.now = T0 + HALF_AN_HOUR - TICK
        here.commerce.orders.confirm(order_id)
        here.now += TICK
        with pytest.raises(Conflict) as refused:
            here.commerce.orders.confirm(late)
        assert refused.value.code == "order_cancelled"
        assert here.commerce.orders.expire_due() == 1
        assert (here.status(order_id), here.status(late)) == ("confirmed", "cancelled")
        check_books(here.commerce)

    def test_an_order_gets_the_units_of_those_that_have_expired(self, store: Store):
        """Whether or not their expiry was written; before it, it is refused."""
        here = shop(store, OrderTerms(expire_after=HALF_AN_HOUR))
        first = here.order(4)
        here.now = T0 + HALF_AN_HOUR - TICK
        with pytest.raises(InvalidInput) as refused:
            here.order(5)
        assert [fault.code for fault in refused.value.faults] == ["insufficient_stock"]
        here.now += TICK
        second = here.order(5)
        assert (here.status(first), here.status(second)) == ("cancelled", "created")
        assert here.stock() == (5, 5, 0)
        check_books(here.commerce)

    @pytest.mark.parametrize("condition", [{"code": "ONCE"}, {"sku": "LAMP"}])
    @pytest.mark.parametrize("asks_first", [True, False])
    def test_an_order_gets_the_limits_of_those_that_have_expired(
        self, store: Store, condition: dict[str, str], asks_first: bool
    ):
        """Whether or not their expiry was written, with a code or without; quotes too."""
        here = shop(store, OrderTerms(expire_after=HALF_AN_HOUR))
        rule = {"name": "Once", "condition": condition, "benefit": {"percent": "50"}}
        rule_id = here.commerce.pricing.add({**rule, "limits": {"most_uses": 1}}).rule_id
        terms, items = BasketTerms(("ONCE",) if "code" in condition else ()), [(here.lamp, 1)]
        first = here.commerce.orders.place(items, terms=terms)
        here.now = T0 + HALF_AN_HOUR - TICK
        if "code" in condition:
            with pytest.raises(InvalidInput) as refused:
                here.commerce.pricing.quote(items, terms=terms)
            assert [fault.code for fault in refused.value.faults] == ["used_up_code"]
        else:
            whole = here.commerce.pricing.quote(items, terms=terms).total_amount
            assert whole == 2 * first.total_amount
        here.now += TICK
        if asks_first:
            quoted = here.commerce.pricing.quote(items, terms=terms)
            assert quoted.total_amount == first.total_amount
        second = here.commerce.orders.place(items, terms=terms)
        assert second.total_amount == first.total_amount
        with store.begin() as unit:
            assert unit.rules.usage([rule_id], None, "EUR")[rule_id].uses == 1
        assert here.status(first.order_id) == "cancelled"
        check_books(here.commerce)

    def test_orders_do_not_expire_by_default(self, store: Store):
        here = shop(store, OrderTerms())
        order_id = here.order()
        here.now += timedelta(days=3_650)
        assert here.commerce.orders.expire_due() == 0
        assert here.status(order_id) == "created"

    def test_a_likely_duplicate_is_refused_within_its_time_and_then_no_more(self, store: Store):
        """Nothing is left of one that is refused: neither an order nor units nor entries."""
        here = shop(store, OrderTerms(refuse_duplicates=True))
        first = here.order(1, "web-1")
        here.now += DUPLICATES_WITHIN - TICK
        with pytest.raises(Conflict) as refused:
            here.order(1, "web-1")
        assert (refused.value.code, refused.value.shown) == (
            "likely_duplicate",
            {"order_id": first},
        )
        assert here.stock() == (5, 1, 4)
        assert len(list(here.commerce.analytics.entries())) == 1
        here.now += SECOND
        assert here.order(1, "web-1") != first
        check_books(here.commerce)

    def test_other_units_another_reference_or_a_key_make_no_duplicate(self, store: Store):
        here = shop(store, OrderTerms(refuse_duplicates=True), 9)
        made = {
            here.order(1, "web-1"), here.order(2, "web-1"), here.order(1, "web-2"),
            here.order(1), here.order(1), here.order(1, "web-1", key="meant"),
        }  # fmt: skip
        assert len(made) == 6
        assert here.order(1, "web-1", key="meant") in made
        assert here.stock() == (9, 7, 2)

    def test_a_likely_duplicate_is_placed_with_a_warning_by_default(self, store: Store):
        here = shop(store, OrderTerms())
        first, second = here.order(1, "web-1"), here.order(1, "web-1")
        warnings = here.commerce.orders.get(second).warnings
        assert [(w.code, w.order_id) for w in warnings] == [("likely_duplicate", first)]
        assert here.commerce.orders.get(first).warnings == ()

    def test_of_eight_likely_duplicates_at_once_one_is_placed(self, store: Store):
        here = shop(store, OrderTerms(refuse_duplicates=True))

        def attempt() -> str:
            try:
                return here.order(1, "web-1")
            except Conflict as refused:
                return refused.code

        answers = together(*[attempt] * 8)
        assert sorted(answers).count("likely_duplicate") == 7
        assert here.stock() == (5, 1, 4)
        check_books(here.commerce)

    def test_a_source_net_of_orders_deducts_what_is_ordered_until_its_next_snapshot(
        self, store: Store
    ):
        """From then on its quantity leaves the order out already, open or sent."""
        here = shop(store, OrderTerms(), net=True)
        order_id = here.order(2)
        assert here.stock() == (5, 2, 3)
        here.now += MINUTE
        here.send(3, snapshot_at=T0 - MINUTE)  # Older than the first: superseded.
        assert here.stock() == (5, 2, 3)
        here.send(3)
        assert here.stock() == (3, 0, 3)
        here.now += MINUTE
        here.commerce.orders.fulfil(order_id)
        assert here.stock() == (3, 0, 3)
        check_books(here.commerce)

    def test_units_that_a_net_source_has_counted_come_back_with_its_own_quantity(
        self, store: Store
    ):
        """Cancelled before the partner has counted them, they are back at once; after, by it."""
        here = shop(store, OrderTerms(), net=True)
        early, late = here.order(1), here.order(2)
        here.commerce.orders.cancel(early)
        assert here.stock() == (5, 2, 3)
        here.now += MINUTE
        here.send(3)
        here.commerce.orders.cancel(late)
        assert here.stock() == (3, 0, 3)
        here.now += MINUTE
        here.send(5)
        assert here.stock() == (5, 0, 5)
        check_books(here.commerce)

    def test_the_same_quantity_sent_again_counts_what_a_net_source_has_lost(self, store: Store):
        """The bytes are those of the day before, but their snapshot is later than the order."""
        here = shop(store, OrderTerms(), net=True)
        here.order(2)
        here.now += MINUTE
        here.send(5)
        assert here.stock() == (5, 0, 5)
        check_books(here.commerce)

    def test_a_partner_sees_an_expired_part_as_cancelled(self, store: Store):
        here = shop(store, OrderTerms(expire_after=HALF_AN_HOUR))
        order_id = here.order()
        here.now += HALF_AN_HOUR
        seen = here.as_partner().orders.get(order_id)
        assert (seen.status, [item.open for item in seen.items]) == ("cancelled", [0])
