"""Of the full feeds of a source that wait, only the newest is worth reading."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import pytest
from attrs import evolve
from hypothesis import given
from hypothesis import strategies as st

from commerce_core.feeds.coalescing import UnderWay, coalesce
from commerce_core.schema.fields import Mode

T0 = datetime(2026, 1, 1, tzinfo=UTC)
HOUR = timedelta(hours=1)


def job(number: int, shows: int = 0, mode: Mode = "full", **changes: object) -> UnderWay:
    """The n-th job, of a feed that shows the state of so many hours after the first moment."""
    made = UnderWay(
        f"job_{number}", f"feed_{number}", "ingest", "queued", True, mode, T0 + shows * HOUR,
        T0 + number * timedelta(minutes=1),
    )  # fmt: skip
    return evolve(made, **changes)


def decide(
    claimed: UnderWay, others: Sequence[UnderWay], odd: Sequence[UnderWay] = ()
) -> tuple[str, list[str]] | None:
    """Which one is read, and which are needless; `odd` are those that say not all."""
    decided = coalesce(claimed.job_id, [claimed, *others], lambda job: job not in odd)
    if decided is None:
        return None
    return decided.newest.job_id, sorted(other.job_id for other in decided.others)


def test_a_feed_that_is_alone_has_its_turn():
    assert decide(job(1), []) is None


def test_the_newest_snapshot_counts_and_not_the_order_of_receipt():
    assert decide(job(1, 5), [job(2, 3), job(3, 9), job(4, 4)]) == (
        "job_3",
        ["job_1", "job_2", "job_4"],
    )


def test_of_two_of_one_moment_the_later_received_counts():
    assert decide(job(1), [job(2)]) == ("job_2", ["job_1"])


@pytest.mark.parametrize(
    "other",
    [job(2, mode="delta"), job(2, released=False), job(2, status="running"), job(2, kind="plan")],
)
def test_deltas_and_what_waits_for_a_person_and_what_runs_and_writes_nothing_keep_their_place(
    other: UnderWay,
):
    assert decide(job(1), [other]) is None


def test_a_claimed_delta_stands_for_nothing():
    assert decide(job(1, mode="delta"), [job(2), job(3)]) is None


def test_a_job_that_was_claimed_by_its_id_counts_released_or_not():
    asked_for = job(3, released=False, status="running")
    assert decide(asked_for, [job(1), job(2)]) == ("job_3", ["job_1", "job_2"])


def test_a_file_that_is_no_full_feed_replaces_no_other():
    odd = job(3)
    assert decide(job(1), [job(2), odd], [odd]) == ("job_2", ["job_1"])
    assert decide(odd, [job(1), job(2)], [odd]) is None
    assert decide(job(1), [odd], [odd]) is None


def test_no_file_is_looked_at_where_there_is_no_choice():
    def never(_: UnderWay) -> bool:
        raise AssertionError("nobody asks")

    assert coalesce("job_1", [job(1), job(2, mode="delta")], never) is None


@given(
    st.lists(
        st.tuples(st.integers(0, 3), st.sampled_from(["full", "delta"]), st.booleans()),
        min_size=1,
        max_size=7,
    ),
    st.data(),
)
def test_whatever_waits_the_newest_full_feed_stays_and_nothing_newer_is_lost(
    told: list[tuple[int, Mode, bool]], data: st.DataObject
):
    jobs = [job(n, shows, mode, released=free) for n, (shows, mode, free) in enumerate(told)]
    claimed = data.draw(st.sampled_from(jobs))
    odd = data.draw(st.sets(st.sampled_from(jobs)))
    decided = coalesce(claimed.job_id, jobs, lambda job: job not in odd)
    full = [job for job in jobs if job.mode == "full" and (job.released or job == claimed)]
    if decided is None:
        sound = [job for job in full if job not in odd]
        older = [job for job in full if sound and job.newness < max(s.newness for s in sound)]
        assert not older or claimed not in [*older, max(sound, key=lambda s: s.newness)]
    else:
        assert decided.newest not in odd
        assert all(other.newness < decided.newest.newness for other in decided.others)
        assert all(other in full for other in decided.others)
        assert claimed in (decided.newest, *decided.others)
        assert decided.newest.feed_id in decided.reason.message
