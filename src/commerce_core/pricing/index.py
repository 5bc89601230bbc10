"""An index of rules by what a line must have for them to match, so that others aren't looked at.

A key is a text such as `brand=Acme`. A rule with keys matches only lines that have one of them, in
their product or in the basket; one without keys may match any line.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Final

from attrs import frozen

from commerce_core.catalog.product import Product
from commerce_core.pricing.benefits import Benefit, Bundle, NForM
from commerce_core.pricing.conditions import All, AnyOf, Condition, HasAttribute, Is
from commerce_core.pricing.lines import (
    BASKET_FIELDS,
    PRODUCT_FIELDS,
    Line,
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
        if isinstance(each, Is) and each.field in BASKET_FIELDS
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
        case _:
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
        case _:
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


def _keys_of_line(line: Line) -> Iterator[str]:
    """The keys of the line's product."""
    for name in PRODUCT_FIELDS:
        for text in line.texts[name]:
            yield f"{name}={text}"
    for name, text in line.attributes.items():
        yield _attribute(name, text)


@frozen
class RuleIndex:
    """Rules in the order in which they are applied, by their keys."""

    rules: tuple[PriceRule, ...]
    _reaches: Sequence[Reach]
    _by_key: Mapping[str, Sequence[int]]
    _always: Sequence[int]

    @classmethod
    def of(cls, rules: Iterable[PriceRule]) -> "RuleIndex":
        """The index of these rules; they are active, or are treated as if they were."""
        ordered = in_order(rules)
        reaches = [reach_of(rule.rule) for rule in ordered]
        by_key: defaultdict[str, list[int]] = defaultdict(list)
        always: list[int] = []
        for number, reach in enumerate(reaches):
            if reach.keys is None:
                always.append(number)
            else:
                for each in reach.keys:
                    by_key[each].append(number)
        return cls(tuple(ordered), reaches, dict(by_key), always)

    def candidates(
        self, lines: Sequence[Line], basket_keys: frozenset[str], at: datetime
    ) -> list[tuple[PriceRule, Sequence[Line]]]:
        """The rules that may match, in order, each with the lines that it may match."""
        found: dict[int, list[Line]] = {}
        for line in lines:
            for each in _keys_of_line(line):
                for number in self._by_key.get(each, ()):
                    having = found.setdefault(number, [])
                    # A line may have several keys of a rule.
                    if not having or having[-1] is not line:
                        having.append(line)
        together: dict[int, Sequence[Line]] = {**found, **dict.fromkeys(self._always, lines)}
        for each in basket_keys:
            together.update(dict.fromkeys(self._by_key.get(each, ()), lines))
        return [
            (self.rules[number], together[number])
            for number in sorted(together)
            if self._reaches[number].includes(basket_keys, at)
        ]
