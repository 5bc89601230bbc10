"""Sources of a partner: their settings, and when one can be removed."""

import io
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from commerce_core.base.errors import Conflict, InvalidInput, NotFound
from commerce_core.commerce import Commerce
from commerce_core.feeds.job import Job
from commerce_core.feeds.source import REJECT_FEED, REJECT_RECORDS, OnError
from entrypoints.compose import open_platform
from entrypoints.settings import Settings

CATALOG = "sku,title,price\nA,Lamp,5\nB,Chair,6\n"


@pytest.fixture
def commerce() -> Iterator[Commerce]:
    with open_platform(Settings(database_url="memory:")) as made:
        made.partners.add("Acme", currency="EUR", time_zone="Europe/Rome")
        yield made


def load(commerce: Commerce, body: str, source: str = "main", name: str = "feed.csv") -> Job:
    stream = io.BytesIO(body.encode())
    return commerce.feeds.load(stream, partner="Acme", source=source, file_name=name)


def test_a_feed_takes_its_defaults_from_its_source(commerce: Commerce):
    stock = commerce.sources.add(
        "Acme", "  stock ", mode="full", run=True, snapshot_pattern="s-{YYYY}{MM}{DD}-{hh}{mm}.csv"
    )
    assert stock.source_name == "stock"
    body = io.BytesIO(CATALOG.encode())
    receipt = commerce.feeds.upload(
        body, partner="Acme", source="stock", file_name="s-20260617-1630.csv"
    )
    feed = commerce.feeds.get(receipt.feed_id)
    assert feed.mode == "full"
    assert feed.snapshot_at == datetime(2026, 6, 17, 14, 30, tzinfo=UTC)
    assert receipt.released
    assert commerce.jobs.get(receipt.job_id).released


def test_an_upload_overrides_its_source(commerce: Commerce):
    pattern = "{YYYY}{MM}{DD}.csv"
    commerce.sources.change("main", partner="Acme", run=True, snapshot_pattern=pattern)
    at = datetime(2026, 1, 2, tzinfo=UTC)
    receipt = commerce.feeds.upload(
        io.BytesIO(b"sku\n"), partner="Acme", mode="full", run=False, snapshot_at=at,
        file_name="20260617.csv",
    )  # fmt: skip
    feed = commerce.feeds.get(receipt.feed_id)
    assert (feed.mode, feed.snapshot_at, receipt.released) == ("full", at, False)


@pytest.mark.parametrize("name", ["feed.csv", "29990101.csv"])
def test_a_name_without_a_time_or_with_a_future_one_leaves_the_time_of_receipt(
    commerce: Commerce, name: str
):
    commerce.sources.change("main", partner="Acme", snapshot_pattern="{YYYY}{MM}{DD}.csv")
    feed = commerce.feeds.get(load(commerce, CATALOG, name=name).feed_id)
    assert feed.snapshot_at == feed.received_at


def test_settings_that_cannot_be_are_refused_all_at_once(commerce: Commerce):
    with pytest.raises(InvalidInput) as refused:
        commerce.sources.add("Acme", " ", snapshot_pattern="catalog.csv")
    assert [fault.pointer for fault in refused.value.faults] == [
        "/source_name",
        "/snapshot_pattern",
    ]
    with pytest.raises(InvalidInput):
        commerce.sources.add("Acme", f"src_{'0' * 32}")
    for share in ("1.1", "-0.1", "NaN"):
        with pytest.raises(InvalidInput):
            OnError(Decimal(share))
    with pytest.raises(InvalidInput):
        OnError(count=-1)


def test_main_keeps_its_name_and_stays(commerce: Commerce):
    commerce.sources.change("main", partner="Acme", mode="full")
    for refused in (
        lambda: commerce.sources.change("main", partner="Acme", source_name="other"),
        lambda: commerce.sources.remove("main", partner="Acme"),
    ):
        with pytest.raises(Conflict) as told:
            refused()
        assert told.value.code == "main_source"


def test_a_source_is_removed_once_nothing_hangs_on_it(commerce: Commerce):
    commerce.sources.add("Acme", "web")
    load(commerce, CATALOG, "web")
    with pytest.raises(Conflict, match="owns active products: 2") as told:
        commerce.sources.remove("web", partner="Acme")
    assert told.value.code == "source_owns_products"
    assert "deleted=yes" in told.value.remedy
    load(commerce, "sku,deleted\nA,yes\nB,yes\n", "web")
    waiting = commerce.feeds.upload(io.BytesIO(b"sku\n"), partner="Acme", source="web")
    with pytest.raises(Conflict, match=waiting.feed_id) as told:
        commerce.sources.remove("web", partner="Acme")
    assert told.value.code == "source_in_use"
    commerce.jobs.cancel(waiting.job_id)
    removed = commerce.sources.remove("web", partner="Acme")
    with pytest.raises(NotFound):
        commerce.sources.get(removed.source_id)
    with pytest.raises(Conflict) as told:
        commerce.jobs.start(waiting.feed_id)
    assert told.value.code == "source_removed"
    assert commerce.feeds.get(waiting.feed_id).source_id == removed.source_id
    load(commerce, CATALOG)
    assert {product.sku for product in commerce.products.list()} == {"A", "B"}


