"""Reports of sales: what each shows, whom it is for, and what is refused."""

import csv
import io
from collections.abc import Generator
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from attrs import evolve, fields

from commerce_core.analytics.ledger import EntryKind, SalesEntry
from commerce_core.analytics.report_file import write_report
from commerce_core.analytics.reports import (
    HourSales,
    PartnerSales,
    PeriodSales,
    RefundSales,
    RevenueShare,
    Row,
    RuleSales,
    SummarySales,
    TopSales,
)
from commerce_core.base.errors import Forbidden, InvalidInput
from commerce_core.commerce import Commerce
from commerce_core.partners.access import Principal
from entrypoints.compose import open_platform
from entrypoints.settings import Settings

FEED = b"""sku,product_name,brand,category,price,quantity
A,Chair,Nord,Home > Chairs,10.00,50
B,=Lamp,Acme,Home > Lamps,3.00,50
C,Vase,,,1.00,50
"""


@pytest.fixture
def commerce() -> Generator[Commerce]:
    with open_platform(Settings(database_url="memory:")) as commerce:
        for name in ("Acme", "Nord"):
            commerce.partners.add(name, currency="EUR")
            commerce.feeds.load(io.BytesIO(FEED), partner=name)
        yield commerce


def product(commerce: Commerce, partner: str, sku: str) -> str:
    return commerce.products.get(partner=partner, sku=sku).product_id


def acting(commerce: Commerce, partner: str) -> Commerce:
    partner_id = commerce.partners.get(partner).partner_id
    principal = Principal("key", partner_id, frozenset({"analytics:read"}))
    return Commerce(commerce.context.acting_as(principal))


def sell(commerce: Commerce, *items: tuple[str, str, int]) -> str:
    wanted = [(product(commerce, partner, sku), units) for partner, sku, units in items]
    return commerce.orders.place(wanted).order_id


def add_entry(commerce: Commerce, kind: EntryKind, **changes: object) -> None:
    """Another entry of the first line that was placed."""
    (first, *_) = [e for e in commerce.analytics.entries() if e.kind == "placed"][::-1]
    made = SalesEntry(
        commerce.context.mint("ent"), kind, first.at, first.order_id, first.item_id,
        first.partner_id, first.product_id, first.sku, "EUR", 1, Decimal(4), Decimal(0), Decimal(4),
    )  # fmt: skip
    with commerce.context.store.begin() as unit:
        unit.sales.add([evolve(made, **changes)])


def rows_of(data: list[bytes]) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(b"".join(data).decode())))


def test_a_summary_has_one_order_of_two_partners_once(commerce: Commerce):
    sell(commerce, ("Acme", "A", 2), ("Nord", "A", 1))
    (row,) = commerce.analytics.summary().results
    assert isinstance(row, SummarySales)
    assert (row.orders, row.units_sold, row.total_sales) == (1, 3, Decimal("30.00"))
    assert (row.average_order, row.before, row.change_pct) == (Decimal("30.00"), None, None)
    by_partner = commerce.analytics.sales_by_partner().results
    assert [getattr(partner, "orders", None) for partner in by_partner] == [1, 1]


def test_a_summary_takes_refunds_off(commerce: Commerce):
    sell(commerce, ("Acme", "A", 2))
    add_entry(commerce, "refunded", reason="damaged")
    add_entry(commerce, "goodwill", quantity=0, amount=Decimal(1))
    (row,) = commerce.analytics.summary().results
    assert isinstance(row, SummarySales)
    assert (row.gross_sales, row.refunds, row.total_sales) == (20, 5, Decimal("15.00"))
    refunds = [r for r in commerce.analytics.refunds().results if isinstance(r, RefundSales)]
    assert [(r.kind, r.reason, r.times, r.units, r.amount) for r in refunds] == [
        ("goodwill", None, 1, 0, Decimal("1.00")),
        ("refunded", "damaged", 1, 1, Decimal("4.00")),
    ]


def test_a5_the_summary_and_the_chart_are_both_net(commerce: Commerce):
    sell(commerce, ("Acme", "A", 2), ("Nord", "B", 1))
    add_entry(commerce, "refunded", reason="damaged")
    (summary,) = commerce.analytics.summary().results
    chart = commerce.analytics.sales_over_time().results
    assert isinstance(summary, SummarySales)
    assert summary.total_sales == Decimal("19.00")
    assert sum(row.total_sales for row in chart if isinstance(row, PeriodSales)) == Decimal("19.00")


def test_a6_an_order_of_several_partners_is_one_and_shares_add_up(commerce: Commerce):
    commerce.partners.add("Third", currency="EUR")
    commerce.feeds.load(io.BytesIO(FEED), partner="Third")
    sell(commerce, ("Acme", "C", 1), ("Nord", "C", 1), ("Third", "C", 1))
    (summary,) = commerce.analytics.summary().results
    assert isinstance(summary, SummarySales)
    assert summary.orders == 1
    by_partner = commerce.analytics.sales_by_partner().results
    assert [row.orders for row in by_partner if isinstance(row, PartnerSales)] == [1, 1, 1]
    shares = commerce.analytics.revenue_share().results
    found = sorted(row.revenue_pct for row in shares if isinstance(row, RevenueShare))
    assert found == [Decimal("33.33"), Decimal("33.33"), Decimal("33.34")]


