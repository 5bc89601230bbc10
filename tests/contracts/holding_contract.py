"""What guards promise, whatever the store: no feed wrecks the catalog, and a person decides.

The stories are those of real feeds: columns that come, a quarter of a catalog excluded by accident,
new pictures for all of it, an earlier file sent again, other ids overnight, and a retry that comes
after its successor.
"""

import csv
import io
import secrets
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import nullcontext
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from functools import partial

import pytest
from attrs import define, evolve, field

from adapters.memory import MemoryFiles
from commerce_core.base.errors import Conflict, FileRefused, InvalidInput, NotFound
from commerce_core.catalog.product import Product
from commerce_core.commerce import Commerce
from commerce_core.feeds.job import Job
from commerce_core.ingestion import progress
from commerce_core.plans.saved_plan import SavedPlan
from commerce_core.ports.store import Store
from commerce_core.schema.fields import Mode
from commerce_core.usecases.context import Context
from commerce_core.usecases.plans import decision, take_up
from entrypoints.leases import no_lease
from tests.contracts.threads import together

DAWN = datetime(2026, 6, 17, tzinfo=UTC)
Row = Mapping[str, str]


def catalog(count: int = 100) -> list[Row]:
    """Rows of a partner's catalog, each unlike the others."""
    return [
        {
            "sku": f"V-{number:03}",
            "product_name": f"Camper number {number}",
            "price": f"{20_000 + number}.00",
            "quantity": "1",
            "image_url": f"https://img.example/{number}.jpg",
        }
        for number in range(count)
    ]


def written(rows: Sequence[Row]) -> bytes:
    text = io.StringIO()
    writer = csv.DictWriter(text, list(rows[0]))
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue().encode()


def each(rows: Iterable[Row], **cells: str) -> list[Row]:
    """The rows with cells that may name the row's own: `{sku}`."""
    return [{**row, **{name: cell.format(**row) for name, cell in cells.items()}} for row in rows]


def without(rows: Iterable[Row], *names: str) -> list[Row]:
    return [{name: cell for name, cell in row.items() if name not in names} for row in rows]


@define
class Desk:
    """A partner whose feeds are sent one after the other, each showing a later moment."""

    commerce: Commerce
    partner: str
    at: datetime = DAWN
    sent: list[str] = field(factory=list[str])

    def send(self, rows: Sequence[Row], mode: Mode = "full", at: datetime | None = None) -> Job:
        self.at += timedelta(minutes=19)
        return self.commerce.feeds.load(
            io.BytesIO(written(rows)), partner=self.partner, mode=mode, snapshot_at=at or self.at
        )

    def settle(self, rows: Sequence[Row]) -> Job:
        job = self.send(rows)
        assert (job.status, job.outcome) == ("completed", "clean"), job
        return job

    def products(self) -> dict[str, Product]:
        return {p.sku: p for p in self.commerce.products.list(partner=self.partner)}

    def plan(self, job: Job) -> SavedPlan:
        return self.commerce.plans.get(job.job_id)

    def state(self, job: Job) -> tuple[str, str]:
        """What has become of the feed, and of the job."""
        commerce = self.commerce
        return commerce.feeds.get(job.feed_id).status, commerce.jobs.get(job.job_id).status


@pytest.fixture
def desk(store: Store) -> Desk:
    context = Context(
        store, MemoryFiles(), lambda: datetime.now(UTC), secrets.token_bytes, no_lease,
        lambda _: nullcontext(io.BytesIO()),
    )  # fmt: skip
    commerce = Commerce(context)
    return Desk(commerce, commerce.partners.add("Campers", currency="GBP").partner_id)


def tripped(plan: SavedPlan) -> list[str]:
    return [result.guard for result in plan.guards if result.tripped]


# --- stories of a catalog -------------------------------------------------------------------------


