"""`commerce products history, explain, changes` and `feeds changes`: the catalog over time."""

import time
from collections.abc import Iterator
from datetime import UTC, datetime
from itertools import islice
from typing import TYPE_CHECKING, Final, Literal

import click

from entrypoints.cli.kit.output import notice
from entrypoints.cli.kit.verbs import Moment, Session, limit_option, partner_option, verb

if TYPE_CHECKING:
    from commerce_core.catalog.product import Product
    from commerce_core.history.lineage import Lineage, SourceRecord, ValueOrigin
    from commerce_core.history.timelines import AvailabilityPeriod, PriceHistory, PricePeriod
    from commerce_core.history.versions import ChangeQuery, Revision, Version
    from entrypoints.cli.kit.output import Output
    from entrypoints.cli.kit.tables import Column

KINDS: Final = ("created", "updated", "removed", "restored")
_LOOK_EVERY: Final = 1.0
_FIELDS_SHOWN: Final = 4
_NO_HISTORY: Final = "The product has no history."
SKU_HELP: Final = "Partner of the product; PRODUCT may then be its sku."

Kind = Literal["created", "updated", "removed", "restored"]
kind_option: Final = click.option(
    "--kind",
    "kinds",
    type=click.Choice(KINDS),
    multiple=True,
    help="Only changes of this kind; repeatable.",
)


def in_utc(moment: datetime | None) -> datetime | None:
    """The time; one without an offset is in UTC."""
    return moment.replace(tzinfo=UTC) if moment and moment.tzinfo is None else moment


def product_of(session: Session, product: str, partner: str | None) -> "Product":
    """The product with that id or, given a partner, with that sku."""
    products = session.commerce.products
    return products.get(partner=partner, sku=product) if partner else products.get(product)


@verb("history", scope="catalog:read")
@click.argument("product")
@partner_option(SKU_HELP)
@click.option(
    "--prices", is_flag=True, help="Show its prices, and the lowest one in a number of days."
)
@click.option("--availability", is_flag=True, help="Show when it could be ordered.")
@click.option(
    "--before",
    type=Moment(),
    show_default="when the current price took effect",
    help="With --prices: end of the period for the lowest price.",
)
@click.option(
    "--days",
    type=int,
    default=30,
    show_default=True,
    help="With --prices: length of the period for the lowest price.",
)
@limit_option
def history(
    session: Session,
    *,
    product: str,
    partner: str | None,
    prices: bool,
    availability: bool,
    before: datetime | None,
    days: int,
    limit: int | None,
) -> None:
    """Show the history of a product, newest first.

    Lists its versions by default; --prices and --availability show those over time.
    """
    product_id = product_of(session, product, partner).product_id
    found, out = session.commerce.history, session.out
    if prices:
        _show_prices(session, found.prices(product_id, before=in_utc(before), days=days))
    elif availability:
        out.many(found.availability(product_id), _availability_columns(), limit, _NO_HISTORY)
    else:
        out.many(found.revisions(product_id), _revision_columns(), limit, _NO_HISTORY)


def _revision_columns() -> "list[Column[Revision]]":
    from entrypoints.cli.kit.output import moment
    from entrypoints.cli.kit.tables import Column

    return [
        Column("version", lambda r: str(r.version), right=True),
        Column("published (UTC)", lambda r: moment(r.published_at)),
        Column("change", lambda r: r.change),
        Column("fields", _changed, wraps=True),
        Column("feed", lambda r: r.feed_id, from_width=120),
        Column("line", lambda r: str(r.line or ""), right=True, from_width=90),
    ]


def _changed(revision: "Revision") -> str:
    """What a version changed, `price: 12.50 -> 10.00`; for a new product, its fields' names."""
    from entrypoints.shapes import shape

    if revision.change == "created":
        return ", ".join(change.field for change in revision.fields)
    changes = (f"{c.field}: {shape(c.before)} -> {shape(c.after)}" for c in revision.fields)
    return "; ".join(changes)


