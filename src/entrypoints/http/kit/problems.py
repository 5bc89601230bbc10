"""Error responses: every error becomes a problem (RFC 9457), without internal details."""

from collections.abc import Mapping
from typing import Any, Final
from urllib.parse import quote

from attrs import evolve
from litestar import Response
from litestar.exceptions import HTTPException
from litestar.types import Scope

from commerce_core.base.errors import (
    CommerceError,
    InvalidInput,
    Malformed,
    TooMany,
    Unauthenticated,
    Unavailable,
    whole_seconds,
)
from entrypoints import logs
from entrypoints.http.admission.efforts import GONE, Gone
from entrypoints.http.kit.security import Asked, request_id
from entrypoints.problems import Problem, problem_of, problem_type

MEDIA_TYPE: Final = "application/problem+json"
RETRY_AFTER_SECONDS: Final = 5
RETRY_BUSY_SECONDS: Final = 2
BUSY: Final = "busy"
"""The code of a server that is up, and has too much to do."""
REMEDIES: Final[Mapping[str, str]] = {
    "key_expired": "Ask the operator for another key.",
    "unauthenticated": "Send an API key as `X-API-Key: ...` or `Authorization: Bearer ...`.",
    "job_finished": "Create a new job for the same feed: POST /v1/feeds/{feed_id}/jobs.",
    "no_mail_server": "Ask the operator to set smtp_url and mail_from.",
}
"""What to do over HTTP, by the error's code."""


_OF_HTTP: Final[Mapping[int, tuple[str, str, str]]] = {
    400: ("malformed", "The request can't be read", ""),
    404: ("no_such_address", "Not found", "There is nothing at this address."),
    405: ("method_not_allowed", "Method not allowed", "This address doesn't support the method."),
    408: ("too_slow", "The body arrived too slowly", ""),
    413: ("too_large", "Too large", "The body is larger than this address accepts."),
    415: ("unsupported_media_type", "Media type not accepted", ""),
}
"""Code, title and, where the framework's own detail is of no use, a detail."""


def refuse(request: Asked, error: CommerceError) -> Response[dict[str, Any]]:
    """The response to an error of the core."""
    if isinstance(error, InvalidInput) and not request.route_handler.opt["operation"].body:
        # Without a body, the fault is in the query.
        error = Malformed(error.detail, error.remedy, faults=error.faults, code=error.code)
    if isinstance(error, Gone):
        return _answer(request, _problem(GONE, error.code, "The client went away", error.detail))
    problem = problem_of(error, REMEDIES)
    if problem.status >= 500 and not isinstance(error, Unavailable):  # noqa: PLR2004 HTTP's own
        return refuse_fault(request, error)
    headers = waiting_headers(error)
    if isinstance(error, Unauthenticated):
        headers["WWW-Authenticate"] = 'Bearer realm="commerce", ApiKey header="X-API-Key"'
    if isinstance(error, Unavailable):
        if error.code != BUSY:
            logs.warning("part.unavailable", error, reason=error.detail)
        problem = evolve(problem, detail=f"{error.publicly} {error.remedy}".rstrip())
    return _answer(request, problem, headers)


def waiting_headers(error: CommerceError) -> dict[str, str]:
    """When to try again; and for a limit of the caller's own, what it is."""
    if isinstance(error, TooMany):
        wait = str(whole_seconds(error.retry_after))
        return {
            "Retry-After": wait,
            "RateLimit-Limit": f"{error.most:g}",
            "RateLimit-Remaining": "0",
            "RateLimit-Reset": wait,
        }
    if isinstance(error, Unavailable):
        wait = RETRY_BUSY_SECONDS if error.code == BUSY else RETRY_AFTER_SECONDS
        return {"Retry-After": str(wait)}
    return {}


def refuse_http(request: Asked, error: HTTPException) -> Response[dict[str, Any]]:
    """The response to an error of the framework: addresses, methods, sizes, forms."""
    if error.status_code not in _OF_HTTP:
        return refuse_fault(request, error)
    code, title, detail = _OF_HTTP[error.status_code]
    problem = _problem(error.status_code, code, title, detail or error.detail)
    return _answer(request, problem, error.headers)


def refuse_fault(request: Asked, error: Exception) -> Response[dict[str, Any]]:
    """The response to a bug; the error itself is in the log, under the request's id."""
    logs.error("request.fault", error)
    detail = "This is a fault of the server. Its log has the error under the request's id."
    return _answer(request, _problem(500, "internal_error", "Something went wrong", detail))


def _problem(status: int, code: str, title: str, detail: str) -> Problem:
    return Problem(problem_type(code), title, status, detail, code, errors=(), exit_code=0)


def _answer(
    request: Asked, problem: Problem, headers: dict[str, str] | None = None
) -> Response[dict[str, Any]]:
    content = problem_content(request.scope, problem)
    return Response(content, status_code=problem.status, media_type=MEDIA_TYPE, headers=headers)


def problem_content(scope: Scope, problem: Problem) -> dict[str, Any]:
    """The problem as clients see it."""
    return {
        "type": problem.type,
        "title": problem.title,
        "status": problem.status,
        "detail": problem.detail,
        "instance": quote(scope["path"]),
        "code": problem.code,
        "errors": list(problem.errors),
        **({"more_errors": problem.more_errors} if problem.more_errors else {}),
        **problem.shown,
        "request_id": request_id(scope),
    }


HANDLERS: Final[dict[int | type[Exception], Any]] = {
    CommerceError: refuse,
    HTTPException: refuse_http,
    Exception: refuse_fault,
}
