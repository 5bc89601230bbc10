"""A receiver of webhooks for trying them out: verifies each message, and hands it on."""

import json
import queue
import threading
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Final

from attrs import frozen

from commerce_core.base.errors import Unavailable
from commerce_core.webhooks.signature import BadSignature, verify

LONGEST_BODY: Final = 1024**2
_SECONDS: Final = 10


@frozen
class Message:
    """A message that was received; `problem` is why it was refused, if it was."""

    message_id: str
    verified: bool
    problem: str | None
    body: Any

    @property
    def line(self) -> str:
        """The message in one line of text."""
        state = "verified" if self.verified else f"REFUSED: {self.problem}"
        return f"{self.message_id}  {state}  {json.dumps(self.body, ensure_ascii=False)}"


@contextmanager
def listening(
    host: str, port: int, secrets: Sequence[str]
) -> Generator[tuple[str, Callable[[], Iterator[Message]]]]:
    """A server while the context lasts: its address, and what yields the messages it gets.

    It answers 204 to a message that one of the secrets signed, and 401 to any other. Unavailable if
    the address is in use.
    """
    found: queue.SimpleQueue[Message] = queue.SimpleQueue()
    try:
        server = ThreadingHTTPServer((host, port), _handler(secrets, found.put))
    except OSError as error:
        raise Unavailable(
            f"Can't listen at {host}:{port}: {error.strerror}.", "Choose another port."
        ) from error
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, name="listener", daemon=True).start()
    try:
        yield f"http://{host}:{server.server_port}/", lambda: iter(found.get, None)
    finally:
        server.shutdown()
        server.server_close()


def _handler(
    secrets: Sequence[str], put: Callable[[Message], None]
) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        timeout = _SECONDS

        def do_POST(self) -> None:
            length = self.headers.get("Content-Length", "")
            if not length.isdecimal() or int(length) > LONGEST_BODY:
                self.send_error(413)
                return
            body = self.rfile.read(int(length))
            named = {name.lower(): value for name, value in self.headers.items()}
            message = _judged(secrets, named, body)
            put(message)  # Before the sender goes on, so that messages are printed in order.
            self.send_response(204 if message.verified else 401)
            self.end_headers()

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 its own name
            """Logs nothing: each message is printed."""

    return Handler


def _judged(secrets: Sequence[str], headers: dict[str, str], body: bytes) -> Message:
    problem = None
    try:
        verify(secrets, headers, body, datetime.now(UTC))
    except BadSignature as error:
        problem = str(error)
    try:
        content: Any = json.loads(body)
    except ValueError:
        content = body.decode("utf-8", "replace")
    return Message(headers.get("webhook-id", ""), problem is None, problem, content)
