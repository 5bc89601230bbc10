"""Port: bulk acts on feeds, with a result for each member; and the groups they are made of."""

from collections.abc import Sequence
from datetime import datetime
from typing import Protocol

from commerce_core.base.paging import Page, Position
from commerce_core.feeds.bulk_act import (
    BulkAct,
    BulkItem,
    BulkQuery,
    FailureCause,
    FeedGroup,
    ItemStatus,
)
from commerce_core.ports.listing import Listing


class BulkActs(Listing[BulkQuery, BulkAct], Protocol):
    """Bulk acts, newest first, from when they are confirmed until they are forgotten."""

    def causes(self, partner_id: str | None, most: int, limit: int) -> Sequence[FailureCause]:
        """The causes of the `most` latest feeds that failed, the largest first.

        Counted are feeds that are failed or rejected, and whose latest job is an ingest that
        failed. The message is that of the latest feed.
        """
        ...

    def members(self, group: FeedGroup, limit: int) -> Sequence[str]:
        """The ids of the group's feeds, oldest first, at most `limit` of them."""
        ...

    def add(self, act: BulkAct, feed_ids: Sequence[str]) -> None:
        """Stores a new bulk act with these members, all of them waiting."""
        ...

    def get(self, bulk_id: str) -> BulkAct:
        """The bulk act, or NotFound."""
        ...

    def lock(self, bulk_id: str) -> BulkAct:
        """The same, locked against other changes until this unit ends."""
        ...

    def put(self, act: BulkAct) -> None:
        """Replaces its status, counts, end and problem; NotFound if there is none."""
        ...

    def unfinished(self) -> int:
        """How many bulk acts aren't finished."""
        ...

    def waiting(self, bulk_id: str, limit: int) -> Sequence[BulkItem]:
        """The first members without a result, by number."""
        ...

    def record(self, bulk_id: str, items: Sequence[BulkItem]) -> None:
        """Stores what became of these members."""
        ...

    def items(
        self, bulk_id: str, status: ItemStatus | None, after: Position | None, limit: int
    ) -> Page[BulkItem]:
        """The members, by number, optionally only those with that status."""
        ...

    def forget(self, before: datetime) -> int:
        """Deletes the bulk acts that finished before that moment; returns how many."""
        ...


class BulkActsUnit(Protocol):
    """The part of a unit of work for bulk acts."""

    @property
    def bulk_acts(self) -> BulkActs:
        """The bulk acts."""
        ...
