"""What the ledger of sales promises: figures that are those of the reference, rolled up or not."""

import itertools
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from attrs import evolve
from hypothesis import given, settings
from hypothesis import strategies as st

from commerce_core.analytics import figures
from commerce_core.analytics.ledger import SalesEntry
from commerce_core.analytics.questions import Dimension, Measure, Ranking, SalesQuestion
from commerce_core.analytics.rollup import MOST_ROLLED
from commerce_core.base.calendar import Grain, show_period
from commerce_core.base.errors import InvalidInput
from commerce_core.ports.store import Store
from commerce_core.pricing.explanation import Adjustment
from tests.contracts import samples
from tests.contracts.samples import DAY, ONE_STORE_AND_ANOTHER, SECOND, T0, line
from tests.support import strategies

YEAR_2025 = SalesQuestion(min(strategies.STEPS) - DAY, max(strategies.STEPS) + DAY)
NUMBERS = itertools.count(1)
RANKINGS = st.builds(
    Ranking, st.just("product"), st.sampled_from(["net", "gross", "units"]), st.integers(1, 4)
)


def renumbered(history: Sequence[SalesEntry], first: int) -> list[SalesEntry]:
    """The same entries as orders of their own, with ids from that number on."""

    def moved(id_: str | None) -> str:
        kind, _, body = str(id_).partition("_")
        return f"{kind}_{int(body[:16], 16) + first:016x}{body[16:]}"

    return [
        evolve(
            entry,
            entry_id=moved(entry.entry_id),
            item_id=moved(entry.item_id),
            order_id=f"ord_{int(str(entry.order_id)[4:], 16) + first:032x}",
        )
        for entry in history
    ]


def roll_up(store: Store, most: int = MOST_ROLLED) -> int:
    with store.begin() as unit:
        return unit.sales.roll_up(most)


def assert_same(
    store: Store, entries: Sequence[SalesEntry], question: SalesQuestion, ranking: Ranking
) -> None:
    """Every answer of the store is that of the reference."""
    with store.begin() as unit:
        assert list(unit.sales.totals(question)) == figures.fold(entries, question)
        ranks = figures.fold_ranks(entries, question, ranking, lambda product_id: product_id)
        assert list(unit.sales.ranks(question, ranking)) == ranks
        assert list(unit.sales.reasons(question)) == figures.fold_reasons(entries, question)


class Entries(list[SalesEntry]):
    """All entries of a test so far, over all its examples; too many to be shown."""

    def __repr__(self) -> str:
        return f"{len(self)} entries"


