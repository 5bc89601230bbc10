"""Migrations while others work: older versions, other starters, rows, and ends in the middle."""

import io
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import urlencode

import psycopg
import pytest
from psycopg.conninfo import conninfo_to_dict

from adapters.postgres import PostgresStore, migrations
from adapters.postgres.migrations import Migration, all_migrations, migrate
from commerce_core.base.errors import Unavailable
from commerce_core.catalog.product import ProductQuery
from commerce_core.commerce import Commerce
from tests.contracts.threads import meanwhile, together
from tests.support.servers.migration_lint import faults
from tests.support.servers.platform import Platform
from tests.support.waiting import PATIENCE, until

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
NEWER = [
    Migration(
        "9001_more_of_all",
        """
        ALTER TABLE partners ADD COLUMN motto text;
        ALTER TABLE sources ADD COLUMN patience integer NOT NULL DEFAULT 3;
        ALTER TABLE feeds ADD COLUMN colour text;
        ALTER TABLE jobs ADD COLUMN mood text NOT NULL DEFAULT 'good', ADD COLUMN luck numeric;
        ALTER TABLE publications ADD COLUMN colour text;
        ALTER TABLE products ADD COLUMN scent text, ADD COLUMN loved boolean NOT NULL DEFAULT TRUE;
        ALTER TABLE product_versions ADD COLUMN scent text;
        ALTER TABLE orders ADD COLUMN gift boolean NOT NULL DEFAULT FALSE;
        ALTER TABLE order_items ADD COLUMN ribbon text;
        ALTER TABLE jobs DROP CONSTRAINT jobs_status_check,
            ADD CONSTRAINT jobs_status_check CHECK (status <> '') NOT VALID;
        CREATE TABLE scents (scent text COLLATE "C" PRIMARY KEY);
        INSERT INTO scents (scent) VALUES ('rose');
        """,
    ),
    Migration(
        "9002_an_index",
        "-- In a transaction: no\n"
        "CREATE INDEX CONCURRENTLY IF NOT EXISTS products_by_scent ON products (scent);\n"
        "ALTER TABLE jobs VALIDATE CONSTRAINT jobs_status_check;",
    ),
]
"""What versions to come may do, one of each kind that expands."""


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
        assert (job.attempts, job.crashed_attempts) == (3, 0)


# --- an older version -----------------------------------------------------------------------------


def test_an_older_version_reads_and_writes_a_newer_schema(new_database: str, tmp_path: Path):
    """One that runs while a newer one migrates goes on, and one that starts afterwards too."""
    assert [fault for step in NEWER for fault in faults(step)] == []
    parts = conninfo_to_dict(new_database)
    name = parts.pop("dbname")
    platform = Platform(f"postgresql:///{name}?{urlencode(parts)}", tmp_path)
    with platform.opened() as running:
        running.partners.add("Aroma", currency="EUR")
        for price in range(1, 8):  # often enough for the driver to prepare its statements
            trade(running, price)
        migrate(new_database, [*all_migrations(), *NEWER])
        for price in range(8, 10):
            trade(running, price)
    with platform.opened() as started:
        trade(started, 10)
        job = started.feeds.load(io.BytesIO(b"sku,deleted\nA,yes\n"), partner="Aroma")
        assert job.summary
        assert job.summary.deleted == 1
    with psycopg.connect(new_database) as db:
        loved = db.execute("SELECT DISTINCT loved, scent FROM products").fetchall()
        assert loved == [(True, None)]
        versions = db.execute("SELECT count(*), min(version), max(version) FROM product_versions")
        assert versions.fetchone() == (10, 1, 10)


def trade(commerce: Commerce, price: int) -> None:
    """Loads, reads, orders, cancels and reports."""
    feed = f"sku,product_name,price,quantity\nA,Lamp,{price}.00,9\nB,Chair,3,9\n".encode()
    job = commerce.feeds.load(io.BytesIO(feed), partner="Aroma")
    assert job.outcome == "clean", job
    lamp = commerce.products.page(ProductQuery(), partner="Aroma").items[0]
    assert (lamp.version, lamp.price) == (price, price)
    key = f"order {price}"
    order = commerce.orders.place([(lamp.product_id, 2)], key=key)
    assert commerce.orders.place([(lamp.product_id, 2)], key=key) == order
    assert commerce.orders.get(order.order_id).items[0].sku == "A"
    assert commerce.orders.cancel(order.order_id).status == "cancelled"
    assert commerce.feeds.get(job.feed_id).status == "applied"
    assert commerce.analytics.sales_by_partner(currency="EUR").results


# --- others that start ----------------------------------------------------------------------------


def test_processes_that_start_at_once_migrate_once(new_database: str):
    """Eight at the same moment: each step is taken by one of them, and none fails."""
    steps = [*all_migrations(), *NEWER]
    starts: list[Callable[[], None]] = [lambda: migrate(new_database, steps)] * 8
    together(*starts)
    with psycopg.connect(new_database) as db:
        rows = db.execute("SELECT name FROM schema_migrations ORDER BY name").fetchall()
    assert [name for (name,) in rows] == [step.name for step in steps]


