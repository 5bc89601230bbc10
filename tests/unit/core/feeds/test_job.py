"""Jobs: which step may follow which, and figures that account for every record."""

from datetime import UTC, datetime, timedelta

import pytest
from attrs import evolve
from hypothesis import given
from hypothesis import strategies as st

from commerce_core.base.errors import Conflict
from commerce_core.feeds.job import FINISHED, Decision, Job, JobError, JobStatus, Pace, Progress
from commerce_core.feeds.summary import Outcome, Summary

NOW = datetime(2026, 3, 31, 12, tzinfo=UTC)
LATER = NOW + timedelta(minutes=5)
FATES = (
    "created", "updated", "restored", "unchanged", "deleted", "folded", "skipped", "rejected",
    "duplicate", "overtaken", "blank",
)  # fmt: skip
ACCEPTED = ("created", "updated", "restored", "unchanged", "deleted", "overtaken")


def job(status: JobStatus = "queued", *, released: bool = False) -> Job:
    return Job(
        "job_1",
        "feed_1",
        "ptn_1",
        "ingest",
        status,
        released,
        NOW,
        progress=Progress("compare", 5, 9, 3),
    )


# --- steps ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("status", ["queued", "running"])
def test_a_job_that_is_not_finished_can_be_released(status: JobStatus):
    released = job(status).release()
    assert (released.status, released.released) == (status, True)
    assert released.release() == released


def test_a_job_states_what_it_waits_for():
    assert job(released=False).waiting_for == "run"
    assert job(released=True).waiting_for == "worker"
    assert job("held").waiting_for == "decision"
    for status in ("running", "completed", "failed", "cancelled"):
        assert job(status).waiting_for is None


def test_a_queued_job_can_be_cancelled():
    for released in (True, False):
        cancelled = job(released=released).cancel(LATER)
        assert (cancelled.status, cancelled.finished_at) == ("cancelled", LATER)
        assert cancelled.is_finished


def test_a_running_job_can_be_cancelled_and_says_how_far_it_was():
    progress = Progress("read", 1_200, 9_000, 3)
    cancelled = evolve(job("running"), progress=progress).cancel(LATER, "Ann")
    assert (cancelled.status, cancelled.finished_at) == ("cancelled", LATER)
    assert cancelled.error is not None
    assert cancelled.error.code == "cancelled"
    assert cancelled.error.message == (
        "Cancelled by Ann in stage read, after 1,200 of 9,000 bytes and 3 records. Nothing of it "
        "was kept."
    )


def test_a_job_fails_when_its_time_budget_is_used_up_and_not_before():
    progress = Progress("apply", 9_000, 9_000, 3)
    hour = timedelta(hours=1)
    assert job("queued").out_of_time(hour, LATER, progress) is None
    running = evolve(job("running"), started_at=LATER)
    assert running.out_of_time(hour, LATER + hour, progress) is None
    refusal = running.out_of_time(hour, LATER + hour + timedelta(seconds=1), progress)
    assert refusal is not None
    assert refusal.code == "out_of_time"
    assert "budget of 3,600 seconds was used up in stage apply" in refusal.detail


def test_a_held_job_waits_for_a_decision_and_for_nothing_else():
    held = job("running").hold(LATER, Summary(records_read=1, updated=1))
    assert (held.status, held.is_finished, held.decision) == ("held", True, None)
    for act in (held.release, lambda: held.cancel(LATER)):
        with pytest.raises(Conflict) as refused:
            act()
        assert refused.value.code == "job_held"
        assert "approve or reject feed feed_1" in refused.value.remedy


def test_an_approved_job_is_queued_again_and_a_rejected_one_is_over():
    held = job("running").hold(LATER, Summary())
    approved = held.decided(Decision("approved", "operator", LATER, without=("removals",)))
    assert (approved.status, approved.released, approved.finished_at) == ("queued", False, None)
    assert approved.leaves_out("removals")
    rejected = held.decided(Decision("rejected", "operator", LATER))
    assert (rejected.status, rejected.is_finished) == ("cancelled", True)
    assert not rejected.leaves_out("removals")


