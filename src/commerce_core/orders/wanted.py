"""Requested items: which products in which quantities, and every reason to refuse them."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Final

from attrs import frozen

from commerce_core.base.errors import Fault, refuse_if
from commerce_core.base.text import UNSTORABLE
from commerce_core.catalog.product import NotSellable, Product
from commerce_core.pricing.price import partner_price

MOST_ITEMS: Final = 200
LARGEST_QUANTITY: Final = 1_000_000
LONGEST_REFERENCE: Final = 255
MOST_METADATA: Final = 50
LONGEST_METADATA: Final = 500


@frozen
class Wanted:
    """One requested item: a product, by its id or by partner and sku, and the quantity."""

    quantity: int
    product_id: str | None = None
    partner_id: str | None = None
    sku: str | None = None

    @property
    def units(self) -> int:
        """The quantity, or 0 if that quantity can't be ordered."""
        return self.quantity if 1 <= self.quantity <= LARGEST_QUANTITY else 0


def check_request(
    items: Sequence[Wanted], reference: str | None, metadata: Mapping[str, str]
) -> None:
    """Checks everything about an order that doesn't depend on products; InvalidInput lists faults.

    A bad quantity alone doesn't raise: `judge_items` reports it beside the products' faults.
    """
    judgements = (
        (not 1 <= len(items) <= MOST_ITEMS, _BAD_ITEMS),
        *(judgement for index, item in enumerate(items) for judgement in _check_item(index, item)),
        (reference is not None and not _is_text(reference, 1, LONGEST_REFERENCE), _BAD_REFERENCE),
        (
            len(metadata) > MOST_METADATA
            or not all(_is_text(t, 0, LONGEST_METADATA) for pair in metadata.items() for t in pair),
            _BAD_METADATA,
        ),
    )
    if any(wrong and fault.code != _BAD_QUANTITY for wrong, fault in judgements):
        refuse_if("The order isn't valid.", *judgements)


_BAD_QUANTITY: Final = "bad_quantity"
_BAD_ITEMS: Final = Fault("/items", "bad_items", f"Order 1 to {MOST_ITEMS} items.")
_BAD_REFERENCE: Final = Fault(
    "/customer_reference",
    "bad_reference",
    f"Use 1 to {LONGEST_REFERENCE} characters, without NUL.",
)
_BAD_METADATA: Final = Fault(
    "/metadata",
    "bad_metadata",
    f"Use up to {MOST_METADATA} pairs of strings of up to {LONGEST_METADATA} characters.",
)


def _check_item(index: int, item: Wanted) -> Iterator[tuple[bool, Fault]]:
    pointer = f"/items/{index}"
    named = "Name the item's product by product_id, or by partner_id and sku."
    yield not item.units, _quantity_fault(pointer)
    yield not (item.product_id or item.sku), Fault(pointer, "unnamed_product", named)
    for name in ("product_id", "partner_id", "sku"):
        text: str | None = getattr(item, name)
        detail = "No product has a name with NUL or half of a surrogate pair."
        fault = Fault(f"{pointer}/{name}", "unknown_product", detail)
        yield text is not None and bool(UNSTORABLE.search(text)), fault


def _quantity_fault(pointer: str) -> Fault:
    detail = f"Order a quantity from 1 to {LARGEST_QUANTITY:,}."
    return Fault(f"{pointer}/quantity", _BAD_QUANTITY, detail)


def _is_text(text: str, shortest: int, longest: int) -> bool:
    return shortest <= len(text) <= longest and not UNSTORABLE.search(text)


def judge_items(
    items: Sequence[Wanted], products: Sequence[Product | None], at: datetime
) -> list[Fault]:
    """Every reason why these products can't be sold in these quantities, each at its item.

    `products` are in the order of the items.
    """
    pairs = list(zip(items, products, strict=True))
    wanted = _units_by_product(
        (product.product_id, item.units) for item, product in pairs if product
    )
    faults: list[Fault] = []
    for index, (item, product) in enumerate(pairs):
        pointer = f"/items/{index}"
        if fault := _judge_item(pointer, item, product, wanted, at):
            faults.append(fault)
        if not item.units:
            faults.append(_quantity_fault(pointer))
    return [*faults, *_mixed_currencies(products)]


