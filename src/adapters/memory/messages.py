"""Queues in memory: the reference of how messages are received and deleted."""

from collections.abc import Sequence
from itertools import islice

from attrs import define, field

from commerce_core.base.errors import InvalidInput
from commerce_core.feeds.place import S3Place
from commerce_core.ports.fetcher import Access, FetchFailed
from commerce_core.ports.messages import MOST_RECEIVED, Message


@define
class MemoryMessages:
    """Implements `commerce_core.ports.messages.Messages`. `queues` are the messages by URL.

    What was received is `hidden` until a test returns it.
    """

    queues: dict[str, list[Message]] = field(factory=dict[str, list[Message]])
    secret: str | None = None
    hidden: list[tuple[str, Message]] = field(factory=list[tuple[str, Message]], init=False)
    _count: int = field(default=0, init=False)

    def send(self, queue_url: str, body: str) -> None:
        """Adds a message."""
        self._count += 1
        self.queues.setdefault(queue_url, []).append(Message(body, str(self._count)))

    def show_again(self) -> None:
        """Returns what was received and not deleted."""
        for queue_url, message in self.hidden:
            self.queues[queue_url].append(message)
        self.hidden.clear()

    def judge(self, place: S3Place) -> None:
        """Knows https alone."""
        if not (place.queue_url or "").startswith("https://"):
            raise InvalidInput.at("/queue_url", "scheme_refused", "Use https://.")

    def receive(self, place: S3Place, access: Access) -> Sequence[Message]:
        """The oldest messages."""
        if access.secret != self.secret:
            raise FetchFailed("denied", "The queue refused the key.")
        url = place.queue_url or ""
        if url not in self.queues:
            raise FetchFailed("not_there", f"There is no queue {url}.")
        received = list(islice(self.queues[url], MOST_RECEIVED))
        del self.queues[url][: len(received)]
        self.hidden += [(url, message) for message in received]
        return received

    def delete(
        self,
        place: S3Place,
        access: Access,  # noqa: ARG002 - who received may delete
        messages: Sequence[Message],
    ) -> None:
        """Forgets them."""
        gone = {(place.queue_url, message.receipt) for message in messages}
        self.hidden = [each for each in self.hidden if (each[0], each[1].receipt) not in gone]
