"""Orders: what was bought at which frozen prices, in one part for each partner.

Lines are copies: whatever happens to a product later, its name, sku and price on an order stay.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from decimal import Decimal
from typing import ClassVar, Final

from attrs import asdict, evolve, frozen

from commerce_core.base.calendar import check_range
from commerce_core.base.errors import InvalidInput
from commerce_core.base.money import LARGEST_AMOUNT, currency, round_like
from commerce_core.orders.line import OrderItem
from commerce_core.orders.part import Fulfilment, Part, PartMark, Refund, part_id_of, status_of
from commerce_core.orders.states import OrderStatus, Standing
from commerce_core.partners.access import Principal
from commerce_core.pricing.basket_terms import NO_TERMS, BasketTerms
from commerce_core.pricing.explanation import Adjustment, sentence
from commerce_core.pricing.priced import PricedItem

_ZERO: Final = Decimal(0)
DUPLICATES_WITHIN: Final = timedelta(minutes=10)
"""An order that repeats another one of the same reference within this time is likely a mistake."""
OWN_REFERENCE: Final = "reference"
"""The name under which a partner's part of the metadata has its own reference."""


@frozen
class OrderTerms:
    """The operator's rules for new orders.

    Unless confirmed, they expire `expire_after` they are placed (None: never). Likely duplicates
    are refused, or else placed with a warning.
    """

    expire_after: timedelta | None = None
    refuse_duplicates: bool = False


@frozen
class OrderWarning:
    """Something about an order that may be a mistake; `order_id` is another order it is about."""

    code: str
    detail: str
    order_id: str


