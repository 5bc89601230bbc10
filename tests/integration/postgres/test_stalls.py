"""A server that takes nothing for a while, as one whose disk is busy, isn't given up by a feed."""

import os
import signal
import threading
from collections.abc import Generator, Iterable, Iterator
from pathlib import Path
from typing import Final, cast

import psycopg
import pytest

from adapters.polars_feeds import PolarsEngine
from adapters.postgres import PostgresStore
from adapters.postgres.connection.timeouts import OF_FEEDS, bear_stalls, milliseconds_of
from adapters.postgres.store import CONNECTING, Unit
from commerce_core.ports.engine import Batch
from commerce_core.ports.store import UnitOfWork
from tests.contracts import samples
from tests.contracts.unchanged_contract import HEADER, Shop, feed_context
from tests.support.servers.postgres import running_server

pytestmark = pytest.mark.slow

STALL: Final[float] = 1.5 * CONNECTING["tcp_user_timeout"] / 1000
ROWS: Final = 100_000
"""Far more of them than fit into what is on the way."""


@pytest.fixture
def far(tmp_path: Path) -> Generator[PostgresStore]:
    """A store with one connection, to a server behind a wire, if a short one."""
    with (
        running_server(18, tmp_path) as server,
        PostgresStore.open(server.url(), most_connections=1) as store,
    ):
        yield store


def connection_of(unit: UnitOfWork) -> psycopg.Connection:
    return cast("Unit", unit).partners._db


def stalling(batches: Iterable[Batch], pid: int) -> Iterator[Batch]:
    """The batches; at the second the server's process is stopped for a while."""
    for number, batch in enumerate(batches):
        if number == 1:
            os.kill(pid, signal.SIGSTOP)
            threading.Timer(STALL, os.kill, [pid, signal.SIGCONT]).start()
        yield batch


def test_a_first_load_outlives_a_server_that_stands_still(far: PostgresStore):
    """For longer than a request would wait for it."""
    shop = Shop(far, samples.settled(far)[1], PolarsEngine(chunk=1 << 20))
    feed = samples.received(far, shop.source, mode="full")
    rows = (f"S{n},{'t' * 300},1.00,1,," for n in range(ROWS))
    reading = shop._open("\n".join((HEADER, *rows, "")).encode(), "full")
    with far.begin() as unit:
        batches = stalling(reading.batches(), connection_of(unit).info.backend_pid)
        publication, stem = samples.publication(feed), samples.new_stem()
        plan = unit.products.load(feed_context(feed, reading), batches, publication, stem)
    assert plan is not None
    assert plan.created == ROWS


def test_patience_ends_with_the_unit(far: PostgresStore):
    """The next one, over the same connection, is as impatient as ever."""
    with far.begin() as unit:
        assert milliseconds_of(connection_of(unit)) == CONNECTING["tcp_user_timeout"]
        bear_stalls(connection_of(unit))
        assert milliseconds_of(connection_of(unit)) == OF_FEEDS
    with far.begin() as unit:
        assert milliseconds_of(connection_of(unit)) == CONNECTING["tcp_user_timeout"]
