"""What the core needs to send mail."""

from datetime import datetime
from typing import Final, Protocol

from attrs import frozen

from commerce_core.base.errors import Unreachable

DEADLINE: Final = 15.0
"""Seconds for everything about sending a letter."""


@frozen
class Letter:
    """A mail in plain text. `message_id` is the same however often it is sent."""

    message_id: str
    recipients: tuple[str, ...]
    subject: str
    text: str
    at: datetime


class Mail(Protocol):
    """Sends mail by one server, which the operator has chosen."""

    @property
    def is_set_up(self) -> bool:
        """Whether there is a server to send mail by."""
        ...

    def send(self, letter: Letter) -> frozenset[str]:
        """Hands the letter over to the server, and returns the recipients that it refused.

        It never sends a letter whose headers would contain more than was asked for: line breaks in
        a subject become blanks. Unreachable, code

        - `no_mail_server` if there is none,
        - `unresolved` if its name has no address, `not_connected` if nothing accepts connections,
        - `not_encrypted` if it offers no encryption, `bad_certificate` if it can't prove its name,
        - `mail_login` if it refuses the user or the password,
        - `mail_refused` if it refuses the sender, the letter or all recipients,
        - `timed_out` when the deadline has passed, and `cut_off` if the connection ends before.
        """
        ...


class NoMail:
    """A platform that sends no mail."""

    @property
    def is_set_up(self) -> bool:
        """False."""
        return False

    def send(self, letter: Letter) -> frozenset[str]:  # noqa: ARG002
        """Refused."""
        raise no_mail_server()


def no_mail_server() -> Unreachable:
    """The refusal of a platform that has no mail server."""
    return Unreachable("This platform has no mail server.", code="no_mail_server")
