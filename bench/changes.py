"""Measures how long a page of the change stream takes at any position, and with filters.

    python -m bench.changes [PRODUCTS] [DATABASE_URL]

A catalog of PRODUCTS products (default: 100,000) is created, and then a tenth of it is changed ten
times, so there are twice as many versions. Each page of 1,000 is read thirty times. Without
DATABASE_URL, a temporary database is started.
"""

import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Final

import psycopg
from attrs import evolve

from adapters.embedded_postgres import running_postgres
from adapters.postgres import PostgresStore
from commerce_core.base.paging import Position
from commerce_core.history.versions import START, ChangeQuery, behind
from commerce_core.partners.partner import Partner
from commerce_core.schema.record import Record
from tests.contracts import samples

PAGE: Final = 1_000
TIMES: Final = 30
ROUNDS: Final = 10


def main(products: int, database: str | None) -> None:
    """Measures, and prints a table."""
    with _database(database) as address, PostgresStore.open(address) as store:
        partner = _fill(store, products)
        with psycopg.connect(address, autocommit=True) as db:
            db.execute("VACUUM (ANALYZE) products, product_versions, publications")
        print(f"{products:,} products, {ROUNDS} feeds that each change a tenth; pages of {PAGE:,}")
        for name, query, after in _queries(partner.partner_id, products):
            times = list(_times(lambda q=query, a=after: _page(store, q, a)))
            median, worst = statistics.median(times) * 1000, max(times) * 1000
            print(f"{name:<32} median {median:6.1f} ms   worst {worst:6.1f} ms")


def _queries(partner_id: str, products: int) -> Iterator[tuple[str, ChangeQuery, Position]]:
    everything = ChangeQuery()
    yield "the first page", everything, START
    yield "the middle of the first feed", everything, Position("1", str(products // 2))
    yield "the middle of the changes", everything, behind(ROUNDS // 2)
    yield "the last page", everything, Position(str(ROUNDS + 1), str(products // 10 - PAGE))
    yield "caught up", everything, behind(ROUNDS + 1)
    yield "one partner, in the middle", ChangeQuery(partner_id), behind(ROUNDS // 2)
    yield "only updates, from the start", ChangeQuery(kinds=("updated",)), START


def _page(store: PostgresStore, query: ChangeQuery, after: Position) -> None:
    with store.begin() as unit:
        unit.versions.changes(query, after, PAGE)


def _times(act: Callable[[], None]) -> Iterator[float]:
    for _ in range(TIMES):
        begun = time.perf_counter()
        act()
        yield time.perf_counter() - begun


def _fill(store: PostgresStore, products: int) -> Partner:
    """Creates a catalog, and applies feeds that each change a tenth of it."""
    partner, source = samples.settled(store, f"Partner at {datetime.now(UTC)}")
    for turn in range(ROUNDS + 1):
        changed = range(products) if turn == 0 else range(turn % 10, products, 10)
        with store.begin() as unit:
            feed = samples.feed(source, mode="delta")
            unit.feeds.add(feed)
            records = samples.batches(_record(n, turn) for n in changed)
            plan = unit.products.compare(samples.feed_context(feed), records, 0)
            made = evolve(samples.publication(feed), changes=len(changed))
            unit.products.apply(plan, made, samples.new_stem())
            unit.publications.add(made, datetime.now(UTC))
    return partner


def _record(number: int, turn: int) -> Record:
    price = Decimal(1000 + number % 500 + turn) / 100
    return samples.record(
        number + 2, f"SKU-{number:07}", price=price, currency="EUR", brand="Acme", quantity=7,
        description="What a partner says of it. " * 8, category="Home > Lamps",
    )  # fmt: skip


@contextmanager
def _database(given: str | None) -> Generator[str]:
    if given is not None:
        yield given
        return
    with tempfile.TemporaryDirectory() as folder, running_postgres(Path(folder)) as address:
        yield address


if __name__ == "__main__":
    arguments = sys.argv[1:]
    main(int(arguments[0]) if arguments else 100_000, arguments[1] if arguments[1:] else None)
