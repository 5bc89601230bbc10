"""Tasks: which lane has which kinds, and when a chore is due again."""

from datetime import UTC, datetime, timedelta
from typing import get_args

from hypothesis import given
from hypothesis import strategies as st

from commerce_core.work.attempt import MOST_CRASHED_ATTEMPTS, MOST_DISCONNECTED_ATTEMPTS
from commerce_core.work.task import CHORES, LANES, Lane, Task, TaskKind, lane_of, next_due
from entrypoints.worker import POLL_EVERY

T0 = datetime(2026, 11, 29, tzinfo=UTC)
HOUR = timedelta(hours=1)


def test_every_kind_is_in_one_lane_and_every_lane_has_a_thread():
    kinds: list[TaskKind] = [kind for lane in LANES.values() for kind in lane]
    assert sorted(kinds) == sorted(get_args(TaskKind))
    assert set(LANES) == set(get_args(Lane)) == set(POLL_EVERY)
    assert [kind for kind in kinds if kind not in LANES[lane_of(kind)]] == []
    assert "feeds" not in {lane_of(kind) for kind in CHORES}


@given(
    st.timedeltas(timedelta(), timedelta(days=400)),
    st.timedeltas(timedelta(milliseconds=1), timedelta(days=40)),
)
def test_a_chore_is_due_at_the_next_moment_of_its_grid(late: timedelta, every: timedelta):
    due = next_due(T0, T0 + late, every)
    assert T0 + late < due <= T0 + late + every
    assert (due - T0) % every == timedelta()


def test_a_clock_that_was_set_back_makes_nothing_due_at_once():
    assert next_due(T0, T0 - timedelta(seconds=1), HOUR) == T0


def test_a_task_is_given_up_after_too_many_attempts():
    def given_up(crashed: int, disconnected: int) -> bool:
        return Task(
            1, "forget_events", "", "running", T0, crashed_attempts=crashed,
            disconnected_attempts=disconnected,
        ).is_given_up  # fmt: skip

    assert not given_up(MOST_CRASHED_ATTEMPTS - 1, MOST_DISCONNECTED_ATTEMPTS - 1)
    assert given_up(MOST_CRASHED_ATTEMPTS, 0)
    assert given_up(0, MOST_DISCONNECTED_ATTEMPTS)