def test_growing_columns_hold_nothing(desk: Desk):
    """A title, then brand and category come; the category of all changes at once."""
    rows = catalog()
    desk.settle(rows)
    wider = each(rows, brand="Bürstner", category="Vans")
    assert desk.send(wider).status == "completed"
    job = desk.send(each(wider, category="Vans > Used"))
    assert (job.status, tripped(desk.plan(job))) == ("completed", [])
    assert desk.plan(job).updated_by_field == {"category": 100}


def test_a_first_product_waits_too_where_a_feed_came_before(desk: Desk):
    """A file of deletions alone was taken, and left no product; the next one lacks its column."""
    hold_first_products(desk)


def hold_first_products(desk: Desk) -> None:
    assert desk.send(each(catalog(), deleted="yes")).outcome == "nothing_changed"
    held = desk.send(catalog())
    assert desk.state(held) == ("held", "held")
    assert desk.products() == {}
    assert desk.commerce.plans.approve(held.feed_id).status == "completed"
    assert len(desk.products()) == len(catalog())


def test_an_exclusion_by_accident_is_held_and_nothing_of_it_lands(desk: Desk):
    """A quarter of the catalog is missing: held, with the numbers; the catalog stays as it was."""
    rows = catalog()
    desk.settle(rows)
    before = desk.products()
    job = desk.send([*rows[:74], *each(catalog(102)[100:])])
    assert desk.state(job) == ("held", "held")
    plan = desk.plan(job)
    (removals,) = plan.holds
    assert (removals.guard, removals.value, removals.limit) == (
        "removals", Decimal("26.00"), Decimal(20),
    )  # fmt: skip
    assert (plan.removed, plan.created) == (26, 2)
    assert job.summary is not None
    assert (job.summary.removed, job.summary.created) == (26, 2)
    assert [s.sku for s in plan.samples if s.change == "removed"][:2] == ["V-074", "V-075"]
    assert desk.products() == before
    assert desk.commerce.feeds.get(job.feed_id).latest_job is not None


def test_it_is_approved_without_its_removals_and_the_next_feed_supersedes_none(desk: Desk):
    """The rest of it lands. The next whole feed removes nothing that it contains."""
    rows = catalog()
    desk.settle(rows)
    held = desk.send(each(rows[:74], quantity="2"))
    job = desk.commerce.plans.approve(held.feed_id, without=["removals"], note="an accident")
    assert (job.job_id, job.status, job.outcome) == (held.job_id, "completed", "clean")
    assert job.summary is not None
    assert (job.summary.updated, job.summary.removed, job.summary.absent) == (74, 0, 26)
    assert "26 products would be removed and stay" in job.summary.notes[0]
    assert job.decision is not None
    assert (job.decision.verdict, job.decision.note) == ("approved", "an accident")
    products = desk.products()
    assert len(products) == 100
    assert {p.quantity for p in products.values()} == {1, 2}
    assert desk.state(desk.send(rows)) == ("applied", "completed")


def test_deletes_stay_too_where_it_is_approved_without_removals(desk: Desk):
    """A delta may remove as much by saying so: its deletes are withheld, and counted as such."""
    rows = catalog()
    desk.settle(rows)
    held = desk.send(each(without(rows[:40], "price"), deleted="yes"), mode="delta")
    assert desk.state(held) == ("held", "held")
    job = desk.commerce.plans.approve(held.feed_id, without=["removals"])
    assert job.summary is not None
    assert (job.summary.deleted, job.summary.removed, job.summary.unchanged) == (0, 0, 40)
    assert desk.plan(job).withheld == 40
    assert len(desk.products()) == 100


def test_the_next_whole_feed_supersedes_what_is_held(desk: Desk):
    """It was applied later and shows a later moment, so nobody has to decide any more."""
    rows = catalog()
    desk.settle(rows)
    held = desk.send(rows[:50])
    assert desk.send(each(rows, quantity="3"), mode="delta").status == "completed"
    assert desk.state(held) == ("held", "held")
    desk.settle(each(rows, quantity="4"))
    assert desk.state(held) == ("superseded", "completed")
    ended = desk.commerce.jobs.get(held.job_id)
    assert ended.outcome == "superseded"
    with pytest.raises(Conflict) as refused:
        desk.commerce.plans.approve(held.feed_id)
    assert refused.value.code == "feed_not_held"


