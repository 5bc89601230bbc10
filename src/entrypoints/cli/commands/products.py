"""`commerce products`: the catalog as it now stands."""

from collections.abc import Iterator
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final, Literal

import click

from entrypoints.cli.commands import history
from entrypoints.cli.kit.files import target
from entrypoints.cli.kit.product_filters import SORTS, product_filters, wanted
from entrypoints.cli.kit.verbs import Moment, Session, limit_option, noun, partner_option

if TYPE_CHECKING:
    from commerce_core.catalog.product import Product, SortBy
    from entrypoints.cli.kit.tables import Column

products: Final = noun("products", "The catalog: each product is one partner's offer.")
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
    help="By price, name a partner or a currency.",
)
@click.option("--order", type=click.Choice(["asc", "desc"]), default="asc", show_default=True)
@click.option(
    "--as-of", type=Moment(), help="What they were at this moment, by id; UTC unless said."
)
@limit_option
def list_(
    session: Session,
    *,
    partner: str | None,
    sort_by: "SortBy",
    order: 'Literal["asc", "desc"]',
    as_of: datetime | None,
    limit: int | None,
    **filters: Any,  # noqa: ANN401 - each is of the type that its option has
) -> None:
    """Lists products; those without what they are sorted by come last in either order."""
    query = wanted(sort_by=sort_by, order=order, **filters)
    found = session.commerce.products.list(query, partner=partner, as_of=history.in_utc(as_of))
    session.out.many(found, columns(), limit, "No product fits.")


@products.verb("export", scope="catalog:read")
@product_filters
@click.option(
    "--format",
    "form",
    type=click.Choice(["csv", "ndjson"]),
    help="A feed as CSV, or a JSON object a line; csv unless --json is given.",
)
@click.option("-o", "--output", metavar="FILE", help="Where to write it, instead of stdout.")
def export(
    session: Session,
    *,
    partner: str | None,
    form: 'Literal["csv", "ndjson"] | None',
    output: str | None,
    **filters: Any,  # noqa: ANN401 - each is of the type that its option has
) -> None:
    """Writes all products that fit as one file, as of one moment.

    As CSV it is a feed: what was exported of one source changes nothing when it is loaded again.
    """
    query = wanted(**filters)
    form = form or ("ndjson" if session.out.as_json else "csv")
    opened = session.commerce.products.export(query, form=form, partner=partner)
    with opened as blocks, target(output) as file:
        for block in blocks:
            file.write(block)


@products.verb("show", scope="catalog:read")
@click.argument("product")
@partner_option("Then PRODUCT may be the partner's sku.")
@click.option("--as-of", type=Moment(), help="What it was at this moment; UTC unless said.")
def show(session: Session, product: str, partner: str | None, as_of: datetime | None) -> None:
    """Shows a product, by its id or by --partner and sku; removed ones too."""
    as_of = history.in_utc(as_of)
    products = session.commerce.products
    found = (
        products.get(partner=partner, sku=product, as_of=as_of)
        if partner
        else products.get(product, as_of=as_of)
    )
    session.out.one(found, lambda: _fields(found))


def columns() -> "list[Column[Product]]":
    """The columns of a list of products."""
    from entrypoints.cli.kit.output import money
    from entrypoints.cli.kit.tables import Column

    return [
        Column("sku", lambda p: p.sku),
        Column("name", lambda p: p.product_name, crops=True),
        Column("price", lambda p: money(p.price, p.currency), right=True),
        Column("stock", stock, right=True, from_width=100),
        Column("partner", lambda p: p.partner_name, crops=True, from_width=120),
        Column("id", lambda p: p.product_id),
    ]


def stock(product: "Product") -> str:
    """What can be sold of it, or why nothing can."""
    if product.not_sellable_reason:
        return product.not_sellable_reason.replace("_", " ")
    if product.sells_without_stock:
        return product.availability or ""
    return "untracked" if product.available is None else f"{product.available:,}"


def _fields(product: "Product") -> Iterator[tuple[str, str]]:
    """All that a person may want to know, what the feed said included."""
    from entrypoints.cli.kit.output import moment_utc
    from entrypoints.shapes import shape

    yield "product_id", product.product_id
    yield "partner", product.partner_name
    yield "sku", product.sku
    for name, value in product.values().items():
        shaped = shape(value)
        many = shaped if isinstance(shaped, list) else [shaped]
        yield name, " ".join(str(one) for one in many if one is not None)
    yield "status", product.status
    yield "can be sold", stock(product)
    yield "on open orders", f"{product.reserved:,}" if product.reserved else ""
    yield "comes from", f"{product.feed_id}, line {product.line}"
    yield "version", f"{product.version}, of {moment_utc(product.updated_at)}"
