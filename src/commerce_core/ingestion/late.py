"""Lateness: what an older delta may no longer say, since newer feeds have spoken of it already.

Most feeds come in order, and then nothing is looked at but a list of feeds. For one that comes late
the raw files of the newer ones tell which products they contained, unchanged ones too; so nothing
has to be written of a product each time that a feed merely contains it.
"""

from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import suppress
from typing import Final, Self

from attrs import evolve, field, frozen

from commerce_core.base.errors import FileRefused
from commerce_core.feeds.feed import Feed, FeedQuery
from commerce_core.parsing.reader import open_feed
from commerce_core.parsing.record_reader import Terms
from commerce_core.parsing.reference import RecordBatch
from commerce_core.partners.partner import Partner
from commerce_core.ports.engine import Batch
from commerce_core.ports.files import Files
from commerce_core.ports.store import UnitOfWork
from commerce_core.profiles.profile import Profile

MOST_NEWER: Final = 200
"""Applied feeds of a source that are looked at, those received last."""


def overtaken_skus(
    unit: UnitOfWork, files: Files, partner: Partner, profile: Profile, feed: Feed
) -> frozenset[str]:
    """The skus of all records that newer applied feeds of the source brought."""
    applied = unit.feeds.page(
        FeedQuery(source_id=feed.source_id, status="applied"), None, MOST_NEWER
    )
    newer = [other for other in applied.items if other.snapshot_at > feed.snapshot_at]
    return frozenset(sku for other in newer for sku in _skus(files, other, partner, profile))


def _skus(files: Files, feed: Feed, partner: Partner, profile: Profile) -> Iterator[str]:
    """The skus of a feed's records that weren't rejected in reading."""
    # By a profile that has changed since, its header may no longer be understood; then it can't be
    # told what the feed contained, and it overtakes nothing.
    with files.open(feed.file_key) as raw, suppress(FileRefused):
        for record in open_feed(raw, Terms.of(partner, feed.mode, profile)):
            if record.sku is not None and record.fate is None and not record.rejected:
                yield record.sku


def without_overtaken(batches: Iterable[Batch], overtaken: frozenset[str]) -> Iterable[Batch]:
    """The batches, their records marked that newer feeds have overtaken; rejected ones stay so."""
    return (_Marked.of(batch, overtaken) for batch in batches) if overtaken else batches


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
