"""An index of rules by what a line must have for them to match, so that others aren't looked at.

A key is a text such as `brand=Acme`. A rule with keys matches only lines that have one of them, in
their product or in the basket; one without keys may match any line.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Final

from attrs import frozen

from commerce_core.catalog.product import Product
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
    Tiers,
)
from commerce_core.pricing.conditions import (
    All,
    AnyOf,
    Condition,
    HasAttribute,
    Is,
    Not,
    PriceWithin,
    Quantity,
    Total,
)
from commerce_core.pricing.lines import (
    BASKET_TEXTS,
    PRODUCT_TEXTS,
    Line,
    ProductField,
    TextField,
    canonical_code,
    texts_of,
)
from commerce_core.pricing.rules import PriceRule, Rule, in_order
from commerce_core.pricing.windows import Window

MOST_KEYS: Final = 10_000
"""A rule that would need more keys has none."""
_RANKS: Final[Mapping[str, int]] = {
    name: rank
    for rank, name in enumerate(
        ("code", "customer", "sku", "group_id", "attribute", "brand", "category", "source",
         "customer_group", "partner", "channel", "currency")
    )
}  # fmt: skip
"""How much a key of that field narrows down the lines, the narrowest first."""

Keys = tuple[int, frozenset[str]]


@frozen
class Reach:
    """What has to be the case for a rule to match any line of a basket.

    A line has one of the `keys`, the basket has one of the `basket_keys`, and the moment is before
    `ends`; None requires nothing.
    """

    keys: frozenset[str] | None
    basket_keys: frozenset[str] | None
    ends: datetime | None

    @property
    def is_limited(self) -> bool:
        """Whether more than a line's keys has to fit."""
        return self.ends is not None or self.basket_keys is not None

    def includes(self, basket_keys: frozenset[str], at: datetime) -> bool:
        """Whether a basket with these keys can be matched at that moment."""
        if self.ends is not None and self.ends <= at:
            return False
        return self.basket_keys is None or not self.basket_keys.isdisjoint(basket_keys)


def reach_of(rule: Rule) -> Reach:
    """How far the rule reaches."""
    conditions = required(rule.condition)
    own = _keys(rule.condition) if rule.condition is not None else None
    best = _narrowest(keys for keys in (own, _keys_of_benefit(rule.benefit)) if keys is not None)
    of_basket = _narrowest(
        keys
        for each in conditions
        if isinstance(each, Is) and each.field in BASKET_TEXTS
        if (keys := _keys(each)) is not None
    )
    ends = (each.ends for each in conditions if isinstance(each, Window))
    return Reach(
        best[1] if best is not None and len(best[1]) <= MOST_KEYS else None,
        of_basket[1] if of_basket is not None else None,
        min((end for end in ends if end is not None), default=None),
    )


def required(condition: Condition | None) -> Sequence[Condition]:
    """Conditions that all have to hold."""
    match condition:
        case None:
            return ()
        case All(conditions):
            return [part for each in conditions for part in required(each)]
        case _:
            return [condition]


def _keys(condition: Condition) -> Keys | None:
    match condition:
        case Is(name, values):
            texts = map(canonical_code, values) if name == "code" else values
            return _RANKS[name], frozenset(key(name, text) for text in texts)
        case HasAttribute(name, values):
            return _RANKS["attribute"], frozenset(_attribute(name, text) for text in values)
        case All(conditions):
            return _narrowest(keys for each in conditions if (keys := _keys(each)) is not None)
        case AnyOf(conditions):
            return _either(conditions)
        case Not() | PriceWithin() | Quantity() | Total() | Window():
            return None


def _keys_of_benefit(benefit: Benefit) -> Keys | None:
    match benefit:
        case NForM():
            if benefit.qualifiers is None:
                return None
            targets = [benefit.targets] if benefit.targets is not None else []
            return _either([benefit.qualifiers, *targets])
        case Bundle(items):
            return _either([item.condition for item in items])
        case (
            Percent() | Amount() | FixedPrice() | MarkupPercent() | MarkupAmount() | Tiers()
            | Sets() | Ending() | Listed() | Floor()
        ):  # fmt: skip
            return None


def _either(conditions: Sequence[Condition]) -> Keys | None:
    found = [_keys(each) for each in conditions]
    known = [keys for keys in found if keys is not None]
    if not known or len(known) < len(found):
        return None
    return max(rank for rank, _ in known), frozenset[str]().union(*(keys for _, keys in known))


def _narrowest(found: Iterable[Keys]) -> Keys | None:
    return min(found, key=lambda keys: (keys[0], len(keys[1])), default=None)


def key(name: TextField, text: str) -> str:
    """The key of a text of a product or of a basket."""
    return f"{name}={text}"


def _attribute(name: str, text: str) -> str:
    return f"attribute={name}={text}"


def keys_of_product(product: Product) -> frozenset[str]:
    """All keys of a product."""
    texts = texts_of(product).items()
    attributes = (product.attributes or {}).items()
    return frozenset(
        [key(name, text) for name, values in texts for text in values]
        + [_attribute(name, text) for name, text in attributes]
    )


@frozen
class RuleIndex:
    """Rules in the order in which they are applied, by their keys."""

    rules: tuple[PriceRule, ...]
    _limited: Mapping[int, Reach]
    _by_text: Mapping[str, Mapping[str, Sequence[int]]]
    _of_products: Sequence[ProductField]
    _always: Sequence[int]

    @classmethod
    def of(cls, rules: Iterable[PriceRule]) -> "RuleIndex":
        """The index of these rules; they are active, or are treated as if they were."""
        ordered = in_order(rules)
        reaches = [reach_of(rule.rule) for rule in ordered]
        by_text: defaultdict[str, dict[str, list[int]]] = defaultdict(dict)
        always: list[int] = []
        for number, reach in enumerate(reaches):
            if reach.keys is None:
                always.append(number)
            else:
                for each in reach.keys:
                    name, _, text = each.partition("=")
                    by_text[name].setdefault(text, []).append(number)
        of_products: list[ProductField] = [name for name in PRODUCT_TEXTS if name in by_text]
        limited = {n: reach for n, reach in enumerate(reaches) if reach.is_limited}
        return cls(tuple(ordered), limited, dict(by_text), of_products, always)

    def candidates(
        self, lines: Sequence[Line], basket_keys: frozenset[str], at: datetime
    ) -> list[tuple[PriceRule, Sequence[Line]]]:
        """The rules that may match, in order, each with the lines that it may match."""
        found: dict[int, list[Line]] = {}
        for line in lines:
            for number in self._numbers(line):
                having = found.setdefault(number, [])
                # A line may have several keys of a rule.
                if not having or having[-1] is not line:
                    having.append(line)
        together: dict[int, Sequence[Line]] = {**found, **dict.fromkeys(self._always, lines)}
        for each in basket_keys:
            name, _, text = each.partition("=")
            together.update(dict.fromkeys(self._by_text.get(name, {}).get(text, ()), lines))
        return [
            (self.rules[number], together[number])
            for number in sorted(together)
            if (reach := self._limited.get(number)) is None or reach.includes(basket_keys, at)
        ]

    def _numbers(self, line: Line) -> list[int]:
        """The numbers of the rules that have a key of the line's product; some more than once."""
        found: list[int] = []
        for name in self._of_products:
            by_text = self._by_text[name]
            for text in line.texts[name]:
                if text in by_text:
                    found += by_text[text]
        if line.attributes and (by_text := self._by_text.get("attribute")):
            for name, text in line.attributes.items():
                found += by_text.get(f"{name}={text}", ())
        return found
