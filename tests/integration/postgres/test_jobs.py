"""The queue in PostgreSQL: leases by the database's clock, and the end of former runs."""

from collections.abc import Callable
from datetime import timedelta
from uuid import UUID

import psycopg
import pytest

from adapters.postgres import PostgresStore
from adapters.postgres.collections.queue import NEXT_IN_TURN
from commerce_core.base.errors import RunLost, Unavailable
from commerce_core.feeds.feed import Feed
from commerce_core.feeds.job import FeedLane, Job, Progress
from commerce_core.feeds.source import Source
from commerce_core.feeds.summary import Summary
from tests.contracts import samples
from tests.contracts.samples import MINUTE, T0
from tests.contracts.threads import together

Connect = Callable[[], psycopg.Connection]
OVER = timedelta(0)
"""A lease that is over at once."""


@pytest.fixture
def feed(store: PostgresStore) -> Feed:
    """A received feed of one partner."""
    _, source = samples.settled(store)
    return samples.received(store, source)


def claimed(store: PostgresStore, lease: timedelta = MINUTE) -> Job | None:
    with store.begin() as unit:
        return unit.jobs.claim(T0, lease)


def certainly(job: Job | None) -> Job:
    assert job is not None
    return job


def run_of(store: PostgresStore, job: Job, session: str, lease: timedelta = OVER) -> None:
    """Notes the session in which a job's run works."""
    with store.begin() as unit:
        unit.jobs.renew(job, Progress("read"), lease, session)


def is_alive(connect: Connect, session: str) -> bool:
    query = "SELECT count(*) FROM pg_stat_activity WHERE pid = %s"
    (alive,) = connect().execute(query, [session.partition(":")[0]]).fetchone() or (0,)
    return bool(alive)


def test_a_takeover_ends_the_former_runs_session(
    store: PostgresStore, feed: Feed, connect: Connect
):
    """A run that stands still with locks in its hands blocks no one: its session is ended first."""
    samples.queued(store, feed)
    first = certainly(claimed(store, OVER))
    taken_over: list[Job] = []

    def stand_still() -> None:
        with store.begin() as stopped:
            run_of(store, first, stopped.session)
            plan = stopped.products.compare(
                samples.feed_context(feed), samples.batches([samples.record(2, "A")]), 10
            )
            publication = samples.publication(feed)
            stopped.products.apply(plan, publication, samples.new_stem())
            stopped.jobs.finish(first.complete(T0, Summary(), "clean"))
            stopped.publications.add(publication, T0)
            taken_over.append(certainly(claimed(store)))
            assert not is_alive(connect, stopped.session)

    with pytest.raises(Unavailable):
        stand_still()
    (second,) = taken_over
    assert second.attempts == 2
    samples.publish(store, source_of(store, feed), samples.record(2, "B"))
    assert samples.catalog(store).keys() == {"B"}
    with store.begin() as unit:
        unit.jobs.finish(second.complete(T0, Summary(), "clean"))


def source_of(store: PostgresStore, feed: Feed) -> Source:
    with store.begin() as unit:
        return unit.sources.get(feed.source_id)


def test_any_claim_ends_the_sessions_of_runs_that_are_over(
    store: PostgresStore, feed: Feed, connect: Connect
):
    """Where a partner's other job is claimed, the run that is over can't hold that up either."""
    other = samples.queued(store, feed, released=False)
    samples.queued(store, feed)
    first = certainly(claimed(store, OVER))
    assert first.job_id != other.job_id

    def stand_still() -> None:
        with store.begin() as stopped:
            run_of(store, first, stopped.session)
            stopped.products.compare(samples.feed_context(feed), samples.batches([]), 10)
            with store.begin() as unit:
                assert unit.jobs.claim(T0, MINUTE, other.job_id)
            assert not is_alive(connect, stopped.session)

    with pytest.raises(Unavailable):
        stand_still()


def test_a_session_is_ended_only_if_it_is_the_same_one(
    store: PostgresStore, feed: Feed, connect: Connect
):
    """The number of a process may have been given to another; then its start differs."""
    samples.queued(store, feed)
    first = certainly(claimed(store, OVER))
    with store.begin() as bystander:
        pid, _, start = bystander.session.partition(":")
        assert start
        run_of(store, first, f"{pid}:{float(start) - 1:.6f}")
        assert claimed(store)
        assert is_alive(connect, bystander.session)
        assert bystander.partners.count(None) == 1


