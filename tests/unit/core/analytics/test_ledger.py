"""The ledger's figures, and periods by clocks that jump."""

from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from itertools import islice, pairwise
from typing import get_args
from zoneinfo import ZoneInfo

import pytest
from attrs import evolve
from hypothesis import given, settings
from hypothesis import strategies as st

from commerce_core.analytics.figures import SalesTotal, fold
from commerce_core.analytics.ledger import EntryKind, SalesEntry
from commerce_core.analytics.questions import SalesQuestion
from commerce_core.analytics.reports import shares
from commerce_core.base.calendar import MOST_PERIODS, Grain, period_start, show_period
from commerce_core.base.errors import InvalidInput
from commerce_core.orders.line import OrderItem
from commerce_core.pricing.explanation import Adjustment
from tests.support.examples import scaled

GRAINS = get_args(Grain)
ZONES = (
    "UTC", "Europe/Rome", "America/New_York", "Asia/Kolkata", "Pacific/Chatham",
    "Australia/Lord_Howe",
    "Pacific/Apia", "America/Sao_Paulo", "Africa/Cairo", "America/Havana", "Atlantic/Azores",
    "Asia/Beirut", "America/Asuncion", "America/Nuuk", "Antarctica/Troll", "Africa/Casablanca",
    "Asia/Gaza", "Asia/Tehran", "America/Caracas", "Asia/Pyongyang", "Pacific/Kiritimati",
)  # fmt: skip
"""Steps of half an hour and two hours, midnights skipped or twice, new offsets, a day left out."""


