"""The log: one line per event on stderr, JSON or text, that says what happened by ids and figures.

What is written are fields that the code names itself. Nothing of a request but its route, nothing
of a file, and of an error where it came from, not its words: those quote values. Only at the level
`debug` they are written too.
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
"""So much of a fault's way is written, from its end."""
_NOISY: Final = ("_granian", "granian.access")
"""Loggers that bring a handler of their own."""
_log: Final = logging.getLogger("commerce")
_log.addHandler(logging.NullHandler())  # a program that imports us decides by itself
_NOTHING: Final[Mapping[str, object]] = {}
_around: ContextVar[Mapping[str, object]] = ContextVar("around", default=_NOTHING)

Bound = Token[Mapping[str, object]]


def configure(level: str = "info", style: str = "auto", stream: TextIO | None = None) -> None:
    """Writes the log of this process from now on, that of libraries from `warning` upwards."""
    stream = stream or sys.stderr
    if stream is None:  # a process without one
        return
    as_text = style == "text" or (style == "auto" and stream.isatty())
    handler = logging.StreamHandler(stream)
    handler.setFormatter(TextLines() if as_text else JsonLines())
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(logging.WARNING)
    _log.setLevel(level.upper())
    logging.raiseExceptions = False  # whoever can't write the log has no place to say so
    # What the library would find out about each record, and nobody asks for.
    logging.logThreads = logging.logProcesses = logging.logMultiprocessing = False
    for name in _NOISY:
        logging.getLogger(name).handlers.clear()
        logging.getLogger(name).propagate = True


def debug(event: str, **fields: object) -> None:
    """An event that only helps to find a fault."""
    _write(logging.DEBUG, event, fields)


def info(event: str, **fields: object) -> None:
    """An event as it should be."""
    _write(logging.INFO, event, fields)


def warning(event: str, error: BaseException | None = None, **fields: object) -> None:
    """An event that somebody should know of if it goes on."""
    _write(logging.WARNING, event, fields, error)


def error(event: str, error: BaseException | None = None, **fields: object) -> None:
    """A fault of ours."""
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
    """Puts these fields into every event of the block, also in threads that are handed its work."""
    token = bind(**fields)
    try:
        yield
    finally:
        release(token)


def bind(**fields: object) -> Bound:
    """Puts these fields into every event from now on, until they are released."""
    return _around.set({**_around.get(), **fields})


def release(token: Bound) -> None:
    """Ends what `bind` began."""
    _around.reset(token)


def _said(record: logging.LogRecord) -> Iterator[tuple[str, object]]:
    """What a record says beside its time and level."""
    fields: Mapping[str, object] | None = getattr(record, "fields", None)
    if fields is None:
        # Of a library's words only the pattern: what it is filled with may be anything.
        yield "event", "library"
        yield "logger", record.name
        yield "pattern", str(record.msg)
    else:
        yield "event", record.msg
        yield from ((name, value) for name, value in fields.items() if value is not None)
    if record.exc_info and record.exc_info[1] is not None:
        yield "error", list(_causes(record.exc_info[1]))


def _causes(error: BaseException | None) -> Iterator[dict[str, object]]:
    """An exception and what it came from: of what class each is, and which way it took."""
    while error is not None:
        found: dict[str, object] = {"type": f"{type(error).__module__}.{type(error).__qualname__}"}
        if sqlstate := getattr(error, "sqlstate", None):
            found["sqlstate"] = sqlstate
        if _log.isEnabledFor(logging.DEBUG):
            found["words"] = str(error)
        frames = traceback.extract_tb(error.__traceback__)[-MOST_FRAMES:]
        found["at"] = [f"{frame.filename}:{frame.lineno} {frame.name}" for frame in frames]
        yield found
        error = error.__cause__ or (None if error.__suppress_context__ else error.__context__)


class JsonLines(logging.Formatter):
    """Each event as one line of JSON."""

    def format(self, record: logging.LogRecord) -> str:
        """The line; whatever stands in it, it is one."""
        head = {"time": _time(record), "level": record.levelname.lower()}
        line: dict[str, Any] = {**head, **dict(_said(record))}
        return _JSON.encode(line)


_JSON: Final = json.JSONEncoder(separators=(",", ":"), default=str)


class TextLines(logging.Formatter):
    """Each event as one line to read; the way of a fault below it."""

    def format(self, record: logging.LogRecord) -> str:
        """The line."""
        said = dict(_said(record))
        causes: Any = said.pop("error", ())
        event = said.pop("event")
        pairs = " ".join(f"{name}={_word(value)}" for name, value in said.items())
        line = f"{_time(record)[11:23]} {record.levelname.lower():7} {event} {pairs}".rstrip()
        return "\n".join([line, *_shown(causes)])


def _shown(causes: "list[dict[str, Any]]") -> Iterator[str]:
    for cause in causes:
        known = [f"{name}={_word(cause[name])}" for name in ("sqlstate", "words") if name in cause]
        yield " ".join([f"  {cause['type']}", *known])
        yield from (f"    {place}" for place in cause["at"])


def _word(value: object) -> str:
    """A value as text; one with blanks, or with what a terminal would obey, is quoted."""
    text = str(value)
    plain = text.isascii() and text.isprintable() and text and not set(text) & set(' "=')
    return text if plain else json.dumps(text)


def _time(record: logging.LogRecord) -> str:
    second, milliseconds = divmod(int(record.created * 1000), 1000)
    return f"{_to_the_second(second)}.{milliseconds:03}Z"


@lru_cache(maxsize=2)
def _to_the_second(second: int) -> str:
    """A second has many events."""
    return f"{datetime.fromtimestamp(second, UTC):%Y-%m-%dT%H:%M:%S}"
