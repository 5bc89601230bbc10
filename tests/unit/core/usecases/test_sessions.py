"""A session may do what its key may, for as long as that is valid, and is kept as a hash."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest
from attrs import define, evolve

from commerce_core.base.errors import Unauthenticated
from commerce_core.commerce import Commerce
from commerce_core.partners.session import (
    LONGEST_TOKEN,
    MOST_SESSIONS,
    SESSION_LASTS,
    digest_of_token,
    form_token,
)
from entrypoints.compose import open_platform
from entrypoints.settings import Settings


@define
class Clock:
    now: datetime = datetime(2026, 11, 29, 12, tzinfo=UTC)

    def __call__(self) -> datetime:
        self.now += timedelta(microseconds=1)
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


def test_a_session_acts_as_its_key(commerce: Commerce):
    issued = commerce.keys.add(partner="Acme")
    token = commerce.sessions.begin(issued.secret).token
    assert commerce.sessions.resume(token) == issued.key.principal()
    assert commerce.resumed(token).context.principal.partner_id == issued.key.partner_id


def test_only_the_hash_of_a_token_is_kept(commerce: Commerce):
    new = commerce.sessions.begin(commerce.keys.add().secret)
    assert new.session.digest == digest_of_token(new.token)
    assert new.token not in repr(new.session)
    assert form_token(new.token) not in (new.token, new.session.digest.hex())
    with pytest.raises(Unauthenticated):
        commerce.sessions.resume(form_token(new.token))


@pytest.mark.parametrize(
    "token", [None, "", "made up", "a" * LONGEST_TOKEN, "a" * 10_000, "\ud800"]
)
def test_a_made_up_token_is_refused(commerce: Commerce, token: str | None):
    with pytest.raises(Unauthenticated) as refusal:
        commerce.sessions.resume(token)
    assert refusal.value.code == "session_expired"
    commerce.sessions.end(token)


def test_a_session_ends_when_its_holder_or_its_time_says_so(commerce: Commerce, clock: Clock):
    secret = commerce.keys.add().secret
    one, other = (commerce.sessions.begin(secret).token for _ in range(2))
    commerce.sessions.end(one)
    with pytest.raises(Unauthenticated):
        commerce.sessions.resume(one)
    clock.now += SESSION_LASTS - timedelta(minutes=1)
    commerce.sessions.resume(other)
    clock.now += timedelta(minutes=1)
    with pytest.raises(Unauthenticated):
        commerce.sessions.resume(other)


def test_a_session_ends_with_its_key(commerce: Commerce, clock: Clock):
    issued = commerce.keys.add()
    token = commerce.sessions.begin(issued.secret).token
    commerce.keys.revoke(issued.key.key_id)
    with pytest.raises(Unauthenticated):
        commerce.sessions.resume(token)
    with pytest.raises(Unauthenticated):
        commerce.sessions.begin(issued.secret)
    soon = clock.now + timedelta(hours=1)
    short = commerce.sessions.begin(commerce.keys.add(expires_at=soon).secret)
    assert short.session.expires_at == soon


def test_a_key_has_so_many_sessions(commerce: Commerce):
    secret = commerce.keys.add().secret
    tokens = [commerce.sessions.begin(secret).token for _ in range(MOST_SESSIONS + 1)]
    with pytest.raises(Unauthenticated):
        commerce.sessions.resume(tokens[0])
    for token in tokens[1:]:
        commerce.sessions.resume(token)
