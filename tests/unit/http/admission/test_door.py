"""Who is let in: callers, the requests that are under way, rates, connections."""

from collections.abc import Mapping
from contextlib import ExitStack
from typing import Any, cast

import pytest

from commerce_core.base.errors import CommerceError, TooMany, Unavailable
from commerce_core.base.rates import Rate
from entrypoints.http.admission.callers import Callers
from entrypoints.http.admission.connections import excess
from entrypoints.http.admission.door import STANDING_AFTER, Company, Door, Pressure
from entrypoints.http.admission.lanes import Lane, LaneLimits
from entrypoints.http.admission.rates import LocalRate
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
    assert [company.has_others("a", now) for now in (102.0, 105.9, 106.0)] == [True, True, False]


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


def test_a_caller_that_used_its_seconds_up_waits():
    lane = Lane("queries", LaneLimits(1, 3, 2, seconds_per_minute=30))
    with lane.entered("a") as place:
        place.seconds = 31
    with pytest.raises(TooMany) as refusal:
        lane.check("a")
    assert 2 < refusal.value.retry_after <= 4  # a second's worth, at half a second a second
    lane.check("b")
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