def utc(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def entry(
    kind: EntryKind, at: str, order: str, units: int, paid: str, **changes: str
) -> SalesEntry:
    """What happened to a line of which a unit costs 10, in EUR."""
    made = SalesEntry(
        entry_id=f"{kind}{at}{order}",
        kind=kind,
        at=utc(at),
        order_id=order,
        item_id=f"{order}-1",
        partner_id="p1",
        product_id="prod",
        sku="A",
        currency="EUR",
        quantity=units,
        gross=Decimal(10 * units),
        discount=Decimal(10 * units) - Decimal(paid),
        amount=Decimal(paid),
    )
    return evolve(made, **changes)


def told(total: SalesTotal) -> tuple[str, str, int, int, str, str]:
    return (
        total.partner_id,
        total.currency,
        total.orders,
        total.units,
        str(total.gross),
        str(total.net),
    )


MARCH = SalesQuestion(utc("2026-03-01"), utc("2026-04-01"))


# --- totals ---------------------------------------------------------------------------------------


def test_an_entry_about_a_line_has_its_list_price_and_what_was_paid():
    item = OrderItem(
        item_id="i", product_id="prod", product_version=1, partner_id="p1", sku="A",
        product_name="Chair",
        quantity=3, list_price=Decimal("10.00"), unit_price=Decimal("8.50"),
        line_total=Decimal("25.50"),
        adjustments=(Adjustment("sale", "Sale", Decimal("-1.50")),),
    )  # fmt: skip
    made = SalesEntry.of("e", "placed", MARCH.since, "o", "EUR", item)
    assert (made.gross, made.discount, made.amount) == (
        Decimal(30),
        Decimal("4.50"),
        Decimal("25.50"),
    )
    assert (made.quantity, made.item_id, made.order_id, made.sku) == (3, "i", "o", "A")


def test_what_a_rule_adds_is_gross_and_no_negative_discount():
    steps = (
        Adjustment("rule", "Delivered", Decimal("6.00")),
        Adjustment("sale", "Sale", Decimal("-1.50")),
    )
    item = OrderItem(
        "item", "prod", 1, "p", "sku", "Name", 3, Decimal("10.00"), Decimal("11.50"),
        Decimal("34.50"), steps,
    )  # fmt: skip
    made = SalesEntry.of("e", "placed", MARCH.since, "o", "EUR", item)
    assert (made.gross, made.discount, made.amount) == (36, Decimal("1.50"), Decimal("34.50"))


def test_net_is_what_was_placed_less_what_was_cancelled():
    entries = [
        entry("placed", "2026-03-02", "o1", 2, "18.50"),
        entry("placed", "2026-03-03", "o2", 1, "10.00"),
        entry("cancelled", "2026-03-04", "o1", 2, "18.50"),
    ]
    assert list(map(told, fold(entries, MARCH))) == [("p1", "EUR", 1, 1, "30", "10.00")]


def test_each_entry_counts_in_the_period_in_which_it_happened():
    entries = [
        entry("placed", "2026-03-31T23:59:59.999999", "o1", 2, "20.00"),
        entry("cancelled", "2026-04-01T00:00:00", "o1", 2, "20.00"),
    ]
    (march,) = fold(entries, MARCH)
    assert told(march) == ("p1", "EUR", 1, 2, "20", "20.00")
    (april,) = fold(entries, SalesQuestion(utc("2026-04-01"), utc("2026-05-01")))
    assert told(april) == ("p1", "EUR", 0, -2, "0", "-20.00")
    (both,) = fold(entries, SalesQuestion(utc("2026-03-01"), utc("2026-05-01")))
    assert told(both) == ("p1", "EUR", 0, 0, "20", "0.00")


def test_the_beginning_is_included_and_the_end_is_not():
    entries = [
        entry("placed", "2026-03-01", "o1", 1, "10"),
        entry("placed", "2026-04-01", "o2", 1, "10"),
        entry("placed", "2026-02-28T23:59:59", "o3", 1, "10"),
    ]
    (total,) = fold(entries, MARCH)
    assert (total.orders, total.units) == (1, 1)


def test_an_order_counts_while_one_of_its_lines_is_not_cancelled():
    lines = [
        entry("placed", "2026-03-02", "o1", 1, "10", item_id="i1"),
        entry("placed", "2026-03-02", "o1", 1, "10", item_id="i2"),
        entry("cancelled", "2026-03-03", "o1", 1, "10", item_id="i1"),
    ]
    assert fold(lines, MARCH)[0].orders == 1
    gone = entry("cancelled", "2026-03-04", "o1", 1, "10", item_id="i2")
    assert fold([*lines, gone], MARCH)[0].orders == 0


def test_partners_and_currencies_stand_apart_and_in_order():
    entries = [
        entry("placed", "2026-03-02", "o1", 1, "10", partner_id="p2"),
        entry("placed", "2026-03-02", "o1", 1, "10", partner_id="p1", currency="USD"),
        entry("placed", "2026-03-02", "o2", 1, "10", partner_id="p1"),
    ]
    totals = fold(entries, MARCH)
    assert [(t.partner_id, t.currency) for t in totals] == [
        ("p1", "EUR"),
        ("p1", "USD"),
        ("p2", "EUR"),
    ]
    assert fold(entries, evolve(MARCH, partner_id="p2")) == [totals[2]]
    assert fold(entries, evolve(MARCH, currency="USD")) == [totals[1]]
    assert fold(entries, evolve(MARCH, partner_id="p3")) == []


def test_periods_come_first_in_the_order_of_totals():
    entries = [
        entry("placed", "2026-03-03", "o2", 1, "10"),
        entry("placed", "2026-03-02T22:59", "o1", 1, "10", partner_id="p2"),
        entry("placed", "2026-03-02T23:00", "o3", 1, "10"),
    ]
    totals = fold(entries, evolve(MARCH, grain="day", zone="Europe/Rome"))
    assert [(t.period, t.partner_id, t.orders) for t in totals] == [
        (utc("2026-03-01T23:00"), "p2", 1),
        (utc("2026-03-02T23:00"), "p1", 2),
    ]


def test_without_sales_there_are_no_totals():
    assert fold([], MARCH) == []
    assert (
        fold([entry("placed", "2026-03-02", "o", 1, "10")], evolve(MARCH, until=MARCH.since)) == []
    )


def test_a_period_in_which_nothing_happened_is_all_zeros():
    nothing = SalesTotal.nothing(MARCH.since, "p1", "EUR")
    assert told(nothing) == ("p1", "EUR", 0, 0, "0", "0")


@st.composite
def histories(draw: st.DrawFn) -> list[SalesEntry]:
    """Lines placed at any time of some days around a change of clocks, some cancelled later."""
    entries: list[SalesEntry] = []
    for number in range(draw(st.integers(0, 8))):
        at = utc("2025-03-28") + timedelta(minutes=draw(st.integers(0, 6 * 1440)))
        units, cents = draw(st.integers(1, 5)), draw(st.integers(0, 900))
        code, seller = draw(st.sampled_from(["EUR", "USD"])), draw(st.sampled_from(["p1", "p2"]))
        order = f"o{draw(st.integers(0, 3))}"
        placed = entry(
            "placed", "2025-01-01", order, units, "0", item_id=f"i{number}", currency=code
        )
        paid = Decimal(cents * units).scaleb(-2)
        placed = evolve(placed, at=at, amount=paid, discount=placed.gross - paid, partner_id=seller)
        entries.append(placed)
        if draw(st.booleans()):
            later = at + timedelta(minutes=draw(st.integers(0, 4 * 1440)))
            entries.append(evolve(placed, kind="cancelled", at=later, entry_id=f"c{number}"))
    return draw(st.permutations(entries))


spans = st.tuples(st.integers(0, 7 * 1440), st.integers(0, 7 * 1440)).map(sorted)


@settings(max_examples=scaled(150))
@given(histories(), spans, st.sampled_from(GRAINS), st.sampled_from(ZONES))
def test_periods_add_up_to_the_whole_and_each_is_one_of_the_questions(
    entries: list[SalesEntry], span: list[int], grain: Grain, zone: str
):
    begin, end = (utc("2025-03-27") + timedelta(minutes=minutes) for minutes in span)
    question = SalesQuestion(begin, end, grain=grain, zone=zone)
    by_period, whole = fold(entries, question), fold(entries, evolve(question, grain=None))
    assert {total.period for total in by_period} <= set(question.periods())
    for name in ("units", "gross", "net"):
        assert summed(by_period, name) == summed(whole, name)
    counted = {e.item_id for e in entries if begin <= e.at < end}
    assert bool(whole) == bool(counted)


def summed(totals: list[SalesTotal], name: str) -> dict[tuple[str, str], Decimal]:
    sums: Counter[tuple[str, str]] = Counter()
    for total in totals:
        sums[total.partner_id, total.currency] += getattr(total, name)
    return {key: value for key, value in sums.items() if value}  # type: ignore[misc]


# --- periods --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("zone", "grain", "at", "start"),
    [
        ("UTC", "hour", "2026-03-31T18:59:59.999999", "2026-03-31T18:00"),
        ("UTC", "day", "2026-03-31T18:30", "2026-03-31"),
        ("UTC", "week", "2026-03-31T18:30", "2026-03-30"),
        ("UTC", "week", "2026-03-30", "2026-03-30"),
        ("UTC", "week", "2026-03-29T23:59:59", "2026-03-23"),
        ("UTC", "week", "2026-01-01", "2025-12-29"),
        ("UTC", "month", "2026-03-31T23:59:59", "2026-03-01"),
        ("Europe/Rome", "day", "2026-03-29T12:00", "2026-03-28T23:00"),
        ("Europe/Rome", "day", "2026-03-30T12:00", "2026-03-29T22:00"),
        ("Europe/Rome", "month", "2026-03-31T23:00", "2026-03-31T22:00"),
        ("Europe/Rome", "hour", "2026-10-25T00:30", "2026-10-25T00:00"),
        ("Europe/Rome", "hour", "2026-10-25T01:30", "2026-10-25T01:00"),
        ("Asia/Kolkata", "hour", "2026-01-01T00:00", "2025-12-31T23:30"),
        # Midnight doesn't exist: the day begins at one.
        ("America/Sao_Paulo", "day", "2018-11-04T12:00", "2018-11-04T03:00"),
        ("America/Sao_Paulo", "hour", "2018-11-04T03:30", "2018-11-04T03:00"),
        ("Africa/Cairo", "day", "2026-04-24T12:00", "2026-04-23T22:00"),
        ("Asia/Beirut", "month", "2026-03-29T12:00", "2026-02-28T22:00"),
        # Midnight comes twice: the day begins at the first.
        ("Atlantic/Azores", "day", "2025-10-26T00:30", "2025-10-26T00:00"),
        ("Atlantic/Azores", "day", "2025-10-26T12:00", "2025-10-26T00:00"),
        ("America/Havana", "day", "2025-11-02T04:30", "2025-11-02T04:00"),
        ("America/Havana", "day", "2025-11-02T12:00", "2025-11-02T04:00"),
        # The hour before midnight comes twice, on the same day.
        ("Africa/Cairo", "day", "2026-10-29T20:30", "2026-10-28T21:00"),
        ("Africa/Cairo", "day", "2026-10-29T21:30", "2026-10-28T21:00"),
        ("Africa/Cairo", "day", "2026-10-29T22:00", "2026-10-29T22:00"),
        # Half an hour comes twice, and half an hour is left out.
        ("Australia/Lord_Howe", "hour", "2025-04-05T14:45", "2025-04-05T14:00"),
        ("Australia/Lord_Howe", "hour", "2025-04-05T15:15", "2025-04-05T15:00"),
        ("Australia/Lord_Howe", "hour", "2025-04-05T15:45", "2025-04-05T15:30"),
        ("Australia/Lord_Howe", "hour", "2025-10-04T15:15", "2025-10-04T14:30"),
        ("Australia/Lord_Howe", "hour", "2025-10-04T15:45:00.5", "2025-10-04T15:30"),
        ("Pacific/Chatham", "hour", "2025-09-27T14:10", "2025-09-27T14:00"),
        # A Friday was left out.
        ("Pacific/Apia", "day", "2011-12-30T09:59", "2011-12-29T10:00"),
        ("Pacific/Apia", "day", "2011-12-30T10:00", "2011-12-30T10:00"),
        ("Pacific/Apia", "week", "2011-12-31T00:00", "2011-12-26T10:00"),
        # The clocks left out midnight, from half past eleven on.
        ("America/Toronto", "day", "1919-03-31T12:00", "1919-03-31T04:30"),
    ],
)
def test_a_period_begins_with_its_first_moment(zone: str, grain: Grain, at: str, start: str):
    assert period_start(utc(at), grain, zone) == utc(start)


