"""Who is let in: callers, the requests that are under way, rates, connections."""

import asyncio
from collections.abc import Mapping
from contextlib import ExitStack
from datetime import UTC, datetime
from typing import Any, cast

import pytest

from adapters.memory.store import MemoryStore
from commerce_core.base.errors import CommerceError, TooMany, Unavailable
from commerce_core.base.rates import Rate
from commerce_core.ports.store import Store
from entrypoints.http.admission.callers import Callers
from entrypoints.http.admission.connections import excess
from entrypoints.http.admission.door import STANDING_AFTER, Company, Door, Pressure
from entrypoints.http.admission.lanes import Lane, LaneLimits, Place, current_place, lanes_of
from entrypoints.http.admission.rates import NOTED_FROM, LocalRate, SharedTime
from entrypoints.limits import Limits

SECRET = "ck_1"


def scope(client: str = "10.0.0.1", **headers: str) -> dict[str, Any]:
    names = {name.replace("_", "-"): value for name, value in headers.items()}
    encoded = [(name.encode(), value.encode()) for name, value in names.items()]
    return {"client": (client, 5000), "headers": encoded}


def door(**limits: float) -> Door:
    door = Door(Limits(**cast("Any", limits)), Callers.behind("192.0.2.0/24, 2001:db8::1"))
    door.callers.remember(SECRET)
    return door


def refusal_of(door: Door, request: Mapping[str, Any]) -> CommerceError | None:
    try:
        with door.entered(request):
            return None
    except CommerceError as error:
        return error


# --- callers ---


def test_a_key_counts_for_itself_once_it_was_valid():
    callers = Callers.behind("")
    asked = scope(x_api_key=SECRET)
    assert callers.of(asked).name == "address 10.0.0.1"
    callers.remember(SECRET)
    assert callers.of(asked).name == callers.of(scope("10.9.9.9", x_api_key=SECRET)).name
    assert callers.of(scope(authorization=f"Bearer {SECRET}")).is_known
    assert SECRET not in callers.of(asked).name
    callers.forget(SECRET)
    assert not callers.of(asked).is_known


@pytest.mark.parametrize(
    ("peer", "forwarded", "address"),
    [
        ("10.0.0.1", "1.1.1.1", "10.0.0.1"),  # anybody may send the header
        ("192.0.2.7", "1.1.1.1", "1.1.1.1"),
        ("192.0.2.7", "6.6.6.6, 1.1.1.1, 192.0.2.8", "1.1.1.1"),
        ("192.0.2.7", "", "192.0.2.7"),
        ("2001:db8::1", "2001:db8::9", "2001:db8::9"),
        ("unix", "1.1.1.1", "unix"),
    ],
)
def test_behind_proxies_the_last_foreign_address_counts(peer: str, forwarded: str, address: str):
    found = Callers.behind("192.0.2.0/24, 2001:db8::1").of(scope(peer, x_forwarded_for=forwarded))
    assert found.name == f"address {address}"


# --- requests under way ---


def test_one_caller_has_a_share_and_others_the_rest():
    guarded = door(limit_requests=4, limit_requests_per_caller=3)
    with ExitStack() as under_way:
        for _ in range(3):
            under_way.enter_context(guarded.entered(scope(x_api_key=SECRET)))
        refused = refusal_of(guarded, scope(x_api_key=SECRET))
        assert isinstance(refused, TooMany)
        assert (refused.limit, refused.most) == ("requests_per_caller", 3)
        under_way.enter_context(guarded.entered(scope()))
        assert isinstance(refusal_of(guarded, scope("10.0.0.2")), Unavailable)
    assert guarded.under_way == 0
    assert guarded.busy_peers() == frozenset()
    assert refusal_of(guarded, scope(x_api_key=SECRET)) is None


def test_a_caller_that_was_turned_away_is_refused_at_the_door():
    guarded = door()
    caller = guarded.callers.of(scope(x_api_key=SECRET))
    guarded.turn_away(caller, TooMany("Too often.", limit="rate_per_key", most=5, retry_after=60))
    refused = refusal_of(guarded, scope(x_api_key=SECRET))
    assert isinstance(refused, TooMany)
    assert 0 < refused.retry_after <= 60
    assert refusal_of(guarded, scope()) is None
    guarded.turn_away(caller, TooMany("Too often.", limit="rate_per_key", most=5, retry_after=0))
    assert refusal_of(guarded, scope(x_api_key=SECRET)) is None


