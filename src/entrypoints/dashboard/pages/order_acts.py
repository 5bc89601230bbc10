"""Acts on an order: confirm, fulfil, cancel, refund; each shows its plan before its button.

The same page answers every choice of part, lines and units; it works without script. The form of
the button carries what was planned and the version of the order, so that only this is done.
"""

import json
from collections.abc import Iterable, Mapping
from decimal import Decimal
from typing import Any, Final, Literal, get_args

from attrs import frozen

from commerce_core.base.errors import Conflict, InvalidInput
from commerce_core.commerce import Commerce
from commerce_core.orders.acts import AnyAsked
from commerce_core.orders.asking import (
    AskedUnits,
    CancelAsked,
    ConfirmAsked,
    FulfilAsked,
    RefundAsked,
)
from commerce_core.orders.line import OrderItem
from commerce_core.orders.part import Part
from commerce_core.usecases.acts import ActPlan
from entrypoints.dashboard.kit.pages import Goto, act, page
from entrypoints.dashboard.kit.rendering import View
from entrypoints.dashboard.pages.shown import partner_names
from entrypoints.problems import Problem, problem_of
from entrypoints.reading import optional, required
from entrypoints.scalars import FulfilmentId, OrderId, PartnerId

Verb = Literal["confirm", "fulfil", "cancel", "refund"]
VERBS: Final[tuple[Verb, ...]] = get_args(Verb)
_ANY_REASON: Final = "-"
"""Stands for the reason in a plan that is shown before a reason was given."""


@frozen
class Words:
    """What an act is called, what is chosen for it, and what is shown once it is done."""

    title: str
    chosen: str
    done: str


def words_of(verb: Verb) -> Words:
    """The words of an act."""
    match verb:
        case "confirm":
            return Words("Confirm", "Which parts to confirm", "Confirmed.")
        case "fulfil":
            return Words("Fulfil", "Which units were sent", "Recorded as sent.")
        case "cancel":
            done = "Cancelled. The units can be sold again."
            return Words("Cancel", "Which units to cancel", done)
        case "refund":
            return Words("Refund", "What to refund", "Refunded.")


@frozen(kw_only=True)
class Choice:
    """What of an order an act is about.

    `units` has the number of units by line. `chosen` tells an empty choice from none: without it,
    everything possible is chosen.
    """

    partner_id: PartnerId | None = optional(None, "Part.")
    chosen: bool = optional(default=False, meaning="Whether lines were chosen.")
    units: Mapping[str, int] = optional({}, "Units by line.")
    amount: Decimal | None = optional(None, "An amount without units.")
    by: Literal["units", "amount"] = optional("units", "Whether units or an amount are refunded.")
    returned: bool = optional(default=False, meaning="Whether the units have come back.")
    restock: bool = optional(default=False, meaning="Whether they can be sold again.")

    @property
    def asked_units(self) -> tuple[AskedUnits, ...] | None:
        """The lines and units as the core takes them; None for all that are possible."""
        if not self.chosen or self.by == "amount":
            return None
        return tuple(AskedUnits(item, units) for item, units in self.units.items() if units)

    @property
    def is_empty(self) -> bool:
        """Whether nothing is chosen at all."""
        return self.asked_units == () or (self.by == "amount" and self.amount is None)


@frozen(kw_only=True)
class Decision(Choice):
    """An act to do, on the version of the order that its plan was made of."""

    version: int = required("The version of the order that was shown.")
    reason: str | None = optional(None, "Why it is refunded.")
    carrier: str | None = optional(None, "Carrier of the parcel.")
    tracking_number: str | None = optional(None, "The carrier's number of the parcel.")


@frozen(kw_only=True)
class Seen:
    """The version of the order that was shown."""

    version: int = required("Version.")


def asked_for(verb: Verb, choice: Choice) -> AnyAsked:
    """The act as the core takes it."""
    partner, units = choice.partner_id, choice.asked_units
    decided = choice if isinstance(choice, Decision) else None
    version = decided.version if decided else None
    match verb:
        case "confirm":
            return ConfirmAsked(partner, None, version)
        case "fulfil":
            sent = (decided.carrier, decided.tracking_number) if decided else ()
            return FulfilAsked(partner, units, version, *sent)
        case "cancel":
            return CancelAsked(partner, units, version)
        case "refund":
            amount = choice.amount if choice.by == "amount" else None
            reason = decided.reason if decided else _ANY_REASON
            return RefundAsked(
                partner, units, version, reason, amount, None, choice.returned, choice.restock
            )


def possible_units(verb: Verb, item: OrderItem) -> int:
    """How many units of a line the act can concern."""
    match verb:
        case "confirm" | "fulfil" | "cancel":
            return item.open
        case "refund":
            return item.open + item.kept


def possible_verbs(parts: Iterable[Part]) -> tuple[Verb, ...]:
    """What can be done to these parts of an order as they are."""
    parts = tuple(parts)
    return tuple(verb for verb in VERBS if any(_is_possible(verb, part) for part in parts))


def _is_possible(verb: Verb, part: Part) -> bool:
    match verb:
        case "confirm":
            return part.status == "created"
        case "fulfil" | "cancel":
            return any(item.open for item in part.items)
        case "refund":
            return any(item.refundable_amount for item in part.items)


def _takes_units(verb: Verb) -> bool:
    """Whether lines and units are chosen; otherwise whole parts."""
    match verb:
        case "confirm":
            return False
        case "fulfil" | "cancel" | "refund":
            return True


