"""Signing in and out, help, and the page that shows the components."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any, Final
from urllib.parse import unquote

from attrs import frozen
from litestar import Response

from commerce_core.base.errors import Unauthenticated
from commerce_core.commerce import Commerce
from commerce_core.feeds.summary import Stage
from commerce_core.pricing.explanation import Adjustment
from entrypoints.dashboard.kit.pages import Goto, act, going_to, page
from entrypoints.dashboard.kit.rendering import View, rendered
from entrypoints.dashboard.kit.sessions import forget_session, keep_session, session_token
from entrypoints.http.kit.security import Asked
from entrypoints.http.routes.health import watch_of
from entrypoints.reading import optional, required

_FIRST: Final = datetime(2026, 11, 1, tzinfo=UTC)
_SAMPLE_PRICES: Final = ("12", "12", "9", "14")
_SAMPLE_SALES: Final = ("40", "75", "120", "0", "-20", "90", "60")
_SAMPLE_MOVES: Final = ("-60", "-12", "-5", "3", "8", "22", "95")


@frozen(kw_only=True)
class Back:
    """Where signing in leads."""

    next: str = optional("/", "The page that was asked for.")


@frozen(kw_only=True)
class SignIn(Back):
    """A key."""

    key: str = required("The API key.")


@page("/sign-in", is_public=True)
def show_sign_in(request: Asked, parameters: Back) -> View:
    """Asks for a key."""
    return _sign_in(request, parameters.next)


def _sign_in(request: Asked, leads_to: str, refused: str = "", status: int = 200) -> View:
    values = {
        "next": own_path(leads_to),
        "refused": refused,
        "parts": watch_of(request).parts(),
        "key_file": request.app.state.get("key_file", ""),
    }
    return View("sign-in.html", "Sign in", values=values, status=status)


@act("/sign-in", is_public=True)
def sign_in(request: Asked, form: SignIn) -> Response[Any]:
    """Begins a session of the key."""
    commerce: Commerce = request.app.state.commerce
    try:
        new = commerce.sessions.begin(form.key.strip())
    except Unauthenticated as error:
        view = _sign_in(request, form.next, str(error), status=401)
        return rendered(request, None, view)
    response = going_to(request, Goto(own_path(form.next)))
    keep_session(request, response, new.token)
    return response


@act("/sign-out")
def sign_out(request: Asked, commerce: Commerce) -> Response[Any]:
    """Ends the session."""
    commerce.sessions.end(session_token(request))
    response = going_to(request, Goto("/sign-in"))
    forget_session(response)
    return response


def own_path(path: str) -> str:
    """The path if it is one of this server, else the start."""
    decoded = unquote(path)
    own = decoded.startswith("/") and not decoded.startswith(("//", "/\\"))
    return path if own and decoded.isprintable() and "\\" not in decoded else "/"


@page("/help")
def show_help() -> View:
    """Shows the keys."""
    return View("help.html", "Help")


@page("/kit")
def show_kit() -> View:
    """Shows every component."""
    values = {
        "stages": (Stage("reading", 1.4, 50_000), Stage("comparing", 0.9, 50_000)),
        "points": [
            (_FIRST + timedelta(days=10 * n), Decimal(price))
            for n, price in enumerate(_SAMPLE_PRICES)
        ],
        "bars": [Decimal(sales) for sales in _SAMPLE_SALES],
        "moves": [Decimal(move) for move in _SAMPLE_MOVES],
        "sample_step": Adjustment("rule", "Sale", Decimal(-6)),
    }
    return View("kit-page.html", "Components", values=values)


ROUTES = (show_sign_in, sign_in, sign_out, show_help, show_kit)
