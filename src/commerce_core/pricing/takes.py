"""Takes: which units a benefit uses, and how much it takes off each, before limits and rounding.

Everything is in exact fractions of the currency's smallest unit. Units are ordered by price,
partner and sku, so neither the order of lines nor how they were added matters.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from decimal import Decimal
from fractions import Fraction
from itertools import pairwise
from typing import Final, assert_never

from attrs import define, field, frozen

from commerce_core.pricing.benefits import (
    Amount,
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
    Tier,
    Tiers,
)
from commerce_core.pricing.conditions import Condition, Now, group_of, matching, sums
from commerce_core.pricing.lines import Line, Part
from commerce_core.pricing.price_list import ListPrices, price_for
from commerce_core.pricing.rules import Rule

_NOTHING: Final = Fraction(0)


@frozen
class Taken:
    """The units of one line that a rule uses."""

    line: Line
    parts: tuple[Part, ...]

    @property
    def off(self) -> Fraction:
        """What it would take off the line."""
        return _NOTHING + sum(part.off for part in self.parts)

    @property
    def base(self) -> Fraction:
        """What the units that it reduces cost so far."""
        worth = self.line.worth
        return _NOTHING + sum(worth(p.run, p.count) for p in self.parts if p.off)

    @property
    def units(self) -> int:
        """How many units it reduces."""
        return sum(part.count for part in self.parts if part.off)


@frozen
class Take:
    """What a rule would take. If `whole` is given, that amount is shared among the lines."""

    lines: tuple[Taken, ...]
    whole: Fraction | None = None


@frozen
class _Units:
    """Units of one run, with the price by which they are chosen."""

    line: Line
    run: int
    count: int
    price: Fraction

    @property
    def order(self) -> tuple[Fraction, tuple[str, str, str]]:
        return self.price, self.line.key


@define
class _Chosen:
    """Collects the units that a rule uses, by line."""

    found: dict[tuple[str, str, str], tuple[Line, list[Part]]] = field(
        factory=dict[tuple[str, str, str], tuple[Line, list[Part]]]
    )

    def add(self, units: _Units, count: int, off: Fraction) -> None:
        """Uses units, and takes that much off each."""
        if count:
            _, parts = self.found.setdefault(units.line.key, (units.line, []))
            parts.append(Part(units.run, count, off * count))

    def take(self, whole: Fraction | None = None) -> Take:
        ordered = sorted(self.found.items())
        return Take(tuple(Taken(line, tuple(parts)) for _, (line, parts) in ordered), whole)


def take(
    rule: Rule, matched: Sequence[Line], every: Sequence[Line], now: Now, lists: ListPrices
) -> Take:
    """What the rule would take from the lines that match it, of all lines of the basket."""
    benefit = rule.benefit
    if isinstance(benefit, Percent | Amount | FixedPrice | MarkupPercent | MarkupAmount):
        return _simple(rule, benefit, matched)
    units = _units(rule, matched)
    match benefit:
        case Tiers():
            return _tiers(benefit, units, every)
        case NForM():
            return _n_for_m(benefit, units, every, now)
        case Sets():
            return _sets(benefit, units)
        case Bundle():
            return _bundle(benefit, units, every, now)
        case Ending():
            return _ending(benefit, units)
        case Listed(list_id):
            return _listed(lists.get(list_id, {}), units)
        case Floor():
            return Take(())
        case _:
            assert_never(benefit)


def _units(rule: Rule, lines: Iterable[Line]) -> list[_Units]:
    """The units that the rule's group hasn't used, cheapest first."""
    group = rule.group.name if rule.group else None
    found = [
        _Units(line, n, run.count, Fraction(line.list_price) if rule.on == "list" else run.price)
        for line in lines
        for n, run in line.free_runs(group)
    ]
    return sorted(found, key=lambda units: units.order) if len(found) > 1 else found


def _minor(amount: Decimal, line: Line) -> Fraction:
    return Fraction(amount) * line.scale


def _off(benefit: Simple, units: _Units) -> Fraction:
    """What a benefit takes off one unit, at most its price."""
    running = _running(units)
    match benefit:
        case Percent(percent):
            return min(running, units.price * Fraction(percent) / 100)
        case Amount(amount):
            return min(running, _minor(amount, units.line))
        case FixedPrice(price):
            return max(_NOTHING, running - _minor(price, units.line))
        case _:
            assert_never(benefit)


def _simple(
    rule: Rule, benefit: Simple | MarkupPercent | MarkupAmount, lines: Sequence[Line]
) -> Take:
    """The same for all units: whole lines at once, since their order doesn't matter."""
    group = rule.group.name if rule.group else None
    shared = rule.applies_to == "order" and isinstance(benefit, Amount | FixedPrice)
    off_of = _off_all(benefit, rule, lines[0]) if lines and not shared else None
    found: list[Taken] = []
    for line in lines:
        runs = [(number, run.count) for number, run in line.free_runs(group)]
        if runs:
            parts = [
                Part(n, count, off_of(line, n, count) if off_of else line.worth(n, count))
                for n, count in runs
            ]
            found.append(Taken(line, tuple(parts)))
    return Take(tuple(found), _whole(benefit, found) if shared and found else None)