def test_strangers_of_an_address_have_a_rate():
    guarded = door(limit_rate_per_address=1e-9)
    assert refusal_of(guarded, scope()) is None
    refused = refusal_of(guarded, scope())
    assert isinstance(refused, TooMany)
    assert refused.limit == "rate_per_address"
    assert refusal_of(guarded, scope("10.0.0.2")) is None
    assert refusal_of(guarded, scope(x_api_key=SECRET)) is None


def test_probes_of_an_address_have_a_rate_of_their_own():
    guarded = door(limit_probe_rate_per_address=0.2)
    guarded.check_probe(scope())
    with pytest.raises(TooMany) as refusal:
        guarded.check_probe(scope())
    assert (refusal.value.limit, refusal.value.most) == ("probe_rate_per_address", 1)
    guarded.check_probe(scope("10.0.0.2"))
    assert refusal_of(guarded, scope()) is None


def test_pressure_stands_after_a_while_and_ends_after_one():
    pressure = Pressure(8)
    begun = pressure._low_at
    assert not pressure.is_standing(8, begun + STANDING_AFTER / 2)
    assert not pressure.is_standing(7, begun + STANDING_AFTER * 2)  # not high now
    assert pressure.is_standing(8, begun + STANDING_AFTER * 2)
    assert pressure.is_standing(1, begun + STANDING_AFTER * 2.5)
    assert not pressure.is_standing(1, begun + STANDING_AFTER * 3)
    assert not pressure.is_standing(8, begun + STANDING_AFTER * 3.5)  # a peak


def test_a_caller_has_company_while_others_have_sent_something_lately():
    company = Company()
    assert [company.has_others("a", now) for now in (100.0, 100.1)] == [False, False]
    assert company.has_others("b", 101.0)
    assert company.has_had_others("a", 101.0)
    assert [company.has_others("a", now) for now in (102.0, 105.9, 106.0)] == [True, True, False]
    assert [company.has_had_others(caller, 106.0) for caller in "ab"] == [False, True]
    assert not company.has_had_others("b", 111.1)


def test_rates_of_a_process_are_kept_by_subject():
    rate = LocalRate("rate", Rate(1e-9, 2))
    rate.take("a")
    rate.take("a")
    with pytest.raises(TooMany) as refusal:
        rate.take("a")
    assert refusal.value.retry_after > 1
    rate.take("b")


# --- lanes ---


def test_a_lane_has_room_for_each_caller():
    lane = Lane("queries", LaneLimits(threads=1, at_once=3, per_caller=2))
    with ExitStack() as places:
        for _ in range(2):
            places.enter_context(lane.entered("a"))
        with pytest.raises(TooMany) as refusal:
            lane.check("a")
        assert (refusal.value.limit, refusal.value.most) == ("queries", 2)
        places.enter_context(lane.entered("b"))
        with pytest.raises(Unavailable) as full:
            lane.check("c")
        assert full.value.code == "busy"
    lane.check("a")
    lane.close()


