"""What the collection of the ledger's entries promises."""

from datetime import timedelta
from decimal import Decimal

from attrs import evolve

from commerce_core.analytics.ledger import ENTRY_KINDS, SIGNS, EntryQuery, SalesEntry
from commerce_core.analytics.questions import SalesQuestion
from commerce_core.ports.store import Store
from tests.contracts import samples
from tests.contracts.samples import DAY, T0, line


def kept(store: Store, *entries: SalesEntry) -> None:
    with store.begin() as unit:
        unit.sales.add(entries)


class TestEntries:
    def test_an_entry_is_kept_as_it_is(self, store: Store):
        """Of every kind, with and without an order, with all that it refers to."""
        item = line(sku="Ω 📦")
        order = samples.order(item)
        whole = samples.entry(
            order, item, T0 + timedelta(microseconds=1), partner_amount=Decimal("16.20"),
            platform_discount=Decimal("0.50"), part_id=samples.new_id("part"),
            refund_id=samples.new_id("rfnd"), reverses=samples.new_id("ent"), reason="late 'Ω'",
        )  # fmt: skip
        bare = evolve(
            whole, order_id=None, item_id=None, product_id=None, sku=None, quantity=0,
            gross=Decimal(0), discount=Decimal(0), amount=Decimal("0.00"),
            partner_amount=Decimal("-2.00"), part_id=None, refund_id=None, reverses=None,
        )  # fmt: skip
        made = [
            evolve(entry, kind=kind, entry_id=samples.new_id("ent"))
            for kind in ENTRY_KINDS
            for entry in (whole, bare)
        ]
        kept(store, *made)
        with store.begin() as unit:
            page = unit.sales.page(EntryQuery(partner_id=item.partner_id), None, 50)
            assert sorted(page.items, key=str) == sorted(made, key=str)
            assert [str(entry.partner_amount) for entry in page.items[:2]] == ["-2.00", "16.20"]

    def test_what_reverses_an_entry_is_found(self, store: Store):
        """Oldest first, of any kind."""
        item = line()
        order = samples.order(item)
        placed, other = samples.entry(order, item, T0), samples.entry(order, item, T0)
        made = [
            evolve(placed, entry_id=samples.new_id("ent"), kind=kind, reverses=placed.entry_id)
            for kind in ("cancelled", "correction")
        ]
        kept(store, placed, other, *made[::-1])
        with store.begin() as unit:
            assert list(unit.sales.reversing(placed)) == made
            assert not unit.sales.reversing(other)

    def test_a_query_keeps_what_fits_every_filter(self, store: Store):
        """Partner, kind, currency, order and time (from included, to not); newest first."""
        one, two = line(), line()
        first, second = samples.order(one), samples.order(two)
        made = [
            samples.entry(first, one, T0),
            samples.entry(first, one, T0 + DAY, kind="cancelled"),
            samples.entry(second, two, T0 + 2 * DAY, currency="USD"),
        ]
        kept(store, *made)

        def fitting(**filters: object) -> list[int]:
            query = EntryQuery(**filters)  # type: ignore[arg-type]
            with store.begin() as unit:
                found = unit.sales.page(query, None, 10).items
                assert unit.sales.count(query) == len(found)
            return [made.index(entry) for entry in found]

        assert fitting() == [2, 1, 0]
        assert fitting(partner_id=one.partner_id) == [1, 0]
        assert fitting(kind="placed") == [2, 0]
        assert fitting(currency="USD") == [2]
        assert fitting(order_id=second.order_id) == [2]
        assert fitting(order_id="ord_" + "0" * 32) == []
        assert fitting(since=T0 + DAY) == [2, 1]
        assert fitting(until=T0 + DAY, partner_id=one.partner_id) == [0]

    def test_entries_are_listed_page_by_page(self, store: Store):
        """Each entry is on one page."""
        item = line()
        order = samples.order(item)
        kept(store, *(samples.entry(order, item) for _ in range(5)))
        found: list[SalesEntry] = []
        with store.begin() as unit:
            page = unit.sales.page(EntryQuery(), None, 2)
            found += page.items
            while page.after is not None:
                page = unit.sales.page(EntryQuery(), page.after, 2)
                found += page.items
        assert [entry.entry_id for entry in found] == sorted(
            {entry.entry_id for entry in found}, reverse=True
        )
        assert len(found) == 5

    def test_the_entries_of_an_order_come_oldest_first(self, store: Store):
        """`of_order` gives all of one order, in the order of their ids."""
        item = line()
        order, other = samples.order(item), samples.order(item)
        made = [samples.entry(order, item) for _ in range(3)]
        kept(store, *reversed(made), samples.entry(other, item))
        with store.begin() as unit:
            assert list(unit.sales.of_order(order.order_id)) == made
            assert list(unit.sales.of_order("ord_" + "0" * 32)) == []

    def test_what_is_owed_is_no_sale(self, store: Store):
        """Fees, payouts and corrections are in no report of sales; what went back is taken off."""
        item = line()
        order = samples.order(item)
        made = [
            samples.entry(order, item, kind=kind, entry_id=samples.new_id("ent"))
            for kind in ENTRY_KINDS
        ]
        kept(store, *made)
        question = SalesQuestion(T0, T0 + DAY, partner_id=item.partner_id)
        with store.begin() as unit:
            (total,) = unit.sales.totals(question)
            of_sales = [
                e for e in made if e.kind in ("placed", "cancelled", "refunded", "goodwill")
            ]
            assert total.net == sum(SIGNS[entry.kind] * entry.amount for entry in of_sales)
