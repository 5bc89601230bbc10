"""Fail points: places where a process fails on purpose, so that tests can check the aftermath.

    COMMERCE_FAIL_AT=NAME[@N][:ACTION]      for example publications.add.committed:kill

Every call of the core to a port is a fail point. The core doesn't know about them, and nothing is
wrapped unless the variable is set. The names:

    PORT.METHOD.before, .after          around a call: files.put, jobs.claim, engine.open, ...
    PORT.METHOD.committed               after the commit of a unit whose last call it was
    PORT.METHOD.statement               before each SQL statement of the call
    files.read                          before each chunk of a file is read
    batches                             before each batch of records is compared

`@N` means the N-th time (default: the first). Actions: `kill` ends the process like `kill -9` (the
default), `stop` stops it like SIGSTOP, `raise` causes an internal error, and `outage` makes a part
unavailable.
"""

import os
import re
import signal
import threading
import time
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, BinaryIO, Final, cast

from attrs import define, evolve, field, frozen

from commerce_core.base.errors import InvalidInput, Unavailable
from commerce_core.ports.engine import FeedEngine
from commerce_core.ports.files import Files
from commerce_core.ports.mail import Mail
from commerce_core.ports.store import Store, UnitOfWork
from commerce_core.ports.web import Web
from commerce_core.usecases.context import Context

VARIABLE: Final = "COMMERCE_FAIL_AT"
_MOMENT: Final = 0.2
_SPELLING: Final = re.compile(
    r"(?P<name>[a-z_]+(\.[a-z_]+)*)(@(?P<nth>[1-9]\d{0,8}))?(:(?P<action>kill|stop|raise|outage))?"
)
_COLLECTIONS: Final = frozenset(
    name for name in dir(UnitOfWork) if isinstance(getattr(UnitOfWork, name), property)
) - {"session", "together"}


class Failed(Exception):
    """Raised by the action `raise`; like any bug, it isn't an error that the platform defines."""


@define
class FailPoint:
    """The place where this process is to fail, and how often it was passed."""

    name: str
    nth: int
    action: str
    _passed: int = 0
    _lock: threading.Lock = field(factory=threading.Lock, init=False)
    _now_in: threading.local = field(factory=threading.local, init=False)

    @classmethod
    def of(cls, environ: Mapping[str, str]) -> "FailPoint | None":
        """The fail point that the environment specifies, if any."""
        value = environ.get(VARIABLE)
        if not value:
            return None
        found = _SPELLING.fullmatch(value)
        if not found:
            detail = f"{VARIABLE} is {value!r}; it must be NAME[@N][:ACTION]."
            raise InvalidInput.at("/fail_at", "bad_setting", detail)
        return cls(found["name"], int(found["nth"] or 1), found["action"] or "kill")

    def around(self, context: Context) -> Context:
        """The context with its ports wrapped, so that they fail at this point."""
        return evolve(
            context,
            store=cast("Store", _Store(self, context.store)),
            files=cast("Files", _Files(self, "files", context.files)),
            engine=cast("FeedEngine", _Port(self, "engine", context.engine)),
            web=cast("Web", _Port(self, "web", context.web)),
            mail=cast("Mail", _Port(self, "mail", context.mail)),
        )

    def statement(self) -> None:
        """Called before each SQL statement, in the thread of the call that sends it."""
        self.passing(f"{getattr(self._now_in, 'call', '')}.statement")

    def calling(self, call: str, function: Callable[..., Any]) -> Callable[..., Any]:
        """The function, failing before or after it."""

        def called(*arguments: Any, **named: Any) -> object:  # noqa: ANN401 - whatever it takes
            self._now_in.call = call
            self.passing(f"{call}.before")
            returned = function(*arguments, **named)
            self.passing(f"{call}.after")
            return returned

        return called

    def passing(self, name: str) -> None:
        """Fails if this is the fail point, at its N-th time."""
        if name != self.name:
            return
        with self._lock:
            self._passed += 1
            due = self._passed == self.nth
        if due:
            _ACTIONS[self.action]()

    @property
    def last_call(self) -> str:
        """The last call of this thread."""
        return getattr(self._now_in, "call", "")


def _signal(number: signal.Signals) -> None:
    os.kill(os.getpid(), number)
    # The signal may reach other threads first, and this one must not continue meanwhile.
    time.sleep(_MOMENT)


def _raise() -> None:
    raise Failed("A fail point raised this error.")


def _outage() -> None:
    raise Unavailable("A fail point caused this outage.", "Try again.")


_ACTIONS: Final[Mapping[str, Callable[[], None]]] = {
    "kill": lambda: _signal(signal.SIGKILL),
    "stop": lambda: _signal(signal.SIGSTOP),
    "raise": _raise,
    "outage": _outage,
}


@frozen
class _Port:
    """A port, or one of its collections; each of its methods is a fail point."""

    point: FailPoint
    name: str
    port: Any

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401 - whatever the port has
        return self.point.calling(f"{self.name}.{name}", getattr(self.port, name))


@frozen
class _Products(_Port):
    """The catalog, which receives records batch by batch."""

    def compare(self, feed_context: object, batches: Iterable[object], *rest: object) -> object:
        return self.__getattr__("compare")(feed_context, self._passing(batches), *rest)

    def load(self, feed_context: object, batches: Iterable[object], *rest: object) -> object:
        return self.__getattr__("load")(feed_context, self._passing(batches), *rest)

    def _passing(self, batches: Iterable[object]) -> Iterator[object]:
        for batch in batches:
            self.point.passing("batches")
            yield batch


@frozen
class _Files(_Port):
    """The file store, whose files are read chunk by chunk."""

    @contextmanager
    def open(self, key: str, start: int = 0, end: int | None = None) -> Generator[BinaryIO]:
        self.point.passing("files.open.before")
        with self.port.open(key, start, end) as stream:
            self.point.passing("files.open.after")
            yield cast("BinaryIO", _Stream(self.point, stream))


@frozen
class _Stream:
    point: FailPoint
    stream: BinaryIO

    def read(self, size: int = -1) -> bytes:
        self.point.passing("files.read")
        return self.stream.read(size)

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401 - whatever a stream has
        return getattr(self.stream, name)


@frozen
class _Store:
    """The store, whose units can also fail when they are committed."""

    point: FailPoint
    store: Store

    @contextmanager
    def begin(self, *, dry_run: bool = False) -> Generator[UnitOfWork]:
        with self.store.begin(dry_run=dry_run) as unit:
            yield cast("UnitOfWork", _Unit(self.point, unit))
            last = self.point.last_call
        self.point.passing(f"{last}.committed")

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401 - whatever a store has
        return getattr(self.store, name)


@frozen
class _Unit:
    point: FailPoint
    unit: UnitOfWork

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401 - its collections, its session
        found = getattr(self.unit, name)
        if name not in _COLLECTIONS:
            return found
        kind = _Products if name == "products" else _Port
        return kind(self.point, name, found)
