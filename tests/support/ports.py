"""Ports for servers of tests: each is given out once, whatever else the machine is doing.

Binding to port 0 and closing again names a port that anything may take a moment later: the next
such question, or an outgoing connection, whose ports come from the same range. So these lie below
that range, and a lock of this process keeps each from the other processes of a test run.
"""

import fcntl
import itertools
import os
import random
import socket
import tempfile
from pathlib import Path
from typing import Final

_LOWEST: Final = 15_000
_HIGHEST: Final = 30_000
_held: list[int] = []
"""Descriptors of the locks, which end with the process."""


def free_port() -> int:
    """A port that nothing listens on, and that no other test is given while this process lives."""
    folder = Path(tempfile.gettempdir()) / f"commerce-test-ports-{os.geteuid()}"
    folder.mkdir(exist_ok=True)
    span = _span()
    start = random.randrange(len(span))
    for port in itertools.chain(span[start:], span[:start]):
        if _reserved(folder / str(port)) and _is_free(port):
            return port
    raise AssertionError(f"no port of {span} is free")


def _span() -> range:
    """The ports to choose from: none that the system gives to connections, if it leaves any."""
    try:
        outgoing = Path("/proc/sys/net/ipv4/ip_local_port_range").read_text().split()
    except OSError:
        return range(_LOWEST, _HIGHEST)
    first = int(outgoing[0])
    return range(_LOWEST, min(_HIGHEST, first) if first > _LOWEST else _HIGHEST)


def _reserved(file: Path) -> bool:
    lock = os.open(file, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(lock)
        return False
    _held.append(lock)
    return True


def _is_free(port: int) -> bool:
    with socket.socket() as trial:
        trial.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            trial.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True
