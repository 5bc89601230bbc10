"""What the port of stock promises: how orders deduct units, and until when."""

import contextlib
from collections.abc import Mapping, Sequence
from decimal import Decimal

from attrs import evolve

from commerce_core.base.errors import InvalidInput
from commerce_core.catalog.product import Product
from commerce_core.ports.store import Store
from commerce_core.stock.reservation import StockMove, Taking, may_be_there
from tests.contracts import samples
from tests.contracts.samples import DAY, SECOND, T0, record
from tests.contracts.threads import together
from tests.support.waiting import pause


def stocked(store: Store, **quantities: int | None) -> Mapping[str, Product]:
    """Products with these quantities, by sku."""
    _, source = samples.settled(store)
    records = [
        record(line, sku, price=Decimal(1), currency="EUR", quantity=quantity)
        for line, (sku, quantity) in enumerate(quantities.items(), start=2)
    ]
    samples.publish(store, source, *records)
    return samples.catalog(store)


def taking(of: Product, units: int, *, net: bool = False) -> Taking:
    return Taking(of.product_id, samples.new_id("item"), units, net)


def moved(of: Taking, kind: str, units: int | None = None, cause: str = "") -> StockMove:
    return StockMove(
        kind, of.product_id, of.item_id, of.units if units is None else units,  # type: ignore[arg-type]
        of.net_of_orders, cause,
    )  # fmt: skip


def reserved(store: Store) -> Mapping[str, int]:
    return {sku: product.reserved for sku, product in samples.catalog(store).items()}


def take(store: Store, *takings: Taking) -> bool:
    """Takes all or nothing, as an order does: as a whole, if a refusal may be mistaken."""
    with contextlib.suppress(Crowded):
        return _taken(store, takings, whole=False)
    return _taken(store, takings, whole=True)


class Crowded(Exception):
    """A refusal that may be mistaken."""


def _taken(store: Store, takings: Sequence[Taking], *, whole: bool) -> bool:
    with contextlib.suppress(InvalidInput), store.begin() as unit:
        if short := unit.stock.take(takings, T0, whole=whole):
            if may_be_there(takings, short):
                assert not whole
                raise Crowded
            raise InvalidInput("Short.")
        return True
    return False


class TestHotProducts:
    """Products in which many orders meet at one moment, which a store may divide."""

    def test_of_n_units_exactly_n_are_sold(self, store: Store):
        """The clients want one unit each, until they are refused one."""
        a = stocked(store, A=250)["A"]

        def buy() -> int:
            sold = 0
            while take(store, taking(a, 1)):
                sold += 1
            return sold

        assert sum(together(*[buy] * 6)) == 250
        assert reserved(store) == {"A": 250}

    def test_what_can_be_supplied_is_exact_however_it_is_divided(self, store: Store):
        found = stocked(store, A=1_000, B=None)
        a, b = found["A"], found["B"]
        for number in range(1, 151):
            assert take(store, taking(a, 1), taking(b, 2))
            if number % 50 == 0:
                assert reserved(store) == {"A": number, "B": 2 * number}
        assert not take(store, taking(a, 851))
        with store.begin() as unit:
            assert unit.stock.take([taking(a, 851)], T0, whole=True) == {a.product_id: 850}
        assert take(store, taking(a, 850))
        assert reserved(store) == {"A": 1_000, "B": 300}

    def test_a_feed_that_lowers_what_there_is_is_obeyed_at_once(self, store: Store):
        _, source = samples.settled(store)

        def send(quantity: int) -> None:
            line = record(2, "A", price=Decimal(1), currency="EUR", quantity=quantity)
            samples.publish(store, source, line)

        send(1_000)
        a = samples.catalog(store)["A"]
        for _ in range(60):
            assert take(store, taking(a, 1))
        send(63)
        assert [take(store, taking(a, 1)) for _ in range(5)] == [True] * 3 + [False] * 2
        send(40)
        assert not take(store, taking(a, 1))
        assert reserved(store) == {"A": 63}
        send(1_000)
        assert take(store, taking(a, 937))
        assert reserved(store) == {"A": 1_000}

    def test_units_are_released_while_others_are_taken(self, store: Store):
        """Each client takes units and gives every second one back."""
        found = stocked(store, A=400, B=400)

        def buy(products: Sequence[Product]) -> int:
            kept = 0
            for number in range(30):
                lines = [taking(product, 1) for product in products]
                assert take(store, *lines)
                if number % 2:
                    with store.begin() as unit:
                        unit.stock.move([moved(line, "released") for line in lines], T0)
                else:
                    kept += 1
            return kept

        pair = [found["A"], found["B"]]
        kept = sum(together(*[lambda: buy(pair), lambda: buy(pair[::-1])] * 3))
        assert reserved(store) == {"A": kept, "B": kept} == {"A": 90, "B": 90}

    def test_the_last_units_of_several_are_sold_in_any_order_of_lines(self, store: Store):
        """No client waits for another for ever, though all want the whole of what is divided."""
        found = stocked(store, A=200, B=220, C=210)
        products = [found[sku] for sku in "ABC"]

        def buy(first: int) -> int:
            sold = 0
            while take(store, *[taking(products[(first + n) % 3], 1) for n in range(3)]):
                sold += 1
            return sold

        assert sum(together(*[lambda first=n: buy(first) for n in range(6)])) == 200
        assert reserved(store) == {"A": 200, "B": 200, "C": 200}


