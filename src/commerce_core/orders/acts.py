"""Acts on orders: what confirming, fulfilling, cancelling and refunding do, decided and not done.

Each takes the order as it is and returns what would become of it, or refuses with every reason.
Units move between the states of a line, and money follows them; nothing is priced again.
"""

from collections.abc import Callable, Iterable, Sequence
from datetime import datetime
from decimal import Decimal
from operator import attrgetter
from typing import Final, assert_never

from attrs import evolve, frozen

from commerce_core.base.errors import Fault
from commerce_core.base.ids import Kind
from commerce_core.base.money import currency
from commerce_core.orders import money
from commerce_core.orders.asking import (
    LONGEST_CARRIER,
    LONGEST_TRACKING_NUMBER,
    MOST_RECORDS,
    Asked,
    CancelAsked,
    Chosen,
    ConfirmAsked,
    FulfilAsked,
    RefundAsked,
    Refusals,
    check_refund,
    check_text,
    choose,
    scope_of,
    sum_of,
    without_units,
)
from commerce_core.orders.line import OrderItem
from commerce_core.orders.movement import Movement, gross_of
from commerce_core.orders.order import Order
from commerce_core.orders.part import (
    FulfilledUnits,
    Fulfilment,
    Refund,
    RefundedUnits,
    part_id_of,
    status_of,
)
from commerce_core.stock.reservation import MoveKind, StockMove

NewId = Callable[[Kind], str]
_Paid = tuple[Chosen, RefundedUnits]
_ALL: Final = CancelAsked()


@frozen
class Outcome:
    """What an act makes of an order, and how it moves money and stock."""

    order: Order
    touched: tuple[str, ...]
    movements: tuple[Movement, ...] = ()
    stock: tuple[StockMove, ...] = ()
    fulfilments: tuple[Fulfilment, ...] = ()
    refunds: tuple[Refund, ...] = ()


AnyAsked = ConfirmAsked | FulfilAsked | CancelAsked | RefundAsked


def decide(order: Order, asked: AnyAsked, at: datetime, new_id: NewId) -> Outcome:
    """What would become of the order; InvalidInput or Conflict with every reason against it."""
    match asked:
        case ConfirmAsked():
            return confirm(order, asked, at)
        case FulfilAsked():
            return fulfil(order, asked, at, new_id)
        case CancelAsked():
            return cancel(order, asked, at)
        case RefundAsked():
            return refund(order, asked, at, new_id)
        case _:
            assert_never(asked)


def confirm(order: Order, asked: ConfirmAsked, at: datetime) -> Outcome:
    """Confirms the parts that aren't yet; Conflict if there are none."""
    refusals = Refusals(order, asked.version)
    scope_of(order, asked, refusals)
    wanted = (asked.partner_id,) if asked.partner_id else order.partner_ids
    refusals.check()
    open_parts = [p for p in wanted if order.part(p).status == "created"]
    _refuse_finished(order, asked, refusals, open_parts, "confirmed")
    return _became(order, order.items, at, confirmed=open_parts)


def fulfil(order: Order, asked: FulfilAsked, at: datetime, new_id: NewId) -> Outcome:
    """Sends open units, as one fulfilment for each part; what isn't confirmed is by this."""
    refusals = Refusals(order, asked.version)
    lines = scope_of(order, asked, refusals)
    check_text(asked.carrier, "/carrier", LONGEST_CARRIER, refusals)
    check_text(asked.tracking_number, "/tracking_number", LONGEST_TRACKING_NUMBER, refusals)
    chosen = choose(lines, asked, refusals, lambda line: line.open, "fulfilled")
    _check_records(order.fulfilments, "fulfilments", refusals)
    _refuse_finished(order, asked, refusals, any(line.open for line in lines), "fulfilled")
    by_partner = _by_partner(chosen)
    made = tuple(
        Fulfilment(
            new_id("ful"), part_id_of(order.order_id, partner_id), partner_id, "sent",
            tuple(FulfilledUnits(c.line.item_id, c.units) for c in some),
            asked.carrier, asked.tracking_number, at,
        )
        for partner_id, some in by_partner.items()
    )  # fmt: skip
    sent_with = {f.partner_id: f.fulfilment_id for f in made}
    after = {c.line.item_id: evolve(c.line, fulfilled=c.line.fulfilled + c.units) for c in chosen}
    every = sorted((*order.fulfilments, *made), key=attrgetter("fulfilment_id"))
    order = evolve(order, fulfilments=tuple(every))
    outcome = _became(order, _replaced(order, after), at, confirmed=by_partner, touched=by_partner)
    moves = (_move("sent", c.line, c.units, sent_with[c.line.partner_id]) for c in chosen)
    return evolve(outcome, fulfilments=made, stock=tuple(moves))


