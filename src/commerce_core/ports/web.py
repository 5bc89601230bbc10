"""What the core needs to call servers of others over HTTP."""

from collections.abc import Mapping
from contextlib import AbstractContextManager
from typing import BinaryIO, Final, Protocol

from attrs import evolve, field, frozen

from commerce_core.base.errors import Unreachable
from commerce_core.base.network import Target

DEADLINE: Final = 15.0
"""Seconds for everything about a call, by default."""


@frozen
class WebRequest:
    """A request, how long everything about it may take, and how many redirects are followed.

    Without redirects, an answer that redirects is returned like any other. A redirect is followed
    with GET, and to another server without the headers in `private`. One that `is_repeatable` may
    arrive twice, so it may use a connection that an earlier one left open: if the server closes
    that meanwhile, it is sent again over a new one.
    """

    method: str
    url: str
    headers: Mapping[str, str] = field(factory=dict[str, str])
    body: bytes = b""
    seconds: float = DEADLINE
    most_redirects: int = 0
    private: frozenset[str] = frozenset({"authorization", "cookie"})
    is_repeatable: bool = False


@frozen
class WebAnswer:
    """An answer: its header's names are in lower case, and its body is still to be read.

    `url` is the one that answered, and `address` the one it was called at. `seconds` are those of
    each phase. Reading the stream raises Unreachable as `Web.send` does.
    """

    status: int
    headers: Mapping[str, str]
    url: str
    address: str
    seconds: Mapping[str, float]
    stream: BinaryIO


class Web(Protocol):
    """Calls servers. Every address is judged by `base.addresses.Reach` before anything is sent."""

    def judge(self, url: str, pointer: str = "/url") -> None:
        """Judges a URL that is to be stored, and sends nothing.

        InvalidInput if it can't be called, by what it contains or by what its name resolves to. A
        name that doesn't resolve at present passes.
        """
        ...

    def send(self, request: WebRequest) -> AbstractContextManager[WebAnswer]:
        """The answer to a request, whatever its status.

        The name is resolved once, every address is judged, and the connection goes to the first of
        them; so for each redirect. A connection is shared for at most a minute after that.
        Unreachable, code

        - `address_refused` if it may not be called (also one that a redirect leads to),
        - `unresolved` if the name has no address, `not_connected` if nothing accepts connections,
        - `bad_certificate` if the server can't prove its name,
        - `timed_out` when the deadline has passed, in any phase,
        - `cut_off` if the connection ends before the answer does,
        - `too_many_redirects`, and `bad_answer` for what isn't HTTP.
        """
        ...


def redirected(request: WebRequest, target: Target, location: str) -> WebRequest:
    """The request for the URL that the target's answer redirects to."""
    same_server = location.startswith(f"{target.url.removesuffix(target.path)}/")
    body = {"content-type", "content-length"}
    hidden = body if same_server else body | request.private
    kept = {name: value for name, value in request.headers.items() if name.lower() not in hidden}
    return evolve(request, method="GET", body=b"", url=location, headers=kept)


class Offline:
    """A platform that calls no other servers."""

    def judge(self, url: str, pointer: str = "/url") -> None:  # noqa: ARG002
        """Refused."""
        raise _offline()

    def send(self, request: WebRequest) -> AbstractContextManager[WebAnswer]:  # noqa: ARG002
        """Refused."""
        raise _offline()


def _offline() -> Unreachable:
    return Unreachable(
        "This platform doesn't call other servers.",
        code="offline",
    )
