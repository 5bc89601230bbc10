"""Hints that a job may be there to claim: NOTIFY at the commit, LISTEN on a connection of its own.

A hint only saves waiting for the next look: none is owed, and whoever missed one loses nothing.
"""

import threading
from collections.abc import Callable, Generator
from contextlib import contextmanager
from typing import Final

import psycopg

from adapters.postgres.connection.rows import Connection

_LOOK_EVERY: Final = 0.2
"""Seconds between two looks whether to go on listening."""
_PAUSE: Final = 2.0
"""Seconds until a lost connection is made anew."""


def hint(db: Connection) -> None:
    """Tells those who listen, once this unit is committed."""
    db.execute("NOTIFY commerce_jobs")


@contextmanager
def subscribe(conninfo: str, wake: Callable[[], None]) -> Generator[None]:
    """Calls `wake` from a thread of its own after each hint, while the context lasts."""
    over = threading.Event()
    thread = threading.Thread(
        target=_listen_until, args=(over, conninfo, wake), name="hints", daemon=True
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
        except psycopg.Error:  # whoever works meets the outage too, and tells of it
            over.wait(_PAUSE)


def _listen(over: threading.Event, conninfo: str, wake: Callable[[], None]) -> None:
    with psycopg.connect(conninfo, autocommit=True) as db:
        db.execute("LISTEN commerce_jobs")
        wake()  # for what came before
        while not over.is_set():
            for _ in db.notifies(timeout=_LOOK_EVERY):
                wake()
