"""A mail server on a free port of this machine, which keeps what it gets."""

import asyncio
import contextlib
import ssl
import threading
from collections.abc import Generator, Sequence
from email import message_from_bytes, policy
from email.utils import parsedate_to_datetime
from typing import Any

from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword
from attrs import define, field

from commerce_core.ports.mail import Letter

USER, PASSWORD = "alerts", "pass/word@1%"
HOST = "localhost"


@define
class PostServer:
    """A server whose mailboxes are all but those in `gone`."""

    port: int = 0
    gone: frozenset[str] = frozenset()
    envelopes: list[Envelope] = field(factory=list[Envelope])
    signed_in: list[bytes] = field(factory=list[bytes])

    async def handle_RCPT(  # noqa: N802 its own name
        self, _server: object, _session: object, envelope: Envelope, address: str, _options: object
    ) -> str:
        if address in self.gone:
            return "550 No such mailbox"
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, _server: object, _session: object, envelope: Envelope) -> str:  # noqa: N802
        self.envelopes.append(envelope)
        return "250 OK"

    def authenticate(
        self, _server: object, _session: object, _envelope: object, _how: str, given: object
    ) -> AuthResult:
        """Lets in whoever has the password."""
        assert isinstance(given, LoginPassword)
        fine = given == LoginPassword(USER.encode(), PASSWORD.encode())
        self.signed_in.append(given.login)
        return AuthResult(success=fine, handled=False)

    def letters(self) -> Sequence[Letter]:
        """What has arrived, with the recipients to whom it was delivered."""
        return [_letter(envelope) for envelope in self.envelopes]


def raw(envelope: Envelope) -> bytes:
    """A letter as it came."""
    assert isinstance(envelope.content, bytes)
    return envelope.content


def _letter(envelope: Envelope) -> Letter:
    message = message_from_bytes(raw(envelope), policy=policy.SMTP)
    body = message.get_content().replace("\r\n", "\n")
    message_id = message["Message-ID"].strip("<>").partition("@")[0]
    at = parsedate_to_datetime(message["Date"])
    return Letter(message_id, tuple(envelope.rcpt_tos), message["Subject"], body, at)


@contextlib.contextmanager
def post_server(
    context: ssl.SSLContext | None = None,
    *,
    begins_encrypted: bool = False,
    gone: frozenset[str] = frozenset(),
) -> Generator[PostServer]:
    """A server; with a context it is encrypted, from the start or by STARTTLS, and lets users in.

    Without one it takes letters from everyone.
    """
    post = PostServer(gone=gone)
    options: dict[str, Any] = {}
    if context is not None:
        options = {"authenticator": post.authenticate}
        if begins_encrypted:
            options |= {"auth_require_tls": False}
        else:
            options |= {"tls_context": context, "require_starttls": True, "auth_required": True}
    loop = asyncio.new_event_loop()
    sessions: list[SMTP] = []

    def session() -> SMTP:
        sessions.append(SMTP(post, loop=loop, hostname=HOST, **options))
        return sessions[-1]

    async def listen() -> asyncio.Server:
        tls = context if begins_encrypted else None
        return await loop.create_server(session, "127.0.0.1", 0, ssl=tls)

    async def end() -> None:
        server.close()
        for one in sessions:
            if isinstance(one.transport, asyncio.Transport):
                one.transport.abort()
        others = asyncio.all_tasks() - {asyncio.current_task()}
        for task in others:
            task.cancel()
        await asyncio.gather(*others, return_exceptions=True)

    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()
    server = asyncio.run_coroutine_threadsafe(listen(), loop).result()
    post.port = server.sockets[0].getsockname()[1]
    try:
        yield post
    finally:
        asyncio.run_coroutine_threadsafe(end(), loop).result()
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()
