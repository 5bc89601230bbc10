"""Admission: one object for all limits of a process, and what a request asks of it on its way."""

import asyncio
from collections.abc import AsyncGenerator, Callable, Generator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, asynccontextmanager, contextmanager, suppress
from typing import Any, Final, TypeVar, cast

from attrs import define, field
from litestar import Request

from commerce_core.base.errors import TooMany, Unauthenticated
from commerce_core.base.rates import Rate
from commerce_core.commerce import Commerce
from commerce_core.ports.store import Store
from entrypoints.http.admission.callers import Caller, Callers
from entrypoints.http.admission.door import Door
from entrypoints.http.admission.efforts import RequestEffort
from entrypoints.http.admission.lanes import LaneName, Lanes, Place, lanes_of
from entrypoints.http.admission.rates import SharedRate
from entrypoints.limits import Limits

CALLER: Final = "admission.caller"
"""Under this name a request's state has its Caller."""
_TICKET: Final = "admission.ticket"
_PLACES: Final = "admission.places"
_BURST_SECONDS: Final = 2
_UPLOAD_BURST_SECONDS: Final = 30
_BOUNDED: Final = ("queries", "exports", "examinations")
"""Lanes whose requests end when the client goes away."""

T = TypeVar("T")


@define
class Admission:
    """The door, the lanes and the rates of one process."""

    limits: Limits
    door: Door
    _lanes: Lanes
    _rate: SharedRate
    _upload_rate: SharedRate
    _probes: ThreadPoolExecutor = field(init=False)

    def __attrs_post_init__(self) -> None:
        self._probes = ThreadPoolExecutor(2, thread_name_prefix="probes")

    @classmethod
    def of(cls, limits: Limits, proxies: str, store: Store) -> "Admission":
        """With these limits; rates of keys are kept in the store."""
        rate, uploads = limits.limit_rate_per_key, limits.limit_upload_rate_per_key
        door = Door(limits, Callers.behind(proxies))
        return cls(
            limits,
            door,
            lanes_of(limits, store, door.has_company),
            SharedRate("rate_per_key", Rate(rate, max(1, round(rate * _BURST_SECONDS))), store),
            SharedRate(
                "upload_rate_per_key",
                Rate(uploads, max(1, round(uploads * _UPLOAD_BURST_SECONDS))),
                store,
            ),
        )

    @contextmanager
    def admitted(self, scope: Any) -> Generator[None]:  # noqa: ANN401 - as ASGI has it
        """A request's way through the server; TooMany or Unavailable if it isn't let in."""
        with ExitStack() as places, ExitStack() as ticket:
            state = scope.setdefault("state", {})
            state[CALLER] = ticket.enter_context(self.door.entered(scope))
            state[_TICKET], state[_PLACES] = ticket, places
            yield

    def leave(self, scope: Any) -> None:  # noqa: ANN401 - as ASGI has it
        """Counts a request as no longer under way, since all that is left is to refuse it."""
        cast("ExitStack", scope["state"][_TICKET]).close()

    def check(self, request: "Request[Any, Any, Any]", lane: LaneName) -> None:
        """TooMany or Unavailable if there is no room in the lane, before the key is looked up."""
        self._lanes[lane].check(caller_of(request).name)

    def enter(self, request: "Request[Any, Any, Any]", lane: LaneName) -> Place:
        """Moves a request from the plain ones to another lane, until its answer is sent.

        TooMany or Unavailable if there is no room.
        """
        state = request.scope["state"]
        place = cast("ExitStack", state[_PLACES]).enter_context(
            self._lanes[lane].entered(caller_of(request).name)
        )
        if lane != "requests":
            cast("ExitStack", state[_TICKET]).close()
        return place

    async def run(self, function: Callable[..., T], *arguments: object) -> T:
        """Runs something short in a thread for plain requests."""
        return await self._lanes["requests"].run(function, *arguments)

    async def run_probe(self, function: Callable[[], T]) -> T:
        """Runs something in a thread that only health and metrics use."""
        return await asyncio.get_running_loop().run_in_executor(self._probes, function)

    @contextmanager
    def judging(self, request: "Request[Any, Any, Any]", secret: str) -> Generator[None]:
        """Remembers whether the key is valid, by how the context ends."""
        try:
            yield
        except Unauthenticated:
            self.door.callers.forget(secret)
            raise
        if not caller_of(request).is_known:
            self.door.callers.remember(secret)

    def charge(self, request: "Request[Any, Any, Any]", key: str) -> None:
        """Counts a request with this key; TooMany if there were too many, in all processes."""
        try:
            self._rate.take(key)
        except TooMany as error:
            caller = caller_of(request)
            if caller.is_known:
                self.door.turn_away(caller, error)
            raise

    async def charge_lane(self, lane: LaneName, key: str | None) -> None:
        """Counts an upload with this key; TooMany if there were too many, in all processes."""
        if lane == "uploads":
            await self.run(self._upload_rate.take, key or "")

    def close(self) -> None:
        """Ends all threads that have nothing to do."""
        for lane in self._lanes.values():
            lane.close()
        self._probes.shutdown(wait=False)


def admission_of(request: "Request[Any, Any, Any]") -> Admission:
    """The admission of the process that answers this request."""
    return request.app.state.admission


def caller_of(request: "Request[Any, Any, Any]") -> Caller:
    """The caller of a request that was let in."""
    return request.scope["state"][CALLER]


@asynccontextmanager
async def bounded(
    request: "Request[Any, Any, Any]", lane: LaneName, commerce: Commerce
) -> AsyncGenerator[Commerce]:
    """The platform for a request of that lane, which ends early if the client goes away."""
    if lane not in _BOUNDED:
        yield commerce
        return
    limits = admission_of(request).limits
    effort = RequestEffort(
        caller_of(request).digest, limits.limit_query_seconds, limits.limit_exports_per_key
    )
    watching = asyncio.create_task(_cancel_when_gone(request, effort))
    try:
        yield commerce.within(effort)
    finally:
        watching.cancel()
        with suppress(asyncio.CancelledError):
            await watching


async def _cancel_when_gone(request: "Request[Any, Any, Any]", effort: RequestEffort) -> None:
    while (await request.receive())["type"] != "http.disconnect":
        pass
    # It may have to wait for a thread that begins a step.
    await asyncio.get_running_loop().run_in_executor(None, effort.cancel)
