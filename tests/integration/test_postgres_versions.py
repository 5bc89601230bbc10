"""The same answers on every PostgreSQL that it is to run on; migrations that disturb nobody."""

import io
from collections.abc import Callable, Generator
from datetime import UTC, datetime
from pathlib import Path

import psycopg
import pytest
from psycopg.conninfo import make_conninfo

from adapters.memory import MemoryStore
from adapters.postgres import PostgresStore
from adapters.postgres.migrations import all_migrations, migrate
from commerce_core.products import ProductQuery
from tests.contracts.store_machine import agree
from tests.contracts.threads import together
from tests.servers.migration_lint import faults
from tests.servers.platform import Platform
from tests.servers.postgres import Postgres, running_server

KNOWN_FAULTS = {"0003_products_of_a_publication"}
"""Steps from before anybody had rows: they were judged by their reader."""


@pytest.fixture(scope="module", params=[15, 16])
def other_version(request: pytest.FixtureRequest) -> Generator[Postgres]:
    """A server of a version that isn't the embedded one."""
    with running_server(request.param) as server:
        yield server


def test_the_whole_way_of_a_feed_works_on_it(other_version: Postgres, tmp_path: Path):
    """Load, change, order, cancel and report, as everywhere."""
    with Platform(other_version.url(), tmp_path).opened() as commerce:
        commerce.intake.add_partner("Aroma", currency="EUR")
        for price in (b"1.00", b"2.50"):
            feed = b"sku,product_name,price,quantity\nA,Lamp," + price + b",9\nB,Chair,3,9\n"
            job = commerce.intake.load(io.BytesIO(feed), partner="Aroma")
            assert job.outcome == "clean", job
        lamp = commerce.catalog.page(ProductQuery(), partner="Aroma").items[0]
        assert lamp.version == 2
        order = commerce.ordering.place([(lamp.product_id, 2)], key="k")
        assert commerce.ordering.place([(lamp.product_id, 2)], key="k") == order
        assert commerce.ordering.cancel(order.order_id).status == "cancelled"
        assert commerce.operations.health()["database"] == "ok"


@pytest.mark.slow
def test_it_agrees_with_memory(other_version: Postgres):
    """Over random feeds, orders and takeovers it gives the answers of the reference."""
    with psycopg.connect(other_version.conninfo, autocommit=True) as db:
        db.execute("CREATE DATABASE agreeing")  # the clock of another test may be ahead
    conninfo = make_conninfo(other_version.conninfo, dbname="agreeing")
    with PostgresStore.open(conninfo) as store:
        agree(MemoryStore(lambda: datetime.now(UTC)), store, examples=6, steps=15)


# --- migrations -----------------------------------------------------------------------------------

ROWS = """
    INSERT INTO partners VALUES
        (gen_random_uuid(), 'Aroma', 'aroma', 'active', 'EUR', 'UTC', NULL, now(), now());
    INSERT INTO sources
        SELECT partner_id, 'main', gen_random_uuid(), 'delta', now() FROM partners;
    INSERT INTO feeds
        SELECT partner_id, gen_random_uuid(), source_id, 'f.csv', 'text/csv', 1, 'ab', 'delta',
               'received', now(), now(), NULL, NULL
        FROM sources;
    INSERT INTO jobs (job_id, feed_id, partner_id, kind, status, released, created_at, attempts,
                      progress)
        SELECT gen_random_uuid(), feed_id, partner_id, 'ingest', 'queued', TRUE, now(), 2,
               '{"stage": "queued", "bytes_read": 0, "bytes_total": 0, "records": 0}'
        FROM feeds;
    INSERT INTO publications (publication_id, partner_id, source_id, feed_id, mode, actor, number,
                              published_at)
        SELECT gen_random_uuid(), partner_id, source_id, feed_id, 'delta', 'me', 1, now()
        FROM feeds;
"""


def test_migrations_go_forward_with_rows_in_the_tables(new_database: str):
    """What a first version kept is there after all further steps, and can be worked with."""
    migrate(new_database, all_migrations()[:1])
    with psycopg.connect(new_database) as db:
        db.execute(ROWS)
    migrate(new_database)
    with PostgresStore.open(new_database) as store, store.begin() as unit:
        (partner,) = unit.partners.page(None, None, 9).items
        (source,) = unit.sources.of(partner.partner_id)
        assert unit.publications.latest(source.source_id)
        job = unit.jobs.claim(datetime.now(UTC), partner.created_at - partner.created_at)
        assert job
        assert (job.attempts, job.silent_ends) == (3, 0)


def test_processes_that_start_at_once_migrate_once(new_database: str):
    """Eight at the same moment: each step is taken by one of them, and none fails."""
    starts: list[Callable[[], None]] = [lambda: migrate(new_database)] * 8
    together(*starts)
    with psycopg.connect(new_database) as db:
        rows = db.execute("SELECT name FROM schema_migrations ORDER BY name").fetchall()
    assert [name for (name,) in rows] == [step.name for step in all_migrations()]


@pytest.mark.parametrize("step", all_migrations()[1:], ids=lambda step: step.name)
def test_no_migration_locks_a_table_for_long(step: object):
    """New columns are nullable or have a constant default, indexes of old tables are CONCURRENT."""
    name, text = step.name, step.text  # type: ignore[attr-defined]
    if name not in KNOWN_FAULTS:
        assert list(faults(text)) == []


@pytest.mark.parametrize(
    "statement",
    [
        "ALTER TABLE jobs ADD COLUMN a integer NOT NULL",
        "ALTER TABLE jobs ADD COLUMN a timestamptz DEFAULT clock_timestamp()",
        "ALTER TABLE jobs ADD COLUMN a integer DEFAULT 0 CHECK (a > 0)",
        "ALTER TABLE jobs ADD CONSTRAINT positive CHECK (attempts > 0)",
        "ALTER TABLE jobs ALTER COLUMN attempts TYPE bigint",
        "ALTER TABLE jobs ALTER COLUMN outcome SET NOT NULL",
        "ALTER TABLE jobs DROP COLUMN outcome",
        "CREATE INDEX jobs_by_kind ON jobs (kind)",
        "UPDATE jobs SET kind = 'ingest'",
        "LOCK TABLE jobs",
    ],
)
def test_the_lint_finds_what_would_lock(statement: str):
    assert len(list(faults(f"CREATE TABLE new (a integer);\n{statement};"))) == 1


@pytest.mark.parametrize(
    "statement",
    [
        "ALTER TABLE jobs ADD COLUMN a integer",
        "ALTER TABLE jobs ADD COLUMN a integer NOT NULL DEFAULT 0",
        "ALTER TABLE jobs ADD CONSTRAINT positive CHECK (attempts > 0) NOT VALID",
        "CREATE INDEX CONCURRENTLY jobs_by_kind ON jobs (kind)",
        "CREATE TABLE new (a integer NOT NULL CHECK (a > 0)); CREATE INDEX new_a ON new (a)",
    ],
)
def test_the_lint_takes_what_disturbs_nobody(statement: str):
    assert list(faults(statement)) == []