def test_an_older_whole_feed_doesn_t_supersede_what_is_held(desk: Desk):
    """What waits shows a later moment than what was applied meanwhile."""
    rows = catalog()
    desk.settle(rows)
    early = desk.at + timedelta(minutes=1)
    held = desk.send(rows[:50])
    assert desk.send(each(rows, quantity="4"), at=early).status == "completed"
    assert desk.state(held) == ("held", "held")
    assert desk.commerce.plans.approve(held.feed_id).status == "completed"
    assert len(desk.products()) == 50


def test_what_was_applied_keeps_its_figures_and_no_samples(desk: Desk):
    """Nobody has to decide on it, and what changed is told by the stream of changes."""
    rows = catalog()
    desk.settle(rows)
    applied = desk.plan(desk.send(each(rows, quantity="2")))
    assert (applied.updated, applied.samples) == (100, ())
    held = desk.plan(desk.send(rows[:50]))
    assert [sum(s.change == kind for s in held.samples) for kind in ("updated", "removed")] == [
        10,
        10,
    ]


def test_new_pictures_for_nearly_all_hold_nothing(desk: Desk):
    """97 % of the catalog changes, and nothing of it is dear."""
    rows = catalog()
    desk.settle(rows)
    job = desk.send([*each(rows[:97], image_url="https://cdn.example/{sku}.jpg"), *rows[97:]])
    assert desk.state(job) == ("applied", "completed")
    assert desk.plan(job).updated_by_field == {"image_url": 97}


def test_earlier_bytes_roll_the_catalog_back(desk: Desk):
    """The same bytes as an earlier feed are a new one, which says what the catalog is to be."""
    rows = catalog()
    desk.settle(rows)
    before = {sku: p.price for sku, p in desk.products().items()}
    desk.settle(each(rows, price="22000.00"))
    assert desk.send(rows).outcome == "clean"
    assert {sku: p.price for sku, p in desk.products().items()} == before


@pytest.mark.parametrize("count", [26, 100])
def test_other_ids_overnight_are_held_with_the_pairs(desk: Desk, count: int):
    """All but one vanish, and as many come that are the same: the ids changed, not the products."""
    rows = catalog(count)
    desk.settle(rows)
    job = desk.send([*each(rows[:-1], sku="new-{sku}"), rows[-1]])
    assert desk.state(job) == ("held", "held")
    plan = desk.plan(job)
    assert "rekeyed" in tripped(plan)
    assert plan.rekeyed.count == count - 1
    first = plan.rekeyed.pairs[0]
    assert (first.vanished, first.newcomer, first.by) == ("V-000", "new-V-000", "product_name")
    assert desk.products().keys() == {row["sku"] for row in rows}


def test_a_retry_that_comes_after_its_successor_changes_nothing(desk: Desk):
    """It shows an earlier moment than the whole feed that was applied meanwhile."""
    rows = catalog()
    desk.settle(rows)
    late = desk.at + timedelta(minutes=1)
    desk.settle(each(rows, quantity="7"))
    retry = desk.send(rows[:10], at=late)
    assert desk.state(retry) == ("superseded", "completed")
    assert {p.quantity for p in desk.products().values()} == {7}


def test_a_whole_feed_that_lost_a_column_is_held_and_leaves_the_field_alone_if_approved(
    desk: Desk,
):
    """The mapped column is named; approved, its field stays as it was."""
    rows = catalog()
    desk.settle(rows)
    held = desk.send(without(each(rows, quantity="9"), "image_url"))
    (gone,) = desk.plan(held).holds
    assert (gone.guard, gone.value) == ("columns_gone", Decimal(1))
    assert "image_url" in gone.detail
    assert desk.commerce.plans.approve(held.feed_id).status == "completed"
    assert desk.products()["V-000"].image_url == "https://img.example/0.jpg"
    assert desk.products()["V-000"].quantity == 9


