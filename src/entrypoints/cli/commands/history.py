"""`commerce products history|changes`, `feeds changes`: the catalog through time."""

import time
from collections.abc import Iterator
from datetime import UTC, datetime
from itertools import islice
from typing import TYPE_CHECKING, Final, Literal

import click

from entrypoints.cli.kit.output import say
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

Kind = Literal["created", "updated", "removed", "restored"]
kind_option: Final = click.option(
    "--kind", "kinds", type=click.Choice(KINDS), multiple=True, help="What happened; repeatable."
)


def in_utc(moment: datetime | None) -> datetime | None:
    """The moment, which is in UTC unless it says something else."""
    return moment.replace(tzinfo=UTC) if moment and moment.tzinfo is None else moment


def product_of(session: Session, product: str, partner: str | None) -> "Product":
    """The product of that id, or the partner's of that sku."""
    products = session.commerce.products
    return products.get(partner=partner, sku=product) if partner else products.get(product)


@verb("history", scope="catalog:read")
@click.argument("product")
@partner_option("Then PRODUCT may be the partner's sku.")
@click.option("--prices", is_flag=True, help="What it cost, and the lowest price of the days.")
@click.option("--availability", is_flag=True, help="When it could be bought and when not.")
@click.option(
    "--before",
    type=Moment(),
    help="With --prices: up to when; the present price's begin unless said.",
)
@click.option(
    "--days", type=int, default=30, show_default=True, help="With --prices: how far back."
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
    """Tells what a product was: every version, or its prices, or its availability; newest first."""
    product_id = product_of(session, product, partner).product_id
    past, out = session.commerce.history, session.out
    if prices:
        _show_prices(session, past.prices(product_id, before=in_utc(before), days=days))
    elif availability:
        out.many(past.availability(product_id), _availability_columns(), limit, "It has no past.")
    else:
        out.many(past.revisions(product_id), _revision_columns(), limit, "It has no past.")


def _revision_columns() -> "list[Column[Revision]]":
    from entrypoints.cli.kit.output import moment
    from entrypoints.cli.kit.tables import Column

    return [
        Column("version", lambda r: str(r.version), right=True),
        Column("published (UTC)", lambda r: moment(r.published_at)),
        Column("what", lambda r: r.change),
        Column("fields", _changed, wraps=True),
        Column("feed", lambda r: r.feed_id, from_width=120),
        Column("line", lambda r: str(r.line or ""), right=True, from_width=90),
    ]


def _changed(revision: "Revision") -> str:
    """What a version changed, `price: 12.50 -> 10.00`; of a new product the fields' names."""
    from entrypoints.shapes import shape

    if revision.change == "created":
        return ", ".join(change.field for change in revision.fields)
    told = (f"{c.field}: {shape(c.before)} -> {shape(c.after)}" for c in revision.fields)
    return "; ".join(told)


def _show_prices(session: Session, found: "PriceHistory") -> None:
    from entrypoints.cli.kit.output import moment_utc, money

    if session.out.as_json:
        session.out.document(found)
        return
    if found.periods:
        session.out.table(found.periods, _price_columns())
    low = found.lowest
    told = (
        f"{money(low.unit_price, low.currency)}, in force from {moment_utc(low.since)}"
        if low
        else "none: it wasn't offered"
    )
    session.out.line(
        f"Lowest price of the {found.days} days before {moment_utc(found.before)}: {told}"
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
        Column("can be bought", lambda p: (p.not_sellable_reason or "yes").replace("_", " ")),
        Column("availability", lambda p: (p.availability or "").replace("_", " ")),
        Column("stock", lambda p: "tracked" if p.tracked else "untracked"),
    ]


@verb("explain", scope="feeds:read")
@click.argument("product")
@partner_option("Then PRODUCT may be the partner's sku.")
@click.option(
    "--version", type=int, help="As it was in this version; an order's items name theirs."
)
def explain(session: Session, product: str, partner: str | None, version: int | None) -> None:
    """Tells where every value of a product came from: the feed, the line, the cell."""
    product_id = product_of(session, product, partner).product_id
    found = session.commerce.history.lineage(product_id, version)
    if session.out.as_json:
        session.out.document(found)
        return
    _explain(session.out, found)


def _explain(out: "Output", found: "Lineage") -> None:
    """The story: the version, the feeds with their records, then each value."""
    by = found.written_by
    out.line(f"{found.sku} of {found.partner_name} ({found.product_id})")
    out.fields(_story_of(found))
    if by.note:
        out.line(by.note)
    for source_record in found.witnesses:
        out.line()
        out.fields(_testimony(source_record))
    out.line()
    out.table(found.values, _value_columns())


def _story_of(found: "Lineage") -> Iterator[tuple[str, str]]:
    from entrypoints.cli.kit.output import moment_utc

    by = found.written_by
    yield "version", f"{found.version}, {found.status}"
    yield "published", f"{moment_utc(by.published_at)}, publication {by.publication} by {by.actor}"
    yield "written by", f"{'a revert of ' if by.kind == 'revert' else ''}{by.feed_id}"


def _testimony(source_record: "SourceRecord") -> Iterator[tuple[str, str]]:
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
        Column("column", lambda v: ", ".join(said.column for said in v.cells), crops=True),
        Column("cell", lambda v: " | ".join(said.cell for said in v.cells), crops=True),
        Column("how", lambda v: v.reading, wraps=True),
    ]