def test_a_step_that_waits_for_a_table_lets_readers_by(new_database: str):
    """While a long unit holds a table a migration tries again and again, and nobody waits long."""
    migrate(new_database)
    with psycopg.connect(new_database) as long, psycopg.connect(new_database) as reader:
        long.execute("SELECT count(*) FROM products")
        migrating = meanwhile(lambda: migrate(new_database, [*all_migrations(), NEWER[0]]))
        until(lambda: _waits(new_database))
        reader.execute(f"SET statement_timeout = '{PATIENCE}s'".encode())
        reader.execute("SELECT count(*) FROM products")
        assert not migrating.done()
        reader.rollback()
        long.rollback()
        migrating.result(PATIENCE)


def test_a_table_that_is_never_let_go_of_is_named(
    new_database: str, monkeypatch: pytest.MonkeyPatch
):
    """Whoever starts is told which step waits, and that nothing of it was done."""
    monkeypatch.setattr(migrations, "PATIENCE", 0.1)
    migrate(new_database)
    with psycopg.connect(new_database) as long:
        long.execute("SELECT count(*) FROM products")
        with pytest.raises(Unavailable, match="9001_more_of_all waits"):
            migrate(new_database, [*all_migrations(), NEWER[0]])
        long.rollback()
        assert long.execute("SELECT to_regclass('scents')").fetchone() == (None,)


def _waits(database: str) -> bool:
    """Whether a migration waits for a lock."""
    query = """
        SELECT count(*)
        FROM pg_stat_activity
        WHERE datname = current_database() AND application_name = 'commerce migrate'
          AND wait_event_type = 'Lock'
        """
    with psycopg.connect(database) as db:
        return db.execute(query).fetchone() != (0,)


# --- steps outside a transaction ------------------------------------------------------------------


def test_an_index_whose_making_was_broken_off_is_made_anew(new_database: str):
    """What is left of it is no index that anything uses, and is dropped by whoever comes next."""
    steps = [*all_migrations(), *NEWER]
    migrate(new_database, steps[:-1])
    with psycopg.connect(new_database) as long:
        long.execute("LOCK TABLE products IN ROW EXCLUSIVE MODE")  # as whoever writes to it
        migrating = meanwhile(lambda: migrate(new_database, steps))
        until(lambda: _waits(new_database) and _indexes(new_database) == [(False,)])
        with psycopg.connect(new_database, autocommit=True) as db:
            db.execute(
                """
                SELECT pg_terminate_backend(pid, 5000)
                FROM pg_stat_activity
                WHERE datname = current_database() AND application_name = 'commerce migrate'
                """
            )
        with pytest.raises(psycopg.errors.AdminShutdown):
            migrating.result(PATIENCE)
    assert _indexes(new_database) == [(False,)]
    migrate(new_database, steps)
    assert _indexes(new_database) == [(True,)]


def _indexes(database: str) -> list[tuple[object, ...]]:
    """Whether the new index is valid, once it is there."""
    with psycopg.connect(database) as db:
        return db.execute(
            "SELECT indisvalid FROM pg_index WHERE indexrelid = to_regclass('products_by_scent')"
        ).fetchall()


def test_a_step_that_was_done_and_not_noted_does_nothing_again(new_database: str):
    """A process may die between the last statement and the note of it."""
    steps = [*all_migrations(), *NEWER]
    migrate(new_database, steps)
    with psycopg.connect(new_database) as db:
        (before,) = db.execute("SELECT 'products_by_scent'::regclass::oid").fetchone() or (0,)
        db.execute("DELETE FROM schema_migrations WHERE name = '9002_an_index'")
    migrate(new_database, steps)
    with psycopg.connect(new_database) as db:
        assert db.execute("SELECT 'products_by_scent'::regclass::oid").fetchone() == (before,)


def test_statements_outside_a_transaction_are_kept_one_by_one(new_database: str):
    """Where the second fails the first one stays, and the step is not noted."""
    broken = Migration(
        "9003_broken",
        "-- In a transaction: no\n"
        "CREATE INDEX CONCURRENTLY IF NOT EXISTS partners_by_zone ON partners (time_zone);\n"
        "CREATE INDEX CONCURRENTLY IF NOT EXISTS none ON partners (nothing);",
    )
    migrate(new_database)
    with pytest.raises(psycopg.errors.UndefinedColumn):
        migrate(new_database, [*all_migrations(), broken])
    with psycopg.connect(new_database) as db:
        assert db.execute("SELECT to_regclass('partners_by_zone')").fetchone() != (None,)
        noted = db.execute("SELECT count(*) FROM schema_migrations WHERE name = '9003_broken'")
        assert noted.fetchone() == (0,)