def _show_prices(session: Session, found: "PriceHistory") -> None:
    from entrypoints.cli.kit.output import moment_utc, money

    if session.out.as_json:
        session.out.document(found)
        return
    if found.periods:
        session.out.table(found.periods, _price_columns())
    low = found.lowest
    price = (
        f"{money(low.unit_price, low.currency)}, in effect from {moment_utc(low.since)}"
        if low
        else "none, since it wasn't offered"
    )
    session.out.line(
        f"Lowest price in the {found.days} days before {moment_utc(found.before)}: {price}"
    )


def _price_columns() -> "list[Column[PricePeriod]]":
    from entrypoints.cli.kit.output import moment, money
    from entrypoints.cli.kit.tables import Column

    return [
        Column("from (UTC)", lambda p: moment(p.since)),
        Column("until", lambda p: moment(p.until) or "now"),
        Column("price", lambda p: money(p.unit_price, p.currency) or "not offered", right=True),
        Column("list price", lambda p: money(p.list_price, p.currency), right=True),
        Column("sale", lambda p: "yes" if p.on_sale else ""),
    ]


def _availability_columns() -> "list[Column[AvailabilityPeriod]]":
    from entrypoints.cli.kit.output import moment
    from entrypoints.cli.kit.tables import Column

    return [
        Column("from (UTC)", lambda p: moment(p.since)),
        Column("until", lambda p: moment(p.until) or "now"),
        Column("can be ordered", _orderable),
        Column("availability", lambda p: (p.availability or "").replace("_", " ")),
        Column("stock", lambda p: "tracked" if p.tracked else "untracked"),
    ]


def _orderable(period: "AvailabilityPeriod") -> str:
    reason = (period.not_sellable_reason or "").replace("_", " ")
    return f"no: {reason}" if reason else "yes"


@verb("explain", scope="feeds:read")
@click.argument("product")
@partner_option(SKU_HELP)
@click.option(
    "--version",
    type=int,
    show_default="the current version",
    help="Version to explain, such as the one that an order's item names.",
)
def explain(session: Session, product: str, partner: str | None, version: int | None) -> None:
    """Show where each value of a product comes from.

    For each value, prints the feed, the line and the cell, and how the cell was read.
    """
    product_id = product_of(session, product, partner).product_id
    found = session.commerce.history.lineage(product_id, version)
    if session.out.as_json:
        session.out.document(found)
        return
    _explain(session.out, found)


def _explain(out: "Output", found: "Lineage") -> None:
    """Prints the version, the feeds with their records, then each value."""
    by = found.written_by
    out.line(f"{found.sku} of {found.partner_name} ({found.product_id})")
    out.fields(_version_fields(found))
    if by.note:
        out.line(by.note)
    for source_record in found.witnesses:
        out.line()
        out.fields(_source_fields(source_record))
    out.line()
    out.table(found.values, _value_columns())


def _version_fields(found: "Lineage") -> Iterator[tuple[str, str]]:
    from entrypoints.cli.kit.output import moment_utc

    by = found.written_by
    yield "version", f"{found.version}, {found.status}"
    yield "published", f"{moment_utc(by.published_at)}, publication {by.publication} by {by.actor}"
    yield "written by", f"{'a revert of ' if by.kind == 'revert' else ''}{by.feed_id}"


def _source_fields(source_record: "SourceRecord") -> Iterator[tuple[str, str]]:
    from entrypoints.cli.kit.output import moment_utc

    yield "feed", f"{source_record.feed_id} ({source_record.file_name}, {source_record.mode})"
    yield "sha256", source_record.sha256
    yield "published", moment_utc(source_record.published_at)
    yield "line", f"{source_record.line:,}" if source_record.line else ""
    yield "record", source_record.text
    yield "note", source_record.note or ""