class TestSales:
    @pytest.fixture
    def entries(self) -> Entries:
        return Entries()

    @settings(suppress_health_check=ONE_STORE_AND_ANOTHER)
    @given(strategies.sales_histories(), strategies.sales_questions(), RANKINGS)
    def test_figures_are_those_of_the_reference(
        self,
        store: Store,
        history: Sequence[SalesEntry],
        question: SalesQuestion,
        ranking: Ranking,
    ):
        """Every answer is exactly what `figures` folds: same rows, same order, same figures."""
        with store.begin(dry_run=True) as unit:
            unit.sales.add(history)
            assert list(unit.sales.totals(question)) == figures.fold(history, question)
            ranks = figures.fold_ranks(history, question, ranking, lambda product_id: product_id)
            assert list(unit.sales.ranks(question, ranking)) == ranks
            assert list(unit.sales.reasons(question)) == figures.fold_reasons(history, question)

    @settings(suppress_health_check=ONE_STORE_AND_ANOTHER, max_examples=30)
    @given(
        strategies.sales_histories(),
        st.lists(st.sampled_from([0, 1, 3, MOST_ROLLED]), min_size=3, max_size=3),
        strategies.sales_questions(),
        RANKINGS,
    )
    def test_figures_are_the_same_whatever_is_rolled_up(
        self,
        store: Store,
        entries: Entries,
        history: Sequence[SalesEntry],
        rolls: Sequence[int],
        question: SalesQuestion,
        ranking: Ranking,
    ):
        """However entries are divided between rollups and what is above them, and so after it."""
        new = renumbered(history, next(NUMBERS) * 10)
        placed = [entry for entry in new if entry.kind == "placed"]
        later = [entry for entry in new if entry.kind != "placed"]
        parts = (placed + later[::2], later[1::2], [])
        for part, most in zip(parts, rolls, strict=True):
            with store.begin() as unit:
                unit.sales.add(part)
            entries += part
            if most:
                roll_up(store, most)
            assert_same(store, entries, question, ranking)

    @pytest.mark.parametrize("grain", ["hour", "day", "week", "month"])
    def test_periods_where_the_clocks_change(self, store: Store, grain: Grain):
        """Every ten minutes about each change counts in the period that the reference says."""
        item = line()
        order = samples.order(item)
        history = [
            samples.entry(order, item, step + timedelta(minutes=minutes), order_id=new_order_id())
            for step in strategies.STEPS
            for minutes in range(-90, 100, 10)
        ]
        with store.begin() as unit:
            unit.sales.add(history)
        roll_up(store)
        for zone in strategies.ZONES:
            question = evolve(YEAR_2025, zone=zone, grain=grain)
            with store.begin() as unit:
                assert list(unit.sales.totals(question)) == figures.fold(history, question), zone

    def test_without_entries_there_are_no_figures(self, store: Store):
        """Nothing sold is an empty report, and no first moment."""
        question = SalesQuestion(T0, T0 + DAY)
        roll_up(store)
        with store.begin() as unit:
            unit.sales.add([])
            assert_nothing = [
                unit.sales.totals(question),
                unit.sales.ranks(question, Ranking()),
                unit.sales.reasons(question),
                unit.sales.rules(question),
            ]
            assert [list(answer) for answer in assert_nothing] == [[]] * 4
            assert unit.sales.first_at() is None

    def test_entries_add_up_over_units(self, store: Store):
        """Entries of earlier units count as those of this one."""
        item = line()
        order = samples.order(item)
        placed = samples.entry(order, item)
        undone = samples.entry(order, item, T0 + SECOND, kind="cancelled")
        question = SalesQuestion(T0, T0 + DAY)
        with store.begin() as unit:
            unit.sales.add([placed])
        with store.begin() as unit:
            unit.sales.add(iter([undone]))
            (total,) = unit.sales.totals(question)
        assert (total.orders, total.units, total.gross, total.net) == (0, 0, 20, 0)

    def test_the_first_moment(self, store: Store):
        """`first_at` is the time of the earliest entry, in whatever order they came."""
        item = line()
        order = samples.order(item)
        times = [T0, T0 - DAY + timedelta(microseconds=1), T0 + DAY]
        with store.begin() as unit:
            unit.sales.add(samples.entry(order, item, at) for at in times)
        with store.begin() as unit:
            assert unit.sales.first_at() == min(times)
            assert unit.sales.first_at(item.partner_id) == min(times)
            assert unit.sales.first_at("ptn_" + "0" * 32) is None

    @pytest.mark.parametrize("rolled", [False, True])
    @pytest.mark.parametrize("days", [0, 1, 2, 3, 4, 7, 8, 9, 64, 400])
    def test_an_order_counts_until_it_is_cancelled(self, store: Store, days: int, rolled: bool):
        """A report that ends before the last line was cancelled still counts the order."""
        lines = [line("ptn_" + "1" * 32), line("ptn_" + "2" * 32)]
        order = samples.order(*lines)
        placed = [samples.entry(order, item) for item in lines]
        at = T0 + days * DAY
        gone = [samples.entry(order, item, at, kind="cancelled") for item in lines]
        with store.begin() as unit:
            unit.sales.add([*placed, *gone])
        if rolled:
            roll_up(store)
        for until in (at, at + timedelta.resolution, at + DAY):
            for by_partner in (False, True):
                question = SalesQuestion(T0, until, by_partner=by_partner)
                with store.begin() as unit:
                    found = list(unit.sales.totals(question))
                assert found == figures.fold([*placed, *gone], question)

    @pytest.mark.parametrize("rolled", [False, True])
    @pytest.mark.parametrize("by", ["brand", "category"])
    @pytest.mark.parametrize("measure", ["net", "units"])
    def test_ranks_by_what_the_catalog_has_now(
        self, store: Store, by: Dimension, measure: Measure, rolled: bool
    ):
        """Sales count under the brand and the category that a product has when one asks."""
        _, source = samples.settled(store)
        shelf = [("Acme", "Shoes > Boots"), ("Nord", "Shoes"), (None, None)]
        records = [
            samples.record(n, f"S{n}", brand=brand, category=category)
            for n, (brand, category) in enumerate(shelf, 2)
        ]
        samples.publish(store, source, *records)
        samples_of = list(samples.catalog(store).values())
        items = [
            evolve(line(p.partner_id), product_id=p.product_id, quantity=n + 1)
            for n, p in enumerate(samples_of)
        ]
        order = samples.order(*items)
        entries = [samples.entry(order, item) for item in items]
        with store.begin() as unit:
            unit.sales.add(entries)
        if rolled:
            roll_up(store)
        names = {p.product_id: getattr(p, by) for p in samples_of}
        question, ranking = SalesQuestion(T0, T0 + DAY), Ranking(by, measure, 2)
        with store.begin() as unit:
            found = list(unit.sales.ranks(question, ranking))
        assert found == figures.fold_ranks(entries, question, ranking, names.get)
        assert len(found) == 2

    @pytest.mark.parametrize("rolled", [False, True])
    def test_rules_and_what_they_took(self, store: Store, rolled: bool):
        """A rule's orders are counted once; who pays for what it took is told apart."""
        rule, other = (f"rule_{number:032x}" for number in (1, 2))
        taken = (
            Adjustment("sale", "Sale", Decimal("-1.00")),
            Adjustment("rule", "A", Decimal("-2.00"), rule, 1, "platform"),
            Adjustment("rule", "B", Decimal("-0.50"), other, 1, "both", Decimal("-0.20")),
        )
        lines = [line(adjustments=taken), line(adjustments=taken[:2]), line()]
        orders = [samples.order(*lines), samples.order(line(adjustments=taken))]
        entries = [samples.entry(order, item) for order in orders for item in order.items]
        with store.begin() as unit:
            for order in orders:
                unit.orders.add(order)
            unit.sales.add(entries)
        if rolled:
            roll_up(store)
        known = {item.item_id: item for order in orders for item in order.items}
        for partner in (None, lines[0].partner_id, lines[1].partner_id):
            question = SalesQuestion(T0, T0 + DAY, partner)
            with store.begin() as unit:
                found = list(unit.sales.rules(question))
            assert found == figures.fold_rules(entries, question, known)
        assert sum(total.uses for total in found)

    def test_a1_an_entry_counts_on_the_local_day(self, store: Store):
        at = datetime(2026, 7, 15, 7, 30, tzinfo=UTC)
        with store.begin() as unit:
            unit.sales.add([samples.entry(samples.order(line()), line(), at)])
            asked = SalesQuestion(at - DAY, at + DAY, grain="day", zone="America/Los_Angeles")
            (total,) = unit.sales.totals(asked)
        assert total.period is not None
        assert show_period(total.period, "day", asked.zone) == "2026-07-15"

    @pytest.mark.parametrize("rolled", [False, True])
    def test_a2_a_month_in_which_the_clocks_change(self, store: Store, rolled: bool):
        """Of thirty days one has 25 hours, two of them with the same number."""
        zone, since = "America/New_York", datetime(2019, 11, 1, 4, tzinfo=UTC)
        until = datetime(2019, 12, 1, 5, tzinfo=UTC)
        hours = [since + n * timedelta(hours=1) for n in range(30 * 24 + 1)]
        assert hours[-1] + timedelta(hours=1) == until
        with store.begin() as unit:
            unit.sales.add([samples.entry(samples.order(line()), line(), at) for at in hours])
        if rolled:
            roll_up(store)
        with store.begin() as unit:
            by_day = unit.sales.totals(
                SalesQuestion(since, until, grain="day", zone=zone, by_partner=False)
            )
            by_hour = unit.sales.totals(
                SalesQuestion(since, until, grain="hour", zone=zone, by_partner=False)
            )
        assert [total.units for total in by_day] == [48, 48, 50, *[48] * 27]
        shown = [show_period(t.period, "hour", zone) for t in by_hour if t.period]
        assert len(set(shown)) == len(hours)
        assert [at[11:] for at in shown if at.startswith("2019-11-03T01")] == [
            "01:00:00-04:00",
            "01:00:00-05:00",
        ]

    def test_a3_what_comes_after_a_refresh_is_there_at_once(self, store: Store):
        """An entry of today, one insert over months, and one that is late: then rolled up, too."""
        asked = SalesQuestion(T0 - 400 * DAY, T0 + DAY, grain="month")
        order = samples.order(line())
        months = [samples.entry(order, line(), T0 - n * 30 * DAY) for n in range(12)]
        late = samples.entry(order, order.items[0], T0 - 300 * DAY, kind="cancelled")
        known: list[SalesEntry] = []
        for added in ([samples.entry(order, order.items[0])], months, [late]):
            known += added
            with store.begin() as unit:
                unit.sales.add(added)
            for _ in range(2):
                with store.begin() as unit:
                    assert list(unit.sales.totals(asked)) == figures.fold(known, asked)
                roll_up(store)

    def test_ranges_outside_the_calendar(self, store: Store):
        """Too many periods, or one beyond the last year, are refused."""
        for changes, code in (
            ({"grain": "hour", "until": T0 + 1000 * DAY}, "too_many_periods"),
            ({"grain": "month", "until": T0.max.replace(tzinfo=T0.tzinfo)}, "bad_range"),
        ):
            since = T0 if code == "too_many_periods" else T0.max.replace(tzinfo=T0.tzinfo) - DAY
            question = evolve(SalesQuestion(since, T0 + DAY), **changes)
            with store.begin() as unit, pytest.raises(InvalidInput) as refused:
                unit.sales.totals(question)
            assert refused.value.faults[0].code == code

    def test_it_is_complete_up_to_now(self, store: Store):
        """`complete_to` never goes back behind what was complete before any unit began."""
        with store.begin() as unit:
            before = unit.sales.complete_to()
        with store.begin() as unit:
            assert unit.sales.complete_to() >= before


def new_order_id() -> str:
    return samples.new_id("ord")
