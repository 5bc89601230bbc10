"""What if: what orders that were placed would have cost under other rules, as a fold over them.

Each order is priced again by the function that priced it, at its own moment and under its own
terms. Limits of rules are used up in the order in which orders were placed. Nothing is written.
"""

from collections.abc import Iterable, Mapping
from decimal import Decimal
from typing import Final

from attrs import define, field, frozen

from commerce_core.pricing.priced import PricedBasket, Usage
from commerce_core.pricing.rules import PriceRule

MOST_ORDERS: Final = 10_000
"""The most orders that are priced again at once."""
NO_CATEGORY: Final = ""


@frozen
class WhatIfLine:
    """A line of an order: what it cost, and what it would have cost."""

    partner_id: str
    category: str
    before: Decimal
    after: Decimal


@frozen
class WhatIfRow:
    """What lines cost and would have cost, in one currency; `key` is what they have in common."""

    key: str
    currency: str
    lines: int
    before: Decimal
    after: Decimal
    difference: Decimal


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


_Rows = dict[tuple[str, str], WhatIfRow]


@define
class Trial:
    """Adds up orders that are priced again, and keeps what is used up of the rules' limits."""

    rules: Mapping[str, PriceRule]
    orders: int = 0
    changed: int = 0
    skipped: int = 0
    floored: int = 0
    _totals: _Rows = field(factory=dict[tuple[str, str], WhatIfRow])
    _partners: _Rows = field(factory=dict[tuple[str, str], WhatIfRow])
    _categories: _Rows = field(factory=dict[tuple[str, str], WhatIfRow])
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
            changed = changed or line.before != line.after
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
    zero = line.before - line.before
    row = rows.get((key, code), WhatIfRow(key, code, 0, zero, zero, zero))
    before, after = row.before + line.before, row.after + line.after
    rows[key, code] = WhatIfRow(key, code, row.lines + 1, before, after, after - before)


def _sorted(rows: _Rows) -> tuple[WhatIfRow, ...]:
    by_size = sorted(rows.values(), key=lambda row: (row.currency, -abs(row.difference), row.key))
    return tuple(by_size)
