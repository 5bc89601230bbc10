"""A feed that comes late changes nothing of what newer feeds contained."""

import io
from collections import Counter
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from random import Random
from typing import BinaryIO, cast

import pytest
from attrs import define, evolve, field

from commerce_core.commerce import Commerce
from commerce_core.feeds.feed import Feed
from commerce_core.feeds.job import Job
from commerce_core.ingestion import late
from commerce_core.ports.files import Files, StoredFile
from commerce_core.profiles.profile import Column, Profile
from entrypoints.compose import open_platform
from entrypoints.settings import Settings

EARLIER = datetime(2026, 1, 1, tzinfo=UTC)
CATALOG = "sku,title,price\nA,Lamp,5\nB,Chair,6\nC,Desk,7\n"


@define
class WatchedFiles:
    """Files that count the bytes read of each, and call `opening` before one is opened."""

    _inner: Files
    read: Counter[str] = field(factory=Counter)
    opening: Callable[[str], object] = lambda _: None

    @contextmanager
    def open(self, key: str) -> Generator[BinaryIO]:
        self.opening(key)
        with self._inner.open(key) as stream:
            content = stream.read()
        self.read[key] += len(content)
        yield io.BytesIO(content)

    def put(self, key: str, stream: BinaryIO, most_bytes: int) -> StoredFile:
        return self._inner.put(key, stream, most_bytes)

    def list(self, prefix: str) -> Iterator[str]:
        return self._inner.list(prefix)

    def delete(self, key: str) -> None:
        self._inner.delete(key)

    def check(self) -> None:
        self._inner.check()


@pytest.fixture
def commerce() -> Iterator[Commerce]:
    with open_platform(Settings(database_url="memory:")) as made:
        made.partners.add("Acme", currency="EUR")
        yield Commerce(evolve(made.context, files=WatchedFiles(made.context.files)))


@pytest.fixture
def files(commerce: Commerce) -> WatchedFiles:
    return cast("WatchedFiles", commerce.context.files)


def bytes_read(commerce: Commerce, files: WatchedFiles, act: Callable[[], Job]) -> dict[str, int]:
    """The bytes that a load reads of every file but its own, by the feed's id."""
    files.read.clear()
    own = act().feed_id
    read = {key.rpartition("/")[2]: size for key, size in files.read.items()}
    return {feed_id: size for feed_id, size in read.items() if feed_id != own}


def load(
    commerce: Commerce, body: str, days: float = 0, mode: str = "delta", partner: str = "Acme"
) -> Job:
    at = EARLIER + timedelta(days=days)
    stream = io.BytesIO(body.encode())
    return commerce.feeds.load(
        stream, partner=partner, mode="full" if mode == "full" else "delta", snapshot_at=at
    )


def prices(commerce: Commerce) -> dict[str, str]:
    return {product.sku: str(product.price) for product in commerce.products.list()}


def test_a_late_record_is_overtaken_also_by_a_feed_that_left_its_product_unchanged(
    commerce: Commerce,
):
    load(commerce, "sku,title,price\nA,Lamp,5\nB,Chair,6\nC,Desk,7\n", 1, "full")
    load(commerce, "sku,price\nA,5\n", 9)  # Changes nothing, but says that it is still 5.
    summary = load(commerce, "sku,price\nA,1\nB,2\nX,3\n", 5).summary
    assert summary is not None
    assert (summary.overtaken, summary.updated, summary.rejected) == (1, 1, 1)
    assert prices(commerce) == {"A": "5.00", "B": "2.00", "C": "7.00"}


def test_a_feed_in_order_overtakes_nothing_and_a_rejected_record_neither(commerce: Commerce):
    load(commerce, "sku,title,price\nA,Lamp,5\nB,Chair,6\n", 1, "full")
    load(commerce, "sku,price\nA,free\nB,7\n", 9)
    summary = load(commerce, "sku,price\nA,4\n", 5).summary
    assert summary is not None
    assert (summary.overtaken, summary.updated) == (0, 1)
    assert load(commerce, "sku,price\nA,3\n", 10).outcome == "clean"
    assert prices(commerce) == {"A": "3.00", "B": "7.00"}


def test_a_delta_that_is_overtaken_as_a_whole_is_done_and_has_changed_nothing(commerce: Commerce):
    load(commerce, "sku,title,price\nA,Lamp,5\n", 9)
    job = load(commerce, "sku,title,price\nA,Lamp,4\n", 2)
    assert (job.status, job.outcome) == ("completed", "nothing_changed")
    assert prices(commerce) == {"A": "5.00"}


