"""Reports of sales: figures of a range, by partner, period, product, rule or reason."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Final, TypedDict, Unpack
from zoneinfo import ZoneInfo

from attrs import evolve, frozen

from commerce_core.analytics.figures import RankedTotal, SalesTotal
from commerce_core.analytics.period_before import Comparison, period_before
from commerce_core.analytics.questions import (
    MOST_RANKED,
    Basis,
    Dimension,
    Measure,
    Ranking,
    SalesQuestion,
)
from commerce_core.analytics.reports import (
    Compared,
    HourSales,
    PartnerSales,
    PeriodSales,
    RefundSales,
    Report,
    RevenueShare,
    Row,
    RuleSales,
    SummarySales,
    TopSales,
    shares,
)
from commerce_core.base.calendar import Grain, iana_zone, show_period
from commerce_core.base.errors import Fault, Forbidden, InvalidInput, refuse_if
from commerce_core.base.money import currency as currency_of
from commerce_core.ports.store import UnitOfWork
from commerce_core.usecases.context import Context

MOST_ROWS: Final = 100_000
"""Maximum number of rows of a report; a query for more is refused."""
LONGEST_HOURS: Final = timedelta(days=400)
"""The longest range of the report by hours of the week."""
DEFAULT_RANKS: Final = 10
_NEVER: Final = datetime.min.replace(tzinfo=UTC)


class ReportRange(TypedDict, total=False):
    """What each report is asked about; without these, all sales so far.

    From `since` (by default the first entry) to before `until` (by default now); of one partner,
    named by id or name; in one currency; in the local time of `tz` (by default UTC); by the `basis`
    event (the default) or order.
    """

    since: datetime | None
    until: datetime | None
    partner: str | None
    currency: str | None
    tz: str
    basis: Basis


@frozen
class Reports:
    """Reports of sales, per currency and never converted."""

    _context: Context

    def summary(self, *, compare: Comparison | None = None, **asked: Unpack[ReportRange]) -> Report:
        """All figures by currency, on request beside those of the period before."""
        with self._context.store.begin() as unit:
            question = evolve(self._question(unit, asked), by_partner=False)
            complete = self._complete_to(unit, question)
            totals = unit.sales.totals(question)
            compared = compare and Compared(
                *period_before(question.since, question.until, compare, question.zone), compare
            )
            past: dict[str, SalesTotal] = {}
            if compared is not None:
                earlier = evolve(question, since=compared.since, until=compared.until)
                past = {total.currency: total for total in unit.sales.totals(earlier)}
        now = {total.currency: total for total in totals}
        rows = [
            SummarySales.of(
                now.get(code) or _nothing(code),
                (past.get(code) or _nothing(code)) if compared else None,
            )
            for code in sorted({*now, *past})
        ]
        return evolve(_report(question, complete, rows), compared_with=compared or None)

    def sales_by_partner(self, **asked: Unpack[ReportRange]) -> Report:
        """Orders, units, gross and net by partner and currency, from `since` to before `until`."""
        with self._context.store.begin() as unit:
            question = self._question(unit, asked)
            complete = self._complete_to(unit, question)
            totals = unit.sales.totals(question)
            names = unit.partners.names({total.partner_id for total in totals})
        rows = [
            PartnerSales(
                total.partner_id,
                names[total.partner_id],
                total.currency,
                total.orders,
                total.units,
                _shown(total.gross, total.currency),
                _shown(total.net, total.currency),
            )
            for total in totals
        ]
        rows.sort(key=lambda row: (row.currency, -row.total_sales, row.partner_id))
        return _report(question, complete, rows)

    def sales_over_time(self, *, grain: Grain = "day", **asked: Unpack[ReportRange]) -> Report:
        """Orders, units, gross and net by period in local time, including empty periods."""
        with self._context.store.begin() as unit:
            question = evolve(self._question(unit, asked), grain=grain)
            moments = list(question.periods())
            complete = self._complete_to(unit, question)
            totals = unit.sales.totals(question)
            sellers = _sellers(question, totals)
            names = unit.partners.names({partner_id for partner_id, _ in sellers})
        found = {(total.period, total.partner_id, total.currency): total for total in totals}
        _check_rows(len(moments) * len(sellers))
        rows = [
            _period_row(
                found.get((at, *seller)) or SalesTotal.nothing(at, *seller),
                grain,
                question.zone,
                names[seller[0]],
            )
            for at in moments
            for seller in sellers
        ]
        return _report(question, complete, rows)

    def revenue_share(self, **asked: Unpack[ReportRange]) -> Report:
        """Each partner's net, and its percentage of all revenue that the principal may see."""
        with self._context.store.begin() as unit:
            question = self._question(unit, asked)
            everyone = evolve(question, partner_id=self._context.principal.partner_id)
            complete = self._complete_to(unit, question)
            totals = unit.sales.totals(everyone)
            names = unit.partners.names({total.partner_id for total in totals})
        rows = [
            RevenueShare(
                total.partner_id,
                names[total.partner_id],
                total.currency,
                _shown(total.net, total.currency),
                share,
            )
            for total, share in zip(totals, shares(totals), strict=True)
            if question.partner_id in (None, total.partner_id)
        ]
        rows.sort(key=lambda row: (row.currency, -row.total_revenue, row.partner_id))
        return _report(question, complete, rows)

    def top(
        self,
        by: Dimension = "product",
        *,
        measure: Measure = "net",
        limit: int = DEFAULT_RANKS,
        **asked: Unpack[ReportRange],
    ) -> Report:
        """The products, brands or categories that sold best, in each currency.

        A product counts under the brand and the category that it has now.
        """
        refuse_if(
            "The report's parameters aren't valid.",
            (
                not 1 <= limit <= MOST_RANKED,
                Fault("/limit", "bad_limit", f"Ask for 1 to {MOST_RANKED:,} ranks."),
            ),
        )
        with self._context.store.begin() as unit:
            question = self._question(unit, asked)
            complete = self._complete_to(unit, question)
            totals = unit.sales.ranks(question, Ranking(by, measure, limit))
            rows = _top_rows(unit, by, totals)
        return _report(question, complete, rows)

    def hours(self, **asked: Unpack[ReportRange]) -> Report:
        """Orders, units, gross and net by hour of the week in local time, all 168 of them."""
        with self._context.store.begin() as unit:
            question = evolve(self._question(unit, asked), grain="hour", by_partner=False)
            if question.until - question.since > LONGEST_HOURS:
                detail = f"Ask for at most {LONGEST_HOURS.days} days, which have 24 hours each."
                raise InvalidInput.at("/from", "too_many_periods", detail)
            complete = self._complete_to(unit, question)
            totals = unit.sales.totals(question)
        return _report(question, complete, _hour_rows(totals, question.zone))

    def rules(self, **asked: Unpack[ReportRange]) -> Report:
        """The orders placed with each price rule, and what it took off them, by who pays.

        Rules are the operator's: Forbidden for a partner.
        """
        if self._context.principal.partner_id is not None:
            raise Forbidden("Price rules are the operator's.", code="operator_only")
        with self._context.store.begin() as unit:
            question = self._question(unit, asked)
            complete = self._complete_to(unit, question)
            totals = unit.sales.rules(question)
            known = {total.rule_id for total in totals}
            names = {rule_id: unit.rules.get(rule_id).rule.name for rule_id in known}
        rows = [
            RuleSales(
                total.rule_id,
                names[total.rule_id],
                total.currency,
                total.uses,
                _shown(total.cost, total.currency),
                _shown(total.cost - total.platform_cost, total.currency),
                _shown(total.platform_cost, total.currency),
            )
            for total in totals
        ]
        rows.sort(key=lambda row: (row.currency, -row.cost, row.rule_id))
        return _report(question, complete, rows)

    def refunds(self, **asked: Unpack[ReportRange]) -> Report:
        """What was cancelled and refunded, by kind, reason and currency."""
        with self._context.store.begin() as unit:
            question = self._question(unit, asked)
            complete = self._complete_to(unit, question)
            totals = unit.sales.reasons(question)
        _check_rows(len(totals))
        rows = [
            RefundSales(
                total.kind,
                total.reason,
                total.currency,
                total.times,
                total.units,
                _shown(total.amount, total.currency),
            )
            for total in totals
        ]
        rows.sort(key=lambda row: (row.currency, row.kind, -row.amount, row.reason or ""))
        return _report(question, complete, rows)

    def _question(self, unit: UnitOfWork, asked: ReportRange) -> SalesQuestion:
        """The query with its defaults: from the first entry until now, inclusive."""
        code, tz = asked.get("currency"), asked.get("tz", "UTC")
        end = asked.get("until") or self._context.clock() + datetime.resolution
        # A partner mustn't even learn when other partners began to sell.
        first = unit.sales.first_at(self._context.principal.partner_id)
        start = asked.get("since") or min(first or end, end)
        refuse_if(
            "The report's parameters aren't valid.",
            (start > end, Fault("/from", "bad_range", "`from` must not be after `to`.")),
            (iana_zone(tz) is None, Fault("/tz", "unknown_time_zone", "Use an IANA name.")),
        )
        known = None if code is None else currency_of(code).code
        partner_id = self._context.partner_filter(unit, asked.get("partner"))
        basis = asked.get("basis", "event")
        return SalesQuestion(start, end, partner_id, known, zone=tz, basis=basis)

    def _complete_to(self, unit: UnitOfWork, question: SalesQuestion) -> datetime:
        """The moment before which nothing is missing, asked before the figures are read."""
        return min(unit.sales.complete_to(), question.until)


