"""`commerce products`: the current catalog."""

from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final, Literal

import click

from entrypoints.cli.commands import history
from entrypoints.cli.kit.files import target
from entrypoints.cli.kit.product_filters import SORTS, include_option, product_filters, query_of
from entrypoints.cli.kit.verbs import Moment, Session, limit_option, noun, partner_option

if TYPE_CHECKING:
    from commerce_core.catalog.export import FileForm
    from commerce_core.catalog.product import Product, SortBy
    from commerce_core.pricing.priced_product import Include
    from entrypoints.cli.kit.tables import Column

products: Final = noun("products", "Query the catalog. Each product is one partner's offer.")
products.add_command(history.history)
products.add_command(history.explain)
products.add_command(history.changes)


@products.verb("list", scope="catalog:read")
@product_filters
@click.option(
    "--sort-by",
    type=click.Choice(SORTS),
    default="product_id",
    show_default=True,
    help="Field to sort by; price requires --partner or --currency.",
)
@click.option(
    "--order",
    type=click.Choice(["asc", "desc"]),
    default="asc",
    show_default=True,
    help="Sort order.",
)
@click.option(
    "--as-of",
    type=Moment(),
    show_default="now",
    help="List products as they were at this time, sorted by product_id; UTC if it has no offset.",
)
@include_option
@limit_option
def list_(
    session: Session,
    *,
    partner: str | None,
    sort_by: "SortBy",
    order: 'Literal["asc", "desc"]',
    as_of: datetime | None,
    include: "tuple[Include, ...]",
    limit: int | None,
    **filters: Any,  # noqa: ANN401 - each is of the type that its option has
) -> None:
    """List products.

    Products without a value in the field they are sorted by come last, in either order.
    """
    query = query_of(sort_by=sort_by, order=order, **filters)
    found = session.commerce.products.list(
        query, partner=partner, as_of=history.in_utc(as_of), include=include
    )
    session.out.many(found, columns(include), limit, "No products found.")


@products.verb("export", scope="catalog:read")
@product_filters
@click.option(
    "--format",
    "form",
    type=click.Choice(["csv", "ndjson", "parquet"]),
    show_default="csv, or ndjson with --json",
    help="A feed as CSV, one JSON object per line, or Parquet.",
)
@click.option(
    "-o", "--output", metavar="FILE", show_default="stdout", help="File to write the export to."
)
@include_option
def export(
    session: Session,
    *,
    partner: str | None,
    form: "FileForm | None",
    output: str | None,
    include: "tuple[Include, ...]",
    **filters: Any,  # noqa: ANN401 - each is of the type that its option has
) -> None:
    """Write all matching products to a file.

    The file shows the catalog at a single point in time. As CSV it is a feed: uploading the
    unchanged export of a source changes nothing.
    """
    query = query_of(**filters)
    form = form or ("ndjson" if session.out.as_json else "csv")
    opened = session.commerce.products.export(query, form=form, partner=partner, include=include)
    with opened as blocks, target(output) as file:
        for block in blocks:
            file.write(block)


@products.verb("show", scope="catalog:read")
@click.argument("product")
@partner_option(history.SKU_HELP)
@click.option(
    "--as-of",
    type=Moment(),
    show_default="now",
    help="Show the product as it was at this time; UTC if it has no offset.",
)
@include_option
def show(
    session: Session,
    product: str,
    *,
    partner: str | None,
    as_of: datetime | None,
    include: "tuple[Include, ...]",
) -> None:
    """Show a product, whether active or removed. PRODUCT is an id or, with --partner, a sku."""
    as_of = history.in_utc(as_of)
    products = session.commerce.products
    found = (
        products.get(partner=partner, sku=product, as_of=as_of, include=include)
        if partner
        else products.get(product, as_of=as_of, include=include)
    )
    session.out.one(found, lambda: _fields(found))


def columns(included: "Sequence[Include]" = ()) -> "list[Column[Product]]":
    """The columns of a list of products, with a column for each price that is included."""
    from entrypoints.cli.kit.output import money
    from entrypoints.cli.kit.tables import Column

    return [
        Column("sku", lambda p: p.sku),
        Column("name", lambda p: p.product_name, crops=True),
        Column("price", lambda p: money(p.price, p.currency), right=True),
        *(
            Column(
                name.replace("_", " "),
                lambda p, name=name: money(getattr(p, name, None), p.currency),
                right=True,
            )
            for name in included
        ),
        Column("stock", stock, right=True, from_width=100),
        Column("partner", lambda p: p.partner_name, crops=True, from_width=120),
        Column("id", lambda p: p.product_id),
    ]


def stock(product: "Product") -> str:
    """How many units can be sold, or why none can."""
    if product.not_sellable_reason:
        return product.not_sellable_reason.replace("_", " ")
    if product.sells_without_stock:
        return product.availability or ""
    return "untracked" if product.available is None else f"{product.available:,}"


def _fields(product: "Product") -> Iterator[tuple[str, str]]:
    """The fields of a product, with the feed's values among them."""
    from commerce_core.pricing.priced_product import members_of
    from entrypoints.cli.kit.output import moment_utc
    from entrypoints.shapes import shape

    yield "product_id", product.product_id
    yield "partner", product.partner_name
    yield "sku", product.sku
    for name, value in product.values().items():
        shaped = shape(value)
        items = shaped if isinstance(shaped, list) else [shaped]
        yield name, " ".join(str(item) for item in items if item is not None)
    for name in members_of(getattr(product, "included", ())):
        shaped = shape(getattr(product, name))
        yield name, "" if shaped is None else str(shaped)
    yield "status", product.status
    yield "sellable stock", stock(product)
    yield "on open orders", f"{product.reserved:,}" if product.reserved else ""
    yield "written by", f"{product.feed_id}, line {product.line}"
    yield "version", f"{product.version}, published {moment_utc(product.updated_at)}"
