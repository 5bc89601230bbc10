"""What if: what orders that were placed would have cost under other rules, as a fold over them.

Each order is priced again by the function that priced it, at its own moment and under its own
terms. Limits of rules are used up in the order in which orders were placed. Nothing is written.
"""

from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Final, Literal

from attrs import define, field, frozen

from commerce_core.pricing.explanation import Adjustment
from commerce_core.pricing.priced import PricedBasket, Usage
from commerce_core.pricing.rules import PriceRule, Rule

MOST_ORDERS: Final = 10_000
"""The most orders that are priced again at once."""
MOST_ORDERS_OF_RUN: Final = 1_000_000
"""The most orders that a worker prices again in a run."""
MOST_QUEUED_RUNS: Final = 20
"""The most runs that may be unfinished."""
RUNS_KEPT: Final = timedelta(days=90)
"""How long a run is kept after it finished."""
NO_CATEGORY: Final = ""


@frozen
class Paid:
    """What a customer pays for lines, and what the platform and the partner take off for it.

    `margin` is what is paid beyond the costs, of the lines whose costs are known.
    """

    total: Decimal
    platform: Decimal
    partner: Decimal
    margin: Decimal

    def __add__(self, other: "Paid") -> "Paid":
        return Paid(
            self.total + other.total, self.platform + other.platform,
            self.partner + other.partner, self.margin + other.margin,
        )  # fmt: skip

    @classmethod
    def of(cls, total: Decimal, steps: Iterable[Adjustment], cost: Decimal | None) -> "Paid":
        """What is paid for a line with these steps; `cost` is that of all its units."""
        partner = platform = total - total
        for step in steps:
            partner -= step.partners_part
            platform -= step.amount - step.partners_part
        return cls(total, platform, partner, total - (total if cost is None else cost))


@frozen
class WhatIfLine:
    """A line of an order: what it cost, and what it would have cost."""

    partner_id: str
    category: str
    before: Paid
    after: Paid
    cost_is_known: bool = False


@frozen
class WhatIfRow:
    """What lines cost and would have cost, in one currency; `key` is what they have in common.

    `platform` and `partner` are what each takes off prices, less what it adds. The `margin` is what
    is paid beyond the costs, for the `costed_lines`, whose costs are in a list that a floor names.
    """

    key: str
    currency: str
    lines: int
    before: Decimal
    after: Decimal
    difference: Decimal
    platform_before: Decimal
    platform_after: Decimal
    partner_before: Decimal
    partner_after: Decimal
    costed_lines: int
    margin_before: Decimal
    margin_after: Decimal


@frozen
class WhatIf:
    """What orders would have cost: in all, by partner (its id), and by category.

    `orders` were priced again, and `changed` of them would have cost something else. `skipped`
    contain a product that can't be priced any more. `floored` lines would have been held by a
    floor. `uses` is how often each rule with an effect would have been used, by its name.
    """

    orders: int
    changed: int
    skipped: int
    floored: int
    totals: tuple[WhatIfRow, ...]
    by_partner: tuple[WhatIfRow, ...]
    by_category: tuple[WhatIfRow, ...]
    uses: Mapping[str, int]


@frozen(kw_only=True)
class WhatIfRun:
    """A what-if that a worker runs: the orders of a range, under the active rules with these.

    `report` is there once it is done; a run that failed has a `problem`.
    """

    what_if_id: str
    status: Literal["queued", "running", "done", "failed"] = "queued"
    since: datetime
    until: datetime
    rules: tuple[Rule, ...]
    created_at: datetime
    finished_at: datetime | None = None
    report: WhatIf | None = None
    problem: str | None = None


@frozen
class _Sum:
    lines: int
    costed: int
    before: Paid
    after: Paid


_Rows = dict[tuple[str, str], _Sum]


@define
class Trial:
    """Adds up orders that are priced again, and keeps what is used up of the rules' limits."""

    rules: Mapping[str, PriceRule]
    orders: int = 0
    changed: int = 0
    skipped: int = 0
    floored: int = 0
    _totals: _Rows = field(factory=dict[tuple[str, str], _Sum])
    _partners: _Rows = field(factory=dict[tuple[str, str], _Sum])
    _categories: _Rows = field(factory=dict[tuple[str, str], _Sum])
    _uses: dict[str, int] = field(factory=dict[str, int])
    _used: dict[str, int] = field(factory=dict[str, int])
    _spent: dict[tuple[str, str], Decimal] = field(factory=dict[tuple[str, str], Decimal])
    _by_customer: dict[tuple[str, str], int] = field(factory=dict[tuple[str, str], int])

    def usage(self, customer: str | None, currency: str) -> Mapping[str, Usage]:
        """What has been used so far, as this customer finds it in this currency."""
        return {
            rule_id: Usage(
                used,
                self._spent.get((rule_id, currency), Decimal(0)),
                self._by_customer.get((rule_id, customer or ""), 0),
            )
            for rule_id, used in self._used.items()
        }

    def add(self, priced: PricedBasket, lines: Iterable[WhatIfLine], customer: str | None) -> None:
        """Adds an order that was priced again."""
        self.orders += 1
        changed = False
        for line in lines:
            changed = changed or line.before.total != line.after.total
            _count(self._totals, "", priced.currency, line)
            _count(self._partners, line.partner_id, priced.currency, line)
            _count(self._categories, line.category, priced.currency, line)
        self.changed += changed
        steps = [step for item in priced.items for step in item.adjustments]
        self.floored += sum(step.limited_by == "floor" for step in steps)
        for rule_id in {step.rule_id for step in steps if step.rule_id}:
            name = self.rules[rule_id].rule.name
            self._uses[name] = self._uses.get(name, 0) + 1
        for use in priced.uses:
            self._used[use.rule_id] = self._used.get(use.rule_id, 0) + 1
            budget = use.rule_id, priced.currency
            self._spent[budget] = self._spent.get(budget, Decimal(0)) + use.amount
            if customer is not None:
                own = use.rule_id, customer
                self._by_customer[own] = self._by_customer.get(own, 0) + 1

    def result(self) -> WhatIf:
        """The sums so far, the largest differences first."""
        return WhatIf(
            self.orders, self.changed, self.skipped, self.floored, _sorted(self._totals),
            _sorted(self._partners), _sorted(self._categories), dict(sorted(self._uses.items())),
        )  # fmt: skip


def _count(rows: _Rows, key: str, code: str, line: WhatIfLine) -> None:
    known = rows.get((key, code))
    if known is None:
        rows[key, code] = _Sum(1, int(line.cost_is_known), line.before, line.after)
        return
    rows[key, code] = _Sum(
        known.lines + 1, known.costed + line.cost_is_known, known.before + line.before,
        known.after + line.after,
    )  # fmt: skip


def _sorted(rows: _Rows) -> tuple[WhatIfRow, ...]:
    made = (
        WhatIfRow(
            key, code, of.lines, of.before.total, of.after.total, of.after.total - of.before.total,
            of.before.platform, of.after.platform, of.before.partner, of.after.partner,
            of.costed, of.before.margin, of.after.margin,
        )
        for (key, code), of in rows.items()
    )  # fmt: skip
    return tuple(sorted(made, key=lambda row: (row.currency, -abs(row.difference), row.key)))
