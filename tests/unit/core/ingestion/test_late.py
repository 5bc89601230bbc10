"""A delta that comes late changes nothing of what newer feeds have spoken of."""

import io
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest

from commerce_core.commerce import Commerce
from commerce_core.feeds.job import Job
from entrypoints.compose import open_platform
from entrypoints.settings import Settings

EARLIER = datetime(2026, 1, 1, tzinfo=UTC)


@pytest.fixture
def commerce() -> Iterator[Commerce]:
    with open_platform(Settings(database_url="memory:")) as made:
        made.partners.add("Acme", currency="EUR")
        yield made


def load(commerce: Commerce, body: str, days: int = 0, mode: str = "delta") -> Job:
    at = EARLIER + timedelta(days=days)
    stream = io.BytesIO(body.encode())
    return commerce.feeds.load(
        stream, partner="Acme", mode="full" if mode == "full" else "delta", snapshot_at=at
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
