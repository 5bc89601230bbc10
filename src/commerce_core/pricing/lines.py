"""Lines of a basket while they are being priced: a product, its units, and what they cost so far.

A line's total is always a whole number of the currency's smallest unit. Its units form runs, each
of units with equal prices; prices of single units are exact fractions, whose sum is the total.
"""

from collections.abc import Collection, Hashable, Mapping, Sequence
from fractions import Fraction
from typing import Final, Literal, get_args
from unicodedata import normalize

from attrs import define, field, setters

from commerce_core.base.money import Currency
from commerce_core.catalog.product import Product
from commerce_core.pricing.exact import Exact, part_of, sum_of
from commerce_core.schema.cells import PATH

ProductField = Literal["partner", "source", "category", "brand", "sku", "group_id"]
BasketField = Literal["code", "customer", "customer_group", "channel", "currency"]
TextField = ProductField | BasketField
PRODUCT_TEXTS: Final[tuple[ProductField, ...]] = get_args(ProductField)
BASKET_TEXTS: Final[tuple[BasketField, ...]] = get_args(BasketField)
_NONE: Final = frozenset[str]()


# It can no more be changed than with `frozen`, which is slow to make: a basket has thousands.
@define(on_setattr=setters.frozen)
class Run:
    """Units of a line with the same price: what they cost together, and groups that used them."""

    count: int
    worth: Exact
    used_by: frozenset[str] = _NONE

    @property
    def price(self) -> Exact:
        """What one unit costs, in smallest units."""
        return part_of(self.worth, 1, self.count)

    def worth_of(self, count: int) -> Exact:
        """What that many of the units cost."""
        return self.worth if count == self.count else part_of(self.worth, count, self.count)


@define(on_setattr=setters.frozen)
class Part:
    """Units of one run that a rule uses, and how much it takes off all of them."""

    run: int
    count: int
    off: Exact


