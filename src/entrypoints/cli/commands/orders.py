"""`commerce orders`: orders, whose prices are frozen when they are placed."""

from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any, Final

import click

from entrypoints.cli.kit.output import notice
from entrypoints.cli.kit.verbs import Session, key_option, limit_option, noun, partner_option

if TYPE_CHECKING:
    from decimal import Decimal

    from commerce_core.orders.acts import AnyAsked
    from commerce_core.orders.asking import AskedUnits
    from commerce_core.orders.line import OrderItem
    from commerce_core.orders.order import Order
    from commerce_core.orders.states import OrderStatus
    from commerce_core.orders.wanted import Wanted
    from commerce_core.pricing.basket_terms import BasketTerms
    from commerce_core.usecases.acts import ActPlan
    from entrypoints.cli.kit.output import Output
    from entrypoints.cli.kit.tables import Column

orders: Final = noun(
    "orders", "Place and manage orders. Prices are frozen when an order is placed."
)
Command = Callable[..., None]
MOST_NAMED: Final = 5
"""The ids that are listed where it isn't clear which one is meant."""
_STATUSES: Final = (
    "created", "confirmed", "partially_fulfilled", "fulfilled", "cancelled", "refunded",
)  # fmt: skip


class Item(click.ParamType[tuple[str, int]]):
    """`PRODUCT_ID=QTY` or, with a partner, `SKU=QTY`."""

    name = "item"

    def convert(
        self, value: object, param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[str, int]:
        """The id or sku, and the quantity; a sku may itself contain an equals sign."""
        product, _, quantity = str(value).rpartition("=")
        try:
            return product.strip(), int(quantity)
        except ValueError:
            self.fail(f"{value!r} is not PRODUCT_ID=QTY, such as prod_...=2.", param, ctx)


class Amount(click.ParamType["Decimal"]):
    """An amount such as 79.90."""

    name = "amount"

    def convert(
        self, value: object, param: click.Parameter | None, ctx: click.Context | None
    ) -> "Decimal":
        """The text as a decimal number."""
        from decimal import Decimal, InvalidOperation

        try:
            amount = Decimal(str(value))
        except InvalidOperation:
            amount = Decimal("NaN")
        if not amount.is_finite():
            self.fail(f"{value!r} is not an amount such as 79.90.", param, ctx)
        return amount


@orders.verb("create", scope="orders:write")
@click.option(
    "--item", "items", type=Item(), multiple=True, required=True, metavar="PRODUCT_ID=QTY",
    help="Product and quantity; repeatable. With --partner, SKU=QTY also works.",
)  # fmt: skip
@partner_option("Partner of the skus in --item.")
@click.option("--reference", metavar="TEXT", help="The customer's reference for the order.")
@click.option(
    "--key",
    metavar="TEXT",
    help="Idempotency key: repeating the command with the same key places no second order.",
)
@click.option(
    "--code", "codes", multiple=True, metavar="CODE", help="Code of a price rule; repeatable."
)
@click.option("--customer", metavar="ID", help="Your own id for the customer.")
@click.option("--customer-group", metavar="NAME", help="The customer's group.")
@click.option("--channel", metavar="NAME", help="The sales channel.")
@click.option(
    "--expect", type=Amount(), metavar="TOTAL",
    help="Expected total; if the order would cost anything else, it isn't placed.",
)  # fmt: skip
def create(session: Session, **given: Any) -> None:  # noqa: ANN401 - options of several types
    """Place an order: freeze its prices, and reserve its units.

    If anything is wrong with the order, all the reasons are reported and nothing is written.
    """
    from commerce_core.usecases.context import IdempotencyKey

    key = given["key"]
    idempotency_key = IdempotencyKey(key) if key is not None else None
    order = session.commerce.orders.place(
        wanted_items(session, given["items"], given["partner"]),
        reference=given["reference"],
        terms=terms_of(given),
        expected_total=given["expect"],
        key=idempotency_key,
    )
    if idempotency_key is not None and idempotency_key.replayed:
        notice("An order with this key already exists; no new order was placed.")
    _show(session.out, order)


def terms_of(given: dict[str, Any]) -> "BasketTerms":
    """The terms of the price that the options state."""
    from commerce_core.pricing.basket_terms import BasketTerms

    names = ("customer", "customer_group", "channel")
    return BasketTerms(tuple(given["codes"]), *(given[name] for name in names))


def wanted_items(
    session: Session, items: tuple[tuple[str, int], ...], partner: str | None
) -> "list[Wanted]":
    """The items as the core takes them; with a partner, a text that is no product id is a sku."""
    from commerce_core.base.ids import looks_like
    from commerce_core.orders.wanted import Wanted

    owner = session.commerce.partners.get(partner).partner_id if partner else None
    return [
        Wanted(quantity, partner_id=owner, sku=text)
        if owner and not looks_like("prod", text)
        else Wanted(quantity, text)
        for text, quantity in items
    ]


@orders.verb("list", scope="orders:read")
@partner_option("Only orders that contain a product of this partner.")
@click.option("--status", type=click.Choice(_STATUSES), help="Only orders with this status.")
@click.option("--reference", metavar="TEXT", help="Only orders with this customer reference.")
@limit_option
def list_(
    session: Session,
    partner: str | None,
    status: "OrderStatus | None",
    reference: str | None,
    limit: int | None,
) -> None:
    """List orders, newest first."""
    from commerce_core.orders.order import OrderQuery

    query = OrderQuery(status=status, customer_reference=reference)
    found = session.commerce.orders.list(query, partner=partner)
    _list(session.out, found, limit)


def _units(order: "Order") -> str:
    return f"{sum(item.quantity for item in order.items):,}"


def _list(out: "Output", found: "Iterator[Order]", limit: int | None) -> None:
    from entrypoints.cli.kit.output import moment, money
    from entrypoints.cli.kit.tables import Column

    columns: list[Column[Order]] = [
        Column("created (UTC)", lambda o: moment(o.created_at)),
        Column("status", lambda o: o.status),
        Column("reference", lambda o: o.customer_reference or "", crops=True, from_width=100),
        Column("units", _units, right=True, from_width=90),
        Column("total", lambda o: money(o.total_amount, o.currency), right=True),
        Column("id", lambda o: o.order_id),
    ]
    out.many(found, columns, limit, "No orders found.")


@orders.verb("show", scope="orders:read")
@click.argument("order_id")
def show(session: Session, order_id: str) -> None:
    """Show an order and its lines."""
    _show(session.out, session.commerce.orders.get(order_id))


@orders.verb("explain", scope="orders:read")
@click.argument("order_id")
def explain(session: Session, order_id: str) -> None:
    """Explain the price of an order, line by line, as it was frozen."""
    found = session.commerce.orders.explain(order_id)
    if session.out.as_json:
        session.out.document(found)
        return
    for line in found.items:
        session.out.line(f"{line.sku}: {line.list_total} -> {line.line_total} {found.currency}")
        for sentence in line.explanation:
            session.out.line(f"  {sentence}")


def _act_options(*, units: bool = True) -> Callable[[Command], Command]:
    """The options of an act: which part, which units, and whether only to plan it."""
    options = [
        partner_option("Only the part of this partner."),
        click.option(
            "--plan", is_flag=True, help="Show what it would do, without doing it."
        ),
        click.option(
            "--version", type=int, metavar="N",
            help="The version of the order that you have seen; if it has changed, nothing is done.",
        ),
        key_option,
    ]  # fmt: skip
    if units:
        options.insert(
            1,
            click.option(
                "--item", "items", type=Item(), multiple=True, metavar="ITEM=QTY",
                help="Line and units; repeatable. ITEM is the line's id or its sku.",
            ),
        )  # fmt: skip

    def add_options(command: Command) -> Command:
        for option in reversed(options):
            command = option(command)
        return command

    return add_options


@orders.verb("confirm", scope="orders:act")
@click.argument("order_id")
@_act_options(units=False)
def confirm(session: Session, order_id: str, **given: Any) -> None:  # noqa: ANN401 - options of several types
    """Confirm an order, or a part of it, so that it no longer expires."""
    from commerce_core.orders.asking import ConfirmAsked

    _act(session, order_id, ConfirmAsked(_part(session, given), None, given["version"]), given)


@orders.verb("fulfil", scope="orders:act")
@click.argument("order_id")
@_act_options()
@click.option("--carrier", metavar="NAME", help="Carrier of the parcel.")
@click.option("--tracking", metavar="NUMBER", help="The carrier's number of the parcel.")
def fulfil(session: Session, order_id: str, **given: Any) -> None:  # noqa: ANN401 - options of several types
    """Record that open units were sent, all of them by default."""
    from commerce_core.orders.asking import FulfilAsked

    asked = FulfilAsked(
        _part(session, given), _units_of(session, order_id, given), given["version"],
        given["carrier"], given["tracking"],
    )  # fmt: skip
    _act(session, order_id, asked, given)


@orders.verb("unfulfil", scope="orders:act")
@click.argument("fulfilment_id")
def unfulfil(session: Session, fulfilment_id: str) -> None:
    """Cancel a fulfilment: its units are open again."""
    _show(session.out, session.commerce.orders.cancel_fulfilment(fulfilment_id))


@orders.verb("cancel", scope="orders:act")
@click.argument("order_id")
@_act_options()
def cancel(session: Session, order_id: str, **given: Any) -> None:  # noqa: ANN401 - options of several types
    """Cancel open units, all of them by default."""
    from commerce_core.orders.asking import CancelAsked

    asked = CancelAsked(
        _part(session, given), _units_of(session, order_id, given), given["version"]
    )
    _act(session, order_id, asked, given)


@orders.verb("refund", scope="orders:act")
@click.argument("order_id")
@_act_options()
@click.option("--reason", required=True, metavar="TEXT", help="Why it is paid back.")
@click.option("--amount", type=Amount(), help="An amount to pay back without units.")
@click.option("--returned", is_flag=True, help="The units were returned.")
@click.option("--restock", is_flag=True, help="The units that came back can be sold again.")
def refund(session: Session, order_id: str, **given: Any) -> None:  # noqa: ANN401 - options of several types
    """Refund units, an amount without units, or all that is left."""
    from commerce_core.orders.asking import RefundAsked

    asked = RefundAsked(
        _part(session, given), _units_of(session, order_id, given), given["version"],
        given["reason"], given["amount"], None, given["returned"], given["restock"],
    )  # fmt: skip
    _act(session, order_id, asked, given)


def _part(session: Session, given: dict[str, Any]) -> str | None:
    named = given["partner"]
    return session.commerce.partners.get(named).partner_id if named else None


def _units_of(
    session: Session, order_id: str, given: dict[str, Any]
) -> "tuple[AskedUnits, ...] | None":
    """The units named by the options; a text that is no id of a line is a sku of the part.

    InvalidInput for a sku of several lines: it can't be known whose units are meant.
    """
    if not given["items"]:
        return None
    from commerce_core.base.errors import Fault, InvalidInput
    from commerce_core.base.ids import looks_like
    from commerce_core.orders.asking import AskedUnits

    lines = session.commerce.orders.get(order_id).lines_of(_part(session, given))
    known: dict[str, list[str]] = {}
    for line in lines:
        known.setdefault(line.sku, []).append(line.item_id)
    named = [
        [name] if looks_like("item", name) else known.get(name, [name])
        for name, _ in given["items"]
    ]
    faults = [
        Fault(f"/items/{index}/item_id", "several_lines", _several(name, ids))
        for index, ((name, _), ids) in enumerate(zip(given["items"], named, strict=True))
        if len(ids) > 1
    ]
    if faults:
        raise InvalidInput("It isn't clear which lines are meant.", faults=faults)
    return tuple(
        AskedUnits(ids[0], quantity)
        for ids, (_, quantity) in zip(named, given["items"], strict=True)
    )


def _several(sku: str, ids: Sequence[str]) -> str:
    """What is wrong with a sku of several lines, and what to do."""
    shown = ", ".join(ids[:MOST_NAMED])
    more = ", ..." if len(ids) > MOST_NAMED else ""
    return f"{len(ids)} lines have the sku {sku!r}. Name the partner, or an id: {shown}{more}."


def _act(session: Session, order_id: str, asked: "AnyAsked", given: dict[str, Any]) -> None:
    if given["plan"]:
        _show_plan(session.out, session.commerce.orders.plan(order_id, asked))
    else:
        _show(session.out, session.commerce.orders.act(order_id, asked, given["key"]))


def _show_plan(out: "Output", plan: "ActPlan") -> None:
    """What an act would do, as a few lines."""
    from entrypoints.cli.kit.output import money

    code = plan.order.currency
    owed = [(f"owed to {s.partner_id}", money(s.amount, code)) for s in plan.statement]
    stock = [
        (f"available of {s.sku}", f"{s.available_before:,} -> {s.available_after:,}")
        for s in plan.stock
        if s.available_before is not None and s.available_after is not None
    ]
    out.one(
        plan,
        lambda: [
            ("order", plan.order.order_id),
            ("would be", plan.order.status),
            ("paid back", money(plan.refund.amount, code)),
            *stock,
            *owed,
        ],
    )
    notice("This is a plan; nothing was done.")


def _show(out: "Output", order: "Order") -> None:
    from entrypoints.cli.kit.output import moment_utc, money

    out.one(
        order,
        lambda: [
            ("order", order.order_id),
            ("status", order.status),
            ("reference", order.customer_reference or ""),
            ("created", moment_utc(order.created_at)),
            ("total", money(order.total_amount, order.currency)),
            *_further(order),
        ],
    )
    if not out.as_json:
        out.line()
        out.table(order.items, line_columns(order))


def _further(order: "Order") -> "Iterator[tuple[str, str]]":
    """What an order has only if something has happened to it."""
    from entrypoints.cli.kit.output import moment_utc, money, plural

    for name, amount in (
        ("cancelled", order.cancelled_amount),
        ("refunded", order.refunded_amount),
    ):
        if amount:
            yield name, money(amount, order.currency)
    if order.expires_at is not None:
        yield "expires", moment_utc(order.expires_at)
    if len(order.parts) > 1:
        for part in order.parts:
            yield f"part of {part.partner_id}", part.status.replace("_", " ")
    for sent in order.fulfilments:
        units = sum(item.quantity for item in sent.items)
        by = " ".join(filter(None, (sent.carrier, sent.tracking_number)))
        yield sent.fulfilment_id, f"{plural(units, 'unit')} {sent.status}{f', {by}' if by else ''}"
    for refund in order.refunds:
        yield refund.refund_id, f"{money(refund.amount, refund.currency)}: {refund.reason}"
    for warning in order.warnings:
        yield "warning", warning.detail


def _progress(item: "OrderItem") -> str:
    """What has become of a line's units."""
    counts = {
        "open": item.open, "fulfilled": item.fulfilled, "cancelled": item.cancelled,
        "returned": item.returned,
    }  # fmt: skip
    return ", ".join(f"{count:,} {name}" for name, count in counts.items() if count)


def line_columns(order: "Order") -> "list[Column[OrderItem]]":
    """The columns of a list of an order's lines."""
    from entrypoints.cli.kit.output import money
    from entrypoints.cli.kit.tables import Column

    def amount(of: "Decimal") -> str:
        return money(of, order.currency)

    return [
        Column("sku", lambda i: i.sku),
        Column("name", lambda i: i.product_name, crops=True),
        Column("units", lambda i: f"{i.quantity:,}", right=True),
        *([Column("of these", _progress, wraps=True, most=20)] if order.version > 1 else []),
        Column("list price", lambda i: amount(i.list_price), right=True, from_width=90),
        Column("price", lambda i: amount(i.unit_price), right=True),
        Column("line total", lambda i: amount(i.line_total), right=True),
    ]
