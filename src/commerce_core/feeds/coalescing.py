"""Coalescing: of a source's waiting full feeds, only the newest is worth reading.

A full feed contains the whole assortment, so the newest one replaces everything before it. Deltas
keep their turn, and so do jobs that wait for a person, that is, jobs that aren't released.
"""

from collections.abc import Callable, Iterable, Sequence
from datetime import datetime
from typing import Final

from attrs import frozen

from commerce_core.feeds.job import JobError, JobKind, JobStatus
from commerce_core.schema.fields import Mode

_A_CHOICE: Final = 2


@frozen
class UnderWay:
    """An unfinished job in brief, with the mode and the times of its feed."""

    job_id: str
    feed_id: str
    kind: JobKind
    status: JobStatus
    released: bool
    mode: Mode
    snapshot_at: datetime
    received_at: datetime

    @property
    def newness(self) -> tuple[datetime, datetime, str]:
        """A sort key for the newer of two feeds: by snapshot, then by receipt."""
        return (self.snapshot_at, self.received_at, self.feed_id)


@frozen
class Coalesced:
    """The full feed to read, and the jobs that needn't run any more."""

    newest: UnderWay
    others: Sequence[UnderWay]

    @property
    def reason(self) -> JobError:
        """Why the others are cancelled."""
        newest, as_of = self.newest.feed_id, self.newest.snapshot_at.isoformat()
        message = f"A newer full feed of the source is read instead: {newest}, as of {as_of}."
        return JobError("superseded", message)


def coalesce(
    claimed_id: str, under_way: Iterable[UnderWay], says_all: Callable[[UnderWay], bool]
) -> Coalesced | None:
    """Which of a claimed job and the waiting ones is read; None if each keeps its own turn.

    `under_way` are the unfinished jobs of the source, including the claimed one. `says_all` checks
    that a file really is a full feed, and is called only if there is a choice: a file that can't be
    read, or a corrected report, which is always a delta, doesn't replace any other.
    """
    waiting = [job for job in under_way if _is_full_and_waits(job, claimed_id)]
    if len(waiting) < _A_CHOICE or all(job.job_id != claimed_id for job in waiting):
        return None
    newest_first = sorted(waiting, key=lambda job: job.newness, reverse=True)
    for place, job in enumerate(newest_first[:-1]):
        if says_all(job):
            return Coalesced(job, newest_first[place + 1 :])
        if job.job_id == claimed_id:
            return None
    return None


def _is_full_and_waits(job: UnderWay, claimed_id: str) -> bool:
    waits = job.job_id == claimed_id or (job.status == "queued" and job.released)
    return waits and job.kind == "ingest" and job.mode == "full"
