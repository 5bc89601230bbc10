"""Notifications that there may be a job to claim: NOTIFY at commit, LISTEN on an own connection.

They only save waiting for the next poll: a worker that misses one loses nothing.
"""

import threading
from collections.abc import Callable, Generator
from contextlib import contextmanager
from typing import Final

import psycopg

from adapters.postgres.connection.rows import Connection

_LOOK_EVERY: Final = 0.2
"""Seconds between two checks whether to go on listening."""
_PAUSE: Final = 2.0
"""Seconds until a lost connection is replaced."""


def notify(db: Connection) -> None:
    """Notifies the listeners, once this unit is committed."""
    db.execute("NOTIFY commerce_jobs")


@contextmanager
def subscribe(conninfo: str, wake: Callable[[], None]) -> Generator[None]:
    """Calls `wake` from its own thread after each notification, while the context lasts."""
    over = threading.Event()
    thread = threading.Thread(
        target=_listen_until, args=(over, conninfo, wake), name="notifications", daemon=True
    )
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()


def _listen_until(over: threading.Event, conninfo: str, wake: Callable[[], None]) -> None:
    while not over.is_set():
        try:
            _listen(over, conninfo, wake)
        except psycopg.Error:  # the worker meets the outage too, and reports it
            over.wait(_PAUSE)


def _listen(over: threading.Event, conninfo: str, wake: Callable[[], None]) -> None:
    with psycopg.connect(conninfo, autocommit=True) as db:
        db.execute("LISTEN commerce_jobs")
        wake()  # for what happened before
        while not over.is_set():
            for _ in db.notifies(timeout=_LOOK_EVERY):
                wake()
