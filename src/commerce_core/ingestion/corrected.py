"""Corrected reports: the skus of the records that their rows stand for, read from the first feeds.

A spreadsheet that opens a report may change a sku without anybody asking for it, `007` to `7`, and
the corrected row would then change another product. So each row is compared with the record that
it corrects. A row whose `_line` is blank stands for no record, and is taken as it is.

    corrected report ──> (feed, line) of each row ──> the feed's file ──> the sku on that line
                                                          │ itself a report
                                                          └──> (feed, line) ──> ...
"""

from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from typing import Final

from attrs import define, evolve

from commerce_core.base.errors import FileRefused, NotFound
from commerce_core.base.ids import looks_like
from commerce_core.feeds.feed import Feed
from commerce_core.ingestion.late import BeginUnit
from commerce_core.parsing.decoding import OpenRaw
from commerce_core.parsing.raw_records import Corrected
from commerce_core.parsing.reader import open_feed
from commerce_core.parsing.record_reader import Terms
from commerce_core.partners.partner import Partner
from commerce_core.ports.files import Files

MOST_CORRECTED: Final = 500_000
"""Rows of one corrected report that are compared; a longer one is refused."""
MOST_GENERATIONS: Final = 10
"""Reports of reports that are followed back to the first feed."""
_RECORDS_PER_LOOK: Final = 5_000


@define
class FormerSkus:
    """Finds the skus of the records that the rows of one partner's corrected report stand for.

    `begin` gives units in which the first feeds are known, and `alive` is called often.
    """

    begin: BeginUnit
    files: Files
    partner: Partner
    terms: Terms
    source_id: str
    alive: Callable[[], object]

    def of(self, open_raw: OpenRaw) -> Mapping[Corrected, str]:
        """The skus by feed and line, where they can be read; FileRefused for too many rows."""
        wanted: defaultdict[str, set[int]] = defaultdict(set)
        with open_raw() as raw:
            for count, prepared in enumerate(open_feed(raw, self.terms).prepared, start=1):
                self._look(count)
                if prepared.raw.corrects is not None and prepared.fate is None:
                    feed_id, line = prepared.raw.corrects
                    wanted[feed_id].add(line)
                    if count > MOST_CORRECTED:
                        raise _too_many()
        return self._found(wanted, MOST_GENERATIONS)

    def _found(self, wanted: Mapping[str, set[int]], generations: int) -> dict[Corrected, str]:
        """The skus on these lines of these feeds."""
        found: dict[Corrected, str] = {}
        before: dict[Corrected, Corrected] = {}
        for feed_id, lines in wanted.items():
            for line, sku, corrects in self._records(feed_id, lines):
                if sku is not None:
                    found[feed_id, line] = sku
                if corrects is not None:
                    before[feed_id, line] = corrects
        if before and generations:
            earlier: defaultdict[str, set[int]] = defaultdict(set)
            for feed_id, line in before.values():
                earlier[feed_id].add(line)
            first = self._found(earlier, generations - 1)
            found |= {one: first[other] for one, other in before.items() if other in first}
        return found

    def _records(
        self, feed_id: str, lines: set[int]
    ) -> Iterator[tuple[int, str | None, Corrected | None]]:
        """The records on these lines: line, sku, and the record that it corrects in its turn.

        None of a feed that is gone, or that can't be read any more.
        """
        left = set(lines)
        with suppress(NotFound, FileRefused):
            feed, terms = self._first(feed_id)
            with self.files.open(feed.file_key) as raw:
                reader = open_feed(raw, terms)
                for count, prepared in enumerate(reader.prepared, start=1):
                    self._look(count)
                    line = prepared.raw.line
                    if line in left:
                        left.discard(line)
                        yield line, reader.read(prepared).sku, prepared.raw.corrects
                    if not left:
                        return

    def _first(self, feed_id: str) -> tuple[Feed, Terms]:
        """A feed of the partner, and the terms to read it by; NotFound for any other."""
        with self.begin() as unit:
            feed = unit.feeds.get(feed_id) if looks_like("feed", feed_id) else None
            if feed is None or feed.partner_id != self.partner.partner_id:
                raise NotFound(f"The partner has no feed {feed_id}.")
            if feed.source_id == self.source_id:
                return feed, evolve(self.terms, mode=feed.mode)
            profile = unit.sources.profile(feed.source_id).profile
        return feed, Terms.of(self.partner, feed.mode, profile)

    def _look(self, count: int) -> None:
        if count % _RECORDS_PER_LOOK == 0:
            self.alive()


def _too_many() -> FileRefused:
    return FileRefused(
        "too_large",
        f"A corrected report may have at most {MOST_CORRECTED:,} rows.",
        "Send it in several parts, each with the report's header.",
    )
