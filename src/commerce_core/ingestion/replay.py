"""Replay: the publications of a partner folded anew from raw files, and the live catalog beside it.

    feeds in the order of their publications ─┐
    reverts between them                     ─┴─> scratch store ──> compared, product by product

Each feed is read by the reference engine, under the terms it was applied under. So if the two
differ, either the catalog isn't what its raw files make it, or a file isn't what it was.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import nullcontext
from functools import partial
from itertools import islice
from typing import Final

from attrs import evolve, field, frozen

from commerce_core.base.errors import CommerceError, FileRefused, NotFound
from commerce_core.base.ids import Entropy, mint_block
from commerce_core.base.paging import LARGEST_LIMIT, Page, Position, every
from commerce_core.catalog.product import Product, ProductQuery
from commerce_core.catalog.publication import Publication
from commerce_core.feeds.feed import Feed, FeedQuery
from commerce_core.feeds.source import Source
from commerce_core.ingestion.plan import Planning, Sender
from commerce_core.ingestion.revert import undone_by
from commerce_core.parsing.reference import ReferenceEngine
from commerce_core.partners.partner import Partner
from commerce_core.ports.files import Files
from commerce_core.ports.runtime import Clock
from commerce_core.ports.store import Store, UnitOfWork
from commerce_core.schema.fields import PRODUCT_FIELDS, Value

MOST_DIFFERENCES: Final = 1_000
"""Differences that are listed; all are counted."""
COMPARED: Final = (
    "status", "source_id", "version", "feed_id", "line", "publication_id", "ordinal", "origin_id",
    *PRODUCT_FIELDS,
)  # fmt: skip
"""What has to be the same; product ids and times of creation may differ."""


@frozen
class Difference:
    """A field that isn't what the raw files make it; `sku` where the whole product is missing."""

    sku: str
    field: str
    live: Value
    replayed: Value


@frozen
class Replay:
    """The result of a replay: what was folded and compared, and every difference found.

    `broken` is why it ended before the last publication, if it did; then nothing was compared.
    """

    partner_id: str
    feeds: int
    reverts: int
    products: int
    differences: int
    listed: tuple[Difference, ...]
    broken: str | None = None

    @property
    def agrees(self) -> bool:
        """Whether the catalog is what its raw files make it."""
        return not self.differences and self.broken is None