def cancel_fulfilment(
    order: Order, fulfilment_id: str, at: datetime, version: int | None = None
) -> Outcome:
    """Cancels a fulfilment: its units are open again; Conflict if some were paid back since."""
    found = next(f for f in order.fulfilments if f.fulfilment_id == fulfilment_id)
    refusals = Refusals(order, version)
    detail = f"Fulfilment {fulfilment_id} is cancelled already."
    refusals.conflict(found.status == "cancelled", "", "fulfilment_cancelled", detail)
    refusals.check()
    known = {line.item_id: line for line in order.items}
    after: dict[str, OrderItem] = {}
    for units in found.items:
        line = known[units.item_id]
        left = line.fulfilled - units.quantity
        detail = f"Units of {line.sku} that it may contain were paid back."
        refusals.conflict(left < line.refunded, "", "units_refunded", detail)
        after[line.item_id] = evolve(line, fulfilled=max(left, line.refunded))
    refusals.check()
    cancelled = evolve(found, status="cancelled", cancelled_at=at)
    fulfilments = tuple(cancelled if f is found else f for f in order.fulfilments)
    order = evolve(order, fulfilments=fulfilments)
    outcome = _became(order, _replaced(order, after), at, touched=[found.partner_id])
    moves = (
        _move("reopened", known[units.item_id], units.quantity, fulfilment_id)
        for units in found.items
    )
    return evolve(outcome, fulfilments=(cancelled,), stock=tuple(moves))


def cancel(order: Order, asked: CancelAsked, at: datetime, reason: str | None = None) -> Outcome:
    """Cancels open units, never those that were sent; their money goes back."""
    refusals = Refusals(order, asked.version)
    lines = scope_of(order, asked, refusals)
    chosen = choose(lines, asked, refusals, lambda line: line.open, "cancelled")
    _refuse_finished(order, asked, refusals, any(line.open for line in lines), "cancelled")
    cents = currency(order.currency)
    after: dict[str, OrderItem] = {}
    movements: list[Movement] = []
    for c in chosen:
        line, amount = c.line, money.paid_back_for(c.line, c.units)
        after[line.item_id] = evolve(
            line,
            cancelled=line.cancelled + c.units,
            cancelled_amount=line.cancelled_amount + amount,
        )
        movements.append(
            Movement(
                "cancelled", line, c.units, money.worth(line, gross_of(line), c.units), amount,
                money.partner_part(line, amount, c.units, cents),
                part_id_of(order.order_id, line.partner_id), reason=reason,
            )
        )  # fmt: skip
    outcome = _became(order, _replaced(order, after), at, touched=_by_partner(chosen))
    moves = (_move("released", c.line, c.units) for c in chosen)
    return evolve(outcome, movements=tuple(movements), stock=tuple(moves))


def expire(order: Order) -> Outcome:
    """What becomes of an order that wasn't confirmed in time: all that is open is cancelled."""
    if order.expires_at is None:
        raise ValueError(f"{order.order_id} doesn't expire")
    return cancel(order, _ALL, order.expires_at, "expired")


def as_of(order: Order, at: datetime) -> Order:
    """The order as it is at that moment, whether or not an expiry has been written yet."""
    return expire(order).order if order.has_expired(at) else order


