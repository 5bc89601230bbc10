"""Lines of a basket while they are being priced: a product, its units, and what they cost so far.

A line's total is always a whole number of the currency's smallest unit. Its units form runs, each
of units with equal prices; prices of single units are exact fractions, whose sum is the total.
"""

from collections.abc import Hashable, Iterable, Mapping, Sequence
from fractions import Fraction
from typing import Final, Literal, get_args

from attrs import define, evolve, field, frozen

from commerce_core.base.money import Currency
from commerce_core.catalog.product import Product
from commerce_core.schema.cells import PATH

ProductField = Literal["partner", "source", "category", "brand", "sku", "group_id"]
BasketField = Literal["code", "customer", "customer_group", "channel", "currency"]
TextField = ProductField | BasketField
PRODUCT_FIELDS: Final[tuple[ProductField, ...]] = get_args(ProductField)
BASKET_FIELDS: Final[tuple[BasketField, ...]] = get_args(BasketField)
_NOTHING: Final = Fraction(0)
_NO_GROUPS: Final = frozenset[str]()


@frozen
class Run:
    """Units of a line with the same price (in smallest units), and the groups that used them."""

    count: int
    price: Fraction
    used_by: frozenset[str] = _NO_GROUPS


@frozen
class Part:
    """Units of one run that a rule uses, and how much it takes off all of them."""

    run: int
    count: int
    off: Fraction | int


@define
class Line:
    """All units of one product in a basket. Amounts are in smallest units unless noted."""

    product: Product
    quantity: int
    texts: Mapping[TextField, frozenset[str]]
    scale: int
    list_price: int
    total: int
    runs: tuple[Run, ...]
    floor: Fraction = _NOTHING
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

    def worth(self, run: int, count: int) -> Fraction | int:
        """What that many units of a run cost so far."""
        return self.total if count == self.quantity else self.runs[run].price * count

    def room(self, run: int, count: int) -> Fraction | int:
        """How far the price of that many units of a run may fall."""
        worth = self.worth(run, count)
        return max(0, worth - self.floor * count) if self.floor else worth

    def free_runs(self, group: str | None) -> Iterable[tuple[int, Run]]:
        """The runs whose units the group hasn't used."""
        return ((n, run) for n, run in enumerate(self.runs) if group not in run.used_by)

    def take(self, parts: Sequence[Part], amount: int, group: str | None) -> None:
        """Takes an amount off the line in all, from these units as far as they can give it."""
        self.total -= amount
        if len(self.runs) == 1 and len(parts) == 1 and parts[0].count == self.quantity:
            used = self.runs[0].used_by
            price = Fraction(self.total, self.quantity)
            self.runs = (Run(self.quantity, price, used | {group} if group else used),)
            return
        self.runs = _joined(self._split(parts, self._shares(parts, amount), group))

    def _shares(self, parts: Sequence[Part], amount: int) -> Sequence[Fraction | int]:
        """What is taken off each part, so that the whole is the amount."""
        asked = sum(part.off for part in parts)
        rooms = [self.room(part.run, part.count) for part in parts]
        if asked:
            offs = [part.off for part in parts]
            scaled = offs if asked == amount else [off * Fraction(amount, asked) for off in offs]
            if all(off <= room for off, room in zip(scaled, rooms, strict=True)):
                return scaled
        whole = sum(rooms)
        share = min(Fraction(1), Fraction(amount, whole)) if whole else _NOTHING
        return [share * room for room in rooms]

    def _split(
        self, parts: Sequence[Part], shares: Sequence[Fraction | int], group: str | None
    ) -> list[Run]:
        """The runs after the parts gave their shares; what is left, all units give together."""
        runs: list[Run] = []
        for number, run in enumerate(self.runs):
            rest = run.count
            for part, off in zip(parts, shares, strict=True):
                if part.run == number and part.count:
                    rest -= part.count
                    used = run.used_by | {group} if group else run.used_by
                    runs.append(Run(part.count, run.price - Fraction(off, part.count), used))
            if rest:
                runs.append(evolve(run, count=rest))
        return self._even(runs)

    def _even(self, runs: list[Run]) -> list[Run]:
        """The runs with prices that add up to the total: what rounding left is shared by room."""
        left = sum((run.price * run.count for run in runs), _NOTHING) - self.total
        if not left:
            return runs
        rooms = [max(_NOTHING, run.price - self.floor) for run in runs]
        whole = sum((room * run.count for room, run in zip(rooms, runs, strict=True)), _NOTHING)
        if whole <= 0:
            return [evolve(run, price=run.price - left / self.quantity) for run in runs]
        return [
            evolve(run, price=run.price - room * left / whole)
            for room, run in zip(rooms, runs, strict=True)
        ]


def _joined(runs: Iterable[Run]) -> tuple[Run, ...]:
    """The runs, with equal ones joined, cheapest first."""
    counts: dict[tuple[Fraction, frozenset[str]], int] = {}
    for run in runs:
        key = run.price, run.used_by
        counts[key] = counts.get(key, 0) + run.count
    ordered = sorted(counts.items(), key=lambda item: (item[0][0], sorted(item[0][1])))
    return tuple(Run(count, price, used) for (price, used), count in ordered)


def new_line(
    product: Product,
    quantity: int,
    money: Currency,
    list_price: int,
    context: Mapping[TextField, frozenset[str]],
) -> Line:
    """A line at list price; `context` are the texts of the basket."""
    texts: dict[TextField, frozenset[str]] = {**context, **texts_of(product)}
    scale = 10**money.exponent
    run = Run(quantity, Fraction(list_price))
    return Line(product, quantity, texts, scale, list_price, list_price * quantity, (run,))


def texts_of(product: Product) -> dict[TextField, frozenset[str]]:
    """The texts of a product that conditions compare; of a category, every path above it too."""
    steps = product.category.split(PATH) if product.category else []
    paths = (PATH.join(steps[:n]) for n in range(1, len(steps) + 1))
    return {
        "partner": frozenset({product.partner_id, product.partner_name}),
        "source": frozenset({product.source_id}),
        "category": frozenset(paths),
        "brand": _known(product.brand),
        "sku": frozenset({product.sku}),
        "group_id": _known(product.group_id),
    }


def canonical_code(code: str) -> str:
    """The form in which codes are compared: case and blanks around them don't count."""
    return code.strip().casefold()


def _known(text: str | None) -> frozenset[str]:
    return frozenset() if text is None else frozenset({text})
