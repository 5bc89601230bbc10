"""Two platforms whose partners send the same feeds in the same order, and decide the same of them.

    agree(MemoryStore(clock), store, examples=20, steps=20)

Feeds come early and late, whole and in part, are held, approved, approved without their removals,
rejected and reverted. Whatever the store, each step has the same end, and the same catalog.
"""

import secrets
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from datetime import UTC, datetime, timedelta
from io import BytesIO

from attrs import evolve
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    Bundle,
    RuleBasedStateMachine,
    initialize,
    invariant,
    rule,
    run_state_machine_as_test,
)

from adapters.memory import MemoryFiles
from commerce_core.base.errors import CommerceError
from commerce_core.catalog.product import Product
from commerce_core.commerce import Commerce
from commerce_core.feeds.job import Job
from commerce_core.plans.saved_plan import SavedPlan
from commerce_core.ports.store import Store
from commerce_core.schema.fields import Mode
from commerce_core.usecases.context import Context
from entrypoints.leases import no_lease
from tests.contracts.holding_contract import DAWN, Desk, Row, catalog, each, without, written
from tests.support.examples import scaled

COUNT = 12
"""Products of the catalog: few enough to be quick, and enough for ids that change to be seen."""
HOUR = timedelta(hours=1)
VARIANTS: dict[str, Callable[[list[Row]], list[Row]]] = {
    "as it is": lambda rows: rows,
    "a quarter is missing": lambda rows: rows[:-3],
    "one is missing": lambda rows: rows[1:],
    "other ids": lambda rows: each(rows, sku="new-{sku}"),
    "a column is gone": lambda rows: without(rows, "image_url"),
    "a price leaps": lambda rows: [*each(rows[:1], price="1.00"), *rows[1:]],
    "sold out": lambda rows: each(rows, quantity="0"),
    "a price can't be read": lambda rows: [*each(rows[:1], price="cheap"), *rows[1:]],
    "a sku can't be read": lambda rows: [*each(rows[:1], sku=""), *rows[1:]],
    "the end alone": lambda rows: rows[-4:],
    "some are deleted": lambda rows: each(without(rows[:4], "price"), deleted="yes"),
}
PRICES = ("20000.00", "21000.00", "30000.00", "90.00")


def agree(one: Store, other: Store, *, examples: int, steps: int) -> None:
    """Takes both stores through so many random histories of so many steps each."""
    run_state_machine_as_test(
        lambda: HoldingMachine((desk_on(one), desk_on(other))),  # type: ignore[arg-type] - as in store_machine
        settings=settings(max_examples=scaled(examples), stateful_step_count=steps),
    )


def desk_on(store: Store) -> Desk:
    """A new partner of a platform on that store, whose guards judge the smallest catalogs."""
    context = Context(
        store, MemoryFiles(), lambda: datetime.now(UTC), secrets.token_bytes, no_lease,
        lambda _: nullcontext(BytesIO()),
    )  # fmt: skip
    commerce = Commerce(context)
    name = f"Campers {secrets.token_hex(8)}"
    partner = commerce.partners.add(name, currency="GBP").partner_id
    commerce.sources.change("main", partner=partner, guards={"judged_from": 4})
    return Desk(commerce, partner)


def timeless(job: Job) -> object:
    """How a job ended, without its ids and times."""
    summary = job.summary and evolve(job.summary, stages=(), notes=(), drift=())
    verdict = job.decision and (job.decision.verdict, job.decision.without)
    return job.status, job.outcome, job.error and job.error.code, summary, verdict


def told(plan: SavedPlan) -> object:
    """A plan without ids and times."""
    samples = tuple(evolve(sample, product_id=None) for sample in plan.samples)
    return evolve(plan, feed_id="", planned_at=DAWN, samples=samples, notes=())


def ended(step: Callable[[], object]) -> object:
    """What a step gives, or the code of its refusal."""
    try:
        return step()
    except CommerceError as refused:
        return refused.code


