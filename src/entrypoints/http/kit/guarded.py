"""The application behind its door, which refuses at once what is beyond a limit."""

from collections.abc import Mapping
from contextlib import ExitStack, suppress
from functools import partial
from typing import Any, Final

import msgspec

from commerce_core.base.errors import CommerceError
from entrypoints.http.admission.admission import Admission
from entrypoints.http.admission.bodies import Send, Stalled, TimedAnswer, TimedBody
from entrypoints.http.kit.access_log import NO_ROUTE, Observed
from entrypoints.http.kit.problems import MEDIA_TYPE, problem_content, waiting_headers
from entrypoints.http.kit.security import DEFAULTS, request_id
from entrypoints.metrics import metrics
from entrypoints.problems import problem_of

PROBES: Final = frozenset(("/health/live", "/health/ready", "/v1/health", "/metrics"))
"""These answer however busy the server is; each has an answer at most a second old."""


class Guarded(Observed):
    """The application; refusals at the door are counted, and not logged one by one."""

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:  # noqa: ANN401 three kinds of each
        """Answers, or refuses at once."""
        if scope["type"] != "http":
            await super().__call__(scope, receive, send)
            return
        admission: Admission = self.state.admission
        if scope["path"] in PROBES:
            try:
                admission.door.check_probe(scope)
            except CommerceError as refusal:
                await _refuse(scope, send, refusal)
                return
            await super().__call__(scope, receive, send)
            return
        with ExitStack() as admitted:
            try:
                admitted.enter_context(admission.admitted(scope))
            except CommerceError as refusal:
                await _refuse(scope, send, refusal)
                return
            body = TimedBody(receive, admission.limits, partial(admission.leave, scope))
            answer = TimedAnswer(send, admission.limits, body)
            with suppress(Stalled):  # Without its end, the client sees that it is incomplete.
                await super().__call__(scope, body.receive, answer.send)


async def _refuse(scope: Any, send: Send, refusal: CommerceError) -> None:  # noqa: ANN401 as ASGI has it
    problem = problem_of(refusal)
    metrics().request(scope["method"], NO_ROUTE, problem.status, 0.0)
    content = msgspec.json.encode(problem_content(scope, problem))
    own = {
        "content-type": MEDIA_TYPE,
        "content-length": str(len(content)),
        "x-request-id": request_id(scope),
        **waiting_headers(refusal),
    }
    await send(
        {
            "type": "http.response.start",
            "status": problem.status,
            "headers": [*DEFAULTS.items(), *_encoded(own)],
        }
    )
    await send({"type": "http.response.body", "body": content})


def _encoded(headers: Mapping[str, str]) -> list[tuple[bytes, bytes]]:
    return [(name.lower().encode(), value.encode()) for name, value in headers.items()]
