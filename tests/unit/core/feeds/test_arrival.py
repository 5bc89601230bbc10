"""Which applied feeds count as fresh."""

from collections.abc import Sequence

import pytest
from attrs import evolve

from commerce_core.feeds.arrival import SIZES_COMPARED, Arrival, Verdict, arrival_of
from commerce_core.feeds.feed import Feed
from commerce_core.feeds.summary import Summary
from commerce_core.schema.fields import Mode
from tests.contracts import samples
from tests.contracts.samples import DAY, T0

SOURCE = samples.source(samples.partner())


def feed(digest: str = "cd", **changes: object) -> Feed:
    return samples.feed(SOURCE, sha256=digest * 32, **changes)


def before(*sizes: int | None, mode: Mode = "full") -> Sequence[Arrival]:
    """Former arrivals, newest first, of these sizes and all with other bytes."""
    made = samples.feed(SOURCE)
    return [
        Arrival(made.feed_id, SOURCE.source_id, SOURCE.partner_id, T0 - n * DAY, mode, f"{n:064}",
                size, size)
        for n, size in enumerate(sizes)
    ]  # fmt: skip


def verdict(
    of: Feed, records: int, former: Sequence[Arrival] = (), *, approved: bool = False
) -> Verdict:
    summary = Summary(records_read=records + 1, blank=1, unchanged=records)
    made = arrival_of(of, summary, 7, former, approved=approved)
    assert (made.records, made.products, made.at) == (records, 7, of.received_at)
    return made.verdict


def test_a_first_file_is_fresh():
    assert verdict(feed(), 1) == "fresh"


@pytest.mark.parametrize(("records", "expected"), [(50, "fresh"), (49, "shrunk")])
def test_a_full_file_that_lost_most_of_its_records_isnt(records: int, expected: str):
    """Fewer than half of the median of the last five."""
    assert verdict(feed(), records, before(1_000, 100, 100, 90, 20, 1, 1, 1)) == expected


def test_a_delta_may_have_any_size():
    assert verdict(feed(mode="delta"), 1, before(100, 100)) == "fresh"
    assert verdict(feed(), 1, before(100, 100, mode="delta")) == "fresh"
    assert verdict(feed(), 1, before(None, None)) == "fresh"


def test_a_smaller_size_becomes_the_usual_one():
    """So a source that has become smaller for good doesn't stay late."""
    sizes, verdicts = [100] * SIZES_COMPARED, list[Verdict]()
    for _ in range(4):
        verdicts.append(verdict(feed(), 30, before(*sizes)))
        sizes = [30, *sizes]
    assert verdicts == ["shrunk", "shrunk", "shrunk", "fresh"]


def test_a_shrunken_file_that_a_person_approved_is_fresh():
    assert verdict(feed(), 1, before(100), approved=True) == "fresh"


def test_the_same_bytes_as_the_last_ones_arent_fresh():
    """Those of an earlier file are: that is how a partner rolls back."""
    former = before(100, 100)
    last = evolve(former[0], sha256="cd" * 32)
    assert verdict(feed("cd"), 100, [last, former[1]]) == "same_bytes"
    assert verdict(feed("cd"), 100, [former[1], last]) == "fresh"


def test_our_own_files_that_come_back_arent_fresh():
    assert verdict(feed(returned="report"), 100) == "returned"


def test_a_file_that_newer_ones_have_overtaken_isnt_fresh():
    summary = Summary(records_read=3, overtaken=3)
    assert arrival_of(feed(), summary, 3, (), approved=False).verdict == "overtaken"
    summary = Summary(records_read=3, overtaken=2, updated=1)
    assert arrival_of(feed(), summary, 3, (), approved=False).verdict == "fresh"
