"""Lists of products: in which order they come, and where a page of them ended.

By time means by publications: those of one publication have one time, and come in the order of
their ordinals, which is that of ids.
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
"""So many of a text's characters count for its place in a list, since cursors have to hold them."""
TEXTS: Final = ("product_name", "brand", "category")
"""The sorts by a text, character by character in the order of Unicode, capitals first."""
NULLABLE: Final = ("price", "brand", "category")
"""The sorts by what a product may lack; those that do are last, whichever the direction."""
_ORDINAL: Final = re.compile("[0-9]{1,10}", re.ASCII)

MOST_ORDINAL: Final = 2**31 - 1
"""How many products one publication can change."""


@frozen(order=True)
class Moment:
    """When a product was updated: the time of its publication, and its ordinal in that."""

    at: datetime
    ordinal: int


SortValue = Decimal | datetime | str | Moment


def position_of(query: ProductQuery, product: Product) -> Position:
    """Where a page that ends with this product ends."""
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
    """The value at a position of this list; Malformed `bad_cursor` where there can be no such.

    None where the list is sorted by id alone, or has come to those that lack the value.
    """
    if position.value is None and query.sort_by in ("product_id", *NULLABLE):
        return None
    value = None if position.value is None else _read(query, position.value)
    if value is None or _written(value) != position.value:
        raise bad_cursor("is not one of ours")
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
    """What puts positions in the order of the list: rising where it ascends, else falling."""
    descending = query.order == "desc"

    def place(position: Position) -> tuple[Any, ...]:
        value = value_at(query, position)
        return (value is None) != descending, value, position.id

    return place
