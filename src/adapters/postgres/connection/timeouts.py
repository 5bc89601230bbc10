"""How long a connection may wait for a server that accepts no data.

A request is answered or refused within seconds, so its connection soon counts as cut off. Work on a
feed can send more than a busy disk accepts: the server then reads nothing for a while, though it is
alive. If the connection were given up too soon, the feed would be blamed for a crashed server.
"""

import os
import socket
import sys
from typing import Final
from weakref import WeakKeyDictionary

from adapters.postgres.connection.rows import Connection

OF_FEEDS: Final = 60_000
"""Milliseconds for work on a feed."""
_USUAL: Final = WeakKeyDictionary[Connection, int]()
"""The timeouts of connections that tolerate more now."""


def bear_stalls(db: Connection) -> None:
    """Tolerates stalls of that length from now on, until `bear_as_before`."""
    _USUAL.setdefault(db, milliseconds_of(db))
    _set_timeout(db, OF_FEEDS)


def bear_as_before(db: Connection) -> None:
    """Restores the connection's timeout, if it was changed."""
    usual = _USUAL.pop(db, None)
    if usual is not None and not db.closed:
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
