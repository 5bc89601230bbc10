"""Fetching from folders and prefixes: each new file becomes a feed, in the order of snapshots.

Each file is taken in one transaction of its own, with the row that says so: a worker that is killed
between two of them does neither again. A file that can't be taken doesn't stop the others.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Final

from attrs import define, evolve, field, frozen

from commerce_core.base.errors import InvalidInput, TooLarge
from commerce_core.feeds.backfill import MOST_BACKFILLED, Backfill, selected
from commerce_core.feeds.job import JobError
from commerce_core.feeds.manifest import LONGEST_MANIFEST, Manifest, manifest_of
from commerce_core.feeds.place import Folder, name_of
from commerce_core.feeds.pull import Fetch, Pull
from commerce_core.feeds.remote_file import (
    Candidate,
    FileState,
    PulledFile,
    RemoteFile,
    ignored,
    judged,
)
from commerce_core.ports.fetcher import FetchFailed, Remote
from commerce_core.ports.store import UnitOfWork
from commerce_core.usecases.context import Context
from commerce_core.usecases.fetching.stream import Show
from commerce_core.usecases.fetching.taking import Taken, Taking
from commerce_core.work.attempt import Progress
from commerce_core.work.task import Task

MOST_TAKEN: Final = 1_000
"""How many files one try takes; the others are taken by the next fetch."""
TURN: Final = timedelta(seconds=30)
"""How long a try of a backfill takes files, before fetches of other sources have their turn."""
_PASSING: Final = frozenset({"file_replaced", "not_there"})
"""Failures of a file that is listed as another one next time, or not at all."""


@frozen
class Result:
    """What a try did: its feeds, the files that wait, and whether another look may take them.

    `more` is whether files of a backfill are left for its next turn.
    """

    feeds: int = 0
    waiting: int = 0
    again: bool = False
    more: bool = False
    problems: tuple[tuple[str, JobError], ...] = ()


@frozen
class _Wanted:
    """A file to take, and the snapshot that it gets; None: as if it was uploaded."""

    candidate: Candidate
    snapshot_at: datetime | None = None


@define
class Folders:
    """Takes the files of one place, for one fetch."""

    _context: Context
    _task: Task
    _fetch: Fetch
    _pull: Pull
    _place: Folder
    _taking: Taking
    _problems: list[tuple[str, JobError]] = field(factory=list[tuple[str, JobError]], init=False)
    _last: str | None = field(default=None, init=False)
    """The digest of the file before, in a backfill."""

    def take_all(self, remote: Remote, show: Show) -> Result:
        """Takes what is new and complete, and remembers what was seen."""
        candidates = looked(self._context, self._pull, self._place, remote)
        wanted, waits, before = self._chosen(candidates)
        takes = wanted[:MOST_TAKEN]
        self._remember(waits)
        total = before + sum(each.candidate.file.size or 0 for each in wanted)
        end = self._context.clock() + TURN
        feeds = tried = replaced = 0
        for each in takes:
            if self._fetch.backfill is not None and tried and self._context.clock() >= end:
                break

            def shown(at: Progress, before: int = before) -> None:
                show(Progress("fetch", before + at.bytes_read, total))

            try:
                feeds += self._take(remote, each, shown)
            except FetchFailed as failure:
                if failure.code in _PASSING:
                    replaced += 1
                else:
                    self._refuse(each.candidate, failure)
            except (InvalidInput, TooLarge) as error:
                self._refuse(each.candidate, error)
            tried += 1
            before += each.candidate.file.size or 0
        settles = self._place.marker is None and bool(waits)
        left = len(wanted) - tried
        more = self._fetch.backfill is not None and left > 0
        waiting = len(waits) + replaced + left
        return Result(feeds, waiting, settles or replaced > 0, more, tuple(self._problems))

    def _chosen(
        self, candidates: Sequence[Candidate]
    ) -> tuple[Sequence[_Wanted], Sequence[Candidate], int]:
        """What to take, what waits, and the bytes that were taken by this fetch before."""
        backfill = self._fetch.backfill
        if backfill is None:
            takes = [_Wanted(each) for each in candidates if each.verdict == "take"]
            return takes, [each for each in candidates if each.verdict == "wait"], 0
        with self._context.store.begin() as unit:
            done = unit.pulled_files.of_fetch(self._fetch.fetch_id)
            self._last = self._digest_before(unit, backfill, done)
        found = selected(backfill, candidates, self._context.clock())
        takes = [
            _Wanted(each.candidate, each.snapshot_at) for each in found if each.verdict == "take"
        ]
        check_number(len(takes) + len(done), self._place.url)
        waits = [each.candidate for each in found if each.verdict == "wait"]
        return takes, waits, sum(each.size or 0 for each in done)

    def _digest_before(
        self, unit: UnitOfWork, backfill: Backfill, done: Sequence[PulledFile]
    ) -> str | None:
        """The digest of the last file that this backfill stored, in the order of snapshots."""
        source = unit.sources.get(self._pull.source_id)
        zone = unit.partners.get(self._pull.partner_id).time_zone
        stored = {each.path: each for each in done if each.sha256 is not None}
        again = [
            Candidate(
                RemoteFile(path, each.size, each.modified_at), each.version, "take",
                at=source.moment_of(name_of(path), zone),
            )
            for path, each in stored.items()
        ]  # fmt: skip
        ordered = selected(backfill, again, self._context.clock())
        return stored[ordered[-1].candidate.file.path].sha256 if ordered else None

    def _remember(self, waits: Sequence[Candidate]) -> None:
        with self._context.store.begin() as unit:
            unit.pulled_files.see([self._row(each, "seen") for each in waits])

    def _row(
        self, candidate: Candidate, state: FileState, taken: Taken | None = None
    ) -> PulledFile:
        file = candidate.file
        return PulledFile(
            self._pull.source_id, self._pull.partner_id, file.path, candidate.version, state,
            self._context.clock(), file.size if taken is None else taken.stored.bytes,
            file.modified_at, None if state == "seen" else self._fetch.fetch_id,
            sha256=None if taken is None else taken.stored.sha256,
        )  # fmt: skip

    def _take(self, remote: Remote, wanted: _Wanted, show: Show) -> int:
        """Takes one file, and returns the number of feeds that this made, 0 or 1."""
        candidate = wanted.candidate
        promised = self._promised(remote, candidate)
        with remote.open(candidate.file) as opened:
            if opened is None:
                return 0
            taken = self._taking.store(opened, show, promised)
        try:
            with self._context.store.begin() as unit:
                made = self._keep(unit, wanted, taken, promised)
        except BaseException:
            self._taking.drop(taken)
            raise
        if not made:
            self._taking.drop(taken)
        self._last = taken.stored.sha256
        return made

    def _promised(self, remote: Remote, candidate: Candidate) -> Manifest:
        """What the marker promises about the file."""
        marker = candidate.marker
        if marker is None or marker.size == 0:
            return Manifest()
        content = b""
        with remote.open(marker) as opened:
            while opened is not None and (block := opened.read(LONGEST_MANIFEST)):
                content += block
                if len(content) > LONGEST_MANIFEST:
                    raise FetchFailed(
                        "bad_manifest",
                        f"The marker beside the file has more than {LONGEST_MANIFEST:,} bytes.",
                    )
        return manifest_of(content, name_of(candidate.file.path))

    def _keep(self, unit: UnitOfWork, wanted: _Wanted, taken: Taken, promised: Manifest) -> int:
        """Makes the feed, unless another run did, or the bytes are those of the file before it."""
        # Before its tasks and pulls, as offboarding locks them.
        unit.partners.lock_shared(self._pull.partner_id)
        self._check_mine(unit)
        now_set = unit.pulls.lock(self._pull.source_id)
        if now_set is None or now_set.place != self._pull.place:
            raise _changed()
        row = self._row(wanted.candidate, "unchanged", taken)
        known = unit.pulled_files.of(row.source_id, [row.path])
        if any(each.version == row.version and each.state != "seen" for each in known):
            return 0
        is_backfill, digest = self._fetch.backfill is not None, taken.stored.sha256
        made = 0
        if digest != (self._last if is_backfill else now_set.sha256):
            feed_id = self._taking.feed(unit, taken, promised, wanted.snapshot_at)
            row = evolve(row, state="taken", feed_id=feed_id)
            # After a backfill, the catalog may no longer be as the file fetched last left it.
            unit.pulls.put(evolve(now_set, sha256=None if is_backfill else digest))
            made = 1
        unit.pulled_files.decide(row)
        return made

    def _check_mine(self, unit: UnitOfWork) -> None:
        """RunLost if another attempt has taken this task over."""
        unit.tasks.renew(self._task, Progress("fetch"), self._context.lease)

    def _refuse(self, candidate: Candidate, error: FetchFailed | InvalidInput | TooLarge) -> None:
        """Records why a file wasn't taken; it is tried again only if it changes.

        If the server refuses to send it, it is tried again by each fetch.
        """
        faults = error.faults if isinstance(error, InvalidInput) else ()
        reason = JobError(error.code, faults[0].detail if faults else str(error))
        self._problems.append((candidate.file.path, reason))
        if error.code == "denied":
            return
        with self._context.store.begin() as unit:
            self._check_mine(unit)
            unit.pulled_files.decide(evolve(self._row(candidate, "refused"), error=reason))

    def outcome(self, unit: UnitOfWork, result: Result, *, ended: bool = True) -> Fetch:
        """The fetch as it ends: `failed` only if a file was refused, and none was taken."""
        fetch = evolve(self.counted(unit, self._fetch), waiting=result.waiting)
        if not ended:
            return fetch
        fetch = evolve(fetch, refused=max(fetch.refused, len(result.problems)))
        error = self._fetch.error
        if result.problems:
            path, reason = result.problems[0]
            error = JobError(reason.code, f"{name_of(path)}: {reason.message}")
        if fetch.feeds:
            return evolve(fetch, outcome="fetched", error=error)
        return evolve(fetch, outcome="failed" if error else "unchanged", error=error)

    @staticmethod
    def counted(unit: UnitOfWork, fetch: Fetch) -> Fetch:
        """The fetch with what became of its files until now, in all its tries."""
        files = unit.pulled_files.of_fetch(fetch.fetch_id)
        feeds = [each.feed_id for each in files if each.feed_id is not None]
        return evolve(
            fetch,
            feeds=len(feeds),
            feed_id=max(feeds, default=None),
            refused=sum(each.state == "refused" for each in files),
            bytes=sum(each.size or 0 for each in files if each.sha256) or None,
        )


def looked(context: Context, pull: Pull, place: Folder, remote: Remote) -> Sequence[Candidate]:
    """What is listed, and what is to become of each file."""
    listed = tuple(remote.files())
    with context.store.begin() as unit:
        source = unit.sources.get(pull.source_id)
        zone = unit.partners.get(pull.partner_id).time_zone
        known: dict[str, list[PulledFile]] = {}
        paths = [file.path for file in listed if ignored(place, file) is None]
        for each in unit.pulled_files.of(pull.source_id, paths):
            known.setdefault(each.path, []).append(each)
    return judged(place, listed, known, context.clock(), lambda name: source.moment_of(name, zone))


def check_number(count: int, url: str) -> None:
    """FetchFailed beyond the limit of a backfill."""
    if count > MOST_BACKFILLED:
        raise FetchFailed(
            "too_many_files",
            f"{url} has {count:,} files to take; one backfill takes at most {MOST_BACKFILLED:,}.",
            "Take them in parts: set the beginning and the end of a range.",
        )


def _changed() -> FetchFailed:
    return FetchFailed(
        "place_changed", "Where the source is fetched from was changed during the fetch."
    )
