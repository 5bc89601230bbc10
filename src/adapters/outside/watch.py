"""A call of another server: its name resolved once, its address judged, and a deadline over all."""

import socket
import threading
from collections.abc import Callable, Generator, Sequence
from contextlib import ExitStack, contextmanager
from time import monotonic
from typing import Final

from attrs import define, field, frozen

from adapters.outside.alarms import ALARMS
from commerce_core.base.errors import InvalidInput, Unreachable
from commerce_core.base.network import Reach, Target

Resolve = Callable[[str, int], Sequence[str]]
"""The addresses of a name; OSError if it has none."""
Explain = Callable[[str, Exception, str], tuple[str, str] | None]
"""The code and the text of what a library raised in a phase; None for the usual one."""

JUDGE_SECONDS: Final = 5.0
"""How long resolving a name may take that is only judged."""
CONNECT_SECONDS: Final = 15.0
"""How long resolving a name may take, and then connecting to it."""
IDLE_SECONDS: Final = 60.0
"""How long a server may send nothing, and how long signing in may take."""
LONGEST_DETAIL: Final = 300


def resolve(host: str, port: int) -> Sequence[str]:
    """The addresses of a name, as the system resolves it."""
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(address[0]) for *_, address in found))


@frozen
class Outside:
    """What may be called, and how names are resolved."""

    reach: Reach
    resolve: Resolve = resolve

    def judge(self, target: Target, pointer: str) -> None:
        """Judges what the name of a target resolves to; InvalidInput if it can't be called."""
        try:
            self.pinned(target, Watch(JUDGE_SECONDS))
        except Unreachable as error:
            if error.code == "address_refused":
                raise InvalidInput.at(pointer, error.code, error.detail) from error

    def pinned(self, target: Target, watch: "Watch") -> str:
        """The address that the call goes to."""
        with watch.phase("resolve", target.host):
            addresses = (
                [target.host]
                if target.address is not None
                else _in_time(
                    lambda: self.resolve(target.host, target.port), watch.at_most(CONNECT_SECONDS)
                )
            )
            return self.reach.judge(target.host, addresses, target.scheme)

    def connected(
        self, target: Target, watch: "Watch", stack: ExitStack
    ) -> tuple[str, socket.socket]:
        """The address, and a socket that is connected to it, and cut at the deadline."""
        address, raw, own = self.opened(target, watch, stack)
        stack.enter_context(watch.cuts(own))
        return address, raw

    def opened(
        self, target: Target, watch: "Watch", stack: ExitStack
    ) -> tuple[str, socket.socket, socket.socket]:
        """The address, a socket that is connected to it, and a duplicate of that to cut it through.

        The duplicate stays valid while TLS takes the socket over.
        """
        address = self.pinned(target, watch)
        with watch.phase("connect", target.host):
            wait = watch.at_most(CONNECT_SECONDS)
            raw = socket.create_connection((address, target.port), wait)
            stack.callback(raw.close)
            own = stack.enter_context(raw.dup())
        return address, raw, own


def _nothing_else(_phase: str, _error: Exception, _text: str) -> None:
    return None


@define
class Watch:
    """One deadline over everything about a call, and the seconds that each phase took."""

    most: float
    raised: tuple[type[Exception], ...] = (OSError,)
    """What libraries raise."""
    explain: Explain = _nothing_else
    seconds: dict[str, float] = field(factory=dict[str, float], init=False)
    _end: float = field(init=False)
    _since: float = field(init=False)
    _is_over: bool = field(default=False, init=False)
    _wait: float = field(default=0.0, init=False)
    """The shorter limit that was asked for last."""

    def __attrs_post_init__(self) -> None:
        self._since = monotonic()
        self._end = self._since + self.most

    @property
    def left(self) -> float:
        """Seconds that are left; TimeoutError if there are none."""
        left = self._end - monotonic()
        if left <= 0 or self._is_over:
            raise TimeoutError
        return left

    def at_most(self, seconds: float) -> float:
        """That many seconds, or those that are left; TimeoutError if there are none."""
        self._wait = min(seconds, self.left)
        return self._wait

    def check(self) -> None:
        """TimeoutError if the deadline has passed."""
        if self._is_over:
            raise TimeoutError

    def begin(self, phase: str) -> None:
        """Adds the time since the last call of this to a phase."""
        now = monotonic()
        self.seconds[phase] = round(self.seconds.get(phase, 0.0) + now - self._since, 6)
        self._since = now

    @contextmanager
    def phase(self, phase: str, host: str) -> Generator[None]:
        """A phase of the call, which has to end in time."""
        try:
            with self.translated(phase, host):
                yield
                self.check()
        finally:
            self.begin(phase)

    @contextmanager
    def cuts(self, own: socket.socket, seconds: float | None = None) -> Generator[None]:
        """Cuts the connection at the deadline, however slowly something is still sent.

        With `seconds`, what is done meanwhile has to end within them. `own` is a duplicate that
        nobody else closes meanwhile.
        """
        wait = self.left if seconds is None else self.at_most(seconds)
        alarm = ALARMS.set(wait, lambda: self._cut(own))
        try:
            yield
        finally:
            ALARMS.cancel(alarm)

    def _cut(self, connected: socket.socket) -> None:
        self._is_over = True
        try:
            connected.shutdown(socket.SHUT_RDWR)
        except OSError:
            return  # It ended by itself.

    @contextmanager
    def translated(self, phase: str, host: str) -> Generator[None]:
        """Raises Unreachable instead of what libraries raise."""
        try:
            yield
        except self.raised as error:
            code, detail = self._judged(phase, error)
            self.begin(phase)  # What failed is often what took the time.
            raise Unreachable(
                f"{host}: {detail}.", code=code, phase=phase, seconds=self.seconds
            ) from error

    def _judged(self, phase: str, error: Exception) -> tuple[str, str]:
        if monotonic() >= self._end:
            return "timed_out", f"not done within {self.most:g} s, in phase {phase}"
        if self._is_over or isinstance(error, TimeoutError):
            return "timed_out", f"it kept us waiting for {self._wait:.2g} s, in phase {phase}"
        text = f"{type(error).__name__}: {error}"[:LONGEST_DETAIL]
        match phase:
            case "resolve":
                return "unresolved", "its name has no address"
            case "connect":
                return "not_connected", f"it accepts no connection ({text})"
            case _:
                usual = "cut_off", f"the connection ends before the answer does ({text})"
                return self.explain(phase, error, text) or usual


def _in_time(work: Callable[[], Sequence[str]], seconds: float) -> Sequence[str]:
    """What `work` returns; TimeoutError if that takes longer, since it can't be interrupted."""
    found: list[Sequence[str]] = []
    failed: list[Exception] = []

    def run() -> None:
        try:
            found.append(work())
        except (OSError, UnicodeError) as error:
            failed.append(error)

    thread = threading.Thread(target=run, name="resolves a name", daemon=True)
    thread.start()
    thread.join(seconds)
    if failed:
        raise failed[0]
    if not found:
        raise TimeoutError
    return found[0]