@define
class Line:
    """All units of one product in a basket. Amounts are in smallest units unless noted."""

    product: Product
    quantity: int
    texts: Mapping[TextField, Collection[str]]
    scale: int
    list_price: int
    total: int
    runs: tuple[Run, ...]
    floor: Exact = 0
    floor_label: str | None = None
    closed_by: str | None = None
    key: tuple[str, str, str] = field(init=False)
    group: Hashable = field(init=False)
    partner_id: str = field(init=False)
    attributes: Mapping[str, str] = field(init=False)

    def __attrs_post_init__(self) -> None:
        """Derives what lines are sorted and grouped by."""
        product = self.product
        self.key = product.partner_id, product.sku, product.product_id
        self.group = (product.partner_id, product.group_id) if product.group_id else self.key
        self.partner_id = product.partner_id
        self.attributes = product.attributes or {}

    @property
    def list_unit(self) -> Fraction:
        """The list price of a unit, in major units."""
        return Fraction(self.list_price, self.scale)

    @property
    def running_unit(self) -> Fraction:
        """What a unit costs so far, on average, in major units."""
        return Fraction(self.total, self.quantity * self.scale)

    @property
    def running_total(self) -> Fraction:
        """What the line costs so far, in major units."""
        return Fraction(self.total, self.scale)

    @property
    def lowest(self) -> int:
        """The lowest total that the floor allows."""
        if not self.floor:
            return 0
        exact = self.floor * self.quantity
        return -(-exact.numerator // exact.denominator)

    def worth(self, run: int, count: int) -> Exact:
        """What that many units of a run cost so far."""
        return self.total if count == self.quantity else self.runs[run].worth_of(count)

    def room(self, run: int, count: int) -> Exact:
        """How far the price of that many units of a run may fall."""
        worth = self.worth(run, count)
        return max(0, worth - self.floor * count) if self.floor else worth

    def free_runs(self, group: str | None) -> Sequence[tuple[int, Run]]:
        """The runs whose units the group hasn't used."""
        return [(n, run) for n, run in enumerate(self.runs) if group not in run.used_by]

    def take(self, parts: Sequence[Part], amount: int, group: str | None) -> None:
        """Takes an amount off the line in all, from these units as far as they can give it."""
        self.total -= amount
        if len(self.runs) == 1 and len(parts) == 1 and parts[0].count == self.quantity:
            used = self.runs[0].used_by
            self.runs = (Run(self.quantity, self.total, used | {group} if group else used),)
            return
        self.runs = _joined(self._split(parts, self._shares(parts, amount), group))

    def _shares(self, parts: Sequence[Part], amount: int) -> Sequence[Exact]:
        """What is taken off each part, so that the whole is the amount."""
        offs = [part.off for part in parts]
        rooms = [self.room(part.run, part.count) for part in parts]
        asked = sum_of(offs)
        if asked:
            scaled = offs if asked == amount else [_scaled(off, amount, asked) for off in offs]
            if all(off <= room for off, room in zip(scaled, rooms, strict=True)):
                return scaled
        whole = sum_of(rooms)
        return [_scaled(room, min(whole, amount), whole) for room in rooms] if whole else rooms

    def _split(
        self, parts: Sequence[Part], shares: Sequence[Exact], group: str | None
    ) -> list[Run]:
        """The runs after the parts gave their shares; what is left, all units give together."""
        runs: list[Run] = []
        for number, run in enumerate(self.runs):
            rest = run.count
            for part, off in zip(parts, shares, strict=True):
                if part.run == number and part.count:
                    rest -= part.count
                    used = run.used_by | {group} if group else run.used_by
                    runs.append(Run(part.count, run.worth_of(part.count) - off, used))
            if rest:
                runs.append(Run(rest, run.worth_of(rest), run.used_by))
        return self._even(runs)

    def _even(self, runs: list[Run]) -> list[Run]:
        """The runs with prices that add up to the total: what rounding left is shared by room."""
        left = sum_of(run.worth for run in runs) - self.total
        if not left:
            return runs
        rooms = [max(0, run.worth - self.floor * run.count) for run in runs]
        whole = sum_of(rooms)
        if whole <= 0:
            rooms, whole = [run.count for run in runs], self.quantity
        return [
            Run(run.count, run.worth - _scaled(room, left, whole), run.used_by)
            for room, run in zip(rooms, runs, strict=True)
        ]


def _scaled(amount: Exact, by: Exact, of: Exact) -> Exact:
    """The amount times a quotient."""
    return part_of(amount * by, of.denominator, of.numerator)


def _joined(runs: Sequence[Run]) -> tuple[Run, ...]:
    """The runs, with equal ones joined, cheapest first."""
    if len(runs) == 1:
        return tuple(runs)
    found: dict[tuple[Exact, frozenset[str]], Run] = {}
    for run in runs:
        known = found.setdefault((run.price, run.used_by), run)
        if known is not run:
            both = Run(known.count + run.count, known.worth + run.worth, run.used_by)
            found[run.price, run.used_by] = both
    ordered = sorted(found.items(), key=lambda item: (item[0][0], sorted(item[0][1])))
    return tuple(run for _, run in ordered)


def new_line(
    product: Product,
    quantity: int,
    money: Currency,
    list_price: int,
    context: Mapping[TextField, Collection[str]],
) -> Line:
    """A line at list price; `context` are the texts of the basket."""
    texts = texts_of(product)
    texts.update(context)
    scale = 10**money.exponent
    total = list_price * quantity
    return Line(product, quantity, texts, scale, list_price, total, (Run(quantity, total),))


def texts_of(product: Product) -> dict[TextField, Collection[str]]:
    """The texts of a product that conditions compare; of a category, every path above it too."""
    return {
        "partner": (product.partner_id, product.partner_name),
        "source": (product.source_id,),
        "category": _paths(product.category),
        "brand": () if product.brand is None else (product.brand,),
        "sku": (product.sku,),
        "group_id": () if product.group_id is None else (product.group_id,),
    }


def _paths(category: str | None) -> Sequence[str]:
    """The path, and every path above it."""
    if not category:
        return ()
    paths, end = [category], category.rfind(PATH)
    while end > 0:
        paths.append(category[:end])
        end = category.rfind(PATH, 0, end)
    return paths


def canonical_code(code: str) -> str:
    """The form in which codes are compared.

    Case and blanks around them don't count, nor whether accents are characters of their own.
    """
    return normalize("NFC", code.strip().casefold())