def _whole(benefit: Simple | MarkupPercent | MarkupAmount, found: Sequence[Taken]) -> Fraction:
    """What an amount, or one price for all, takes off the order."""
    line = found[0].line
    match benefit:
        case Amount(amount):
            return _minor(amount, line)
        case FixedPrice(price):
            total = sum((taken.off for taken in found), _NOTHING)
            return max(_NOTHING, total - _minor(price, line))
        case _:
            return _NOTHING


def _off_all(
    benefit: Simple | MarkupPercent | MarkupAmount, rule: Rule, line: Line
) -> Callable[[Line, int, int], Fraction | int]:
    """What a benefit takes off a number of units of a run."""
    match benefit:
        case Percent(percent) | MarkupPercent(percent):
            share = Fraction(percent) / 100
            sign = 1 if isinstance(benefit, Percent) else -1
            if rule.on == "list":
                return lambda line, run, n: min(
                    line.worth(run, n), sign * line.list_price * n * share
                )
            return lambda line, run, n: sign * line.worth(run, n) * share
        case Amount(amount):
            minor = _minor(amount, line)
            return lambda line, run, n: min(line.worth(run, n), minor * n)
        case FixedPrice(price):
            minor = _minor(price, line)
            return lambda line, run, n: max(0, line.worth(run, n) - minor * n)
        case MarkupAmount(amount):
            minor = _minor(amount, line)
            return lambda _line, _run, n: -minor * n
        case _:
            assert_never(benefit)


def _tiers(benefit: Tiers, units: Sequence[_Units], every: Sequence[Line]) -> Take:
    lines = list({each.line.key: each.line for each in units}.values())
    counted = sums([benefit.of], every, lines)
    chosen = _Chosen()
    positions: dict[object, int] = {}
    for each in units:
        shared = group_of(each.line, benefit.of)
        if benefit.mode == "each":
            reached = _tier_at(benefit, counted[benefit.of, shared][0])
            chosen.add(each, each.count, _off(reached.benefit, each) if reached else _NOTHING)
            continue
        start = positions.get(shared, 0)
        positions[shared] = start + each.count
        for step, count in _graduated(benefit, start, each.count):
            chosen.add(each, count, _off(step.benefit, each) if step else _NOTHING)
    return chosen.take()


def _tier_at(benefit: Tiers, quantity: int) -> Tier | None:
    reached = (step for step in reversed(benefit.steps) if step.from_ <= quantity)
    return next(reached, None)


def _graduated(benefit: Tiers, start: int, count: int) -> Iterable[tuple[Tier | None, int]]:
    """How many of the units at these positions (from 0) lie in each tier."""
    bounds = [0, *(step.from_ - 1 for step in benefit.steps), start + count]
    for step, (low, high) in zip((None, *benefit.steps), pairwise(bounds), strict=True):
        inside = min(high, start + count) - max(low, start)
        if inside > 0:
            yield step, inside


def _n_for_m(benefit: NForM, units: Sequence[_Units], every: Sequence[Line], now: Now) -> Take:
    buyable = _fitting(benefit.qualifiers, units, every, now)
    if benefit.targets is None:
        return _like_sets(benefit, [each for each in units if id(each) in buyable])
    return _with_targets(benefit, units, buyable, _fitting(benefit.targets, units, every, now))


def _fitting(
    condition: Condition | None, units: Sequence[_Units], every: Sequence[Line], now: Now
) -> set[int]:
    """Which of the units match a further condition."""
    lines = {each.line.key: each.line for each in units}
    fitting = {line.key for line in matching(condition, every, list(lines.values()), now)}
    return {id(each) for each in units if each.line.key in fitting}


