"""Public prices: what one unit of a product costs anyone, and what it cost before a reduction.

The selling price is the price of a basket of one unit, without code, customer or channel, under the
line rules that have no limit of uses or money. It is a function of time, and changes with versions
of the product and of rules, and with windows and sales.

    100 ──┐        ┌── 100 ──┐                    prior price of the 90: 80, the lowest of the
          └── 80 ──┘         └── 90 (running)     30 days before the running reduction began
"""

from bisect import bisect_right
from collections import defaultdict
from collections.abc import Hashable, Iterable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from decimal import Decimal
from itertools import pairwise
from operator import attrgetter
from typing import Final

from attrs import define, evolve, field, frozen

from commerce_core.catalog.product import Product, ProductStatus
from commerce_core.pricing.basket import total_of
from commerce_core.pricing.index import RuleIndex, key, keys_of_product, reach_of
from commerce_core.pricing.price import next_sale_change, partner_price
from commerce_core.pricing.price_list import ListSpell
from commerce_core.pricing.priced import Basket, BasketItem
from commerce_core.pricing.rules import PriceRule, Rule

PRIOR_DAYS: Final = 30
"""Days before a reduction whose lowest price is its prior price."""
LOOKED_BACK: Final = timedelta(days=366 + PRIOR_DAYS)
"""How far back prices are looked up; of a reduction that began earlier no prior price is known."""
MOST_VERSIONS: Final = 1_000
"""Versions of a product that are read for its prices; older ones are left out."""
PRICE_FACTS: Final = (
    "status", "source_id", "group_id", "brand", "category", "price", "currency", "sale_price",
    "sale_starts_at", "sale_ends_at", "attributes",
)  # fmt: skip
"""What the price of a product depends on, besides rules and the moment."""
_FACTS: Final = attrgetter(*PRICE_FACTS)
_TEXTS: Final = attrgetter("source_id", "group_id", "brand", "category", "attributes")
_DAY: Final = timedelta(days=1)
_PRIOR: Final = PRIOR_DAYS * _DAY


@frozen(kw_only=True)
class PriceFacts:
    """What the price of a product depended on, from a moment on."""

    since: datetime
    status: ProductStatus
    source_id: str
    group_id: str | None
    brand: str | None
    category: str | None
    price: Decimal | None
    currency: str | None
    sale_price: Decimal | None
    sale_starts_at: datetime | None
    sale_ends_at: datetime | None
    attributes: Mapping[str, str] | None

    @classmethod
    def of(cls, product: Product) -> "PriceFacts":
        """Those of a version of a product."""
        facts = zip(PRICE_FACTS, _FACTS(product), strict=True)
        return cls(since=product.updated_at, **dict(facts))

    def in_product(self, product: Product) -> Product:
        """The product as it was, as far as its price is concerned."""
        return evolve(product, **dict(zip(PRICE_FACTS, _FACTS(self), strict=True)))

    def matches_as(self, product: Product) -> bool:
        """Whether conditions that compare texts match it as they match the product."""
        return _TEXTS(self) == _TEXTS(product)


def changes_of_price(versions: Iterable[Product]) -> Iterator[PriceFacts]:
    """The facts of versions in order, without those that are as they were before."""
    before: PriceFacts | None = None
    for version in versions:
        facts = PriceFacts.of(version)
        if before is None or _FACTS(facts) != _FACTS(before):
            yield facts
        before = facts


@frozen
class RuleSpell:
    """A version of a rule, and until when it was the current one; None: it still is."""

    rule: PriceRule
    until: datetime | None

    def in_force(self, at: datetime) -> bool:
        """Whether it was active and current at that moment."""
        return self.rule.updated_at <= at and (self.until is None or at < self.until)


@frozen
class PublicPrice:
    """What one unit of a product costs anyone; None if it isn't for sale, or has no price.

    `prior_price` is the lowest such price in the 30 days before the running reduction began; None
    if no reduction is running, or if no price before it is known. `prior_price_days` is how many of
    these days are known: fewer than 30 if the product is younger, or its history was deleted.
    """

    selling_price: Decimal | None = None
    prior_price: Decimal | None = None
    prior_price_days: int | None = None


@frozen
class Lasting:
    """A public price, and the next moment at which it can change by itself; None: never."""

    price: PublicPrice
    until: datetime | None


def is_public(rule: Rule) -> bool:
    """Whether a rule can change a price that depends on no other product and no count of uses."""
    return rule.applies_to == "line" and not rule.limits.counted