class Clock:
    """A monotonic clock that moves only when asked."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now = 100.0
        monkeypatch.setattr("entrypoints.http.admission.rates.monotonic", lambda: self.now)


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    return Clock(monkeypatch)


def shared_time(store: Store, *callers_with_company: str) -> SharedTime:
    """A quarter of a second each second, and one at once."""
    rate = Rate(per_second=0.25, burst=1)
    return SharedTime("query_seconds_per_minute", rate, store, callers_with_company.__contains__)


@pytest.fixture
def store() -> MemoryStore:
    return MemoryStore(lambda: datetime(2026, 1, 1, tzinfo=UTC))


def test_a_caller_that_used_its_time_up_waits_until_it_has_some_again(
    store: MemoryStore, clock: Clock
):
    time = shared_time(store, "a", "b")
    time.check("a")
    time.spend("a", 2)
    with pytest.raises(TooMany) as refusal:
        time.check("a")
    assert (refusal.value.limit, refusal.value.most) == ("query_seconds_per_minute", 15)
    assert refusal.value.retry_after == pytest.approx(4)
    time.check("b")
    clock.now += 3.9
    assert time.wait("a") == pytest.approx(0.1)
    clock.now += 0.2
    time.check("a")


def test_a_caller_without_company_uses_no_time_up(store: MemoryStore):
    company = {"a"}
    time = SharedTime("queries", Rate(0.25, 1), store, company.__contains__)
    time.spend("a", 2)
    company.clear()
    time.check("a")
    time.spend("b", 9)
    company.update("ab")
    time.check("b")
    assert time.wait("a") > 0


def test_what_other_processes_used_counts_once_a_process_notes_its_own(
    store: MemoryStore, clock: Clock
):
    first, second = shared_time(store, "a"), shared_time(store, "a")
    first.spend("a", 3)
    second.check("a")
    second.spend("a", NOTED_FROM)
    assert second.wait("a") == pytest.approx(4 * (2 + NOTED_FROM))
    assert first.wait("a") == pytest.approx(8)


def test_short_times_are_collected_before_they_are_noted(store: MemoryStore, clock: Clock):
    time, other = shared_time(store, "a"), shared_time(store, "a")
    for _ in range(3):
        time.spend("a", NOTED_FROM / 4)
    other.spend("a", NOTED_FROM)
    time.spend("a", NOTED_FROM / 4)
    other.spend("a", 1)
    assert other.wait("a") == pytest.approx(4 * 2 * NOTED_FROM)


def test_without_a_store_a_process_counts_for_itself(clock: Clock):
    class Down(MemoryStore):
        def begin(self, **_: object) -> Any:  # noqa: ANN401
            raise Unavailable("The database is down.", "Try again.")

    time = shared_time(Down(lambda: datetime(2026, 1, 1, tzinfo=UTC)), "a")
    time.spend("a", 2)
    assert time.wait("a") == pytest.approx(4)


def test_what_runs_in_a_lane_uses_its_callers_time(store: MemoryStore, clock: Clock):
    """What is made of it later, a block of a download, counts too."""
    lane = Lane("queries", LaneLimits(1, 3, 2), shared_time(store, "a"))
    places: list[Place | None] = []
    with lane.entered("a") as place:
        asyncio.run(place.run(lambda: places.append(current_place())))
    assert places == [place]
    assert current_place() is None
    place.spend(2)
    assert place.wait() == pytest.approx(4, abs=0.5)
    with pytest.raises(TooMany), lane.entered("a"):
        pass
    lane.close()


def test_what_is_expensive_has_a_time_and_what_is_plain_has_none(store: MemoryStore):
    lanes = lanes_of(Limits(), store, lambda _: True)
    timed = {name: lane.time.rate for name, lane in lanes.items() if lane.time is not None}
    assert timed == {
        "queries": Rate(0.25, 1),
        "exports": Rate(0.5, 10),
        "examinations": Rate(0.5, 30),
        "decisions": Rate(0.5, 30),
    }
    for lane in lanes.values():
        lane.close()


# --- connections ---


def test_idle_connections_beyond_the_limits_are_ended_oldest_first():
    limits = Limits(limit_connections=5, limit_connections_per_address=3)
    peers = {("a", n): n for n in range(5)} | {("b", n): n for n in range(3)}
    ended = excess(peers, {("a", 0)}, limits)
    assert ended == {
        ("a", 1): "connections_per_address",
        ("a", 2): "connections_per_address",
        ("b", 0): "connections",
    }


def test_an_address_that_many_share_only_counts_in_all():
    limits = Limits(limit_connections=5, limit_connections_per_address=3)
    peers = {("a", n): n for n in range(5)}
    assert excess(peers, (), limits, lambda host: host == "a") == {}
    assert len(excess({**peers, ("b", 9): 9}, (), limits, lambda host: host == "a")) == 1


def test_nothing_is_ended_while_requests_are_under_way():
    limits = Limits(limit_connections=1, limit_connections_per_address=1)
    peers = {("a", n): n for n in range(3)}
    assert excess(peers, peers.keys(), limits) == {}
