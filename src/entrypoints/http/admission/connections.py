"""Connections: how many a process has, in all and from one address, and the end of idle ones.

The HTTP server accepts connections and reads headers by itself, outside of Python. So this looks at
the sockets of the process, a few times a second and only while there are many: it ends those
connections beyond a limit on which no request is under way.
"""

import os
import socket
import stat
import threading
from collections import Counter
from collections.abc import Callable, Collection, Generator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Final

from attrs import define, field
from litestar import Litestar

from entrypoints import logs
from entrypoints.http.admission.door import Door, Peer
from entrypoints.limits import Limits
from entrypoints.metrics import metrics

EVERY: Final = 0.2
"""Seconds between two looks."""
MARGIN: Final = 1024
"""Connections that the server accepts beyond the limit, so that they can be refused."""
_OWN_FILES: Final = 256
"""What a process has open besides connections, at most."""
_DESCRIPTORS: Final = Path("/proc/self/fd")
_REFUSAL: Final = (
    b"HTTP/1.1 503 Service Unavailable\r\n"
    b"Retry-After: 5\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
)


def excess(
    peers: Mapping[Peer, int],
    busy: Collection[Peer],
    limits: Limits,
    shares: Callable[[str], bool] = lambda _: False,
) -> Mapping[Peer, str]:
    """Which connections to end, each with the limit that it exceeds.

    `peers` has when each was seen first. Of those without a request, the oldest are ended first.
    What comes from an address that many callers share only counts in all.
    """
    from_address = Counter(host for host, _ in peers)
    idle = sorted(peers.keys() - set(busy), key=lambda peer: peers[peer])
    found: dict[Peer, str] = {}
    for peer in idle:
        host = peer[0]
        if from_address[host] > limits.limit_connections_per_address and not shares(host):
            found[peer] = "connections_per_address"
            from_address[host] -= 1
    left = [peer for peer in idle if peer not in found]
    beyond = len(peers) - len(found) - limits.limit_connections
    return found | dict.fromkeys(left[: max(0, beyond)], "connections")


@define
class ConnectionWatch:
    """Ends idle connections beyond the limits, until it is stopped."""

    _port: int
    _limits: Limits
    _busy: Callable[[], Collection[Peer]]
    _shares: Callable[[str], bool]
    _seen: dict[Peer, int] = field(factory=dict[Peer, int], init=False)
    _looks: int = field(default=0, init=False)
    _stopping: threading.Event = field(factory=threading.Event, init=False)

    @contextmanager
    def running(self) -> Generator[None]:
        """Watches in a thread while the context lasts; does nothing where sockets can't be seen."""
        if not _DESCRIPTORS.is_dir():
            yield
            return
        thread = threading.Thread(target=self._watch, name="connections", daemon=True)
        thread.start()
        try:
            yield
        finally:
            self._stopping.set()
            thread.join()

    def _watch(self) -> None:
        while not self._stopping.wait(EVERY):
            try:
                self.look()
            except OSError as error:
                logs.warning("connections.not_seen", error)

    def look(self) -> None:
        """Looks once."""
        descriptors = [path.name for path in _DESCRIPTORS.iterdir()]
        few = min(self._limits.limit_connections, self._limits.limit_connections_per_address)
        if len(descriptors) <= few:
            self._seen.clear()
            metrics().used("connections", len(descriptors), self._limits.limit_connections)
            return
        self._looks += 1
        sockets = dict(_connections(descriptors, self._port))
        try:
            self._seen = {peer: self._seen.get(peer, self._looks) for peer in sockets}
            metrics().used("connections", len(sockets), self._limits.limit_connections)
            for peer, limit in excess(self._seen, self._busy(), self._limits, self._shares).items():
                _refuse(sockets[peer])
                metrics().refused(limit)
        finally:
            for own in sockets.values():
                own.close()


def _connections(descriptors: Collection[str], port: int) -> Generator[tuple[Peer, socket.socket]]:
    """The connections to our port: who is at the other end, and a socket of our own for each.

    A duplicate stands for the same connection whatever becomes of the descriptor.
    """
    for descriptor in descriptors:
        with suppress(OSError):
            own = os.dup(int(descriptor))
            if not stat.S_ISSOCK(os.fstat(own).st_mode):
                os.close(own)
                continue
            connection = socket.socket(fileno=own)
            peer = _peer(connection, port)
            if peer is None:
                connection.close()
            else:
                yield peer, connection


def _peer(connection: socket.socket, port: int) -> Peer | None:
    """Who is at the other end of a connection to our port; None if it isn't one."""
    if connection.family not in (socket.AF_INET, socket.AF_INET6):
        return None
    try:
        host, peer_port = connection.getpeername()[:2]
        return (str(host), int(peer_port)) if connection.getsockname()[1] == port else None
    except OSError:
        return None  # it listens, or has ended


def _refuse(connection: socket.socket) -> None:
    with suppress(OSError):
        connection.send(_REFUSAL, socket.MSG_DONTWAIT)
        connection.shutdown(socket.SHUT_RDWR)


def room_for(limits: Limits) -> int:
    """How many connections the server accepts; raises this process's limit on open files for them.

    Fewer where the system allows fewer.
    """
    import resource

    wanted = limits.limit_connections + MARGIN
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard != resource.RLIM_INFINITY:
        wanted = min(wanted, max(_OWN_FILES, hard - _OWN_FILES))
    if soft != resource.RLIM_INFINITY and soft < wanted + _OWN_FILES:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted + _OWN_FILES, hard))
    return wanted


def watch_connections(app: Litestar, limits: Limits, port: int, until: ExitStack) -> None:
    """Watches the connections to that port of this process, until the stack is closed."""
    door: Door = app.state.admission.door
    watch = ConnectionWatch(port, limits, door.busy_peers, door.callers.is_proxy)
    until.enter_context(watch.running())
