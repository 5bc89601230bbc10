"""Where sources are fetched from, and their fetches, in memory."""

from collections.abc import Mapping, Sequence
from datetime import datetime

from attrs import evolve, frozen

from adapters.memory.pages import agrees, by_id, page_of
from adapters.memory.tables import Tables, found
from adapters.memory.tasks import Tasks
from commerce_core.base.paging import Page, Position
from commerce_core.feeds.pull import Fetch, FetchQuery, Pull
from commerce_core.feeds.remote_file import PulledFile
from commerce_core.ports.runtime import Clock


@frozen
class Pulls:
    """Implements `commerce_core.ports.pulls.Pulls`."""

    _kept: Tables
    _clock: Clock

    def put(self, pull: Pull) -> None:
        """Keeps it."""
        self._kept.pulls[pull.source_id] = pull

    def get(self, source_id: str) -> Pull | None:
        """Where the source is fetched from."""
        return self._kept.pulls.get(source_id)

    def lock(self, source_id: str) -> Pull | None:
        """The same; no other unit is about."""
        return self.get(source_id)

    def remove(self, source_id: str) -> None:
        """Forgets it."""
        if source_id in self._kept.pulls:
            del self._kept.pulls[source_id]

    def remove_of(self, partner_id: str) -> Sequence[str]:
        """Forgets a partner's."""
        gone = [p.source_id for p in self._kept.pulls.values() if p.partner_id == partner_id]
        for source_id in gone:
            self.remove(source_id)
        return gone

    def due(self, most: int) -> tuple[datetime, Sequence[Pull]]:
        """What is due, longest first."""
        now = self._clock()
        due = [(p.due_at, p) for p in self._kept.pulls.values() if p.due_at and p.due_at <= now]
        return now, [pull for _, pull in sorted(due, key=lambda each: each[0])[:most]]

    def watched(self, most: int) -> Sequence[Pull]:
        """Those with a queue."""
        return [pull for pull in self._kept.pulls.values() if pull.queue_url][:most]

    def advance(self, due_at: Mapping[str, datetime | None]) -> None:
        """Sets the next ticks."""
        for source_id, at in due_at.items():
            self.put(evolve(self._kept.pulls[source_id], due_at=at))


@frozen
class Fetches:
    """Implements `commerce_core.ports.pulls.Fetches`."""

    _kept: Tables
    _tasks: Tasks

    def page(self, query: FetchQuery, after: Position | None, limit: int) -> Page[Fetch]:
        """Pages of fetches."""
        return page_of(self._fitting(query), lambda f: by_id(f.fetch_id), after, limit)

    def count(self, query: FetchQuery) -> int:
        """How many fetches fit."""
        return len(self._fitting(query))

    def _fitting(self, query: FetchQuery) -> list[Fetch]:
        rows = self._kept.fetches.values()
        return [self._now(f) for f in rows if agrees(query, f, "partner_id", "source_id")]

    def add(self, fetches: Sequence[Fetch]) -> Sequence[Fetch]:
        """Keeps new fetches."""
        ticks = {(f.source_id, f.due_at) for f in self._kept.fetches.values()}
        added: list[Fetch] = []
        for fetch in fetches:
            if (fetch.source_id, fetch.due_at) in ticks:
                continue
            kept = fetch
            if self.unfinished(fetch.source_id) is not None:
                kept = evolve(fetch, outcome="skipped", finished_at=fetch.created_at)
            else:
                self._tasks.add(fetch.task_kind, fetch.fetch_id)
            self._kept.fetches[fetch.fetch_id] = kept
            added.append(kept)
        return added

    def get(self, fetch_id: str) -> Fetch:
        """The fetch."""
        return self._now(found(self._kept.fetches, fetch_id, "fetch"))

    def unfinished(self, source_id: str) -> Fetch | None:
        """The source's fetch under way."""
        rows = self._kept.fetches.values()
        return next(
            (self._now(f) for f in rows if f.source_id == source_id and f.outcome is None), None
        )

    def finish(self, fetch: Fetch) -> None:
        """Keeps its end."""
        self._kept.fetches[fetch.fetch_id] = fetch

    def _now(self, fetch: Fetch) -> Fetch:
        """The fetch with the progress of its task."""
        task = None if fetch.outcome else self._tasks.find(fetch.task_kind, fetch.fetch_id)
        return fetch if task is None else evolve(fetch, tries=task.attempts, progress=task.progress)


@frozen
class PulledFiles:
    """Implements `commerce_core.ports.pulls.PulledFiles`."""

    _kept: Tables

    def of(self, source_id: str, paths: Sequence[str]) -> Sequence[PulledFile]:
        """What is known of these paths."""
        wanted = frozenset(paths)
        rows = self._kept.pulled_files.values()
        return [row for row in rows if row.source_id == source_id and row.path in wanted]

    def see(self, files: Sequence[PulledFile]) -> None:
        """Keeps what is new, and forgets other versions that were only seen."""
        for file in files:
            for row in self.of(file.source_id, [file.path]):
                if row.state == "seen" and row.version != file.version:
                    del self._kept.pulled_files[_key(row)]
            if _key(file) not in self._kept.pulled_files:
                self._kept.pulled_files[_key(file)] = file

    def decide(self, file: PulledFile) -> None:
        """Keeps what became of it."""
        before = self._kept.pulled_files.get(_key(file))
        seen_at = file.seen_at if before is None else before.seen_at
        self._kept.pulled_files[_key(file)] = evolve(file, seen_at=seen_at)

    def of_fetch(self, fetch_id: str) -> Sequence[PulledFile]:
        """The files that it decided about."""
        rows = [row for row in self._kept.pulled_files.values() if row.fetch_id == fetch_id]
        return sorted(rows, key=_key)

    def forget(self, source_id: str) -> None:
        """Forgets the source's files."""
        for key in [key for key in self._kept.pulled_files if key[0] == source_id]:
            del self._kept.pulled_files[key]


def _key(file: PulledFile) -> tuple[str, str, str]:
    return file.source_id, file.path, file.version
