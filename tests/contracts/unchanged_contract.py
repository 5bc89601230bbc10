"""What is promised of fingerprints and first loads: they change nothing but how long it takes."""

import io
from collections.abc import Callable, Mapping, Sequence
from zoneinfo import ZoneInfo

import pytest
from attrs import evolve, field, frozen
from hypothesis import given, settings
from hypothesis import strategies as st

from commerce_core.catalog.product import NotSellable
from commerce_core.feeds.feed import Feed
from commerce_core.feeds.source import Source
from commerce_core.feeds.summary import Summary
from commerce_core.ingestion.progress import RunProgress, ignore_progress
from commerce_core.parsing.fingerprints import NO_FINGERPRINTS, FingerprintIndex
from commerce_core.parsing.record_reader import Terms
from commerce_core.parsing.reference import ReferenceEngine
from commerce_core.plans.comparison import FeedContext, Plan
from commerce_core.ports.engine import FeedEngine, Reading
from commerce_core.ports.store import Store, UnitOfWork
from commerce_core.profiles.profile import CANONICAL, Profile
from commerce_core.schema.fields import PRODUCT_FIELDS, Mode
from commerce_core.schema.problems import Problem
from tests.contracts import samples
from tests.contracts.samples import ONE_STORE_AND_ANOTHER, T0
from tests.support.examples import scaled

HEADER = "sku,product_name,price,quantity,brand,deleted"
ROWS = (
    "A,Lamp,10.00,5,Lux,",
    "A,Lamp,10.00,5,Lux,",
    "A,Lamp,11.00,5,Lux,",
    "B,Desk,20.50,,Oak,",
    "B,Desk,20.50,,Oak,yes",
    'C,"Chair, tall",30,1,"Two\nlines",',
    "C,Chair,3O,1,Elm,",
    "D,Bowl,4.00,-1,Clay,",
    'E,"Odd ""quotes""",5,2,,',
    "F,,6,2,,",
    "G,Late,1e1,2,,",
    ",No sku,1,1,,",
    "H,Cup,7,7",
    "",
)
"""Records that are unchanged, changed, warned of, rejected, deleted, blank; some of one sku."""
FORMS: Sequence[Callable[[str], str]] = (
    str,
    lambda line: f"{line},note",
    lambda line: f"note,{line}",
    lambda line: line.replace(",", ",x,", 1),
    lambda line: ",".join(reversed(line.split(",", 1))),
)
"""What a line may look like: as it is, with a column more somewhere, or with the sku at its end."""
FILES = st.lists(
    st.tuples(
        st.sampled_from(["full", "delta"]),
        st.sampled_from(FORMS),
        st.lists(st.sampled_from(ROWS), max_size=9),
    ),
    min_size=1,
    max_size=5,
)
"""Files of either mode and in all forms, whose records are alike."""
LIMIT = 1_000


