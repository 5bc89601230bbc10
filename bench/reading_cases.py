"""The pages whose reading is measured, and how long something typically takes."""

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
    """A page: which list it is of, and where it begins."""

    name: str
    query: ProductQuery
    after: Position | None

    @property
    def address(self) -> str:
        """Its address in our API."""
        asked = {
            "limit": PAGE,
            "sort_by": self.query.sort_by,
            "partner_id": self.query.partner_id,
            "currency": self.query.currency,
            "cursor": write_cursor(self.query, self.after),
        }
        said = {name: value for name, value in asked.items() if value is not None}
        return f"/v1/products?{urlencode(said)}"


def cases_of(store: PostgresStore, rows: int) -> Iterator[Case]:
    """The pages that are measured."""
    skipped = min(DEEP - 1, rows // PAGE - 2) * PAGE  # The last page isn't like others.
    with store.begin() as unit:
        partner_id = next(iter(unit.partners.page(None, None, 1).items)).partner_id
        for sort_by, whose in product(SORTS, (None, partner_id)):
            # A list by price is of one currency, or of one partner.
            currency = "EUR" if sort_by == "price" and whose is None else None
            query = ProductQuery(whose, sort_by=sort_by, currency=currency)
            name = f"{sort_by}, {'one partner' if whose else 'no filter'}"
            yield Case(f"{name}, first page", query, None)
            yield Case(f"{name}, deep page", query, deep(cast("Unit", unit), query, skipped))


def deep(unit: Unit, query: ProductQuery, skipped: int) -> Position:
    """Where the page before the deep one ends."""
    order = {"updated_at": "ordinal", "price": "price, product_id"}.get(query.sort_by, "product_id")
    text = f"SELECT product_id FROM products ORDER BY {order} LIMIT 1 OFFSET %s"  # noqa: S608
    (row,) = unit.products._db.execute(text.encode(), [skipped - 1]).fetchall()  # noqa: SLF001
    return position_of(query, unit.products.get(f"prod_{row[0].hex}"))


def typical(act: Callable[[], object], seconds: float = SECONDS) -> float:
    """The median of how long it takes, for as many times as go into so many seconds."""
    act()
    times: list[float] = []
    ends = time.perf_counter() + seconds
    while not times or time.perf_counter() < ends:
        begun = time.perf_counter()
        act()
        times.append(time.perf_counter() - begun)
    return median(times)


def check(found: object, wanted: object) -> None:
    """What isn't as it is to be is no measurement."""
    if found != wanted:
        raise RuntimeError(f"{found!r} instead of {wanted!r}")
