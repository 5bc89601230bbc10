"""Places where a process fails on purpose, so that tests can see what is left of its work.

    COMMERCE_FAIL_AT=NAME[@N][:ACTION]      for example publications.add.committed:kill

Whatever the core asks of its ports is a place, so the core knows nothing of this, and nothing is
wrapped where the variable isn't set. The names:

    PORT.METHOD.before, .after          around a call: files.put, jobs.claim, engine.open, ...
    PORT.METHOD.committed               once a unit is committed whose last call that was
    PORT.METHOD.statement               before each SQL statement of the call
    files.read                          before each piece of a file is read
    batches                             before each batch of records goes to the comparison

`@N` is for the N-th time, else the first. Actions: `kill` ends the process as `kill -9` does (the
default), `stop` stops it as SIGSTOP does, `raise` is a fault of ours, `outage` a part out of reach.
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
from commerce_core.ports.store import Store, UnitOfWork
from commerce_core.usecases.context import Context

VARIABLE: Final = "COMMERCE_FAIL_AT"
_MOMENT: Final = 0.2
_SPELLING: Final = re.compile(
    r"(?P<name>[a-z_]+(\.[a-z_]+)*)(@(?P<nth>[1-9]\d{0,8}))?(:(?P<action>kill|stop|raise|outage))?"
)
_COLLECTIONS: Final = frozenset(
    name for name in dir(UnitOfWork) if isinstance(getattr(UnitOfWork, name), property)
) - {"session"}


class Failed(Exception):
    """What the action `raise` raises: no error of the platform's, as a fault of ours is none."""


@define
class FailPoint:
    """The one place where this process is to fail, and how often it was passed."""

    name: str
    nth: int
    action: str
    _passed: int = 0
    _lock: threading.Lock = field(factory=threading.Lock, init=False)
    _now_in: threading.local = field(factory=threading.local, init=False)

    @classmethod
    def of(cls, environ: Mapping[str, str]) -> "FailPoint | None":
        """The place that the environment names, if it does."""
        said = environ.get(VARIABLE)
        if not said:
            return None
        found = _SPELLING.fullmatch(said)
        if not found:
            detail = f"{VARIABLE} is {said!r}; it reads NAME[@N][:ACTION]."
            raise InvalidInput.at("/fail_at", "bad_setting", detail)
        return cls(found["name"], int(found["nth"] or 1), found["action"] or "kill")

    def around(self, context: Context) -> Context:
        """The same outside world, which fails there."""
        return evolve(
            context,
            store=cast("Store", _Store(self, context.store)),
            files=cast("Files", _Files(self, "files", context.files)),
            engine=cast("FeedEngine", _Port(self, "engine", context.engine)),
        )

    def statement(self) -> None:
        """A SQL statement is about to be sent, by the call that this thread is in."""
        self.passing(f"{getattr(self._now_in, 'call', '')}.statement")

    def calling(self, call: str, function: Callable[..., Any]) -> Callable[..., Any]:
        """The function, failing before or after it."""

        def called(*arguments: Any, **named: Any) -> object:  # noqa: ANN401 - whatever it takes
            self._now_in.call = call
            self.passing(f"{call}.before")
            given = function(*arguments, **named)
            self.passing(f"{call}.after")
            return given

        return called

    def passing(self, name: str) -> None:
        """Fails if this is the place, for the N-th time."""
        if name != self.name:
            return
        with self._lock:
            self._passed += 1
            due = self._passed == self.nth
        if due:
            _ACTIONS[self.action]()

    @property
    def last_call(self) -> str:
        """What this thread called last."""
        return getattr(self._now_in, "call", "")


def _signal(number: signal.Signals) -> None:
    os.kill(os.getpid(), number)
    # The other threads are told first: this one would go on for a moment.
    time.sleep(_MOMENT)


def _raise() -> None:
    raise Failed("This was asked for.")


def _be_out() -> None:
    raise Unavailable("This outage was asked for.", "Try again.")


_ACTIONS: Final[Mapping[str, Callable[[], None]]] = {
    "kill": lambda: _signal(signal.SIGKILL),
    "stop": lambda: _signal(signal.SIGSTOP),
    "raise": _raise,
    "outage": _be_out,
}


@frozen
class _Port:
    """A port, or one of its collections, each of whose methods is a place."""

    point: FailPoint
    name: str
    port: Any

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401 - whatever the port has
        return self.point.calling(f"{self.name}.{name}", getattr(self.port, name))


@frozen
class _Products(_Port):
    """The catalog, to which records go batch by batch."""

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
    """The place for files, which are read piece by piece."""

    @contextmanager
    def open(self, key: str) -> Generator[BinaryIO]:
        self.point.passing("files.open.before")
        with self.port.open(key) as stream:
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
    """The store, whose units fail when they are committed too."""

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
