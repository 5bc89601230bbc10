"""Feeds: one file received from a source, what state it is in, and where its raw bytes lie."""

import re
from datetime import datetime
from typing import ClassVar, Final, Literal

from attrs import evolve, frozen

from commerce_core.base.errors import Fault, refuse_if
from commerce_core.schema.fields import Mode

FeedStatus = Literal["received", "applied", "held", "rejected", "superseded", "reverted", "failed"]
LONGEST_FILE_NAME: Final = 255
MOST_EXPECTED_ROWS: Final = 10**12
_FEED_NAME: Final = re.compile(
    r"(.+?)(\.(?:csv|tsv|txt|jsonl|ndjson))?(?:\.(?:gz|zip))?", re.IGNORECASE | re.DOTALL
)
_SHA256: Final = re.compile(r"[0-9a-f]{64}")


@frozen
class LatestJob:
    """The feed's newest job, in brief."""

    job_id: str
    kind: str
    status: str
    outcome: str | None


@frozen
class Feed:
    """One file received from a source.

    `snapshot_at` is the moment whose state the file shows: given at upload, else the time of
    receipt. `expected_rows` is how many records the sender says there are, blank ones not counted.
    """

    feed_id: str
    partner_id: str
    partner_name: str
    source_id: str
    file_name: str
    content_type: str
    bytes: int
    sha256: str
    mode: Mode
    status: FeedStatus
    received_at: datetime
    snapshot_at: datetime
    expected_rows: int | None = None
    applied_at: datetime | None = None
    latest_job: LatestJob | None = None

    @property
    def file_key(self) -> str:
        """Where its raw bytes lie among the files; they are never changed."""
        return f"raw/{self.partner_id}/{self.feed_id}"

    def became(self, status: FeedStatus, at: datetime | None = None) -> "Feed":
        """The feed in another state; `at` is when it was applied."""
        return evolve(self, status=status, applied_at=at or self.applied_at)


@frozen
class FeedQuery:
    """Which feeds: all that fit every filter given, newest first."""

    IDENTITY: ClassVar = (
        "FeedQuery(partner_id={0.partner_id!r}, source_id={0.source_id!r}, "
        "status={0.status!r}, received_from={0.received_from!r}, "
        "received_to={0.received_to!r})"
    )
    partner_id: str | None = None
    source_id: str | None = None
    status: FeedStatus | None = None
    received_from: datetime | None = None
    received_to: datetime | None = None


def tidy_file_name(name: str) -> str:
    """The last part of a file's name, without what a terminal or another system stumbles over."""
    last = re.split(r"[/\\]", name)[-1]
    kept = "".join(c for c in last if c.isprintable())[-LONGEST_FILE_NAME:]
    return kept or "feed.csv"


def report_name(file_name: str) -> str:
    """What the report of the file's rejected records is called: unpacked, in the same format."""
    matched = _FEED_NAME.fullmatch(file_name)
    name, extension = matched.groups("") if matched else (file_name, "")
    return f"{name}-rejected{extension or '.csv'}"


def check_promises(sha256: str | None, expected_rows: int | None) -> None:
    """InvalidInput where what the sender promises of the file can't be true of any file."""
    refuse_if(
        "The upload promises what can't be.",
        (
            sha256 is not None and not _SHA256.fullmatch(sha256.lower()),
            Fault("/sha256", "bad_sha256", "A SHA-256 is 64 hexadecimal digits."),
        ),
        (
            expected_rows is not None and not 0 <= expected_rows <= MOST_EXPECTED_ROWS,
            Fault("/expected_rows", "bad_expected_rows", "The number of records is 0 or more."),
        ),
    )
