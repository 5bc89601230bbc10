"""How long a connection may wait for a server that takes nothing.

A request is answered, or refused, within seconds, so a connection counts as cut off soon. Work on a
feed sends more than a busy disk takes at times: the server then reads nothing for a while, though
it lives. Given up too soon, the feed would be blamed for a server that fell over under it.
"""

import os
import socket
import sys
from collections.abc import Generator
from contextlib import contextmanager
from typing import Final

from adapters.postgres.connection.rows import Connection

OF_FEEDS: Final = 60_000
"""Milliseconds that work on a feed waits."""


def bear_stalls(db: Connection) -> None:
    """Waits that long from now on, until `as_before` ends."""
    _set_timeout(db, OF_FEEDS)


@contextmanager
def as_before(db: Connection) -> Generator[None]:
    """Afterwards the connection is as impatient as it was."""
    usual = milliseconds_of(db)
    try:
        yield
    finally:
        if not db.closed and milliseconds_of(db) != usual:
            _set_timeout(db, usual)


if sys.platform == "linux":

    def milliseconds_of(db: Connection) -> int:
        """How long it waits now; 0 where there is no wire between us and the server."""
        with _socket(db) as own:
            if own.family == socket.AF_UNIX:
                return 0
            return own.getsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT)

    def _set_timeout(db: Connection, milliseconds: int) -> None:
        with _socket(db) as own:
            if own.family != socket.AF_UNIX:
                own.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, milliseconds)

else:  # Nowhere else is this a property of a socket.

    def milliseconds_of(db: Connection) -> int:  # noqa: ARG001
        """Nothing that is known."""
        return 0

    def _set_timeout(db: Connection, milliseconds: int) -> None:
        """Nothing to set."""


def _socket(db: Connection) -> socket.socket:
    return socket.socket(fileno=os.dup(db.fileno()))
