"""Rehearsing a fetch: which files it would take, why it skips others, and how the first one begins.

Nothing is kept: no file, no row, and not that a file was seen.
"""

import io
from collections.abc import Sequence
from datetime import datetime
from typing import Final
from zoneinfo import ZoneInfo

from attrs import frozen

from commerce_core.base.errors import Unreachable
from commerce_core.doctor import Asked, Diagnosis, examine
from commerce_core.feeds.job import JobError
from commerce_core.feeds.place import HttpsPlace, SourceKind
from commerce_core.feeds.pull import Pull
from commerce_core.feeds.remote_file import Candidate, RemoteFile, Verdict
from commerce_core.ports.fetcher import FetchFailed, Remote
from commerce_core.profiles.profile import UNPROFILED
from commerce_core.usecases.context import Context
from commerce_core.usecases.fetching.folders import looked
from commerce_core.usecases.fetching.places import access_of, connect
from commerce_core.usecases.fetching.taking import html, is_html

REHEARSAL_SECONDS: Final = 60.0
"""How long all of it may take."""
HEAD_BYTES: Final = 64 * 1024
"""Bytes of a file that are read."""
MOST_SHOWN: Final = 100
"""How many files are shown, those that would be taken first."""
_FIRST: Final[dict[Verdict, int]] = {"take": 0, "wait": 1, "skip": 2}


@frozen
class RehearsedFile:
    """A listed file, and what a fetch would do with it now: `take`, `wait` or `skip`, and why."""

    path: str
    size: int | None
    modified_at: datetime | None
    verdict: Verdict
    why: str | None
    snapshot_at: datetime | None


@frozen
class Rehearsal:
    """What a fetch of the source would do now.

    `takes`, `waits` and `skips` count all files, `files` are at most 100 of them. `read_path` is
    the file whose first `read_bytes` were read, and examined if these suffice. `error` is why the
    fetch would fail, or why the examined file would be refused.
    """

    source_id: str
    kind: SourceKind
    url: str
    takes: int = 0
    waits: int = 0
    skips: int = 0
    files: tuple[RehearsedFile, ...] = ()
    read_path: str | None = None
    read_bytes: int = 0
    diagnosis: Diagnosis | None = None
    error: JobError | None = None


def rehearse(context: Context, pull: Pull) -> Rehearsal:
    """Rehearses a fetch; what goes wrong on the way is its `error`."""
    try:
        access = access_of(context, pull)
        with connect(context, pull.place, access, REHEARSAL_SECONDS) as remote:
            candidates = _candidates(context, pull, remote)
            file = _read_first(candidates)
            head, is_whole = (b"", True) if file is None else _head(remote, file)
    except (FetchFailed, Unreachable) as failure:
        error = JobError(failure.code, str(failure))
        return Rehearsal(pull.source_id, pull.kind, pull.url, error=error)
    verdicts = [each.verdict for each in candidates]
    diagnosis, error = (
        (None, None) if file is None else _examined(context, pull, head, is_whole=is_whole)
    )
    return Rehearsal(
        pull.source_id, pull.kind, pull.url, verdicts.count("take"), verdicts.count("wait"),
        verdicts.count("skip"), _shown(candidates), file and readable(file.path), len(head),
        diagnosis, error,
    )  # fmt: skip


def _candidates(context: Context, pull: Pull, remote: Remote) -> Sequence[Candidate]:
    """What is listed; the one file of a web server is taken unless it turns out the same."""
    if isinstance(pull.place, HttpsPlace):
        return [Candidate(file, file.version, "take") for file in remote.files()]
    return looked(context, pull, pull.place, remote)


def _read_first(candidates: Sequence[Candidate]) -> RemoteFile | None:
    """The file to read: the first that would be taken, else one that waits or was decided."""
    readable_ones = [each for each in candidates if not each.is_ignored]
    best = min(readable_ones, key=lambda each: _FIRST[each.verdict], default=None)
    return best and best.file


def _head(remote: Remote, file: RemoteFile) -> tuple[bytes, bool]:
    """The first bytes, and whether they are all."""
    head = b""
    with remote.open(file) as opened:
        while opened is not None and len(head) <= HEAD_BYTES:
            block = opened.read(HEAD_BYTES + 1 - len(head))
            if not block:
                return head, True
            head += block
    return head[:HEAD_BYTES], False


def _examined(
    context: Context, pull: Pull, head: bytes, *, is_whole: bool
) -> tuple[Diagnosis | None, JobError | None]:
    """What the doctor finds in the beginning of a file, and why it would be refused."""
    if is_html(head) or not head:
        failure = html() if head else FetchFailed("empty_file", "The file is empty.")
        return None, JobError(failure.code, str(failure))
    with context.store.begin() as unit:
        partner = unit.partners.get(pull.partner_id)
        source = unit.sources.get(pull.source_id)
        saved = unit.sources.profile(pull.source_id)
    asked = Asked(
        profile=None if saved == UNPROFILED else saved.profile,
        mode=source.mode,
        currency=partner.currency,
        zone=ZoneInfo(partner.time_zone),
    )
    # A record that was cut would be reported as a fault of the file.
    whole_lines = head if is_whole else head[: head.rfind(b"\n") + 1] or head
    diagnosis = context.apart.run(examine, io.BytesIO(whole_lines), asked)
    if diagnosis.refusal is None:
        return diagnosis, None
    if not is_whole:
        # Archives and documents can't be examined by their beginning.
        return None, None
    return diagnosis, JobError(diagnosis.refusal.code, diagnosis.refusal.detail)


def _shown(candidates: Sequence[Candidate]) -> tuple[RehearsedFile, ...]:
    first = sorted(candidates, key=lambda each: _FIRST[each.verdict])[:MOST_SHOWN]
    return tuple(
        RehearsedFile(
            readable(each.file.path), each.file.size, each.file.modified_at, each.verdict, each.why,
            each.at,
        )
        for each in first
    )  # fmt: skip


def readable(path: str) -> str:
    """A path as text that can be shown, also if it isn't UTF-8."""
    return path.encode("utf-8", "backslashreplace").decode()