def _nothing(code: str) -> SalesTotal:
    return SalesTotal.nothing(None, "", code)


def _top_rows(unit: UnitOfWork, by: Dimension, totals: Sequence[RankedTotal]) -> list[TopSales]:
    """Rows with their ranks in each currency, and what the catalog has of products."""
    ids = [total.name for total in totals if total.name and by == "product"]
    products = unit.products.get_many(ids)
    ranks: defaultdict[str, int] = defaultdict(int)
    rows: list[TopSales] = []
    for total in totals:
        ranks[total.currency] += 1
        product = products.get(total.name or "")
        rows.append(
            TopSales(
                ranks[total.currency],
                product.product_name if product else total.name if by != "product" else None,
                total.name if by == "product" else None,
                product and product.sku,
                product and product.partner_id,
                product and product.partner_name,
                total.currency,
                total.units,
                _shown(total.gross, total.currency),
                _shown(total.net, total.currency),
            )
        )
    return rows


def _hour_rows(totals: Iterable[SalesTotal], tz: str) -> list[HourSales]:
    """All hours of the week of each currency with sales, by their local start."""
    clocks = ZoneInfo(tz)
    sums: dict[tuple[str, int, int], SalesTotal] = {}
    for total in totals:
        for weekday in range(1, 8) if (total.currency, 1, 0) not in sums else ():
            for hour in range(24):
                sums[total.currency, weekday, hour] = _nothing(total.currency)
        local = (total.period or _NEVER).astimezone(clocks)
        key = total.currency, local.isoweekday(), local.hour
        so_far = sums[key]
        sums[key] = evolve(
            so_far,
            orders=so_far.orders + total.orders,
            units=so_far.units + total.units,
            gross=so_far.gross + total.gross,
            net=so_far.net + total.net,
        )
    return [
        HourSales(
            weekday, hour, code, total.orders, total.units, _shown(total.gross, code),
            _shown(total.net, code),
        )
        for (code, weekday, hour), total in sorted(sums.items(), key=lambda pair: pair[0])
    ]  # fmt: skip