def test_a_summary_is_compared_with_the_period_before(commerce: Commerce):
    """The range of that is in the answer; a change from nothing has no percentage."""
    sell(commerce, ("Acme", "A", 1))
    now = commerce.context.clock()
    report = commerce.analytics.summary(
        since=now - timedelta(days=1), until=now + timedelta(days=1), compare="weekdays"
    )
    assert report.compared_with is not None
    assert report.compared_with.since == now - timedelta(days=8)
    assert report.compared_with.until == now - timedelta(days=6)
    (row,) = report.results
    assert isinstance(row, SummarySales)
    assert row.before is not None
    assert (row.before.total_sales, row.change_pct) == (0, None)
    later = commerce.analytics.summary(
        since=now + timedelta(days=6), until=now + timedelta(days=8), compare="weekdays"
    )
    (row,) = later.results
    assert isinstance(row, SummarySales)
    assert (row.total_sales, row.change_pct) == (0, Decimal("-100.00"))


def test_ranks_are_by_currency_and_named_by_the_catalog(commerce: Commerce):
    sell(commerce, ("Acme", "A", 1), ("Acme", "B", 4), ("Nord", "B", 3), ("Nord", "C", 1))
    top = [row for row in commerce.analytics.top(limit=2).results if isinstance(row, TopSales)]
    assert [(r.rank, r.name, r.sku, r.partner_name, r.total_sales) for r in top] == [
        (1, "=Lamp", "B", "Acme", Decimal("12.00")),
        (2, "Chair", "A", "Acme", Decimal("10.00")),
    ]
    brands = commerce.analytics.top("brand", measure="units").results
    assert [(getattr(r, "name", 0), getattr(r, "units_sold", 0)) for r in brands] == [
        ("Acme", 7),
        ("Nord", 1),
        (None, 1),
    ]
    with pytest.raises(InvalidInput):
        commerce.analytics.top(limit=0)
    with pytest.raises(InvalidInput):
        commerce.analytics.top(limit=1001)


def test_there_are_168_hours_in_a_week(commerce: Commerce):
    sell(commerce, ("Acme", "A", 1))
    report = commerce.analytics.hours(tz="Asia/Kolkata")
    rows = [row for row in report.results if isinstance(row, HourSales)]
    assert [(row.weekday, row.hour) for row in rows] == [
        (day, hour) for day in range(1, 8) for hour in range(24)
    ]
    assert sum(row.units_sold for row in rows) == 1
    now = commerce.context.clock()
    with pytest.raises(InvalidInput) as refused:
        commerce.analytics.hours(since=now - timedelta(days=401), until=now)
    assert refused.value.faults[0].code == "too_many_periods"


def test_a_rule_has_its_orders_and_its_cost(commerce: Commerce):
    rule = commerce.pricing.add({"name": "Tenth", "benefit": {"percent": "10"}}, status="active")
    sell(commerce, ("Acme", "A", 1), ("Nord", "A", 2))
    (row,) = commerce.analytics.rules().results
    assert isinstance(row, RuleSales)
    assert (row.rule_id, row.rule_name, row.uses) == (rule.rule_id, "Tenth", 1)
    assert (row.cost, row.partner_cost, row.platform_cost) == (3, 0, 3)
    (summary,) = commerce.analytics.summary().results
    assert isinstance(summary, SummarySales)
    assert (summary.platform_discounts, summary.partner_discounts) == (3, 0)


def test_a_partner_sees_its_own_and_no_rules(commerce: Commerce):
    sell(commerce, ("Acme", "A", 1), ("Nord", "A", 2))
    acme = acting(commerce, "Acme").analytics
    (row,) = acme.summary().results
    assert isinstance(row, SummarySales)
    assert row.total_sales == 10
    assert {getattr(row, "partner_name", None) for row in acme.top().results} == {"Acme"}
    assert sum(getattr(row, "units_sold", 0) for row in acme.hours().results) == 1
    with pytest.raises(Forbidden):
        acme.rules()


def test_every_answer_is_complete_to_a_moment(commerce: Commerce):
    """Not later than its range, and never later than now."""
    until = datetime(2026, 1, 1, tzinfo=UTC)
    reports = commerce.analytics
    since = until - timedelta(days=1)
    for report in (
        reports.summary, reports.sales_by_partner, reports.sales_over_time, reports.revenue_share,
        reports.top, reports.hours, reports.rules, reports.refunds,
    ):  # fmt: skip
        assert report(since=since, until=until).complete_to == until
        assert report(since=since, until=until, basis="order").basis == "order"
    future = commerce.context.clock() + timedelta(days=1)
    complete = reports.summary(until=future).complete_to
    assert complete is not None
    assert complete < future


def test_a_report_as_csv_has_the_same_rows(commerce: Commerce):
    """The columns are the members of its rows; a name can't be a formula."""
    sell(commerce, ("Acme", "A", 1), ("Acme", "B", 1))
    report = commerce.analytics.top()
    lines = rows_of(list(write_report(report, TopSales)))
    assert [line["sku"] for line in lines] == ["A", "B"]
    assert lines[1]["name"] == "'=Lamp"
    assert list(lines[0]) == [member.name for member in fields(TopSales)]
    summary = commerce.analytics.summary(compare="dates")
    (line,) = rows_of(list(write_report(summary, SummarySales)))
    assert (line["total_sales"], line["before_total_sales"]) == ("13.00", "0.00")
    (line,) = rows_of(list(write_report(commerce.analytics.summary(), SummarySales)))
    assert line["before_orders"] == ""


@pytest.mark.parametrize("of", [HourSales, RefundSales, RuleSales, SummarySales, TopSales])
def test_a_report_without_rows_is_a_header(commerce: Commerce, of: type[Row]):
    empty = commerce.analytics.refunds()
    assert len(list(write_report(empty, of))) == 1
