"""Sorting: the order of a list of products, and the position where a page ended.

Sorted by time, products come in the order of publications. Products of the same publication have
the same time, and come in the order of their ordinals, which is also the order of their ids.
"""

import re
from collections.abc import Callable
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any, Final

from attrs import frozen

from commerce_core.base.paging import Position, bad_cursor
from commerce_core.catalog.product import Product, ProductQuery

SORTED_CHARACTERS: Final = 100
"""The characters of a text that count for its place in a list; cursors have to hold them."""
TEXTS: Final = ("product_name", "brand", "category")
"""The sorts by a text: character by character in Unicode order, so capitals come first."""
NULLABLE: Final = ("price", "brand", "category")
"""The sorts by a value that a product may lack; products without it come last in both orders."""
_ORDINAL: Final = re.compile("[0-9]{1,10}", re.ASCII)

MOST_ORDINAL: Final = 2**31 - 1
"""The most products that one publication can change."""


@frozen(order=True)
class Moment:
    """When a product was updated: the time of the publication, and the ordinal within it."""

    at: datetime
    ordinal: int


SortValue = Decimal | datetime | str | Moment


def position_of(query: ProductQuery, product: Product) -> Position:
    """The position at which a page ends whose last item is this product."""
    value: SortValue | None
    match query.sort_by:
        case "product_id":
            value = None
        case "updated_at":
            value = Moment(product.updated_at, product.ordinal)
        case _:
            value = getattr(product, query.sort_by)
    return Position(_written(value), product.product_id)


def _written(value: SortValue | None) -> str | None:
    match value:
        case None:
            return None
        case Moment():
            return f"{_written(value.at)}/{value.ordinal}"
        case Decimal():
            return f"{value:f}"
        case datetime():
            return value.astimezone(UTC).isoformat()
        case str():
            return value[:SORTED_CHARACTERS]


def value_at(query: ProductQuery, position: Position) -> SortValue | None:
    """The sort value at a position of this list; Malformed `bad_cursor` if it isn't a valid one.

    None if the list is sorted by id alone, or has reached the products without the value.
    """
    if position.value is None and query.sort_by in ("product_id", *NULLABLE):
        return None
    value = None if position.value is None else _read(query, position.value)
    if value is None or _written(value) != position.value:
        raise bad_cursor("isn't valid")
    return value


def _read(query: ProductQuery, text: str) -> SortValue | None:
    match query.sort_by:
        case "product_id":
            return None
        case "price":
            return Position(text, "").number
        case "created_at":
            return _time(text)
        case "updated_at":
            return _moment(text)
        case "product_name" | "brand" | "category":
            return text


def _moment(text: str) -> Moment | None:
    time, _, ordinal = text.partition("/")
    at = _time(time)
    if at is None or not _ORDINAL.fullmatch(ordinal) or int(ordinal) > MOST_ORDINAL:
        return None
    return Moment(at, int(ordinal))


def _time(text: str) -> datetime | None:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return None
    return moment if moment.tzinfo == UTC else None


def place_of(query: ProductQuery) -> Callable[[Position], tuple[Any, ...]]:
    """Returns a sort key for positions: ascending in an ascending list, descending otherwise."""
    descending = query.order == "desc"

    def place(position: Position) -> tuple[Any, ...]:
        value = value_at(query, position)
        return (value is None) != descending, value, position.id

    return place
