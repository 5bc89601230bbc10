"""Measures how fast a catalog is read: pages, changes and exports; and records the results.

    make bench-reading              a million products; a few minutes
    make bench-reading ROWS=100000

One file is loaded, and everything is measured twice: right after the load, when PostgreSQL has no
statistics of the products yet, and once it has. HTTP requests alternate with requests to a bare
handler that runs the same SQL, and exports with those of psql; the ratios come from one run on one
machine.
"""

import argparse
import json
import os
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from contextlib import closing
from itertools import product
from pathlib import Path
from typing import Any, Final

import psycopg

from adapters.postgres.store import PostgresStore
from bench.house import House, house
from bench.reading_cases import PAGE, Case, cases_of, check, typical
from bench.reading_figures import write_down
from bench.reading_requests import requests
from bench.run import machine
from commerce_core.base.paging import Position
from commerce_core.history.versions import LARGEST_CHANGES, ChangeQuery
from tests.support.servers.platform import COMMERCE

RESULTS: Final = Path("bench/reading.json")
Figures = dict[str, Any]


def main() -> None:
    """Runs the benchmark with the options of the command line."""
    parser = argparse.ArgumentParser(description="Measure how fast a catalog is read.")
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--results", type=Path, default=RESULTS)
    options = parser.parse_args()
    figures: Figures = {"machine": machine()}
    with house(options.rows) as server:
        url = loaded(server)
        figures["without"] = measured(server, url, options.rounds)
        with psycopg.connect(url, autocommit=True) as db:
            db.execute("VACUUM ANALYZE")
        figures["with"] = measured(server, url, options.rounds)
    results = json.loads(options.results.read_text()) if options.results.exists() else {}
    results[str(options.rows)] = figures
    options.results.write_text(json.dumps(results, indent=1, sort_keys=True) + "\n")
    write_down(results)


def loaded(server: House) -> str:
    """A database with one file loaded, and autovacuum off, so that it gets no statistics."""
    url = server.migrated("reading")
    with psycopg.connect(url, autocommit=True) as db:
        for table in ("products", "publications", "partners"):
            db.execute(f"ALTER TABLE {table} SET (autovacuum_enabled = off)".encode())
    script = Path(__file__).with_name("load_with_us.py")
    command = [sys.executable, script, url, server.folder / "raw", server.file("first")]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)  # noqa: S603
    return url


def measured(server: House, url: str, rounds: int) -> Figures:
    """All measurements of the catalog in its current state."""
    with closing(PostgresStore(url)) as store:
        cases = list(cases_of(store, server.rows))
        return {
            "pages": pages(store, cases),
            "requests": requests(url, store, cases),
            "changes": changes(store, server.rows),
            "exports": exports(server, url, rounds),
        }


def pages(store: PostgresStore, cases: Sequence[Case]) -> Mapping[str, float]:
    """The seconds that each page takes in this process, including its transaction."""

    def page(case: Case) -> None:
        with store.begin() as unit:
            check(len(unit.products.page(case.query, case.after, PAGE).items), PAGE)

    return {case.name: typical(lambda case=case: page(case)) for case in cases}


def changes(store: PostgresStore, rows: int) -> Mapping[str, float]:
    """The seconds that a page of a thousand changes takes, at several cursors."""
    places = {"first": 0, "middle": rows // 2, "last": rows - LARGEST_CHANGES}

    def page(ordinal: int) -> None:
        with store.begin() as unit:
            after = Position("1", str(ordinal))
            found = unit.versions.changes(ChangeQuery(), after, LARGEST_CHANGES)
            check(len(found.items), LARGEST_CHANGES)

    return {name: typical(lambda at=at: page(at)) for name, at in places.items()}


def exports(server: House, url: str, rounds: int) -> Mapping[str, list[float]]:
    """The seconds that each export of all products takes, from the start of its process."""
    file = server.folder / "exported"
    environ = {**os.environ, "COMMERCE_DATABASE_URL": url, "COMMERCE_FILES_URL": f"file:{file}s"}

    def ours(form: str) -> None:
        command = [COMMERCE, "products", "export", "--format", form, "--output", str(file)]
        file.unlink(missing_ok=True)
        subprocess.run(command, check=True, env=environ, capture_output=True)  # noqa: S603

    copy = "\\copy (SELECT * FROM products ORDER BY product_id) TO '{file}' CSV HEADER\n"
    ways = {
        "copy": lambda: server.psql("reading", copy.format(file=file)),
        "csv": lambda: ours("csv"),
        "ndjson": lambda: ours("ndjson"),
    }
    times: dict[str, list[float]] = {way: [] for way in ways}
    for _, (way, act) in product(range(rounds), ways.items()):
        begun = time.perf_counter()
        act()
        times[way].append(time.perf_counter() - begun)
    return times


if __name__ == "__main__":
    main()
