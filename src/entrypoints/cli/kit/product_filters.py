"""The options that filter products: the same for every command that takes several."""

from collections.abc import Callable
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation
from typing import TYPE_CHECKING, Any, Final

import click

from entrypoints.cli.kit.verbs import Moment, partner_option

if TYPE_CHECKING:
    from commerce_core.catalog.product import ProductQuery

SORTS: Final = (
    "product_id", "price", "product_name", "brand", "category", "created_at", "updated_at",
)  # fmt: skip
AVAILABILITIES: Final = ("in_stock", "out_of_stock", "preorder", "backorder", "discontinued")


class Amount(click.ParamType[Decimal]):
    """An amount in major units."""

    name = "amount"

    def convert(
        self, value: object, param: click.Parameter | None, ctx: click.Context | None
    ) -> Decimal:
        """The text as an amount."""
        try:
            return Decimal(str(value))
        except InvalidOperation:
            self.fail(f"{value!r} is not an amount such as 79.90.", param, ctx)


class Names(click.ParamType[tuple[str, ...]]):
    """Names, separated by commas."""

    name = "names"

    def convert(
        self, value: object, param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[str, ...]:
        """The names, in the order in which they were given."""
        del param, ctx
        return tuple(name.strip() for name in str(value).split(",") if name.strip())


include_option: Final = click.option(
    "--include",
    type=Names(),
    default="",
    show_default=False,
    metavar="PRICES",
    help="Prices to add: selling_price (what one unit costs anyone), prior_price (the lowest of "
    "the 30 days before the running reduction began), or both, separated by commas.",
)
_OPTIONS: Final = (
    partner_option("Only products of this partner."),
    click.option(
        "--source", "source_id", metavar="SOURCE_ID", help="Only products owned by this source."
    ),
    click.option(
        "--feed", "feed_id", metavar="FEED_ID", help="Only products last written by this feed."
    ),
    click.option("--sku", "skus", multiple=True, metavar="SKU", help="Only this sku; repeatable."),
    click.option("--brand", metavar="BRAND", help="Only this brand, matched exactly."),
    click.option(
        "--category",
        metavar="PATH",
        help="Only this category, such as 'A > B', and those below it.",
    ),
    click.option(
        "--availability",
        type=click.Choice(AVAILABILITIES),
        help="Only products with this availability, as declared by the partner.",
    ),
    click.option(
        "--sellable/--not-sellable",
        default=None,
        help="Only products that can, or can't, be ordered now.",
    ),
    click.option(
        "--status",
        type=click.Choice(["active", "removed", "all"]),
        default="active",
        show_default=True,
        help="Only products with this status.",
    ),
    click.option("--currency", metavar="CODE", help="Only products priced in this currency."),
    click.option("--price-min", type=Amount(), help="Minimum price; requires --currency."),
    click.option("--price-max", type=Amount(), help="Maximum price; requires --currency."),
    click.option(
        "--updated-since",
        type=Moment(),
        help="Only products changed at or after this time; UTC if it has no offset.",
    ),
    click.option(
        "--q",
        metavar="WORDS",
        help="Only products that contain all these words in their sku, name, brand, category, "
        "options, GTIN or MPN.",
    ),
)


def product_filters(command: Callable[..., None]) -> Callable[..., None]:
    """Adds `--partner`, `--brand` and all the other filters to a command."""
    for option in reversed(_OPTIONS):
        command = option(command)
    return command


def query_of(
    *,
    source_id: str | None,
    feed_id: str | None,
    updated_since: datetime | None,
    **others: Any,  # noqa: ANN401 - each is of the type that its option has
) -> "ProductQuery":
    """The query that these options make up."""
    from commerce_core.base.ids import parse
    from commerce_core.catalog.product import ProductQuery

    if updated_since is not None and updated_since.tzinfo is None:
        updated_since = updated_since.replace(tzinfo=UTC)
    return ProductQuery(
        source_id=source_id and parse("src", source_id),
        feed_id=feed_id and parse("feed", feed_id),
        updated_since=updated_since,
        **others,
    )
