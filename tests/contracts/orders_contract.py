"""What the collections of orders, sales and answered requests promise."""

from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from attrs import evolve

from commerce_core.base.errors import Conflict
from commerce_core.feeds.summary import Summary
from commerce_core.orders.order import Order, OrderQuery
from commerce_core.partners.partner import Partner
from commerce_core.ports.store import Store
from commerce_core.pricing.explanation import Adjustment
from tests.contracts import samples
from tests.contracts.samples import DAY, T0, line
from tests.contracts.threads import meanwhile, together
from tests.support.waiting import PATIENCE, assert_waits, pause


def kept(store: Store, order: Order) -> Order:
    with store.begin() as unit:
        return unit.orders.get(order.order_id)


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

    def test_put_replaces_status_refund_and_time(self, store: Store):
        """`put` changes what becomes of an order; its lines stay."""
        order = samples.order(line(), line())
        changed = evolve(
            order, status="refunded", refunded_amount=Decimal("18.00"), updated_at=T0 + DAY
        )
        with store.begin() as unit:
            unit.orders.add(order)
            unit.orders.put(changed)
        assert kept(store, order) == changed

    def test_a_query_keeps_what_fits_every_filter(self, store: Store):
        """Partner (of any line), status, reference and time (from included, to not) have to fit."""
        one, two = samples.new_id("ptn"), samples.new_id("ptn")
        orders = [
            samples.order(line(one), created_at=T0),
            samples.order(line(one), line(two), created_at=T0 + DAY, customer_reference="R"),
            samples.order(line(two), line(two), created_at=T0 + 2 * DAY, status="cancelled"),
        ]
        with store.begin() as unit:
            for order in orders:
                unit.orders.add(order)

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
                    unit.orders.put(locked.cancel(T0))
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
