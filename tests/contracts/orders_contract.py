"""What the collections of orders, sales and answered requests promise."""

from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from attrs import evolve

from commerce_core.base.errors import Conflict, NotFound
from commerce_core.feeds.summary import Summary
from commerce_core.orders import acts
from commerce_core.orders.acts import Outcome
from commerce_core.orders.asking import (
    AskedUnits,
    CancelAsked,
    ConfirmAsked,
    FulfilAsked,
    RefundAsked,
)
from commerce_core.orders.order import Order, OrderQuery
from commerce_core.orders.states import OrderStatus
from commerce_core.partners.partner import Partner
from commerce_core.ports.store import Store
from commerce_core.pricing.explanation import Adjustment
from tests.contracts import samples
from tests.contracts.samples import DAY, MINUTE, SECOND, T0, line
from tests.contracts.threads import meanwhile, together
from tests.support.waiting import PATIENCE, assert_waits, pause


def kept(store: Store, order: Order) -> Order:
    with store.begin() as unit:
        return unit.orders.get(order.order_id)


def cancelled(order: Order, at: datetime = T0) -> Order:
    return acts.cancel(order, CancelAsked(), at).order


class TestOrders:
    def test_a_partner_finds_orders_by_the_reference_that_it_sees(self, store: Store):
        """Of a shared order that is its own reference, never the operator's."""
        one, _ = samples.settled(store)
        two, _ = samples.settled(store)
        first, second = line(one.partner_id), line(two.partner_id)
        metadata = {f"{one.partner_id}.reference": "P-77"}
        orders = [
            samples.order(first, customer_reference="R"),
            samples.order(first, second, customer_reference="R", metadata=metadata),
            samples.order(first, second, customer_reference="R"),
            samples.order(second, customer_reference="R"),
        ]
        with store.begin() as unit:
            for order in orders:
                unit.orders.add(order)

        def found(reference: str, seen_by: str | None = None) -> list[int]:
            query = OrderQuery(
                partner_id=one.partner_id, customer_reference=reference, seen_by=seen_by
            )
            with store.begin() as unit:
                page = unit.orders.page(query, None, 10)
                assert unit.orders.count(query) == len(page.items)
            return sorted(orders.index(order) for order in page.items)

        assert found("R") == [0, 1, 2]
        assert found("R", one.partner_id) == [0]
        assert found("P-77", one.partner_id) == [1]
        assert found("P-77") == []

    def test_an_order_is_kept_as_it_is(self, store: Store):
        """`get` and `lock` give the very order that was added, its lines in their order."""
        lines = [
            line(sku="Ω 📦", product_name="\"A\", 'b'\n;", quantity=1_000_000),
            line(adjustments=(
                Adjustment("sale", "Partner's sale price", Decimal("-1.00")),
                Adjustment("rule", "Ω", Decimal("0.50")),
            )),
            line(list_price=Decimal("999999999999.99"), unit_price=Decimal("0.01")),
            *(line(sku=f"sku {number}") for number in range(9, 0, -1)),
        ]  # fmt: skip
        order = samples.order(
            *lines,
            customer_reference="ref 'Ω' 📦",
            metadata={"b": "2", "a": "", "Ω": "\n"},
            updated_at=T0 + timedelta(microseconds=1),
            codes=("SPRING", "Ω"),
            customer="c-1",
            customer_group="trade",
            channel="web",
        )
        with store.begin() as unit:
            unit.orders.add(order)
        with store.begin() as unit:
            assert unit.orders.get(order.order_id) == order
            assert unit.orders.lock(order.order_id) == order

    def test_amounts_keep_their_decimals(self, store: Store):
        """An amount is shown with as many decimals as it was kept with."""
        amounts = [Decimal(80), Decimal("80.0"), Decimal("80.000"), Decimal("0.00")]
        order = samples.order(*(line(unit_price=amount, line_total=amount) for amount in amounts))
        order = evolve(order, currency="KWD", total_amount=Decimal("240.000"))
        with store.begin() as unit:
            unit.orders.add(order)
        found = kept(store, order)
        assert str(found.total_amount) == "240.000"
        assert [str(item.unit_price) for item in found.items] == [str(amount) for amount in amounts]

    def test_put_keeps_what_becomes_of_an_order(self, store: Store):
        """States, versions, units, money back, fulfilments and refunds; what is frozen stays."""
        order = samples.order(line(quantity=3), line(), expires_at=T0 + DAY)
        with store.begin() as unit:
            unit.orders.add(order)
        assert kept(store, order) == order

        def put(done: Outcome) -> Order:
            with store.begin() as unit:
                unit.orders.put(done.order, done.fulfilments, done.refunds)
            assert kept(store, order) == done.order
            with store.begin() as unit:
                assert unit.orders.lock(order.order_id) == done.order
                assert unit.orders.page(OrderQuery(), None, 1).items == (done.order,)
            return done.order

        first = AskedUnits(order.items[0].item_id, 2)
        after = put(acts.confirm(order, ConfirmAsked(order.items[0].partner_id), T0 + SECOND))
        after = put(
            acts.fulfil(after, FulfilAsked(None, (first,), None, "DHL"), T0, samples.new_id)
        )
        (sent,) = after.fulfilments
        with store.begin() as unit:
            assert unit.orders.of_fulfilment(sent.fulfilment_id) == order.order_id
        asked = RefundAsked(None, (evolve(first, quantity=1),), None, "Ω", returned=True)
        after = put(acts.refund(after, asked, T0, samples.new_id))
        asked = RefundAsked(None, None, None, "late", Decimal("1.00"))
        after = put(acts.refund(after, asked, T0, samples.new_id))
        with store.begin() as unit:
            for refund in after.refunds:
                assert unit.orders.refund(refund.refund_id) == refund
        after = put(acts.cancel(after, CancelAsked(), T0 + DAY))
        assert (after.status, after.version) == ("fulfilled", 6)

    def test_a_fulfilment_that_is_cancelled_stays_known(self, store: Store):
        order = samples.order(line())
        sent = acts.fulfil(order, FulfilAsked(), T0, samples.new_id)
        again = acts.cancel_fulfilment(sent.order, sent.fulfilments[0].fulfilment_id, T0 + DAY)
        with store.begin() as unit:
            unit.orders.add(order)
            unit.orders.put(sent.order, sent.fulfilments)
            unit.orders.put(again.order, again.fulfilments)
        assert kept(store, order) == again.order
        assert again.order.fulfilments[0].status == "cancelled"

    def test_what_does_not_exist_is_not_found(self, store: Store):
        with store.begin() as unit:
            for find, id_ in (
                (unit.orders.of_fulfilment, samples.new_id("ful")),
                (unit.orders.refund, samples.new_id("rfnd")),
            ):
                with pytest.raises(NotFound):
                    find(id_)

    def test_a_partner_finds_orders_by_the_state_of_its_part(self, store: Store):
        """What happens to another's part doesn't change which orders it finds."""
        one, two = samples.new_id("ptn"), samples.new_id("ptn")
        order = samples.order(line(one), line(two), expires_at=T0 + DAY)
        with store.begin() as unit:
            unit.orders.add(order)

        def found(status: OrderStatus, seen_by: str | None, at: datetime = T0) -> bool:
            query = OrderQuery(seen_by, status, seen_by=seen_by, as_of=at)
            with store.begin() as unit:
                page = unit.orders.page(query, None, 10)
                assert unit.orders.count(query) == len(page.items)
            return bool(page.items)

        assert found("created", one)
        assert found("created", two)
        assert found("created", None, T0 + DAY - SECOND)
        assert found("cancelled", None, T0 + DAY)
        assert found("cancelled", one, T0 + DAY)
        assert not found("created", None, T0 + DAY)
        done = acts.fulfil(order, FulfilAsked(one), T0, samples.new_id)
        with store.begin() as unit:
            unit.orders.put(done.order, done.fulfilments)
        assert found("fulfilled", one)
        assert found("created", two)
        assert found("partially_fulfilled", None)
        assert not found("fulfilled", two)
        assert not found("cancelled", None, T0 + DAY)

    def test_orders_that_have_expired(self, store: Store):
        """First those that expired first; only of these products, if any are named."""
        orders = [
            samples.order(line(), expires_at=T0 + DAY),
            samples.order(line(), line(), expires_at=T0),
            samples.order(line()),
        ]
        with store.begin() as unit:
            for order in orders:
                unit.orders.add(order)
        ids = [order.order_id for order in orders]
        product = orders[0].items[0].product_id
        with store.begin() as unit:
            assert unit.orders.expired(T0 - SECOND, 5) == []
            assert list(unit.orders.expired(T0 + DAY, 5)) == [ids[1], ids[0]]
            assert list(unit.orders.expired(T0 + DAY, 1)) == [ids[1]]
            assert list(unit.orders.expired(T0 + DAY, 5, [product])) == [ids[0]]
            assert list(unit.orders.expired(T0 + DAY, 5, [])) == []
            assert list(unit.orders.expired(T0 + DAY, 5, rule_ids=["rule_" + "0" * 32])) == []

    @pytest.mark.parametrize("exclusive", [False, True])
    def test_the_recent_orders_of_a_reference(self, store: Store, exclusive: bool):
        orders = [
            samples.order(line(), customer_reference="R", created_at=T0 + n * MINUTE)
            for n in range(4)
        ]
        orders[2] = cancelled(orders[2])
        with store.begin() as unit:
            for order in (*orders, samples.order(line(), customer_reference="r")):
                unit.orders.add(order)
        with store.begin() as unit:
            found = unit.orders.recent("R", T0 + MINUTE, 9, exclusive=exclusive)
            assert list(found) == [orders[3], orders[1]]
            assert list(unit.orders.recent("R", T0, 1, exclusive=exclusive)) == [orders[3]]

    def test_who_asks_exclusively_waits(self, store: Store):
        """So of two orders that repeat each other, the second finds the first."""

        def place() -> int:
            with store.begin() as unit:
                known = unit.orders.recent("R", T0, 9, exclusive=True)
                pause()
                unit.orders.add(samples.order(line(), customer_reference="R"))
                return len(known)

        assert sorted(together(place, place)) == [0, 1]

    def test_a_query_keeps_what_fits_every_filter(self, store: Store):
        """Partner (of any line), status, reference and time (from included, to not) have to fit."""
        one, two = samples.new_id("ptn"), samples.new_id("ptn")
        orders = [
            samples.order(line(one), created_at=T0),
            samples.order(line(one), line(two), created_at=T0 + DAY, customer_reference="R"),
            samples.order(line(two), line(two), created_at=T0 + 2 * DAY),
        ]
        with store.begin() as unit:
            for order in orders:
                unit.orders.add(order)
            orders[2] = cancelled(orders[2])
            unit.orders.put(orders[2])

        def fitting(**filters: object) -> list[int]:
            query = OrderQuery(**filters)  # type: ignore[arg-type]
            with store.begin() as unit:
                found = unit.orders.page(query, None, 10).items
                assert unit.orders.count(query) == len(found)
            return [orders.index(order) for order in found]

        assert fitting() == [2, 1, 0]
        assert fitting(partner_id=one) == [1, 0]
        assert fitting(partner_id=two) == [2, 1]
        assert fitting(status="created") == [1, 0]
        assert fitting(customer_reference="R") == [1]
        assert fitting(customer_reference="r") == []
        assert fitting(created_from=T0 + DAY) == [2, 1]
        assert fitting(created_to=T0 + DAY) == [0]
        assert fitting(created_from=T0, created_to=T0 + 2 * DAY, partner_id=two) == [1]

    def test_a_locked_order_waits(self, store: Store):
        """Of two units that cancel an order at once, the second sees what the first has done."""
        order = samples.order(line())
        with store.begin() as unit:
            unit.orders.add(order)

        def cancel() -> str:
            try:
                with store.begin() as unit:
                    locked = unit.orders.lock(order.order_id)
                    pause()
                    unit.orders.put(acts.cancel(locked, CancelAsked(), T0).order)
            except Conflict as refused:
                return refused.code
            return "done"

        assert sorted(together(cancel, cancel)) == ["done", "order_cancelled"]