def refund(order: Order, asked: RefundAsked, at: datetime, new_id: NewId) -> Outcome:
    """Pays back units, an amount without units, or all that is left: one refund for each part.

    Units that were sent are paid back first. Units that are still open are cancelled by it: what
    has been paid back is never sent.
    """
    refusals = Refusals(order, asked.version)
    lines = scope_of(order, asked, refusals)
    check_refund(order, asked, refusals)
    _check_records(order.refunds, "refunds", refusals)
    if asked.amount is not None:
        choices = _spread(order, lines, asked, asked.amount, refusals)
        return _refunded(order, choices, asked, at, new_id)
    can_be = "refunded as returned" if asked.returned else "refunded"
    chosen = choose(lines, asked, refusals, _refundable(asked), can_be)
    _refuse_finished(order, asked, refusals, any(map(_left, lines)), "refunded")
    paid = [_paid_back(c, asked, money.paid_back_for(c.line, c.units)) for c in chosen]
    outcome = _refunded(order, list(zip(chosen, paid, strict=True)), asked, at, new_id)
    open_units = {p.item_id: p.cancelled for p in paid if p.cancelled}
    back = {p.item_id: p.returned for p in paid if asked.restock and p.returned}
    moves = [
        _move("released", c.line, open_units[c.line.item_id])
        for c in chosen
        if c.line.item_id in open_units
    ]
    moves += [
        _move("restocked", c.line, back[c.line.item_id]) for c in chosen if c.line.item_id in back
    ]
    return evolve(outcome, stock=tuple(moves))


def _move(kind: MoveKind, line: OrderItem, units: int, cause: str = "") -> StockMove:
    return StockMove(kind, line.product_id, line.item_id, units, line.net_of_orders, cause)


def _refundable(asked: RefundAsked) -> Callable[[OrderItem], int]:
    """How many units of a line can be refunded; only those that were sent can have come back.

    If all that is left is refunded, open units go with those that came back.
    """
    only_sent = asked.returned and asked.items is not None
    return lambda line: line.kept if only_sent else line.kept + line.open


def _left(line: OrderItem) -> bool:
    """Whether units or money of the line haven't gone back."""
    return bool(line.kept + line.open or line.refundable_amount)


def _paid_back(chosen: Chosen, asked: RefundAsked, amount: Decimal) -> RefundedUnits:
    sent = min(chosen.units, chosen.line.kept)
    back = sent if asked.returned else 0
    return RefundedUnits(chosen.line.item_id, chosen.units, amount, back, chosen.units - sent)


def _spread(
    order: Order,
    lines: Sequence[OrderItem],
    asked: RefundAsked,
    amount: Decimal,
    refusals: Refusals,
) -> list[_Paid]:
    """An amount without units, spread over the lines by what is left of each."""
    some = choose(lines, without_units(asked), refusals, lambda _: 1, "refunded")
    left = [c.line.refundable_amount for c in some]
    refusals.refundable = sum_of(left, order.currency)
    detail = f"{amount} {order.currency} is more than the {refusals.refundable} that are left."
    short = amount.is_finite() and amount > refusals.refundable
    refusals.conflict(short and bool(lines), "/amount", "too_little_left", detail)
    refusals.check()
    shares = currency(order.currency).allocate(amount, left)
    pairs = zip(some, shares, strict=True)
    return [(c, RefundedUnits(c.line.item_id, 0, part)) for c, part in pairs if part]