def _sellers(question: SalesQuestion, totals: Sequence[SalesTotal]) -> list[tuple[str, str]]:
    """The partners and currencies with rows: all that have sales, and the requested pair."""
    found = {(total.partner_id, total.currency) for total in totals}
    if question.partner_id is not None and question.currency is not None:
        found.add((question.partner_id, question.currency))
    return sorted(found)


def _period_row(total: SalesTotal, grain: Grain, tz: str, partner_name: str) -> PeriodSales:
    if total.period is None:
        raise AssertionError("a total over time has a period")
    return PeriodSales(
        show_period(total.period, grain, tz),
        total.partner_id,
        partner_name,
        total.currency,
        total.orders,
        total.units,
        _shown(total.gross, total.currency),
        _shown(total.net, total.currency),
    )


def _report(question: SalesQuestion, complete: datetime, rows: Sequence[Row]) -> Report:
    return Report(
        question.since, question.until, question.zone, tuple(rows), question.basis, complete
    )


def _shown(amount: Decimal, code: str) -> Decimal:
    return currency_of(code).round(amount)


def _check_rows(rows: int) -> None:
    if rows > MOST_ROWS:
        detail = f"The report would have {rows:,} rows; at most {MOST_ROWS:,} are allowed."
        raise InvalidInput.at("/grain", "too_many_periods", f"{detail} Use a coarser grain.")
