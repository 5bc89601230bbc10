"""Lines: connections that stay open between calls to the same server, for a short time.

The address of a line was judged when it was opened, and is judged anew before a minute has passed.
"""

import socket
import threading
from collections import deque
from contextlib import ExitStack
from time import monotonic
from typing import Final

from attrs import define, field, frozen
from urllib3.connection import HTTPConnection

from adapters.outside.alarms import ALARMS
from commerce_core.base.network import Target

MOST_IDLE: Final = 128
"""How many connections stay open without a call, in one process."""
LONGEST_IDLE: Final = 3.0
"""Seconds without a call after which one is closed: sooner than most servers would do it."""
LONGEST_USE: Final = 60.0
"""Seconds after which the name is resolved, and its addresses judged, again."""

Server = tuple[str, str, int]


@frozen(eq=False)
class Line:
    """A connection, the address it goes to, and a duplicate of its socket, through which it is cut.

    `closing` closes all of it.
    """

    connection: HTTPConnection
    address: str
    own: socket.socket
    closing: ExitStack
    opened_at: float = field(factory=monotonic)

    def allow(self, seconds: float) -> None:
        """Each step of the next call may take that long."""
        self.connection.timeout = seconds  # Which its next request gives to the socket.


@define
class Lines:
    """Idle lines, by server; the one that was used last is taken first."""

    _idle: dict[Server, deque[tuple[float, Line]]] = field(
        factory=dict[Server, deque[tuple[float, Line]]], init=False
    )
    _number: int = field(default=0, init=False)
    _lock: threading.Lock = field(factory=threading.Lock, init=False)
    _is_swept: bool = field(default=False, init=False)

    def take(self, target: Target) -> Line | None:
        """A line to that server on which nothing is under way; None if there is none."""
        while (line := self._pop(_server(target))) is not None:
            # What a server sends without being asked is no answer to the next call.
            if line.connection.is_connected and monotonic() - line.opened_at < LONGEST_USE:
                return line
            line.closing.close()
        return None

    def give(self, target: Target, line: Line) -> None:
        """Keeps a line for the next call."""
        with self._lock:
            if is_kept := self._number < MOST_IDLE:
                self._idle.setdefault(_server(target), deque()).append((monotonic(), line))
                self._number += 1
            is_first = is_kept and not self._is_swept
            self._is_swept = self._is_swept or is_first
        # Outside of the lock, since the thread of alarms takes both locks in the other order.
        if is_first:
            ALARMS.set(LONGEST_IDLE, self._sweep)
        if not is_kept:
            line.closing.close()

    def _pop(self, server: Server) -> Line | None:
        with self._lock:
            lines = self._idle.get(server)
            if not lines:
                return None
            self._number -= 1
            return lines.pop()[1]

    def _sweep(self) -> None:
        """Closes what was idle for too long, and comes back while anything is idle."""
        since = monotonic() - LONGEST_IDLE
        old: list[Line] = []
        with self._lock:
            for server, lines in list(self._idle.items()):
                while lines and lines[0][0] <= since:
                    old.append(lines.popleft()[1])
                if not lines:
                    del self._idle[server]
            self._number -= len(old)
            goes_on = self._is_swept = self._number > 0
        if goes_on:
            ALARMS.set(LONGEST_IDLE / 2, self._sweep)
        for line in old:
            line.closing.close()


def _server(target: Target) -> Server:
    return target.scheme, target.host, target.port
