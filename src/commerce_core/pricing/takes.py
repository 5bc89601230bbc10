"""Takes: what a benefit takes off the units of lines, before limits and rounding.

Everything is in exact fractions of the currency's smallest unit. Units are ordered by price,
partner and sku, so neither the order of lines nor how they were added matters.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from decimal import Decimal
from itertools import pairwise
from typing import Final, assert_never

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
from commerce_core.pricing.conditions import Now, group_of, units_by
from commerce_core.pricing.exact import Exact, part_of, sum_of
from commerce_core.pricing.lines import Line, Part, Run
from commerce_core.pricing.price_list import ListPrices, price_for
from commerce_core.pricing.rules import Rule
from commerce_core.pricing.sets import bundles, n_for_m, sets_of_total
from commerce_core.pricing.units import (
    Chosen,
    Take,
    Taken,
    Units,
    minor_of,
    off_unit,
    running_price,
    units_of,
)

_SIMPLE: Final = (Percent, Amount, FixedPrice, MarkupPercent, MarkupAmount)


def take(
    rule: Rule, matched: Sequence[Line], every: Sequence[Line], now: Now, lists: ListPrices
) -> Take:
    """What the rule would take from the lines that match it, of all lines of the basket.

    It never takes more off units than they cost so far.
    """
    benefit = rule.benefit
    if isinstance(benefit, _SIMPLE):
        return _simple(rule, benefit, matched)
    if isinstance(benefit, Tiers) and benefit.mode == "each":
        return _whole_tiers(rule, benefit, matched, every)
    units = units_of(rule, matched)
    match benefit:
        case Tiers():
            return _graduated_tiers(benefit, units)
        case NForM():
            return n_for_m(benefit, units, every, now)
        case Sets():
            return sets_of_total(benefit, units)
        case Bundle():
            return bundles(benefit, units, every, now)
        case Ending():
            return _ending(benefit, units)
        case Listed(list_id):
            return _listed(lists.get(list_id, {}), units)
        case Floor():
            return Take(())
        case _:
            assert_never(benefit)


def _simple(
    rule: Rule, benefit: Simple | MarkupPercent | MarkupAmount, lines: Sequence[Line]
) -> Take:
    """The same for all units: whole lines at once, since their order doesn't matter."""
    shared = rule.applies_to == "order" and isinstance(benefit, Amount | FixedPrice)
    off_of = _off_all(benefit, rule, lines[0]) if lines and not shared else None
    found: list[Taken] = []
    for line, runs in _free(rule, lines):
        parts = [
            Part(n, run.count, off_of(line, n, run.count) if off_of else line.worth(n, run.count))
            for n, run in runs
        ]
        found.append(Taken(line, tuple(parts)))
    return Take(tuple(found), _whole(benefit, found) if shared and found else None)


def _whole(benefit: Simple | MarkupPercent | MarkupAmount, found: Sequence[Taken]) -> Exact:
    """What an amount, or one price for all, takes off the order."""
    line = found[0].line
    match benefit:
        case Amount(amount):
            return minor_of(amount, line)
        case FixedPrice(price):
            total = sum_of(part.off for taken in found for part in taken.parts)
            return max(0, total - minor_of(price, line))
        case _:
            return 0


def _off_all(
    benefit: Simple | MarkupPercent | MarkupAmount, rule: Rule, line: Line
) -> Callable[[Line, int, int], Exact]:
    """What a benefit takes off a number of units of a run."""
    match benefit:
        case Percent() | MarkupPercent():
            numerator, denominator = benefit.share
            signed = numerator if isinstance(benefit, Percent) else -numerator
            if rule.on == "list":
                return lambda line, run, n: min(
                    line.worth(run, n), part_of(line.list_price * n, signed, denominator)
                )
            return lambda line, run, n: part_of(line.worth(run, n), signed, denominator)
        case Amount(amount):
            minor = minor_of(amount, line)
            return lambda line, run, n: min(line.worth(run, n), minor * n)
        case FixedPrice(price):
            minor = minor_of(price, line)
            return lambda line, run, n: max(0, line.worth(run, n) - minor * n)
        case MarkupAmount(amount):
            minor = minor_of(amount, line)
            return lambda _line, _run, n: -minor * n
        case _:
            assert_never(benefit)


def _free(rule: Rule, lines: Iterable[Line]) -> Iterable[tuple[Line, Sequence[tuple[int, Run]]]]:
    """The lines with units that the rule's group hasn't used, and the runs that these are in."""
    group = rule.group.name if rule.group else None
    return ((line, runs) for line in lines if (runs := line.free_runs(group)))


def _whole_tiers(rule: Rule, benefit: Tiers, lines: Sequence[Line], every: Sequence[Line]) -> Take:
    """Each unit gets the tier that the whole quantity reaches."""
    free = list(_free(rule, lines))
    counted = units_by(benefit.of, every, [line for line, _ in free])
    found: list[Taken] = []
    for line, runs in free:
        reached = _tier_at(benefit, counted[group_of(line, benefit.of)])
        off_of = _off_all(reached.benefit, rule, line) if reached else _nothing
        parts = [Part(n, run.count, off_of(line, n, run.count)) for n, run in runs]
        found.append(Taken(line, tuple(parts)))
    return Take(tuple(found))


def _nothing(_line: Line, _run: int, _count: int) -> Exact:
    return 0


def _graduated_tiers(benefit: Tiers, units: Sequence[Units]) -> Take:
    """Each unit gets the tier in which it lies itself, the cheapest units first."""
    chosen = Chosen()
    positions: dict[object, int] = {}
    for each in units:
        shared = group_of(each.line, benefit.of)
        start = positions.get(shared, 0)
        positions[shared] = start + each.count
        for step, count in _graduated(benefit, start, each.count):
            chosen.add(each, count, off_unit(step.benefit, each) if step else 0)
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


def _listed(prices: Mapping[str, Sequence[tuple[int, Decimal]]], units: Sequence[Units]) -> Take:
    """The price of the largest minimum that the line's quantity reaches, if it is lower."""
    chosen = Chosen()
    for each in units:
        price = price_for(prices.get(each.line.product.sku, ()), each.line.quantity)
        off = 0 if price is None else off_unit(FixedPrice(price), each)
        chosen.add(each, each.count, off)
    return chosen.take()


def _ending(benefit: Ending, units: Sequence[Units]) -> Take:
    chosen = Chosen()
    for each in units:
        to, price = minor_of(benefit.to, each.line), running_price(each)
        period, offset = (to, 0) if benefit.multiple else (each.line.scale, to)
        down = (price - offset) // period * period + offset
        up = down if down == price else down + period
        nearest = up if up - price <= price - down else down
        moved = {"down": down, "up": up, "nearest": nearest}[benefit.mode]
        chosen.add(each, each.count, price - moved if moved > 0 else 0)
    return chosen.take()
