"""Outages of PostgreSQL and of the connection to it, as the core's errors."""

from collections.abc import Generator
from contextlib import contextmanager
from typing import Final

import psycopg

from commerce_core.base.errors import InvalidInput, Severed, Unavailable

_BUSY: Final = ("The database is busy with other work.", "Try again in a moment.")
_GONE: Final = ("The connection to the database was lost.", "Try again in a moment.")

_OUTAGES: Final = {
    "25006": (
        "The database accepts no writes: it is a standby, or set to read only.",
        "Point the connection at the primary.",
    ),
    "25P03": ("The database ended a transaction that was idle for too long.", "Try again."),
    "40001": _BUSY,
    "40P01": _BUSY,
    "53100": ("The database's disk is full.", "Free some space there, and try again."),
    "53200": ("The database is out of memory.", "Try again in a moment."),
    "53300": (
        "The database accepts no more connections.",
        "Lower the connections of each process, or raise max_connections there.",
    ),
    "55P03": _BUSY,
    "57014": ("The database took too long over this.", "Ask for less at once, or try again."),
    "57P01": _GONE,
    "57P02": _GONE,
    "57P03": ("The database is starting up or shutting down.", "Try again in a moment."),
}
"""What a driver's error means by its SQLSTATE, and what to do about it."""
_ENDED_ON_PURPOSE: Final = ("57P01", "25P03")
"""An administrator, a shutdown or a takeover ended the session, or it was idle for too long."""


@contextmanager
def translated() -> Generator[None]:
    """Turns the driver's errors for outages into Unavailable; an internal error stays what it is.

    A text that the database can't store (the core refuses it where it would be kept) is
    InvalidInput.
    """
    try:
        yield
    except (psycopg.DataError, UnicodeEncodeError) as error:
        if getattr(error, "sqlstate", None) is not None:
            raise
        raise _unstorable() from error  # The driver refused it, not the server.
    except psycopg.Error as error:
        unavailable = _outage(error)
        if unavailable is None:
            raise
        raise unavailable from error


@contextmanager
def severed(db: psycopg.Connection) -> Generator[None]:
    """Raises Severed for a connection that ended by itself: the server crashed, or was cut off."""
    try:
        yield
    except psycopg.Error as error:
        if db.broken and error.sqlstate not in _ENDED_ON_PURPOSE:
            raise Severed(*_GONE) from error
        raise


def _unstorable() -> InvalidInput:
    return InvalidInput(
        "A text has a NUL or half a character in it.", "Leave it out.", code="unstorable_text"
    )


def outage(sqlstate: str) -> Unavailable:
    """The error for a state in which PostgreSQL can't be used."""
    return Unavailable(*_OUTAGES[sqlstate])


def _outage(error: psycopg.Error) -> Unavailable | None:
    if error.sqlstate in _OUTAGES:
        return outage(error.sqlstate)
    if isinstance(error, psycopg.OperationalError):
        reason = str(error).strip().partition("\n")[0]
        return Unavailable(
            f"The database can't be reached: {reason}.",
            "Check that it is running, and that the address is right.",
            "The database can't be reached.",
        )
    return None
