"""Who is signed in: the cookie of a session, and the tokens that forms carry."""

import secrets
from hmac import compare_digest
from typing import Any, Final, cast
from urllib.parse import quote, unquote

from litestar import Response
from litestar.datastructures import Cookie

from commerce_core.base.errors import Forbidden
from commerce_core.commerce import Commerce
from commerce_core.partners.access import Scope
from commerce_core.partners.session import SESSION_LASTS, form_token
from entrypoints.http.admission.admission import admission_of
from entrypoints.http.admission.callers import SESSION_COOKIE
from entrypoints.http.kit.security import Asked, admit

VISIT_COOKIE: Final = "commerce_visit"
"""Stands for a session before there is one, so that the form to sign in has a token too."""
NOTICE_COOKIE: Final = "commerce_notice"
"""What the next page reports of an act, once."""
FORM_FIELD: Final = "form_token"
FORM_HEADER: Final = "x-form-token"
LONGEST_NOTICE: Final = 300
_NOTICE_SECONDS: Final = 60
_OWN_SITE: Final = ("same-origin", "none", "")


def session_token(request: Asked) -> str:
    """The token of the request's session; empty if it has none."""
    return request.cookies.get(SESSION_COOKIE, "")


def enter_session(request: Asked, scope: Scope | None) -> Commerce:
    """The platform as the person who is signed in sees it.

    Raises Unauthenticated without a session, Forbidden without the scope.
    """
    commerce: Commerce = request.app.state.commerce
    token = session_token(request)
    with admission_of(request).judging(request, token):
        commerce = commerce.resumed(token)
    admit(request, commerce.context.principal)
    if scope is not None:
        commerce.context.principal.require(scope)
    return commerce


def visit_token(request: Asked) -> str:
    """What forms are bound to: the session or, before there is one, this visit."""
    return session_token(request) or visit_of(request)


def visit_of(request: Asked) -> str:
    """This visit, the same all through the request; a new one if the browser has none."""
    state: dict[str, Any] = cast("Any", request.scope)["state"]
    if VISIT_COOKIE not in state:
        state[VISIT_COOKIE] = request.cookies.get(VISIT_COOKIE) or secrets.token_hex(32)
    return state[VISIT_COOKIE]


def check_own_site(request: Asked) -> None:
    """Forbidden for a form that another site sends, before anything of it is read."""
    if request.headers.get("sec-fetch-site", "").lower() not in _OWN_SITE:
        raise _foreign_form()


def check_form_token(request: Asked, sent: str) -> None:
    """Forbidden unless the form carries the token of this session or visit."""
    token = visit_token(request) if session_token(request) else request.cookies.get(VISIT_COOKIE)
    sent = sent or request.headers.get(FORM_HEADER, "")
    if not token or not compare_digest(form_token(token).encode(), sent.encode()):
        raise _foreign_form()


def _foreign_form() -> Forbidden:
    return Forbidden(
        "The form wasn't sent from a page of this session.",
        "Go back, reload the page, and send it again.",
        code="foreign_form",
    )


def keep_session(request: Asked, response: Response[Any], token: str) -> None:
    """Has the browser keep the session's token, out of reach of scripts and of other sites."""
    _set(request, response, SESSION_COOKIE, token, int(SESSION_LASTS.total_seconds()))
    response.delete_cookie(VISIT_COOKIE)


def forget_session(response: Response[Any]) -> None:
    """Has the browser forget the session's token."""
    response.delete_cookie(SESSION_COOKIE)


def keep_visit(request: Asked, response: Response[Any]) -> None:
    """Has the browser keep what the form to sign in is bound to."""
    if not session_token(request):
        _set(request, response, VISIT_COOKIE, visit_of(request), None)


def keep_notice(request: Asked, response: Response[Any], text: str) -> None:
    """Has the next page show a notice."""
    _set(request, response, NOTICE_COOKIE, quote(text[:LONGEST_NOTICE]), _NOTICE_SECONDS)


def notice_of(request: Asked) -> str:
    """The notice that the page before this one left; empty if there is none."""
    return unquote(request.cookies.get(NOTICE_COOKIE, ""))[:LONGEST_NOTICE]


def _set(
    request: Asked, response: Response[Any], name: str, value: str, seconds: int | None
) -> None:
    scheme = request.headers.get("x-forwarded-proto") or request.url.scheme
    response.set_cookie(
        Cookie(
            name, value=value, path="/", max_age=seconds, httponly=True, samesite="lax",
            secure=scheme == "https",
        )
    )  # fmt: skip
