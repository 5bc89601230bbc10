"""What is asked of an order: which units, of which part, and everything that is wrong with it."""

from collections.abc import Callable, Iterable, Sequence
from decimal import Decimal
from typing import Final

from attrs import define, evolve, field, frozen

from commerce_core.base.errors import Conflict, Fault, InvalidInput
from commerce_core.base.money import LARGEST_AMOUNT, currency, find_currency
from commerce_core.base.text import UNSTORABLE
from commerce_core.orders.line import OrderItem
from commerce_core.orders.order import Order
from commerce_core.orders.wanted import LARGEST_QUANTITY, MOST_ITEMS

LONGEST_REASON: Final = 500
LONGEST_CARRIER: Final = 100
LONGEST_TRACKING_NUMBER: Final = 255
MOST_RECORDS: Final = 1_000
"""The most fulfilments that an order can have, and the most refunds."""


@frozen
class AskedUnits:
    """A line, and how many of its units; None for all that the act can concern."""

    item_id: str
    quantity: int | None = None


@frozen
class Asked:
    """The part and the units that an act is to concern; None for all.

    `version` is the version of the order (for a partner, of its part) that the caller has seen.
    """

    partner_id: str | None = None
    items: tuple[AskedUnits, ...] | None = None
    version: int | None = None


@frozen
class ConfirmAsked(Asked):
    """Parts to confirm."""


@frozen
class CancelAsked(Asked):
    """Open units to cancel."""


@frozen
class FulfilAsked(Asked):
    """Units to fulfil, and how they are sent."""

    carrier: str | None = None
    tracking_number: str | None = None


@frozen
class RefundAsked(Asked):
    """What to refund: the units, an amount without units, or all that is left; and why.

    `currency` is that of the amount, if given. `returned`: the units came back; `restock`: they can
    be sold again.
    """

    reason: str | None = None
    amount: Decimal | None = None
    currency: str | None = None
    returned: bool = False
    restock: bool = False


@define
class Refusals:
    """Everything found wrong with an act: with what is asked, and with the order's state.

    `version` is the version of what the caller sees: of the order (the default), or of its part.
    """

    order: Order
    version: int | None = None
    asked: list[Fault] = field(factory=list[Fault])
    state: list[Fault] = field(factory=list[Fault])
    refundable: Decimal | None = None

    def ask(self, wrong: bool, pointer: str, code: str, detail: str) -> None:  # noqa: FBT001
        """Notes a fault of what is asked, if it is wrong."""
        if wrong:
            self.asked.append(Fault(pointer, code, detail))

    def conflict(self, wrong: bool, pointer: str, code: str, detail: str) -> None:  # noqa: FBT001
        """Notes that the state doesn't allow it, if it is wrong."""
        if wrong:
            self.state.append(Fault(pointer, code, detail))

    def check(self) -> None:
        """InvalidInput or Conflict with everything that was noted, if anything was.

        A conflict shows the current version and, if money is short, what can be refunded.
        """
        if self.asked:
            detail = "The order can't be changed like this."
            raise InvalidInput(detail, faults=[*self.asked, *self.state], code="act_refused")
        if self.state:
            shown: dict[str, object] = {"version": self.version or self.order.version}
            if self.refundable is not None:
                shown["refundable"] = self.refundable
            first = self.state[0]
            raise Conflict(first.detail, code=first.code, shown=shown, faults=self.state)


@frozen
class Chosen:
    """A line of an order, and the units of it that an act concerns."""

    line: OrderItem
    units: int
    pointer: str = "/items"


def scope_of(order: Order, asked: Asked, refusals: Refusals) -> tuple[OrderItem, ...]:
    """The lines of the part that an act is to concern, or all lines."""
    if asked.partner_id is not None and asked.partner_id not in order.partner_ids:
        refusals.asked.append(unknown_part(asked.partner_id))
        return ()
    return order.lines_of(asked.partner_id)


def unknown_part(partner_id: str) -> Fault:
    """The only words for a part that an order doesn't have, or that the caller may not see."""
    return Fault("/partner_id", "unknown_part", f"The order has no part of {partner_id[:80]}.")