def test_an_older_full_feed_says_all_but_what_newer_deltas_have_spoken_of(commerce: Commerce):
    load(commerce, "sku,title,price\nA,Lamp,5\nB,Chair,6\nC,Desk,7\nD,Bed,8\n", 1, "full")
    load(commerce, "sku,title,price,deleted\nA,Lamp,9,\nD,,,yes\nN,New,1,\n", 9)
    body = "sku,title,price\nA,Lamp,4\nB,Chair,3\nD,Bed,8\n"
    job = load(commerce, body, 5, "full")
    assert job.summary is not None
    assert (job.outcome, job.summary.overtaken, job.summary.updated) == ("clean", 2, 1)
    assert (job.summary.absent, job.summary.removed) == (1, 1)
    assert prices(commerce) == {"A": "9.00", "B": "3.00", "N": "1.00"}


def test_an_older_full_feed_is_superseded_as_a_whole_by_a_newer_full_one(commerce: Commerce):
    load(commerce, "sku,title,price\nA,Lamp,5\n", 9, "full")
    assert load(commerce, "sku,title,price\nB,Chair,5\n", 5, "full").outcome == "superseded"


def test_a_product_that_a_newer_feed_removed_stays_removed(commerce: Commerce):
    load(commerce, "sku,title,price\nA,Lamp,5\n", 1)
    load(commerce, "sku,deleted\nA,yes\n", 9)
    load(commerce, "sku,title,price\nA,Lamp,4\n", 5)
    assert prices(commerce) == {}


def test_products_of_a_newer_full_feed_are_looked_up_and_its_file_is_not_read(
    commerce: Commerce, files: WatchedFiles
):
    """So a late record takes what it takes to find it, however large the catalog is."""
    load(commerce, CATALOG, 9, "full")
    late_delta = "sku,title,price\nB,Chair,1\nX,Bowl,2\n"
    assert bytes_read(commerce, files, lambda: load(commerce, late_delta, 5)) == {}
    assert prices(commerce) == {"A": "5.00", "B": "6.00", "C": "7.00", "X": "2.00"}


def test_a_full_feed_that_was_sent_again_is_looked_up_as_well(
    commerce: Commerce, files: WatchedFiles
):
    """The second time it published nothing, and shows what the first publication made."""
    load(commerce, CATALOG, 3, "full")
    load(commerce, CATALOG, 9, "full")
    assert bytes_read(commerce, files, lambda: load(commerce, "sku,price\nA,1\n", 5)) == {}
    assert prices(commerce)["A"] == "5.00"


@pytest.mark.parametrize(
    "body",
    [
        "sku,title,price\nA,Lamp,5\nB,Chair,free\n",
        "sku,title,price,deleted\nA,Lamp,5,\nB,,,yes\n",
    ],
    ids=["with a rejected record", "with deletes"],
)
def test_a_full_feed_that_isnt_just_what_the_catalog_shows_is_read(
    commerce: Commerce, files: WatchedFiles, body: str
):
    load(commerce, CATALOG, 1, "full")
    newer = load(commerce, body, 9, "full").feed_id
    read = bytes_read(
        commerce, files, lambda: load(commerce, "sku,title,price\nA,Lamp,1\nB,Chair,2\n", 5)
    )
    assert read == {newer: len(body)}
    # A rejected record contained nothing; one that deletes contained its product.
    assert prices(commerce).get("B") == (None if "deleted" in body else "2.00")
    assert prices(commerce)["A"] == "5.00"


def test_newer_files_are_read_only_until_every_sku_is_found(
    commerce: Commerce, files: WatchedFiles
):
    load(commerce, CATALOG, 1, "full")
    load(commerce, "sku,price\nA,5\n", 7)
    last = load(commerce, "sku,price\nA,5\nB,6\n", 9).feed_id
    read = bytes_read(commerce, files, lambda: load(commerce, "sku,price\nB,1\n", 5))
    assert read.keys() == {last}


def test_a_newer_feed_is_read_as_it_was_read_when_it_was_applied(commerce: Commerce):
    """By its own profile, though the source's has changed since."""
    load(commerce, CATALOG, 1, "full")
    own = Profile(columns={"sku": Column(("Code",)), "price": Column(("Cost",))})
    commerce.sources.set_profile(own, partner="Acme")
    load(commerce, "Code,Cost\nA,5\n", 9)
    commerce.sources.set_profile(Profile(), partner="Acme")
    summary = load(commerce, "sku,price\nA,1\nB,2\n", 5).summary
    assert summary is not None
    assert (summary.overtaken, summary.updated) == (1, 1)


