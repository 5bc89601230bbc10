"""Two platforms to which feeds of several sources come in any order, and in any crowd.

    agree(MemoryStore(clock), store, examples=20, steps=20)

Full feeds and deltas arrive early and late, again, and with the bytes of earlier ones; workers take
what waits now and then. Whatever happens, both have the same jobs, and once nothing waits any more
each product shows what the newest feed said that contained it.
"""

import itertools
import secrets
from collections.abc import Callable, Mapping, Sequence
from contextlib import nullcontext
from datetime import UTC, datetime, timedelta
from io import BytesIO

from attrs import frozen
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    precondition,
    rule,
    run_state_machine_as_test,
)

from adapters.memory import MemoryFiles
from commerce_core.catalog.product import ProductQuery
from commerce_core.commerce import Commerce
from commerce_core.ports.store import Store
from commerce_core.schema.fields import Mode
from commerce_core.usecases.context import Context
from entrypoints.leases import no_lease
from tests.contracts.samples import MINUTE, T0
from tests.support.books import check_books
from tests.support.examples import scaled

SKUS: Mapping[str, str] = {"main": "ABC", "outlet": "XYZ"}
"""What each source sells. A full feed has all of it, a delta a part."""
PRICES = ("10.00", "12.00", "15.00")
"""None of these is a leap from any other."""
_numbers = itertools.count(1)


@frozen
class Sent:
    """A feed that was sent: of which source, what it shows, and of when."""

    source: str
    mode: Mode
    prices: Mapping[str, str]
    at: datetime

    @property
    def body(self) -> bytes:
        """The file."""
        rows = (f"{sku},Product {sku},{price}\n" for sku, price in self.prices.items())
        return f"sku,product_name,price\n{''.join(rows)}".encode()


@frozen
class Desk:
    """A partner with two sources on one of the platforms."""

    commerce: Commerce
    partner: str

    def receive(self, sent: Sent) -> str:
        """Sends a feed whose job waits for a worker; the id of its job."""
        return self.commerce.feeds.upload(
            BytesIO(sent.body), partner=self.partner, source=sent.source, mode=sent.mode,
            snapshot_at=sent.at, run=True,
        ).job_id  # fmt: skip

    def work(self) -> bool:
        """Runs the next job, if one waits."""
        job = self.commerce.queue.claim()
        return job is not None and bool(self.commerce.queue.execute(job))

    def state(self, job_id: str) -> object:
        """What has become of a job and its feed."""
        job = self.commerce.jobs.get(job_id)
        feed = self.commerce.feeds.get(job.feed_id)
        return job.status, job.outcome, job.error and job.error.code, feed.status

    def prices(self) -> dict[str, str]:
        """What the catalog shows."""
        found = self.commerce.products.list(ProductQuery(self.partner))
        return {product.sku: f"{product.price:f}" for product in found}


def desk_on(store: Store) -> Desk:
    """A new partner of a platform on that store."""
    context = Context(
        store, MemoryFiles(), lambda: datetime.now(UTC), secrets.token_bytes, no_lease,
        lambda _: nullcontext(BytesIO()),
    )  # fmt: skip
    commerce = Commerce(context)
    name = f"Two doors {secrets.token_hex(8)}"
    partner = commerce.partners.add(name, currency="EUR").partner_id
    commerce.sources.add(partner, "outlet")
    return Desk(commerce, partner)


def agree(one: Store, other: Store, *, examples: int, steps: int) -> None:
    """Takes both stores through so many random histories of so many steps each."""
    run_state_machine_as_test(
        lambda: ArrivalsMachine((desk_on(one), desk_on(other))),  # type: ignore[arg-type] - as in store_machine
        settings=settings(max_examples=scaled(examples), stateful_step_count=steps),
    )


class ArrivalsMachine(RuleBasedStateMachine):
    def __init__(self, desks: Sequence[Desk]) -> None:
        super().__init__()
        self.desks = desks
        self.sent: list[Sent] = []
        self.jobs: list[list[str]] = []

    def both(self, step: Callable[[Desk], object]) -> object:
        """What a step gives on both."""
        answers = [step(desk) for desk in self.desks]
        assert answers[0] == answers[1]
        return answers[0]

    @initialize()
    def begin(self) -> None:
        """Every source has a catalog to begin with."""
        for source, skus in SKUS.items():
            self.send(Sent(source, "full", dict.fromkeys(skus, PRICES[0]), T0))
        self.work_until_nothing_waits()

    @rule(
        source=st.sampled_from(sorted(SKUS)),
        prices=st.lists(st.sampled_from(PRICES), min_size=3, max_size=3),
        minutes=st.integers(1, 1_000),
    )
    def send_all(self, source: str, prices: Sequence[str], minutes: int) -> None:
        """A full feed comes, which shows some moment."""
        self.send(Sent(source, "full", dict(zip(SKUS[source], prices, strict=True)), at(minutes)))

    @rule(
        source=st.sampled_from(sorted(SKUS)),
        part=st.dictionaries(st.integers(0, 2), st.sampled_from(PRICES), min_size=1, max_size=3),
        minutes=st.integers(1, 1_000),
    )
    def send_part(self, source: str, part: Mapping[int, str], minutes: int) -> None:
        """A delta comes, of some products."""
        prices = {SKUS[source][number]: price for number, price in part.items()}
        self.send(Sent(source, "delta", prices, at(minutes)))

    @precondition(lambda self: self.sent)
    @rule(data=st.data(), minutes=st.one_of(st.none(), st.integers(1, 1_000)))
    def send_again(self, data: st.DataObject, minutes: int | None) -> None:
        """The bytes of a feed come once more: a retry, or as what is true of another moment."""
        one = data.draw(st.sampled_from(self.sent))
        shows = one.at if minutes is None else at(minutes)
        self.send(Sent(one.source, one.mode, one.prices, shows))

    def send(self, sent: Sent) -> None:
        self.sent.append(sent)
        self.jobs.append([desk.receive(sent) for desk in self.desks])

    @rule()
    def work(self) -> None:
        """A worker takes what is next, and is through with it."""
        self.both(lambda desk: desk.work())
        self.same_jobs()

    @rule()
    def work_until_nothing_waits(self) -> None:
        """Then each product shows what the newest feed said that contained it."""
        while self.both(lambda desk: desk.work()):
            self.same_jobs()
        newest: dict[str, tuple[datetime, str]] = {}
        for sent in self.sent:
            for sku, price in sent.prices.items():
                newest[sku] = max(newest.get(sku, (sent.at, price)), (sent.at, price))
        assert self.both(lambda desk: desk.prices()) == {
            sku: price for sku, (_, price) in newest.items()
        }

    def teardown(self) -> None:
        self.work_until_nothing_waits()
        for desk in self.desks:
            check_books(desk.commerce)

    def same_jobs(self) -> None:
        """What has become of every job, and of its feed, is the same."""
        for one, other in self.jobs:
            assert self.desks[0].state(one) == self.desks[1].state(other)


def at(minutes: int) -> datetime:
    """A moment that no other feed shows."""
    return T0 + minutes * MINUTE + timedelta(microseconds=next(_numbers))
