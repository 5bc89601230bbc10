"""Files on servers of others, and which of a folder's are to be taken.

A file is taken once in each version, however often and in whichever order it is listed. Its time of
change decides nothing but the order, since servers put old times on new files.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Final, Literal

from attrs import frozen

from commerce_core.feeds.job import JobError
from commerce_core.feeds.place import (
    IGNORED_ENDINGS,
    LONGEST_PATH,
    Folder,
    fits,
    marker_of,
    name_of,
)

SETTLE: Final = timedelta(seconds=30)
"""How long a file has to stay as it is before it counts as complete."""
_NEVER: Final = datetime.min.replace(tzinfo=UTC)

FileState = Literal["seen", "taken", "unchanged", "refused"]
"""What became of a file: seen once, a feed, the same bytes as the one before it, or refused."""
Verdict = Literal["take", "wait", "skip"]


@frozen
class RemoteFile:
    """A file as a server lists it. What the server doesn't know is None.

    `etag` and `last_modified` are texts of the server's own.
    """

    path: str
    size: int | None = None
    modified_at: datetime | None = None
    etag: str | None = None
    last_modified: str | None = None

    @property
    def version(self) -> str:
        """A text that differs if the content may differ."""
        at = self.modified_at and self.modified_at.isoformat(timespec="seconds")
        return f"{self.size};{at};{self.etag or ''}"


@frozen
class PulledFile:
    """A version of a file of a source, and what became of it.

    `seen_at` is when it was first seen. `fetch_id` is the fetch that decided, `error` why it was
    refused. `path` is its path on the server, or its key.
    """

    source_id: str
    partner_id: str
    path: str
    version: str
    state: FileState
    seen_at: datetime
    size: int | None = None
    modified_at: datetime | None = None
    fetch_id: str | None = None
    feed_id: str | None = None
    sha256: str | None = None
    error: JobError | None = None


@frozen
class Candidate:
    """A listed file, whether it is to be taken, and if not, why.

    `version` is that of the file, and of its marker. `at` is the moment of its snapshot, if its
    name has one. `is_ignored` is whether it is never taken, whatever becomes of it. `settles` is
    whether it waits for nothing but time, in which it has to stay as it is.
    """

    file: RemoteFile
    version: str
    verdict: Verdict
    why: str | None = None
    at: datetime | None = None
    marker: RemoteFile | None = None
    is_ignored: bool = False
    settles: bool = False

    @property
    def order(self) -> tuple[datetime, str]:
        """Where it stands among others: by the time of its snapshot."""
        return self.at or self.file.modified_at or _NEVER, self.file.path


def judged(
    place: Folder,
    listed: Iterable[RemoteFile],
    known: Mapping[str, Sequence[PulledFile]],
    now: datetime,
    moment_of: Callable[[str], datetime | None],
) -> Sequence[Candidate]:
    """Each listed file that isn't a marker, with its verdict, in the order of their snapshots.

    `known` are the versions of each path that were seen before, `moment_of` finds the time in a
    file's name.
    """
    by_path = {file.path: file for file in listed}
    markers = {marker_of(place, path) for path in by_path} & by_path.keys()
    candidates: list[Candidate] = []
    for path, file in by_path.items():
        if path in markers:
            continue
        marker = by_path.get(marker_of(place, path) or "")
        version = file.version if marker is None else f"{file.version}+{marker.version}"
        before = next((each for each in known.get(path, ()) if each.version == version), None)
        verdict, why = _verdict(place, file, marker, before, now)
        at = moment_of(name_of(path))
        is_ignored = ignored(place, file) is not None
        settles = verdict == "wait" and place.marker is None
        candidates.append(Candidate(file, version, verdict, why, at, marker, is_ignored, settles))
    return sorted(candidates, key=lambda candidate: candidate.order)


def _verdict(
    place: Folder,
    file: RemoteFile,
    marker: RemoteFile | None,
    before: PulledFile | None,
    now: datetime,
) -> tuple[Verdict, str | None]:
    if why := ignored(place, file):
        return "skip", why
    if before is not None and before.state != "seen":
        return "skip", _DECIDED[before.state]
    if place.marker is not None:
        if marker is None:
            return "wait", f"{name_of(marker_of(place, file.path) or '')} isn't there."
        if _is_older(marker, file):
            return "wait", f"{name_of(marker.path)} is older than the file."
    elif place.traits.grows_in_place and (before is None or now - before.seen_at < SETTLE):
        return "wait", f"It has to stay as it is for {SETTLE.seconds} seconds."
    return "take", None


_DECIDED: Final[Mapping[FileState, str]] = {
    "taken": "It was taken.",
    "unchanged": "It has the same bytes as the one before it.",
    "refused": "It was refused.",
}


def ignored(place: Folder, file: RemoteFile) -> str | None:
    """Why a file is never taken, by its name; None if it may be."""
    name = name_of(file.path)
    if name.startswith(".") or name.endswith(IGNORED_ENDINGS):
        return "Its name is that of a file which is still being sent, or hidden."
    if not fits(place, file.path):
        return "The pattern doesn't select it."
    if not name.isprintable() or len(file.path.encode(errors="replace")) > LONGEST_PATH:
        return "Its name isn't printable, or too long."
    return None


def _is_older(marker: RemoteFile, file: RemoteFile) -> bool:
    """Whether the marker is one of a former version."""
    return bool(marker.modified_at and file.modified_at and marker.modified_at < file.modified_at)