def _shown(commerce: Commerce, order_id: str, verb: Verb, choice: Choice) -> View:
    """The page of an act: what can be chosen, and what the choice would do."""
    order = commerce.orders.get(order_id)
    plan, refused = (None, None) if choice.is_empty else _planned(commerce, order_id, verb, choice)
    lines = order.lines_of(choice.partner_id)
    values: dict[str, Any] = {
        "order": order,
        "verb": verb,
        "words": words_of(verb),
        "choice": choice,
        "lines": [
            (item, most, choice.units.get(item.item_id, 0 if choice.chosen else most))
            for item in lines
            if (most := possible_units(verb, item))
        ],
        "left": sum(item.refundable_amount for item in lines),
        "plan": plan,
        "refused": refused,
        "names": partner_names(commerce, order.partner_ids),
        "items": {item.item_id: item for item in order.items},
    }
    title = f"{words_of(verb).title} {order.customer_reference or order_id}"
    return View(
        "order-act.html", title, values=values, status=refused.status if refused else 200,
        curl=f"/orders/{order_id}/{verb}?plan=true", body=_body(verb, choice),
        command=_command(order_id, verb, choice),
    )  # fmt: skip


def _planned(
    commerce: Commerce, order_id: str, verb: Verb, choice: Choice
) -> tuple[ActPlan | None, Problem | None]:
    """The plan, or why there is none."""
    try:
        return commerce.orders.plan(order_id, asked_for(verb, choice)), None
    except (InvalidInput, Conflict) as error:
        return None, problem_of(error)


def _body(verb: Verb, choice: Choice) -> str:
    """The choice as the body of a request."""
    body: dict[str, Any] = {}
    if choice.partner_id:
        body["partner_id"] = choice.partner_id
    if (units := choice.asked_units) is not None and _takes_units(verb):
        body["items"] = [{"item_id": one.item_id, "quantity": one.quantity} for one in units]
    if verb == "refund":
        body["reason"] = "REASON"
        if choice.by == "amount":
            body["amount"] = str(choice.amount or "AMOUNT")
        body |= {name: True for name in ("returned", "restock") if getattr(choice, name)}
    return json.dumps(body)


def _command(order_id: str, verb: Verb, choice: Choice) -> str:
    """The choice as a command."""
    parts = [f"orders {verb} {order_id}"]
    if choice.partner_id:
        parts.append(f"--partner {choice.partner_id}")
    if _takes_units(verb):
        parts += [f"--item {one.item_id}={one.quantity}" for one in choice.asked_units or ()]
    if verb == "refund":
        parts.append("--reason TEXT")
        if choice.by == "amount":
            parts.append(f"--amount {choice.amount or 'AMOUNT'}")
        parts += [f"--{name}" for name in ("returned", "restock") if getattr(choice, name)]
    return " ".join([*parts, "--plan"])


def _do(commerce: Commerce, order_id: str, verb: Verb, decision: Decision) -> Goto:
    if _takes_units(verb) and decision.is_empty:
        raise InvalidInput.at("/units", "required", "Choose at least one unit, or an amount.")
    commerce.orders.act(order_id, asked_for(verb, decision))
    return Goto(f"/orders/{order_id}", words_of(verb).done)


@page("/orders/{order_id:str}/confirm", scope="orders:act")
def show_confirmation(commerce: Commerce, order_id: OrderId, parameters: Choice) -> View:
    """Shows what confirming an order would do."""
    return _shown(commerce, order_id, "confirm", parameters)


@act("/orders/{order_id:str}/confirm", scope="orders:act")
def confirm_order(commerce: Commerce, order_id: OrderId, form: Decision) -> Goto:
    """Confirms an order, or a part of it."""
    return _do(commerce, order_id, "confirm", form)


@page("/orders/{order_id:str}/fulfil", scope="orders:act")
def show_fulfilment(commerce: Commerce, order_id: OrderId, parameters: Choice) -> View:
    """Shows what recording units as sent would do."""
    return _shown(commerce, order_id, "fulfil", parameters)


@act("/orders/{order_id:str}/fulfil", scope="orders:act")
def fulfil_order(commerce: Commerce, order_id: OrderId, form: Decision) -> Goto:
    """Records units as sent."""
    return _do(commerce, order_id, "fulfil", form)


@page("/orders/{order_id:str}/cancel", scope="orders:act")
def show_cancellation(commerce: Commerce, order_id: OrderId, parameters: Choice) -> View:
    """Shows what cancelling units would do."""
    return _shown(commerce, order_id, "cancel", parameters)


@act("/orders/{order_id:str}/cancel", scope="orders:act")
def cancel_order(commerce: Commerce, order_id: OrderId, form: Decision) -> Goto:
    """Cancels open units."""
    return _do(commerce, order_id, "cancel", form)


@page("/orders/{order_id:str}/refund", scope="orders:act")
def show_refund(commerce: Commerce, order_id: OrderId, parameters: Choice) -> View:
    """Shows what a refund would do: money back, stock, and what is owed to each partner."""
    return _shown(commerce, order_id, "refund", parameters)


@act("/orders/{order_id:str}/refund", scope="orders:act")
def refund_order(commerce: Commerce, order_id: OrderId, form: Decision) -> Goto:
    """Refunds units, an amount, or all that is left."""
    return _do(commerce, order_id, "refund", form)


@act("/fulfilments/{fulfilment_id:str}/cancel", scope="orders:act")
def cancel_fulfilment(commerce: Commerce, fulfilment_id: FulfilmentId, form: Seen) -> Goto:
    """Cancels a fulfilment: its units are open again."""
    order = commerce.orders.cancel_fulfilment(fulfilment_id, version=form.version)
    return Goto(f"/orders/{order.order_id}", "The fulfilment is cancelled; its units are open.")


ROUTES = (
    show_confirmation,
    confirm_order,
    show_fulfilment,
    fulfil_order,
    show_cancellation,
    cancel_order,
    show_refund,
    refund_order,
    cancel_fulfilment,
)
