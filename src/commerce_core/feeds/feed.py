"""Feeds: a file received from a source, its state, and the key of its raw bytes."""

import re
from datetime import datetime
from typing import ClassVar, Final, Literal

from attrs import evolve, frozen

from commerce_core.base.calendar import check_range
from commerce_core.base.errors import Fault, refuse_if
from commerce_core.schema.fields import Mode

FeedStatus = Literal["received", "applied", "held", "rejected", "superseded", "reverted", "failed"]
Returned = Literal["export", "report"]
"""Which of the platform's own files comes back as a feed."""
LONGEST_FILE_NAME: Final = 255
SMALL_FEED_BYTES: Final = 1024**2
"""Feeds of at most this size, as received, are small: none waits until a large one is read."""
MOST_EXPECTED_ROWS: Final = 10**12
_FEED_NAME: Final = re.compile(
    r"(.+?)(\.(?:csv|tsv|txt|jsonl|ndjson|json|xml|xlsx|parquet))?(?:\.(?:gz|bz2|xz|zip|zst))?",
    re.IGNORECASE | re.DOTALL,
)
_WORKBOOK: Final = ".xlsx"
_SHA256: Final = re.compile(r"[0-9a-f]{64}")


@frozen
class LatestJob:
    """The feed's latest job, in brief."""

    job_id: str
    kind: str
    status: str
    outcome: str | None


@frozen
class Feed:
    """One file received from a source.

    `snapshot_at` is the moment whose state the file shows: given at upload, or in the file's name,
    else the time of receipt. `expected_rows` is the number of records that the sender announced,
    not counting blank ones. `returned` is set once its header was read, if the file is an export or
    a reject report of ours; the form of its source's own files isn't compared with it.
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
    returned: Returned | None = None

    @property
    def file_key(self) -> str:
        """The key of its raw bytes in the file store; they never change."""
        return f"raw/{self.partner_id}/{self.feed_id}"

    @property
    def is_small(self) -> bool:
        """Whether its job also fits the lane of small feeds."""
        return self.bytes <= SMALL_FEED_BYTES

    def became(self, status: FeedStatus, at: datetime | None = None) -> "Feed":
        """The feed in another state; `at` is the time at which it was applied."""
        return evolve(self, status=status, applied_at=at or self.applied_at)


@frozen
class FeedQuery:
    """Selects the feeds that match every given filter, newest first."""

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

    def __attrs_post_init__(self) -> None:
        check_range(self.received_from, self.received_to)


def tidy_file_name(name: str) -> str:
    """The last part of a file's path, without characters that can't be printed."""
    last = re.split(r"[/\\]", name)[-1]
    kept = "".join(c for c in last if c.isprintable())[-LONGEST_FILE_NAME:]
    return kept or "feed.csv"


def report_name(file_name: str, *, is_workbook: bool = False) -> str:
    """The name of the file's reject report, which is uncompressed and in the same format.

    That of a JSON document has one object per line. Tables are reported as workbooks, whatever the
    file's name is.
    """
    matched = _FEED_NAME.fullmatch(file_name)
    name, extension = matched.groups("") if matched else (file_name, "")
    if extension.lower() == ".json":
        extension += "l"
    if is_workbook != (extension.lower() == _WORKBOOK):
        extension = _WORKBOOK if is_workbook else ""
    elif extension.lower() == ".parquet":
        extension = ""
    return f"{name}-rejected{extension or '.csv'}"


def check_promises(sha256: str | None, expected_rows: int | None) -> None:
    """InvalidInput if the digest or the number of records can't be true of any file."""
    refuse_if(
        "The announced digest or number of records isn't valid.",
        (
            sha256 is not None and not _SHA256.fullmatch(sha256.lower()),
            Fault("/sha256", "bad_sha256", "Write the SHA-256 as 64 hexadecimal digits."),
        ),
        (
            expected_rows is not None and not 0 <= expected_rows <= MOST_EXPECTED_ROWS,
            Fault("/expected_rows", "bad_expected_rows", "Use 0 or more."),
        ),
    )