def listed(grain: Grain, since: str, until: str, zone: str = "UTC") -> Iterator[str]:
    question = SalesQuestion(utc(since), utc(until), grain=grain, zone=zone)
    return (show_period(at, grain, zone) for at in question.periods())


@pytest.mark.parametrize(
    ("zone", "grain", "since", "until", "shown"),
    [
        (
            "UTC", "day", "2026-02-27T12:00", "2026-03-02",
            ["2026-02-27", "2026-02-28", "2026-03-01"],
        ),
        ("UTC", "day", "2026-03-01", "2026-03-01", []),
        ("UTC", "week", "2025-12-31", "2026-01-06", ["2025-12-29", "2026-01-05"]),
        (
            "UTC", "month", "2026-01-31", "2026-03-01T00:00:01",
            ["2026-01-01", "2026-02-01", "2026-03-01"],
        ),
        (
            "Pacific/Apia", "day", "2011-12-29T12:00", "2012-01-01",
            ["2011-12-29", "2011-12-31", "2012-01-01"],
        ),
        (
            "America/Sao_Paulo", "day", "2018-11-03T12:00", "2018-11-05T12:00",
            ["2018-11-03", "2018-11-04", "2018-11-05"],
        ),
        (
            "Africa/Cairo", "day", "2026-10-29T12:00", "2026-10-30T12:00",
            ["2026-10-29", "2026-10-30"],
        ),
        (
            "Atlantic/Azores", "day", "2025-10-25T12:00", "2025-10-26T12:00",
            ["2025-10-25", "2025-10-26"],
        ),
        (
            "Australia/Lord_Howe", "hour", "2025-04-05T14:00", "2025-04-05T16:00",
            ["2025-04-06T01:00:00+11:00", "2025-04-06T01:30:00+10:30", "2025-04-06T02:00:00+10:30"],
        ),
        (
            "Australia/Lord_Howe", "hour", "2025-10-04T14:45", "2025-10-04T16:10",
            ["2025-10-05T01:00:00+10:30", "2025-10-05T02:30:00+11:00", "2025-10-05T03:00:00+11:00"],
        ),
        (
            "Europe/Rome", "hour", "2026-10-25T00:00", "2026-10-25T02:00",
            ["2026-10-25T02:00:00+02:00", "2026-10-25T02:00:00+01:00"],
        ),
    ],
)  # fmt: skip
def test_every_period_is_listed_once_by_its_local_name(
    zone: str, grain: Grain, since: str, until: str, shown: list[str]
):
    assert list(listed(grain, since, until, zone)) == shown


