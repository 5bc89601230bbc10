"""API keys in use: their names, ends, last use and successors, and a key revoked meanwhile."""

import io
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from attrs import define, evolve

from commerce_core.activity.audit import AuditQuery
from commerce_core.base.errors import (
    CommerceError,
    Conflict,
    InvalidInput,
    NotFound,
    Unauthenticated,
    Unavailable,
)
from commerce_core.commerce import Commerce
from commerce_core.partners.api_key import LONGEST_GRACE_HOURS, LONGEST_KEY_NAME
from commerce_core.usecases.context import IdempotencyKey
from entrypoints.compose import open_platform
from entrypoints.settings import Settings

HOUR = timedelta(hours=1)
DAY = timedelta(days=1)


@define
class Clock:
    """A clock that stands until a test moves it."""

    now: datetime = datetime(2026, 11, 29, 12, tzinfo=UTC)

    def __call__(self) -> datetime:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def commerce(clock: Clock) -> Iterator[Commerce]:
    with open_platform(Settings(database_url="memory:")) as commerce:
        platform = Commerce(evolve(commerce.context, clock=clock))
        platform.partners.add("Acme")
        yield platform


def secret_of(commerce: Commerce, **terms: Any) -> tuple[str, str]:  # noqa: ANN401 as the key has them
    issued = commerce.keys.add(**terms)
    assert issued.secret
    return issued.key.key_id, issued.secret


def last_use(commerce: Commerce) -> datetime | None:
    (key,) = commerce.keys.list()
    return key.last_used_at


def test_a_key_has_a_name_and_an_end(commerce: Commerce, clock: Clock):
    ends = clock.now + HOUR
    issued = commerce.keys.add(partner="Acme", key_name="  the   shop ", expires_at=ends)
    assert (issued.key.key_name, issued.key.expires_at) == ("the shop", ends)
    assert list(commerce.keys.list()) == [evolve(issued.key, last_used_at=None)]


def test_an_expired_key_is_refused_clearly(commerce: Commerce, clock: Clock):
    """From the very moment at which it ends; a revoked one as one that never was."""
    _, secret = secret_of(commerce, partner="Acme", expires_at=clock.now + HOUR)
    clock.now += HOUR - timedelta.resolution
    assert commerce.keys.authenticate(secret).partner_id
    clock.now += timedelta.resolution
    with pytest.raises(Unauthenticated) as refused:
        commerce.keys.authenticate(secret)
    assert refused.value.code == "key_expired"
    assert "2026-11-29 13:00 UTC" in refused.value.detail
    assert secret not in str(refused.value)


@pytest.mark.parametrize(
    ("terms", "pointer"),
    [
        ({"key_name": ""}, "/key_name"),
        ({"key_name": "x" * (LONGEST_KEY_NAME + 1)}, "/key_name"),
        ({"expires_at": datetime(2026, 11, 29, 12, tzinfo=UTC)}, "/expires_at"),
        ({"expires_at": datetime(2036, 1, 1)}, "/expires_at"),  # noqa: DTZ001 that is the fault
    ],
)
def test_terms_that_make_no_sense_are_refused(
    commerce: Commerce, terms: dict[str, Any], pointer: str
):
    with pytest.raises(InvalidInput) as refused:
        commerce.keys.add(partner="Acme", **terms)
    assert [fault.pointer for fault in refused.value.faults] == [pointer]
    assert list(commerce.keys.list()) == []


def test_the_last_use_is_known_to_the_minute(commerce: Commerce, clock: Clock):
    """At most one write a minute, however many requests there are."""
    _, secret = secret_of(commerce)
    assert last_use(commerce) is None
    first = clock.now
    for _ in range(3):
        commerce.keys.authenticate(secret)
        assert last_use(commerce) == first
        clock.now += timedelta(seconds=20) - timedelta.resolution
    clock.now += timedelta(seconds=1)
    commerce.keys.authenticate(secret)
    assert last_use(commerce) == clock.now


def test_a_use_that_cannot_be_noted_is_still_a_use(commerce: Commerce):
    """What only reads goes on while nothing can be written."""
    _, secret = secret_of(commerce)
    with refusing_to_write(commerce) as reads_only:
        assert reads_only.keys.authenticate(secret).partner_id is None
    assert last_use(commerce) is None


@contextmanager
def refusing_to_write(commerce: Commerce) -> Iterator[Commerce]:
    """The platform on a store whose units can't be written."""

    class ReadsOnly:
        read_only = staticmethod(commerce.context.store.read_only)

        @contextmanager
        def begin(self) -> Iterator[None]:
            raise Unavailable("The disk is full.")
            yield

    store: Any = ReadsOnly()
    yield Commerce(evolve(commerce.context, store=store))


def test_a_rotated_key_and_its_successor_are_both_live_for_a_while(
    commerce: Commerce, clock: Clock
):
    key_id, old = secret_of(commerce, partner="Acme", key_name="shop", scopes=["feeds:read"])
    issued = commerce.keys.rotate(key_id, grace_hours=2)
    assert issued.secret
    assert (issued.key.key_name, issued.key.scopes) == ("shop", ("feeds:read",))
    assert issued.key.expires_at is None
    before = next(key for key in commerce.keys.list() if key.key_id == key_id)
    assert (before.successor_id, before.expires_at) == (issued.key.key_id, clock.now + 2 * HOUR)
    for secret in (old, issued.secret):
        assert commerce.keys.authenticate(secret).scopes == {"feeds:read"}
    clock.now += 2 * HOUR
    assert commerce.keys.authenticate(issued.secret)
    with pytest.raises(Unauthenticated):
        commerce.keys.authenticate(old)