@frozen
class Shop:
    """A source whose feeds are read by one engine, with what is known or without."""

    store: Store
    source: Source
    engine: FeedEngine = field(factory=ReferenceEngine)
    recognises: bool = True
    profile: Profile = CANONICAL
    reports: list[tuple[Summary, list[Problem]]] = field(factory=list, eq=False)
    """What was reported of each feed: its summary, and its first problems."""
    unsellable: list[Mapping[NotSellable, int]] = field(factory=list, eq=False)
    """How many of the products that each feed wrote can't be sold, by reason."""
    headers: dict[Mode, tuple[str, ...]] = field(factory=dict, eq=False)
    """The columns of its last feed in each mode."""

    def feed(self, mode: Mode, rows: Sequence[str]) -> Plan:
        """Takes some records into the catalog, and tells what they did."""
        return self.take(mode, "\n".join((HEADER, *rows, "")))

    def take(self, mode: Mode, text: str | bytes) -> Plan:
        """The same for a whole file."""
        body = text.encode() if isinstance(text, str) else text
        feed = samples.received(self.store, self.source, mode=mode)
        with self.store.begin() as unit:
            plan = self._load(unit, feed, body) or self._compare(unit, feed, body)
        self.headers[mode] = self._open(body, mode).header.mapping.header
        return plan

    def matched(self, body: str | bytes, mode: Mode = "full") -> int:
        """How many records of a file would be recognised."""
        body = body.encode() if isinstance(body, str) else body
        with self.store.begin(dry_run=True) as unit:
            known = unit.products.fingerprints(self.source.partner_id, self.source.source_id)
            batches = self._open(body, mode).batches(known, self.headers.get(mode, ()))
            return sum(len(batch.matched) for batch in batches)

    def _load(self, unit: UnitOfWork, feed: Feed, body: bytes) -> Plan | None:
        if not self.recognises:
            return None
        reading = self._open(body, feed.mode)
        publication, stem = samples.publication(feed), samples.new_stem()
        context, progress = feed_context(feed, reading), RunProgress(lambda: T0, len(body))
        batches = progress.counted(reading.batches(), ignore_progress)
        plan = unit.products.load(context, batches, publication, stem)
        if plan is not None:
            self.reports.append((progress.summary(plan, reading), progress.problems_with(plan)))
            self.unsellable.append(unit.products.not_sellable(publication))
            unit.publications.add(publication, T0)
        return plan

    def _compare(self, unit: UnitOfWork, feed: Feed, body: bytes) -> Plan:
        known: FingerprintIndex = NO_FINGERPRINTS
        if self.recognises:
            known = unit.products.fingerprints(feed.partner_id, feed.source_id)
        while True:
            reading = self._open(body, feed.mode)
            context, progress = feed_context(feed, reading), RunProgress(lambda: T0, len(body))
            coming = reading.batches(known, self.headers.get(feed.mode, ()))
            batches = progress.counted(coming, ignore_progress)
            plan = unit.products.compare(context, batches, LIMIT)
            if not plan.contested:
                self.reports.append((progress.summary(plan, reading), progress.problems_with(plan)))
                publication = samples.publication(feed)
                unit.products.apply(plan, publication, samples.new_stem())
                self.unsellable.append(unit.products.not_sellable(publication))
                unit.publications.add(publication, T0)
                return plan
            known = known.without(plan.contested)

    def _open(self, body: bytes, mode: Mode) -> Reading:
        return self.engine.open(io.BytesIO(body), Terms(mode, "EUR", ZoneInfo("UTC"), self.profile))

    def catalog(self) -> dict[str, tuple[object, ...]]:
        """What the catalog says of each product, by sku."""
        products = samples.catalog(self.store, source_id=self.source.source_id)
        return {
            sku: (product.values(), product.status, product.version, product.line, product.ordinal)
            for sku, product in products.items()
        }


def feed_context(feed: Feed, reading: Reading) -> FeedContext:
    mapping = reading.header.mapping
    names = [name for name in ("sku", *PRODUCT_FIELDS) if name in mapping.field_mappings]
    columns = {name: mapping.column_of(name) or name for name in names}
    return evolve(samples.feed_context(feed, "EUR"), columns=columns)


def told(plan: Plan) -> Plan:
    """What a plan says, less what belongs to one feed alone."""
    some = [evolve(sample, product_id=None) for sample in plan.samples]
    return evolve(plan, feed_context=None, samples=tuple(some))