def test_prices_that_move_together_are_held_and_a_few_are_not(desk: Desk):
    """Half as much again for all is held; a sale of some is not; a leap of one keeps its price."""
    rows = catalog()
    desk.settle(rows)
    sale = [*each(rows[:9], price="10000.00"), *rows[9:]]
    assert desk.send(sale).status == "completed"
    leap = desk.send([*each(sale[:1], price="100.00"), *sale[1:]])
    assert (leap.status, tripped(desk.plan(leap))) == ("completed", ["price_leap"])
    assert desk.products()["V-000"].price == Decimal("10000.00")
    assert leap.summary is not None
    assert (leap.summary.warnings, leap.summary.unchanged) == (1, 100)
    dear = desk.send(each(sale, price="30000.00"))
    assert (dear.status, tripped(desk.plan(dear))) == ("held", ["price_median"])


def test_cents_taken_for_euros_are_held_though_each_price_would_be_kept(desk: Desk):
    """A unit mistaken throughout is no matter of single records."""
    rows = catalog()
    desk.settle(rows)
    job = desk.send(each(rows, price="2000000.00"))
    assert (job.status, tripped(desk.plan(job))) == ("held", ["price_median", "price_leap"])


def test_a_wave_of_sold_out_products_warns_and_lands(desk: Desk):
    """Holding it would oversell."""
    rows = catalog()
    desk.settle(rows)
    job = desk.send(each(rows, quantity="0"))
    assert (job.status, tripped(desk.plan(job))) == ("completed", ["out_of_stock"])
    assert desk.plan(job).stock.sold_out == 100


def test_a_small_catalog_and_a_new_source_are_not_judged_by_counts(desk: Desk):
    """Below fifty products there is nothing to count by; what was never there can't be missed."""
    rows = catalog(49)
    desk.settle(rows)
    assert desk.send(rows[:25]).status == "completed"
    assert len(desk.products()) == 25


def test_less_than_half_of_a_small_catalog_may_be_half_a_file(desk: Desk):
    """A cut at the end of a record looks like a whole file; a handful of products is let go."""
    rows = catalog(10)
    desk.settle(rows)
    held = desk.send(rows[:4])
    assert (held.status, tripped(desk.plan(held))) == ("held", ["file_size"])
    assert len(desk.products()) == 10
    assert desk.send(rows[:6]).status == "completed"
    assert desk.send(rows[:2]).status == "completed"


# --- deciding -------------------------------------------------------------------------------------


def test_an_approved_feed_applies_as_its_job_and_as_who_approved_it(desk: Desk):
    """The job goes on where it was held: another attempt of the same, which then completes."""
    rows = catalog()
    desk.settle(rows)
    held = desk.send(rows[:50])
    assert held.attempts == 1
    job = desk.commerce.plans.approve(held.feed_id, note="half of them are sold")
    assert (job.job_id, job.attempts, job.outcome) == (held.job_id, 2, "clean")
    assert desk.state(job) == ("applied", "completed")
    assert len(desk.products()) == 50
    assert desk.commerce.jobs.get(job.job_id) == job


def test_an_approval_outlives_the_process_that_gave_it(desk: Desk, store: Store):
    """Whoever takes the job over when its lease is over finds the approval on it."""
    rows = catalog()
    desk.settle(rows)
    held = desk.send(each(rows[:50], quantity="5"))
    gone = evolve(desk.commerce.context, lease=timedelta(0))
    with store.begin() as unit:
        approved = decision(gone, approves=True, note=None, without=["removals"])
        take_up(gone, unit, unit.feeds.get(held.feed_id), approved)
    job = desk.commerce.queue.claim()
    assert job is not None
    assert (job.job_id, job.attempts, job.crashed_attempts) == (held.job_id, 3, 1)
    assert desk.commerce.queue.execute(job).status == "completed"
    assert desk.state(held) == ("applied", "completed")
    assert len(desk.products()) == 100


