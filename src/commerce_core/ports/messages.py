"""What the core needs of queues that report new keys of buckets."""

from collections.abc import Sequence
from typing import Final, Protocol

from attrs import frozen

from commerce_core.base.errors import Unreachable
from commerce_core.feeds.place import S3Place
from commerce_core.ports.fetcher import Access

MOST_RECEIVED: Final = 10
"""How many messages are received at once."""


@frozen
class Message:
    """A message of a queue, and the receipt with which it is deleted."""

    body: str
    receipt: str


class Messages(Protocol):
    """Receives from queues. Others don't see a message that was received until time has passed."""

    def judge(self, place: S3Place) -> None:
        """Judges a queue that is to be stored, and sends nothing; InvalidInput."""
        ...

    def receive(self, place: S3Place, access: Access) -> Sequence[Message]:
        """Up to MOST_RECEIVED messages of the queue, at once; none if there are none at present.

        FetchFailed `denied` or `not_there`; Unreachable as `Fetcher.connect`.
        """
        ...

    def delete(self, place: S3Place, access: Access, messages: Sequence[Message]) -> None:
        """Deletes messages that were received; those that are gone are left out."""
        ...


class NoMessages:
    """A platform that calls no queues."""

    def judge(self, place: S3Place) -> None:  # noqa: ARG002
        """Refused."""
        raise _offline()

    def receive(self, place: S3Place, access: Access) -> Sequence[Message]:  # noqa: ARG002
        """Refused."""
        raise _offline()

    def delete(
        self,
        place: S3Place,  # noqa: ARG002
        access: Access,  # noqa: ARG002
        messages: Sequence[Message],  # noqa: ARG002
    ) -> None:
        """Refused."""
        raise _offline()


def _offline() -> Unreachable:
    return Unreachable("This platform doesn't call other servers.", code="offline")
