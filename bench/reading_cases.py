"""The pages to measure, and the typical duration of an action."""

import time
from collections.abc import Callable, Iterator
from itertools import product
from statistics import median
from typing import Final, cast
from urllib.parse import urlencode

from attrs import frozen

from adapters.postgres.store import PostgresStore, Unit
from commerce_core.base.paging import Position, write_cursor
from commerce_core.catalog.product import ProductQuery, SortBy
from commerce_core.catalog.sorting import position_of

PAGE: Final = 100
DEEP: Final = 10_000
"""The number of the page that lies deep."""
SORTS: Final[tuple[SortBy, ...]] = ("product_id", "updated_at", "price")
SECONDS: Final = 1.0
"""How long something is done again and again."""


@frozen
class Case:
    """A page: its list, and where it begins."""

    name: str
    query: ProductQuery
    after: Position | None

    @property
    def address(self) -> str:
        """Its address in our API."""
        parameters = {
            "limit": PAGE,
            "sort_by": self.query.sort_by,
            "partner_id": self.query.partner_id,
            "currency": self.query.currency,
            "cursor": write_cursor(self.query, self.after),
        }
        given = {name: value for name, value in parameters.items() if value is not None}
        return f"/v1/products?{urlencode(given)}"


def cases_of(store: PostgresStore, rows: int) -> Iterator[Case]:
    """The pages to measure."""
    skipped = min(DEEP - 1, rows // PAGE - 2) * PAGE  # The last page isn't like others.
    with store.begin() as unit:
        partner_id = next(iter(unit.partners.page(None, None, 1).items)).partner_id
        for sort_by, partner in product(SORTS, (None, partner_id)):
            # A list by price requires a currency or a partner.
            currency = "EUR" if sort_by == "price" and partner is None else None
            query = ProductQuery(partner, sort_by=sort_by, currency=currency)
            name = f"{sort_by}, {'one partner' if partner else 'no filter'}"
            yield Case(f"{name}, first page", query, None)
            yield Case(f"{name}, deep page", query, deep(cast("Unit", unit), query, skipped))


def deep(unit: Unit, query: ProductQuery, skipped: int) -> Position:
    """The position at which the page before the deep one ends."""
    order = {"updated_at": "ordinal", "price": "price, product_id"}.get(query.sort_by, "product_id")
    text = f"SELECT product_id FROM products ORDER BY {order} LIMIT 1 OFFSET %s"  # noqa: S608
    (row,) = unit.products._db.execute(text.encode(), [skipped - 1]).fetchall()  # noqa: SLF001
    return position_of(query, unit.products.get(f"prod_{row[0].hex}"))


def typical(act: Callable[[], object], seconds: float = SECONDS) -> float:
    """The median duration of an action that is repeated for a fixed time."""
    act()
    times: list[float] = []
    ends = time.perf_counter() + seconds
    while not times or time.perf_counter() < ends:
        begun = time.perf_counter()
        act()
        times.append(time.perf_counter() - begun)
    return median(times)


def check(found: object, wanted: object) -> None:
    """Fails if the result is wrong, since its time would then mean nothing."""
    if found != wanted:
        raise RuntimeError(f"{found!r} instead of {wanted!r}")