def test_of_those_who_decide_at_the_same_moment_one_is_right(desk: Desk):
    """The others are told that it isn't held any more; the feed is applied once, or not at all."""
    rows = catalog()
    desk.settle(rows)
    held, commerce = desk.send(rows[:50]), desk.commerce

    def decided(decide: Callable[[str], object]) -> str:
        try:
            decide(held.feed_id)
        except Conflict as refused:
            return refused.code
        return "decided"

    deciders = (commerce.plans.approve, commerce.plans.approve, commerce.plans.reject)
    told = together(*(partial(decided, decide) for decide in deciders))
    assert sorted(told) == ["decided", "feed_not_held", "feed_not_held"]
    assert desk.state(held) in (("applied", "completed"), ("rejected", "cancelled"))
    assert len(desk.products()) == (50 if desk.state(held)[0] == "applied" else 100)


def test_an_approval_doesn_t_cover_more_than_was_seen(desk: Desk):
    """Planned anew it would remove more: refused with the new plan, which can then be approved."""
    rows = catalog()
    desk.settle(rows)
    held = desk.send(rows[:74])
    # Of a moment before it: what newer feeds have brought an older full one doesn't remove.
    more = each(catalog(140)[100:], quantity="1")
    before = desk.at - timedelta(minutes=1)
    assert desk.send(more, mode="delta", at=before).outcome == "clean"
    with pytest.raises(Conflict) as refused:
        desk.commerce.plans.approve(held.feed_id)
    assert refused.value.code == "plan_worse"
    plan = refused.value.shown["plan"]
    assert isinstance(plan, SavedPlan)
    assert (plan.removed, plan.before) == (66, 140)
    assert desk.state(held) == ("held", "held")
    assert desk.commerce.jobs.get(held.job_id).decision is None
    assert desk.plan(held) == plan
    assert len(desk.products()) == 140
    assert desk.commerce.plans.approve(held.feed_id).status == "completed"
    assert len(desk.products()) == 74


def test_an_approval_covers_less_than_was_seen(desk: Desk):
    """Some of what would have gone has gone meanwhile."""
    rows = catalog()
    desk.settle(rows)
    held = desk.send(rows[:70])
    gone = each(without(rows[95:], "price"), deleted="yes")
    assert desk.send(gone, mode="delta").outcome == "clean"
    assert desk.commerce.plans.approve(held.feed_id).status == "completed"
    assert len(desk.products()) == 70


def test_a_rejected_feed_is_over_for_good(desk: Desk):
    """Who, when and why are kept with its job."""
    rows = catalog()
    desk.settle(rows)
    held = desk.send(rows[:50])
    feed = desk.commerce.plans.reject(held.feed_id, note=" wrong export ")
    assert feed.status == "rejected"
    job = desk.commerce.jobs.get(held.job_id)
    assert (job.status, desk.state(held)) == ("cancelled", ("rejected", "cancelled"))
    assert job.decision is not None
    assert (job.decision.verdict, job.decision.actor, job.decision.note) == (
        "rejected", "operator", "wrong export",
    )  # fmt: skip
    for decide in (desk.commerce.plans.approve, desk.commerce.plans.reject):
        with pytest.raises(Conflict) as refused:
            decide(held.feed_id)
        assert refused.value.code == "feed_not_held"


