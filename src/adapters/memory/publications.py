"""Publications in memory, numbered in the order in which they were added."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime

from attrs import evolve, frozen

from adapters.memory.tables import Tables, found
from commerce_core.catalog.publication import TICK, Publication


@frozen
class Publications:
    """Implements `commerce_core.ports.catalog.Publications`."""

    _kept: Tables

    def add(self, publication: Publication, at: datetime) -> Publication:
        """Keeps it with the next number."""
        last = next(reversed(self._kept.publications.values()), None)
        if last and last.published_at:
            at = max(at, last.published_at + TICK)
        number = len(self._kept.publications) + 1
        numbered = evolve(publication, number=number, published_at=at)
        self._kept.publications[publication.publication_id] = numbered
        return numbered

    def latest(self, source_id: str) -> Publication | None:
        """The source's last publication."""
        newest_first = reversed(self._kept.publications.values())
        return next((p for p in newest_first if p.source_id == source_id), None)

    def get(self, publication_id: str) -> Publication:
        """The publication."""
        return found(self._kept.publications, publication_id, "publication")

    def get_many(self, publication_ids: Iterable[str]) -> Mapping[str, Publication]:
        """These publications, by id."""
        kept = self._kept.publications
        return {id_: kept[id_] for id_ in publication_ids if id_ in kept}

    def of_feed(self, feed_id: str) -> Sequence[Publication]:
        """All that applied this feed or reverted it."""
        return [p for p in self._kept.publications.values() if p.feed_id == feed_id]

    def of_partner(self, partner_id: str, after: int, limit: int) -> Sequence[Publication]:
        """The partner's first publications behind that number."""
        own = (p for p in self._kept.publications.values() if p.partner_id == partner_id)
        return [p for p in own if (p.number or 0) > after][:limit]

    def number_at(self, at: datetime | None = None) -> int:
        """The number of the last publication not after that moment."""
        made = self._kept.publications.values()
        return sum(
            at is None or (p.published_at is not None and p.published_at <= at) for p in made
        )
