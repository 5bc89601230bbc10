"""History: past states of the catalog, where its values came from, and its stream of changes."""

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from itertools import pairwise
from typing import Final

from attrs import frozen

from commerce_core.base.errors import FileRefused, NotFound
from commerce_core.base.ids import parse
from commerce_core.base.paging import (
    DEFAULT_LIMIT,
    LARGEST_LIMIT,
    Page,
    Position,
    check_limit,
    every,
    read_cursor,
    write_cursor,
)
from commerce_core.catalog.product import Product
from commerce_core.catalog.publication import Publication
from commerce_core.feeds.feed import Feed
from commerce_core.history.lineage import (
    Lineage,
    Origins,
    RecordReading,
    SourceRecord,
    ValueOrigin,
    record_readings,
    source_record,
)
from commerce_core.history.timelines import (
    USUAL_DAYS,
    AvailabilityPeriod,
    PriceHistory,
    availabilities,
    check_days,
    price_history,
    prices,
)
from commerce_core.history.versions import (
    LARGEST_CHANGES,
    START,
    ChangeQuery,
    Revision,
    Version,
    behind,
    check_known,
)
from commerce_core.ingestion.replay import Replay, Replaying
from commerce_core.parsing.record_reader import Terms
from commerce_core.ports.catalog import CatalogUnit
from commerce_core.schema.fields import Value
from commerce_core.usecases.context import Context, Listed

LATEST: Final = "latest"
"""The cursor after everything published so far."""
ALL_CHANGES: Final = ChangeQuery()
MOST_VERSIONS: Final = 5_000
"""Maximum number of versions in a product's timeline; older ones are left out."""


