"""Two platforms that go through the same random history, held against each other and a model.

Feeds of both modes, deletes, reverts and their undoing; after each step the catalogs, the copies
that follow their changes, and the model are the same. At the end the past is asked about, and both
are replayed from their raw files.

    drive(platform_in_memory, my_platform, examples=20, steps=15)
"""

import io
import itertools
from collections.abc import Sequence
from typing import Literal

from attrs import define, field, frozen
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from commerce_core.catalog.product import Product, ProductQuery
from commerce_core.commerce import Commerce
from tests.support.books import check_books
from tests.support.examples import scaled

SKUS = "ABCDE"
"""Too few for a guard to hold a file because others are missing from it."""
PRICES = ("10.00", "12.00", "15.00", "20.00", "30.00")
"""None of these is a leap from any other."""
_numbers = itertools.count()

Row = tuple[str, str]
"""A record: a sku with its price, or with `deleted` in its place."""
State = tuple[str, str]
"""Whether a product is there, and its price."""
Feed = tuple[str, str]
"""A feed by its id on either platform."""
rows = st.lists(
    st.tuples(st.sampled_from(SKUS), st.sampled_from((*PRICES, "deleted"))),
    min_size=1,
    max_size=len(SKUS),
    unique_by=lambda row: row[0],
)


def drive(one: Commerce, other: Commerce, *, examples: int, steps: int) -> None:
    """Takes both platforms through so many random histories of so many steps each."""
    run_state_machine_as_test(
        lambda: HistoryMachine(one, other),  # type: ignore[arg-type] - a factory does as well
        settings=settings(max_examples=scaled(examples), stateful_step_count=steps),
    )


def content(told: Sequence[Row]) -> bytes:
    lines = [
        f"{sku},Product {sku},,yes" if price == "deleted" else f"{sku},Product {sku},{price},no"
        for sku, price in told
    ]
    return "\n".join(["sku,product_name,price,deleted", *lines, ""]).encode()


@frozen
class Written:
    """That an act wrote a state of a product, whose values `origin` had said first."""

    act: object
    origin: object
    state: State

    def is_of(self, act: object) -> bool:
        return act in (self.act, self.origin)


@define
class Model:
    """What a catalog is, as plainly as it can be said: of each sku who wrote what, in order."""

    written: dict[str, list[Written]] = field(factory=dict)
    moments: list[dict[str, State]] = field(factory=list)

    def now(self) -> dict[str, State]:
        return {sku: past[-1].state for sku, past in self.written.items()}

    def apply(self, feed: object, mode: str, told: Sequence[Row]) -> None:
        now = self.now()
        there = {sku for sku, (status, _) in now.items() if status == "active"}
        gone = {sku for sku, price in told if price == "deleted"} & there
        if mode == "full":
            gone |= there - {sku for sku, _ in told}
        wants = {sku: ("active", price) for sku, price in told if price != "deleted"}
        wants |= {sku: ("removed", now[sku][1]) for sku in gone}
        for sku, state in wants.items():
            if now.get(sku) != state:
                self.written.setdefault(sku, []).append(Written(feed, feed, state))
        self.moments.append(self.now())

    def undo(self, act: object, by: object) -> None:
        """Each product that is as the act wrote it becomes what it was before."""
        for past in self.written.values():
            live = past[-1]
            if not live.is_of(act):
                continue
            former = next((one for one in reversed(past) if not one.is_of(act)), None)
            state = former.state if former else ("removed", live.state[1])
            if state != live.state and not state[0] == live.state[0] == "removed":
                past.append(Written(by, former.origin if former else by, state))
        self.moments.append(self.now())


