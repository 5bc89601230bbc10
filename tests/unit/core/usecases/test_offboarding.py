"""A partner that is offboarded or paused: what ends with it, and what goes on."""

import io
from collections.abc import Callable, Iterator
from datetime import timedelta
from decimal import Decimal
from itertools import islice

import pytest

from commerce_core.base.errors import CommerceError, InvalidInput, RunLost, Unauthenticated
from commerce_core.commerce import Commerce
from commerce_core.feeds.backfill import Backfill
from commerce_core.feeds.source import REJECT_FEED
from commerce_core.work.task import Task
from entrypoints.compose import open_platform
from entrypoints.settings import Settings
from tests.support.pulled import FEED, PulledWorld, pulled_world

HEADER = "sku,product_name,price,currency\n"


def content(count: int, price: str = "1") -> io.BytesIO:
    rows = "".join(f"A-{n},Lamp,{price},EUR\n" for n in range(count))
    return io.BytesIO((HEADER + rows).encode())


@pytest.fixture
def commerce() -> Iterator[Commerce]:
    """Acme with a hundred products, and an order of one of them."""
    with open_platform(Settings(database_url="memory:")) as commerce:
        commerce.partners.add("Acme")
        commerce.feeds.load(content(100), partner="Acme", mode="full")
        commerce.orders.place([(product(commerce), 1)])
        yield commerce


def product(commerce: Commerce) -> str:
    return commerce.products.get(partner="Acme", sku="A-1").product_id


def become(commerce: Commerce, status: str) -> None:
    commerce.partners.change("Acme", status=status)


def refusal(act: Callable[[], object]) -> str:
    with pytest.raises(CommerceError) as refused:
        act()
    return refused.value.code


def test_nothing_of_an_offboarded_partner_is_sold(commerce: Commerce):
    """The catalog and the answer to an order agree."""
    become(commerce, "offboarded")
    shown = commerce.products.get(product(commerce))
    assert (shown.sellable, shown.not_sellable_reason) == (False, "partner_gone")
    with pytest.raises(InvalidInput) as refused:
        commerce.orders.place([(product(commerce), 1)])
    (fault,) = refused.value.faults
    assert (fault.code, fault.detail) == (
        "not_sellable",
        "A-1 can't be sold: its partner was offboarded.",
    )
    assert commerce.products.get(product(commerce)).reserved == 1


def test_orders_of_an_offboarded_partner_go_on(commerce: Commerce):
    become(commerce, "offboarded")
    (order,) = commerce.orders.list()
    assert commerce.orders.cancel(order.order_id).status == "cancelled"


def test_its_keys_are_revoked_for_good_and_none_is_issued(commerce: Commerce):
    issued = [commerce.keys.add(partner="Acme") for _ in range(2)]
    commerce.partners.add("Other")
    others = commerce.keys.add(partner="Other")
    become(commerce, "offboarded")
    for status in ("offboarded", "active"):
        become(commerce, status)
        for each in issued:
            with pytest.raises(Unauthenticated):
                commerce.keys.authenticate(each.secret)
    assert commerce.keys.authenticate(others.secret)
    become(commerce, "offboarded")
    assert refusal(lambda: commerce.keys.add(partner="Acme")) == "partner_offboarded"
    (entry,) = [e for e in commerce.audit.list() if e.action == "key.revoked"]
    assert set(entry.subjects) == {each.key.key_id for each in issued}
    assert entry.note == "The partner was offboarded."
    become(commerce, "active")
    assert commerce.keys.authenticate(commerce.keys.add(partner="Acme").secret)


def test_a_rotation_needs_a_partner_that_is_there(commerce: Commerce):
    key_id = commerce.keys.add(partner="Acme").key.key_id
    become(commerce, "offboarded")
    assert refusal(lambda: commerce.keys.rotate(key_id)) == "partner_offboarded"


def test_nothing_is_decided_about_an_offboarded_partners_feeds(commerce: Commerce):
    held = commerce.feeds.load(content(10), partner="Acme", mode="full")
    assert held.status == "held"
    applied = next(feed for feed in commerce.feeds.list() if feed.status == "applied")
    become(commerce, "offboarded")
    assert refusal(lambda: commerce.feeds.upload(content(1), partner="Acme")) == (
        "partner_not_active"
    )
    assert refusal(lambda: commerce.plans.approve(held.feed_id)) == "partner_not_active"
    assert refusal(lambda: commerce.reverts.start(applied.feed_id)) == "partner_offboarded"
    assert refusal(lambda: commerce.reverts.plan(applied.feed_id)) == "partner_offboarded"
    assert refusal(lambda: commerce.jobs.start(applied.feed_id)) == "partner_not_active"


def test_what_is_under_way_is_applied_only_if_the_partner_is_active_then(commerce: Commerce):
    """Its job fails, with nothing applied; once the partner is active again, a new job does."""
    receipt = commerce.feeds.upload(content(100, price="1.10"), partner="Acme")
    become(commerce, "paused")
    job = commerce.jobs.run(receipt.job_id)
    assert (job.status, job.error and job.error.code) == ("failed", "partner_not_active")
    assert commerce.products.get(product(commerce)).price == 1
    become(commerce, "active")
    again = commerce.jobs.start(receipt.feed_id)
    assert commerce.jobs.run(again.job_id).status == "completed"
    assert commerce.products.get(product(commerce)).price == Decimal("1.10")


