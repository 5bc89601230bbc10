"""The same bytes as the source's last publication are known without being read."""

import io
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from datetime import UTC, datetime, timedelta
from typing import BinaryIO

import pytest
from attrs import evolve

from commerce_core.commerce import Commerce
from commerce_core.feeds.job import Job
from commerce_core.ingestion import ingest, unchanged
from commerce_core.parsing.fingerprints import ALGORITHM
from commerce_core.ports.files import Files, StoredFile
from commerce_core.profiles.profile import Profile
from commerce_core.schema.fields import Mode
from entrypoints.compose import open_platform
from entrypoints.settings import Settings

CATALOG = "sku,title,price\nA,Lamp,5\nB,Chair,6\n"
OTHER = "sku,title,price\nA,Lamp,7\nB,Chair,6\n"
BROKEN = "sku,title,price\nA,Lamp,5\nB,Chair,free\n"


class ReadFiles:
    """Files that count how often one is opened."""

    def __init__(self, inner: Files) -> None:
        self._inner = inner
        self.opened = 0

    def put(self, key: str, stream: BinaryIO, most_bytes: int) -> StoredFile:
        return self._inner.put(key, stream, most_bytes)

    def list(self, prefix: str) -> Iterator[str]:
        return self._inner.list(prefix)

    def delete(self, key: str) -> None:
        self._inner.delete(key)

    def check(self) -> None:
        self._inner.check()

    def open(self, key: str) -> AbstractContextManager[BinaryIO]:
        @contextmanager
        def counted() -> Iterator[BinaryIO]:
            self.opened += 1
            with self._inner.open(key) as stream:
                yield stream

        return counted()


@pytest.fixture
def commerce() -> Iterator[Commerce]:
    with open_platform(Settings(database_url="memory:")) as made:
        made.partners.add("Acme", currency="EUR")
        yield Commerce(evolve(made.context, files=ReadFiles(made.context.files)))


def load(
    commerce: Commerce,
    body: str,
    mode: Mode = "full",
    source: str = "main",
    snapshot_at: datetime | None = None,
    expected_rows: int | None = None,
) -> Job:
    return commerce.feeds.load(
        io.BytesIO(body.encode()), partner="Acme", mode=mode, source=source,
        snapshot_at=snapshot_at, expected_rows=expected_rows,
    )  # fmt: skip


def reads(commerce: Commerce) -> int:
    files = commerce.context.files
    assert isinstance(files, ReadFiles)
    return files.opened


def publications(commerce: Commerce) -> int:
    source = commerce.sources.get("main", partner="Acme")
    with commerce.context.store.begin() as unit:
        latest = unit.publications.latest(source.source_id)
    return latest.number or 0 if latest else 0


def test_bytes_sent_again_change_nothing_and_are_not_even_opened(commerce: Commerce):
    first = load(commerce, CATALOG)
    before = reads(commerce)
    again = load(commerce, CATALOG, expected_rows=2)
    assert (again.status, again.outcome) == ("completed", "nothing_changed")
    assert again.summary is not None
    assert (again.summary.records_read, again.summary.unchanged) == (2, 2)
    (note,) = again.summary.notes
    assert first.feed_id in note
    assert "nothing was read" in note
    assert reads(commerce) == before
    assert publications(commerce) == 1
    assert commerce.feeds.get(again.feed_id).status == "applied"


def test_the_warnings_of_bytes_sent_again_are_listed_again(commerce: Commerce):
    text = b"sku,product_name,price,currency\nA,Cup,5.00,EUR\nA,Mug,6.00,EUR\n"
    jobs = [
        commerce.feeds.load(io.BytesIO(text), partner="Acme", mode="delta", file_name=name)
        for name in ("first.csv", "again.csv")
    ]
    assert [job.outcome for job in jobs] == ["clean", "nothing_changed"]
    for job in jobs:
        listed = list(commerce.jobs.problems(job.job_id))
        assert job.summary
        assert job.summary.problems_by_code == {"duplicate_sku": 1}
        assert [(problem.line, problem.code) for problem in listed] == [(2, "duplicate_sku")]


