"""Coalescing: of the full feeds of a source that wait, only the newest is worth reading.

A full feed says everything, so the one whose snapshot is newest says all that those before it would
have said and have been contradicted in. Deltas keep their place, and so does what waits for a
person: a job that isn't released.
"""

from collections.abc import Iterable, Sequence
from datetime import datetime

from attrs import frozen

from commerce_core.jobs import JobError, JobKind, JobStatus
from commerce_core.partners import Mode


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
    def age(self) -> tuple[datetime, datetime, str]:
        """What the newer one has more of: its snapshot counts, then its receipt."""
        return (self.snapshot_at, self.received_at, self.feed_id)


@frozen
class Coalesced:
    """Which of some full feeds is read, and whose jobs needn't be run any more."""

    newest: UnderWay
    others: Sequence[UnderWay]

    @property
    def reason(self) -> JobError:
        """Why the others are cancelled."""
        newest = self.newest
        as_of = newest.snapshot_at.isoformat()
        message = (
            f"A newer full feed of the source, {newest.feed_id} as of {as_of}, is read instead."
        )
        return JobError("superseded", message)


def coalesce(claimed_id: str, under_way: Iterable[UnderWay]) -> Coalesced | None:
    """What a claimed job and those that wait come down to; None where each is to be run.

    `under_way` are the unfinished jobs of the source, the claimed one among them.
    """
    waiting = [job for job in under_way if _may_coalesce(job, claimed_id)]
    if len(waiting) < 2 or all(job.job_id != claimed_id for job in waiting):  # noqa: PLR2004
        return None
    newest = max(waiting, key=lambda job: job.age)
    return Coalesced(newest, [job for job in waiting if job is not newest])


def _may_coalesce(job: UnderWay, claimed_id: str) -> bool:
    waits = job.job_id == claimed_id or (job.status == "queued" and job.released)
    return waits and job.kind == "ingest" and job.mode == "full"
