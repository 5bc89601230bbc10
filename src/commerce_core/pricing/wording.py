"""Benefits in words, for lists of rules."""

from decimal import Decimal
from typing import Final, assert_never

from attrs import frozen

from commerce_core.pricing.benefits import (
    Amount,
    Benefit,
    Bundle,
    Ending,
    FixedPrice,
    Floor,
    Listed,
    MarkupAmount,
    MarkupPercent,
    NForM,
    Percent,
    Sets,
    Simple,
    Tiers,
)
from commerce_core.pricing.rules import Rule

_FREE: Final = Decimal(100)
_MOST_STEPS: Final = 4


def benefit_words(rule: Rule) -> str:
    """What a rule does to prices, as a short phrase: `10 % off`."""
    return _Words(rule.currency, rule.applies_to == "order").of(rule.benefit)


@frozen
class _Words:
    currency: str | None
    is_order: bool

    def of(self, benefit: Benefit) -> str:
        match benefit:
            case Percent() | Amount() | FixedPrice():
                return self._simple(benefit)
            case MarkupPercent(percent):
                return f"{percent:f} % more"
            case MarkupAmount(amount):
                return f"{self._money(amount)} more for each unit"
            case Tiers():
                return self._tiers(benefit)
            case NForM():
                return self._n_for_m(benefit)
            case Sets(min_total, percent, most):
                return f"{percent:f} % off sets of at least {self._money(min_total)}{_most(most)}"
            case Bundle(items, price, most):
                units = sum(item.quantity for item in items)
                named = "1 unit" if units == 1 else f"{units:,} units together"
                return f"{named} for {self._money(price)}{_most(most)}"
            case Ending(to, multiple, mode):
                ending = f"multiples of {to:f}" if multiple else f"{to:f}".removeprefix("0")
                how = {"down": "rounded down", "up": "rounded up", "nearest": "rounded"}[mode]
                return f"prices {how} to {ending}"
            case Listed():
                return "prices of a price list"
            case Floor():
                return self._floor(benefit)
            case _:
                assert_never(benefit)

    def _simple(self, benefit: Simple) -> str:
        match benefit:
            case Percent(percent):
                return f"{percent:f} % off"
            case Amount(amount):
                return f"{self._money(amount)} off {'the order' if self.is_order else 'each unit'}"
            case FixedPrice(price):
                return f"{self._money(price)} for {'all of it' if self.is_order else 'each unit'}"
            case _:
                assert_never(benefit)

    def _tiers(self, tiers: Tiers) -> str:
        steps = [
            f"from {step.from_:,} units {self._simple(step.benefit)}"
            for step in tiers.steps[:_MOST_STEPS]
        ]
        more = len(tiers.steps) - _MOST_STEPS
        others = [f"{more:,} more {'step' if more == 1 else 'steps'}"] if more > 0 else []
        return ", ".join([*steps, *others])

    def _n_for_m(self, offer: NForM) -> str:
        free = offer.benefit == Percent(_FREE)
        gets = "free" if free else f"at {self._simple(offer.benefit)}"
        return f"buy {offer.buy:,}, get {offer.get:,} {gets}{_most(offer.most)}"

    def _floor(self, floor: Floor) -> str:
        least = [
            *([] if floor.price is None else [self._money(floor.price)]),
            *([] if floor.percent_of_list is None
              else [f"{floor.percent_of_list:f} % of the list price"]),
            *([] if floor.margin_percent is None
              else [f"the cost plus {floor.margin_percent:f} %"]),
        ]  # fmt: skip
        return f"never below {' and '.join(least)}"

    def _money(self, amount: Decimal) -> str:
        return f"{amount:f} {self.currency}" if self.currency else f"{amount:f}"


def _most(most: int | None) -> str:
    if most is None:
        return ""
    return ", at most once" if most == 1 else f", at most {most:,} times"
