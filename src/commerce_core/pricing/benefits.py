"""Benefits: what a rule does to the prices of the lines that match, as a closed union of data.

    percent, amount, fixed_price      lower prices
    markup_percent, markup_amount     raise prices
    tiers                             lower them more, the more units there are
    n_for_m, sets, bundle             lower the prices of units that make a set
    price_list                        lowers them to the prices of a list
    ending                            moves prices to an ending such as .99
    floor                             gives nothing, and keeps prices from falling below it

Amounts are in major units of the basket's currency; percents are from 0 to 100.
"""

from collections.abc import Iterator
from decimal import Decimal
from fractions import Fraction
from typing import ClassVar, Literal, TypeAlias

from attrs import field, frozen

from commerce_core.pricing.conditions import Condition, Over


def _share(percent: Decimal) -> tuple[int, int]:
    return (Fraction(percent) / 100).as_integer_ratio()


@frozen
class Traits:
    """What holds for every benefit of a class.

    `lowers`: it can only lower prices. `of_orders`: an order rule may have it. `of_list`: it may be
    a share of the list price. `uses_sets`: in a group it uses all units of a set, even those whose
    price it leaves as it is.
    """

    lowers: bool = True
    of_orders: bool = True
    of_list: bool = True
    uses_sets: bool = False


@frozen
class Percent:
    """Takes a percentage off. Its `share` is the same as a fraction: 1 and 10 for 10 percent."""

    traits: ClassVar = Traits()
    percent: Decimal
    share: tuple[int, int] = field(init=False, eq=False, repr=False)

    def __attrs_post_init__(self) -> None:
        """Keeps the fraction, which every line needs."""
        object.__setattr__(self, "share", _share(self.percent))


@frozen
class Amount:
    """Takes an amount off each unit; as an order rule, off the order."""

    traits: ClassVar = Traits()
    amount: Decimal


@frozen
class FixedPrice:
    """Lowers the price of each unit to this one; as an order rule, that of all that matches."""

    traits: ClassVar = Traits(of_list=False)
    price: Decimal


@frozen
class MarkupPercent:
    """Adds a percentage, with its `share` as that of `Percent`."""

    traits: ClassVar = Traits(lowers=False, of_orders=False)
    percent: Decimal
    share: tuple[int, int] = field(init=False, eq=False, repr=False)

    def __attrs_post_init__(self) -> None:
        """Keeps the fraction, which every line needs."""
        object.__setattr__(self, "share", _share(self.percent))


@frozen
class MarkupAmount:
    """Adds an amount to each unit."""

    traits: ClassVar = Traits(lowers=False, of_orders=False)
    amount: Decimal


@frozen
class Tier:
    """What applies from that many units on."""

    from_: int
    benefit: Percent | Amount | FixedPrice


@frozen
class Tiers:
    """Lowers prices by the quantity.

    `each`: all units get the tier of the whole quantity. `graduated`: each unit gets the tier in
    which it lies itself, the cheapest units first.
    """

    traits: ClassVar = Traits(of_orders=False)
    steps: tuple[Tier, ...]
    mode: Literal["each", "graduated"] = "each"
    of: Over = "line"


@frozen
class NForM:
    """Of each set of `buy` and `get` units, lowers the prices of the `get` units.

    Without `targets`, a set's cheapest units are the ones reduced, and the units are put into sets
    so that the reduction is as large as possible (or, `favours` the shop, as small as possible).
    With `targets`, the units bought match `qualifiers`, and the reduced ones match `targets`: the
    dearest of them, or for the shop the cheapest. A unit is one or the other.
    """

    traits: ClassVar = Traits(uses_sets=True)
    buy: int
    get: int
    benefit: Percent | Amount | FixedPrice
    qualifiers: Condition | None = None
    targets: Condition | None = None
    most: int | None = None
    favours: Literal["customer", "shop"] = "customer"


@frozen
class Sets:
    """Takes a percentage off units that make sets of at least a total, filled cheapest first."""

    traits: ClassVar = Traits(uses_sets=True)
    min_total: Decimal
    percent: Decimal
    most: int | None = None


