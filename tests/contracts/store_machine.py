"""Two stores that go through the same random steps, and have to give the same answers to each.

A step is a function of a unit of work, so it can't tell which store it is in. Whatever it is to
write was made before, ids and times too; whatever it returns is compared.

    def test_my_store(store):
        agree(MemoryStore(clock), store)

The stores may have been used before: every run has a partner of its own and asks about that one.
"""

import itertools
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from typing import Any, TypeVar

from attrs import evolve, frozen
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    Bundle,
    RuleBasedStateMachine,
    initialize,
    invariant,
    multiple,
    precondition,
    rule,
    run_state_machine_as_test,
)

from commerce_core.analytics.ledger import EntryKind, SalesEntry
from commerce_core.analytics.questions import SalesQuestion
from commerce_core.base.errors import CommerceError, Fault, InvalidInput
from commerce_core.base.paging import Page, Position, every
from commerce_core.catalog.product import Product, ProductQuery
from commerce_core.catalog.publication import Publication
from commerce_core.feeds.feed import Feed, FeedQuery, FeedStatus
from commerce_core.feeds.job import Job, JobQuery, Progress
from commerce_core.feeds.summary import Summary
from commerce_core.orders import acts
from commerce_core.orders.asking import CancelAsked
from commerce_core.orders.order import Order, OrderQuery, freeze_line, new_order
from commerce_core.orders.wanted import Wanted, judge_items
from commerce_core.ports.store import Store, UnitOfWork
from commerce_core.pricing.basket import price_basket
from commerce_core.pricing.priced import Basket, BasketItem
from commerce_core.stock.reservation import Taking
from tests.contracts import samples
from tests.contracts.samples import SECOND, T0
from tests.support.examples import scaled
from tests.support.strategies import SKUS, FeedFile, feed_files, moments, offers, sales_questions

PROBLEM_LIMIT = 4
MOST_SKUS = 7
YEAR = timedelta(days=400)
_ticks = itertools.count()

T = TypeVar("T")


@frozen
class Refused:
    """That a step was refused, and how."""

    kind: type[CommerceError]
    code: str
    faults: tuple[Fault, ...]


class Oops(Exception):
    """Ends a unit that is to be undone."""


def agree(one: Store, other: Store, *, examples: int, steps: int) -> None:
    """Drives both stores through so many random runs of so many steps each."""
    run_state_machine_as_test(
        lambda: StoreMachine(one, other),  # type: ignore[arg-type] - a factory does as well
        settings=settings(max_examples=scaled(examples), stateful_step_count=steps),
    )


def now() -> datetime:
    """A later moment each time, so that a store's past runs don't bear on its publications."""
    return T0 + next(_ticks) * SECOND


def timeless(product: Product) -> Product:
    """The product as both stores have to have it: each has its own clock for when it was made."""
    return evolve(product, created_at=T0)


LATE = st.sampled_from([timedelta(0), timedelta(0), 3 * SECOND])
"""By how much the clock has gone back."""
ENDS = st.sampled_from(["kept", "kept", "kept", "dry run", "error"])
"""How a unit ends: mostly well."""


def answer(store: Store, step: Callable[[UnitOfWork], T], ends: str) -> T | Refused:
    """What a step gives, or how it is refused: by its kind, its code and its faults."""
    got: list[T] = []
    try:
        with store.begin(dry_run=ends == "dry run") as unit:
            got.append(step(unit))
            if ends == "error":
                raise Oops
    except Oops:
        return got[0]
    except CommerceError as refused:
        faults = refused.faults if isinstance(refused, InvalidInput) else ()
        return Refused(type(refused), refused.code, faults)
    return got[0]


def unnumbered(publication: Publication | None) -> Publication | None:
    """The publication without its number, which depends on what a store has been through."""
    return publication and evolve(publication, number=None)


def receive(unit: UnitOfWork, feed: Feed, job: Job, at: datetime) -> Job | None:
    """Keeps a feed with its job, and claims that under a lease that is over at once."""
    unit.feeds.add(feed)
    unit.jobs.add(job)
    return unit.jobs.claim(at, timedelta(0), job.job_id)


def place(unit: UnitOfWork, wanted: Sequence[Wanted], ids: Sequence[str], at: datetime) -> Order:
    """Takes an order as the core does; InvalidInput with all faults undoes what it held."""
    keys = [(item.partner_id or "", item.sku or "") for item in wanted]
    known = unit.products.resolve(keys)
    held = unit.products.get_many(known.values())
    found = [held.get(known.get(key, "")) for key in keys]
    faults = judge_items(wanted, found, at)
    sold = [product for product in found if product]
    if faults or not sold:
        raise InvalidInput("No.", faults=faults)
    items = [BasketItem(*pair) for pair in zip(sold, (i.quantity for i in wanted), strict=False)]
    priced = price_basket(Basket(tuple(items)), (), at)
    lines = [freeze_line(*pair) for pair in zip(ids[1:], priced.items, strict=False)]
    order = new_order(ids[0], lines, sold[0].currency or "", at, reference=None, metadata={})
    unit.orders.add(order)
    unit.sales.add(entries(order, "placed", at, ids[len(wanted) + 1 :]))
    takings = [Taking(line.product_id, line.item_id, line.quantity) for line in order.items]
    assert not unit.stock.take(takings, at)
    return order


