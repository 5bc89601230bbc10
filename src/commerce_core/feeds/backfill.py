"""Backfills: the files that a folder or prefix has already, in the order of their snapshots.

Each file gets a snapshot: the moment in its name, else its time of change. With it, an old file
can't change what a newer one contains, whenever it is loaded.
"""

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from typing import Final, Literal

from attrs import evolve, frozen

from commerce_core.base.errors import Fault, InvalidInput, refuse_if
from commerce_core.feeds.file_name_time import FUTURE_ALLOWED
from commerce_core.feeds.place import Folder, HttpsPlace, Place, S3Place, secrets_for
from commerce_core.feeds.remote_file import Candidate, Verdict
from commerce_core.schema.fields import Mode

MOST_BACKFILLED: Final = 10_000
"""The most files that one backfill takes."""
MOST_PLANNED: Final = 1_000
"""How many files a plan shows; it counts all."""

_NEVER: Final = datetime.max.replace(tzinfo=UTC)
SnapshotBasis = Literal["name", "modified"]
"""Where a snapshot is from: the file's name, or its time of change."""
Effect = Literal["applies", "overtaken"]
"""Whether a file can change the catalog, or a newer full file replaces all that it contains."""


@frozen
class Backfill:
    """What is backfilled: a folder or prefix (None: the source's own), and which of its files.

    `pattern` selects names, as that of the source does, which is the default. Files are taken whose
    snapshot is from `snapshot_from` on, and before `snapshot_to`.
    """

    url: str | None = None
    pattern: str | None = None
    snapshot_from: datetime | None = None
    snapshot_to: datetime | None = None

    def __attrs_post_init__(self) -> None:
        """Checks the range; InvalidInput otherwise."""
        first, end = self.snapshot_from, self.snapshot_to
        refuse_if(
            "The backfill isn't valid.",
            (
                first is not None and end is not None and first >= end,
                Fault("/snapshot_to", "empty_range", "Use an end after the beginning."),
            ),
        )

    def place(self, own: Place) -> Folder:
        """Where it reads; InvalidInput unless that is a folder or prefix of the same server.

        Secrets are for one server, and paths are known by server.
        """
        if isinstance(own, HttpsPlace):
            raise InvalidInput.at(
                "/source_id", "no_folder",
                "The source is fetched from a web server, which has one file and no list of others."
                " Only folders of SFTP servers and prefixes of buckets can be backfilled.",
            )  # fmt: skip
        url = own.url if self.url is None else self.url
        # The source's pattern is for folders; here, one file may be named.
        takes_pattern = isinstance(own, S3Place) or url.endswith("/")
        usual = own.pattern if takes_pattern else None
        place = evolve(own, url=url, pattern=usual if self.pattern is None else self.pattern)
        if place.kind != own.kind or secrets_for(place) != secrets_for(own):
            detail = "Use a folder or prefix on the server, or in the bucket, of the source."
            raise InvalidInput.at("/url", "other_server", detail)
        return place


@frozen
class BackfillFile:
    """A listed file, its snapshot and where that is from, and what a backfill would do with it."""

    path: str
    size: int | None
    snapshot_at: datetime | None
    snapshot_basis: SnapshotBasis | None
    verdict: Verdict
    why: str | None = None
    effect: Effect | None = None


@frozen
class BackfillPlan:
    """What a backfill would do now; nothing is kept.

    `takes`, `waits`, `skips` and `bytes` (of those taken) count all files; `files` are at most
    1,000 of them: those that would be taken, in this order, then the others. `applies` counts the
    taken files that can change the catalog; the others are older than a full file of the plan, or
    than `newest_full_at`, that of the newest one applied already. Afterwards the catalog shows the
    state as of `last_snapshot_at`, that of the file `last_path`, unless `newest_full_at` is later.
    """

    source_id: str
    url: str
    mode: Mode
    takes: int
    waits: int
    skips: int
    bytes: int
    applies: int
    files: tuple[BackfillFile, ...]
    first_snapshot_at: datetime | None = None
    last_snapshot_at: datetime | None = None
    last_path: str | None = None
    newest_full_at: datetime | None = None


@frozen
class Selected:
    """A candidate of a backfill, with its snapshot."""

    candidate: Candidate
    snapshot_at: datetime | None
    basis: SnapshotBasis | None
    verdict: Verdict
    why: str | None

    @property
    def order(self) -> tuple[datetime, str]:
        """Where it stands among those that have a snapshot."""
        return self.snapshot_at or _NEVER, self.candidate.file.path


def selected(
    backfill: Backfill, candidates: Iterable[Candidate], now: datetime
) -> Sequence[Selected]:
    """Each listed file with its snapshot and verdict: those with a snapshot first, by it."""
    found = [_selected(backfill, candidate, now) for candidate in candidates]
    dated = sorted((each for each in found if each.snapshot_at), key=lambda each: each.order)
    return [*dated, *(each for each in found if not each.snapshot_at)]


def _selected(backfill: Backfill, candidate: Candidate, now: datetime) -> Selected:
    at, modified = candidate.at, candidate.file.modified_at
    basis: SnapshotBasis | None = "name" if at else "modified" if modified else None
    if at is None and modified is not None:
        # The server's clock may be ahead of ours; a file can't show what isn't yet.
        at = min(modified, now)
    verdict, why = candidate.verdict, candidate.why
    if verdict != "skip" and (outside := _outside(backfill, at, now)):
        verdict, why = "skip", outside
    return Selected(candidate, at, basis, verdict, why)


def _outside(backfill: Backfill, at: datetime | None, now: datetime) -> str | None:
    """Why a file isn't meant, by its snapshot; None if it is."""
    if at is None:
        return "Neither its name nor the server shows of when it is."
    if at > now + FUTURE_ALLOWED:
        return "The time in its name is in the future."
    if backfill.snapshot_from is not None and at < backfill.snapshot_from:
        return "Its snapshot is before the beginning of the range."
    if backfill.snapshot_to is not None and at >= backfill.snapshot_to:
        return "Its snapshot isn't before the end of the range."
    return None


def effects(
    taken: Sequence[Selected], mode: Mode, newest_full_at: datetime | None
) -> Sequence[Effect]:
    """What becomes of each taken file, in their order.

    A full file is replaced by a newer one. A delta can add to a newer full feed what that lacks.
    """
    last = len(taken) - 1
    replaced = [
        mode == "full"
        and (
            n < last
            or bool(newest_full_at and (each.snapshot_at or newest_full_at) < newest_full_at)
        )
        for n, each in enumerate(taken)
    ]
    return ["overtaken" if each else "applies" for each in replaced]