def test_who_decided_and_why_is_in_the_audit_and_a_rejection_is_announced(desk: Desk):
    """Each decision is noted in the transaction that takes it."""
    rows = catalog()
    desk.settle(rows)
    approved, commerce = desk.send(rows[:70]), desk.commerce
    commerce.plans.approve(approved.feed_id, without=["removals"], note="an accident")
    rejected = desk.send(rows[:60])
    commerce.plans.reject(rejected.feed_id, note="another one")
    entries = [
        entry
        for entry in desk.commerce.audit.list(partner=desk.partner)
        if entry.action in ("feed.approved", "feed.rejected")
    ]
    assert [(entry.action, entry.actor, entry.note, entry.subjects) for entry in entries] == [
        ("feed.rejected", "operator", "another one", (rejected.feed_id, rejected.job_id)),
        ("feed.approved", "operator", "an accident", (approved.feed_id, approved.job_id)),
    ]
    told = list(desk.commerce.events.list(kinds=("feed.rejected",), partner=desk.partner))
    assert [event.data["feed_id"] for event in told] == [rejected.feed_id]
    assert told[0].data["error"] == {"code": "rejected", "message": "another one"}


def test_a_held_feed_is_neither_run_nor_cancelled_nor_ingested_anew(desk: Desk):
    """It may be planned again, which decides nothing."""
    rows = catalog()
    desk.settle(rows)
    held = desk.send(rows[:50])
    commerce = desk.commerce
    for act in (commerce.jobs.run, commerce.jobs.release, commerce.jobs.cancel):
        with pytest.raises(Conflict, match="held"):
            act(held.job_id)
    with pytest.raises(Conflict, match="held"):
        commerce.jobs.start(held.feed_id)
    again = commerce.jobs.run(commerce.jobs.start(held.feed_id, kind="plan").job_id)
    assert (again.status, tripped(desk.plan(again))) == ("completed", ["removals"])
    assert desk.state(held) == ("held", "held")
    assert commerce.plans.approve(held.feed_id).status == "completed"


def test_a_paused_partner_s_feed_isn_t_approved(desk: Desk):
    rows = catalog()
    desk.settle(rows)
    held = desk.send(rows[:50])
    desk.commerce.partners.change(desk.partner, status="paused")
    with pytest.raises(Conflict, match="paused"):
        desk.commerce.plans.approve(held.feed_id)
    assert desk.state(held) == ("held", "held")


def test_a_decision_that_makes_no_sense_is_refused_before_anything_happens(desk: Desk):
    rows = catalog()
    desk.settle(rows)
    held = desk.send(rows[:50])
    with pytest.raises(InvalidInput) as refused:
        desk.commerce.plans.approve(held.feed_id, without=["prices"], note="x" * 1_001)
    assert [fault.pointer for fault in refused.value.faults] == ["/without", "/note"]
    assert desk.state(held) == ("held", "held")


def test_problems_of_a_held_feed_are_reported_once_when_it_is_approved(desk: Desk):
    rows = catalog()
    desk.settle(rows)
    held = desk.send([*each(rows[:1], price="cheap"), *rows[1:50]])
    told = list(desk.commerce.jobs.problems(held.job_id))
    assert [problem.code for problem in told] == ["not_a_number"]
    desk.commerce.plans.approve(held.feed_id)
    assert list(desk.commerce.jobs.problems(held.job_id)) == told


# --- looking --------------------------------------------------------------------------------------


def test_a_file_is_looked_at_before_it_is_sent_and_nothing_stays(desk: Desk):
    """The plan is what the job's would be; there is no feed and no job of it."""
    rows = catalog()
    desk.settle(rows)
    before = desk.products()
    stream = io.BytesIO(written(rows[:74]))
    plan = desk.commerce.plans.preview(stream, partner=desk.partner, mode="full")
    assert tripped(plan) == ["removals"]
    assert desk.products() == before
    assert len(list(desk.commerce.feeds.list(partner=desk.partner))) == 1
    assert len(list(desk.commerce.jobs.list(partner=desk.partner))) == 1
    sent = desk.plan(desk.send(rows[:74]))
    assert evolve(sent, feed_id="", planned_at=DAWN) == evolve(plan, feed_id="", planned_at=DAWN)


def test_a_file_that_is_looked_at_is_as_large_as_it_is(desk: Desk, monkeypatch: pytest.MonkeyPatch):
    """What is bounded by the bytes of a feed is bounded by those of the file."""
    monkeypatch.setattr(progress, "RECORDS_BESIDE_BYTES", 0)
    stream = io.BytesIO(written(catalog(60)))
    assert desk.commerce.plans.preview(stream, partner=desk.partner).created == 60


