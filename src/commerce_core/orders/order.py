"""Orders: what was bought, at which frozen price, and every reason to refuse an order.

Lines are copies: whatever happens to a product later, its name, sku and price on an order stay.
"""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from typing import ClassVar, Final, Literal

from attrs import Factory, asdict, evolve, field, frozen

from commerce_core.base.errors import Conflict, Fault, InvalidInput, refuse_if
from commerce_core.base.money import LARGEST_AMOUNT, currency, round_like
from commerce_core.base.text import UNSTORABLE
from commerce_core.catalog.product import NotSellable, Product
from commerce_core.partners.access import Principal
from commerce_core.pricing.explanation import Adjustment, sentence
from commerce_core.pricing.price import partner_price
from commerce_core.pricing.priced import PricedItem
from commerce_core.pricing.terms import NO_TERMS, PriceTerms

MOST_ITEMS: Final = 200
LARGEST_QUANTITY: Final = 1_000_000
LONGEST_REFERENCE: Final = 255
MOST_METADATA: Final = 50
LONGEST_METADATA: Final = 500
_ZERO: Final = Decimal(0)
OWN_REFERENCE: Final = "reference"
"""The name under which a partner's part of the metadata has its own reference."""

OrderStatus = Literal["created", "confirmed", "fulfilled", "cancelled", "refunded"]
OPEN: Final = ("created", "confirmed")
"""The states in which an order reserves its units."""


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


@frozen
class OrderItem:
    """A line of an order, frozen: `list_price` per unit plus its adjustments make `line_total`.

    `unit_price` is what a unit costs on average, rounded; `line_total` is what is paid. Of that,
    `partner_amount` is owed to the partner, under the terms as of the order: it is less
    `commission_percent`. Besides, the platform takes a `fee` for the line.
    """

    item_id: str
    product_id: str
    product_version: int
    partner_id: str
    sku: str
    product_name: str
    quantity: int
    list_price: Decimal
    unit_price: Decimal
    line_total: Decimal
    adjustments: tuple[Adjustment, ...] = ()
    partner_amount: Decimal = field(default=Factory(lambda item: item.line_total, takes_self=True))
    commission_percent: Decimal = Decimal(0)
    fee: Decimal = Decimal(0)

    def without_rules(self) -> "OrderItem":
        """The line as its partner sees it."""
        return evolve(self, adjustments=tuple(step.without_rule() for step in self.adjustments))


@frozen
class Order:
    """An order in one currency; `total_amount` is the sum of its lines.

    `codes`, `customer`, `customer_group` and `channel` are what decided its price beside its items.
    """

    order_id: str
    status: OrderStatus
    customer_reference: str | None
    currency: str
    total_amount: Decimal
    refunded_amount: Decimal
    items: tuple[OrderItem, ...]
    metadata: Mapping[str, str]
    created_at: datetime
    updated_at: datetime
    codes: tuple[str, ...] = ()
    customer: str | None = None
    customer_group: str | None = None
    channel: str | None = None

    @property
    def units_by_product(self) -> dict[str, int]:
        """How many units of each product it has."""
        return _units_by_product((item.product_id, item.quantity) for item in self.items)

    def cancel(self, at: datetime) -> "Order":
        """Returns the order cancelled; Conflict if it already is, or if it was fulfilled."""
        if self.status not in OPEN:
            raise Conflict(
                f"Order {self.order_id} is {self.status}, so it can't be cancelled.",
                code=f"order_{self.status}",
            )
        return evolve(self, status="cancelled", updated_at=at)

    def seen_by(self, principal: Principal) -> "Order | None":
        """The order as this principal may see it; None if it has no line of theirs."""
        return self if principal.partner_id is None else self.part_of(principal.partner_id)

    def part_of(self, partner_id: str) -> "Order | None":
        """The order as that partner may see it: whole if all lines are its own.

        Else it is the partner's lines and their total, the reference that the operator has given it
        in the metadata as `PARTNER_ID.reference`, and the rest of the metadata under `PARTNER_ID.`.
        In either case it shows what was done to the lines, but neither rules nor codes.
        """
        own_items = [item for item in self.items if item.partner_id == partner_id]
        items = tuple(item.without_rules() for item in own_items)
        seen = evolve(self, items=items, codes=(), customer=None)
        if len(items) == len(self.items) or not items:
            return seen if items else None
        prefix = f"{partner_id}."
        own = {
            key.removeprefix(prefix): text
            for key, text in self.metadata.items()
            if key.startswith(prefix)
        }
        return evolve(
            seen,
            total_amount=sum((item.line_total for item in items), currency(self.currency).zero),
            customer_reference=own.pop(OWN_REFERENCE, None),
            metadata=own,
        )

    def is_all_of(self, principal: Principal) -> bool:
        """Whether the principal may see every line."""
        return all(principal.may_see(item.partner_id) for item in self.items)


