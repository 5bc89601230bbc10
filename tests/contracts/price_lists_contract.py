"""What the collection of price lists promises."""

from datetime import datetime
from decimal import Decimal

import pytest
from attrs import evolve

from commerce_core.base.errors import Conflict, NotFound
from commerce_core.ports.price_lists import Repeated
from commerce_core.ports.store import Store
from commerce_core.pricing.price_list import (
    ListDifference,
    ListEntry,
    ListQuery,
    ListVersion,
    PackedEntries,
    PriceList,
)
from tests.contracts import samples
from tests.contracts.samples import DAY, T0


def price_list(name: str = "Trade", currency: str = "EUR") -> PriceList:
    return PriceList(
        list_id=samples.new_id("list"), name=name, currency=currency, created_at=T0, updated_at=T0
    )


def entries(*written: str) -> PackedEntries:
    """Entries such as `A 10 8.50`, on lines from 2 on."""
    made: list[ListEntry] = []
    for line, text in enumerate(written, 2):
        sku, minimum, price = text.split(" ")
        made.append(ListEntry(sku, int(minimum), Decimal(price), line))
    return PackedEntries.of(made)


def taken(store: Store, of: PriceList, *written: str) -> ListVersion:
    """The next version of a list, a day after the one before."""
    with store.begin() as unit:
        before = unit.price_lists.lock(of.list_id)
        assert unit.price_lists.stage(entries(*written), 10) == []
        version = ListVersion(
            list_id=of.list_id, version=before.version + 1, actor="operator",
            published_at=T0 + (before.version + 1) * DAY,
            difference=unit.price_lists.compare(of.list_id), sha256="0" * 64,
        )  # fmt: skip
        unit.price_lists.apply(version)
        return version


