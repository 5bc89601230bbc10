"""Progress as server-sent events: how far a job is, told as it goes on, without asking again."""

import asyncio
import json
from collections.abc import AsyncIterator
from threading import Event
from time import monotonic
from typing import Any, Final

from attrs import asdict
from litestar import Request, Response
from litestar.concurrency import sync_to_thread
from litestar.response import Stream

from commerce_core.commerce import Commerce
from commerce_core.feeds.job import Job
from entrypoints.http.routing import route
from entrypoints.http.values import JobId
from entrypoints.shapes import shape

LONGEST_STREAM: Final = 60.0
"""Seconds after which a stream ends; a browser's EventSource connects again by itself."""
BETWEEN_LOOKS: Final = 0.5
_NEVER: Final = Event()


@route("GET", "/jobs/{job_id:str}/events", scope="feeds:read")
async def job_events(
    commerce: Commerce, job_id: JobId, request: Request[Any, Any, Any]
) -> Response[Any]:
    """Tells how far a job is, as server-sent events, until it ends or for a minute.

    `progress` comes whenever something has changed: stage, bytes, records, records a second and
    seconds left. `job` is the last one, with the job as it ended, or as it waits for its start.
    """
    job = await sync_to_thread(commerce.jobs.get, job_id)
    ending = request.app.state.get("ending", _NEVER)
    events = _events(commerce, job, ending)
    headers = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
    return Stream(events, media_type="text/event-stream", headers=headers)


async def _events(commerce: Commerce, job: Job, ending: Event) -> AsyncIterator[str]:
    until, told = monotonic() + LONGEST_STREAM, ""
    while _goes_on(job) and not ending.is_set() and monotonic() < until:
        now = _progress(commerce, job)
        if now != told:
            told = now
            yield told
        await asyncio.sleep(BETWEEN_LOOKS)
        job = await sync_to_thread(commerce.jobs.get, job.job_id)
    if not _goes_on(job):
        yield _event("job", shape(job))


def _goes_on(job: Job) -> bool:
    """Whether there is something to wait for."""
    return job.status == "running" or (job.status == "queued" and job.released)


def _progress(commerce: Commerce, job: Job) -> str:
    pace = job.pace(commerce.context.clock())
    return _event("progress", {"status": job.status, **asdict(job.progress), **asdict(pace)})


def _event(name: str, data: object) -> str:
    return f"event: {name}\ndata: {json.dumps(data)}\n\n"


ROUTES = (job_events,)
