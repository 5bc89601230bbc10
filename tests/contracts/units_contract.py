"""What a unit of work promises: all of it or nothing, and nothing to be seen before its end."""

import contextlib
from collections.abc import Callable
from concurrent.futures import Future
from typing import Any

import pytest

from commerce_core.analytics.questions import SalesQuestion
from commerce_core.base.errors import Conflict, NotFound
from commerce_core.catalog.product import ProductQuery
from commerce_core.feeds.feed import FeedQuery
from commerce_core.feeds.job import JobQuery, Progress
from commerce_core.orders.order import Order, OrderQuery
from commerce_core.partners.partner import Partner
from commerce_core.ports.store import Store, UnitOfWork
from tests.contracts import samples
from tests.contracts.samples import DAY, MINUTE, T0
from tests.contracts.threads import meanwhile, together
from tests.support.waiting import PATIENCE, pause


class Oops(Exception):
    pass


def everything(store: Store) -> dict[str, Any]:
    """All that can be read of a small store."""
    with store.begin() as unit:
        partners = unit.partners.page(None, None, 100).items
        products = unit.products.page(ProductQuery(status="all"), None, 100).items
        jobs = unit.jobs.page(JobQuery(), None, 100).items
        return {
            "partners": partners,
            "sources": [unit.sources.find(partner.partner_id, "main") for partner in partners],
            "keys": unit.keys.page(None, None, 100).items,
            "feeds": unit.feeds.page(FeedQuery(), None, 100).items,
            "jobs": jobs,
            "problems": [unit.jobs.problems(job.job_id, None, 100).items for job in jobs],
            "products": products,
            "publications": [unit.publications.latest(p.source_id) for p in products],
            "task": unit.tasks.find("forget_events"),
            "orders": unit.orders.page(OrderQuery(), None, 100).items,
            "sales": unit.sales.totals(SalesQuestion(T0 - DAY, T0 + DAY)),
            "first sale": unit.sales.first_at(),
        }


def write_everything(unit: UnitOfWork) -> None:
    """Adds to every collection, and changes what is there already."""
    for partner in unit.partners.page(None, None, 100).items:
        unit.partners.put(partner.changed(T0, currency="USD"))
    for product in unit.products.page(ProductQuery(), None, 100).items:
        samples.reserve(unit, {product.product_id: 3})
    someone = samples.partner()
    source = samples.source(someone)
    feed = samples.feed(source)
    job = samples.job(feed)
    unit.partners.add(someone)
    unit.sources.add(source)
    unit.keys.add(samples.key(someone))
    unit.feeds.add(feed)
    unit.jobs.add(job)
    claimed = unit.jobs.claim(T0, MINUTE, job.job_id)
    assert claimed
    unit.jobs.renew(claimed, Progress("read", 1, 2, 3), MINUTE)
    unit.tasks.add("forget_events")
    unit.tasks.claim("chores", T0, MINUTE)
    unit.jobs.add_problems(job.job_id, [samples.problem(2)])
    plan = unit.products.compare(
        samples.feed_context(feed), samples.batches([samples.record(2, "A")]), 10
    )
    publication = samples.publication(feed)
    unit.products.apply(plan, publication, samples.new_stem())
    line = samples.line(someone.partner_id)
    order = samples.order(line)
    unit.orders.add(order)
    unit.sales.add([samples.entry(order, line)])
    unit.idempotency.claim("me", "the key", "digest", Order)
    unit.idempotency.keep("me", "the key", order)
    unit.feeds.put(feed.became("applied", T0))
    unit.publications.add(publication, T0)


def write_and_raise(store: Store, error: type[BaseException]) -> None:
    with store.begin() as unit:
        write_everything(unit)
        raise error