def _like_sets(benefit: NForM, units: Sequence[_Units]) -> Take:
    """Sets of units of one kind: the cheapest of each set are reduced.

    Ordered from the dearest, sets of neighbours give the largest reduction. The smallest one that
    as many sets can give reduces the cheapest units of all.
    """
    size = benefit.buy + benefit.get
    available = sum(each.count for each in units) // size
    count = available if benefit.most is None else min(available, benefit.most)
    reduced = _last_of_sets(benefit, count) if benefit.favours == "customer" else None
    total, chosen, position = sum(each.count for each in units), _Chosen(), 0
    for each in sorted(units, key=lambda u: (-u.price, u.line.key)):
        start, position = position, position + each.count
        if reduced is None:
            inside = min(each.count, max(0, position - (total - count * benefit.get)))
            others = min(each.count, max(0, count * benefit.buy - start))
        else:
            inside = reduced(position) - reduced(start)
            others = min(position, count * size) - min(start, count * size) - inside
        chosen.add(each, inside, _off(benefit.benefit, each))
        chosen.add(each, min(others, each.count - inside), _NOTHING)
    return chosen.take()


def _last_of_sets(benefit: NForM, count: int) -> Callable[[int], int]:
    """How many of the first units, in sets of neighbours, are the last ones of their set."""
    size = benefit.buy + benefit.get

    def reduced(position: int) -> int:
        sets, rest = divmod(min(position, count * size), size)
        return sets * benefit.get + max(0, rest - benefit.buy)

    return reduced


def _with_targets(
    benefit: NForM, units: Sequence[_Units], buyable: set[int], reducible: set[int]
) -> Take:
    """Sets of units bought, and of units reduced that match a condition of their own.

    The reduction of a number of sets is a concave function of it, so the best number is found by
    halving; for the shop it is as many sets as there can be.
    """
    by_price = sorted(units, key=lambda u: (-u.price, u.line.key))
    if benefit.favours == "shop":
        by_price.reverse()
    choice = _Choice(benefit, by_price, buyable, reducible)
    count = choice.most_sets()
    if benefit.favours == "customer":
        count = _peak(count, lambda sets: sum(choice.gain(sets)))
    return choice.take(count)


def _peak(most: int, value: Callable[[int], Fraction | int]) -> int:
    """The smallest number up to `most` at which a concave function is largest."""
    low, high = 0, most
    while low < high:
        middle = (low + high) // 2
        if value(middle + 1) > value(middle):
            low = middle + 1
        else:
            high = middle
    return low


@frozen
class _Choice:
    """Which units are reduced if that many sets are made, the preferred ones first."""

    benefit: NForM
    units: Sequence[_Units]
    buyable: set[int]
    reducible: set[int]

    def _count(self, *, buyable: bool, reducible: bool) -> int:
        return sum(
            each.count
            for each in self.units
            if (id(each) in self.buyable) is buyable and (id(each) in self.reducible) is reducible
        )

    def most_sets(self) -> int:
        """How many sets there can be."""
        only_buy = self._count(buyable=True, reducible=False)
        only_get = self._count(buyable=False, reducible=True)
        both = self._count(buyable=True, reducible=True)
        buy, get = self.benefit.buy, self.benefit.get
        bounds = [
            (only_buy + both) // buy,
            (only_get + both) // get,
            (only_buy + only_get + both) // (buy + get),
        ]
        return min([*bounds, *([self.benefit.most] if self.benefit.most is not None else [])])

    def reduced(self, sets: int) -> list[tuple[_Units, int]]:
        """The units reduced: the preferred ones, as long as enough are left to be bought."""
        left = sets * self.benefit.get
        only_buy = self._count(buyable=True, reducible=False)
        both = self._count(buyable=True, reducible=True)
        spare = both + only_buy - sets * self.benefit.buy
        found: list[tuple[_Units, int]] = []
        for each in self.units:
            if id(each) not in self.reducible:
                continue
            shared = id(each) in self.buyable
            count = min(each.count, left, spare if shared else left)
            left -= count
            spare -= count if shared else 0
            found.append((each, count))
        return found

    def gain(self, sets: int) -> Iterable[Fraction]:
        """What is taken off each of the reduced units, times their number."""
        return (_off(self.benefit.benefit, each) * n for each, n in self.reduced(sets))

    def take(self, sets: int) -> Take:
        """The units of that many sets; those that can only be bought come first, cheapest first."""
        chosen, left = _Chosen(), {id(each): each.count for each in self.units}
        for each, count in self.reduced(sets):
            chosen.add(each, count, _off(self.benefit.benefit, each))
            left[id(each)] -= count
        bought = sets * self.benefit.buy
        ordered = sorted(
            (each for each in self.units if id(each) in self.buyable),
            key=lambda each: (id(each) in self.reducible, each.order),
        )
        for each in ordered:
            count = min(left[id(each)], bought)
            bought -= count
            chosen.add(each, count, _NOTHING)
        return chosen.take()


