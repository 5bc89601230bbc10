"""Tasks in PostgreSQL: how a lane is read, what newer versions put there, and former sessions."""

from collections.abc import Callable
from datetime import timedelta

import psycopg
import pytest

from adapters.postgres import PostgresStore
from commerce_core.base.errors import Unavailable
from commerce_core.work.attempt import Progress
from commerce_core.work.task import Task
from tests.contracts.samples import MINUTE, T0

Connect = Callable[[], psycopg.Connection]
OVER = timedelta(0)
"""A lease that is over at once."""
LATER = """
    INSERT INTO tasks (lane, kind, subject, status, due_at, lease_expires_at, attempts, progress)
    SELECT 'chores', %s, number, 'queued', now() + %s, now() + %s, 0, '{}'
    FROM generate_series(1, %s) AS number
    """


def claim(store: PostgresStore, lease: timedelta = MINUTE) -> Task | None:
    with store.begin() as unit:
        return unit.tasks.claim("chores", T0, lease)


def test_a_look_at_a_lane_costs_the_same_however_much_is_due_later(
    store: PostgresStore, connect: Connect
):
    """It is along the index of what may be claimed next."""
    behind = connect()
    behind.execute(LATER, ["forget_events", MINUTE, MINUTE, 5000])
    behind.execute("ANALYZE tasks")
    plan = behind.execute(
        """
        EXPLAIN (ANALYZE, FORMAT TEXT)
        SELECT number FROM tasks
        WHERE lane = 'chores' AND kind = ANY('{forget_events,forget_versions}')
          AND lease_expires_at <= clock_timestamp()
        ORDER BY lease_expires_at LIMIT 1 FOR NO KEY UPDATE SKIP LOCKED
        """
    ).fetchall()
    assert "tasks_by_time" in str(plan)
    assert claim(store) is None


def test_what_a_newer_version_added_is_left_to_it(store: PostgresStore, connect: Connect):
    """A kind that this version doesn't know is passed over, though it is due longest."""
    connect().execute(LATER, ["invent_products", -MINUTE, -MINUTE, 3])
    assert claim(store) is None
    with store.begin() as unit:
        unit.tasks.add("forget_events")
    task = claim(store)
    assert task
    assert task.kind == "forget_events"


def test_a_takeover_ends_the_former_runs_session(store: PostgresStore):
    """A stopped run with locks in its hands blocks no other: its session is ended first."""
    with store.begin() as unit:
        unit.tasks.add("forget_events")
    first = claim(store, OVER)
    assert first

    def stand_still() -> None:
        with store.begin() as stopped:
            with store.begin() as unit:
                unit.tasks.renew(first, Progress("read"), OVER, stopped.session)
            stopped.tasks.renew(first, Progress("read"), OVER)
            second = claim(store)
            assert second
            assert second.attempts == 2

    with pytest.raises(Unavailable):
        stand_still()
