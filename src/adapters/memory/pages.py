"""Pages of rows in memory, and which rows a query asks for."""

import heapq
from collections.abc import Callable, Iterable
from datetime import datetime
from decimal import Decimal
from operator import gt, lt
from typing import Any, Final

from adapters.memory.tables import T
from commerce_core.base.paging import Page, Position

_ZERO: Final = Decimal(0)


def by_id(row_id: str) -> Position:
    """The position of a row in a list that is sorted by id alone."""
    return Position(None, row_id)


def _by_number(at: Position) -> tuple[Decimal, str]:
    return at.number or _ZERO, at.id


def page_of(
    rows: Iterable[T], position: Callable[[T], Position], after: Position | None, limit: int,
    *, descending: bool = True, place: Callable[[Position], Any] = _by_number,
) -> Page[T]:  # fmt: skip
    """The rows after that position, in the order of their positions' places."""

    def rank(row: T) -> Any:  # noqa: ANN401 - whatever can be compared
        return place(position(row))

    if after is not None:
        end, beyond = place(after), lt if descending else gt
        rows = [row for row in rows if beyond(rank(row), end)]
    first = heapq.nlargest if descending else heapq.nsmallest
    return Page[T].cut(first(limit + 1, rows, key=rank), limit, position)


def agrees(query: object, row: object, *names: str) -> bool:
    """Whether the row has every value that the query asks for by these names."""
    return all(getattr(query, name) in (None, getattr(row, name)) for name in names)


def within(at: datetime, since: datetime | None, until: datetime | None) -> bool:
    """Whether a moment lies in a range; each end may be open."""
    return (since is None or since <= at) and (until is None or at < until)