@pytest.mark.parametrize(
    ("on_error", "refused"),
    [
        (REJECT_RECORDS, [False, False, False]),
        (REJECT_FEED, [False, True, True]),
        (OnError(count=5), [False, False, True]),
        (OnError(share=Decimal("0.05")), [False, False, True]),
        (OnError(share=Decimal("0.5"), count=4), [False, True, True]),
    ],
)
def test_a_feed_is_refused_beyond_what_its_source_tolerates(on_error: OnError, refused: list[bool]):
    assert [on_error.refuses(rejected, 100) for rejected in (0, 5, 6)] == refused


MIXED = "sku,title,price\nA,Lamp,5\nB,Chair,free\nC,Desk,7\nD,Bed,8\n"


@pytest.mark.parametrize(
    "on_error", [REJECT_FEED, OnError(count=0, share=Decimal(1)), OnError(share=Decimal("0.2"))]
)
@pytest.mark.parametrize("first", [True, False])
def test_a_feed_with_more_rejected_records_than_its_source_tolerates_lands_nowhere(
    commerce: Commerce, on_error: OnError, first: bool
):
    if not first:
        load(commerce, CATALOG)
    commerce.sources.change("main", partner="Acme", on_error=on_error)
    job = load(commerce, MIXED)
    assert job.status == "failed"
    assert job.error is not None
    assert job.error.code == "too_many_rejected"
    assert "1 of 4 records" in job.error.message
    assert commerce.feeds.get(job.feed_id).status == "rejected"
    assert job.summary is not None
    assert job.summary.rejected == 1
    assert [problem.line for problem in commerce.jobs.problems(job.job_id)] == [3]
    with commerce.jobs.report(job.job_id) as report:
        assert b"free" in report.read()
    assert len(list(commerce.products.list())) == (0 if first else 2)
    (event,) = commerce.events.list(kinds=("feed.rejected",))
    assert event.data["error"]["code"] == "too_many_rejected"


def test_a_tolerated_share_of_rejected_records_keeps_the_others(commerce: Commerce):
    commerce.sources.change("main", partner="Acme", on_error=OnError(share=Decimal("0.25")))
    assert load(commerce, MIXED).outcome == "with_rejects"
    assert len(list(commerce.products.list())) == 3


def test_a_preview_reports_that_a_file_would_be_refused(commerce: Commerce):
    commerce.sources.change("main", partner="Acme", on_error=REJECT_FEED)
    receipt = commerce.feeds.upload(io.BytesIO(MIXED.encode()), partner="Acme", kind="plan")
    job = commerce.jobs.run(receipt.job_id)
    assert job.summary is not None
    assert any("the source allows" in note for note in job.summary.notes)


def test_a_name_that_does_not_fit_the_pattern_is_noted(commerce: Commerce):
    commerce.sources.change("main", partner="Acme", snapshot_pattern="{YYYY}{MM}{DD}.csv")
    fits, other = load(commerce, CATALOG, name="20260617.csv"), load(commerce, MIXED, name="x.csv")
    assert fits.summary is not None
    assert other.summary is not None
    assert fits.summary.notes == ()
    assert "{YYYY}{MM}{DD}.csv" in other.summary.notes[0]


def test_a_file_that_is_only_looked_at_shows_the_moment_that_it_would_if_it_were_sent(
    commerce: Commerce, tmp_path: Path
):
    """A name may tell of a moment some hours ahead, as where a clock or a time zone is off."""
    pattern = "{YYYY}{MM}{DD}-{hh}{mm}.csv"
    commerce.sources.change("main", partner="Acme", mode="full", snapshot_pattern=pattern)
    now = datetime.now(ZoneInfo("Europe/Rome"))
    sooner, later = (f"{now + timedelta(hours=hours):%Y%m%d-%H%M}.csv" for hours in (6, 12))
    load(commerce, CATALOG, name=sooner)
    (tmp_path / later).write_text(CATALOG)
    assert commerce.plans.preview(str(tmp_path / later), partner="Acme").unchanged == 2


def test_a_full_feed_removes_its_own_products_alone_and_names_both_sources_of_a_sku(
    commerce: Commerce,
):
    load(commerce, CATALOG)
    commerce.sources.add("Acme", "web", mode="full")
    told = load(commerce, "sku,title,price\nA,Lamp,9\nW,Web,1\n", "web")
    (problem,) = commerce.jobs.problems(told.job_id)
    assert problem.code == "sku_of_other_source"
    assert "The source 'main' owns this sku, so 'web' can't change it." in problem.hint
    load(commerce, "sku,title,price\nX,New,1\n", "web")
    assert {product.sku for product in commerce.products.list()} == {"A", "B", "X"}
