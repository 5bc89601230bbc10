"""Uploads that broke on the partner's server, and were moved into place there all the same."""

import json
from collections.abc import Iterator
from hashlib import sha256

import pytest
from attrs import define, evolve

from adapters.memory.fetcher import MemoryFetcher
from adapters.memory.vault import MemoryVault
from commerce_core.commerce import Commerce
from commerce_core.feeds.job import Job
from commerce_core.work.task import Task
from entrypoints.compose import open_platform
from entrypoints.settings import Settings

RECORDS = 1_000
ROW = 'A-{:04},"Lamp, {:04}",10.00\n'
WHOLE = ("sku,product_name,price\n" + "".join(ROW.format(n, n) for n in range(RECORDS))).encode()
CUT = WHOLE[: WHOLE.index(b"A-0300")]
"""It ends where a record does: nothing in it shows that the others are missing."""


@define
class Half:
    """A bucket whose first file was applied whole."""

    commerce: Commerce
    server: MemoryFetcher

    def load(self, content: bytes, manifest: dict[str, object] | None = None) -> Job | None:
        """Puts a version of the file, and its manifest; the job of its feed, if there is one."""
        before = {job.job_id for job in self.commerce.jobs.list()}
        etag = f'"{sha256(content).hexdigest()}"'
        self.server.put("out/a.csv", content, etag=etag)
        self.server.put("out/a.json", json.dumps(manifest or {}).encode(), etag=f'{etag[:-1]}m"')
        self.commerce.pulls.fetch("main", partner="Acme")
        for lane in ("fetches", "feeds"):
            while (claimed := self.commerce.queue.claim(lane)) is not None:
                if isinstance(claimed, Task):
                    self.commerce.queue.perform(claimed)
                else:
                    self.commerce.queue.execute(claimed)
        return next((job for job in self.commerce.jobs.list() if job.job_id not in before), None)

    @property
    def products(self) -> int:
        return len(list(self.commerce.products.list()))


@pytest.fixture
def half() -> Iterator[Half]:
    server = MemoryFetcher({}, users={"anna": "s3cret"})
    with open_platform(Settings(database_url="memory:")) as platform:
        commerce = Commerce(evolve(platform.context, s3=server, vault=MemoryVault()))
        commerce.partners.add("Acme", currency="EUR")
        commerce.sources.change("main", partner="Acme", mode="full", run=True)
        commerce.pulls.set(
            "main", "s3://bucket/out/", partner="Acme", username="anna", secret="s3cret",
            marker="{stem}.json",
        )  # fmt: skip
        made = Half(commerce, server)
        job = made.load(WHOLE, {"rows": RECORDS, "sha256": sha256(WHOLE).hexdigest()})
        assert job is not None
        assert (job.status, made.products) == ("completed", RECORDS)
        yield made


def test_a_cut_at_the_end_of_a_record_is_noticed_by_the_manifests_digest(half: Half):
    assert half.load(CUT, {"sha256": sha256(WHOLE).hexdigest()}) is None
    fetch = next(half.commerce.pulls.fetches())
    assert (fetch.outcome, fetch.error and fetch.error.code) == ("failed", "digest_mismatch")
    assert half.products == RECORDS


def test_a_cut_at_the_end_of_a_record_is_noticed_by_the_manifests_count(half: Half):
    job = half.load(CUT, {"rows": RECORDS})
    assert job is not None
    assert (job.status, job.error and job.error.code) == ("failed", "row_count")
    assert half.products == RECORDS


def test_a_cut_at_the_end_of_a_record_is_held_by_the_guard_of_removals(half: Half):
    job = half.load(CUT)
    assert job is not None
    assert job.status == "held"
    assert half.products == RECORDS


@pytest.mark.parametrize("size", [9, 12, -12, -3], ids=["in a cell", "in quotes", "late", "last"])
def test_a_cut_within_a_record_removes_nothing(half: Half, size: int):
    at = len(CUT) + size if size > 0 else len(WHOLE) + size
    job = half.load(WHOLE[:at])
    assert job is not None
    # Of a file that lacks no more than the end of its last record, that one is rejected.
    is_rejected = job.summary is not None and job.summary.rejected == 1
    assert job.status in ("failed", "held") or (size == -3 and is_rejected)
    assert half.products == RECORDS