class TestStock:
    def test_what_can_be_supplied_is_taken_and_the_rest_is_named(self, store: Store):
        """Two lines of one product are one demand; nothing of a product that is short is taken."""
        found = stocked(store, A=3, B=3, C=None, D=1)
        a, b, c = (found[sku] for sku in "ABC")
        unknown = samples.new_id("prod")
        asked = [
            taking(a, 2), taking(a, 2), taking(b, 3), taking(c, 1_000),
            Taking(unknown, samples.new_id("item"), 1), taking(found["D"], 2),
        ]  # fmt: skip
        with store.begin() as unit:
            short = unit.stock.take(asked, T0)
        assert short == {a.product_id: 3, unknown: 0, found["D"].product_id: 1}
        assert reserved(store) == {"A": 0, "B": 3, "C": 1_000, "D": 0}
        with store.begin() as unit:
            assert unit.stock.take([taking(b, 1)], T0) == {b.product_id: 0}
            assert unit.stock.take([], T0) == {}

    def test_released_units_can_be_taken_again(self, store: Store):
        a = stocked(store, A=2)["A"]
        one = taking(a, 2)
        with store.begin() as unit:
            unit.stock.take([one], T0)
            unit.stock.move([moved(one, "released", 1)], T0)
        assert reserved(store) == {"A": 1}
        with store.begin() as unit:
            assert unit.stock.take([taking(a, 1)], T0) == {}
            assert unit.stock.take([taking(a, 1)], T0) == {a.product_id: 0}

    def test_sent_units_deduct_until_a_later_snapshot_has_the_product(self, store: Store):
        """A snapshot of that very moment may not have lost them yet."""
        found = stocked(store, A=5, B=5)
        one, other = taking(found["A"], 2), taking(found["B"], 1)
        partner_id = found["A"].partner_id
        with store.begin() as unit:
            unit.stock.take([one, other], T0)
            unit.stock.move([moved(one, "sent", 2, "f1"), moved(other, "sent", 1, "f1")], T0)
        assert reserved(store) == {"A": 2, "B": 1}
        products = [one.product_id, other.product_id]
        with store.begin() as unit:
            assert list(unit.stock.deducting(partner_id, T0)) == []
            assert sorted(unit.stock.deducting(partner_id, T0 + SECOND)) == sorted(products)
            unit.stock.settle(products, T0)
        assert reserved(store) == {"A": 2, "B": 1}
        with store.begin() as unit:
            unit.stock.settle([one.product_id], T0 + SECOND)
        assert reserved(store) == {"A": 0, "B": 1}
        with store.begin() as unit:
            assert list(unit.stock.deducting(partner_id, T0 + DAY)) == [other.product_id]

    def test_a_cancelled_fulfilment_opens_its_units_whatever_the_partner_has_counted(
        self, store: Store
    ):
        one = taking(stocked(store, A=5)["A"], 3)
        with store.begin() as unit:
            unit.stock.take([one], T0)
            unit.stock.move([moved(one, "sent", 2, "f1")], T0)
            unit.stock.move([moved(one, "sent", 1, "f2")], T0 + DAY)
            unit.stock.settle([one.product_id], T0 + SECOND)
        assert reserved(store) == {"A": 1}
        with store.begin() as unit:
            unit.stock.move([moved(one, "reopened", 2, "f1")], T0 + DAY)
        assert reserved(store) == {"A": 3}
        with store.begin() as unit:
            unit.stock.move([moved(one, "reopened", 1, "f2")], T0 + DAY)
            unit.stock.settle([one.product_id], T0 + 2 * DAY)
        assert reserved(store) == {"A": 3}

    def test_restocked_units_stop_deducting_at_once_and_only_once(self, store: Store):
        """What the partner's figure has lost already comes back with its next one."""
        one = taking(stocked(store, A=5)["A"], 3)
        with store.begin() as unit:
            unit.stock.take([one], T0)
            unit.stock.move([moved(one, "sent", 2, "f1"), moved(one, "sent", 1, "f2")], T0)
            unit.stock.move([moved(one, "restocked", 2)], T0)
        assert reserved(store) == {"A": 1}
        with store.begin() as unit:
            unit.stock.settle([one.product_id], T0 + DAY)
            unit.stock.move([moved(one, "restocked", 1)], T0 + DAY)
        assert reserved(store) == {"A": 0}

    def test_lines_of_sources_net_of_orders_deduct_until_a_later_snapshot(self, store: Store):
        """Sent or not; cancelled ones as long as they did."""
        one = taking(stocked(store, A=5)["A"], 3, net=True)
        with store.begin() as unit:
            unit.stock.take([one], T0)
            unit.stock.move([moved(one, "sent", 1, "f1")], T0)
            unit.stock.move([moved(one, "released", 1)], T0)
        assert reserved(store) == {"A": 2}
        with store.begin() as unit:
            unit.stock.settle([one.product_id], T0 + SECOND)
        assert reserved(store) == {"A": 0}
        with store.begin() as unit:
            unit.stock.move([moved(one, "released", 1)], T0 + DAY)
            unit.stock.move([moved(one, "reopened", 1, "f1")], T0 + DAY)
        assert reserved(store) == {"A": 0}

    def test_what_is_taken_back_never_was(self, store: Store):
        found = stocked(store, A=5)["A"]
        one = taking(found, 3, net=True)
        with store.begin(dry_run=True) as unit:
            unit.stock.take([one], T0)
        assert reserved(store) == {"A": 0}
        with store.begin() as unit:
            assert list(unit.stock.deducting(found.partner_id, T0 + DAY)) == []

    def test_of_many_that_want_the_last_unit_one_gets_it(self, store: Store):
        a = stocked(store, A=1)["A"]

        def buy() -> bool:
            with store.begin() as unit:
                short = unit.stock.take([taking(a, 1)], T0)
                pause()
                return not short

        assert sorted(together(*[buy] * 8)) == [False] * 7 + [True]
        assert reserved(store) == {"A": 1}

    def test_takers_in_any_order_do_not_wait_for_each_other_for_ever(self, store: Store):
        found = stocked(store, A=50, B=50)
        pair = [found["A"], found["B"]]

        def buy(products: list[Product]) -> None:
            for _ in range(5):
                with store.begin() as unit:
                    assert not unit.stock.take([taking(p, 1) for p in products], T0)

        together(*[lambda: buy(pair), lambda: buy(pair[::-1])] * 2)
        assert reserved(store) == {"A": 20, "B": 20}
        assert evolve(pair[0], reserved=20).available == 30
