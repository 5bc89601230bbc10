"""Sets: how units are put together by benefits for n of m, sets of a total, and bundles."""

from collections.abc import Callable, Iterable, Sequence

from attrs import frozen

from commerce_core.pricing.benefits import Bundle, NForM, Percent, Sets
from commerce_core.pricing.conditions import Condition, Now, matching
from commerce_core.pricing.exact import Exact
from commerce_core.pricing.lines import Line
from commerce_core.pricing.units import (
    Chosen,
    Take,
    Units,
    minor_of,
    off_unit,
    running_price,
)


def n_for_m(benefit: NForM, units: Sequence[Units], every: Sequence[Line], now: Now) -> Take:
    """Sets of units that are bought and units that are reduced, of one kind or of two."""
    buyable = _fitting(benefit.qualifiers, units, every, now)
    if benefit.targets is None:
        return _like_sets(benefit, [each for each in units if id(each) in buyable])
    return _with_targets(benefit, units, buyable, _fitting(benefit.targets, units, every, now))


def _fitting(
    condition: Condition | None, units: Sequence[Units], every: Sequence[Line], now: Now
) -> set[int]:
    """Which of the units match a further condition."""
    lines = {each.line.key: each.line for each in units}
    fitting = {line.key for line in matching(condition, every, list(lines.values()), now)}
    return {id(each) for each in units if each.line.key in fitting}


def _like_sets(benefit: NForM, units: Sequence[Units]) -> Take:
    """Sets of units of one kind: the cheapest of each set are reduced.

    Ordered from the dearest, sets of neighbours give the largest reduction. The smallest one that
    as many sets can give reduces the cheapest units of all.
    """
    size = benefit.buy + benefit.get
    available = sum(each.count for each in units) // size
    count = available if benefit.most is None else min(available, benefit.most)
    reduced = _last_of_sets(benefit, count) if benefit.favours == "customer" else None
    total, chosen, position = sum(each.count for each in units), Chosen(), 0
    for each in sorted(units, key=lambda u: (-u.price, u.line.key)):
        start, position = position, position + each.count
        if reduced is None:
            inside = min(each.count, max(0, position - (total - count * benefit.get)))
            others = min(each.count, max(0, count * benefit.buy - start))
        else:
            inside = reduced(position) - reduced(start)
            others = min(position, count * size) - min(start, count * size) - inside
        chosen.add(each, inside, off_unit(benefit.benefit, each))
        chosen.add(each, min(others, each.count - inside), 0)
    return chosen.take()


def _last_of_sets(benefit: NForM, count: int) -> Callable[[int], int]:
    """How many of the first units, in sets of neighbours, are the last ones of their set."""
    size = benefit.buy + benefit.get

    def reduced(position: int) -> int:
        sets, rest = divmod(min(position, count * size), size)
        return sets * benefit.get + max(0, rest - benefit.buy)

    return reduced


def _with_targets(
    benefit: NForM, units: Sequence[Units], buyable: set[int], reducible: set[int]
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


def _peak(most: int, value: Callable[[int], Exact]) -> int:
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
    units: Sequence[Units]
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

    def reduced(self, sets: int) -> list[tuple[Units, int]]:
        """The units reduced: the preferred ones, as long as enough are left to be bought."""
        left = sets * self.benefit.get
        only_buy = self._count(buyable=True, reducible=False)
        both = self._count(buyable=True, reducible=True)
        spare = both + only_buy - sets * self.benefit.buy
        found: list[tuple[Units, int]] = []
        for each in self.units:
            if id(each) not in self.reducible:
                continue
            shared = id(each) in self.buyable
            count = min(each.count, left, spare if shared else left)
            left -= count
            spare -= count if shared else 0
            found.append((each, count))
        return found

    def gain(self, sets: int) -> Iterable[Exact]:
        """What is taken off each of the reduced units, times their number."""
        return (off_unit(self.benefit.benefit, each) * n for each, n in self.reduced(sets))

    def take(self, sets: int) -> Take:
        """The units of that many sets; those that can only be bought come first, cheapest first."""
        chosen, left = Chosen(), {id(each): each.count for each in self.units}
        for each, count in self.reduced(sets):
            chosen.add(each, count, off_unit(self.benefit.benefit, each))
            left[id(each)] -= count
        bought = sets * self.benefit.buy
        ordered = sorted(
            (each for each in self.units if id(each) in self.buyable),
            key=lambda each: (id(each) in self.reducible, each.order),
        )
        for each in ordered:
            count = min(left[id(each)], bought)
            bought -= count
            chosen.add(each, count, 0)
        return chosen.take()


def sets_of_total(benefit: Sets, units: Sequence[Units]) -> Take:
    """Fills sets with the cheapest units first; the last, incomplete set isn't reduced."""
    chosen, filling = Chosen(), list[tuple[Units, int]]()
    filled, made = 0, 0
    percent = Percent(benefit.percent)
    for each in units:
        price, left = each.line.runs[each.run].price, each.count
        least = minor_of(benefit.min_total, each.line)
        while left and made != benefit.most and price > 0:
            needed = max(1, -((filled - least) // price))
            wanted = left if benefit.most is None else benefit.most - made
            sets = 1 if filling else max(1, min(left // needed, wanted))
            count = min(left, needed * sets)
            filling.append((each, count))
            filled, left = filled + price * count, left - count
            if filled >= least * sets:
                for part, number in filling:
                    chosen.add(part, number, off_unit(percent, part))
                filling, filled, made = [], 0, made + sets
    return chosen.take()


def bundles(benefit: Bundle, units: Sequence[Units], every: Sequence[Line], now: Now) -> Take:
    """As many bundles as there can be and as take something off.

    Its items are filled in the order in which they are written, the dearest units that fit first.
    """
    if not units:
        return Take(())
    by_price = sorted(units, key=lambda u: (-u.price, u.line.key))
    fits = [_fitting(item.condition, by_price, every, now) for item in benefit.items]
    price = minor_of(benefit.price, units[0].line)

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

    def gain(bundles: int) -> Exact:
        counts = assigned(bundles) or []
        worth = sum((running_price(u) * n for u, n in zip(by_price, counts, strict=False)), 0)
        return worth - price * bundles

    most = sum(each.count for each in units) if benefit.most is None else benefit.most
    possible = _peak(most, lambda n: n if assigned(n) is not None else 0)
    count = _peak(possible, gain)
    chosen = Chosen()
    for each, number in zip(by_price, assigned(count) or [], strict=False):
        chosen.add(each, number, running_price(each))
    return chosen.take(gain(count))