def test_the_bytes_of_an_earlier_feed_are_news_and_roll_back(commerce: Commerce):
    load(commerce, CATALOG)
    load(commerce, OTHER)
    back = load(commerce, CATALOG)
    assert (back.outcome, publications(commerce)) == ("clean", 3)
    assert commerce.products.get(partner="Acme", sku="A").price == 5
    assert load(commerce, CATALOG).outcome == "nothing_changed"
    assert publications(commerce) == 3


def changed_profile(commerce: Commerce) -> None:
    commerce.sources.set_profile(Profile(currency="USD"), partner="Acme")


def changed_partner(commerce: Commerce) -> None:
    commerce.partners.change("Acme", currency="USD")


@pytest.mark.parametrize("change", [changed_profile, changed_partner])
def test_what_is_read_otherwise_by_now_is_read(
    commerce: Commerce, change: Callable[[Commerce], None]
):
    load(commerce, CATALOG)
    change(commerce)
    assert load(commerce, CATALOG).outcome == "clean"
    assert {product.currency for product in commerce.products.list()} == {"USD"}


def test_another_mode_is_another_feed(commerce: Commerce):
    load(commerce, CATALOG, mode="delta")
    before = reads(commerce)
    assert load(commerce, CATALOG).outcome == "nothing_changed"
    assert reads(commerce) > before
    assert publications(commerce) == 2


def test_what_was_read_by_another_version_of_reading_is_read_again_once(
    commerce: Commerce, monkeypatch: pytest.MonkeyPatch
):
    load(commerce, CATALOG)
    for module in (ingest, unchanged):
        monkeypatch.setattr(module, "ALGORITHM", ALGORITHM + 1)
    before = reads(commerce)
    load(commerce, CATALOG)
    once = reads(commerce)
    load(commerce, CATALOG)
    assert before < once == reads(commerce)


def test_a_feed_with_rejected_records_is_read_again_and_so_is_its_report(commerce: Commerce):
    load(commerce, BROKEN)
    again = load(commerce, BROKEN)
    assert again.outcome == "with_rejects"
    with commerce.jobs.report(again.job_id) as report:
        assert b"free" in report.read()


def test_a_count_that_is_not_met_is_refused_as_ever(commerce: Commerce):
    load(commerce, CATALOG)
    refused = load(commerce, CATALOG, expected_rows=3)
    assert refused.error is not None
    assert refused.error.code == "row_count"


def test_a_feed_that_is_run_again_is_read_again(commerce: Commerce):
    first = load(commerce, CATALOG)
    before = reads(commerce)
    commerce.jobs.run(commerce.jobs.start(first.feed_id).job_id)
    assert reads(commerce) > before


def test_the_bytes_of_another_source_are_news(commerce: Commerce):
    load(commerce, CATALOG)
    commerce.sources.add("Acme", "web", mode="full")
    told = load(commerce, CATALOG, source="web")
    assert told.error is not None
    assert told.error.code == "nothing_accepted"


def test_an_older_one_than_the_last_full_feed_is_superseded(commerce: Commerce):
    now = datetime.now(UTC)
    load(commerce, CATALOG, snapshot_at=now)
    assert load(commerce, CATALOG, snapshot_at=now).outcome == "nothing_changed"
    late = load(commerce, CATALOG, snapshot_at=now - timedelta(hours=1))
    assert late.outcome == "superseded"
    assert commerce.feeds.get(late.feed_id).status == "superseded"


def test_what_was_recognised_counts_as_applied_when_older_feeds_arrive(commerce: Commerce):
    now = datetime.now(UTC)
    load(commerce, CATALOG, snapshot_at=now - timedelta(hours=3))
    load(commerce, CATALOG, snapshot_at=now - timedelta(hours=1))
    assert load(commerce, OTHER, snapshot_at=now - timedelta(hours=2)).outcome == "superseded"
