"""Parts of pages that follow what is under way: sent again whenever they have changed."""

import asyncio
from collections.abc import AsyncIterator, Callable
from time import monotonic
from typing import Any, Final

from litestar import Response
from litestar.concurrency import sync_to_thread
from litestar.response import Stream

from entrypoints.http.kit.security import Asked
from entrypoints.http.routes.jobs import LONGEST_STREAM

LOOK_EVERY: Final = 2.0
"""Seconds between looks at what is under way; nothing is sent unless it has changed."""


def live(request: Asked, look: Callable[[], str]) -> Response[Any]:
    """A stream of events, each with the part of the page that `look` returns."""
    headers = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
    ending = request.app.state.get("ending")
    return Stream(_looks(look, ending), media_type="text/event-stream", headers=headers)


async def _looks(look: Callable[[], str], ending: Any) -> AsyncIterator[str]:  # noqa: ANN401 - an event
    until, last = monotonic() + LONGEST_STREAM, ""
    while monotonic() < until and not (ending and ending.is_set()):
        now = await sync_to_thread(look)
        if now != last:
            last = now
            yield "".join(f"data: {line}\n" for line in now.splitlines()) + "\n"
        await asyncio.sleep(LOOK_EVERY)