def test_a_successor_lives_as_long_as_the_key_was_to(commerce: Commerce, clock: Clock):
    """And the grace never makes the old one live longer."""
    key_id, _ = secret_of(commerce, expires_at=clock.now + 2 * DAY)
    clock.now += 2 * DAY - HOUR
    ends = clock.now + HOUR
    issued = commerce.keys.rotate(key_id, grace_hours=24)
    assert issued.key.expires_at == clock.now + 2 * DAY
    assert {key.expires_at for key in commerce.keys.list()} == {ends, issued.key.expires_at}
    later = commerce.keys.rotate(issued.key.key_id, expires_at=clock.now + 9 * DAY)
    assert later.key.expires_at == clock.now + 9 * DAY


def test_a_key_is_rotated_once_and_only_while_it_is_valid(commerce: Commerce, clock: Clock):
    key_id, _ = secret_of(commerce)
    successor = commerce.keys.rotate(key_id).key.key_id
    assert refusal(lambda: commerce.keys.rotate(key_id)) == "key_rotated"
    commerce.keys.revoke(successor)
    assert refusal(lambda: commerce.keys.rotate(successor)) == "key_not_valid"
    ending, _ = secret_of(commerce, expires_at=clock.now + HOUR)
    clock.now += HOUR
    assert refusal(lambda: commerce.keys.rotate(ending)) == "key_not_valid"
    for hours in (-1, LONGEST_GRACE_HOURS + 1, 10**18):
        with pytest.raises(InvalidInput):
            commerce.keys.rotate(secret_of(commerce)[0], grace_hours=hours)
    with pytest.raises(NotFound):
        commerce.keys.rotate("key_" + "0" * 32)


def test_a_rotation_sent_again_has_the_answer_without_the_secret(commerce: Commerce, clock: Clock):
    """Later too, when the key could no longer be rotated."""
    key_id, _ = secret_of(commerce)
    ends = clock.now + HOUR
    made = commerce.keys.rotate(key_id, expires_at=ends, key="once")
    clock.now += DAY
    key = IdempotencyKey("once")
    again = commerce.keys.rotate(key_id, expires_at=ends, key=key)
    assert key.replayed
    assert (again.key.key_id, again.secret) == (made.key.key_id, None)
    with pytest.raises(Conflict):
        commerce.keys.rotate(key_id, grace_hours=1, expires_at=ends, key="once")


def test_the_audit_has_both_keys_of_a_rotation(commerce: Commerce):
    key_id, _ = secret_of(commerce)
    successor = commerce.keys.rotate(key_id).key.key_id
    (entry,) = commerce.audit.list(AuditQuery(action="key.rotated"))
    assert entry.subjects == (successor, key_id)


def refusal(act: Callable[[], object]) -> str:
    with pytest.raises(CommerceError) as refused:
        act()
    return refused.value.code


class Interrupted(io.BytesIO):
    """A file during whose arrival something happens."""

    def __init__(self, content: bytes, meanwhile: Callable[[], object]) -> None:
        super().__init__(content)
        self._meanwhile = meanwhile

    def read(self, size: int | None = -1, /) -> bytes:
        read = super().read(size)
        if not read:
            self._meanwhile()
        return read


FEED = b"sku,product_name\nA,Lamp\n"


def revoke(commerce: Commerce, key_id: str) -> None:
    commerce.keys.revoke(key_id)


def offboard(commerce: Commerce, _: str) -> None:
    commerce.partners.change("Acme", status="offboarded")


def expire(commerce: Commerce, _: str) -> None:
    clock: Any = commerce.context.clock
    clock.now += 2 * HOUR


def pause(commerce: Commerce, _: str) -> None:
    commerce.partners.change("Acme", status="paused")


@pytest.mark.parametrize(
    ("happens", "code"),
    [
        (revoke, "unauthenticated"),
        (offboard, "unauthenticated"),
        (expire, "key_expired"),
        (pause, "partner_not_active"),
    ],
)
def test_a_right_that_ends_while_a_file_arrives_keeps_it_out(
    commerce: Commerce, clock: Clock, happens: Callable[[Commerce, str], None], code: str
):
    """It is judged again in the transaction that would keep it; nothing of it is kept."""
    key_id, secret = secret_of(commerce, partner="Acme", expires_at=clock.now + HOUR)
    sender = commerce.authenticated(secret)
    file = Interrupted(FEED, lambda: happens(commerce, key_id))
    assert refusal(lambda: sender.feeds.upload(file, partner="Acme")) == code
    assert list(commerce.feeds.list()) == []
    assert list(commerce.jobs.list()) == []
    assert list(commerce.context.files.list("")) == []


def test_whatever_a_revoked_key_would_write_is_refused(commerce: Commerce):
    """Though it was valid when the request began."""
    feed_id = commerce.feeds.load(io.BytesIO(FEED), partner="Acme").feed_id
    key_id, secret = secret_of(commerce)
    caller = commerce.authenticated(secret)
    commerce.keys.revoke(key_id)
    acts: list[Callable[[], object]] = [
        lambda: caller.partners.add("Other"),
        lambda: caller.partners.change("Acme", currency="EUR"),
        lambda: caller.sources.add("Acme", "stock"),
        lambda: caller.sources.change("main", partner="Acme", run=True),
        caller.keys.add,
        lambda: caller.keys.revoke(key_id),
        lambda: caller.jobs.start(feed_id),
        lambda: caller.reverts.start(feed_id),
        lambda: caller.plans.reject(feed_id),
        lambda: caller.orders.place([("prod_" + "0" * 32, 1)]),
    ]
    assert {refusal(act) for act in acts} == {"unauthenticated"}
