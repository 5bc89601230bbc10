"""What a store promises of plans that are kept with jobs, and of what was decided about them."""

from decimal import Decimal

from attrs import evolve

from commerce_core.feeds.guards import DEFAULT_GUARDS, judge
from commerce_core.feeds.job import Decision
from commerce_core.feeds.summary import Summary
from commerce_core.plans.changes import Sample, SampledField
from commerce_core.plans.comparison import Plan, Stock
from commerce_core.plans.price_moves import PriceMove, price_moves
from commerce_core.plans.rekeying import Pair, Rekeyed
from commerce_core.plans.saved_plan import SavedPlan
from commerce_core.ports.store import Store
from tests.contracts import samples
from tests.contracts.samples import MINUTE, T0

KEPT = SavedPlan.of(
    samples.feed(samples.source(samples.partner())),
    Plan(
        feed_context=samples.feed_context(samples.feed(samples.source(samples.partner()))),
        before=9,
        price_moves=price_moves(
            [PriceMove.of("A", 2, "EUR", before=Decimal("1.00"), after=Decimal("9.50"), kept=True)]
        ),
        rekeyed=Rekeyed(1, (Pair("A", "B", "gtin"),)),
        stock=Stock(3, 1),
        samples=(Sample("updated", "A", 2, None, "Name", (SampledField("brand", None, "X"),)),),
        updated_by_field={"brand": 1},
    ),
    Summary(records_read=3, updated=3, problems_by_code={"price_leap": 1}, notes=("One.",)),
    guards=judge(samples.figures(before=50, removed=50), DEFAULT_GUARDS),
    problems=[samples.problem(2)],
    at=T0,
)
"""A plan of which nothing is left out."""


class TestDecisions:
    def test_a_plan_is_kept_whole_and_replaced(self, store: Store):
        """What a job would do is given back as it was kept; the last one kept counts."""
        _, source = samples.settled(store)
        job = samples.queued(store, samples.received(store, source))
        with store.begin() as unit:
            assert unit.jobs.plan(job.job_id) is None
            for plan in (KEPT, evolve(KEPT, removed=7)):
                unit.jobs.keep_plan(job.job_id, plan)
                assert unit.jobs.plan(job.job_id) == plan

    def test_a_decision_is_kept_with_its_job(self, store: Store):
        """Whoever approved a held feed stands there while it runs and afterwards."""
        _, source = samples.settled(store)
        job = samples.queued(store, samples.received(store, source))
        decision = Decision("approved", "key_1", T0, "because", ("removals",))
        with store.begin() as unit:
            claimed = unit.jobs.claim(T0, MINUTE, job.job_id)
            assert claimed is not None
            unit.jobs.finish(claimed.hold(T0, Summary()))
            unit.jobs.put(unit.jobs.lock(job.job_id).decided(decision))
            again = unit.jobs.claim(T0, MINUTE, job.job_id)
            assert again is not None
            assert (again.decision, again.attempts, again.status) == (decision, 2, "running")
            unit.jobs.finish(again.complete(T0, Summary(), "clean"))
            assert unit.jobs.get(job.job_id).decision == decision

    def test_problems_are_forgotten_and_may_be_added_anew(self, store: Store):
        """A job that runs once more tells its problems once."""
        _, source = samples.settled(store)
        job = samples.queued(store, samples.received(store, source))
        with store.begin() as unit:
            unit.jobs.add_problems(job.job_id, [samples.problem(2), samples.problem(3)])
            unit.jobs.forget_problems(job.job_id)
            assert unit.jobs.problems(job.job_id, None, 9).items == ()
            unit.jobs.add_problems(job.job_id, [samples.problem(4)])
            assert unit.jobs.problems(job.job_id, None, 9).items == (samples.problem(4),)
