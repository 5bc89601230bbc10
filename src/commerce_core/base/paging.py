"""Pages of lists: where a page ended, and the cursor that stands for that position.

Lists are paged by key, not by offset, so a page costs the same wherever it lies, and no item is
seen twice or missed while the list changes. A cursor is bound to the query it continues: with other
filters or another sort it is refused. Clients keep cursors, some for months, so they are bound to
the query's `identity`, which doesn't depend on the names of classes and fields.
"""

import hashlib
import json
import re
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Callable, Iterator, Sequence
from decimal import Decimal
from typing import Any, Final, Generic, TypeVar

from attrs import frozen

from commerce_core.base.errors import InvalidInput, Malformed
from commerce_core.base.identity import identity

DEFAULT_LIMIT: Final = 50
LARGEST_LIMIT: Final = 200
_LONGEST_CURSOR: Final = 2_000
_NUMBER: Final = re.compile(r"[0-9]{1,40}(?:\.[0-9]{1,40})?", re.ASCII)

T = TypeVar("T")


@frozen
class Position:
    """Where a page ended: the last item's sort value (None sorts last), and its id for ties."""

    value: str | None
    id: str

    @property
    def number(self) -> Decimal | None:
        """The sort value as a number; Malformed if it isn't one."""
        if self.value is None:
            return None
        if not _NUMBER.fullmatch(self.value):
            raise bad_cursor("isn't valid")
        return Decimal(self.value)


@frozen
class Page(Generic[T]):
    """Some items of a list, in order, and the position after which the next page begins, if any."""

    items: tuple[T, ...]
    after: Position | None

    @classmethod
    def cut(cls, items: Sequence[T], limit: int, position: Callable[[T], Position]) -> "Page[T]":
        """A page of at most `limit` items, given one item more if there are more pages."""
        kept = tuple(items[:limit])
        return cls(kept, position(kept[-1]) if len(items) > limit else None)


def check_limit(limit: int, largest: int = LARGEST_LIMIT) -> int:
    """Returns the limit if a page may be that long; raises Malformed otherwise."""
    if not 1 <= limit <= largest:
        raise Malformed.at(
            "/limit", "bad_limit", f"The limit is {limit}; it must be between 1 and {largest}."
        )
    return limit


def every(page: Callable[[Position | None], Page[T]]) -> Iterator[T]:
    """All items of a list, fetched page by page as needed."""
    after: Position | None = None
    while True:
        got = page(after)
        yield from got.items
        after = got.after
        if after is None:
            return


def write_cursor(query: object, after: Position | None) -> str | None:
    """The cursor that continues this query after that position; None at the end of the list."""
    if after is None:
        return None
    text = json.dumps([_fingerprint(query), after.value, after.id], separators=(",", ":"))
    return urlsafe_b64encode(text.encode()).decode().rstrip("=")


def read_cursor(query: object, cursor: str | None) -> Position | None:
    """The position in a cursor of this query; Malformed for any other text."""
    if cursor is None:
        return None
    bound_to, position = _decode(cursor)
    if bound_to != _fingerprint(query):
        raise bad_cursor("belongs to a list with other filters or another sort")
    if write_cursor(query, position) != cursor:
        raise bad_cursor("isn't valid")
    return position


def _decode(cursor: str) -> tuple[Any, Position]:
    """The parts of a cursor; Malformed unless a store can look them up."""
    try:
        if len(cursor) > _LONGEST_CURSOR:
            raise ValueError(len(cursor))
        parts: Any = json.loads(urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)))
        bound_to, value, id_ = parts
        if not (isinstance(id_, str) and isinstance(value, str | None)):
            raise TypeError(parts)
        if b"\0" in f"{id_}{value}".encode():  # Which a lone surrogate makes a ValueError too.
            raise ValueError(parts)
    except (ValueError, TypeError, RecursionError) as error:
        raise bad_cursor("isn't valid") from error
    return bound_to, Position(value, id_)


def _fingerprint(query: object) -> str:
    return hashlib.sha256(identity(query).encode()).hexdigest()[:16]


def bad_cursor(what: str) -> InvalidInput:
    """The refusal of a cursor; `what` says what is wrong with it."""
    return Malformed.at(
        "/cursor",
        "bad_cursor",
        f"The cursor {what}. Start again without one, then use the cursors you get.",
    )
