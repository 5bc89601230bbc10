"""Bodies, in and out: a client that sends or accepts one too slowly is given up."""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from time import monotonic
from typing import Any, Final

from attrs import define, field
from litestar.exceptions import ClientException

from entrypoints.limits import MIB, Limits
from entrypoints.metrics import metrics

_REFUSALS: Final = 400
SLOWEST: Final = 1024
"""Bytes a second that a body has to arrive with, after a grace period."""

DRAINED_BYTES: Final = 32 * MIB
DRAINED_SECONDS: Final = 2.0
"""How much of a body is read and dropped after it was refused, and for how long. A client that is
still sending would see a broken connection instead of the refusal."""

Receive = Callable[[], Awaitable[Any]]
Send = Callable[[Any], Awaitable[None]]


class Stalled(Exception):
    """The client has accepted nothing of its response for too long."""


@define
class TimedBody:
    """Receives a request's body; ClientException with status 408 if it arrives too slowly."""

    _receive: Receive
    _limits: Limits
    _refused: Callable[[], None] = field(default=lambda: None)
    _begun: float = field(factory=monotonic, init=False)
    _bytes: int = field(default=0, init=False)
    _is_whole: bool = field(default=False, init=False)

    async def receive(self) -> Any:  # noqa: ANN401 - a message of ASGI
        """The next message; waiting for the client to go away has no limit."""
        if self._is_whole:
            return await self._receive()
        allowed = self._limits.limit_body_seconds + self._bytes / SLOWEST
        try:
            async with asyncio.timeout(max(0.0, self._begun + allowed - monotonic())):
                message = await self._receive()
        except TimeoutError as error:
            metrics().refused("body_seconds")
            detail = (
                f"The body wasn't received within {allowed:.0f} seconds. "
                f"Send at least {SLOWEST:,} bytes a second."
            )
            raise ClientException(detail=detail, status_code=408) from error
        if message["type"] == "http.request":
            self._note(message)
        return message

    async def drain(self) -> None:
        """Drops the rest of the body, within limits; the request no longer counts as under way."""
        self._refused()
        until = self._bytes + DRAINED_BYTES
        with suppress(TimeoutError):
            async with asyncio.timeout(DRAINED_SECONDS):
                while not self._is_whole and self._bytes < until:
                    message = await self._receive()
                    if message["type"] != "http.request":
                        return
                    self._note(message)

    def _note(self, message: Any) -> None:  # noqa: ANN401 - a message of ASGI
        self._bytes += len(message.get("body", b""))
        self._is_whole = not message.get("more_body", False)


@define
class TimedAnswer:
    """Sends a response; Stalled if the client accepts nothing of a stream for too long."""

    _send: Send
    _limits: Limits
    _body: TimedBody

    async def send(self, message: Any) -> None:  # noqa: ANN401 - a message of ASGI
        """Sends a message."""
        if message.get("status", 0) >= _REFUSALS:
            await self._body.drain()
        if not message.get("more_body", False):
            await self._send(message)
            return
        try:
            async with asyncio.timeout(self._limits.limit_stalled_seconds):
                await self._send(message)
        except TimeoutError as error:
            metrics().refused("stalled_seconds")
            raise Stalled from error