def test_a_file_that_can_t_be_taken_is_refused_when_it_is_looked_at(desk: Desk):
    desk.settle(catalog(3))
    with pytest.raises(FileRefused):
        desk.commerce.plans.preview(io.BytesIO(b"a,b\n1,2\n"), partner=desk.partner)
    late = DAWN - timedelta(days=1)
    with pytest.raises(Conflict) as refused:
        desk.commerce.plans.preview(
            io.BytesIO(written(catalog(3))), partner=desk.partner, mode="full", snapshot_at=late
        )
    assert refused.value.code == "superseded"


@pytest.mark.parametrize("kind", ["plan", "validate"])
def test_a_job_that_only_looks_changes_nothing(desk: Desk, kind: str):
    """Its feed is as received, and can be ingested afterwards."""
    rows = catalog(60)
    desk.settle(rows)
    before = desk.products()
    commerce = desk.commerce
    body = written([*each(rows[:30], quantity="8"), *each(rows[30:31], price="cheap")])
    receipt = commerce.feeds.upload(
        io.BytesIO(body), partner=desk.partner, mode="full", kind=kind,  # type: ignore[arg-type]
    )  # fmt: skip
    job = commerce.jobs.run(receipt.job_id)
    assert (job.status, job.outcome, job.kind) == ("completed", "with_rejects", kind)
    assert [problem.code for problem in commerce.jobs.problems(job.job_id)] == ["not_a_number"]
    with commerce.jobs.report(job.job_id) as report:
        assert b"cheap" in report.read()
    assert commerce.feeds.get(job.feed_id).status == "received"
    assert desk.products() == before
    if kind == "plan":
        assert tripped(desk.plan(job)) == ["removals"]
    else:
        with pytest.raises(NotFound) as refused:
            desk.plan(job)
        assert refused.value.code == "no_plan"
    assert desk.state(commerce.jobs.run(commerce.jobs.start(job.feed_id).job_id)) == (
        "held",
        "held",
    )


def test_validating_counts_what_ingesting_would_count(desk: Desk):
    """Rejected and blank records, and their problems, before anything is compared."""
    text = (
        'sku,product_name,price\nA,Lamp,5\n,Desk,5\nB,"On"e,5\nC,Chair\n,,\nD,Bed,x\nE,,"x"\n'
        'F,Shelf,-1\n"",\nG,"Two\nlines",6\n'
    )
    receipt = desk.commerce.feeds.upload(
        io.BytesIO(text.encode()), partner=desk.partner, mode="full", kind="validate"
    )
    validated = desk.commerce.jobs.run(receipt.job_id).summary
    ingested = desk.commerce.jobs.run(desk.commerce.jobs.start(receipt.feed_id).job_id).summary
    assert validated
    assert ingested
    for name in ("records_read", "rejected", "blank", "warnings", "problems_by_code"):
        assert getattr(validated, name) == getattr(ingested, name), name
    assert (validated.rejected, ingested.created) == (6, 2)
    assert [stage.name for stage in validated.stages] == ["read", "report"]


@pytest.mark.parametrize("kind", ["plan", "validate"])
def test_a_job_that_only_looks_fails_as_an_ingest_would_and_leaves_its_feed_alone(
    desk: Desk, kind: str
):
    for body, code in ((b"a,b\n1,2\n", "no_header"), (b"sku,price\nA,x\n", "nothing_accepted")):
        receipt = desk.commerce.feeds.upload(
            io.BytesIO(body), partner=desk.partner, kind=kind,  # type: ignore[arg-type]
        )  # fmt: skip
        job = desk.commerce.jobs.run(receipt.job_id)
        assert job.error is not None
        assert (job.status, job.error.code) == ("failed", code)
        assert desk.commerce.feeds.get(job.feed_id).status == "received"