moments = st.integers(0, 16 * 365 * 1440).map(
    lambda minutes: utc("2011-12-01") + timedelta(minutes=minutes)
)


@settings(max_examples=scaled(400))
@given(st.sampled_from(ZONES), st.sampled_from(GRAINS), moments, st.integers(0, 3 * 1440))
def test_every_moment_lies_in_exactly_one_of_the_periods(
    zone: str, grain: Grain, since: datetime, minutes: int
):
    at = since + timedelta(minutes=minutes)
    found = list(SalesQuestion(since, at + timedelta.resolution, grain=grain, zone=zone).periods())
    assert found[0] <= since
    assert all(one < other for one, other in pairwise(found))
    assert period_start(at, grain, zone) == found[-1]
    assert found[-1] <= at
    for start, following in pairwise(found):
        assert period_start(start, grain, zone) == start
        assert period_start(following - timedelta.resolution, grain, zone) == start


def changes_of(zone: str, since: int, until: int) -> Iterator[datetime]:
    """The moments, to the second, at which a zone's clocks change in those years."""
    clocks = ZoneInfo(zone)
    at, end, step = (
        datetime(since, 1, 1, tzinfo=UTC),
        datetime(until, 1, 1, tzinfo=UTC),
        timedelta(hours=6),
    )
    while at < end:
        offset, low, high = at.astimezone(clocks).utcoffset(), at, at + step
        if high.astimezone(clocks).utcoffset() != offset:
            while high - low > timedelta(seconds=1):
                middle = low + (high - low) // 2
                same = middle.astimezone(clocks).utcoffset() == offset
                low, high = (middle, high) if same else (low, middle)
            yield high
        at += step


