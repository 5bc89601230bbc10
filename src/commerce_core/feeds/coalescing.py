"""Coalescing: of the full feeds of a source that wait, only the newest is worth reading.

A full feed says everything, so the newest one says, or contradicts, all that those before it would
have said. Deltas keep their place, and so does what waits for a person: a job that isn't released.
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
    """An unfinished job in brief, with what its feed says of itself."""

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
        """What the newer of two has more of: its snapshot counts, then its receipt."""
        return (self.snapshot_at, self.received_at, self.feed_id)


@frozen
class Coalesced:
    """Which of some full feeds is read, and the jobs that needn't be run any more."""

    newest: UnderWay
    others: Sequence[UnderWay]

    @property
    def reason(self) -> JobError:
        """Why the others are cancelled."""
        newest, as_of = self.newest.feed_id, self.newest.snapshot_at.isoformat()
        message = f"A newer full feed of the source, {newest} as of {as_of}, is read instead."
        return JobError("superseded", message)


def coalesce(
    claimed_id: str, under_way: Iterable[UnderWay], says_all: Callable[[UnderWay], bool]
) -> Coalesced | None:
    """What a claimed job and those that wait come down to; None where each has its own turn.

    `under_way` are the unfinished jobs of the source, the claimed one among them. `says_all` looks
    whether a file is what it was sent as: one that can't be read, or a mended report, which is a
    delta whatever it was sent as, stands for no other. It is asked only where there is a choice.
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