def _judge_item(
    pointer: str, item: Wanted, product: Product | None, wanted: Mapping[str, int], at: datetime
) -> Fault | None:
    if product is None:
        return _unknown(pointer, item)
    units = wanted[product.product_id]
    # A price so small that it rounds to 0 is none. What rules make of a price may well be 0.
    free = product.sellable and not partner_price(product, at).unit_price
    reason = "zero_price" if free else product.not_sellable_reason
    if reason is not None:
        detail = f"{product.sku} can't be sold: {_REASONS[reason]}."
        return Fault(_named(pointer, item), "not_sellable", detail)
    if not product.can_supply(units):
        return _short(pointer, product.sku, units, product.available or 0)
    return None


def judge_supply(
    items: Sequence[Wanted], products: Sequence[Product | None], short: Mapping[str, int]
) -> list[Fault]:
    """The fault of each item whose product was sold to others meanwhile, but for what is left."""
    pairs = list(zip(items, products, strict=True))
    wanted = _units_by_product(
        (product.product_id, item.units) for item, product in pairs if product
    )
    return [
        _short(f"/items/{index}", p.sku, wanted[p.product_id], short[p.product_id])
        for index, (_, p) in enumerate(pairs)
        if p is not None and p.product_id in short
    ]


def _short(pointer: str, sku: str, units: int, available: int) -> Fault:
    detail = f"{units} of {sku} were ordered, but only {available} can be sold."
    return Fault(f"{pointer}/quantity", "insufficient_stock", detail)


def judge_prices(items: Sequence[Wanted], products: Sequence[Product | None]) -> list[Fault]:
    """Every reason why these items have no price, each at its item; stock doesn't matter."""
    faults: list[Fault] = []
    for index, (item, product) in enumerate(zip(items, products, strict=True)):
        pointer = f"/items/{index}"
        if not item.units:
            faults.append(_quantity_fault(pointer))
        if product is None:
            faults.append(_unknown(pointer, item))
        elif (reason := _without_price(product)) is not None:
            detail = f"{product.sku} can't be priced: {_REASONS[reason]}."
            faults.append(Fault(_named(pointer, item), "not_sellable", detail))
    return [*faults, *_mixed_currencies(products)]


def _without_price(product: Product) -> NotSellable | None:
    reason = product.not_sellable_reason
    return reason if reason in ("partner_gone", "removed", "unpriced", "zero_price") else None


def _named(pointer: str, item: Wanted) -> str:
    return f"{pointer}/{'product_id' if item.product_id else 'sku'}"


def _unknown(pointer: str, item: Wanted) -> Fault:
    name = item.product_id or item.sku
    detail = f"There is no product {name!r}."
    return Fault(_named(pointer, item), "unknown_product", detail)


def _mixed_currencies(products: Sequence[Product | None]) -> Iterator[Fault]:
    codes = sorted({product.currency for product in products if product and product.currency})
    if len(codes) > 1:
        detail = f"An order must be in one currency; these items are in {', '.join(codes)}."
        yield Fault("/items", "mixed_currencies", detail)


_REASONS: Final[Mapping[NotSellable, str]] = {
    "partner_gone": "its partner was offboarded",
    "removed": "it was removed from the catalog",
    "discontinued": "it is discontinued",
    "stale": "its partner's last fresh file is too old",
    "unpriced": "it has no price",
    "zero_price": "its price is 0",
    "out_of_stock": "it is out of stock",
    "no_stock": "no units are left",
}


def _units_by_product(units: Iterator[tuple[str, int]]) -> dict[str, int]:
    counted: Counter[str] = Counter()
    for product_id, quantity in units:
        counted[product_id] += quantity
    return dict(counted)
