"""How long a connection may wait for a server that accepts no data.

A request is answered or refused within seconds, so its connection soon counts as cut off. Work on a
feed can send more than a busy disk accepts: the server then reads nothing for a while, though it is
alive. If the connection were given up too soon, the feed would be blamed for a crashed server.
"""

import os
import socket
import sys
from collections.abc import Generator
from contextlib import contextmanager
from typing import Final

from adapters.postgres.connection.rows import Connection

OF_FEEDS: Final = 60_000
"""Milliseconds for work on a feed."""


def bear_stalls(db: Connection) -> None:
    """Tolerates stalls of that length from now on, until `as_before` ends."""
    _set_timeout(db, OF_FEEDS)


@contextmanager
def as_before(db: Connection) -> Generator[None]:
    """Restores the connection's timeout afterwards."""
    usual = milliseconds_of(db)
    try:
        yield
    finally:
        if not db.closed and milliseconds_of(db) != usual:
            _set_timeout(db, usual)


if sys.platform == "linux":

    def milliseconds_of(db: Connection) -> int:
        """The timeout now; 0 if there is no network between us and the server."""
        with _socket(db) as own:
            if own.family == socket.AF_UNIX:
                return 0
            return own.getsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT)

    def _set_timeout(db: Connection, milliseconds: int) -> None:
        with _socket(db) as own:
            if own.family != socket.AF_UNIX:
                own.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, milliseconds)

else:  # Other systems have no such property of a socket.

    def milliseconds_of(db: Connection) -> int:  # noqa: ARG001
        """Unknown here."""
        return 0

    def _set_timeout(db: Connection, milliseconds: int) -> None:
        """Nothing to set."""


def _socket(db: Connection) -> socket.socket:
    return socket.socket(fileno=os.dup(db.fileno()))