class TestUnits:
    @pytest.fixture
    def before(self, store: Store) -> dict[str, Any]:
        """The state of a store with something in every collection."""
        with store.begin() as unit:
            write_everything(unit)
        return everything(store)

    def test_a_clean_exit_commits(self, store: Store):
        """What a unit wrote is there for all later ones once it has ended without an error."""
        with store.begin() as unit:
            write_everything(unit)
        seen = everything(store)
        assert all(seen.values())
        assert len(seen["partners"]) == len(seen["products"]) == 1

    def test_an_error_undoes_every_write(self, store: Store, before: dict[str, Any]):
        """An error rolls back all that the unit wrote, in every collection, and passes through."""
        with pytest.raises(Oops):
            write_and_raise(store, Oops)
        assert everything(store) == before

    def test_an_interrupt_undoes_every_write(self, store: Store, before: dict[str, Any]):
        """An interrupt (no Exception) rolls back as an error does."""
        with pytest.raises(KeyboardInterrupt):
            write_and_raise(store, KeyboardInterrupt)
        assert everything(store) == before

    def test_a_refusal_by_the_store_undoes_every_write(self, store: Store, before: dict[str, Any]):
        """A refused write rolls back those before it."""
        taken = before["partners"][0].partner_name

        def refused() -> None:
            with store.begin() as unit:
                write_everything(unit)
                unit.partners.add(samples.partner(taken))

        with pytest.raises(Conflict):
            refused()
        assert everything(store) == before

    def test_a_dry_run_undoes_every_write(self, store: Store, before: dict[str, Any]):
        """A dry run does everything, shows it to itself, and rolls it back without an error."""
        with store.begin(dry_run=True) as unit:
            write_everything(unit)
            assert unit.partners.count(None) == 2
        assert everything(store) == before

    def test_a_unit_that_was_undone_leaves_no_mark(self, store: Store):
        """After a rollback the same writes succeed as if they had never been tried."""
        with store.begin(dry_run=True) as unit:
            write_everything(unit)
        with store.begin() as unit:
            assert unit.idempotency.claim("me", "the key", "another digest", Partner) is None
            assert unit.sales.first_at() is None

    def test_each_unit_begins_anew(self, store: Store):
        """A store gives as many units as are wanted, each of which sees what is kept by then."""
        with store.begin() as first:
            first.partners.add(samples.partner())
        with store.begin() as second:
            assert second is not first
            assert second.partners.count(None) == 1

    def test_a_unit_reads_its_own_writes(self, store: Store):
        """The collections of a unit see each other's writes at once."""
        someone = samples.partner("Aroma")
        source = samples.source(someone)
        feed = samples.feed(source)
        with store.begin() as unit:
            unit.partners.add(someone)
            unit.sources.add(source)
            unit.feeds.add(feed)
            assert unit.feeds.get(feed.feed_id).partner_name == "Aroma"
            unit.partners.put(someone.changed(T0, partner_name="Aroma Due"))
            assert unit.feeds.get(feed.feed_id).partner_name == "Aroma Due"

    @pytest.mark.parametrize("fails", [False, True])
    def test_others_see_nothing_before_the_end(self, store: Store, fails: bool):
        """Whoever reads while a unit is open sees the state before it, or waits for its end."""
        someone = samples.partner()

        def count() -> int:
            with store.begin() as unit:
                return unit.partners.count(None)

        def write() -> Future[int]:
            with store.begin(dry_run=fails) as unit:
                unit.partners.add(someone)
                reading = meanwhile(count)
                pause()
                if reading.done():
                    assert reading.result() == 0
                return reading

        assert write().result(PATIENCE) in ((0,) if fails else (0, 1))
        assert count() == (0 if fails else 1)

    def test_a_look_sees_what_was_committed_before(self, store: Store):
        """Each of its questions is answered from what has been written by then."""
        someone = samples.partner()
        with store.read_only() as unit:
            assert unit.partners.find(someone.partner_name) is None
        with store.begin() as unit:
            unit.partners.add(someone)
        with store.read_only() as unit:
            assert unit.partners.get(someone.partner_id) == someone
            assert unit.partners.find(someone.partner_name) == someone

    def test_a_look_that_fails_is_in_nobodys_way(self, store: Store, before: dict[str, Any]):
        """What was looked for and not found ends the look and nothing else."""
        for _ in range(20):
            with pytest.raises(NotFound), store.read_only() as unit:
                unit.partners.get(samples.partner().partner_id)
        assert everything(store) == before

    def test_a_unit_names_its_session(self, store: Store):
        """Every unit has a session, so that a takeover can name it."""
        with store.begin() as unit:
            assert unit.session

    def test_a_store_in_order_passes_its_check(self, store: Store):
        """`check` returns where the store can be used."""
        store.check()

    def test_many_threads_lose_no_write(self, store: Store):
        """Units of many threads at once are all kept, as if they had come one after the other."""
        someone, source = samples.settled(store)

        def work() -> None:
            for _ in range(5):
                with store.begin() as unit:
                    unit.feeds.add(samples.feed(source))

        together(*[work] * 6)
        with store.begin() as unit:
            assert unit.feeds.count(FeedQuery(partner_id=someone.partner_id)) == 30

    def test_threads_fail_on_their_own(self, store: Store):
        """An error in one thread undoes that thread's unit and no other."""

        def work(fails: bool) -> Callable[[], None]:
            def one() -> None:
                with contextlib.suppress(Oops), store.begin() as unit:
                    unit.partners.add(samples.partner())
                    if fails:
                        raise Oops

            return one

        together(*(work(number % 2 == 0) for number in range(8)))
        with store.begin() as unit:
            assert unit.partners.count(None) == 4

    def test_writes_that_are_sent_together_are_those_of_the_unit(self, store: Store):
        """In their order; what is read among them sees those before."""
        first, second = samples.partner(), samples.partner()
        with store.begin() as unit:
            with unit.together():
                unit.partners.add(first)
                assert unit.partners.get(first.partner_id) == first
                unit.partners.add(second)
                unit.partners.put(second.changed(T0 + MINUTE, currency="USD"))
            assert unit.partners.get(second.partner_id).currency == "USD"
        with store.begin() as unit:
            assert unit.partners.count(None) == 2

    def test_nothing_remains_of_writes_sent_together_in_a_unit_that_fails(self, store: Store):
        with contextlib.suppress(Oops), store.begin() as unit, unit.together():
            unit.partners.add(samples.partner())
            raise Oops
        with store.begin() as unit:
            assert unit.partners.count(None) == 0

    def test_nothing_is_found_in_an_empty_store(self, store: Store):
        """What isn't there is NotFound, by every `get` and `lock`."""
        with store.begin() as unit:
            lookups = [
                (unit.partners.get, "ptn"),
                (unit.sources.get, "src"),
                (unit.keys.get, "key"),
                (unit.feeds.get, "feed"),
                (unit.jobs.get, "job"),
                (unit.jobs.lock, "job"),
                (unit.products.get, "prod"),
                (unit.orders.get, "ord"),
                (unit.orders.lock, "ord"),
            ]
            for lookup, kind in lookups:
                with pytest.raises(NotFound):
                    lookup(samples.new_id(kind))
