"""Whether any unit of a product is left, in SQL: `commerce_core.catalog.product.is_sold_out`."""

from typing import Final

from psycopg import sql

OWN_STOCK: Final = (sql.Identifier("p", "availability"), sql.Identifier("p", "quantity"))
"""What a product `p` says of its stock."""


def sold_out(availability: sql.Composable, quantity: sql.Composable) -> sql.Composed:
    """Whether a product that says this is sold out."""
    return sql.SQL(
        "(coalesce({0}, 'in_stock') = 'out_of_stock'"
        " OR (coalesce({0}, 'in_stock') = 'in_stock' AND coalesce({1}, 1) = 0))"
    ).format(availability, quantity)
