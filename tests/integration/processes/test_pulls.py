"""Schedules in several processes that are killed: no tick is lost, none is fetched twice."""

from collections.abc import Generator
from contextlib import ExitStack
from datetime import timedelta
from pathlib import Path
from urllib.parse import urlencode

import pytest
from psycopg.conninfo import conninfo_to_dict

from commerce_core.commerce import Commerce
from commerce_core.feeds.place import HttpsPlace
from commerce_core.feeds.pull import Pull
from tests.support.servers.platform import Platform
from tests.support.servers.wire import WireServer, answers, wire_server
from tests.support.waiting import until

pytestmark = pytest.mark.processes

WORKERS = 8
SOURCES = 12
OUTBOUND = {"COMMERCE_OUTBOUND_NETWORKS": "127.0.0.0/8", "COMMERCE_OUTBOUND_PORTS": "1024-65535"}
HOURLY = "0 * * * *"


@pytest.fixture
def platform(database: str, tmp_path: Path) -> Platform:
    parts = conninfo_to_dict(database)
    name = parts.pop("dbname")
    return Platform(f"postgresql:///{name}?{urlencode(parts)}", tmp_path)


@pytest.fixture
def commerce(platform: Platform) -> Generator[Commerce]:
    with platform.opened() as opened:
        yield opened


@pytest.fixture
def server() -> Generator[WireServer]:
    with wire_server() as made:
        for number in range(SOURCES):
            feed = f"sku,product_name\nA-{number},Lamp\n".encode()
            made.behaviours[f"/{number}.csv"] = answers(200, feed)
        yield made


def make_due(commerce: Commerce, server: WireServer) -> int:
    """Sources whose schedules have been due for some hours; returns how many."""
    now = commerce.context.clock()
    hour = now.replace(minute=0, second=0, microsecond=0)
    partner_id = commerce.partners.add("Acme").partner_id
    sources = [commerce.sources.add("Acme", f"s{number}") for number in range(SOURCES)]
    with commerce.context.store.begin() as unit:
        for number, source in enumerate(sources):
            url = f"http://127.0.0.1:{server.port}/{number}.csv"
            due_at = hour - timedelta(hours=number)
            unit.pulls.put(
                Pull(source.source_id, partner_id, HttpsPlace(url), now, cron=HOURLY, due_at=due_at)
            )
    return len(sources)


def test_eight_workers_and_kills_lose_and_double_no_tick(
    platform: Platform, commerce: Commerce, server: WireServer
):
    """Half of them are killed while they fetch; the others finish what those had begun."""
    made = make_due(commerce, server)
    with ExitStack() as stack:
        workers = [stack.enter_context(platform.worker(**OUTBOUND)) for _ in range(WORKERS)]
        until(lambda: len(server.asked) >= 2)
        for worker in workers[: WORKERS // 2]:
            worker.kill()
        until(lambda: sum(f.outcome is not None for f in commerce.pulls.fetches()) >= made)
    fetches = list(commerce.pulls.fetches())
    # When an hour passes meanwhile, there are ticks of the next one, of the same bytes.
    assert {fetch.outcome for fetch in fetches} <= {"fetched", "unchanged", "skipped"}
    ticks = [(fetch.source_id, fetch.due_at) for fetch in fetches]
    assert len(set(ticks)) == len(ticks) >= made
    assert len({fetch.source_id for fetch in fetches}) == made
    feeds = [feed.feed_id for feed in commerce.feeds.list()]
    assert len(feeds) == made
    assert sorted(feeds) == sorted(fetch.feed_id for fetch in fetches if fetch.feed_id)
