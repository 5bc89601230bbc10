"""Measures the pages of the dashboard with many products, jobs and orders, and prints a table.

    make bench-pages                            a million products, jobs and orders
    make bench-pages ROWS=100000 JOBS=100000 ORDERS=100000

Feeds, jobs and orders are written by SQL; the catalog is loaded from a file. Each page is asked for
several times in this process, after PostgreSQL has statistics. Beside clock time it prints the
processor time of this process and of the database's connections, which other programs hardly
change.
"""

import argparse
import re
import statistics
import time
from base64 import b64encode
from collections.abc import Sequence
from typing import Any, Final

import psycopg
from litestar.testing import TestClient

from bench.house import house
from bench.reading import loaded
from bench.reports import processor_seconds
from commerce_core.commerce import Commerce
from commerce_core.webhooks.delivery import DeliveryQuery
from entrypoints.compose import open_platform
from entrypoints.dashboard.routes import routes
from entrypoints.http.app import create_app
from entrypoints.settings import Settings

ROUNDS: Final = 21
SAMPLES: Final = 50
"""Orders that are placed; all others are copies of them."""
ORDERS_AT_ONCE: Final = 100_000
RECEIVER: Final = "http://127.0.0.1/"
"""Nothing is sent there, since no worker runs."""
_VAULT_KEY: Final = f"bench:{b64encode(bytes(32)).decode()}"
_AT: Final = "%(now)s::timestamptz - n * interval '10 seconds'"


def _id_at(kind: str, of: str = "''") -> str:
    """An id like those of the platform, which begin with their time, for number n of something."""
    since = f"(extract(epoch FROM {_AT}) * 1000)::bigint"
    return f"(lpad(to_hex({since}), 12, '0') || left(md5('{kind}' || {of} || n), 20))::uuid"


_FEEDS: Final = f"""
INSERT INTO feeds (partner_id, feed_id, source_id, file_name, content_type, bytes, sha256, mode,
                   status, received_at, snapshot_at)
SELECT f.partner_id, {_id_at("feed")}, f.source_id, 'feed-' || n || '.csv', 'text/csv', 1000,
       repeat('ab', 32), 'delta',
       CASE WHEN n %% 50000 = 0 THEN 'held' WHEN n %% 500 = 0 THEN 'failed' ELSE 'applied' END,
       {_AT}, {_AT}
FROM generate_series(1, %(jobs)s::int) AS n, (SELECT * FROM feeds LIMIT 1) AS f"""  # noqa: S608
_JOBS: Final = f"""
INSERT INTO jobs (job_id, feed_id, partner_id, kind, status, released, created_at, attempts,
                  finished_at, progress, summary, error, source_id)
SELECT {_id_at("job")}, {_id_at("feed")}, j.partner_id, 'ingest',
       CASE WHEN n %% 50000 = 0 THEN 'held' WHEN n %% 500 = 0 THEN 'failed' ELSE 'completed' END,
       TRUE, {_AT}, 1, {_AT}, j.progress, j.summary,
       CASE WHEN n %% 500 = 0 THEN '{{"code": "html", "message": "HTML"}}'::jsonb END,
       j.source_id
FROM generate_series(1, %(jobs)s::int) AS n, (SELECT * FROM jobs LIMIT 1) AS j"""  # noqa: S608
_FETCHES: Final = f"""
INSERT INTO fetches (fetch_id, source_id, partner_id, cause, due_at, created_at, missed, outcome,
                     feed_id, bytes, error, finished_at, tries)
SELECT {_id_at("fetch")}, s.source_id, s.partner_id, 'schedule', {_AT}, {_AT}, 0,
       CASE WHEN n %% 500 = 0 THEN 'failed' WHEN n %% 5 = 0 THEN 'fetched' ELSE 'unchanged' END,
       CASE WHEN n %% 5 = 0 AND n %% 500 <> 0 THEN {_id_at("feed")} END, 1000,
       CASE WHEN n %% 500 = 0
            THEN '{{"code": "timeout", "message": "It took too long."}}'::jsonb END,
       {_AT}, 1
FROM generate_series(1, %(jobs)s::int) AS n, (SELECT * FROM sources LIMIT 1) AS s"""  # noqa: S608
_DELIVERIES: Final = f"""
INSERT INTO webhook_deliveries (delivery_id, webhook_id, event_id, sequence, kind, subject,
                                ordered, status, attempts, attempts_before, claims, created_at,
                                finished_at, http_status)
SELECT {_id_at("delivery")}, w.webhook_id, {_id_at("event")}, n, 'feed.applied', 'feed', FALSE,
       CASE WHEN n %% 50000 = 0 THEN 'failed' ELSE 'delivered' END, 1, 0, 1, {_AT}, {_AT}, 200
FROM generate_series(1, %(jobs)s::int) AS n, (SELECT * FROM webhooks LIMIT 1) AS w"""  # noqa: S608
_ALERTS: Final = f"""
INSERT INTO alerts (alert_id, channel_id, severity, entries, more, status, attempts, created_at,
                    sent_at, error)
SELECT {_id_at("alert")}, c.channel_id, 'warning',
       jsonb_build_array(jsonb_build_object(
           'cause_id', md5('cause' || n), 'phase', 'new', 'kind', 'failed', 'severity', 'warning',
           'title', 'Feeds fail', 'reason', 'html', 'partner_id', 'ptn_' || md5('partner'),
           'partner_name', 'Measured', 'since', {_AT}, 'latest_at', {_AT}, 'count', 1,
           'products', NULL, 'subject', NULL)),
       0, CASE WHEN n %% 50000 = 0 THEN 'failed' ELSE 'sent' END, 1, {_AT}, {_AT}, NULL
FROM generate_series(1, %(jobs)s::int) AS n, (SELECT * FROM alert_channels LIMIT 1) AS c"""  # noqa: S608
_AUDIT: Final = f"""
INSERT INTO audit_entries (entry_id, at, actor, action, partner_id, subjects)
SELECT {_id_at("audit")}, {_AT}, 'operator', 'feed.approved', s.partner_id,
       ARRAY['feed_' || replace({_id_at("feed")}::text, '-', '')]
FROM generate_series(1, %(jobs)s::int) AS n, (SELECT * FROM sources LIMIT 1) AS s"""  # noqa: S608
_COPIED: Final = ("orders", "order_parts", "order_items", "sales_entries")
_CHANGED: Final = {
    "order_id": _id_at("order"),
    "item_id": "md5('item' || c.item_id || n)::uuid",
    "entry_id": _id_at("entry", "c.entry_id"),
    "part_id": "md5('part' || c.part_id || n)::uuid",
    "customer_reference": "'web-' || n",
    **dict.fromkeys(("created_at", "updated_at", "at"), _AT),
    "txid": "pg_current_xact_id()",
}
"""What differs in a copy of an order."""