def _refunded(
    order: Order, paid: Sequence[_Paid], asked: RefundAsked, at: datetime, new_id: NewId
) -> Outcome:
    """The order once these amounts of these lines were paid back, with a refund for each part."""
    of = {c.line.item_id: back for c, back in paid}
    by_partner = _by_partner(c for c, _ in paid)
    refunds: list[Refund] = []
    movements: list[Movement] = []
    for partner_id, some in by_partner.items():
        units = tuple(of[c.line.item_id] for c in some)
        made = Refund(
            new_id("rfnd"), order.order_id, part_id_of(order.order_id, partner_id), partner_id,
            "units" if asked.amount is None else "goodwill", asked.reason or "", order.currency,
            sum_of((u.amount for u in units), order.currency), units,
            asked.returned, asked.restock, at,
        )  # fmt: skip
        refunds.append(made)
        movements += [_movement(c.line, of[c.line.item_id], made) for c in some]
    after = {c.line.item_id: _line_after(c.line, back) for c, back in paid}
    every = sorted((*order.refunds, *refunds), key=attrgetter("refund_id"))
    order = evolve(order, refunds=tuple(every))
    outcome = _became(order, _replaced(order, after), at, touched=by_partner)
    return evolve(outcome, movements=tuple(movements), refunds=tuple(refunds))


def _line_after(line: OrderItem, paid: RefundedUnits) -> OrderItem:
    return evolve(
        line,
        cancelled=line.cancelled + paid.cancelled,
        refunded=line.refunded + paid.quantity - paid.cancelled,
        returned=line.returned + paid.returned,
        refunded_amount=line.refunded_amount + paid.amount,
    )


def _movement(line: OrderItem, paid: RefundedUnits, made: Refund) -> Movement:
    """Units that the customer keeps still count as sold, though their money went back."""
    units, cents = paid.returned + paid.cancelled, currency(made.currency)
    return Movement(
        "goodwill" if made.kind == "goodwill" else "refunded",
        line,
        units,
        money.worth(line, gross_of(line), paid.quantity) if units else paid.amount,
        paid.amount,
        money.partner_part(line, paid.amount, paid.quantity, cents),
        made.part_id,
        made.refund_id,
        made.reason,
    )


def _refuse_finished(
    order: Order, asked: Asked, refusals: Refusals, possible: object, what: str
) -> None:
    """Refuses everything that was noted; Conflict `order_STATUS` if nothing at all is possible."""
    if not possible and not refusals.asked:
        part = order.part(asked.partner_id) if asked.partner_id else None
        status = part.status if part else order.status
        name = f"The part of {asked.partner_id}" if part else f"Order {order.order_id}"
        detail = f"{name} is {status.replace('_', ' ')}, so nothing of it can be {what}."
        refusals.state = [Fault("", f"order_{status}", detail)]
    refusals.check()


def _check_records(records: Sequence[object], name: str, refusals: Refusals) -> None:
    detail = f"An order has at most {MOST_RECORDS:,} {name}."
    refusals.conflict(len(records) >= MOST_RECORDS, "", f"too_many_{name}", detail)


def _by_partner(chosen: Iterable[Chosen]) -> dict[str, list[Chosen]]:
    found: dict[str, list[Chosen]] = {}
    for one in chosen:
        found.setdefault(one.line.partner_id, []).append(one)
    return found


def _replaced(order: Order, after: dict[str, OrderItem]) -> tuple[OrderItem, ...]:
    return tuple(after.get(line.item_id, line) for line in order.items)


def _became(
    order: Order,
    items: tuple[OrderItem, ...],
    at: datetime,
    *,
    confirmed: Iterable[str] = (),
    touched: Iterable[str] = (),
) -> Outcome:
    """The next version of the order and of the parts that are touched, with their new states."""
    new = set(confirmed)
    changed = tuple(p for p in order.partner_ids if p in {*new, *touched})
    marks = {mark.partner_id: mark for mark in order.marks}
    for partner_id in changed:
        before = order.mark_of(partner_id)
        since = before.confirmed_at or (at if partner_id in new else None)
        mark = evolve(before, version=before.version + 1, confirmed_at=since, updated_at=at)
        own = (line for line in items if line.partner_id == partner_id)
        marks[partner_id] = evolve(mark, status=status_of(own, mark))
    after = evolve(
        order,
        items=items,
        marks=tuple(marks[partner_id] for partner_id in sorted(marks)),
        version=order.version + 1,
        updated_at=at,
    )
    return Outcome(after.restated(), changed)