@frozen
class BundleItem:
    """Part of a bundle: a number of units that match a condition."""

    condition: Condition
    quantity: int = 1


@frozen
class Bundle:
    """Lowers the price of a set of units to one price; the dearest units that fit come first."""

    traits: ClassVar = Traits(uses_sets=True)
    items: tuple[BundleItem, ...]
    price: Decimal
    most: int | None = None


@frozen
class Ending:
    """Moves the price of a unit to an ending (`.99`), or to a multiple (`5`); never to 0."""

    traits: ClassVar = Traits(lowers=False, of_orders=False, of_list=False)
    to: Decimal
    multiple: bool
    mode: Literal["down", "up", "nearest"] = "nearest"


@frozen
class Listed:
    """Lowers the price of each unit to the one that a price list has for the line's quantity.

    `list_id` is the list's id; in a rule that isn't saved yet it may be its name.
    """

    traits: ClassVar = Traits(of_orders=False, of_list=False)
    list_id: str


@frozen
class Floor:
    """Keeps the price of a unit from falling below an amount.

    The amount is the largest of a price, a percentage of the list price, and the unit's cost with a
    percentage of it as margin. `cost_list` is the price list that has the costs.
    """

    traits: ClassVar = Traits(lowers=False, of_orders=False, of_list=False)
    price: Decimal | None = None
    percent_of_list: Decimal | None = None
    margin_percent: Decimal | None = None
    cost_list: str | None = None


Benefit: TypeAlias = (
    Percent | Amount | FixedPrice | MarkupPercent | MarkupAmount | Tiers | NForM | Sets | Bundle
    | Ending | Listed | Floor
)  # fmt: skip
Simple: TypeAlias = Percent | Amount | FixedPrice


def amounts_of(benefit: Benefit) -> Iterator[tuple[str, Decimal]]:
    """Every amount of money in a benefit, with its JSON pointer within it."""
    match benefit:
        case Amount(amount):
            yield "/amount", amount
        case MarkupAmount(amount):
            yield "/markup_amount", amount
        case FixedPrice(price):
            yield "/fixed_price", price
        case Tiers(steps):
            for number, step in enumerate(steps):
                for at, amount in amounts_of(step.benefit):
                    yield f"/tiers/steps/{number}{at}", amount
        case NForM(benefit=reduced):
            for at, amount in amounts_of(reduced):
                yield f"/n_for_m{at}", amount
        case Sets(min_total):
            yield "/sets/min_total", min_total
        case Bundle(price=price):
            yield "/bundle/price", price
        case Ending(to):
            yield "/ending/to", to
        case Floor(price=price):
            if price is not None:
                yield "/floor/price", price
        case Percent() | MarkupPercent() | Listed():
            return


@frozen
class NamedList:
    """A price list that a benefit names, with its JSON pointer within it."""

    at: str
    list_id: str
    has_costs: bool = False


def lists_of(benefit: Benefit) -> Iterator[NamedList]:
    """Every price list that a benefit names."""
    match benefit:
        case Listed(list_id):
            yield NamedList("/price_list", list_id)
        case Floor(cost_list=cost_list):
            if cost_list is not None:
                yield NamedList("/floor/cost_list", cost_list, has_costs=True)
        case (
            Percent() | Amount() | FixedPrice() | MarkupPercent() | MarkupAmount() | Tiers()
            | NForM() | Sets() | Bundle() | Ending()
        ):  # fmt: skip
            return


def conditions_of(benefit: Benefit) -> Iterator[tuple[str, Condition]]:
    """Every condition in a benefit, with its JSON pointer within it."""
    match benefit:
        case NForM():
            if benefit.qualifiers is not None:
                yield "/n_for_m/qualifiers", benefit.qualifiers
            if benefit.targets is not None:
                yield "/n_for_m/targets", benefit.targets
        case Bundle(items):
            for number, item in enumerate(items):
                yield f"/bundle/items/{number}", item.condition
        case (
            Percent() | Amount() | FixedPrice() | MarkupPercent() | MarkupAmount() | Tiers()
            | Sets() | Ending() | Listed() | Floor()
        ):  # fmt: skip
            return
