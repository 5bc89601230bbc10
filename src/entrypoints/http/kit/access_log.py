"""What each request leaves behind: a line in the log, and a place in the figures."""

from time import perf_counter
from typing import TYPE_CHECKING, Any, Final, cast

from litestar import Litestar
from litestar.types import Scope

from commerce_core.base.ids import Kind, looks_like
from entrypoints import logs, tracing
from entrypoints.http.admission.efforts import GONE
from entrypoints.http.kit.security import STATUS, caller, request_id
from entrypoints.metrics import metrics

if TYPE_CHECKING:
    from opentelemetry.trace import Span

IDS: Final = "ids"
"""Under this name a request's state has the ids of what it was about."""
NO_ROUTE: Final = "none"
_OF_TRACES: Final = frozenset(("traceparent", "tracestate"))
_NOTED: Final = ("partner_id", "feed_id", "job_id")


class Observed(Litestar):
    """The application, which reports every request, with its answer's status and duration."""

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:  # noqa: ANN401 three kinds of each
        """Answers, and reports it."""
        if scope["type"] != "http":
            await super().__call__(scope, receive, send)
            return
        begun = perf_counter()
        bound = logs.bind(request_id=request_id(scope))
        with tracing.request(_trace_headers(scope)) as span:
            try:
                await super().__call__(scope, receive, send)
            finally:
                _report(scope, perf_counter() - begun, span)
                logs.release(bound)


def _trace_headers(scope: Any) -> dict[str, str]:  # noqa: ANN401 as ASGI has it
    """The headers of a request that name the trace it belongs to."""
    named = ((name.decode("latin-1"), value) for name, value in scope["headers"])
    return {name: v.decode("latin-1") for name, v in named if name in _OF_TRACES}


def note(scope: Scope, value: object) -> None:
    """Notes which job, feed and partner an answer is about, for the log."""
    found = {name: id_ for name in _NOTED if isinstance(id_ := getattr(value, name, None), str)}
    cast("Any", scope)["state"][IDS] = found


def _report(scope: Any, seconds: float, span: "Span | None") -> None:  # noqa: ANN401 as ASGI has it
    route: str = scope.get("path_template") or NO_ROUTE
    status: int = scope["state"].get(STATUS, GONE)
    metrics().request(scope["method"], route, status, seconds)
    who = caller(scope)
    # What only stands in an id's place isn't written.
    in_path = {n: v for n, v in scope.get("path_params", {}).items() if _is_id(v)}
    ids = {"partner_id": who and who.partner_id, **in_path, **scope["state"].get(IDS, {})}
    if span is not None:
        tracing.answered(
            span, scope["method"], route, status, {"request_id": request_id(scope), **ids}
        )
    logs.info(
        "request.finished",
        method=scope["method"],
        route=route,
        status=status,
        ms=round(seconds * 1000, 1),
        caller="nobody" if who is None else "partner" if who.partner_id else "operator",
        **ids,
    )


def _is_id(text: str) -> bool:
    return looks_like(cast("Kind", text.partition("_")[0]), text)