def cancel(unit: UnitOfWork, order_id: str, ids: Sequence[str], at: datetime) -> Order:
    """Cancels an order and gives back its units; Conflict if that was done before."""
    done = acts.cancel(unit.orders.lock(order_id), CancelAsked(), at)
    order = done.order
    unit.orders.put(order)
    unit.stock.move(done.stock, at)
    unit.sales.add(entries(order, "cancelled", at, ids))
    return order


def entries(order: Order, kind: EntryKind, at: datetime, ids: Sequence[str]) -> list[SalesEntry]:
    return [
        SalesEntry.of(entry_id, kind, at, order.order_id, order.currency, item)
        for entry_id, item in zip(ids, order.items, strict=False)
    ]


class StoreMachine(RuleBasedStateMachine):
    orders = Bundle("orders")
    jobs = Bundle("jobs")

    def __init__(self, one: Store, other: Store) -> None:
        super().__init__()
        self.stores = (one, other)
        self.partner = samples.partner()
        self.renamed = False
        self.skus: list[str] = []
        self.sources = [samples.source(self.partner), samples.source(self.partner, "second")]

    def both(self, step: Callable[[UnitOfWork], T], ends: str = "kept") -> T | Refused:
        """What the step gives in both stores; its writes are kept, or undone in one of two ways."""
        answers = [answer(store, step, ends) for store in self.stores]
        assert answers[0] == answers[1]
        return answers[0]

    @initialize(file=offers(MOST_SKUS))
    def settle(self, file: FeedFile) -> None:
        def step(unit: UnitOfWork) -> None:
            unit.partners.add(self.partner)
            for source in self.sources:
                unit.sources.add(source)

        self.both(step)
        self.send(file, 0, timedelta(0), "kept")

    # --- feeds ------------------------------------------------------------------------------------

    @rule(target=jobs, file=feed_files(MOST_SKUS), source=st.integers(0, 2), late=LATE, ends=ENDS)
    def send_odd_feed(self, file: FeedFile, source: int, late: timedelta, ends: str) -> object:
        return self.send(file, source // 2, late, ends)

    @rule(target=jobs, file=offers(MOST_SKUS), late=LATE, ends=ENDS)
    def send_good_feed(self, file: FeedFile, late: timedelta, ends: str) -> object:
        return self.send(file, 0, late, ends)

    def send(self, file: FeedFile, source: int, late: timedelta, ends: str) -> object:
        """Receives a feed, claims its job, compares, applies, finishes; the clock may go back."""
        at = now()
        feed = samples.feed(self.sources[source], mode=file.mode, snapshot_at=at - 2 * late)
        job = samples.job(feed)
        columns, records = file.read()
        feed_context = evolve(samples.feed_context(feed, file.currency), columns=columns)
        publication, stem = samples.publication(feed), samples.new_stem()
        claimed = self.both(lambda unit: receive(unit, feed, job, at))
        assert isinstance(claimed, Job)

        def run(unit: UnitOfWork) -> object:
            plan = unit.products.compare(
                feed_context, samples.batches(iter(records)), PROBLEM_LIMIT
            )
            after = unit.products.apply(plan, publication, stem)
            unit.jobs.add_problems(job.job_id, plan.problems)
            unit.feeds.put(feed.became("applied", at))
            unit.jobs.finish(claimed.complete(at, Summary(), "clean"))
            published = unit.publications.add(publication, at - late)
            return plan, after, unnumbered(published)

        self.both(run, ends)
        return job.job_id

    @rule(job_id=jobs)
    def take_over(self, job_id: str) -> None:
        """Claims a job once more, if it isn't finished, and lets the attempt before it go on."""
        at = now()
        taken = self.both(lambda unit: unit.jobs.claim(at, timedelta(0), job_id))
        if isinstance(taken, Job):
            for attempt in (evolve(taken, attempts=taken.attempts - 1), taken):
                progress = Progress("read", attempt.attempts)
                self.both(lambda unit, a=attempt, p=progress: unit.jobs.renew(a, p, timedelta(0)))
            former = evolve(taken, attempts=taken.attempts - 1)
            self.both(lambda unit: unit.jobs.finish(former.complete(at, Summary(), "clean")))

    @rule(job_id=jobs, ends=ENDS)
    def add_another_job(self, job_id: str, ends: str) -> None:
        """A feed may have several jobs, of which the newest is told with it."""

        def step(unit: UnitOfWork) -> Feed:
            feed_id = unit.jobs.get(job_id).feed_id
            unit.jobs.add(evolve(job, feed_id=feed_id))
            return unit.feeds.get(feed_id)

        job = samples.job(samples.feed(self.sources[0]))
        self.both(step, ends)

    @rule(job_id=jobs, limit=st.integers(1, 3))
    def read_problems(self, job_id: str, limit: int) -> None:
        self.same_pages(lambda unit, after: unit.jobs.problems(job_id, after, limit))

    @rule(
        limit=st.integers(1, 4),
        status=st.sampled_from([None, "applied", "received"]),
        question=sales_questions(),
    )
    def read_lists(self, limit: int, status: FeedStatus | None, question: SalesQuestion) -> None:
        query = FeedQuery(partner_id=self.partner.partner_id, status=status)
        self.same_pages(lambda unit, after: unit.feeds.page(query, after, limit))
        jobs = JobQuery(partner_id=self.partner.partner_id)
        self.same_pages(lambda unit, after: unit.jobs.page(jobs, after, limit))
        source_id = self.sources[0].source_id
        self.both(lambda unit: unit.feeds.count(query))
        self.both(lambda unit: unit.feeds.newer(source_id, T0, limit))
        self.both(lambda unit: unit.feeds.baseline(source_id, "full"))
        self.both(lambda unit: unit.feeds.baseline(source_id, "delta"))
        self.both(lambda unit: unnumbered(unit.publications.latest(source_id)))
        orders = OrderQuery(partner_id=self.partner.partner_id)
        self.same_pages(lambda unit, after: unit.orders.page(orders, after, limit))
        self.both(lambda unit: unit.orders.count(orders))
        self.read_totals(evolve(question, partner_id=self.partner.partner_id))
        self.read_totals(SalesQuestion(T0 - YEAR, T0 + YEAR, self.partner.partner_id))

    def read_totals(self, question: SalesQuestion) -> None:
        self.both(lambda unit: list(unit.sales.totals(question)))

    @precondition(lambda self: not self.renamed)
    @rule(ends=ENDS)
    def rename_partner(self, ends: str) -> None:
        self.renamed = True
        renamed = self.partner.changed(now(), partner_name=f"Partner {next(_ticks)}")
        self.both(lambda unit: unit.partners.put(renamed), ends)
        self.both(lambda unit: unit.partners.get(self.partner.partner_id))

    # --- orders -----------------------------------------------------------------------------------

    @rule(
        target=orders,
        asked=st.lists(st.tuples(st.integers(0, 30), st.integers(1, 3)), min_size=1, max_size=2),
        at=moments(),
        ends=ENDS,
    )
    def order(self, asked: Sequence[tuple[int, int]], at: datetime, ends: str) -> object:
        """Orders what there is, mostly such as can be bought; number 30 is nothing known."""
        skus = {number: sku for number, sku in enumerate(self.skus * 30) if number < 30}
        wanted = [
            Wanted(quantity, partner_id=self.partner.partner_id, sku=skus.get(number, "unknown"))
            for number, quantity in asked
        ]
        more = [samples.new_id(kind) for kind in ("item", "ent") for _ in wanted]
        ids = [samples.new_id("ord"), *more]
        order = self.both(lambda unit: place(unit, wanted, ids, at), ends)
        return order.order_id if isinstance(order, Order) and ends != "error" else multiple()

    @rule(order_id=orders, at=moments(), ends=ENDS)
    def cancel_order(self, order_id: str, at: datetime, ends: str) -> None:
        ids = [samples.new_id("ent") for _ in range(3)]
        self.both(lambda unit: cancel(unit, order_id, ids, at), ends)

    # --- the catalog ------------------------------------------------------------------------------

    @rule(
        limit=st.integers(1, 5),
        status=st.sampled_from(["active", "removed", "all"]),
        sort_by=st.sampled_from(["product_id", "price"]),
        order=st.sampled_from(["asc", "desc"]),
        skus=st.sampled_from([(), SKUS[1:4]]),
        currency=st.sampled_from([None, None, "EUR"]),
    )
    def read_products(self, limit: int, **asked: object) -> None:
        query = evolve(ProductQuery(self.partner.partner_id), **asked)
        self.same_pages(lambda unit, after: unit.products.page(query, after, limit))
        self.both(lambda unit: unit.products.count(query))

    @invariant()
    def same_catalog(self) -> None:
        """Whatever happened, the products are the same in both, the removed ones too."""
        query = ProductQuery(self.partner.partner_id, status="all")

        def step(unit: UnitOfWork) -> dict[str, Product]:
            found = unit.products.page(query, None, 200).items
            assert all(product.reserved >= 0 for product in found)
            return {product.sku: timeless(product) for product in found}

        catalog = self.both(step)
        assert isinstance(catalog, dict)
        good = sorted(sku for sku, product in catalog.items() if product.sellable)
        self.skus = [*good, *good, *good, *sorted(catalog)]

    def same_pages(self, page: Callable[[UnitOfWork, Position | None], Page[Any]]) -> None:
        """Each store continues at its own positions; what the pages hold has to be the same."""

        def walk(unit: UnitOfWork) -> list[Any]:
            items = every(lambda after: page(unit, after))
            return [timeless(item) if isinstance(item, Product) else item for item in items]

        self.both(walk)
