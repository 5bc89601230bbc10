"""What the port of stock promises: how orders deduct units, and until when."""

from collections.abc import Mapping
from decimal import Decimal

from attrs import evolve

from commerce_core.catalog.product import Product
from commerce_core.ports.store import Store
from commerce_core.stock.reservation import StockMove, Taking
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
