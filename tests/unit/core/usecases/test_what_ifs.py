"""What-ifs that are left to a worker."""

import io
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from attrs import evolve

from commerce_core.base.errors import Conflict, InvalidInput, NotFound
from commerce_core.commerce import Commerce
from commerce_core.pricing.what_if import MOST_QUEUED_RUNS, RUNS_KEPT
from commerce_core.usecases.context import Context
from commerce_core.work.attempt import MOST_CRASHED_ATTEMPTS
from commerce_core.work.task import Task
from entrypoints.compose import open_platform
from entrypoints.settings import Settings

CATALOG = b"""sku,title,price,brand,category,quantity
A,Lamp,10.00,Acme,Home > Lamps,90
B,Chair,20.00,Nord,Home > Chairs,90
"""
T0 = datetime(2090, 3, 31, 12, tzinfo=UTC)
DAY = timedelta(days=1)
SALE = {"name": "Sale", "benefit": {"percent": "10"}, "funded_by": "platform"}


class Clock:
    """A clock that stands still until it is set."""

    now = T0

    def __call__(self) -> datetime:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def commerce(clock: Clock) -> Iterator[Commerce]:
    with open_platform(Settings(database_url="memory:")) as made:
        context: Context = evolve(made.context, clock=clock)
        platform = Commerce(context)
        platform.partners.add("Acme", currency="EUR")
        platform.feeds.load(io.BytesIO(CATALOG), partner="Acme")
        for sku in ("A", "B"):
            product = platform.products.get(partner="Acme", sku=sku)
            platform.orders.place([(product.product_id, 2)])
        clock.now += DAY
        yield platform


def claimed(commerce: Commerce) -> Task:
    task = commerce.queue.claim("what_ifs")
    assert isinstance(task, Task)
    return task


def test_a_run_is_queued_run_and_reported(commerce: Commerce, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("commerce_core.usecases.pricing.MOST_ORDERS", 1)
    monkeypatch.setattr("commerce_core.usecases.repricing._AT_ONCE", 1)
    with pytest.raises(InvalidInput, match="more than 1 orders"):
        commerce.pricing.what_if([SALE], since=T0)
    run = commerce.what_ifs.start([SALE], since=T0)
    assert (run.status, run.report, run.until) == ("queued", None, T0 + DAY)
    task = claimed(commerce)
    assert commerce.what_ifs.get(run.what_if_id).status == "running"
    assert commerce.queue.perform(task) == 2
    found = commerce.what_ifs.get(run.what_if_id)
    assert (found.status, found.finished_at) == ("done", T0 + DAY)
    monkeypatch.undo()
    assert found.report == commerce.pricing.what_if([SALE], since=T0)
    assert found.report
    (total,) = found.report.totals
    assert (total.before, total.after, total.difference) == (60, 54, -6)
    assert commerce.queue.claim("what_ifs") is None


def test_a_report_says_who_pays_for_what_and_what_margin_is_left(commerce: Commerce):
    commerce.price_lists.add("Costs", currency="EUR")
    commerce.price_lists.load("Costs", io.BytesIO(b"sku,price\nA,9.50\n"))
    floor = {"margin_percent": "0", "cost_list": "Costs"}
    commerce.pricing.add({"name": "Above cost", "benefit": {"floor": floor}})
    half = {"partner_percent": "50"}
    rules = [{**SALE, "funded_by": half}, {**SALE, "name": "Own", "funded_by": "partner"}]
    found = commerce.pricing.what_if(rules, since=T0)
    (total,) = found.totals
    assert found.floored
    assert (total.costed_lines, total.margin_before, total.margin_after) == (1, 1, 0)
    assert (total.platform_before, total.partner_before) == (0, 0)
    assert total.platform_after + total.partner_after == -total.difference
    assert total.platform_after == Decimal("2.50")
    by_key = {row.key: row for row in found.by_category}
    assert by_key["Home > Chairs"].costed_lines == 0
    assert by_key["Home > Chairs"].margin_after == 0


def test_a_run_that_is_given_up_or_cannot_be_priced_fails(commerce: Commerce):
    run = commerce.what_ifs.start(since=T0)
    task = evolve(claimed(commerce), crashed_attempts=MOST_CRASHED_ATTEMPTS)
    assert commerce.queue.perform(task) is None
    found = commerce.what_ifs.get(run.what_if_id)
    assert (found.status, found.report) == ("failed", None)
    assert found.problem
    joined = {**SALE, "group": {"name": "g", "mode": "first"}}
    late = commerce.what_ifs.start([joined], since=T0)
    other = {**SALE, "name": "Other", "group": {"name": "g", "mode": "best"}}
    commerce.pricing.add(other)
    assert commerce.queue.perform(claimed(commerce)) == 0
    assert commerce.what_ifs.get(late.what_if_id).status == "failed"


def test_a_run_that_ended_is_not_run_again(commerce: Commerce):
    run = commerce.what_ifs.start(since=T0)
    commerce.queue.perform(claimed(commerce))
    found = commerce.what_ifs.get(run.what_if_id)
    assert commerce.what_ifs.run(run.what_if_id) == 0
    commerce.what_ifs.give_up(run.what_if_id)
    assert commerce.what_ifs.get(run.what_if_id) == found


def test_what_is_wrong_with_rules_or_the_range_is_reported_at_once(
    commerce: Commerce, monkeypatch: pytest.MonkeyPatch
):
    with pytest.raises(InvalidInput) as refusal:
        commerce.what_ifs.start([SALE, {**SALE, "name": "Two", "condition": {}}], since=T0)
    assert refusal.value.faults[0].pointer.startswith("/rules/1")
    monkeypatch.setattr("commerce_core.usecases.what_ifs.MOST_ORDERS_OF_RUN", 1)
    with pytest.raises(InvalidInput) as refusal:
        commerce.what_ifs.start([SALE], since=T0)
    assert [fault.code for fault in refusal.value.faults] == ["too_many_orders"]
    with pytest.raises(NotFound):
        commerce.what_ifs.get("wif_" + "0" * 32)


def test_few_runs_wait_at_once_and_a_key_makes_one(commerce: Commerce):
    first = commerce.what_ifs.start([SALE], since=T0, key="k")
    assert commerce.what_ifs.start([SALE], since=T0, key="k") == first
    for _ in range(MOST_QUEUED_RUNS - 1):
        commerce.what_ifs.start(since=T0)
    with pytest.raises(Conflict) as refusal:
        commerce.what_ifs.start(since=T0)
    assert refusal.value.code == "too_many_what_ifs"


def test_runs_are_kept_for_a_while(commerce: Commerce, clock: Clock):
    run = commerce.what_ifs.start(since=T0)
    commerce.queue.perform(claimed(commerce))
    clock.now += RUNS_KEPT
    commerce.what_ifs.start(since=T0)
    commerce.queue.perform(claimed(commerce))
    assert commerce.what_ifs.get(run.what_if_id).status == "done"
    clock.now += timedelta(microseconds=1)
    commerce.what_ifs.start(since=T0)
    commerce.queue.perform(claimed(commerce))
    with pytest.raises(NotFound):
        commerce.what_ifs.get(run.what_if_id)