def test_what_is_under_way_is_cancelled_with_an_offboarded_partner(commerce: Commerce):
    """A revert too; nothing of either is applied."""
    receipt = commerce.feeds.upload(content(100, price="1.10"), partner="Acme")
    applied = next(feed for feed in commerce.feeds.list() if feed.status == "applied")
    revert = commerce.reverts.start(applied.feed_id)
    become(commerce, "offboarded")
    for job_id in (receipt.job_id, revert.job_id):
        job = commerce.jobs.get(job_id)
        assert (job.status, job.error and job.error.code) == ("cancelled", "partner_offboarded")
    shown = commerce.products.get(product(commerce))
    assert (shown.price, shown.status) == (1, "active")


def test_the_same_bytes_are_not_applied_either(commerce: Commerce):
    receipt = commerce.feeds.upload(content(100), partner="Acme", mode="full")
    become(commerce, "paused")
    assert commerce.jobs.run(receipt.job_id).status == "failed"


def test_a_paused_partner_sends_no_feeds_and_all_else_goes_on(commerce: Commerce):
    issued = commerce.keys.add(partner="Acme")
    become(commerce, "paused")
    assert commerce.products.get(product(commerce)).sellable
    assert commerce.orders.place([(product(commerce), 1)]).status == "created"
    assert commerce.keys.authenticate(issued.secret)
    assert commerce.keys.add(partner="Acme")
    assert refusal(lambda: commerce.feeds.upload(content(1), partner="Acme")) == (
        "partner_not_active"
    )
    applied = next(feed for feed in commerce.feeds.list() if feed.status == "applied")
    assert commerce.reverts.start(applied.feed_id).status == "queued"


def test_history_tells_of_feeds_and_not_of_what_became_of_the_partner(commerce: Commerce):
    become(commerce, "offboarded")
    (period,) = commerce.history.availability(product(commerce))
    assert (period.sellable, period.until) == (True, None)


def test_a_feed_that_a_person_rejected_is_not_revived(commerce: Commerce):
    """Nor after a job that only looked at it."""
    held = commerce.feeds.load(content(10), partner="Acme", mode="full")
    commerce.plans.reject(held.feed_id, note="half is missing")
    look = commerce.jobs.start(held.feed_id, kind="plan")
    commerce.jobs.run(look.job_id)
    assert refusal(lambda: commerce.jobs.start(held.feed_id)) == "feed_rejected"
    assert commerce.feeds.get(held.feed_id).status == "rejected"


def test_a_feed_that_its_source_refused_may_be_tried_again(commerce: Commerce):
    """Under other settings it might be taken."""
    commerce.sources.change("main", partner="Acme", on_error=REJECT_FEED)
    bad = io.BytesIO((HEADER + "B-1,Lamp,x,EUR\nB-2,Lamp,1,EUR\n").encode())
    refused = commerce.feeds.load(bad, partner="Acme")
    assert commerce.feeds.get(refused.feed_id).status == "rejected"
    again = commerce.jobs.start(refused.feed_id)
    assert again.status == "queued"


# --- fetches --------------------------------------------------------------------------------------


@pytest.fixture
def world() -> Iterator[PulledWorld]:
    with pulled_world() as made:
        made.set(cron="0 6 * * *")
        made.put("a.csv", FEED)
        yield made


def test_nothing_is_fetched_from_an_offboarded_partner(world: PulledWorld):
    """A fetch that waits is cancelled, no tick follows, and there is nothing to fetch."""
    commerce = world.commerce
    waiting = commerce.pulls.fetch("main", partner="Acme")
    become(commerce, "offboarded")
    ended = commerce.pulls.get_fetch(waiting.fetch_id)
    assert ended.outcome == "cancelled"
    assert ended.error is not None
    assert (ended.error.code, ended.error.message) == (
        "partner_offboarded",
        "Partner 'Acme' is offboarded, so nothing is fetched from it.",
    )
    assert commerce.queue.claim("fetches") is None
    world.now[0] += timedelta(days=3)
    assert commerce.pulls.look() == 0
    assert refusal(lambda: commerce.pulls.fetch("main", partner="Acme")) == "not_pulled"
    assert refusal(world.set) == "partner_offboarded"
    removed, cancelled = islice(commerce.audit.list(), 2)
    assert {removed.action, cancelled.action} == {"pull.removed", "fetch.cancelled"}


def test_a_fetch_that_runs_while_its_partner_is_offboarded_makes_no_feed(world: PulledWorld):
    commerce = world.commerce
    fetch = commerce.pulls.fetch("main", partner="Acme")
    task = commerce.queue.claim("fetches")
    assert isinstance(task, Task)
    become(commerce, "offboarded")
    with pytest.raises(RunLost):
        commerce.queue.perform(task)
    assert world.feeds() == []
    assert commerce.pulls.get_fetch(fetch.fetch_id).outcome == "cancelled"


def test_a_backfill_ends_with_its_partner_and_is_announced(world: PulledWorld):
    commerce = world.commerce
    backfill = commerce.pulls.backfill("main", Backfill(), partner="Acme")
    become(commerce, "offboarded")
    assert commerce.pulls.get_fetch(backfill.fetch_id).outcome == "cancelled"
    assert "feed.backfilled" in [event.kind for event in commerce.events.list()]


def test_a_server_of_a_paused_partner_is_not_called(world: PulledWorld):
    commerce = world.commerce
    become(commerce, "paused")
    fetch = commerce.pulls.fetch("main", partner="Acme")
    world.work()
    ended = commerce.pulls.get_fetch(fetch.fetch_id)
    assert ended.error is not None
    assert (ended.outcome, ended.error.code) == ("failed", "partner_not_active")
    assert world.server.opened == []
    become(commerce, "active")
    assert world.fetched().outcome == "fetched"
