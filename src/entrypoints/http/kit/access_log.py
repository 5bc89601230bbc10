"""What each request leaves behind: a line in the log, and a place in the figures."""

from time import perf_counter
from typing import Any, Final, cast

from litestar import Litestar
from litestar.types import Receive, Scope, Send

from commerce_core.ids import Kind, looks_like
from entrypoints import logs
from entrypoints.http.kit.security import STATUS, caller, request_id
from entrypoints.metrics import metrics

IDS: Final = "ids"
"""Under this name a request's state has the ids of what it was about."""
NO_ROUTE: Final = "none"
GONE: Final = 499
"""The status of a request whose sender went away before an answer had begun; nobody is sent it."""
_KINDS: Final[dict[str, Kind]] = {
    "partner_id": "ptn",
    "feed_id": "feed",
    "job_id": "job",
    "source_id": "src",
    "product_id": "prod",
    "order_id": "ord",
}
_NOTED: Final = ("partner_id", "feed_id", "job_id")


class Watched(Litestar):
    """The application, which tells of every request that it was answered, and how."""

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:  # noqa: ANN401 three kinds of each
        """Answers, and tells of it."""
        if scope["type"] != "http":
            await super().__call__(scope, receive, send)
            return
        await self._watch(scope, receive, send)

    async def _watch(self, scope: Scope, receive: Receive, send: Send) -> None:
        begun = perf_counter()
        bound = logs.bind(request_id=request_id(scope))
        try:
            await super().__call__(scope, receive, send)
        finally:
            _tell(scope, perf_counter() - begun)
            logs.release(bound)


def note(scope: Scope, value: object) -> None:
    """Notes which job, feed and partner an answer is about, for the log."""
    found = {name: id_ for name in _NOTED if isinstance(id_ := getattr(value, name, None), str)}
    if found:
        cast("Any", scope)["state"][IDS] = found


def _tell(scope: Scope, seconds: float) -> None:
    asked = cast("Any", scope)
    route: str = asked.get("path_template") or NO_ROUTE
    status: int = asked["state"].get(STATUS, GONE)
    metrics().request(asked["method"], route, status, seconds)
    who = caller(scope)
    logs.info(
        "request.finished",
        method=asked["method"],
        route=route,
        status=status,
        ms=round(seconds * 1000, 1),
        caller="nobody" if who is None else "partner" if who.partner_id else "operator",
        **{"partner_id": who and who.partner_id, **_ids(asked)},
    )


def _ids(asked: dict[str, Any]) -> dict[str, str]:
    """Ids in the address and in the answer; what only stands in an id's place isn't written."""
    in_path = {
        name: text
        for name, text in asked.get("path_params", {}).items()
        if (kind := _KINDS.get(name)) and looks_like(kind, text)
    }
    return {**in_path, **asked["state"].get(IDS, {})}
