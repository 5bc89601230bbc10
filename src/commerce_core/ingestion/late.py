"""Late feeds: which records of a feed newer feeds of its source have overtaken.

A record is overtaken if a newer applied feed (by `snapshot_at`) contained its product, unchanged
included. Nothing is written of a product that a feed merely contains, so what a feed contained is
found when a late one asks:

    newer feeds ──┬─> full, applied whole: its products are the catalog as of its publication
                  └─> all others: their raw files are read, by the terms they were applied under

Feeds that come in order, nearly all, cost one look at the list of feeds. For a late delta only its
own skus are looked for, and no further than until all are found.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, suppress
from typing import Final, Self
from zoneinfo import ZoneInfo

from attrs import evolve, field, frozen

from commerce_core.base.errors import FileRefused
from commerce_core.catalog.publication import Publication
from commerce_core.feeds.feed import Feed
from commerce_core.feeds.job import JobQuery
from commerce_core.feeds.summary import Summary
from commerce_core.history.versions import PastQuery
from commerce_core.parsing.record_reader import Terms
from commerce_core.parsing.reference import RecordBatch
from commerce_core.ports.engine import Batch, FeedEngine
from commerce_core.ports.files import Files
from commerce_core.ports.store import UnitOfWork

MOST_NEWER_FEEDS: Final = 1_000
"""Newer feeds that are looked through for one late feed."""
MOST_NEWER_BYTES: Final = 4 << 30
"""Bytes of their files, as they were sent, that are read for it."""
MOST_SKUS: Final = 2_000_000
"""Skus that are kept in memory meanwhile."""
MOST_ASKED: Final = 10_000
"""Skus of a late delta up to which the catalog of the past is asked for them ..."""
ASKED_TOGETHER: Final = 1_000
"""... this many at a time; for more of them reading the newer file is as quick."""
MOST_RERUNS: Final = 10
"""Jobs of a feed that are looked through for the last one that applied it."""

BeginUnit = Callable[[], AbstractContextManager[UnitOfWork]]


@frozen
class Overtaken:
    """The newer feeds that were looked through, by id, and the skus found in them.

    For a late delta these are those of its own skus that were found, for a full feed all of them.
    """

    feed_ids: frozenset[str] = frozenset()
    skus: frozenset[str] = frozenset()


NOTHING_OVERTAKEN: Final = Overtaken()


def newer_feeds(unit: UnitOfWork, feed: Feed) -> Sequence[Feed]:
    """The applied feeds of its source that show a later moment: full ones first, newest first."""
    return unit.feeds.newer(feed.source_id, feed.snapshot_at, MOST_NEWER_FEEDS + 1)


def superseded_by(feed: Feed, newer: Sequence[Feed]) -> Feed | None:
    """The newer full feed that says everything an older full one could."""
    first = newer[0] if newer else None
    return first if first is not None and first.mode == feed.mode == "full" else None


@frozen
class _Newer:
    """A newer feed, and the terms it was applied under.

    `as_of` is the number of a publication as of which the source's active products are exactly what
    the feed contains; None if only its file has that.
    """

    feed: Feed
    terms: Terms
    as_of: int | None


@frozen
class Lookback:
    """Looks through newer feeds; `alive` is called often meanwhile.

    `begin` gives units to read in. Files are read outside of them.
    """

    begin: BeginUnit
    files: Files
    engine: FeedEngine
    alive: Callable[[], object]

    def overtaken(
        self,
        feed: Feed,
        newer: Sequence[Feed],
        batches: Callable[[], Iterable[Batch]],
        before: Overtaken = NOTHING_OVERTAKEN,
    ) -> Overtaken:
        """What of the late feed, whose `batches` are read if need be, the newer feeds overtake.

        What was found `before` isn't looked for again, unless a feed that was looked through then
        no longer counts. FileRefused `too_late` if more would have to be read than limits allow.
        """
        ids = frozenset(other.feed_id for other in newer)
        if before.feed_ids - ids:
            before = NOTHING_OVERTAKEN
        new = [other for other in newer if other.feed_id not in before.feed_ids]
        if not new:
            return before
        if len(newer) > MOST_NEWER_FEEDS:
            raise _too_late(f"more than {MOST_NEWER_FEEDS:,} feeds", f"{MOST_NEWER_FEEDS:,}")
        wanted = None
        if feed.mode == "delta":
            wanted = self._skus_of(batches()) - before.skus
        return Overtaken(ids, before.skus | self._found(new, wanted))

    def _skus_of(self, batches: Iterable[Batch]) -> frozenset[str]:
        skus: set[str] = set()
        for batch in batches:
            self.alive()
            skus.update(batch.skus)
            _check_skus(skus)
        return frozenset(skus)

    def _found(self, newer: Sequence[Feed], wanted: frozenset[str] | None) -> frozenset[str]:
        """Those of the wanted skus, None being any, that these feeds contain."""
        found: set[str] = set()
        few = wanted is not None and len(wanted) <= MOST_ASKED
        to_read: list[_Newer] = []
        with self.begin() as unit:
            for one in (_looked_up(unit, feed) for feed in newer):
                if wanted is not None and len(found) == len(wanted):
                    break
                if wanted is None or not few or one.as_of is None:
                    to_read.append(one)
                    continue
                self.alive()
                found |= _active_as_of(unit, one.feed, one.as_of, wanted - found)
        self._read(to_read, wanted, found)
        return frozenset(found)

    def _read(
        self, newer: Sequence[_Newer], wanted: frozenset[str] | None, found: set[str]
    ) -> None:
        """Adds the wanted skus that the files of these feeds have."""
        size = 0
        for one in newer:
            if wanted is not None and len(found) == len(wanted):
                return
            size += one.feed.bytes
            if size > MOST_NEWER_BYTES:
                raise _too_late(
                    f"feeds of more than {MOST_NEWER_BYTES:,} bytes", f"{MOST_NEWER_BYTES:,}"
                )
            for batch in self._batches(one):
                self.alive()
                found.update(batch.skus if wanted is None else wanted.intersection(batch.skus))
                _check_skus(found)
                if wanted is not None and len(found) == len(wanted):
                    break

    def _batches(self, newer: _Newer) -> Iterator[Batch]:
        # Of one that can't be read any more nothing can be found out, so it overtakes nothing.
        with self.files.open(newer.feed.file_key) as raw, suppress(FileRefused):
            yield from self.engine.open(raw, newer.terms).batches()


def _looked_up(unit: UnitOfWork, feed: Feed) -> _Newer:
    """How the feed was read when it was applied, and whether the catalog shows what it contains."""
    applied = [p for p in unit.publications.of_feed(feed.feed_id) if p.kind == "feed"]
    publication = applied[-1] if applied else _of_same_bytes(unit, feed)
    partner = unit.partners.get(feed.partner_id)
    profile = unit.sources.profile(
        feed.source_id, publication.profile_version if publication else None
    )
    terms = Terms.of(partner, feed.mode, profile.profile)
    if publication is None:
        return _Newer(feed, terms, None)
    if publication.time_zone is not None:
        zone = ZoneInfo(publication.time_zone)
        terms = evolve(terms, currency=publication.currency, zone=zone)
    number = publication.number or 0
    whole = (
        publication.mode == "full"
        and number >= unit.versions.forgotten()
        and _is_applied_whole(summary_of(unit, publication.feed_id))
    )
    return _Newer(feed, terms, number if whole else None)


def _of_same_bytes(unit: UnitOfWork, feed: Feed) -> Publication | None:
    """The publication of a feed that published nothing, since its bytes were published last."""
    last = unit.publications.latest(feed.source_id)
    if last is None or last.kind != "feed":
        return None
    published = unit.feeds.get(last.feed_id)
    same = (published.sha256, published.mode) == (feed.sha256, feed.mode)
    return last if same and published.status == "applied" else None


def _is_applied_whole(summary: Summary | None) -> bool:
    """Whether a full feed contained just the products that its source then had.

    So it is if every record was taken and every product that the file lacked was removed. A feed
    with deletes contained products as well that then were gone.
    """
    if summary is None or "deleted" in summary.mapping:
        return False
    left_out = summary.rejected + summary.overtaken
    return not left_out and summary.absent == summary.removed


def _active_as_of(unit: UnitOfWork, feed: Feed, number: int, skus: Iterable[str]) -> set[str]:
    """Those of these skus that were active products of the feed's source at that publication."""
    found: set[str] = set()
    asked = tuple(sorted(skus))
    for at in range(0, len(asked), ASKED_TOGETHER):
        together = asked[at : at + ASKED_TOGETHER]
        query = PastQuery(number, feed.partner_id, feed.source_id, together)
        page = unit.past_products.page(query, None, len(together))
        found.update(product.sku for product in page.items)
    return found


