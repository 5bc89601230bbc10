"""Conditions: what has to hold for a rule to apply to a line, as a closed algebra of data.

    all, any, not       combine conditions
    Is                  a text of the product or of the basket: brand, category, code, channel ...
    HasAttribute        an attribute of the product
    PriceWithin         the list price or the running price of a unit
    Quantity, Total     sums over the line, or over lines that belong together
    Window              the moment

A sum over "the lines that match" is over those that match the rest of the condition. `matching`
evaluates a condition over all lines of a basket, `failures` reports what would have to change.
"""

from collections.abc import Callable, Collection, Hashable, Iterable, Mapping, Sequence
from decimal import Decimal
from fractions import Fraction
from typing import Final, Literal, TypeAlias, assert_never, get_args

import attrs
from attrs import frozen

from commerce_core.pricing.lines import Line, TextField, canonical_code
from commerce_core.pricing.windows import Window

Over = Literal["line", "product", "group", "partner", "match", "order"]
_MOST_SHOWN: Final = 5
OVERS: Final[tuple[Over, ...]] = get_args(Over)


@frozen
class All:
    """Every one of these conditions holds."""

    conditions: tuple["Condition", ...]


@frozen
class AnyOf:
    """At least one of these conditions holds."""

    conditions: tuple["Condition", ...]


@frozen
class Not:
    """The condition doesn't hold."""

    condition: "Condition"


@frozen
class Is:
    """A text is one of these; a category also if it lies below one of them."""

    field: TextField
    values: tuple[str, ...]
    _wanted: frozenset[str] = attrs.field(init=False, eq=False, repr=False)

    def __attrs_post_init__(self) -> None:
        """Keeps the texts as a set, in the form in which they are compared."""
        texts = map(canonical_code, self.values) if self.field == "code" else self.values
        object.__setattr__(self, "_wanted", frozenset(texts))

    def holds(self, texts: Collection[str]) -> bool:
        """Whether one of these texts is wanted."""
        return not self._wanted.isdisjoint(texts)


@frozen
class HasAttribute:
    """The product's attribute of that name is one of these."""

    name: str
    values: tuple[str, ...]


@frozen
class PriceWithin:
    """The price of a unit lies between the bounds, which are included.

    `list` is the list price; `running` is the price that earlier rules have left.
    """

    of: Literal["list", "running"]
    min: Decimal | None = None
    max: Decimal | None = None


@frozen
class Quantity:
    """The units lie between the bounds, which are included."""

    min: int | None = None
    max: int | None = None
    of: Over = "line"


@frozen
class Total:
    """What these lines cost at their running prices lies between the bounds, which are included."""

    min: Decimal | None = None
    max: Decimal | None = None
    of: Over = "match"


Condition: TypeAlias = (
    All | AnyOf | Not | Is | HasAttribute | PriceWithin | Quantity | Total | Window
)
Sums: TypeAlias = Mapping[tuple[Over, Hashable], tuple[int, Fraction]]
"""Units and running total of the lines that a sum is over."""


def parts(condition: Condition) -> Iterable[Condition]:
    """The condition and everything within it."""
    yield condition
    match condition:
        case All(within) | AnyOf(within):
            for each in within:
                yield from parts(each)
        case Not(inner):
            yield from parts(inner)
        case Is() | HasAttribute() | PriceWithin() | Quantity() | Total() | Window():
            return


def sums_over(condition: Condition | None) -> frozenset[Over]:
    """What the condition's quantities and totals are over."""
    found = parts(condition) if condition is not None else ()
    return frozenset(part.of for part in found if isinstance(part, Quantity | Total))


def group_of(line: Line, over: Over) -> Hashable:
    """What lines have in common whose sum is over that."""
    match over:
        case "line" | "product":
            return line.key
        case "group":
            return line.group
        case "partner":
            return line.partner_id
        case "match" | "order":
            return None
        case _:
            assert_never(over)


def sums(
    overs: Iterable[Over], lines: Sequence[Line], candidates: Sequence[Line] | None = None
) -> Sums:
    """The units and totals of the candidates (by default all), by what they have in common."""
    found: dict[tuple[Over, Hashable], tuple[int, Fraction]] = {}
    for over in overs:
        members = lines if over == "order" or candidates is None else candidates
        for line in members:
            key = over, group_of(line, over)
            units, total = found.get(key, (0, Fraction(0)))
            found[key] = units + line.quantity, total + line.running_total
    return found


def units_by(
    over: Over, lines: Sequence[Line], candidates: Sequence[Line]
) -> Mapping[Hashable, int]:
    """The units of the candidates (of an order: of all lines), by what they have in common."""
    found: dict[Hashable, int] = {}
    for line in lines if over == "order" else candidates:
        shared = group_of(line, over)
        found[shared] = found.get(shared, 0) + line.quantity
    return found


Now = Callable[[Window], bool]
"""Whether the moment lies within a window."""


def matching(
    condition: Condition | None,
    lines: Sequence[Line],
    within: Sequence[Line],
    now: Now,
    overs: frozenset[Over] | None = None,
) -> list[Line]:
    """The lines `within` all `lines` for which the condition holds.

    `overs` is what its sums are over, if that is known.
    """
    if condition is None:
        return list(within)
    if _is_over(condition, now):
        return []
    overs = sums_over(condition) if overs is None else overs
    if not overs:
        return [line for line in within if holds(condition, line, {}, now)]
    possible = [line for line in within if holds(condition, line, None, now) is not False]
    found = sums(overs, lines, possible)
    return [line for line in possible if holds(condition, line, found, now)]