class HoldingMachine(RuleBasedStateMachine):
    feeds = Bundle("feeds")

    def __init__(self, desks: Sequence[Desk]) -> None:
        super().__init__()
        self.desks = desks
        self.sent: list[list[Job]] = []
        self.at = DAWN

    def both(self, step: Callable[[Desk, int], object]) -> object:
        """What a step gives on both; it is told which desk it is at."""
        answers = [ended(lambda n=n, desk=desk: step(desk, n)) for n, desk in enumerate(self.desks)]
        assert answers[0] == answers[1]
        return answers[0]

    @initialize(target=feeds)
    def begin(self) -> int:
        return self.receive(catalog(COUNT), "full", self.at)

    @rule(
        target=feeds,
        variant=st.sampled_from(sorted(VARIANTS)),
        price=st.sampled_from(PRICES),
        mode=st.sampled_from(["full", "full", "full", "delta"]),
        hours=st.sampled_from([1, 1, 1, 1, 1, -1, -5]),
    )
    def send(self, variant: str, price: str, mode: Mode, hours: int) -> int:
        """A feed comes, which shows a moment after all others, or one in between."""
        self.at += HOUR
        rows = VARIANTS[variant](each(catalog(COUNT), price=price))
        at = self.at if hours > 0 else self.at + hours * HOUR - HOUR / 2
        return self.receive(rows, mode, at)

    def receive(self, rows: Sequence[Row], mode: Mode, at: datetime) -> int:
        """Sends it at both desks; a held one changes nothing."""
        before = self.catalog(self.desks[0])
        jobs = [
            desk.commerce.feeds.load(
                BytesIO(written(rows)), partner=desk.partner, mode=mode, snapshot_at=at
            )
            for desk in self.desks
        ]
        self.sent.append(jobs)
        assert timeless(jobs[0]) == timeless(jobs[1])
        self.both(lambda desk, n: told(desk.plan(jobs[n])))
        if jobs[0].status != "completed":
            assert self.catalog(self.desks[0]) == before
        return len(self.sent) - 1

    @rule(number=feeds, without=st.sampled_from([(), (), ("removals",)]))
    def approve(self, number: int, without: Sequence[str]) -> None:
        """Only a held feed is approved; without its removals nothing is removed."""
        before = self.catalog(self.desks[0])
        answer = self.both(
            lambda desk, n: timeless(
                desk.commerce.plans.approve(self.feed(number, n), without=without)
            )
        )
        after = self.catalog(self.desks[0])
        if isinstance(answer, str):
            assert answer in ("feed_not_held", "plan_worse")
            assert after == before
        elif without:
            assert before.keys() <= after.keys()

    @rule(number=feeds)
    def reject(self, number: int) -> None:
        before = self.catalog(self.desks[0])
        self.both(lambda desk, n: desk.commerce.plans.reject(self.feed(number, n)).status)
        assert self.catalog(self.desks[0]) == before

    @rule(number=feeds, undo=st.booleans())
    def revert(self, number: int, *, undo: bool) -> None:
        """Goes back to before an applied feed, or forward to it again."""

        def step(desk: Desk, n: int) -> object:
            commerce = desk.commerce
            return timeless(
                commerce.jobs.run(commerce.reverts.start(self.feed(number, n), undo=undo).job_id)
            )

        self.both(step)

    @rule(number=feeds)
    def plan_again(self, number: int) -> None:
        """A job that only looks changes nothing, whatever has become of the feed."""
        before = self.catalog(self.desks[0])

        def step(desk: Desk, n: int) -> object:
            commerce = desk.commerce
            job = commerce.jobs.run(commerce.jobs.start(self.feed(number, n), kind="plan").job_id)
            return timeless(job), job.outcome == "superseded" or told(desk.plan(job))

        self.both(step)
        assert self.catalog(self.desks[0]) == before

    def feed(self, number: int, n: int) -> str:
        return self.sent[number][n].feed_id

    @invariant()
    def same_everything(self) -> None:
        """The catalogs are the same, and so is what has become of every feed and job."""
        self.both(lambda desk, _: self.catalog(desk))
        self.both(lambda desk, n: [desk.state(jobs[n]) for jobs in self.sent])

    @invariant()
    def a_held_feed_has_a_held_job_and_a_reason(self) -> None:
        """No feed waits for nothing."""
        for job, _ in self.sent:
            feed, kept = self.desks[0].state(job)
            assert (feed == "held") == (kept == "held")
            assert kept != "held" or self.desks[0].plan(job).holds

    def catalog(self, desk: Desk) -> dict[str, object]:
        """All active products by sku, as their feeds said them."""
        return {sku: self._said(product) for sku, product in desk.products().items()}

    def _said(self, product: Product) -> object:
        return product.values(), product.status, product.version
