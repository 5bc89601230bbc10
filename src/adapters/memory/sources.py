"""Sources, and the profiles that say how to read their files, in memory."""

from collections.abc import Sequence

from attrs import evolve, frozen

from adapters.memory.pages import by_id, page_of
from adapters.memory.tables import Tables, found
from commerce_core.base.paging import Page, Position
from commerce_core.feeds.source import Source, name_taken
from commerce_core.profiles.profile import UNPROFILED, SavedProfile, version_taken


@frozen
class Sources:
    """Implements `commerce_core.ports.partners.Sources`."""

    _kept: Tables

    def page(self, query: str | None, after: Position | None, limit: int) -> Page[Source]:
        """Pages of sources."""
        rows = self._fitting(query)
        return page_of(rows, lambda s: by_id(s.source_id), after, limit, descending=False)

    def count(self, query: str | None) -> int:
        """How many sources there are to see."""
        return len(self._fitting(query))

    def _fitting(self, query: str | None) -> list[Source]:
        return [self._now(s) for s in self._kept.sources.values() if query in (None, s.partner_id)]

    def _now(self, source: Source) -> Source:
        """The source with how its files arrive at present."""
        pull = self._kept.pulls.get(source.source_id)
        return evolve(source, kind=pull.kind if pull else "push")

    def add(self, source: Source) -> None:
        """Keeps a new source."""
        self._check_name(source, None)
        self._kept.sources[source.source_id] = source

    def put(self, source: Source) -> None:
        """Replaces a source's name and settings."""
        self._check_name(source, self.get(source.source_id))
        self._kept.sources[source.source_id] = source

    def _check_name(self, source: Source, before: Source | None) -> None:
        if self.find(source.partner_id, source.source_name) not in (None, before):
            raise name_taken(source)

    def lock_shared(self, source_id: str) -> Source:
        """The source; no other unit is about."""
        return self.get(source_id)

    def lock(self, source_id: str) -> Source:
        """The source; no other unit is about."""
        return self.get(source_id)

    def remove(self, source_id: str) -> None:
        """Forgets a source. Publications refer to versions of its profile, so those stay."""
        self.get(source_id)
        del self._kept.sources[source_id]

    def get(self, source_id: str) -> Source:
        """The source."""
        return self._now(found(self._kept.sources, source_id, "source"))

    def find(self, partner_id: str, source_name: str) -> Source | None:
        """The partner's source of that name."""
        wanted = (partner_id, source_name)
        everything = self._kept.sources.values()
        return next(
            (self._now(s) for s in everything if (s.partner_id, s.source_name) == wanted), None
        )

    def of(self, partner_id: str) -> Sequence[Source]:
        """All sources of a partner."""
        return sorted(self._fitting(partner_id), key=lambda source: source.source_name)

    def profile(self, source_id: str, version: int | None = None) -> SavedProfile:
        """That version of the source's profile, or the latest."""
        saved = (UNPROFILED, *self._kept.profiles.get(source_id, ()))
        return saved[-1 if version is None or version >= len(saved) else version]

    def save_profile(self, source_id: str, saved: SavedProfile) -> None:
        """Keeps a new version."""
        if saved.version != self.profile(source_id).version + 1:
            raise version_taken(saved)
        self._kept.profiles[source_id] = (*self._kept.profiles.get(source_id, ()), saved)