@define
class PublicPrices:
    """Public prices at one moment, under the versions that rules have had until then."""

    at: datetime
    _spells: Sequence[RuleSpell]
    _by_key: Mapping[str, Sequence[int]]
    _always: Sequence[int]
    _listed: Mapping[str, Sequence[ListSpell]]
    _indexes: dict[tuple[int, ...], RuleIndex] = field(factory=dict[tuple[int, ...], RuleIndex])
    _changes: dict[int, frozenset[datetime]] = field(factory=dict[int, frozenset[datetime]])
    _next: dict[int, datetime | None] = field(factory=dict[int, datetime | None])
    _within: dict[tuple[int, datetime], tuple[bool, ...]] = field(
        factory=dict[tuple[int, datetime], tuple[bool, ...]]
    )

    @classmethod
    def under(
        cls, spells: Iterable[RuleSpell], at: datetime, listed: Iterable[ListSpell] = ()
    ) -> "PublicPrices":
        """Prices under these rules; those that aren't public are left out.

        `listed` are the prices of the products' skus on the lists that the rules name.
        """
        public = [
            spell
            for spell in spells
            if spell.rule.status == "active" and is_public(spell.rule.rule)
        ]
        keys = [reach_of(spell.rule.rule).keys for spell in public]
        by_key: defaultdict[str, list[int]] = defaultdict(list)
        for number, of_rule in enumerate(keys):
            for each in of_rule or ():
                by_key[each].append(number)
        always = [number for number, of_rule in enumerate(keys) if of_rule is None]
        by_sku: defaultdict[str, list[ListSpell]] = defaultdict(list)
        for each in listed:
            by_sku[each.sku].append(each)
        return cls(at, public, by_key, always, by_sku)

    def selling_price(self, product: Product) -> Lasting:
        """What one unit costs now."""
        course = _Course.of(self, product, ())
        return Lasting(PublicPrice(course.price_at(self.at)), course.next_change())

    def of(self, product: Product, facts: Sequence[PriceFacts]) -> Lasting:
        """The prices of a product, given what they depended on, oldest first.

        The product is as it is at this moment, and the last of the facts are its own.
        """
        course = _Course.of(self, product, facts)
        price, known = course.public_price()
        changes = (course.next_change(), known)
        return Lasting(price, min((at for at in changes if at is not None), default=None))

    def listed(self, product: Product) -> list[ListSpell]:
        """The prices of the product on lists in its currency."""
        return [s for s in self._listed.get(product.sku, ()) if s.currency == product.currency]

    def rules_for(self, product: Product, facts: Sequence[PriceFacts]) -> list[int]:
        """The numbers of the rules that may match the product, as it is or was."""
        numbers = set(self._always)
        if self._by_key:
            for own in keys_over_time(product, facts):
                numbers.update(self._by_key.get(own, ()))
        return sorted(numbers)

    def spell(self, number: int) -> RuleSpell:
        """The version of a rule with that number."""
        return self._spells[number]

    def changes(self, number: int) -> frozenset[datetime]:
        """The moments at which the rule with that number, or one of its windows, begins or ends."""
        known = self._changes.get(number)
        if known is None:
            spell, first = self._spells[number], self.at - LOOKED_BACK
            since, until = max(first, spell.rule.updated_at), min(spell.until or self.at, self.at)
            moments = [since, *([spell.until] if spell.until else [])]
            for window in self._spells[number].rule.rule.windows:
                moments += window.changes(since, until)
            known = self._changes[number] = frozenset(moments)
        return known

    def windows_at(self, number: int, at: datetime) -> tuple[bool, ...]:
        """Whether the moment lies within each window of the rule with that number."""
        windows = self._spells[number].rule.rule.windows
        if not windows:
            return ()
        known = self._within.get((number, at))
        if known is None:
            known = self._within[number, at] = tuple(w.contains(at) for w in windows)
        return known

    def next_change(self, number: int) -> datetime | None:
        """The next moment at which the rule with that number can match what it doesn't now."""
        if number not in self._next:
            spell, now = self._spells[number], self.at
            moments = [spell.rule.updated_at, spell.until]
            if spell.in_force(now):
                moments += [window.next_change(now) for window in spell.rule.rule.windows]
            later = (moment for moment in moments if moment is not None and moment > now)
            self._next[number] = min(later, default=None)
        return self._next[number]

    def index(self, numbers: tuple[int, ...]) -> RuleIndex:
        """The index of the rules with these numbers."""
        known = self._indexes.get(numbers)
        if known is None:
            known = self._indexes[numbers] = RuleIndex.of(self._spells[n].rule for n in numbers)
        return known


def keys_over_time(product: Product, facts: Iterable[PriceFacts]) -> Iterator[str]:
    """The keys that a product has, or had."""
    yield from keys_of_product(product)
    yield key("currency", product.currency or "")
    for each in facts:
        if not each.matches_as(product):
            yield from keys_of_product(each.in_product(product))


