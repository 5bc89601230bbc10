"""Port: a collection that can be listed page by page."""

from typing import Protocol, TypeVar

from commerce_core.base.paging import Page, Position

Q_contra = TypeVar("Q_contra", contravariant=True)
T = TypeVar("T")


class Listing(Protocol[Q_contra, T]):
    """A collection that can be paged through in its order, and counted."""

    def page(self, query: Q_contra, after: Position | None, limit: int) -> Page[T]:
        """At most `limit` items that match the query, in its order, after that position.

        Malformed `bad_cursor` if the list is sorted by numbers and the position has none.
        """
        ...

    def count(self, query: Q_contra) -> int:
        """How many items match the query."""
        ...