class HistoryMachine(RuleBasedStateMachine):
    def __init__(self, one: Commerce, other: Commerce) -> None:
        super().__init__()
        self.platforms = (one, other)
        self.partner = f"Partner {next(_numbers)} of the machine"
        self.model = Model()
        self.applied: list[Feed] = []
        self.reverted: dict[Feed, object] = {}
        self.copies: tuple[dict[str, Product], ...] = ({}, {})
        self.cursors: list[str | None] = [None, None]

    @initialize(told=rows)
    def settle(self, told: Sequence[Row]) -> None:
        for platform in self.platforms:
            platform.partners.add(self.partner, currency="EUR")
        self.send("full", told)

    @rule(mode=st.sampled_from(["full", "delta", "delta"]), told=rows)
    def send(self, mode: Literal["full", "delta"], told: Sequence[Row]) -> None:
        """A feed; where its bytes are those that were published last it publishes nothing."""
        jobs = [
            platform.feeds.load(io.BytesIO(content(told)), partner=self.partner, mode=mode)
            for platform in self.platforms
        ]
        assert jobs[0].outcome == jobs[1].outcome is not None, jobs
        feed = (jobs[0].feed_id, jobs[1].feed_id)
        made = [
            published(platform, id_) for platform, id_ in zip(self.platforms, feed, strict=True)
        ]
        assert made[0] == made[1]
        if made[0]:
            self.model.apply(feed, mode, told)
            self.applied.append(feed)

    @precondition(lambda self: self.applied)
    @rule(number=st.integers(0, 20))
    def revert(self, number: int) -> None:
        feed = self.applied.pop(-1 - number % len(self.applied))
        act = self.reverted[feed] = object()
        self.run_reverts(feed, undo=False)
        self.model.undo(feed, act)

    @precondition(lambda self: self.reverted)
    @rule(number=st.integers(0, 20))
    def bring_back(self, number: int) -> None:
        feed = list(self.reverted)[number % len(self.reverted)]
        self.run_reverts(feed, undo=True)
        self.model.undo(self.reverted.pop(feed), object())
        self.applied.append(feed)

    def run_reverts(self, feed: Feed, *, undo: bool) -> None:
        """Plans and does it on both; the job tells what the plan had said."""
        told: list[object] = []
        for platform, id_ in zip(self.platforms, feed, strict=True):
            plan = platform.reverts.plan(id_, undo=undo)
            job = platform.jobs.run(platform.reverts.start(id_, undo=undo).job_id)
            assert job.summary is not None, job
            found = (plan.updated, plan.restored, plan.removed, plan.unchanged, plan.kept)
            told.append((*found, [kept.sku for kept in plan.listed]))
            s = job.summary
            assert found == (s.updated, s.restored, s.removed, s.unchanged, s.warnings)
        assert told[0] == told[1]

    @invariant()
    def the_catalogs_are_what_the_model_says(self) -> None:
        for platform in self.platforms:
            live = catalog(platform, self.partner)
            assert {sku: state_of(product) for sku, product in live.items()} == self.model.now()
            versions = {sku: product.version for sku, product in live.items()}
            assert versions == {sku: len(past) for sku, past in self.model.written.items()}

    @rule(number=st.sampled_from([0, 1]))
    def follow(self, number: int) -> None:
        """One of the clients wakes up, and reads what has changed since."""
        platform, copy = self.platforms[number], self.copies[number]
        while True:
            listed = platform.history.page_changes(
                cursor=self.cursors[number], limit=2, partner=self.partner
            )
            self.cursors[number] = listed.next_cursor
            if not listed.items:
                break
            for change in listed.items:
                before = copy.get(change.product_id)
                assert change.version == (before.version + 1 if before else 1)
                copy[change.product_id] = change.product
        live = catalog(platform, self.partner).values()
        assert copy == {product.product_id: product for product in live}

    def teardown(self) -> None:
        for number, platform in enumerate(self.platforms):
            if not self.model.moments:
                continue
            self.follow(number)
            self.check_the_past(platform)
            found = platform.history.replay(self.partner)
            assert found.agrees, found
            assert found.feeds + found.reverts == len(self.model.moments)
            check_books(platform)

    def check_the_past(self, platform: Commerce) -> None:
        """As of each publication the catalog was what the model was at that moment."""
        live = catalog(platform, self.partner)
        with platform.context.store.begin() as unit:
            partner = unit.partners.find(self.partner)
            assert partner
            made = unit.publications.of_partner(partner.partner_id, 0, 200)
            for publication, moment in zip(made, self.model.moments, strict=True):
                then = {
                    sku: unit.versions.as_of(product.product_id, publication.number or 0)
                    for sku, product in live.items()
                }
                assert {sku: state_of(p) for sku, p in then.items() if p is not None} == moment


def published(platform: Commerce, feed_id: str) -> int:
    with platform.context.store.begin() as unit:
        return len(unit.publications.of_feed(feed_id))


def catalog(platform: Commerce, partner: str) -> dict[str, Product]:
    found = platform.products.list(ProductQuery(status="all"), partner=partner)
    return {product.sku: product for product in found}


def state_of(product: Product) -> State:
    return product.status, f"{product.price:.2f}"