def _value_columns() -> "list[Column[ValueOrigin]]":
    from entrypoints.cli.kit.tables import Column
    from entrypoints.shapes import shape

    return [
        Column("field", lambda v: v.field),
        Column("value", lambda v: str(shape(v.value)), crops=True),
        Column("since", lambda v: f"version {v.version}", from_width=90),
        Column("line", lambda v: f"{v.line:,}" if v.line else "", right=True),
        Column("column", lambda v: ", ".join(cell.column for cell in v.cells), crops=True),
        Column("cell", lambda v: " | ".join(cell.cell for cell in v.cells), crops=True),
        Column("how it was read", lambda v: v.reading, wraps=True),
    ]


@verb("changes", scope="catalog:read")
@click.option("--cursor", help="Continue after this cursor; `latest` skips all existing changes.")
@click.option("--follow", is_flag=True, help="Wait for further changes, until Ctrl-C.")
@partner_option("Only changes of this partner.")
@click.option(
    "--source", "source_id", metavar="SOURCE_ID", help="Only changes published by this source."
)
@kind_option
@limit_option
def changes(
    session: Session,
    *,
    cursor: str | None,
    follow: bool,
    partner: str | None,
    source_id: str | None,
    kinds: tuple[Kind, ...],
    limit: int | None,
) -> None:
    """List the changes of the catalog, in order and without gaps.

    With --json, each line contains the cursor after it, so a program can continue from any line.
    """
    from commerce_core.base.ids import parse
    from commerce_core.history.versions import ChangeQuery

    query = ChangeQuery(source_id=source_id and parse("src", source_id), kinds=kinds)
    stream = _stream(session, query, cursor, partner, follow=follow)
    if session.out.as_json:
        for version in islice(stream, limit):
            _print_json(session, version, query, partner)
    elif follow:
        for version in islice(stream, limit):
            session.out.line("  ".join(column.text(version) for column in change_columns()))
    else:
        session.out.many(stream, change_columns(), limit, "There are no further changes.")


def _stream(
    session: Session, query: "ChangeQuery", cursor: str | None, partner: str | None, *, follow: bool
) -> "Iterator[Version]":
    """The changes after the cursor; with `follow`, also those still to come."""
    history = session.commerce.history
    while True:
        listed = history.page_changes(query, cursor, limit=200, partner=partner)
        yield from listed.items
        cursor = listed.next_cursor
        if not listed.items:
            if not follow:
                notice(f"To continue from here: --cursor {cursor}")
                return
            time.sleep(_LOOK_EVERY)


def _print_json(
    session: Session, version: "Version", query: "ChangeQuery", partner: str | None
) -> None:
    from entrypoints.shapes import shape

    cursor = session.commerce.history.cursor_behind(version, query, partner=partner)
    shaped = shape(version)
    session.out.json({**shaped, "cursor": cursor} if isinstance(shaped, dict) else None)


def change_columns() -> "list[Column[Version]]":
    """The columns of a list of changes."""
    from entrypoints.cli.kit.output import moment
    from entrypoints.cli.kit.tables import Column

    return [
        Column("published (UTC)", lambda v: moment(v.product.updated_at)),
        Column("change", lambda v: v.change),
        Column("sku", lambda v: v.product.sku),
        Column("version", lambda v: str(v.version), right=True, from_width=90),
        Column("fields", _field_names, crops=True),
        Column("partner", lambda v: v.product.partner_name, crops=True, from_width=120),
    ]


def _field_names(version: "Version") -> str:
    names = ", ".join(version.fields[:_FIELDS_SHOWN])
    return f"{names}, ..." if len(version.fields) > _FIELDS_SHOWN else names


@verb("changes", scope="catalog:read")
@click.argument("feed_id")
@kind_option
@limit_option
def feed_changes(
    session: Session, feed_id: str, kinds: tuple[Kind, ...], limit: int | None
) -> None:
    """List what a feed changed.

    Changes that later feeds overwrote are listed too.
    """
    found = session.commerce.feeds.changes(feed_id, kinds)
    session.out.many(found, change_columns(), limit, "No such changes.")
