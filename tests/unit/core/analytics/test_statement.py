"""Statements: their spans in any zone, and files that add up."""

import csv
import hashlib
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest

from commerce_core.analytics.statement import Account, StatementLine, Sums
from commerce_core.base.calendar import period_start
from commerce_core.partners.terms import Cycle
from tests.contracts import samples
from tests.contracts.samples import T0
from tests.unit.core.analytics.test_ledger import ZONES

MORE_ZONES = (
    "America/Los_Angeles", "America/Chicago", "America/St_Johns", "America/Halifax",
    "Europe/London", "Europe/Berlin", "Europe/Istanbul", "Europe/Moscow", "Africa/Lagos",
    "Africa/Johannesburg", "Asia/Tokyo", "Asia/Kathmandu", "Asia/Yangon", "Asia/Jerusalem",
    "Asia/Amman", "Australia/Sydney", "Australia/Adelaide", "Pacific/Auckland",
    "Pacific/Marquesas", "America/Santiago", "Pacific/Norfolk",
)  # fmt: skip
EVERY_ZONE = (*ZONES, *MORE_ZONES)


def spans(begin: datetime, cycle: Cycle, zone: str, count: int) -> list[tuple[datetime, datetime]]:
    from attrs import evolve

    account, found = Account("ptn", "EUR", begin), list[tuple[datetime, datetime]]()
    for _ in range(count):
        span = account.next(cycle, zone)
        found.append(span)
        closed = Sums("stmt", "EUR", *span, Decimal(0)).add([]).closed(account, cycle, zone, T0)
        account = evolve(account, latest=closed)
    return found


@pytest.mark.parametrize("zone", EVERY_ZONE)
def test_cycles_join_without_gap_at_local_days_in_every_zone(zone: str):
    assert len(set(EVERY_ZONE)) >= 40
    for cycle, count in (("day", 400), ("week", 60), ("month", 15)):
        found = spans(datetime(2025, 1, 20, 13, 30, tzinfo=UTC), cycle, zone, count)  # type: ignore[arg-type]
        assert all(one[1] == other[0] for one, other in pairwise(found))
        for since, until in found:
            assert period_start(since, cycle, zone) == since  # type: ignore[arg-type]
            assert since < until
            last = until - timedelta(microseconds=1)
            assert last.astimezone(ZoneInfo(zone)).date() < until.astimezone(ZoneInfo(zone)).date()
            assert period_start(last, cycle, zone) == since  # type: ignore[arg-type]


def test_a_day_may_have_23_or_25_hours():
    found = spans(datetime(2025, 3, 29, 12, tzinfo=UTC), "day", "Europe/Rome", 220)
    hours = [(until - since) // timedelta(hours=1) for since, until in found]
    assert sorted(set(hours)) == [23, 24, 25]
    assert (hours.count(23), hours.count(25)) == (1, 1)


def test_a_new_cycle_begins_where_the_last_one_ended():
    """Whatever is changed to what: the next one ends with the period under way."""
    from attrs import evolve

    begin = datetime(2026, 3, 10, tzinfo=UTC)
    account = Account("ptn", "EUR", begin)
    (span,) = spans(begin, "month", "Europe/Rome", 1)
    closed = Sums("stmt", "EUR", *span, Decimal(0)).add([]).closed(account, "month", "UTC", T0)
    account = evolve(account, latest=closed)
    assert span[1] == datetime(2026, 3, 31, 22, tzinfo=UTC)
    assert account.next("week", "UTC") == (span[1], datetime(2026, 4, 6, tzinfo=UTC))
    # In New York it is still March.
    assert account.next("month", "America/New_York") == (
        span[1],
        datetime(2026, 4, 1, 4, tzinfo=UTC),
    )
    assert account.next("month", "UTC") == (span[1], datetime(2026, 4, 1, tzinfo=UTC))


def lines() -> list[StatementLine]:
    item = samples.line(sku="=A1")
    order = samples.order(item)
    placed = samples.entry(order, item, partner_amount=Decimal("16.20"))
    undone = samples.entry(
        order, item, kind="refunded", partner_amount=Decimal("8.10"), reverses=placed.entry_id
    )
    paid = samples.entry(
        order, item, kind="payout", order_id=None, item_id=None, sku=None, quantity=0,
        partner_amount=Decimal("5.00"), reason="-cmd|x",
    )  # fmt: skip
    return [StatementLine(placed), StatementLine(undone, "stmt_1"), StatementLine(paid)]


def test_a_file_adds_up_line_by_line_and_its_digest_is_its_own():
    sums = Sums("stmt", "EUR", T0, T0 + timedelta(days=1), Decimal("1.00"))
    file = b"".join(sums.written(lines()))
    rows = list(csv.DictReader(file.decode().splitlines()))
    assert [row["line"] for row in rows] == ["opening", "placed", "refunded", "payout", "closing"]
    assert [row["balance"] for row in rows] == ["1.00", "17.20", "9.10", "4.10", "4.10"]
    owed = Decimal(rows[0]["balance"])
    for row in rows[1:]:
        owed += Decimal(row["partner_amount"] or 0)
        assert owed == Decimal(row["balance"])
    assert (rows[1]["sku"], rows[3]["reason"]) == ("'=A1", "'-cmd|x")
    assert rows[2]["reverses_statement_id"] == "stmt_1"
    assert (sums.entries, sums.payouts, sums.closing) == (Decimal("8.10"), 5, Decimal("4.10"))
    assert sums.digest == hashlib.sha256(file).hexdigest()
    assert sums.entry_count == 3


def test_a_statement_of_nothing_exists():
    sums = Sums("stmt", "JPY", T0, T0 + timedelta(days=1), Decimal(0)).add([])
    made = sums.closed(Account("ptn", "JPY", T0), "day", "UTC", T0 + timedelta(days=2))
    figures = (made.opening, made.entries, made.payouts, made.closing)
    assert list(map(str, figures)) == ["0", "0", "0", "0"]
    assert (made.number, made.status, made.complete_to) == (1, "closed", T0 + timedelta(days=1))