def test_looking_up_and_reading_find_the_same(commerce: Commerce, monkeypatch: pytest.MonkeyPatch):
    """Whatever arrives in whatever order, with records that are rejected or delete."""
    commerce.partners.add("Other", currency="EUR")
    for seed in range(12):
        dice = Random(seed)
        for day in dice.sample(range(1, 40), 7):
            mode = dice.choice(["full", "delta", "delta"])
            rows = [
                f"{sku},Name,{dice.choice('5667x')},{dice.choice(['', '', '', 'yes'])}"
                for sku in dice.sample("ABCDEF", dice.randint(1, 6))
            ]
            if with_deletes := dice.random() < 0.3:
                rows.insert(0, "sku,title,price,deleted")
            else:
                rows = ["sku,title,price", *(row.rpartition(",")[0] for row in rows)]
            body = "\n".join([*rows, ""])
            jobs = []
            for partner, most in (("Acme", late.MOST_ASKED), ("Other", 0)):
                monkeypatch.setattr(late, "MOST_ASKED", most)
                jobs.append(load(commerce, body, seed + day / 100, mode, partner))
                monkeypatch.undo()
            one, other = ((job.status, job.outcome, counts(job)) for job in jobs)
            assert one == other, (seed, body, with_deletes)


def counts(job: Job) -> dict[str, int]:
    return dict(job.summary.counts) if job.summary else {}


@pytest.mark.parametrize("limit", ["MOST_NEWER_FEEDS", "MOST_NEWER_BYTES", "MOST_SKUS"])
def test_a_feed_beyond_the_limits_fails_as_too_late_and_changes_nothing(
    commerce: Commerce, monkeypatch: pytest.MonkeyPatch, limit: str
):
    """Up to the limit itself it is taken; beyond, nothing is guessed."""
    load(commerce, CATALOG, 1, "full")
    bodies = ["sku,price\nA,5\n", "sku,price\nB,6\n"]
    for day, body in enumerate(bodies):
        load(commerce, body, 8 + day)
    enough = {"MOST_NEWER_FEEDS": 2, "MOST_NEWER_BYTES": sum(map(len, bodies)), "MOST_SKUS": 2}
    late_delta = "sku,price\nA,1\nC,2\n"
    monkeypatch.setattr(late, limit, enough[limit] - 1)
    job = load(commerce, late_delta, 5)
    assert (job.status, job.error and job.error.code) == ("failed", "too_late")
    assert prices(commerce)["C"] == "7.00"
    monkeypatch.setattr(late, limit, enough[limit])
    assert load(commerce, late_delta, 5).outcome == "clean"
    assert prices(commerce) == {"A": "5.00", "B": "6.00", "C": "2.00"}


def landed(commerce: Commerce, like: Feed, body: str, days: int) -> None:
    """A newer feed of another worker, applied while this one's is under way."""
    context = commerce.context
    feed_id = context.mint("feed")
    at = EARLIER + timedelta(days=days)
    feed = evolve(like, feed_id=feed_id, mode="delta", status="applied", snapshot_at=at)
    context.files.put(feed.file_key, io.BytesIO(body.encode()), 1000)
    with context.store.begin() as unit:
        unit.feeds.add(feed)


def test_a_newer_feed_that_lands_meanwhile_counts_too(commerce: Commerce, files: WatchedFiles):
    """It is looked through under the partner's lock, where none can land any more."""
    first = commerce.feeds.get(load(commerce, CATALOG, 1, "full").feed_id)
    once = iter([True])

    def opening(_: str) -> None:
        if next(once, False):
            landed(commerce, first, "sku,price\nA,5\n", 9)

    files.opening = opening
    summary = load(commerce, "sku,price\nA,1\nB,2\n", 5).summary
    assert summary is not None
    assert (summary.overtaken, summary.updated) == (1, 1)


def test_a_newer_feed_that_is_reverted_meanwhile_no_longer_counts(
    commerce: Commerce, files: WatchedFiles
):
    load(commerce, CATALOG, 1, "full")
    newer = commerce.feeds.get(load(commerce, "sku,price\nA,5\n", 9).feed_id)
    kept = commerce.feeds.get(load(commerce, "sku,price\nB,6\n", 8).feed_id)

    def opening(key: str) -> None:
        if key == kept.file_key:
            files.opening = lambda _: None
            with commerce.context.store.begin() as unit:
                unit.feeds.put(newer.became("reverted"))

    files.opening = opening
    load(commerce, "sku,price\nA,4\nB,4\nC,4\n", 5)
    assert prices(commerce) == {"A": "4.00", "B": "6.00", "C": "4.00"}


def test_a_preview_of_a_late_file_knows_what_is_overtaken(commerce: Commerce):
    load(commerce, CATALOG, 1, "full")
    load(commerce, "sku,price\nA,5\n", 9)
    stream = io.BytesIO(b"sku,price\nA,1\nB,2\n")
    at = EARLIER + timedelta(days=5)
    plan = commerce.plans.preview(stream, partner="Acme", mode="delta", snapshot_at=at)
    assert (plan.overtaken, plan.updated) == (1, 1)