@define
class _Course:
    """The course of one product's price."""

    _prices: PublicPrices
    _product: Product
    _facts: Sequence[PriceFacts | Product]
    _since: Sequence[datetime]
    _rules: list[int]
    _listed: Sequence[ListSpell]
    _known: dict[Hashable, Decimal | None] = field(factory=dict[Hashable, Decimal | None])
    _asked: dict[int, Decimal] = field(factory=dict[int, Decimal])

    @classmethod
    def of(cls, prices: PublicPrices, product: Product, facts: Sequence[PriceFacts]) -> "_Course":
        """The course of a product with these facts; without any, it has always been as it is."""
        since = [each.since for each in facts] or [product.updated_at]
        rules, listed = prices.rules_for(product, facts), prices.listed(product)
        return cls(prices, product, facts or (product,), since, rules, listed)

    def price_at(self, at: datetime) -> Decimal | None:
        """What a unit cost anyone then; None if it wasn't for sale in the currency of today."""
        number = max(0, bisect_right(self._since, at) - 1)
        version = self._facts[number]
        if version.status == "removed" or not version.price:
            return None
        if version.currency != self._product.currency:
            return None
        own = self._own_price(number, version, at)
        rules = tuple([n for n in self._rules if self._prices.spell(n).in_force(at)])
        if not rules:
            return own
        windows = tuple(self._prices.windows_at(n, at) for n in rules)
        listed = tuple(s for s in self._listed if s.in_force(at))
        what = (number, own, rules, windows, listed)
        if what not in self._known:
            if isinstance(version, PriceFacts):
                version = version.in_product(self._product)
            basket, index = Basket((BasketItem(version, 1),)), self._prices.index(rules)
            lists = {each.list_id: {each.sku: ((1, each.price),)} for each in listed}
            self._known[what] = total_of(basket, index, at, lists)
        return self._known[what]

    def _own_price(self, number: int, version: PriceFacts | Product, at: datetime) -> Decimal:
        """What the partner asks for a unit of that version."""
        if version.sale_price is not None:
            return partner_price(version, at).unit_price
        known = self._asked.get(number)
        if known is None:
            known = self._asked[number] = partner_price(version, at).unit_price
        return known

    def next_change(self) -> datetime | None:
        """The next moment at which the price can change without a new version or rule."""
        changes = [next_sale_change(self._product, self._prices.at)]
        changes += [self._prices.next_change(number) for number in self._rules]
        return min((change for change in changes if change is not None), default=None)

    def public_price(self) -> tuple[PublicPrice, datetime | None]:
        """The price now and, if it is a reduction, the lowest in the days before it began.

        With the moment from which so much less is looked back at that the price before may differ.
        """
        now = self._prices.at
        selling = self.price_at(now)
        if selling is None:
            return PublicPrice(), None
        listed = partner_price(self._product, now).list_price
        first, began = max(self._since[0], now - LOOKED_BACK), now
        lowest: Decimal | None = None
        before: Decimal | None = None
        for since, until in self._parts(first):
            price = self.price_at(since)
            if before is None and price in (selling, None):
                # What isn't for sale for a while doesn't end a reduction.
                began = since if price == selling else began
                continue
            before = price if before is None else before
            if until <= began - _PRIOR or not _is_reduced(selling, listed, before):
                break
            if price is not None:
                lowest = price if lowest is None else min(lowest, price)
        if not _is_reduced(selling, listed, before):
            return PublicPrice(selling), None
        if before is None:
            return PublicPrice(selling, None, 0), None
        days = min(PRIOR_DAYS, (began - first) // _DAY)
        # What is looked back at begins a day later every day.
        known = max(now, max(first, began - _PRIOR) + LOOKED_BACK)
        return PublicPrice(selling, lowest, days), known

    def _parts(self, since: datetime) -> Iterator[tuple[datetime, datetime]]:
        """The parts of the time until now in each of which the price doesn't change; newest first.

        The first part ends now, the last one begins at that moment.
        """
        now = self._prices.at
        moments = set(self._since)
        for version in self._facts:
            if version.sale_price is not None:
                cuts = (version.sale_starts_at, version.sale_ends_at)
                moments.update(cut for cut in cuts if cut is not None)
        for number in self._rules:
            moments |= self._prices.changes(number)
        for each in self._listed:
            moments |= {each.since, *([each.until] if each.until else [])}
        inside = sorted({since, now, *(m for m in moments if since < m < now)}, reverse=True)
        if len(inside) == 1:
            yield now, now
        for until, begins in pairwise(inside):
            yield begins, until


def _is_reduced(selling: Decimal, listed: Decimal, before: Decimal | None) -> bool:
    return selling < listed or (before is not None and selling < before)