class TestIdempotency:
    def test_a_new_key_is_ours(self, store: Store):
        """`claim` gives None for a key that nobody has used."""
        with store.begin() as unit:
            assert unit.idempotency.claim("me", "key", "digest", Order) is None

    @pytest.mark.parametrize("kind", ["order", "job", "feed", "partner", "key"])
    def test_the_answer_is_kept(self, store: Store, kind: str):
        """`claim` gives the value kept under the key, equal to what was kept."""
        someone = samples.partner()
        feed = samples.feed(samples.source(someone), partner_name="Ω")
        summary = Summary(1, created=1, problems_by_code={"not_a_url": 1}, notes=("a",))
        job = samples.job(feed).complete(T0, summary, "clean")
        adjustment = Adjustment("sale", "Sale", Decimal("-1.00"))
        order = samples.order(line(adjustments=(adjustment,)), metadata={"a": "b"})
        values: dict[str, Any] = {
            "order": order, "job": job, "feed": feed, "partner": someone,
            "key": samples.key(someone),
        }  # fmt: skip
        with store.begin() as unit:
            unit.idempotency.claim("me", "key", "digest", Order)
            unit.idempotency.keep("me", "key", values[kind])
        with store.begin() as unit:
            found = unit.idempotency.claim("me", "key", "digest", type(values[kind]))
            assert found == values[kind]
            assert type(found) is type(values[kind])

    def test_a_key_belongs_to_one_request(self, store: Store):
        """A key that comes with another digest is a Conflict `idempotency_key_reused`."""
        with store.begin() as unit:
            unit.idempotency.claim("me", "key", "digest", Order)
            unit.idempotency.keep("me", "key", samples.partner())
        with pytest.raises(Conflict) as refused, store.begin() as unit:
            unit.idempotency.claim("me", "key", "other", Order)
        assert refused.value.code == "idempotency_key_reused"

    def test_owners_have_keys_of_their_own(self, store: Store):
        """The same key of another owner is another key."""
        someone = samples.partner()
        with store.begin() as unit:
            unit.idempotency.claim("me", "key", "digest", Order)
            unit.idempotency.keep("me", "key", someone)
        with store.begin() as unit:
            assert unit.idempotency.claim("you", "key", "other", Order) is None
            assert unit.idempotency.claim("me", "key ", "other", Order) is None
            assert unit.idempotency.claim("me", "KEY", "other", Order) is None
            assert unit.idempotency.claim("me", "key", "digest", Partner) == someone

    def test_a_key_whose_request_failed_is_free(self, store: Store):
        """A claim that was rolled back leaves the key to the next, with any digest."""
        with store.begin(dry_run=True) as unit:
            unit.idempotency.claim("me", "key", "digest", Order)
            unit.idempotency.keep("me", "key", samples.partner())
        with store.begin() as unit:
            assert unit.idempotency.claim("me", "key", "other", Order) is None

    def test_a_request_sent_eight_times_has_one_effect(self, store: Store):
        """Of units that claim a key at once, one does the work; the others wait for its answer."""

        def place() -> str:
            with store.begin() as unit:
                answered = unit.idempotency.claim("me", "key", "digest", Order)
                if answered is not None:
                    return answered.order_id
                order = samples.order(line())
                unit.orders.add(order)
                pause()
                unit.idempotency.keep("me", "key", order)
                return order.order_id

        answers = together(*[place] * 8)
        assert len(set(answers)) == 1
        with store.begin() as unit:
            assert unit.orders.count(OrderQuery()) == 1

    def test_the_one_that_waits_for_a_failure_takes_over(self, store: Store):
        """A unit that waits for another's key gets it if that one rolls back."""

        def claim() -> object:
            with store.begin() as unit:
                return unit.idempotency.claim("me", "key", "digest", Order)

        with store.begin(dry_run=True) as unit:
            unit.idempotency.claim("me", "key", "digest", Order)
            unit.idempotency.keep("me", "key", samples.partner())
            waiting = meanwhile(claim)
            assert_waits(waiting)
        assert waiting.result(PATIENCE) is None
