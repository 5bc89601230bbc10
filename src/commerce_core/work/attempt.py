"""Attempts: what all work has in common, be it a feed's job or a task.

    queued ──claim──> running ──finish──> done, or queued until it is due again
       ^                 ├── give back ─────> queued, after a pause
       └─────────────────┴── lease expired: the next claim counts a crashed attempt

Each claim is an attempt with a number, under a lease that a second thread renews. Whatever a run
commits checks that number in the same transaction: a run that was taken over commits nothing.
"""

from datetime import timedelta
from typing import Final

from attrs import frozen

MOST_CRASHED_ATTEMPTS: Final = 3
"""After this many attempts that neither finished nor were given back, work is not tried again."""
MOST_DISCONNECTED_ATTEMPTS: Final = 5
"""The same for attempts that lost the store or the connection to it."""
LEASE: Final = timedelta(seconds=30)
"""How long a claim is valid without being renewed, by the store's clock."""


TIME_BUDGET: Final = timedelta(hours=1)
"""How long an attempt at a feed may take by default."""


@frozen
class Progress:
    """The progress of a run: its stage, and the bytes and records read so far."""

    stage: str = "queued"
    bytes_read: int = 0
    bytes_total: int = 0
    records: int = 0

    @property
    def described(self) -> str:
        """How far it is, as text: `in stage read, after 12 of 90 bytes and 2 records`."""
        return (
            f"in stage {self.stage}, after {self.bytes_read:,} of {self.bytes_total:,} bytes and "
            f"{self.records:,} records"
        )
