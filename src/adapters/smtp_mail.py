"""Mail by SMTP: encrypted by default, with one deadline over everything.

smtp://USER:PASSWORD@HOST        begins in plain text, and must become encrypted (STARTTLS)
smtps://USER:PASSWORD@HOST       is encrypted from the start
smtp+plain://HOST                is never encrypted, so it takes no password
"""

import smtplib
import socket
import ssl
import threading
from collections.abc import Generator
from contextlib import closing, contextmanager, suppress
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime, parseaddr
from time import monotonic
from typing import Final
from urllib.parse import unquote, urlsplit

from attrs import field, frozen

from commerce_core.base.errors import InvalidInput, Unreachable
from commerce_core.ports.mail import DEADLINE, Letter

PORTS: Final = {"smtp": 587, "smtps": 465, "smtp+plain": 25}
"""The schemes, and the port of each."""
NAME: Final = "commerce"
"""How the platform introduces itself; the server learns no name of a machine."""


@frozen
class SmtpMail:
    """Implements `commerce_core.ports.mail.Mail`. `ca_file` replaces the system's authorities."""

    scheme: str
    host: str
    port: int
    sender: str
    user: str = ""
    password: str = field(default="", repr=False)
    seconds: float = DEADLINE
    ca_file: str | None = None

    @classmethod
    def at(cls, url: str, sender: str) -> "SmtpMail":
        """The mail server with that address; InvalidInput, without the password, if it is none."""
        try:
            parts = urlsplit(url)
            port = parts.port
        except ValueError:
            raise _bad_setting("smtp_url", "isn't a URL") from None
        if parts.scheme not in PORTS or not parts.hostname or parts.path.strip("/"):
            names = ", ".join(f"{scheme}://" for scheme in PORTS)
            raise _bad_setting("smtp_url", f"must be one of {names} and a server")
        user, password = unquote(parts.username or ""), unquote(parts.password or "")
        if not (user + password).isascii():
            raise _bad_setting("smtp_url", "must have a user and a password in ASCII")
        if parts.scheme == "smtp+plain" and password:
            raise _bad_setting("smtp_url", "can't have a password without encryption")
        address = parseaddr(sender)[1]
        if not sender.isascii() or not sender.isprintable() or address.count("@") != 1:
            raise _bad_setting("mail_from", "must be an address such as alerts@example.com")
        return cls(
            parts.scheme, parts.hostname, port or PORTS[parts.scheme], sender,
            user, password,
        )  # fmt: skip

    @property
    def is_set_up(self) -> bool:
        """True."""
        return True

    def send(self, letter: Letter) -> frozenset[str]:
        """Opens a connection for each letter, since there are few."""
        message = _message(letter, self.sender)
        watch = _Watch(self.seconds)
        with watch.translated(self.host), watch.cutting(), self._connected(watch) as server:
            if self.scheme == "smtp":
                server.starttls(context=self._trusting())
            if self.user:
                server.login(self.user, self.password)
            refused = server.send_message(message, to_addrs=list(letter.recipients))
        return frozenset(refused)

    @contextmanager
    def _connected(self, watch: "_Watch") -> Generator[smtplib.SMTP]:
        if self.scheme == "smtps":
            server: smtplib.SMTP = _Smtps(watch, self.host, self.port, self._trusting())
        else:
            server = _Smtp(watch, self.host, self.port)
        with closing(server):
            yield server
            with suppress(OSError, smtplib.SMTPException):
                server.quit()  # The letter is delivered, however this ends.

    def _trusting(self) -> ssl.SSLContext:
        return ssl.create_default_context(cafile=self.ca_file)


class _Smtp(smtplib.SMTP):
    """A session whose connection the watch cuts at the deadline."""

    def __init__(self, watch: "_Watch", host: str, port: int) -> None:
        self._watch = watch
        super().__init__(host, port, NAME, timeout=watch.left)

    def _get_socket(self, host: str, port: int, timeout: float) -> socket.socket:
        connected = socket.create_connection((host, port), timeout)
        self._watch.watch(connected)
        return connected


