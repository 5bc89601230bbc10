"""Measures the pages of the dashboard on a large catalog with many jobs, and prints a table.

    make bench-pages                            a million products and a million jobs
    make bench-pages ROWS=100000 JOBS=100000

Feeds, jobs and orders are written by SQL; the catalog is loaded from a file. Each page is asked for
several times in this process, after PostgreSQL has statistics.
"""

import argparse
import re
import statistics
import time
from typing import Any, Final

import psycopg
from litestar.testing import TestClient

from bench.house import house
from bench.reading import loaded
from entrypoints.compose import open_platform
from entrypoints.dashboard.routes import routes
from entrypoints.http.app import create_app
from entrypoints.settings import Settings

ROUNDS: Final = 7
_FEEDS: Final = """
INSERT INTO feeds (partner_id, feed_id, source_id, file_name, content_type, bytes, sha256, mode,
                   status, received_at, snapshot_at)
SELECT f.partner_id, md5('feed' || n)::uuid, f.source_id, 'feed-' || n || '.csv', 'text/csv', 1000,
       repeat('ab', 32), 'delta',
       CASE WHEN n %% 50000 = 0 THEN 'held' WHEN n %% 500 = 0 THEN 'failed' ELSE 'applied' END,
       now() - n * interval '10 seconds', now() - n * interval '10 seconds'
FROM generate_series(1, %(jobs)s) AS n, (SELECT * FROM feeds LIMIT 1) AS f"""
_JOBS: Final = """
INSERT INTO jobs (job_id, feed_id, partner_id, kind, status, released, created_at, attempts,
                  finished_at, progress, summary, error, source_id)
SELECT md5('job' || n)::uuid, md5('feed' || n)::uuid, j.partner_id, 'ingest',
       CASE WHEN n %% 50000 = 0 THEN 'held' WHEN n %% 500 = 0 THEN 'failed' ELSE 'completed' END,
       TRUE, now() - n * interval '10 seconds', 1, now() - n * interval '10 seconds', j.progress,
       j.summary,
       CASE WHEN n %% 500 = 0 THEN '{"code": "html", "message": "HTML"}'::jsonb END,
       j.source_id
FROM generate_series(1, %(jobs)s) AS n, (SELECT * FROM jobs LIMIT 1) AS j"""


def main() -> None:
    """Runs the benchmark with the options of the command line."""
    parser = argparse.ArgumentParser(description="Measure the pages of the dashboard.")
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--jobs", type=int, default=1_000_000)
    options = parser.parse_args()
    with house(options.rows) as server:
        url = loaded(server)
        with psycopg.connect(url, autocommit=True) as db:
            for statement in (_FEEDS, _JOBS):
                db.execute(statement.encode(), {"jobs": options.jobs})
            db.execute("VACUUM ANALYZE")
        settings = Settings(database_url=url, files_url=f"file:{server.folder / 'raw'}")
        with (
            open_platform(settings) as commerce,
            TestClient(create_app(commerce, settings, home=routes(settings))) as client,
        ):
            secret = commerce.keys.add().secret
            token = re.search(r'form_token" value="(\w+)"', client.get("/sign-in").text)
            form = {"key": secret or "", "form_token": token[1] if token else ""}
            client.post("/sign-in", data=form)
            measure(client, next(commerce.products.list()).product_id)


def measure(client: "TestClient[Any]", product_id: str) -> None:
    """Prints the median time and the size of each page."""
    paths = (
        "/", "/feeds", "/feeds?status=held", "/feeds?status=failed", "/jobs", "/jobs?status=failed",
        "/products", "/products?q=lamp", f"/products/{product_id}", "/orders", "/partners",
        "/sources", "/rules", "/analytics", "/system",
    )  # fmt: skip
    print(f"{'page':<40} {'ms':>8} {'KB':>8}")
    for path in paths:
        times: list[float] = []
        size = 0.0
        for _ in range(ROUNDS):
            begun = time.perf_counter()
            answer = client.get(path)
            times.append(time.perf_counter() - begun)
            size = len(answer.raise_for_status().content) / 1000
        shown = re.sub(r"prod_\w+", "ID", path)
        print(f"{shown:<40} {statistics.median(times) * 1000:>8.0f} {size:>8.1f}")


if __name__ == "__main__":
    main()
