"""A partner whose rights begin and end in the middle of everything, against a model of them.

    hold(store, examples=20, steps=20)

The partner is paused, offboarded and back; keys are issued, rotated, revoked, and expire; a source
is removed and a profile changed. All of it happens between requests and while a file arrives. After
each step a key opens the door exactly if the model says so, what can be bought is what the catalog
says, and nothing is half there: no raw file without its feed, no feed without its job.
"""

import itertools
import secrets
from collections.abc import Callable
from contextlib import nullcontext
from datetime import datetime, timedelta
from functools import partial
from io import BytesIO
from typing import Final, TypeVar

from attrs import define, evolve, field
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from adapters.memory import MemoryFiles
from commerce_core.base.errors import CommerceError
from commerce_core.catalog.product import ProductQuery
from commerce_core.commerce import Commerce
from commerce_core.feeds.feed import FeedQuery
from commerce_core.feeds.job import Job, JobQuery
from commerce_core.partners.partner import PartnerStatus
from commerce_core.ports.store import Store
from commerce_core.profiles.profile import CANONICAL
from commerce_core.usecases.context import Context
from commerce_core.usecases.feeds import Receipt
from entrypoints.leases import no_lease
from tests.contracts.samples import T0
from tests.support.examples import scaled

T = TypeVar("T")

_numbers = itertools.count(secrets.randbits(24) << 12)

HOUR: Final = timedelta(hours=1)
SKUS: Final = "ABC"
STATUSES: Final = st.sampled_from(["active", "active", "paused", "offboarded"])
SPANS: Final = st.sampled_from([None, None, HOUR, 5 * HOUR])
HAPPENS: Final = st.sampled_from(["nothing", "status", "revoked", "time", "source", "profile"])
"""What happens while a file arrives."""


@define
class Known:
    """A key as the model has it."""

    secret: str
    expires_at: datetime | None
    revoked: bool = False

    def is_live(self, now: datetime) -> bool:
        return not self.revoked and (self.expires_at is None or now < self.expires_at)


@define
class Clock:
    """A clock that the machine moves."""

    now: datetime = T0

    def __call__(self) -> datetime:
        return self.now


class Arriving(BytesIO):
    """A file during whose arrival something happens."""

    meanwhile: Callable[[], object] | None = None

    def read(self, size: int | None = -1, /) -> bytes:
        content = super().read(size)
        if not content and self.meanwhile is not None:
            happens, self.meanwhile = self.meanwhile, None
            happens()
        return content


@define
class Model:
    """What has to be true."""

    status: PartnerStatus = "active"
    keys: dict[str, Known] = field(factory=dict[str, Known])
    feeds: int = 0
    jobs: int = 0


def in_order(size: int) -> bytes:
    """Entropy that orders what one moment makes, so that a history can be gone through again."""
    return next(_numbers).to_bytes(size)


def attempt(act: Callable[[], T]) -> tuple[T | None, str]:
    """What an act returns; or None, and the code with which it was refused."""
    try:
        return act(), ""
    except CommerceError as refused:
        return None, refused.code


def hold(store: Store, *, examples: int, steps: int) -> None:
    """Takes the store through so many random histories of so many steps each."""
    run_state_machine_as_test(
        lambda: AccessMachine(store),  # type: ignore[arg-type] - as in store_machine
        settings=settings(max_examples=scaled(examples), stateful_step_count=steps),
    )