@verb("changes", scope="catalog:read")
@click.option("--cursor", help="Where to go on from; `latest` is behind all there is now.")
@click.option("--follow", is_flag=True, help="Wait for more, until interrupted.")
@partner_option("Those of this partner alone.")
@click.option(
    "--source", "source_id", metavar="SOURCE_ID", help="Those that this source published."
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
    """Tells what changed in the catalog, in order and without a gap.

    With --json each line has the cursor behind it, so that one can go on from any line.
    """
    from commerce_core.base.ids import parse
    from commerce_core.history.versions import ChangeQuery

    query = ChangeQuery(source_id=source_id and parse("src", source_id), kinds=kinds)
    stream = _stream(session, query, cursor, partner, follow=follow)
    if session.out.as_json:
        for version in islice(stream, limit):
            _tell(session, version, query, partner)
    elif follow:
        for version in islice(stream, limit):
            session.out.line("  ".join(column.text(version) for column in change_columns()))
    else:
        session.out.many(stream, change_columns(), limit, "Nothing has changed since.")


def _stream(
    session: Session, query: "ChangeQuery", cursor: str | None, partner: str | None, *, follow: bool
) -> "Iterator[Version]":
    """The changes behind the cursor; then, if one follows, whatever comes."""
    past = session.commerce.history
    while True:
        listed = past.page_changes(query, cursor, limit=200, partner=partner)
        yield from listed.items
        cursor = listed.next_cursor
        if not listed.items:
            if not follow:
                say(f"To go on from here: --cursor {cursor}")
                return
            time.sleep(_LOOK_EVERY)


def _tell(session: Session, version: "Version", query: "ChangeQuery", partner: str | None) -> None:
    from entrypoints.shapes import shape

    behind = session.commerce.history.cursor_behind(version, query, partner=partner)
    shaped = shape(version)
    session.out.json({**shaped, "cursor": behind} if isinstance(shaped, dict) else None)


def change_columns() -> "list[Column[Version]]":
    """The columns of a list of changes."""
    from entrypoints.cli.kit.output import moment
    from entrypoints.cli.kit.tables import Column

    return [
        Column("published (UTC)", lambda v: moment(v.product.updated_at)),
        Column("what", lambda v: v.change),
        Column("sku", lambda v: v.product.sku),
        Column("version", lambda v: str(v.version), right=True, from_width=90),
        Column("fields", _fields, crops=True),
        Column("partner", lambda v: v.product.partner_name, crops=True, from_width=120),
    ]


def _fields(version: "Version") -> str:
    shown = ", ".join(version.fields[:_FIELDS_SHOWN])
    return f"{shown}, ..." if len(version.fields) > _FIELDS_SHOWN else shown


@verb("changes", scope="catalog:read")
@click.argument("feed_id")
@kind_option
@limit_option
def feed_changes(
    session: Session, feed_id: str, kinds: tuple[Kind, ...], limit: int | None
) -> None:
    """Tells what a feed changed, whatever later feeds did."""
    found = session.commerce.feeds.changes(feed_id, kinds)
    session.out.many(found, change_columns(), limit, "It changed nothing.")