@pytest.mark.parametrize("zone", [zone for zone in ZONES if zone != "UTC"])
def test_around_every_change_of_clocks_periods_join_without_gap(zone: str):
    for change in changes_of(zone, 2023, 2026):
        for grain in ("hour", "day"):
            begin, end = change - timedelta(hours=30), change + timedelta(hours=30)
            question = SalesQuestion(begin, end, grain=grain, zone=zone)
            starts = list(question.periods())
            for minutes in range(-29 * 60, 29 * 60, 5):
                at = change + timedelta(minutes=minutes)
                assert period_start(at, grain, zone) == max(s for s in starts if s <= at)


def test_a_range_has_a_number_of_periods_at_most():
    until = utc("2026-01-01") + timedelta(hours=MOST_PERIODS)
    question = SalesQuestion(utc("2026-01-01"), until, grain="hour")
    assert sum(1 for _ in question.periods()) == MOST_PERIODS
    with pytest.raises(InvalidInput) as refused:
        list(evolve(question, until=until + timedelta.resolution).periods())
    assert refused.value.code == "too_many_periods"


@pytest.mark.parametrize("zone", ["UTC", "Pacific/Kiritimati", "America/New_York"])
@pytest.mark.parametrize("grain", GRAINS)
@pytest.mark.parametrize(
    ("since", "until"),
    [("0001-01-01T00:00", "0001-01-02"), ("9999-12-30", "9999-12-31T23:59:59.999999")],
)
def test_a_range_at_the_calendars_end_is_listed_or_refused(
    zone: str, grain: Grain, since: str, until: str
):
    try:
        found = list(islice(listed(grain, since, until, zone), 100))
    except InvalidInput as refused:
        found = [fault.code for fault in refused.faults]
    assert found


# --- shares ---------------------------------------------------------------------------------------


def total(net: str, code: str = "EUR") -> SalesTotal:
    return evolve(SalesTotal.nothing(None, "p", code), net=Decimal(net))


@pytest.mark.parametrize(
    ("nets", "percents"),
    [
        (["1", "1", "1"], ["33.34", "33.33", "33.33"]),
        (["10.00"], ["100.00"]),
        (["1", "0"], ["100.00", "0.00"]),
        (["0", "0"], ["0.00", "0.00"]),
        (["-5", "5"], ["0.00", "0.00"]),
        (["-5"], ["0.00"]),
        (["300", "-100"], ["150.00", "-50.00"]),
        ([], []),
    ],
)
def test_shares_add_up_or_are_nothing(nets: list[str], percents: list[str]):
    assert list(map(str, shares([total(net) for net in nets]))) == percents


@given(
    st.lists(
        st.tuples(st.decimals(-1000, 10**12, places=2), st.sampled_from(["EUR", "USD"])),
        max_size=12,
    )
)
def test_shares_of_each_currency_add_up_to_a_hundred(nets: list[tuple[Decimal, str]]):
    totals = [total(str(net), code) for net, code in nets]
    percents = shares(totals)
    for code in {code for _, code in nets}:
        whole = sum(net for net, of in nets if of == code)
        added = sum(p for p, each in zip(percents, totals, strict=True) if each.currency == code)
        assert added == (100 if whole > 0 else 0)
    assert all(p == p.quantize(Decimal("0.01")) for p in percents)