@frozen
class Order:
    """An order in one currency; `total_amount` is the sum of its lines.

    `status` is what `states` makes of its lines. `version` grows with each act on it. `codes`,
    `customer`, `customer_group` and `channel` are what decided its price beside its items. It
    expires at `expires_at` unless it is confirmed, and likely repeats the order `duplicate_of`.
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
    version: int = 1
    fulfilments: tuple[Fulfilment, ...] = ()
    refunds: tuple[Refund, ...] = ()
    marks: tuple[PartMark, ...] = ()
    expires_at: datetime | None = None
    duplicate_of: str | None = None

    @property
    def partner_ids(self) -> tuple[str, ...]:
        """The partners that have a part of it, in the order of its lines."""
        return tuple(dict.fromkeys(item.partner_id for item in self.items))

    @property
    def parts(self) -> tuple[Part, ...]:
        """Its parts, in the order of its lines."""
        return tuple(map(self.part, self.partner_ids))

    @property
    def cancelled_amount(self) -> Decimal:
        """What the cancelled units cost."""
        return self._sum(item.cancelled_amount for item in self.items)

    @property
    def partner_amount(self) -> Decimal:
        """What is owed to its partners, as placed."""
        return self._sum(item.partner_amount for item in self.items)

    @property
    def refundable_amount(self) -> Decimal:
        """What of its money hasn't gone back."""
        return self._sum(item.refundable_amount for item in self.items)

    @property
    def warnings(self) -> tuple[OrderWarning, ...]:
        """What may be a mistake."""
        if self.duplicate_of is None:
            return ()
        detail = f"It has the same reference and items as {self.duplicate_of}, placed just before."
        return (OrderWarning("likely_duplicate", detail, self.duplicate_of),)

    def _sum(self, amounts: Iterable[Decimal]) -> Decimal:
        return sum(amounts, currency(self.currency).zero)

    def lines_of(self, partner_id: str | None) -> tuple[OrderItem, ...]:
        """The lines of a partner; all of them for None."""
        return tuple(item for item in self.items if partner_id in (None, item.partner_id))

    def mark_of(self, partner_id: str) -> PartMark:
        """What has happened to a part apart from its lines."""
        known = (mark for mark in self.marks if mark.partner_id == partner_id)
        return next(known, PartMark(partner_id))

    def part(self, partner_id: str) -> Part:
        """The part of a partner that has lines in it."""
        lines, mark = self.lines_of(partner_id), self.mark_of(partner_id)
        return Part(
            part_id_of(self.order_id, partner_id),
            partner_id,
            mark.version,
            status_of(lines, mark),
            mark.confirmed_at,
            self._sum(line.line_total for line in lines),
            self._sum(line.cancelled_amount for line in lines),
            self._sum(line.refunded_amount for line in lines),
            self._sum(line.partner_amount for line in lines),
            lines,
            tuple(sent for sent in self.fulfilments if sent.partner_id == partner_id),
            tuple(refund for refund in self.refunds if refund.partner_id == partner_id),
        )

    def restated(self) -> "Order":
        """The same order with the state, and the refunded amount, that follow from its lines.

        It is confirmed once all parts are that aren't wholly cancelled. What is no longer waiting
        for a confirmation of any part doesn't expire.
        """
        standing = {p: self.mark_of(p).confirmed_at is not None for p in self.partner_ids}
        alive = {item.partner_id for item in self.items if item.cancelled < item.quantity}
        confirmed = all(standing[partner_id] for partner_id in alive)
        status = Standing.of(self.items, confirmed=confirmed).status
        waits = status == "created" and not any(standing.values())
        return evolve(
            self,
            status=status,
            refunded_amount=self._sum(item.refunded_amount for item in self.items),
            expires_at=self.expires_at if waits else None,
        )

    def has_expired(self, at: datetime) -> bool:
        """Whether it has expired at that moment, without having been confirmed."""
        return self.expires_at is not None and self.expires_at <= at

    def seen_by(self, principal: Principal) -> "Order | None":
        """The order as this principal may see it; None if it has no line of theirs."""
        return self if principal.partner_id is None else self.part_of(principal.partner_id)

    def part_of(self, partner_id: str) -> "Order | None":
        """The order as that partner may see it: whole if all lines are its own.

        Else it is the partner's part: its lines, state, version and amounts, the reference that
        the operator has given it in the metadata as `PARTNER_ID.reference`, and the rest of the
        metadata under `PARTNER_ID.`. In either case it shows what was done to the lines, but
        neither rules nor codes.
        """
        items = tuple(item.without_rules() for item in self.lines_of(partner_id))
        seen = evolve(self, items=items, codes=(), customer=None)
        if len(items) == len(self.items) or not items:
            return seen if items else None
        prefix = f"{partner_id}."
        own = {
            key.removeprefix(prefix): text
            for key, text in self.metadata.items()
            if key.startswith(prefix)
        }
        part, mark = self.part(partner_id), self.mark_of(partner_id)
        return evolve(
            seen,
            status=part.status,
            total_amount=part.total_amount,
            refunded_amount=part.refunded_amount,
            customer_reference=own.pop(OWN_REFERENCE, None),
            metadata=own,
            updated_at=mark.updated_at or self.created_at,
            version=mark.version,
            fulfilments=part.fulfilments,
            refunds=part.refunds,
            marks=(mark,),
            duplicate_of=None,
        )


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
    that asks, if one does: then reference and status are those that this partner sees. Orders that
    have expired at `as_of` are cancelled.
    """

    IDENTITY: ClassVar = (
        "OrderQuery(partner_id={0.partner_id!r}, status={0.status!r}, "
        "customer_reference={0.customer_reference!r}, created_from={0.created_from!r}, "
        "created_to={0.created_to!r})"
    )
    UNHASHED: ClassVar = ("seen_by", "as_of")
    partner_id: str | None = None
    status: OrderStatus | None = None
    customer_reference: str | None = None
    created_from: datetime | None = None
    created_to: datetime | None = None
    seen_by: str | None = None
    as_of: datetime | None = None

    def __attrs_post_init__(self) -> None:
        check_range(self.created_from, self.created_to)


def likely_duplicate(
    recent: Iterable[Order], units: Mapping[str, int], principal: Principal
) -> str | None:
    """The first of these orders that the principal can see and that has exactly these units."""
    for order in recent:
        if order.seen_by(principal) is not None and units == units_by_product(order.items):
            return order.order_id
    return None


def units_by_product(items: Iterable[OrderItem]) -> dict[str, int]:
    """How many units of each product these lines have."""
    counted = Counter[str]()
    for item in items:
        counted[item.product_id] += item.quantity
    return dict(counted)


def freeze_line(
    item_id: str,
    priced: PricedItem,
    percent: Decimal = _ZERO,
    fee: Decimal = _ZERO,
    *,
    net_of_orders: bool = False,
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
        fee=round_like(priced.line_total, fee),
        net_of_orders=net_of_orders,
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
    terms: BasketTerms = NO_TERMS,
    expires_at: datetime | None = None,
    duplicate_of: str | None = None,
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
        expires_at=expires_at,
        duplicate_of=duplicate_of,
    )