def place_orders(db: psycopg.Connection[Any], commerce: Commerce, number: int) -> None:
    """Stores copies of a few orders, with their lines and entries, and sums the entries up."""
    products = [product for product, _ in zip(commerce.products.list(), range(500), strict=False)]
    fit = [product.product_id for product in products if product.sellable and product.can_supply(2)]
    placed = [commerce.orders.place([(p, 1) for p in fit[n : n + 2]]) for n in range(SAMPLES)]
    with db.transaction():
        db.execute("CREATE TEMP TABLE samples (order_id uuid, sample int)")
        db.cursor().executemany(
            "INSERT INTO samples VALUES (%s, %s)",
            [(order.order_id.partition("_")[2], n) for n, order in enumerate(placed)],
        )
    # The copies refer to what there is, so that needn't be checked.
    db.execute("SET session_replication_role = replica")
    now = commerce.context.clock()
    for first in range(1, number + 1, ORDERS_AT_ONCE):
        last = min(number, first + ORDERS_AT_ONCE - 1)
        with db.transaction():
            for table in _COPIED:
                bounds = {"first": first, "last": last, "samples": SAMPLES, "now": now}
                db.execute(_copies(db, table), bounds)
    while commerce.analytics.roll_up():
        pass


def _copies(db: psycopg.Connection[Any], table: str) -> bytes:
    """The statement that copies the rows of the samples in a table."""
    found = db.execute(
        "SELECT column_name FROM information_schema.columns "
        "WHERE table_schema = 'public' AND table_name = %s ORDER BY ordinal_position",
        (table,),
    ).fetchall()
    columns: Sequence[str] = [name for (name,) in found]
    values = [_CHANGED.get(name, f"c.{name}") for name in columns]
    return (
        f"INSERT INTO {table} ({', '.join(columns)}) SELECT {', '.join(values)} "  # noqa: S608
        "FROM generate_series(%(first)s::int, %(last)s::int) AS series (n) "
        "JOIN samples ON samples.sample = series.n %% %(samples)s::int "
        f"JOIN {table} c USING (order_id)"
    ).encode()


