"""Rollups made by workers that are killed: nothing is lost, and nothing is counted twice."""

import random
from collections.abc import Generator
from datetime import timedelta
from pathlib import Path
from urllib.parse import urlencode

import pytest
from psycopg.conninfo import conninfo_to_dict

from commerce_core.analytics import figures
from commerce_core.analytics.ledger import EntryQuery
from commerce_core.analytics.questions import SalesQuestion
from commerce_core.commerce import Commerce
from tests.contracts import samples
from tests.contracts.samples import DAY, T0, line
from tests.integration.processes.test_chores import KILLED, Connect, certainly, chore
from tests.support.servers.platform import Platform
from tests.support.waiting import PATIENCE, until

pytestmark = pytest.mark.processes
QUESTION = SalesQuestion(T0 - DAY, T0 + 40 * DAY)
ORDERS = 40
ROLLED = """
    SELECT coalesce(sum(placed), 0) + coalesce(sum(back), 0)
    FROM sales_blocks
    WHERE dimension = 0 AND span = 86400
    """
"""How many entries are in the rollups."""
SETTLED = "SELECT bool_and(txid < pg_snapshot_xmin(pg_current_snapshot())) FROM sales_entries"
"""Whether no transaction of the whole server, as of other tests, keeps entries out of them."""


@pytest.fixture
def platform(database: str, tmp_path: Path) -> Platform:
    """No process runs on it yet."""
    parts = conninfo_to_dict(database)
    name = parts.pop("dbname")
    return Platform(f"postgresql:///{name}?{urlencode(parts)}", tmp_path)


@pytest.fixture
def commerce(platform: Platform) -> Generator[Commerce]:
    """The platform in this process, in which no worker runs."""
    with platform.opened() as opened:
        yield opened


def sell(commerce: Commerce) -> int:
    """Orders of three weeks, a third of them cancelled; returns how many entries."""
    chance = random.Random(1)
    entries = []
    for number in range(ORDERS):
        item = line()
        order = samples.order(item)
        at = T0 + timedelta(seconds=chance.randrange(20 * 86_400))
        entries.append(samples.entry(order, item, at))
        if not number % 3:
            entries.append(samples.entry(order, item, at + DAY, kind="cancelled"))
    with commerce.context.store.begin() as unit:
        unit.sales.add(entries)
    return len(entries)


def is_fold(commerce: Commerce) -> bool:
    with commerce.context.store.begin() as unit:
        entries = unit.sales.page(EntryQuery(), None, 1000).items
        return list(unit.sales.totals(QUESTION)) == figures.fold(entries, QUESTION)


@pytest.mark.parametrize(
    ("place", "rolled"),
    [("statement@7", False), ("committed", True)],
)
def test_a_worker_that_is_killed_while_it_rolls_up_loses_and_doubles_nothing(
    platform: Platform, commerce: Commerce, connect: Connect, place: str, *, rolled: bool
):
    """Whatever it had done in its transaction is undone, and another worker goes on from there."""
    count = sell(commerce)
    behind = connect()
    until(lambda: behind.execute(SETTLED).fetchone() == (True,))
    with platform.worker(COMMERCE_FAIL_AT=f"sales.roll_up.{place}") as worker:
        assert worker.wait(PATIENCE) == KILLED
    assert behind.execute(ROLLED).fetchone() == (count if rolled else 0,)
    assert is_fold(commerce)
    with platform.worker():
        until(lambda: behind.execute(ROLLED).fetchone() == (count,))
        until(lambda: certainly(chore(commerce, "roll_up_sales")).status == "queued")
    assert is_fold(commerce)