class TestPriceLists:
    def test_a_list_is_kept_as_it_is(self, store: Store):
        made, other = price_list("Trade"), price_list("Händler 'A'", "JPY")
        with store.begin() as unit:
            unit.price_lists.add(made)
            unit.price_lists.add(other)
            with pytest.raises(Conflict) as taken_name:
                unit.price_lists.add(price_list("Trade"))
        assert taken_name.value.code == "list_name_taken"
        with store.begin() as unit:
            assert unit.price_lists.get(other.list_id) == other
            assert unit.price_lists.find("Trade") == made
            assert unit.price_lists.find("trade") is None
            assert unit.price_lists.count(ListQuery()) == 2
            page = unit.price_lists.page(ListQuery(), None, 1)
            assert page.items == (made,)
            assert unit.price_lists.page(ListQuery(), page.after, 5).items == (other,)
            with pytest.raises(NotFound):
                unit.price_lists.get(samples.new_id("list"))
            with pytest.raises(NotFound):
                unit.price_lists.lock(samples.new_id("list"))
            with pytest.raises(NotFound):
                unit.price_lists.versions(samples.new_id("list"))

    def test_each_content_is_compared_and_kept(self, store: Store):
        made = price_list()
        with store.begin() as unit:
            unit.price_lists.add(made)
        first = taken(store, made, "A 1 9.00", "A 10 8.50", "B 1 3.00", "C 1 1.00")
        second = taken(store, made, "A 1 9.0", "A 10 8.00", "C 5 1.00", "D 1 2.00", "B 1 3.00")
        assert first.difference == ListDifference(4, 4, 0, 0, 0)
        assert second.difference == ListDifference(5, 2, 1, 1, 2)
        with store.begin() as unit:
            assert list(unit.price_lists.versions(made.list_id)) == [second, first]
            after = evolve(made, version=2, entries=5, updated_at=T0 + 2 * DAY)
            assert unit.price_lists.get(made.list_id) == after

    def test_prices_are_those_of_skus_in_a_currency_at_a_moment(self, store: Store):
        made, yen = price_list(), price_list("Yen", "JPY")
        with store.begin() as unit:
            unit.price_lists.add(made)
            unit.price_lists.add(yen)
        taken(store, made, "A 10 8.50", "A 1 9.00", "B 1 3.00", "x\\y 1 7.00")
        taken(store, made, "A 1 9.00", "B 1 2.00")
        taken(store, yen, "A 1 900")
        both = [made.list_id, yen.list_id, samples.new_id("list")]
        nine, eight = (1, Decimal("9.00")), (10, Decimal("8.50"))
        with store.begin() as unit:
            prices = unit.price_lists.prices
            assert prices(both, ["A", "C"], "EUR") == {made.list_id: {"A": (nine,)}}
            assert prices(both, ["A"], "JPY") == {yen.list_id: {"A": ((1, Decimal(900)),)}}
            then = prices([made.list_id], ["A", "x\\y"], "EUR", T0 + 1.5 * DAY)
            assert then == {made.list_id: {"A": (nine, eight), "x\\y": ((1, Decimal("7.00")),)}}
            assert not any(prices([made.list_id], ["A"], "EUR", T0).values())
            assert prices([], ["A"], "EUR") == {}

    def test_repeated_entries_are_reported_by_line(self, store: Store):
        with store.begin() as unit:
            lines = entries("A 1 9.00", "B 1 1.00", "A 1 8.00", "A 2 9.00", "B 1 1.00")
            assert list(unit.price_lists.stage(lines, 10)) == [
                Repeated(4, "A", 1, 2), Repeated(6, "B", 1, 3),
            ]  # fmt: skip
            lines = entries("A 1 9.00", "A 1 8.00", "A 1 7.00")
            assert list(unit.price_lists.stage(lines, 1)) == [Repeated(3, "A", 1, 2)]

    def test_a_version_is_staged_again(self, store: Store):
        made = price_list()
        with store.begin() as unit:
            unit.price_lists.add(made)
        taken(store, made, "A 1 9.00", "B 1 3.00")
        taken(store, made, "A 1 8.00")
        with store.begin() as unit:
            unit.price_lists.stage_version(made.list_id, 1)
            assert unit.price_lists.compare(made.list_id) == ListDifference(2, 1, 1, 0, 0)
            unit.price_lists.stage_version(made.list_id, 0)
            assert unit.price_lists.compare(made.list_id) == ListDifference(0, 0, 0, 1, 0)
            with pytest.raises(NotFound):
                unit.price_lists.stage_version(made.list_id, 3)

    def test_spells_are_the_prices_of_one_unit(self, store: Store):
        """Each with its beginning and its end, and none that ended before."""
        made, yen = price_list(), price_list("Yen", "JPY")
        with store.begin() as unit:
            unit.price_lists.add(made)
            unit.price_lists.add(yen)
        taken(store, made, "A 1 9.00", "A 10 8.50", "B 1 3.00", "C 5 1.00")
        taken(store, made, "A 1 8.00", "B 1 3.00")
        taken(store, made, "B 1 3.00")
        taken(store, yen, "A 1 900")
        with store.begin() as unit:
            spells = unit.price_lists.spells

            def found(since: float, *skus: str) -> set[tuple[str, str, str, datetime]]:
                every = spells([made.list_id, yen.list_id], skus, T0 + since * DAY)
                asked = T0 + since * DAY
                assert all(s.until is None or s.until > asked for s in every)
                return {(s.currency, s.sku, str(s.price), max(s.since, asked)) for s in every}

            first, second = T0 + DAY, T0 + 2 * DAY
            yens = ("JPY", "A", "900", first)
            assert found(0, "A", "C") == {
                ("EUR", "A", "9.00", first), ("EUR", "A", "8.00", second), yens,
            }  # fmt: skip
            now = T0 + 2.5 * DAY
            assert found(2.5, "A") == {("EUR", "A", "8.00", now), ("JPY", "A", "900", now)}
            assert found(3, "A", "B") == {
                ("EUR", "B", "3.00", T0 + 3 * DAY), ("JPY", "A", "900", T0 + 3 * DAY),
            }  # fmt: skip
            assert spells([], ["A"], T0) == spells([made.list_id], [], T0) == []
            ended = {s.until for s in spells([made.list_id], ["A"], T0)}
            assert ended == {T0 + 2 * DAY, T0 + 3 * DAY}