def summary_of(unit: UnitOfWork, feed_id: str) -> Summary | None:
    """What became of the records of a feed when it was last applied."""
    query = JobQuery(feed_id=feed_id, status="completed", kind="ingest")
    ended = unit.jobs.page(query, None, MOST_RERUNS).items
    return next((job.summary for job in ended if job.outcome != "superseded"), None)


def _check_skus(skus: set[str]) -> None:
    if len(skus) > MOST_SKUS:
        raise _too_late(f"more than {MOST_SKUS:,} products", f"{MOST_SKUS:,}")


def _too_late(needed: str, limit: str) -> FileRefused:
    return FileRefused(
        "too_late",
        f"The feed is older than {needed} of its source that have been applied; at most {limit} "
        "are searched for products that it may no longer change.",
        "Send the current state of these products, with a later snapshot_at.",
    )


def without_overtaken(batches: Iterable[Batch], overtaken: frozenset[str]) -> Iterable[Batch]:
    """The batches, their records marked that newer feeds have overtaken; rejected ones stay so."""
    if not overtaken:
        return batches
    return (
        batch if overtaken.isdisjoint(batch.skus) else _Marked.of(batch, overtaken)
        for batch in batches
    )


@frozen
class _Marked(RecordBatch):
    """Offers of a batch, some of them overtaken; the rest of the batch is counted along."""

    of_batch: Batch = field(kw_only=True)

    @classmethod
    def of(cls, batch: Batch, overtaken: frozenset[str]) -> Self:
        late = (
            evolve(r, fate="overtaken") if r.sku in overtaken and not r.rejected else r
            for r in batch
        )
        return cls(tuple(late), batch.matched, of_batch=batch)

    @property
    def records_read(self) -> int:
        return self.of_batch.records_read

    @property
    def fates(self) -> Counter[str]:
        return super().fates + self.of_batch.fates

    @property
    def reasons(self) -> Counter[str]:
        return self.of_batch.reasons