class _Smtps(smtplib.SMTP_SSL, _Smtp):
    """The same, encrypted from the start."""

    def __init__(self, watch: "_Watch", host: str, port: int, context: ssl.SSLContext) -> None:
        self._watch = watch
        smtplib.SMTP_SSL.__init__(self, host, port, NAME, timeout=watch.left, context=context)


class _Watch:
    """One deadline over everything about a letter, however slowly the server sends something."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._end = monotonic() + seconds
        self._connected: socket.socket | None = None
        self._is_over = False

    @property
    def left(self) -> float:
        """Seconds that are left; TimeoutError if there are none."""
        left = self._end - monotonic()
        if left <= 0:
            raise TimeoutError
        return left

    def watch(self, connected: socket.socket) -> None:
        """Cuts this connection at the deadline; the duplicate stays valid while TLS takes over."""
        self._connected = connected.dup()
        if self._is_over:
            self._cut()

    @contextmanager
    def cutting(self) -> Generator[None]:
        """The time within which everything has to end."""
        timer = threading.Timer(self.left, self._cut)
        timer.daemon = True
        timer.start()
        try:
            yield
        finally:
            timer.cancel()
            timer.join()
            if self._connected is not None:
                self._connected.close()

    def _cut(self) -> None:
        self._is_over = True
        if self._connected is not None:
            with suppress(OSError):
                self._connected.shutdown(socket.SHUT_RDWR)

    @contextmanager
    def translated(self, host: str) -> Generator[None]:
        """Raises Unreachable instead of what the library raises."""
        try:
            yield
        except (OSError, smtplib.SMTPException, UnicodeError, ValueError) as error:
            code, detail = self._judged(error)
            raise Unreachable(f"The mail server {host}: {detail}.", code=code) from error

    def _judged(self, error: Exception) -> tuple[str, str]:
        # The library raises another error of its own in place of a timeout.
        if self._is_over or TimeoutError in (type(error), type(error.__context__)):
            return "timed_out", f"not done within {self._seconds:g} s"
        match error:
            case smtplib.SMTPNotSupportedError():
                return "not_encrypted", "it offers no encryption, or no way to sign in"
            case smtplib.SMTPAuthenticationError():
                return "mail_login", f"it refuses the user or the password ({error.smtp_code})"
            case smtplib.SMTPRecipientsRefused():
                return "mail_refused", "it refuses all recipients"
            case smtplib.SMTPResponseException():
                return "mail_refused", f"it refuses the letter ({error.smtp_code})"
            case smtplib.SMTPServerDisconnected() | ConnectionResetError() | BrokenPipeError():
                return "cut_off", "the connection ends before the letter is delivered"
            case socket.gaierror():
                return "unresolved", "its name has no address"
            case ssl.SSLError():
                return "bad_certificate", "its certificate isn't valid, or it doesn't encrypt"
            case OSError():
                return "not_connected", "it accepts no connection"
            case _:
                return "mail_refused", "its answers aren't those of a mail server"


def _message(letter: Letter, sender: str) -> EmailMessage:
    """The letter as it is sent. The policy refuses line breaks in headers; there are none left."""
    message = EmailMessage(policy=SMTP)
    message["From"] = sender
    message["To"] = ", ".join(letter.recipients)
    message["Subject"] = " ".join(letter.subject.split())
    message["Date"] = format_datetime(letter.at)
    domain = parseaddr(sender)[1].rpartition("@")[2]
    message["Message-ID"] = f"<{letter.message_id}@{domain}>"
    message["Auto-Submitted"] = "auto-generated"
    message.set_content(letter.text, cte="quoted-printable")
    return message


def _bad_setting(name: str, why: str) -> InvalidInput:
    return InvalidInput.at(f"/{name}", "bad_setting", f"{name} {why}.")