def _sets(benefit: Sets, units: Sequence[_Units]) -> Take:
    """Fills sets with the cheapest units first; the last, incomplete set isn't reduced."""
    chosen, filling = _Chosen(), list[tuple[_Units, int]]()
    filled, made = _NOTHING, 0
    percent = Percent(benefit.percent)
    for each in units:
        price, left = each.line.runs[each.run].price, each.count
        least = _minor(benefit.min_total, each.line)
        while left and made != benefit.most and price > 0:
            needed = max(1, _ceiling((least - filled) / price))
            wanted = left if benefit.most is None else benefit.most - made
            sets = 1 if filling else max(1, min(left // needed, wanted))
            count = min(left, needed * sets)
            filling.append((each, count))
            filled, left = filled + price * count, left - count
            if filled >= least * sets:
                for part, number in filling:
                    chosen.add(part, number, _off(percent, part))
                filling, filled, made = [], _NOTHING, made + sets
    return chosen.take()


def _ceiling(value: Fraction) -> int:
    return -(-value.numerator // value.denominator)


def _bundle(benefit: Bundle, units: Sequence[_Units], every: Sequence[Line], now: Now) -> Take:
    """As many bundles as there can be and as take something off.

    Its items are filled in the order in which they are written, the dearest units that fit first.
    """
    if not units:
        return Take(())
    by_price = sorted(units, key=lambda u: (-u.price, u.line.key))
    fits = [_fitting(item.condition, by_price, every, now) for item in benefit.items]
    price = _minor(benefit.price, units[0].line)

    def assigned(bundles: int) -> list[int] | None:
        """How many of each of the units are used; None if there are too few."""
        left = [each.count for each in by_price]
        for item, fitting in zip(benefit.items, fits, strict=True):
            needed = item.quantity * bundles
            for n, each in enumerate(by_price):
                count = min(left[n], needed) if id(each) in fitting else 0
                left[n] -= count
                needed -= count
            if needed:
                return None
        return [each.count - rest for each, rest in zip(by_price, left, strict=True)]

    def gain(bundles: int) -> Fraction:
        counts = assigned(bundles) or []
        worth = sum((_running(u) * n for u, n in zip(by_price, counts, strict=False)), _NOTHING)
        return worth - price * bundles

    most = sum(each.count for each in units) if benefit.most is None else benefit.most
    possible = _peak(most, lambda n: n if assigned(n) is not None else 0)
    count = _peak(possible, gain)
    chosen = _Chosen()
    for each, number in zip(by_price, assigned(count) or [], strict=False):
        chosen.add(each, number, _running(each))
    return chosen.take(gain(count))


def _running(units: _Units) -> Fraction:
    return units.line.runs[units.run].price


def _listed(prices: Mapping[str, Sequence[tuple[int, Decimal]]], units: Sequence[_Units]) -> Take:
    """The price of the largest minimum that the line's quantity reaches, if it is lower."""
    chosen = _Chosen()
    for each in units:
        price = price_for(prices.get(each.line.product.sku, ()), each.line.quantity)
        off = _NOTHING if price is None else _off(FixedPrice(price), each)
        chosen.add(each, each.count, off)
    return chosen.take()


def _ending(benefit: Ending, units: Sequence[_Units]) -> Take:
    chosen = _Chosen()
    for each in units:
        to, price = _minor(benefit.to, each.line), _running(each)
        period, offset = (to, _NOTHING) if benefit.multiple else (Fraction(each.line.scale), to)
        down = (price - offset) // period * period + offset
        up = down if down == price else down + period
        nearest = up if up - price <= price - down else down
        moved = {"down": down, "up": up, "nearest": nearest}[benefit.mode]
        chosen.add(each, each.count, price - moved if moved > 0 else _NOTHING)
    return chosen.take()
