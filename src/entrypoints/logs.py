"""The log: one line per event on stderr, as JSON or text, that describes it by ids and numbers.

Only fields that the code names explicitly are logged: of a request its route, of a file nothing, of
an error its classes and traceback but not its message, since messages quote values. At the level
`debug`, messages are logged too.
"""

import json
import logging
import sys
import traceback
from collections.abc import Generator, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar, Token
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any, Final, TextIO

MOST_FRAMES: Final = 25
"""The last frames of a traceback that are logged."""
_NOISY: Final = ("_granian", "granian.access")
"""Loggers of libraries that install their own handlers."""
_log: Final = logging.getLogger("commerce")
_log.addHandler(logging.NullHandler())  # a program that imports the library configures logging
_NOTHING: Final[Mapping[str, object]] = {}
_around: ContextVar[Mapping[str, object]] = ContextVar("around", default=_NOTHING)

Bound = Token[Mapping[str, object]]


def configure(level: str = "info", style: str = "auto", stream: TextIO | None = None) -> None:
    """Configures the log of this process; libraries are logged from `warning` upwards."""
    stream = stream or sys.stderr
    if stream is None:  # the process has no stderr
        return
    as_text = style == "text" or (style == "auto" and stream.isatty())
    handler = logging.StreamHandler(stream)
    handler.setFormatter(TextLines() if as_text else JsonLines())
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(logging.WARNING)
    _log.setLevel(level.upper())
    logging.raiseExceptions = False  # if the log can't be written, there is nowhere to report it
    # Attributes of a record that aren't logged, so they needn't be computed.
    logging.logThreads = logging.logProcesses = logging.logMultiprocessing = False
    logging.getLogger("urllib3").setLevel(logging.ERROR)  # its warnings quote whole addresses
    for name in _NOISY:
        logging.getLogger(name).handlers.clear()
        logging.getLogger(name).propagate = True


def debug(event: str, **fields: object) -> None:
    """Logs an event that only helps to debug."""
    _write(logging.DEBUG, event, fields)


def info(event: str, **fields: object) -> None:
    """Logs a normal event."""
    _write(logging.INFO, event, fields)


def warning(event: str, error: BaseException | None = None, **fields: object) -> None:
    """Logs an event that needs attention if it persists."""
    _write(logging.WARNING, event, fields, error)


def error(event: str, error: BaseException | None = None, **fields: object) -> None:
    """Logs an internal error."""
    _write(logging.ERROR, event, fields, error)


def _write(
    level: int, event: str, fields: Mapping[str, object], error: BaseException | None = None
) -> None:
    if not _log.isEnabledFor(level):
        return
    exception = None if error is None else (type(error), error, error.__traceback__)
    record = logging.LogRecord(_log.name, level, "", 0, event, None, exception)
    record.fields = {**_around.get(), **fields}
    _log.handle(record)


@contextmanager
def around(**fields: object) -> Generator[None]:
    """Adds these fields to every event in the block, including threads that inherit its context."""
    token = bind(**fields)
    try:
        yield
    finally:
        release(token)


def bind(**fields: object) -> Bound:
    """Adds these fields to every event from now on, until they are released."""
    return _around.set({**_around.get(), **fields})


def release(token: Bound) -> None:
    """Removes the fields that `bind` added."""
    _around.reset(token)


def _fields(record: logging.LogRecord) -> Iterator[tuple[str, object]]:
    """The fields of a record, except its time and level."""
    fields: Mapping[str, object] | None = getattr(record, "fields", None)
    if fields is None:
        # Of a library's message, only the pattern is logged: its arguments may contain anything.
        yield "event", "library"
        yield "logger", record.name
        yield "pattern", str(record.msg)
    else:
        yield "event", record.msg
        yield from ((name, value) for name, value in fields.items() if value is not None)
    if record.exc_info and record.exc_info[1] is not None:
        yield "error", list(_causes(record.exc_info[1]))


def _causes(error: BaseException | None) -> Iterator[dict[str, object]]:
    """An exception and its causes: the class and the traceback of each."""
    while error is not None:
        found: dict[str, object] = {"type": f"{type(error).__module__}.{type(error).__qualname__}"}
        if sqlstate := getattr(error, "sqlstate", None):
            found["sqlstate"] = sqlstate
        if _log.isEnabledFor(logging.DEBUG):
            found["message"] = str(error)
        frames = traceback.extract_tb(error.__traceback__)[-MOST_FRAMES:]
        found["at"] = [f"{frame.filename}:{frame.lineno} {frame.name}" for frame in frames]
        yield found
        error = error.__cause__ or (None if error.__suppress_context__ else error.__context__)


class JsonLines(logging.Formatter):
    """Each event as one line of JSON."""

    def format(self, record: logging.LogRecord) -> str:
        """The record as a single line, whatever it contains."""
        head = {"time": _time(record), "level": record.levelname.lower()}
        line: dict[str, Any] = {**head, **dict(_fields(record))}
        return _JSON.encode(line)


_JSON: Final = json.JSONEncoder(separators=(",", ":"), default=str)


class TextLines(logging.Formatter):
    """Each event as one readable line, followed by the traceback of an error."""

    def format(self, record: logging.LogRecord) -> str:
        """The record as text."""
        fields = dict(_fields(record))
        causes: Any = fields.pop("error", ())
        event = fields.pop("event")
        pairs = " ".join(f"{name}={_quoted(value)}" for name, value in fields.items())
        line = f"{_time(record)[11:23]} {record.levelname.lower():7} {event} {pairs}".rstrip()
        return "\n".join([line, *_traceback(causes)])


def _traceback(causes: "list[dict[str, Any]]") -> Iterator[str]:
    for cause in causes:
        details = ("sqlstate", "message")
        pairs = [f"{name}={_quoted(cause[name])}" for name in details if name in cause]
        yield " ".join([f"  {cause['type']}", *pairs])
        yield from (f"    {place}" for place in cause["at"])


def _quoted(value: object) -> str:
    """A value as text; it is quoted if it contains blanks or control characters."""
    text = str(value)
    plain = text.isascii() and text.isprintable() and text and not set(text) & set(' "=')
    return text if plain else json.dumps(text)


def _time(record: logging.LogRecord) -> str:
    second, milliseconds = divmod(int(record.created * 1000), 1000)
    return f"{_to_the_second(second)}.{milliseconds:03}Z"


@lru_cache(maxsize=2)
def _to_the_second(second: int) -> str:
    """The time to the second, cached since many events share it."""
    return f"{datetime.fromtimestamp(second, UTC):%Y-%m-%dT%H:%M:%S}"
