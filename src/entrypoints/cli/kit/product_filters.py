"""The options that say which products: the same for every command that takes many."""

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
        """The amount that the text names."""
        try:
            return Decimal(str(value))
        except InvalidOperation:
            self.fail(f"{value!r} is no amount as 79.90.", param, ctx)


_OPTIONS: Final = (
    partner_option("Those of this partner alone."),
    click.option("--source", "source_id", metavar="SOURCE_ID", help="Those that this source owns."),
    click.option("--feed", "feed_id", metavar="FEED_ID", help="Those that this feed wrote last."),
    click.option("--sku", "skus", multiple=True, metavar="SKU", help="With this sku; repeatable."),
    click.option("--brand", metavar="BRAND", help="Of this brand, exactly."),
    click.option(
        "--category", metavar="PATH", help="In this category 'A > B', or in one below it."
    ),
    click.option("--availability", type=click.Choice(AVAILABILITIES), help="As its partner says."),
    click.option(
        "--sellable/--not-sellable", default=None, help="Whether an order for one would be taken."
    ),
    click.option(
        "--status",
        type=click.Choice(["active", "removed", "all"]),
        default="active",
        show_default=True,
    ),
    click.option("--currency", metavar="CODE", help="Priced in this currency."),
    click.option("--price-min", type=Amount(), help="At least so much; needs --currency."),
    click.option("--price-max", type=Amount(), help="At most so much; needs --currency."),
    click.option("--updated-since", type=Moment(), help="Changed then or later; UTC unless said."),
    click.option("--q", metavar="WORDS", help="With all these words in name, brand and the like."),
)


def product_filters(command: Callable[..., None]) -> Callable[..., None]:
    """`--partner`, `--brand` and all the others that say which products."""
    for option in reversed(_OPTIONS):
        command = option(command)
    return command


def wanted(
    *,
    source_id: str | None,
    feed_id: str | None,
    updated_since: datetime | None,
    **others: Any,  # noqa: ANN401 - each is of the type that its option has
) -> "ProductQuery":
    """The query that these options ask."""
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
