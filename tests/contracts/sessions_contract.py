"""What the collection of sessions promises."""

from datetime import datetime

from commerce_core.partners.session import Session
from commerce_core.ports.store import Store
from tests.contracts import samples
from tests.contracts.samples import DAY, MINUTE, T0


def session(key_id: str, expires_at: datetime = T0) -> Session:
    session_id = samples.new_id("ses")
    return Session(session_id, key_id, T0 - DAY, expires_at, session_id.encode())


def begun(store: Store, *sessions: Session) -> None:
    with store.begin() as unit:
        for one in sessions:
            unit.sessions.add(one)


def kept(store: Store, *sessions: Session) -> list[bool]:
    with store.begin() as unit:
        return [unit.sessions.find(one.digest) == one for one in sessions]


class TestSessions:
    def test_a_session_is_found_by_its_digest_until_it_ends(self, store: Store):
        one, other = (session(samples.new_id("key")) for _ in range(2))
        begun(store, one, other)
        with store.begin() as unit:
            unit.sessions.end(one.session_id)
            unit.sessions.end(samples.new_id("ses"))
        assert kept(store, one, other) == [False, True]

    def test_the_oldest_sessions_of_a_key_end(self, store: Store):
        key_id = samples.new_id("key")
        own, other = [session(key_id) for _ in range(4)], session(samples.new_id("key"))
        begun(store, *own, other)
        with store.begin() as unit:
            unit.sessions.end_beyond(key_id, 2)
        assert kept(store, *own, other) == [False, False, True, True, True]

    def test_as_many_expired_sessions_are_forgotten_as_asked(self, store: Store):
        key_id = samples.new_id("key")
        over, valid = [session(key_id, T0 - MINUTE) for _ in range(3)], session(key_id)
        begun(store, *over, valid)
        with store.begin() as unit:
            assert unit.sessions.forget(T0, 2) == 2
        with store.begin() as unit:
            assert unit.sessions.forget(T0, 2) == 1
        assert kept(store, valid) == [True]