def main() -> None:
    """Runs the benchmark with the options of the command line."""
    parser = argparse.ArgumentParser(description="Measure the pages of the dashboard.")
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--jobs", type=int, default=1_000_000)
    parser.add_argument("--orders", type=int, default=1_000_000)
    options = parser.parse_args()
    with house(options.rows) as server:
        url = loaded(server)
        settings = Settings(
            database_url=url,
            files_url=f"file:{server.folder / 'raw'}",
            outbound_networks="127.0.0.0/8",
            vault_keys=_VAULT_KEY,
        )
        with psycopg.connect(url, autocommit=True) as db, open_platform(settings) as commerce:
            now = commerce.context.clock()
            for statement in (_FEEDS, _JOBS):
                db.execute(statement.encode(), {"jobs": options.jobs, "now": now})
            place_orders(db, commerce, options.orders)
            commerce.statements.close()
            commerce.webhooks.add(RECEIVER)
            commerce.alerts.add(url=RECEIVER)
            for statement in (_FETCHES, _DELIVERIES, _ALERTS, _AUDIT):
                db.execute(statement.encode(), {"jobs": options.jobs, "now": now})
            db.execute("VACUUM ANALYZE")
            with TestClient(create_app(commerce, settings, home=routes(settings))) as client:
                secret = commerce.keys.add().secret
                token = re.search(r'form_token" value="(\w+)"', client.get("/sign-in").text)
                form = {"key": secret or "", "form_token": token[1] if token else ""}
                client.post("/sign-in", data=form)
                measure(client, db, paths_of(commerce))


def paths_of(commerce: Commerce) -> Sequence[str]:
    """The pages that are measured: lists, searched lists, and one of each thing."""
    product, order = next(commerce.products.list()), next(commerce.orders.list())
    job, partner = next(commerce.jobs.list()), next(commerce.partners.list())
    statement, webhook = next(commerce.statements.list()), next(commerce.webhooks.list())
    delivery = commerce.webhooks.delivery_page(
        DeliveryQuery(webhook_id=webhook.webhook_id), limit=1
    ).items[0]
    source, channel = next(commerce.sources.list()), commerce.alerts.page().items[0]
    fetch = next(commerce.pulls.fetches())
    return (
        "/", "/feeds", "/feeds?status=held", "/feeds?status=failed", f"/feeds/{job.feed_id}",
        "/jobs", "/jobs?status=failed", f"/jobs/{job.job_id}", "/failures", "/bulk-acts",
        "/products", "/products?q=lamp", "/products?sellable=false",
        f"/products/{product.product_id}", "/orders", "/orders?status=created",
        "/orders?customer_reference=web-77777", f"/orders/{order.order_id}",
        f"/orders/{order.order_id}/refund", "/partners", f"/partners/{partner.partner_id}",
        f"/partners/{partner.partner_id}/scorecard?weeks=13", "/sources",
        f"/sources/{source.source_id}", f"/sources/{source.source_id}/pull",
        f"/sources/{source.source_id}/backfill", f"/fetches/{fetch.fetch_id}", "/rules",
        "/analytics",
        "/analytics?compare=dates", "/analytics/top", "/analytics/hours", "/analytics/refunds",
        "/analytics/rules", "/statements", f"/statements/{statement.statement_id}", "/webhooks",
        f"/webhooks/{webhook.webhook_id}", f"/webhooks/{webhook.webhook_id}?status=failed",
        f"/deliveries/{delivery.delivery_id}", "/alert-channels",
        f"/alert-channels/{channel.channel_id}", "/alerts", "/alerts?status=failed", "/views",
        "/system",
    )  # fmt: skip


def measure(client: "TestClient[Any]", db: psycopg.Connection[Any], paths: Sequence[str]) -> None:
    """Prints a row for each page: the median time, the processor time of a request, the size."""
    print(f"{'page':<44} {'ms':>6} {'server':>7} {'database':>9} {'kB':>6}")
    for path in paths:
        size = len(client.get(path).raise_for_status().content) / 1000
        times: list[float] = []
        used, behind = time.process_time(), processor_seconds(db)
        for _ in range(ROUNDS):
            begun = time.perf_counter()
            client.get(path)
            times.append(time.perf_counter() - begun)
        used, behind = time.process_time() - used, processor_seconds(db) - behind
        shown = re.sub(r"_[0-9a-f]{32}", "_ID", path)
        print(
            f"{shown:<44} {statistics.median(times) * 1000:>6.0f} "
            f"{used / ROUNDS * 1000:>7.0f} {behind / ROUNDS * 1000:>9.0f} {size:>6.1f}",
            flush=True,
        )


if __name__ == "__main__":
    main()