@frozen
class History:
    """The catalog through time."""

    _context: Context

    def forget_old(self) -> int:
        """Deletes superseded versions past their retention time, and returns how many."""
        kept, now = self._context.history_kept, self._context.clock()
        if kept is None:
            return 0
        with self._context.store.begin() as unit:
            number = unit.publications.number_at(now - kept)
            if number <= unit.versions.forgotten():
                return 0
            return unit.versions.forget(number, now)

    # The past of a product

    def revisions(self, product_id: str) -> Iterator[Revision]:
        """Every version of a product, newest first, with what it changed."""

        def fetch(after: Position | None) -> Page[Revision]:
            return self._revisions(product_id, after, DEFAULT_LIMIT)

        return every(fetch)

    def page_revisions(
        self, product_id: str, cursor: str | None = None, limit: int = DEFAULT_LIMIT
    ) -> Listed[Revision]:
        """A page of the versions of a product, newest first."""
        query = ("revisions", parse("prod", product_id))
        page = self._revisions(product_id, read_cursor(query, cursor), check_limit(limit))
        return Listed(page.items, write_cursor(query, page.after))

    def _revisions(self, product_id: str, after: Position | None, limit: int) -> Page[Revision]:
        with self._context.store.begin() as unit:
            self._product(unit, product_id)
            # One more, since each shows how it differs from the one before.
            page = unit.versions.history(parse("prod", product_id), after, limit + 1)
            written_by = unit.publications.get_many(v.product.publication_id for v in page.items)
            revisions = [
                Revision.of(
                    version,
                    before and before.product,
                    written_by[version.product.publication_id],
                )
                for version, before in pairwise([*page.items, None])
                if version is not None
            ]
            return Page[Revision].cut(
                revisions, limit, lambda r: Position(str(r.version), parse("prod", product_id))
            )

    def prices(
        self, product_id: str, *, before: datetime | None = None, days: int = USUAL_DAYS
    ) -> PriceHistory:
        """A product's prices in the days before a moment, and the lowest of them.

        By default, the moment when the current price took effect.
        """
        now = self._context.clock()
        since = (before or now) - timedelta(days=check_days(days))
        # The current price may have begun long ago; then only the days before that moment count.
        versions = self._versions_since(product_id, since if before else None)
        return price_history(parse("prod", product_id), prices(versions), before, days, now)

    def availability(self, product_id: str) -> Sequence[AvailabilityPeriod]:
        """The periods in which a product could or couldn't be bought, newest first."""
        return availabilities(self._versions_since(product_id, None))[::-1]

    def _versions_since(self, product_id: str, since: datetime | None) -> list[Product]:
        """The versions of a product that applied at that moment or later, in order."""
        found: list[Product] = []
        after: Position | None = None
        while True:
            with self._context.store.begin() as unit:
                self._product(unit, product_id)
                page = unit.versions.history(parse("prod", product_id), after, LARGEST_LIMIT)
            found += [version.product for version in page.items]
            after, oldest = page.after, found[-1].updated_at
            if after is None or len(found) >= MOST_VERSIONS or (since and oldest <= since):
                return found[::-1]

    def _product(self, unit: CatalogUnit, product_id: str) -> Product:
        return self._context.seen("prod", product_id, unit.products.get)

    # Where it came from

    def lineage(self, product_id: str, version: int | None = None) -> Lineage:
        """Where each value of a product came from, in its latest version or the given one.

        NotFound if it has no such version. If a raw file can no longer be read, a note says so.
        """
        found = self._versions_since(product_id, None)
        wanted = found[-1].version if version is None else version
        asked = next((v for v in found if v.version == wanted), None)
        if asked is None:
            detail = f"Product {product_id} has no version {version}, or it is no longer kept."
            raise NotFound(detail, code="no_version")
        origins = Origins.of(found, asked.version)
        set_by = dict(origins.fields())
        first = origins.origin_of(asked)
        sources = self._sources([first, *set_by.values()])
        witnesses = {
            by.version: source_record(by, *sources[by.version])
            for by in sorted(set_by.values(), key=lambda by: -by.version)
        }
        values = tuple(
            _value_origin(asked, name, by, sources[by.version][2]) for name, by in set_by.items()
        )
        return Lineage(
            asked.product_id, asked.partner_name, asked.sku, asked.version, asked.status,
            self._written_by(asked, first, sources), tuple(witnesses.values()), values,
        )  # fmt: skip

    def _written_by(self, asked: Product, first: Product, sources: "_Sources") -> SourceRecord:
        """The record that wrote the version; for a revert, the one that it brought back."""
        _, feed, record, note = sources[first.version]
        with self._context.store.begin() as unit:
            publication = unit.publications.get(asked.publication_id)
        return source_record(asked, publication, feed, record, note)

    def _sources(self, versions: Sequence[Product]) -> "_Sources":
        """By version number: its publication, feed and record, or why there is no record."""
        by_number = {version.version: version for version in versions}
        places: dict[str, list[Product]] = {}
        for version in by_number.values():
            places.setdefault(version.publication_id, []).append(version)
        sources: _Sources = {}
        for publication_id, wrote in places.items():
            with self._context.store.begin() as unit:
                publication = unit.publications.get(publication_id)
                feed = unit.feeds.get(publication.feed_id)
                saved = unit.sources.profile(publication.source_id, publication.profile_version)
                terms = Terms.of(
                    unit.partners.get(feed.partner_id), publication.mode, saved.profile
                )
            records, note = self._read(feed, publication, terms, [v.line for v in wrote if v.line])
            for version in wrote:
                record = records.get(version.line)
                why = note or (None if record else _why_no_record(publication))
                sources[version.version] = (publication, feed, record, why)
        return sources

    def _read(
        self, feed: Feed, publication: Publication, terms: Terms, lines: Sequence[int]
    ) -> tuple[dict[int, RecordReading], str | None]:
        """The records on these lines of a feed's raw file, or why it can't be read."""
        if publication.kind != "feed" or not lines:
            return {}, None
        try:
            with self._context.files.open(feed.file_key) as raw:
                return record_readings(raw, terms, lines), None
        except NotFound:
            return {}, "The raw file is no longer kept."
        except FileRefused as refusal:
            return {}, f"The raw file can no longer be read: {refusal}"

    def replay(self, partner: str) -> Replay:
        """Rebuilds the partner's catalog from its raw files, and compares it with the live one.

        Nothing is written. It takes as long as processing all the partner's feeds did, and holds
        the products in memory.
        """
        c = self._context
        if c.scratch is None:
            raise RuntimeError("this platform has no scratch store to replay in")
        with c.store.begin() as unit:
            owner = c.partner(unit, partner)
        return Replaying(c.store, c.files, c.clock, c.entropy, c.scratch()).run(owner)

    # The stream of changes

    def changes(
        self,
        query: ChangeQuery = ALL_CHANGES,
        cursor: str | None = None,
        *,
        partner: str | None = None,
    ) -> Iterator[Version]:
        """All matching changes after the cursor, up to the latest."""
        while (listed := self.page_changes(query, cursor, LARGEST_LIMIT, partner=partner)).items:
            yield from listed.items
            cursor = listed.next_cursor

    def page_changes(
        self,
        query: ChangeQuery = ALL_CHANGES,
        cursor: str | None = None,
        limit: int = DEFAULT_LIMIT,
        *,
        partner: str | None = None,
    ) -> Listed[Version]:
        """The next matching changes; the page is empty if there are none yet.

        The page always has a cursor to continue with. `latest` stands for the end of the stream.
        Malformed `cursor_expired` if changes after the cursor were deleted.
        """
        limit = check_limit(limit, LARGEST_CHANGES)
        with self._context.store.begin() as unit:
            query = self._context.own_in(unit, query, partner)
            if cursor == LATEST:
                return Listed((), write_cursor(query, behind(unit.publications.number_at())))
            after = check_known(unit.versions.forgotten(), read_cursor(query, cursor) or START)
            page = unit.versions.changes(query, after, limit)
            return Listed(page.items, write_cursor(query, page.after))

    def cursor_behind(
        self, version: Version, query: ChangeQuery = ALL_CHANGES, *, partner: str | None = None
    ) -> str:
        """The cursor that continues the stream of that query after a change."""
        with self._context.store.begin() as unit:
            return write_cursor(self._context.own_in(unit, query, partner), version.position) or ""


_Sources = dict[int, tuple[Publication, Feed, RecordReading | None, str | None]]


def _why_no_record(publication: Publication) -> str:
    if publication.kind == "revert":
        return "The product was removed by a revert, since the reverted feed had created it."
    return "The product was removed, since the file didn't contain it."


def _value_origin(
    asked: Product, name: str, by: Product, record: RecordReading | None
) -> ValueOrigin:
    value: Value = getattr(asked, name)
    cells, reading = record.explain(name, value) if record else ((), "")
    return ValueOrigin(name, value, by.version, by.feed_id, by.line, cells, reading)