def _is_over(condition: Condition, now: Now) -> bool:
    """Whether the moment alone keeps the condition from holding for any line."""
    match condition:
        case Window():
            return not now(condition)
        case All(within):
            return any(isinstance(each, Window) and not now(each) for each in within)
        case _:
            return False


def holds(condition: Condition, line: Line, found: Sums | None, now: Now) -> bool | None:
    """Whether the condition holds for a line; None if that depends on sums that aren't known."""
    match condition:
        case Is():
            return condition.holds(line.texts[condition.field])
        case All(conditions):
            return _both(conditions, line, found, now, decisive=False)
        case AnyOf(conditions):
            return _both(conditions, line, found, now, decisive=True)
        case Not(inner):
            held = holds(inner, line, found, now)
            return None if held is None else not held
        case HasAttribute(name, values):
            return line.attributes.get(name) in values
        case PriceWithin(of, low, high):
            return _within(line.list_unit if of == "list" else line.running_unit, low, high)
        case Quantity(low, high, of):
            return None if found is None else _within(_sum(found, line, of)[0], low, high)
        case Total(low, high, of):
            return None if found is None else _within(_sum(found, line, of)[1], low, high)
        case Window():
            return now(condition)
        case _:
            assert_never(condition)


def _both(
    conditions: Sequence[Condition], line: Line, found: Sums | None, now: Now, *, decisive: bool
) -> bool | None:
    """`decisive` if one of the conditions is that; None if none is, and some aren't known."""
    unknown = False
    for each in conditions:
        held = holds(each, line, found, now)
        if held is decisive:
            return decisive
        unknown = unknown or held is None
    return None if unknown else not decisive


def _sum(found: Sums, line: Line, of: Over) -> tuple[int, Fraction]:
    return found.get((of, group_of(line, of)), (0, Fraction(0)))


def _within(value: int | Fraction, low: Decimal | int | None, high: Decimal | int | None) -> bool:
    return (low is None or value >= low) and (high is None or value <= high)


@frozen
class Failure:
    """A part of a condition that doesn't hold: what it wants, and what it found.

    `pointer` is the JSON pointer of that part within the rule.
    """

    pointer: str
    wanted: str
    found: str


def failures(
    condition: Condition, line: Line, found: Sums, now: Now, at: str = "/condition"
) -> tuple[Failure, ...]:
    """The fewest parts that would have to change for the condition to hold; none if it does."""
    if holds(condition, line, found, now):
        return ()
    match condition:
        case All(conditions):
            each = enumerate(conditions)
            return tuple(f for n, c in each for f in failures(c, line, found, now, f"{at}/all/{n}"))
        case AnyOf(conditions):
            each = enumerate(conditions)
            ways = [failures(c, line, found, now, f"{at}/any/{n}") for n, c in each]
            return min(ways, key=len)
        case Not(inner):
            return (Failure(f"{at}/not", f"not {wanted(inner)}", _found(inner, line, found)),)
        case _:
            return (Failure(at, wanted(condition), _found(condition, line, found)),)


def wanted(condition: Condition) -> str:
    """What a condition asks for, in words."""
    match condition:
        case All(conditions):
            return "all of (" + "; ".join(map(wanted, conditions)) + ")"
        case AnyOf(conditions):
            return "any of (" + "; ".join(map(wanted, conditions)) + ")"
        case Not(inner):
            return f"not {wanted(inner)}"
        case Is(name, values) | HasAttribute(name, values):
            more = len(values) - _MOST_SHOWN
            shown = [*values[:_MOST_SHOWN], *([f"{more:,} more"] if more > 0 else [])]
            return f"{name.replace('_', ' ')} {' or '.join(shown)}"
        case PriceWithin(of, low, high):
            return f"a {of} price {_bounds(low, high)}"
        case Quantity(low, high, of):
            return f"a quantity {_bounds(low, high)} ({_OVER[of]})"
        case Total(low, high, of):
            return f"a total {_bounds(low, high)} ({_OVER[of]})"
        case Window(tz, since, until, days, hours):
            ends = [f"from {since}" if since else "", f"until {until}" if until else ""]
            times = [" ".join(days), f"{hours.from_:%H:%M} to {hours.until:%H:%M}" if hours else ""]
            return f"a time {' '.join(filter(None, ends + times))} ({tz})"
        case _:
            assert_never(condition)


_OVER: Final[Mapping[Over, str]] = {
    "line": "of the product",
    "product": "of the product",
    "group": "of the product's variants",
    "partner": "of the partner",
    "match": "of all that matches",
    "order": "of the order",
}


def _bounds(low: Decimal | int | None, high: Decimal | int | None) -> str:
    least = f"at least {low}" if low is not None else ""
    most = f"at most {high}" if high is not None else ""
    return "of " + " and ".join(filter(None, (least, most)))


def _found(condition: Condition, line: Line, found: Sums) -> str:
    match condition:
        case Is(name, _):
            return ", ".join(sorted(line.texts[name])) or "none"
        case HasAttribute(name, _):
            return line.attributes.get(name, "none")
        case PriceWithin(of, _, _):
            return _amount(line.list_unit if of == "list" else line.running_unit)
        case Quantity(_, _, of):
            return str(_sum(found, line, of)[0])
        case Total(_, _, of):
            return _amount(_sum(found, line, of)[1])
        case Window():
            return "another time"
        case All(conditions) | AnyOf(conditions):
            return "; ".join(_found(each, line, found) for each in conditions)
        case Not(inner):
            return _found(inner, line, found)
        case _:
            assert_never(condition)


def _amount(value: Fraction) -> str:
    """A decimal text, exact where it has at most six decimals."""
    return f"{round(Decimal(value.numerator) / Decimal(value.denominator), 6).normalize():f}"
