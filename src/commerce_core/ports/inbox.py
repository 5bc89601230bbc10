"""The port of the inbox: causes that need a person, and what people decided about them."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Protocol

from commerce_core.activity.inbox import Failures, Mark, RejectCounts


class Causes(Protocol):
    """What needs a person; each method costs the same however much has happened before."""

    def failures(self, partner_id: str | None, since: datetime, limit: int) -> Sequence[Failures]:
        """The feeds that failed since then, by source and code, the latest first.

        Left out are feeds of which a later one of their source has been applied, and feeds that
        aren't failed or rejected any more. The message is that of the latest failure.
        """
        ...

    def rejects(self, partner_id: str | None, recent: int) -> Sequence[RejectCounts]:
        """What each source's latest completed ingest rejected, by source.

        Only the newest `recent` completed ingests are considered.
        """
        ...

    def oversold(
        self, partner_id: str | None, since: datetime, limit: int
    ) -> Mapping[str, tuple[datetime, datetime]]:
        """The products that events `stock.oversold` since then name, with the first and last time.

        Only the latest `limit` of these events are considered.
        """
        ...

    def marks(self, owner: str, cause_ids: Iterable[str]) -> Mapping[str, Mark]:
        """The marks of these items in that owner's view, by item."""
        ...

    def put(self, mark: Mark) -> None:
        """Stores a mark, replacing any earlier one of the same item and owner."""
        ...


class InboxUnit(Protocol):
    """The part of a unit of work for the inbox."""

    @property
    def inbox(self) -> Causes:
        """What needs a person."""
        ...