class TestMatching:
    @pytest.fixture
    def engine(self) -> FeedEngine:
        return ReferenceEngine()

    @settings(max_examples=scaled(40), suppress_health_check=ONE_STORE_AND_ANOTHER)
    @given(files=FILES)
    def test_recognising_records_changes_nothing(
        self,
        store: Store,
        engine: FeedEngine,
        files: list[tuple[Mode, Callable[[str], str], list[str]]],
    ):
        """Plans, products, reports of problems: all is as if everything had been read."""
        quick = Shop(store, samples.settled(store)[1], engine, recognises=True)
        plain = Shop(store, samples.settled(store)[1], engine, recognises=False)
        for mode, form, rows in files:
            text = "\n".join(line and form(line) for line in (HEADER, *rows, ""))
            assert told(quick.take(mode, text)) == told(plain.take(mode, text))
            assert quick.reports[-1] == plain.reports[-1]
            assert quick.catalog() == plain.catalog()

    def test_what_was_read_before_is_recognised(self, store: Store, engine: FeedEngine):
        """Wherever in the file it stands, also with warnings; those are reported again."""
        shop = Shop(store, samples.settled(store)[1], engine, recognises=True)
        shop.feed("full", ROWS[2:4] + ROWS[7:8])
        assert self.matched(shop, [*ROWS[3:4], *ROWS[7:8], *ROWS[2:3]]) == 3
        assert self.matched(shop, ROWS[:1]) == 0
        shop.feed("full", ROWS[7:8] + ROWS[2:4])
        summary, (problem,) = shop.reports[-1]
        assert (
            summary.problems_by_code
            == {"negative_quantity": summary.warnings}
            == {"negative_quantity": 1}
        )
        assert (problem.line, problem.column, problem.value) == (2, "quantity", "-1")

    def test_what_was_read_before_is_recognised_in_another_form(
        self, store: Store, engine: FeedEngine
    ):
        """And afterwards in that one; but not what has lost a cell."""
        rows = (*ROWS[2:4], 'E,"Chair, tall",30,1,"Two\nlines",', *ROWS[7:8])
        for form in FORMS[1:]:
            shop = Shop(store, samples.settled(store)[1], engine, recognises=True)
            shop.feed("full", rows)
            text = "\n".join(line and form(line) for line in (HEADER, *rows, ""))
            assert (shop.matched(text), shop.matched(text, "delta")) == (4, 0)
            assert shop.matched(text.replace("Lamp", "Lump")) == 3
            assert shop.matched("\n".join((form(HEADER), *rows, ""))) == 0
            assert shop.take("full", text).unchanged == 4
            summary, (problem,) = shop.reports[-1]
            assert summary.problems_by_code == {"negative_quantity": 1}
            assert (problem.line, problem.column, problem.value) == (6, "quantity", "-1")

    def test_a_new_column_that_is_used_is_read(self, store: Store, engine: FeedEngine):
        shop = Shop(store, samples.settled(store)[1], engine, recognises=True)
        shop.feed("full", ROWS[2:4])
        text = "\n".join((f"{HEADER},mpn", f"{ROWS[2]},", f"{ROWS[3]},7", ""))
        assert shop.matched(text) == 0
        plan = shop.take("full", text)
        assert (plan.updated, plan.unchanged) == (1, 1)

    def test_a_record_with_an_error_is_read_each_time(self, store: Store, engine: FeedEngine):
        shop = Shop(store, samples.settled(store)[1], engine, recognises=True)
        shop.feed("full", ROWS[2:4] + ROWS[6:7])
        assert self.matched(shop, ROWS[6:7]) == 0

    def test_who_writes_a_product_replaces_its_fingerprint(self, store: Store, engine: FeedEngine):
        shop = Shop(store, samples.settled(store)[1], engine, recognises=True)
        shop.feed("full", ROWS[1:2])
        shop.feed("full", ROWS[2:3])
        assert (self.matched(shop, ROWS[1:2]), self.matched(shop, ROWS[2:3])) == (0, 1)
        samples.publish(store, shop.source, samples.record(2, "A", brand="Other"))
        assert self.matched(shop, ROWS[2:3]) == 0

    def test_nothing_is_recognised_of_another_mode(self, store: Store, engine: FeedEngine):
        """A blank or missing column means something else there."""
        shop = Shop(store, samples.settled(store)[1], engine, recognises=True)
        shop.feed("full", ROWS[2:4])
        assert (self.matched(shop, ROWS[2:4]), self.matched(shop, ROWS[2:4], "delta")) == (
            2,
            0,
        )

    def test_only_the_last_plan_that_isnt_contested_is_applied(
        self, store: Store, engine: FeedEngine
    ):
        shop = Shop(store, samples.settled(store)[1], engine, recognises=True)
        shop.feed("full", ROWS[1:2])
        feed = samples.received(store, shop.source, mode="full")
        with store.begin(dry_run=True) as unit:
            known = unit.products.fingerprints(feed.partner_id, feed.source_id)
            body = "\n".join((HEADER, ROWS[1], ROWS[2], "")).encode()
            reading = shop._open(body, "full")
            context = feed_context(feed, reading)
            plan = unit.products.compare(context, reading.batches(known), LIMIT)
            assert plan.contested == (0,)
            with pytest.raises(ValueError, match="plan"):
                unit.products.apply(plan, samples.publication(feed), samples.new_stem())

    def test_a_partner_with_products_isnt_loaded_at_once(self, store: Store, engine: FeedEngine):
        """Of another source too, whose skus may be the same."""
        partner, source = samples.settled(store)
        samples.publish(store, source, samples.record(2, "Z"))
        other = samples.source(partner, "other")
        with store.begin() as unit:
            unit.sources.add(other)
        shop = Shop(store, other, engine, recognises=True)
        feed = samples.received(store, other, mode="full")
        with store.begin(dry_run=True) as unit:
            assert shop._load(unit, feed, b"sku,product_name\nA,Lamp\n") is None

    def matched(self, shop: Shop, rows: Sequence[str], mode: Mode = "full") -> int:
        """How many of these records would be recognised."""
        return shop.matched("\n".join((HEADER, *rows, "")), mode)
