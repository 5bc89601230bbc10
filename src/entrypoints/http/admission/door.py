"""The door: counts the requests under way, and refuses at once what is beyond the limits.

Used by the event loop alone, so it needs no lock. Nothing here asks the database.
"""

from collections import Counter
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from time import monotonic
from typing import Any, Final

from attrs import define, field

from commerce_core.base.errors import CommerceError, TooMany, Unavailable
from commerce_core.base.rates import Rate
from entrypoints.http.admission.callers import Caller, Callers
from entrypoints.http.admission.lanes import RETRY_FULL_AFTER
from entrypoints.http.admission.rates import LocalRate
from entrypoints.limits import Limits
from entrypoints.metrics import metrics

STANDING_AFTER: Final = 0.5
"""Seconds after which many requests under way are no longer a peak."""
_BURST_SECONDS: Final = 5
"""Of how many seconds an address may use its requests at once."""
_MOST_TURNED_AWAY: Final = 10_000
_ALONE_AFTER: Final = 5.0
"""Seconds without a request of another caller, after which a caller need not share."""

Peer = tuple[str, int]


@define
class Pressure:
    """Whether more requests come than can be answered, or this is only a peak.

    It stands once the number under way is high and hasn't been low for half a second, and until it
    hasn't been high for as long.
    """

    _high: int
    _low_at: float = field(factory=monotonic, init=False)
    _high_at: float = field(default=-STANDING_AFTER, init=False)
    _stands: bool = field(default=False, init=False)

    def is_standing(self, under_way: int, now: float) -> bool:
        """Takes the number under way when the next request comes."""
        if under_way >= self._high:
            self._high_at = now
        if under_way <= self._high // 2:
            self._low_at = now
        if self._stands and now - self._high_at >= STANDING_AFTER:
            self._stands, self._low_at = False, now
        elif under_way >= self._high and now - self._low_at >= STANDING_AFTER:
            self._stands = True
        return self._stands


@define
class Company:
    """Whether requests come from several callers, or from one alone."""

    _latest: str = field(default="", init=False)
    _latest_at: float = field(default=-_ALONE_AFTER, init=False)
    _other_at: float = field(default=-_ALONE_AFTER, init=False)

    def has_others(self, caller: str, now: float) -> bool:
        """Takes the caller of the next request; whether another one sent some lately."""
        if caller != self._latest:
            self._latest, self._other_at = caller, self._latest_at
        self._latest_at = now
        return now - self._other_at < _ALONE_AFTER

    def has_had_others(self, caller: str, now: float) -> bool:
        """Whether another one than this caller sent some lately. From any thread."""
        other_at = self._other_at if caller == self._latest else self._latest_at
        return now - other_at < _ALONE_AFTER


@define
class Door:
    """The requests under way in this process, by caller and by connection."""

    _limits: Limits
    callers: Callers
    _rate: LocalRate = field(init=False)
    _probe_rate: LocalRate = field(init=False)
    _held: Counter[str] = field(factory=Counter[str], init=False)
    _peers: Counter[Peer] = field(factory=Counter[Peer], init=False)
    _pressure: Pressure = field(init=False)
    _company: Company = field(factory=Company, init=False)
    _turned_away: dict[str, tuple[TooMany, float]] = field(
        factory=dict[str, tuple[TooMany, float]], init=False
    )

    def __attrs_post_init__(self) -> None:
        limits = self._limits
        self._pressure = Pressure(limits.limit_requests_standing)
        self._rate = _rate("rate_per_address", limits.limit_rate_per_address)
        self._probe_rate = _rate("probe_rate_per_address", limits.limit_probe_rate_per_address)

    @contextmanager
    def entered(self, scope: Mapping[str, Any]) -> Generator[Caller]:
        """Counts a request as under way for as long as the context lasts.

        TooMany if its caller may not send it now, Unavailable if the server is full.
        """
        caller = self.callers.of(scope)
        self._check(caller)
        host, port = scope.get("client") or ("", 0)
        peer = (str(host), int(port))
        self._held[caller.name] += 1
        self._peers[peer] += 1
        try:
            yield caller
        finally:
            _less(self._held, caller.name)
            _less(self._peers, peer)

    def check_probe(self, scope: Mapping[str, Any]) -> None:
        """TooMany if too many requests for health or metrics come from that address."""
        self._probe_rate.take(self.callers.address_of(scope))

    def turn_away(self, caller: Caller, refusal: TooMany) -> None:
        """Refuses all requests of that caller until it may try again, without a look at them."""
        if len(self._turned_away) >= _MOST_TURNED_AWAY:
            del self._turned_away[next(iter(self._turned_away))]
        self._turned_away[caller.name] = (refusal, monotonic() + refusal.retry_after)

    def has_company(self, caller: str) -> bool:
        """Whether other callers sent requests lately. From any thread."""
        return self._company.has_had_others(caller, monotonic())

    def busy_peers(self) -> frozenset[Peer]:
        """The connections with a request under way; may be called from any thread."""
        return frozenset(self._peers.copy())

    @property
    def under_way(self) -> int:
        """How many requests are under way."""
        return self._held.total()

    def _check(self, caller: Caller) -> None:
        self._check_turned_away(caller)
        if not caller.is_known:
            self._rate.take(caller.name)
        in_all, of_one = self._room(caller)
        if self._held[caller.name] >= of_one:
            raise self._full_share(caller, of_one)
        if self._held.total() >= in_all:
            raise self._full(in_all)

    def _room(self, caller: Caller) -> tuple[int, int]:
        """How many may be under way now, in all and of this caller.

        A peak may be high. If it doesn't end, all would wait as long as the last of them, and
        nobody would get more: then fewer are accepted.
        """
        limits, now = self._limits, monotonic()
        is_shared = self._company.has_others(caller.name, now)
        if not self._pressure.is_standing(self._held.total(), now):
            return limits.limit_requests, limits.limit_requests_per_caller
        standing = min(limits.limit_requests_standing, limits.limit_requests)
        share = max(1, standing // 2) if is_shared else standing
        return standing, min(limits.limit_requests_per_caller, share)

    def _check_turned_away(self, caller: Caller) -> None:
        refusal, until = self._turned_away.get(caller.name, (None, 0.0))
        if refusal is None:
            return
        left = until - monotonic()
        if left <= 0:
            del self._turned_away[caller.name]
            return
        metrics().refused(refusal.limit)
        raise TooMany(refusal.detail, limit=refusal.limit, most=refusal.most, retry_after=left)

    def _full_share(self, caller: Caller, most: int) -> CommerceError:
        metrics().refused("requests_per_caller")
        whose = "with this key" if caller.is_known else "from this address"
        return TooMany(
            f"{most} requests {whose} are under way in this process.",
            limit="requests_per_caller",
            most=most,
            retry_after=RETRY_FULL_AFTER,
        )

    def _full(self, most: int) -> CommerceError:
        metrics().refused("requests")
        return Unavailable(
            f"The server is busy with {most} requests.",
            "Try again in a moment.",
            code="busy",
        )


def _rate(limit: str, per_second: float) -> LocalRate:
    return LocalRate(limit, Rate(per_second, max(1, round(per_second * _BURST_SECONDS))))


def _less(counter: "Counter[Any]", name: object) -> None:
    counter[name] -= 1
    if not counter[name]:
        del counter[name]
