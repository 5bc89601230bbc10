"""Servers in the memory of one process: the reference of how calls are judged and redirected."""

import io
from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import contextmanager
from typing import Final

from attrs import define, field

from commerce_core.base.errors import InvalidInput, Unreachable
from commerce_core.base.network import Reach, Target, next_hop
from commerce_core.ports.web import WebAnswer, WebRequest, redirected

Answer = tuple[int, Mapping[str, str], bytes]
NOT_FOUND: Final[Answer] = (404, {}, b"")


def _nothing(_: WebRequest) -> Answer:
    return NOT_FOUND


@define
class MemoryWeb:
    """Implements `commerce_core.ports.web.Web`.

    `hosts` are the addresses of each name, `answer` is what all servers do, and `requests` are
    those that were sent.
    """

    hosts: Mapping[str, Sequence[str]]
    answer: Callable[[WebRequest], Answer] = _nothing
    reach: Reach = field(factory=Reach)
    requests: list[WebRequest] = field(factory=list[WebRequest], init=False)

    def judge(self, url: str, pointer: str = "/url") -> None:
        """Judges by `hosts`."""
        target = self.reach.target(url, pointer)
        try:
            self._pinned(target)
        except Unreachable as error:
            if error.code == "address_refused":
                raise InvalidInput.at(pointer, error.code, error.detail) from error

    @contextmanager
    def send(self, request: WebRequest) -> Generator[WebAnswer]:
        """What `answer` returns, after the redirects that the request allows."""
        for _ in range(request.most_redirects + 1):
            target = self._target(request.url)
            address = self._pinned(target)
            self.requests.append(request)
            status, headers, body = self.answer(request)
            named = {name.lower(): value for name, value in headers.items()}
            location = next_hop(target, status, named.get("location"))
            if location is None or not request.most_redirects:
                yield WebAnswer(status, named, target.url, address, {}, io.BytesIO(body))
                return
            request = redirected(request, target, location)
        raise Unreachable(
            f"It redirects more than {request.most_redirects} times.",
            code="too_many_redirects",
        )

    def _target(self, url: str) -> Target:
        try:
            return self.reach.target(url)
        except InvalidInput as error:
            raise Unreachable(error.faults[0].detail, code="address_refused") from error

    def _pinned(self, target: Target) -> str:
        known = [target.host] if target.address is not None else self.hosts.get(target.host, ())
        return self.reach.judge(target.host, known, target.scheme)
