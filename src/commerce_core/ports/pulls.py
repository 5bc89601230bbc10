"""Ports: where sources are fetched from, and their fetches."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Protocol

from commerce_core.feeds.pull import Fetch, FetchQuery, Pull
from commerce_core.feeds.remote_file import PulledFile
from commerce_core.ports.listing import Listing


class Pulls(Protocol):
    """Where sources are fetched from, at most one for each source."""

    def put(self, pull: Pull) -> None:
        """Stores it, in place of the source's former one."""
        ...

    def get(self, source_id: str) -> Pull | None:
        """Where the source is fetched from."""
        ...

    def lock(self, source_id: str) -> Pull | None:
        """The same, locked until this unit ends. Lock this before adding a fetch."""
        ...

    def remove(self, source_id: str) -> None:
        """Deletes it; does nothing if there is none."""
        ...

    def remove_of(self, partner_id: str) -> Sequence[str]:
        """Deletes all of a partner, with their secrets; returns their sources."""
        ...

    def due(self, most: int) -> tuple[datetime, Sequence[Pull]]:
        """The store's present time, and what is due by it, locked; those locked by others aren't.

        The cost follows what is due, not how many schedules there are.
        """
        ...

    def watched(self, most: int) -> Sequence[Pull]:
        """Up to that many whose places have a queue."""
        ...

    def advance(self, due_at: Mapping[str, datetime | None]) -> None:
        """Sets the next tick of these sources."""
        ...


class Fetches(Listing[FetchQuery, Fetch], Protocol):
    """Fetches, newest first. Each that isn't finished has a task about its id (`task_kind`)."""

    def add(self, fetches: Sequence[Fetch]) -> Sequence[Fetch]:
        """Stores new fetches of different sources, with their tasks, and returns those stored.

        A tick that is stored already is left out. If the source has a fetch that isn't finished,
        the new one is stored as `skipped`, finished, and without a task.
        """
        ...

    def get(self, fetch_id: str) -> Fetch:
        """The fetch, or NotFound."""
        ...

    def unfinished(self, source_id: str) -> Fetch | None:
        """The source's fetch that isn't finished."""
        ...

    def finish(self, fetch: Fetch) -> None:
        """Stores its outcome, feed, bytes, error, tries, end and numbers of files.

        Without an outcome it isn't finished: then this is how far it has come.
        """
        ...


class PulledFiles(Protocol):
    """The files of folders that were seen, each in each of its versions."""

    def of(self, source_id: str, paths: Sequence[str]) -> Sequence[PulledFile]:
        """What is known of these paths."""
        ...

    def see(self, files: Sequence[PulledFile]) -> None:
        """Stores files of one source that aren't complete yet; known versions stay as they are.

        Other versions of the same paths that were only seen are forgotten.
        """
        ...

    def decide(self, file: PulledFile) -> None:
        """Stores what became of a version; when it was first seen stays."""
        ...

    def of_fetch(self, fetch_id: str) -> Sequence[PulledFile]:
        """The files about which that fetch decided, by path."""
        ...

    def forget(self, source_id: str) -> None:
        """Deletes what is known of the source's files."""
        ...


class PullsUnit(Protocol):
    """The part of a unit of work for pulled sources."""

    @property
    def pulls(self) -> Pulls:
        """Where sources are fetched from."""
        ...

    @property
    def fetches(self) -> Fetches:
        """What was fetched, or is to be."""
        ...

    @property
    def pulled_files(self) -> PulledFiles:
        """The files of folders that were seen."""
        ...