@pytest.mark.parametrize("status", ["queued", "running", "completed", "failed", "cancelled"])
def test_only_a_held_job_is_decided_on(status: JobStatus):
    with pytest.raises(Conflict) as refused:
        job(status).decided(Decision("approved", "operator", LATER))
    assert refused.value.code == "feed_not_held"


@pytest.mark.parametrize("status", [status for status in FINISHED if status != "held"])
def test_a_finished_job_never_runs_again_and_the_refusal_gives_the_remedy(status: JobStatus):
    finished = job(status)
    assert finished.is_finished
    with pytest.raises(Conflict) as refused:
        finished.release()
    assert refused.value.code == "job_finished"
    assert "it can't run any more" in refused.value.detail
    assert refused.value.shown == {"feed_id": finished.feed_id}
    with pytest.raises(Conflict) as refused:
        finished.cancel(LATER)
    assert refused.value.code == "job_finished"
    assert f"is {status}; it can't be cancelled any more" in refused.value.detail


def test_a_completed_job_keeps_its_summary_and_how_far_it_was():
    summary = Summary(records_read=1, created=1)
    done = job("running").complete(LATER, summary, "clean")
    assert (done.status, done.outcome, done.finished_at) == ("completed", "clean", LATER)
    assert done.summary == summary
    assert done.progress == Progress("completed", 5, 9, 3)
    assert done.error is None


def test_a_failed_job_has_its_reason_and_its_records_if_known():
    error = JobError("unterminated_quote", "Line 3.")
    failed = job("running").fail(LATER, error)
    assert (failed.status, failed.error, failed.summary) == ("failed", error, None)
    assert failed.progress.stage == "failed"
    summary = Summary(records_read=2, rejected=2)
    assert job("running").fail(LATER, error, summary).summary == summary


# --- figures --------------------------------------------------------------------------------------

figures = st.fixed_dictionaries({name: st.integers(0, 9) for name in FATES})


@given(figures, st.integers(0, 9), st.integers(0, 50))
def test_a_summary_holds_where_every_record_and_product_is_accounted_for(
    fates: dict[str, int], absent: int, before: int
):
    removed = fates["deleted"] + absent
    read = Summary(sum(fates.values()), absent=absent, removed=removed)
    summary = evolve(read, **fates)
    after = before + fates["created"] + fates["restored"] - removed
    summary.check(before, after)
    assert summary.accepted == sum(fates[name] for name in ACCEPTED)
    for records in (-1, 1):
        with pytest.raises(AssertionError, match="accounted for"):
            evolve(summary, records_read=summary.records_read + records).check(before, after)
    for products in (-1, 1):
        with pytest.raises(AssertionError, match="products before"):
            summary.check(before, after + products)


@pytest.mark.parametrize(
    ("summary", "outcome"),
    [
        (Summary(), "nothing_changed"),
        (Summary(unchanged=5, duplicate=1, blank=2, absent=3, overtaken=1), "nothing_changed"),
        (Summary(created=1), "clean"),
        (Summary(updated=1), "clean"),
        (Summary(restored=1), "clean"),
        (Summary(removed=1), "clean"),
        (Summary(created=1, duplicate=1, warnings=9), "clean"),
        (Summary(created=1, rejected=1), "with_rejects"),
        (Summary(unchanged=1, rejected=1), "with_rejects"),
    ],
)
def test_the_outcome_follows_from_the_figures(summary: Summary, outcome: Outcome):
    assert summary.outcome == outcome


@pytest.mark.parametrize(
    ("progress", "seconds", "pace"),
    [
        (Progress("queued"), 5, Pace()),
        (Progress("read", 0, 100, 0), 5, Pace()),
        (Progress("read", 25, 100, 5_000), 5, Pace(1_000, 15.0)),
        (Progress("compare", 100, 100, 20_000), 20, Pace(1_000, None)),
        (Progress("read", 50, 100, 10), 0, Pace(10_000, 0.0)),
    ],
)
def test_the_pace_is_reported_from_what_has_been_read_so_far(
    progress: Progress, seconds: int, pace: Pace
):
    running = evolve(job("running"), started_at=NOW, progress=progress)
    assert running.pace(NOW + timedelta(seconds=seconds)) == pace


def test_what_does_not_run_has_no_pace():
    for status in ("queued", "completed"):
        assert evolve(job(status), started_at=NOW).pace(LATER) == Pace()
