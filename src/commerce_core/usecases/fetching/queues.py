"""Watching queues: a report of new keys in a bucket starts a fetch at once.

    receive ──> is one of them about the place? ──> a fetch is added ──> the messages are deleted

A message that is lost costs time alone, since the schedule lists the bucket anyway; one that comes
twice, late or in another order makes a fetch that finds nothing new.
"""

from collections.abc import Sequence
from typing import Final

from attrs import evolve, frozen

from commerce_core.base.errors import Unavailable, Unreachable
from commerce_core.feeds.bucket_events import is_about
from commerce_core.feeds.job import JobError
from commerce_core.feeds.place import S3Place
from commerce_core.feeds.pull import Fetch, Pull
from commerce_core.ports.fetcher import FetchFailed
from commerce_core.ports.messages import MOST_RECEIVED, Message
from commerce_core.usecases.context import Context
from commerce_core.usecases.fetching.places import access_of

MOST_WATCHED: Final = 1_000
"""How many queues are looked into."""
MOST_ROUNDS: Final = 20
"""How often a queue is asked for more in one look."""


@frozen
class Watching:
    """Looks into the queues of sources: workers do this."""

    _context: Context

    def look(self) -> int:
        """Adds a fetch for each source about which a queue has news; returns how many it added."""
        with self._context.store.begin() as unit:
            pulls = unit.pulls.watched(MOST_WATCHED)
        return sum(self._look_into(pull) for pull in pulls)

    def _look_into(self, pull: Pull) -> int:
        place = pull.place
        if not isinstance(place, S3Place):
            return 0
        error, added = None, 0
        try:
            access = access_of(self._context, pull)
            for _ in range(MOST_ROUNDS):
                received = self._context.messages.receive(place, access)
                made = self._hear(pull, place, received)
                added += made or 0
                if made is not None:
                    self._context.messages.delete(place, access, received)
                if len(received) < MOST_RECEIVED or made is None:
                    break
        except (FetchFailed, Unreachable, Unavailable) as failure:
            error = JobError(failure.code, str(failure))
        if error != pull.queue_error:
            with self._context.store.begin() as unit:
                now_set = unit.pulls.lock(pull.source_id)
                if now_set is not None and now_set.place == place:
                    unit.pulls.put(evolve(now_set, queue_error=error))
        return added

    def _hear(self, pull: Pull, place: S3Place, messages: Sequence[Message]) -> int | None:
        """How many fetches were added; None if the messages have to come again later."""
        if not any(is_about(place, message.body) for message in messages):
            return 0
        context = self._context
        with context.store.begin() as unit:
            now_set = unit.pulls.lock(pull.source_id)
            if now_set is None or now_set.place != place:
                return None
            running = unit.fetches.unfinished(pull.source_id)
            if running is not None:
                # One that has begun may have listed the bucket already.
                return 0 if running.status == "queued" else None
            now = context.clock()
            fetch = Fetch(
                context.mint("ftch"), pull.source_id, pull.partner_id, "event", now, now
            )  # fmt: skip
            return len(unit.fetches.add([fetch]))