def test_a_run_under_its_lease_is_left_alone(store: PostgresStore, feed: Feed, connect: Connect):
    """As long as the lease holds nobody ends the session."""
    samples.queued(store, feed)
    job = certainly(claimed(store))
    with store.begin() as running:
        run_of(store, job, running.session, MINUTE)
        assert claimed(store) is None
        assert is_alive(connect, running.session)
        running.jobs.finish(job.complete(T0, Summary(), "clean"))
    with store.begin() as unit:
        assert unit.jobs.get(job.job_id).status == "completed"


def test_a_lost_run_commits_nothing(store: PostgresStore, feed: Feed):
    """What a run did before it found itself taken over is rolled back with its unit."""
    samples.queued(store, feed)
    lost = certainly(claimed(store, OVER))
    assert claimed(store)

    def go_on() -> None:
        with store.begin() as unit:
            plan = unit.products.compare(
                samples.feed_context(feed), samples.batches([samples.record(2, "A")]), 10
            )
            unit.products.apply(plan, samples.publication(feed), samples.new_stem())
            unit.jobs.finish(lost.complete(T0, Summary(), "clean"))

    with pytest.raises(RunLost):
        go_on()
    assert samples.catalog(store) == {}


def test_the_databases_clock_decides(store: PostgresStore, feed: Feed):
    """Workers whose clocks are years off neither take over too early nor wait for too long."""
    samples.queued(store, feed)
    year = timedelta(days=365)
    with store.begin() as unit:
        assert unit.jobs.claim(T0 - 10 * year, MINUTE)
    with store.begin() as unit:
        assert unit.jobs.claim(T0 + 10 * year, MINUTE) is None


def test_a_locked_job_is_passed_over(store: PostgresStore, feed: Feed):
    """A claim doesn't wait for a job that somebody is just now changing: it takes another."""
    _, elsewhere = samples.settled(store)
    first = samples.queued(store, feed)
    second = samples.queued(store, samples.received(store, elsewhere))
    with store.begin() as unit:
        unit.jobs.lock(first.job_id)
        job = certainly(claimed(store))
        assert job.job_id == second.job_id
        assert claimed(store) is None
    assert claimed(store)


def test_claims_that_arent_committed_count(store: PostgresStore, feed: Feed):
    """Two who claim at once never get two jobs of one partner, though neither sees the other's."""
    samples.queued(store, feed)
    samples.queued(store, feed)
    with store.begin() as unit:
        assert unit.jobs.claim(T0, MINUTE)
        assert claimed(store) is None
    assert claimed(store) is None


def test_many_workers_claim_at_once(store: PostgresStore):
    """Eight workers on twelve partners' jobs get each once, and never two of a partner."""
    for _ in range(12):
        _, source = samples.settled(store)
        samples.queued(store, samples.received(store, source))
        samples.queued(store, samples.received(store, source))
    taken: list[Job] = []

    def work() -> None:
        while job := claimed(store):
            taken.append(job)

    together(*[work] * 8)
    while job := claimed(store):
        taken.append(job)
    assert len({job.partner_id for job in taken}) == len(taken) == 12


def pages_read_by_a_claim(db: psycopg.Connection, lane: FeedLane) -> int:
    (((plan,),),) = db.execute(
        f"EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) {NEXT_IN_TURN[lane]}",
        {"after": UUID(int=0), "up_to": UUID(int=2**128 - 1), "contested": []},
    ).fetchall()
    return plan["Plan"]["Shared Hit Blocks"] + plan["Plan"]["Shared Read Blocks"]


@pytest.mark.slow
def test_a_claim_reads_as_much_of_a_long_queue_as_of_a_short_one(connect: Connect):
    """A few pages for each partner that is busy, however many jobs wait and have been."""
    with connect() as db:
        db.execute(
            """
            INSERT INTO jobs (job_id, feed_id, partner_id, kind, status, released, created_at,
                              attempts, progress, source_id, is_small)
            SELECT gen_random_uuid(), gen_random_uuid(), md5((n % 10)::text)::uuid, 'ingest',
                   CASE WHEN n <= 100000 THEN 'queued' ELSE 'completed' END,
                   TRUE, now(), 1, '{}', md5((n % 40)::text)::uuid, TRUE
            FROM generate_series(1, 120000) n
            """
        )
        db.execute("ANALYZE jobs")
        assert pages_read_by_a_claim(db, "feeds") < 50
        assert pages_read_by_a_claim(db, "small_feeds") < 50
        db.execute(
            """
            UPDATE jobs
            SET status = 'running', lease_expires_at = now() + interval '1 hour'
            WHERE job_id IN (SELECT DISTINCT ON (partner_id) job_id FROM jobs
                             WHERE status = 'queued' ORDER BY partner_id, job_id)
            """
        )
        assert pages_read_by_a_claim(db, "feeds") < 500
        assert pages_read_by_a_claim(db, "small_feeds") < 500