@frozen
class LineExplanation:
    """How the price of a line came about: each step, and all of them in words."""

    item_id: str
    sku: str
    list_total: Decimal
    line_total: Decimal
    adjustments: tuple[Adjustment, ...]
    explanation: tuple[str, ...]


@frozen
class OrderExplanation:
    """How the price of an order came about, line by line."""

    order_id: str
    currency: str
    total_amount: Decimal
    items: tuple[LineExplanation, ...]


def explain(order: Order) -> OrderExplanation:
    """The frozen explanation of an order."""
    lines = tuple(
        LineExplanation(
            item.item_id, item.sku, item.list_price * item.quantity, item.line_total,
            item.adjustments, tuple(map(sentence, item.adjustments)),
        )
        for item in order.items
    )  # fmt: skip
    return OrderExplanation(order.order_id, order.currency, order.total_amount, lines)


@frozen
class OrderQuery:
    """Selects the orders that match every given filter, newest first.

    `partner_id` matches orders with at least one of the partner's lines. `seen_by` is the partner
    that asks, if one does: then the reference is the one that this partner sees.
    """

    IDENTITY: ClassVar = (
        "OrderQuery(partner_id={0.partner_id!r}, status={0.status!r}, "
        "customer_reference={0.customer_reference!r}, created_from={0.created_from!r}, "
        "created_to={0.created_to!r})"
    )
    partner_id: str | None = None
    status: OrderStatus | None = None
    customer_reference: str | None = None
    created_from: datetime | None = None
    created_to: datetime | None = None
    seen_by: str | None = None


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

    `products` are in the order of the items; their `reserved` already includes this order's units.
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
    others = evolve(product, reserved=product.reserved - units)
    # A price so small that it rounds to 0 is none. What rules make of a price may well be 0.
    free = others.sellable and not partner_price(others, at).unit_price
    reason = "zero_price" if free else others.not_sellable_reason
    if reason is not None:
        detail = f"{product.sku} can't be sold: {_REASONS[reason]}."
        return Fault(_named(pointer, item), "not_sellable", detail)
    if not others.can_supply(units):
        detail = f"{units} of {product.sku} were ordered, but only {others.available} can be sold."
        return Fault(f"{pointer}/quantity", "insufficient_stock", detail)
    return None


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
    "unpriced": "it has no price",
    "zero_price": "its price is 0",
    "out_of_stock": "it is out of stock",
    "no_stock": "no units are left",
}


def freeze_line(
    item_id: str, priced: PricedItem, percent: Decimal = _ZERO, fee: Decimal = _ZERO
) -> OrderItem:
    """The order line of a priced item; nothing ever computes its price again.

    The commission is that percentage of what the partner sells it for: the list price less what the
    partner pays for of its discounts. What the platform pays for is owed to the partner.
    """
    parts = (step.partners_part for step in priced.adjustments)
    sold_for = priced.list_price * priced.quantity + sum(parts, _ZERO)
    return OrderItem(
        item_id=item_id,
        partner_amount=sold_for - round_like(priced.line_total, sold_for * percent / 100),
        commission_percent=percent,
        fee=fee,
        **asdict(priced, recurse=False),
    )


def new_order(
    order_id: str,
    items: Sequence[OrderItem],
    code: str,
    at: datetime,
    *,
    reference: str | None,
    metadata: Mapping[str, str],
    terms: PriceTerms = NO_TERMS,
) -> Order:
    """A new order of these lines; InvalidInput if its total exceeds the largest amount."""
    zero = currency(code).zero
    total = sum((item.line_total for item in items), zero)
    if total > LARGEST_AMOUNT:
        detail = f"The order's total of {total} {code} exceeds the limit of {LARGEST_AMOUNT}."
        raise InvalidInput.at("/items", "too_large_total", detail)
    return Order(
        order_id,
        "created",
        reference,
        code,
        total,
        zero,
        tuple(items),
        dict(metadata),
        at,
        at,
        terms.codes,
        terms.customer,
        terms.customer_group,
        terms.channel,
    )


def _units_by_product(units: Iterator[tuple[str, int]]) -> dict[str, int]:
    counted: Counter[str] = Counter()
    for product_id, quantity in units:
        counted[product_id] += quantity
    return dict(counted)
