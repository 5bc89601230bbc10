"""A run decides first whether a feed is loaded or compared, and understands its header once."""

import io
from collections.abc import Iterator
from typing import BinaryIO, cast

import pytest
from attrs import define, evolve, field

from commerce_core.catalog.product import Product
from commerce_core.commerce import Commerce
from commerce_core.feeds.job import Job
from commerce_core.feeds.source import REJECT_FEED
from commerce_core.ingestion import plan
from commerce_core.ingestion.late import Overtaken
from commerce_core.ingestion.plan import Basis, Run, may_load
from commerce_core.parsing.fingerprints import NO_FINGERPRINTS, IndexedFingerprints
from commerce_core.parsing.record_reader import Terms
from commerce_core.parsing.reference import ReferenceEngine
from commerce_core.ports.engine import FeedEngine, Reading
from commerce_core.profiles.profile import Profile
from commerce_core.schema.fields import Mode
from entrypoints.compose import open_platform
from entrypoints.settings import Settings
from tests.contracts import samples
from tests.unit.core.profiles.test_presets import ETSY

CATALOG = "sku,title,price\nA,Lamp,5\nB,Chair,6\n"
PARTNER = samples.partner()
SOURCE = samples.source(PARTNER)


@define
class CountingEngine:
    """An engine that counts the headers it reads."""

    _inner: FeedEngine = field(factory=ReferenceEngine)
    headers: int = 0

    def open(self, stream: BinaryIO, terms: Terms) -> Reading:
        self.headers += 1
        return self._inner.open(stream, terms)


@pytest.fixture
def engine() -> CountingEngine:
    return CountingEngine()


@pytest.fixture
def commerce(engine: CountingEngine) -> Iterator[Commerce]:
    with open_platform(Settings(database_url="memory:")) as made:
        made.partners.add("Acme", currency="EUR")
        yield Commerce(evolve(made.context, engine=engine))


def load(commerce: Commerce, body: str, mode: Mode = "full") -> Job:
    return commerce.feeds.load(io.BytesIO(body.encode()), partner="Acme", mode=mode)


def test_a_header_is_understood_once(commerce: Commerce, engine: CountingEngine):
    """Whether the feed is loaded, compared, or only looked at."""
    for body in (CATALOG, CATALOG.replace("5", "4"), CATALOG.replace("B", "X")):
        engine.headers = 0
        assert load(commerce, body).outcome == "clean"
        assert engine.headers == 1
    engine.headers = 0
    commerce.plans.preview(io.BytesIO(CATALOG.encode()), partner="Acme", mode="full")
    assert engine.headers == 1


def test_a_feed_that_turns_out_to_be_no_first_load_is_read_again(
    commerce: Commerce, engine: CountingEngine
):
    """And what was counted the first time doesn't remain."""
    job = load(commerce, CATALOG + "A,Lamp,4\n")
    assert job.summary is not None
    assert (job.summary.records_read, job.summary.duplicate, job.summary.created) == (3, 1, 2)
    assert engine.headers == 2


def run(**changed: object) -> Run:
    feed = samples.feed(SOURCE)
    sender = plan.Sender(PARTNER, {SOURCE.source_id: SOURCE}, cast("plan.SavedProfile", None))
    made = Run("ingest", feed, sender, cast("plan.FeedFile", None), without_removals=False)
    return evolve(made, **changed)


def test_a_first_feed_may_be_loaded():
    assert may_load(run(), Basis(NO_FINGERPRINTS, None))


@pytest.mark.parametrize(
    ("run", "basis"),
    [
        (run(kind="plan"), Basis(NO_FINGERPRINTS, None)),
        (run(overtaken=Overtaken(skus=frozenset({"A"}))), Basis(NO_FINGERPRINTS, None)),
        (run(), Basis(IndexedFingerprints.of([(1, 2)]), None)),
        (run(), Basis(NO_FINGERPRINTS, samples.feed(SOURCE))),
        (
            run(
                sender=plan.Sender(
                    PARTNER,
                    {SOURCE.source_id: evolve(SOURCE, on_error=REJECT_FEED)},
                    cast("plan.SavedProfile", None),
                )
            ),
            Basis(NO_FINGERPRINTS, None),
        ),
    ],
    ids=["it is only planned", "it is late", "products are known", "a guard could object",
         "rejects could stop it"],
)  # fmt: skip
def test_a_feed_that_something_could_object_to_is_compared(run: Run, basis: Basis):
    """Nothing that may have to be taken back is written."""
    assert not may_load(run, basis)


MAGENTO = "sku,name,price,product_online,store_view_code,base_image\nA,Lamp,5,2,,\nB,Chair,6,1,,\n"


def test_an_export_with_what_isnt_for_sale_isnt_read_without_its_preset(commerce: Commerce):
    """Once somebody has saved a profile, that one counts, whichever it is."""
    refused = load(commerce, MAGENTO)
    assert refused.error
    assert refused.error.code == "preset_needed"
    assert "line 2 " in refused.error.message
    assert "preset magento" in refused.error.message
    commerce.sources.set_profile(Profile(preset="magento"), partner="Acme")
    assert [product.sku for product in listed(commerce, load(commerce, MAGENTO))] == ["B"]
    commerce.sources.set_profile(Profile(), partner="Acme")
    assert len(listed(commerce, load(commerce, MAGENTO, "delta"))) == 2


def test_an_export_with_what_its_preset_rejects_isnt_read_without_it(commerce: Commerce):
    refused = load(commerce, ETSY)
    assert refused.error
    assert refused.error.code == "preset_needed"
    assert "line 5 " in refused.error.message
    one = "\n".join(ETSY.split("\n")[:4])
    assert [product.sku for product in listed(commerce, load(commerce, one))] == ["MUG-1", "PRINT"]


def listed(commerce: Commerce, job: Job) -> list[Product]:
    assert job.status == "completed", job
    return list(commerce.products.list(partner="Acme"))