def choose(
    lines: Sequence[OrderItem],
    asked: Asked,
    refusals: Refusals,
    most: Callable[[OrderItem], int],
    can_be: str,
) -> list[Chosen]:
    """The lines and units asked for, by the order of the lines; all that are possible by default.

    `most` is how many units of a line the act can concern: those that `can_be` ... now.
    """
    if asked.items is None:
        return [Chosen(line, most(line)) for line in lines if most(line)]
    count = len(asked.items)
    detail = f"Name 1 to {MOST_ITEMS} lines, or leave items out."
    refusals.ask(not 1 <= count <= MOST_ITEMS, "/items", "bad_items", detail)
    known = {line.item_id: line for line in lines}
    found: dict[str, Chosen] = {}
    for index, item in enumerate(asked.items[:MOST_ITEMS]):
        pointer, line = f"/items/{index}", known.get(item.item_id)
        if line is None:
            where = "in it" if asked.partner_id is None else "of this partner in it"
            detail = f"There is no line {item.item_id[:80]!r} {where}."
            refusals.ask(bool(lines), f"{pointer}/item_id", "unknown_item", detail)
            continue
        if item.item_id in found:
            detail = f"The line of {line.sku} is named twice. Name it once, with all units."
            refusals.ask(True, f"{pointer}/item_id", "repeated_item", detail)  # noqa: FBT003
            continue
        chosen = Chosen(line, most(line) if item.quantity is None else item.quantity, pointer)
        found[item.item_id] = chosen
        _check_units(chosen, most(line), can_be, refusals)
    return [found[line.item_id] for line in lines if line.item_id in found]


def _check_units(chosen: Chosen, most: int, can_be: str, refusals: Refusals) -> None:
    pointer, units = f"{chosen.pointer}/quantity", chosen.units
    detail = f"Use a quantity from 1 to {LARGEST_QUANTITY:,}."
    wrong = not 0 <= units <= LARGEST_QUANTITY or (not units and most > 0)
    refusals.ask(wrong, pointer, "bad_quantity", detail)
    of = f"unit{'s' if most != 1 else ''} of {chosen.line.sku} can be {can_be}"
    asked = f"{units:,} {'was' if units == 1 else 'were'} asked for"
    detail = f"{asked}, but {most:,} {of}." if units else f"No {of}."
    short = units > most or not units
    refusals.conflict(not wrong and short, pointer, "too_few_units", detail)


def check_text(text: str | None, pointer: str, longest: int, refusals: Refusals) -> None:
    """Notes a fault unless it is None or a text that can be kept."""
    wrong = text is not None and not (
        text.strip() and len(text) <= longest and not UNSTORABLE.search(text)
    )
    detail = f"Use 1 to {longest} characters, without NUL."
    refusals.ask(wrong, pointer, f"bad_{pointer.removeprefix('/')}", detail)


def check_refund(order: Order, asked: RefundAsked, refusals: Refusals) -> None:
    """Notes everything that is wrong with a refund whatever the order's state."""
    detail = f"Give the reason, in 1 to {LONGEST_REASON} characters."
    refusals.ask(asked.reason is None, "/reason", "bad_reason", detail)
    check_text(asked.reason, "/reason", LONGEST_REASON, refusals)
    code = order.currency
    detail = f"The order is in {code}, and amounts are never converted."
    wrong = asked.currency is not None and find_currency(asked.currency) != currency(code)
    refusals.ask(wrong, "/currency", "wrong_currency", detail)
    detail = "Only units that came back can be sold again."
    wrong = asked.restock and not asked.returned
    refusals.ask(wrong, "/restock", "restock_without_return", detail)
    if asked.amount is not None:
        _check_amount(asked.amount, code, refusals)
        detail = "An amount is paid back without units, so none can come back with it."
        refusals.ask(asked.returned, "/returned", "amount_without_units", detail)
        for index, item in enumerate(asked.items or ()):
            detail = "An amount is paid back without units; name the line alone, or leave it out."
            wrong, pointer = item.quantity is not None, f"/items/{index}/quantity"
            refusals.ask(wrong, pointer, "amount_without_units", detail)


def _check_amount(amount: Decimal, code: str, refusals: Refusals) -> None:
    valid = amount.is_finite() and 0 < amount <= LARGEST_AMOUNT
    detail = f"Use an amount above 0 and up to {LARGEST_AMOUNT}."
    refusals.ask(not valid, "/amount", "bad_amount", detail)
    detail = f"{code} has {currency(code).exponent} decimals."
    inexact = valid and not currency(code).is_exact(amount)
    refusals.ask(inexact, "/amount", "too_many_decimals", detail)


def without_units(asked: RefundAsked) -> RefundAsked:
    """The same, for choosing lines only."""
    items = asked.items
    named = items and tuple(evolve(item, quantity=None) for item in items)
    return evolve(asked, items=named)


def sum_of(amounts: Iterable[Decimal], code: str) -> Decimal:
    """The sum of amounts of that currency."""
    return sum(amounts, currency(code).zero)