class AccessMachine(RuleBasedStateMachine):
    """A new partner on the store."""

    def __init__(self, store: Store) -> None:
        super().__init__()
        self.clock, self.model = Clock(), Model()
        context = Context(
            store, MemoryFiles(), self.clock, in_order, no_lease,
            lambda _: nullcontext(BytesIO()),
        )  # fmt: skip
        self.commerce = Commerce(context)
        name = f"Comes and goes {secrets.token_hex(8)}"
        self.partner = self.commerce.partners.add(name, currency="EUR").partner_id
        self.commerce.sources.add(self.partner, "outlet")

    # Rights

    @rule(status=STATUSES)
    def become(self, status: PartnerStatus) -> None:
        self.commerce.partners.change(self.partner, status=status)
        self.model.status = status
        if status == "offboarded":
            for key in self.model.keys.values():
                key.revoked = True

    @rule(span=SPANS)
    def issue(self, span: timedelta | None) -> None:
        ends = None if span is None else self.clock.now + span
        add = self.commerce.keys.add
        issued, code = attempt(lambda: add(partner=self.partner, expires_at=ends))
        assert (code == "partner_offboarded") == (self.model.status == "offboarded")
        if issued and issued.secret:
            self.model.keys[issued.key.key_id] = Known(issued.secret, ends)

    @precondition(lambda self: self.model.keys)
    @rule(data=st.data(), hours=st.integers(0, 3))
    def rotate(self, data: st.DataObject, hours: int) -> None:
        key_id, known = self.drawn(data)
        live = known.is_live(self.clock.now)
        issued, code = attempt(lambda: self.commerce.keys.rotate(key_id, grace_hours=hours))
        if issued is None:
            assert code in ("partner_offboarded", "key_rotated", "key_not_valid")
            assert code == "key_rotated" or not live
            return
        assert live
        ends = self.clock.now + hours * HOUR
        known.expires_at = min(known.expires_at or ends, ends)
        self.model.keys[issued.key.key_id] = Known(issued.secret or "", issued.key.expires_at)

    @precondition(lambda self: self.model.keys)
    @rule(data=st.data())
    def revoke(self, data: st.DataObject) -> None:
        key_id, known = self.drawn(data)
        self.commerce.keys.revoke(key_id)
        known.revoked = True

    @rule(hours=st.integers(1, 3))
    def pass_hours(self, hours: int) -> None:
        self.clock.now += hours * HOUR

    # Feeds, while something happens

    @precondition(lambda self: self.model.keys)
    @rule(
        data=st.data(), happens=HAPPENS, source=st.sampled_from(["main", "outlet"]), status=STATUSES
    )
    def upload(self, data: st.DataObject, happens: str, source: str, status: PartnerStatus) -> None:
        key_id, known = self.drawn(data)
        file = Arriving(self.body(data))
        acts: dict[str, Callable[[], object]] = {
            "status": lambda: self.become(status),
            "revoked": lambda: (self.commerce.keys.revoke(key_id), setattr(known, "revoked", True)),
            "time": lambda: self.pass_hours(2),
            "source": self.remove_outlet,
            "profile": lambda: self.declare(data),
        }
        file.meanwhile = acts.get(happens)
        there = {each.source_name for each in self.commerce.sources.of(self.partner)}
        began = known.is_live(self.clock.now), self.model.status == "active", source in there

        def send() -> Receipt:
            sender = self.commerce.authenticated(known.secret)
            return sender.feeds.upload(file, partner=self.partner, source=source, run=True)

        receipt, code = attempt(send)
        if receipt is None:
            assert code in ("unauthenticated", "key_expired", "partner_not_active", "not_found")
            assert not (all(began) and happens in ("nothing", "profile")), code
            return
        assert all(began)
        assert known.is_live(self.clock.now)
        assert self.model.status == "active"
        self.model.feeds += 1
        self.model.jobs += 1

    def body(self, data: st.DataObject) -> bytes:
        rows = "".join(
            f"{sku},Lamp {data.draw(st.integers(1, 3))},1.00,{data.draw(st.integers(0, 3))}\n"
            for sku in data.draw(st.lists(st.sampled_from(SKUS), min_size=1, unique=True))
        )
        return f"sku,product_name,price,quantity\n{rows}".encode()

    @rule(data=st.data())
    def declare(self, data: st.DataObject) -> None:
        profile = evolve(CANONICAL, encoding=data.draw(st.sampled_from(["utf-8", "cp1252"])))
        self.commerce.sources.set_profile(profile, partner=self.partner)

    @rule()
    def remove_outlet(self) -> None:
        """Unless something depends on it, or it is gone already."""
        attempt(lambda: self.commerce.sources.remove("outlet", partner=self.partner))

    @rule()
    def work(self) -> None:
        """Runs what waits; only what an active partner has sent is applied."""
        for job in self.jobs("queued"):
            before = self.catalog()
            done = self.commerce.jobs.run(job.job_id)
            code = done.error and done.error.code
            if job.kind == "revert":
                allowed, refusal = self.model.status != "offboarded", "partner_offboarded"
            else:
                allowed, refusal = self.model.status == "active", "partner_not_active"
            # Days may have passed since it was claimed.
            assert allowed or (done.status == "failed" and code in (refusal, "out_of_time"))
            assert allowed or self.catalog() == before
            assert not allowed or code != refusal

    @rule(data=st.data())
    def revert(self, data: st.DataObject) -> None:
        applied = list(self.commerce.feeds.list(FeedQuery(self.partner, status="applied")))
        if not applied:
            return
        feed = data.draw(st.sampled_from(applied))
        started, code = attempt(lambda: self.commerce.reverts.start(feed.feed_id))
        assert (code == "partner_offboarded") == (self.model.status == "offboarded")
        self.model.jobs += started is not None

    @rule(sku=st.sampled_from(SKUS))
    def order(self, sku: str) -> None:
        """The catalog and the answer to an order agree."""
        product, _ = attempt(lambda: self.commerce.products.get(partner=self.partner, sku=sku))
        if product is not None:
            order, _ = attempt(lambda: self.commerce.orders.place([(product.product_id, 1)]))
            assert (order is not None) == product.sellable
            assert order is None or self.model.status != "offboarded"

    # What always holds

    @invariant()
    def a_key_opens_exactly_if_it_is_live(self) -> None:
        for known in self.model.keys.values():
            found, code = attempt(partial(self.commerce.keys.authenticate, known.secret))
            assert (found is not None) == known.is_live(self.clock.now)
            assert code in ("", "unauthenticated", "key_expired")
            assert found is None or found.partner_id == self.partner

    @invariant()
    def nothing_of_an_offboarded_partner_can_be_bought(self) -> None:
        gone = self.model.status == "offboarded"
        products = list(self.commerce.products.list(ProductQuery(self.partner)))
        sellable = list(self.commerce.products.list(ProductQuery(self.partner, sellable=True)))
        assert sellable == [product for product in products if product.sellable]
        assert {product.not_sellable_reason == "partner_gone" for product in products} <= {gone}

    @invariant()
    def nothing_is_half_there(self) -> None:
        feeds = list(self.commerce.feeds.list(FeedQuery(self.partner)))
        files = set(self.commerce.context.files.list(f"raw/{self.partner}/"))
        assert files == {feed.file_key for feed in feeds}
        assert len(feeds) == self.model.feeds
        assert len(self.jobs(None)) == self.model.jobs

    def jobs(self, status: str | None) -> list[Job]:
        found = self.commerce.jobs.list(JobQuery(partner_id=self.partner))
        return [job for job in found if status in (None, job.status)][::-1]

    def catalog(self) -> list[tuple[str, int, str]]:
        found = self.commerce.products.list(ProductQuery(self.partner, status="all"))
        return [(product.sku, product.version, product.status) for product in found]

    def drawn(self, data: st.DataObject) -> tuple[str, Known]:
        key_id = data.draw(st.sampled_from(list(self.model.keys)))
        return key_id, self.model.keys[key_id]