@frozen
class Replaying:
    """Replays one partner's publications in a scratch store."""

    store: Store
    files: Files
    clock: Clock
    entropy: Entropy
    scratch: Store
    _engine: ReferenceEngine = field(factory=ReferenceEngine)

    def run(self, partner: Partner) -> Replay:
        """Folds all publications, also those made meanwhile, and compares."""
        with self.scratch.begin() as unit:
            unit.partners.add(partner)
        done: list[Publication] = []
        while True:
            try:
                done += self._fold_from(partner, done[-1].number or 0 if done else 0)
            except _Broken as broken:
                return _replay(partner, done, 0, [], broken.why)
            products, found = self._compare(partner)
            with self.store.begin() as unit:
                last = done[-1].number or 0 if done else 0
                if not unit.publications.of_partner(partner.partner_id, last, 1):
                    return _replay(partner, done, products, found, None)

    def _fold_from(self, partner: Partner, number: int) -> Iterator[Publication]:
        """Folds the publications after that number, and yields each."""
        matched = self._same_bytes(partner)
        while True:
            with self.store.begin() as unit:
                page = unit.publications.of_partner(partner.partner_id, number, LARGEST_LIMIT)
            if not page:
                return
            for publication in page:
                with self.scratch.begin() as unit:
                    for feed in matched:
                        if _was_applied_before(feed, publication):
                            _keep(unit, feed)
                self._fold(partner, publication)
                yield publication
                number = publication.number or 0

    def _fold(self, partner: Partner, publication: Publication) -> None:
        with self.store.begin() as unit:
            feed = unit.feeds.get(publication.feed_id)
        try:
            with self.scratch.begin() as unit:
                if publication.kind == "revert":
                    self._fold_revert(unit, publication)
                else:
                    self._fold_feed(unit, partner, publication, feed)
        except (FileRefused, NotFound) as error:
            raise _Broken(publication, error) from error

    def _fold_feed(
        self, unit: UnitOfWork, partner: Partner, publication: Publication, feed: Feed
    ) -> None:
        """Reads the feed under the terms it was applied under, and applies it."""
        self._set_terms(unit, partner, publication)
        feed = evolve(feed, mode=publication.mode, status="received", expected_rows=None)
        _keep(unit, feed)
        planning = Planning(self.files, self.clock, self._engine)
        raw = partial(self.files.open, feed.file_key)
        left_out, sender = publication.without_removals, Sender.of(unit, feed)
        with planning.open("ingest", feed, sender, raw, without_removals=left_out) as opened:
            run, newer = planning.settled(
                lambda: nullcontext(unit), opened, begin_former=self.store.begin
            )
            run = planning.look_back(lambda: nullcontext(unit), run, newer)
            plan = planning.plan(unit, run, planning.basis(unit, run))
        unit.products.apply(plan, publication, mint_block("prod", self.clock(), self.entropy).stem)
        unit.feeds.put(run.feed.became("applied", publication.published_at))
        unit.publications.add(publication, publication.published_at or self.clock())

    def _fold_revert(self, unit: UnitOfWork, publication: Publication) -> None:
        feed = unit.feeds.get(publication.feed_id)
        undone = [one.publication_id for one in undone_by(unit, feed)]
        plan = unit.reverts.plan(publication.partner_id, undone, 0)
        unit.reverts.apply(plan, publication)
        unit.feeds.put(evolve(feed, status="reverted" if feed.status == "applied" else "applied"))
        unit.publications.add(publication, publication.published_at or self.clock())

    def _set_terms(self, unit: UnitOfWork, partner: Partner, publication: Publication) -> None:
        """Makes partner, source and profile in the scratch store what they were then."""
        then = publication
        if then.time_zone is not None:
            partner = evolve(partner, currency=then.currency, time_zone=then.time_zone)
        unit.partners.put(partner)
        source = self._source(publication)
        if then.time_zone is not None:
            source = evolve(source, guards=evolve(source.guards, price_leap=then.price_leap))
        if any(source.source_id == known.source_id for known in unit.sources.of(source.partner_id)):
            unit.sources.put(source)
        else:
            unit.sources.add(source)
        for version in range(
            unit.sources.profile(source.source_id).version + 1, then.profile_version + 1
        ):
            with self.store.begin() as live:
                saved = live.sources.profile(source.source_id, version)
            unit.sources.save_profile(source.source_id, saved)

    def _source(self, publication: Publication) -> Source:
        """The source as it is now; a removed one gets a name that no other source has."""
        with self.store.begin() as unit:
            own = unit.sources.of(publication.partner_id)
        found = next((s for s in own if s.source_id == publication.source_id), None)
        at = publication.published_at or self.clock()
        id_, owner = publication.source_id, publication.partner_id
        return found or Source(id_, owner, f"removed {id_}", publication.mode, at)

    def _same_bytes(self, partner: Partner) -> list[Feed]:
        """Feeds of unchanged bytes: they published nothing, but others may be late by them."""
        with self.store.begin() as unit:
            query = FeedQuery(partner_id=partner.partner_id, status="applied")
            feeds = list(every(lambda after: unit.feeds.page(query, after, LARGEST_LIMIT)))
            return [feed for feed in feeds if not unit.publications.of_feed(feed.feed_id)]

    def _compare(self, partner: Partner) -> tuple[int, list[Difference]]:
        """How many products were compared, and how they differ."""
        replayed = {product.sku: product for product in _products(self.scratch, partner)}
        found: list[Difference] = []
        products = 0
        for live in _products(self.store, partner):
            products += 1
            found += _differences(live, replayed.pop(live.sku, None))
        found += [Difference(sku, "sku", None, sku) for sku in sorted(replayed)]
        return products, found


class _Broken(Exception):
    """A publication that can't be folded again."""

    def __init__(self, publication: Publication, error: CommerceError) -> None:
        super().__init__(str(error))
        self.why = f"Publication {publication.number} ({publication.feed_id}): {error}"


def _was_applied_before(feed: Feed, publication: Publication) -> bool:
    at, published = feed.applied_at, publication.published_at
    return at is not None and published is not None and at <= published


def _keep(unit: UnitOfWork, feed: Feed) -> None:
    """Keeps the feed in the scratch store, where it may be already."""
    try:
        unit.feeds.put(feed)
    except NotFound:
        unit.feeds.add(feed)


def _products(store: Store, partner: Partner) -> Iterator[Product]:
    query = ProductQuery(partner_id=partner.partner_id, status="all")

    def fetch(after: Position | None) -> Page[Product]:
        with store.begin() as unit:
            return unit.products.page(query, after, LARGEST_LIMIT)

    return every(fetch)


def _differences(live: Product, replayed: Product | None) -> Iterator[Difference]:
    if replayed is None:
        yield Difference(live.sku, "sku", live.sku, None)
        return
    for name in COMPARED:
        one, other = getattr(live, name), getattr(replayed, name)
        if one != other:
            yield Difference(live.sku, name, one, other)


def _replay(
    partner: Partner,
    done: Sequence[Publication],
    products: int,
    found: Sequence[Difference],
    broken: str | None,
) -> Replay:
    kinds: Mapping[str, int] = {
        kind: sum(publication.kind == kind for publication in done) for kind in ("feed", "revert")
    }
    return Replay(
        partner.partner_id,
        kinds["feed"],
        kinds["revert"],
        products,
        len(found),
        tuple(islice(found, MOST_DIFFERENCES)),
        broken,
    )
