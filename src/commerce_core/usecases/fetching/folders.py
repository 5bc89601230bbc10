"""Fetching from folders and prefixes: each new file becomes a feed, in the order of snapshots.

Each file is taken in one transaction of its own, with the row that says so: a worker that is killed
between two of them does neither again. A file that can't be taken doesn't stop the others.
"""

from collections.abc import Sequence
from typing import Final

from attrs import evolve, field, frozen

from commerce_core.base.errors import InvalidInput, TooLarge
from commerce_core.feeds.job import JobError
from commerce_core.feeds.manifest import LONGEST_MANIFEST, Manifest, manifest_of
from commerce_core.feeds.place import Folder, name_of
from commerce_core.feeds.pull import Fetch, Pull
from commerce_core.feeds.remote_file import Candidate, FileState, PulledFile, ignored, judged
from commerce_core.ports.fetcher import FetchFailed, Remote
from commerce_core.ports.store import UnitOfWork
from commerce_core.usecases.context import Context
from commerce_core.usecases.fetching.stream import Show
from commerce_core.usecases.fetching.taking import Taken, Taking
from commerce_core.work.attempt import Progress
from commerce_core.work.task import Task

MOST_TAKEN: Final = 1_000
"""How many files one try takes; the others are taken by the next fetch."""
_PASSING: Final = frozenset({"file_replaced", "not_there"})
"""Failures of a file that is listed as another one next time, or not at all."""


@frozen
class Result:
    """What a try did: its feeds, the files that wait, and whether another look may take them."""

    feeds: int = 0
    waiting: int = 0
    again: bool = False
    problems: tuple[tuple[str, JobError], ...] = ()


@frozen
class Folders:
    """Takes the files of one place, for one fetch."""

    _context: Context
    _task: Task
    _fetch: Fetch
    _pull: Pull
    _place: Folder
    _taking: Taking
    _problems: list[tuple[str, JobError]] = field(factory=list[tuple[str, JobError]], init=False)

    def take_all(self, remote: Remote, show: Show) -> Result:
        """Takes what is new and complete, and remembers what was seen."""
        candidates = looked(self._context, self._pull, self._place, remote)
        new = [each for each in candidates if each.verdict == "take"]
        takes = new[:MOST_TAKEN]
        waits = [each for each in candidates if each.verdict == "wait"]
        self._remember(waits)
        total = sum(each.file.size or 0 for each in takes)
        feeds = done = replaced = 0
        for candidate in takes:

            def shown(at: Progress, before: int = done) -> None:
                show(Progress("fetch", before + at.bytes_read, total))

            try:
                feeds += self._take(remote, candidate, shown)
            except FetchFailed as failure:
                if failure.code in _PASSING:
                    replaced += 1
                else:
                    self._refuse(candidate, failure)
            except (InvalidInput, TooLarge) as error:
                self._refuse(candidate, error)
            done += candidate.file.size or 0
        settles = self._place.marker is None and bool(waits)
        left = len(waits) + replaced + len(new) - len(takes)
        return Result(feeds, left, settles or replaced > 0, tuple(self._problems))

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

    def _take(self, remote: Remote, candidate: Candidate, show: Show) -> int:
        """Takes one file, and returns the number of feeds that this made, 0 or 1."""
        promised = self._promised(remote, candidate)
        with remote.open(candidate.file) as opened:
            if opened is None:
                return 0
            taken = self._taking.store(opened, show, promised)
        try:
            with self._context.store.begin() as unit:
                made = self._keep(unit, candidate, taken, promised)
        except BaseException:
            self._taking.drop(taken)
            raise
        if not made:
            self._taking.drop(taken)
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

    def _keep(
        self, unit: UnitOfWork, candidate: Candidate, taken: Taken, promised: Manifest
    ) -> int:
        """Makes the feed, unless another run did, or the bytes are those of the file before it."""
        self._check_mine(unit)
        now_set = unit.pulls.lock(self._pull.source_id)
        if now_set is None or now_set.place != self._pull.place:
            raise _changed()
        row = self._row(candidate, "unchanged", taken)
        known = unit.pulled_files.of(row.source_id, [row.path])
        if any(each.version == row.version and each.state != "seen" for each in known):
            return 0
        made = 0
        if taken.stored.sha256 != now_set.sha256:
            feed_id = self._taking.feed(unit, taken, promised)
            row = evolve(row, state="taken", feed_id=feed_id)
            unit.pulls.put(evolve(now_set, sha256=taken.stored.sha256))
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

    def outcome(self, unit: UnitOfWork, result: Result) -> Fetch:
        """The fetch as it ends: `failed` only if a file was refused, and none was taken."""
        fetch = evolve(self.counted(unit, self._fetch), waiting=result.waiting)
        fetch = evolve(fetch, refused=max(fetch.refused, len(result.problems)))
        error = None
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


def _changed() -> FetchFailed:
    return FetchFailed(
        "place_changed", "Where the source is fetched from was changed during the fetch."
    )
