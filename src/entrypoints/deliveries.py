"""The lane of webhooks: reads the event log, sends what is due, and records what became of it.

One thread reads, claims and records; others send. Receivers that answer fast get several messages
at once, all others one at a time, and each kind of receiver has threads of its own: those that
answer fast don't wait for slow or dead ones. What is claimed for a fast receiver is sent in runs:
one message after the other over one connection, until one of them fails.
"""

import threading
from collections import Counter, deque
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack
from datetime import timedelta
from itertools import islice
from time import monotonic, thread_time
from typing import Final, Literal

from attrs import define, field

from commerce_core.base.errors import CommerceError
from commerce_core.commerce import Commerce
from commerce_core.webhooks.delivery import Claim, Claimed, Judged
from entrypoints import logs, tracing
from entrypoints.metrics import metrics

Kind = Literal["fast", "unknown", "slow", "failing"]
"""How a receiver has answered lately; `unknown` before this process has called it."""

THREADS: Final[dict[Kind, int]] = {"fast": 32, "unknown": 16, "slow": 16, "failing": 16}
"""How many messages are sent at once in one process, to receivers of each kind."""
LONGEST_RUN: Final = 8
"""How many messages a thread sends to a receiver that answers fast before it asks for more."""
MOST_CLAIMED: Final[dict[Kind, int]] = {**THREADS, "fast": 256}
"""How many messages are claimed at once; those beyond the threads wait for one."""
MOST_TO_ONE: Final = 8
"""How many are sent at once to a receiver that answers fast; to any other, one at a time."""
MOST_READS: Final = 4
"""How often in a row events are read before anything else is done."""
LOOK_FOR_WEBHOOKS: Final = timedelta(seconds=1)
"""How often it looks for webhooks while there are none."""
PAUSE_AFTER_FAILURE: Final = timedelta(seconds=2)
MOST_RECORDED: Final = 1_000
"""How many tries are recorded at once."""
REST: Final = 1.0
"""Seconds between two messages to a receiver that fails, even if many wait for it."""
ROUND: Final = timedelta(milliseconds=50)
"""The shortest time between two rounds, so that each records and claims many at once."""
SHARE: Final = 0.6
"""The share of a processor that all of this may take, since feeds and orders need them too."""
GRACE: Final = timedelta(seconds=18)
"""How long messages under way may take once the worker is asked to stop."""

Run = Sequence[Claimed]
"""Messages for one receiver that a thread sends one after the other."""


@define
class DeliveryLane:
    """Sends messages until it is to stop."""

    _commerce: Commerce
    _poll_every: timedelta
    _stopping: threading.Event
    _wake: threading.Event = field(factory=threading.Event, init=False)
    _thread: threading.Thread | None = field(default=None, init=False)
    _under_way: dict[str, tuple[Claimed, Kind]] = field(
        factory=dict[str, tuple[Claimed, Kind]], init=False
    )
    _runs: "dict[Future[None], Run]" = field(factory=dict["Future[None]", Run], init=False)
    _sent: deque[tuple[Claimed, Judged | None]] = field(
        factory=deque[tuple[Claimed, Judged | None]], init=False
    )
    """What the senders are done with; None: not sent."""
    _fast: set[str] = field(factory=set[str], init=False)
    _slow: set[str] = field(factory=set[str], init=False)
    _rests: dict[str, float] = field(factory=dict[str, float], init=False)
    _unrecorded: list[Judged] = field(factory=list[Judged], init=False)
    _unsent: list[Claimed] = field(factory=list[Claimed], init=False)
    _others_at: float = field(default=0.0, init=False)
    """When receivers that aren't fast were looked at last."""
    _busy: deque[float] = field(factory=deque[float], init=False)
    """Seconds of a processor that the senders took since the last round."""

    def start(self) -> None:
        """Begins to work in threads of its own."""
        self._thread = threading.Thread(
            target=self.work_until_stopped, name="worker webhooks", daemon=True
        )
        self._thread.start()

    def wake(self) -> None:
        """Looks for work, or sees that it is to stop, without waiting any longer."""
        self._wake.set()

    def join(self, seconds: float) -> None:
        """Waits until the thread has ended, at most for that time."""
        if self._thread is not None:
            self._thread.join(max(0.0, seconds))

    def end(self) -> None:
        """Nothing is left to do: what isn't recorded is claimed again when its lease expires."""

    def work_until_stopped(self) -> None:
        """Works in this thread."""
        with ExitStack() as stack:
            senders: dict[Kind, ThreadPoolExecutor] = {
                kind: stack.enter_context(ThreadPoolExecutor(most, f"webhooks {kind}"))
                for kind, most in THREADS.items()
            }
            while not self._stopping.is_set():
                begun, used = monotonic(), thread_time()
                try:
                    pause = self._poll_every if self._work(senders) else LOOK_FOR_WEBHOOKS
                except Exception as error:  # noqa: BLE001 - the lane has to be there afterwards
                    _cant_work(error)
                    pause = PAUSE_AFTER_FAILURE
                rest = self._rest(monotonic() - begun, thread_time() - used)
                self._stopping.wait(rest)
                self._wake.wait(max(0.0, pause.total_seconds() - rest))
                self._wake.clear()
            self._finish()

    def _rest(self, seconds: float, used: float) -> float:
        """How long to rest after a round, so that the lane takes no more than its share."""
        busy = used + sum(islice(iter(self._next_busy, None), MOST_RECORDED))
        return max(ROUND.total_seconds(), busy / SHARE - seconds)

    def _next_busy(self) -> float | None:
        return self._busy.popleft() if self._busy else None

    def _work(self, senders: dict[Kind, ThreadPoolExecutor]) -> bool:
        """One round; False if there is nothing to do for a while."""
        sending = self._commerce.sending
        self._record()
        if not self._under_way and not sending.is_needed():
            return False
        for _ in range(MOST_READS):
            if not sending.read_events():
                break
        claimed = sending.claim(*self._rooms())
        for kind, run in self._divided(claimed):
            future = senders[kind].submit(self._send_all, run)
            self._runs[future] = run
        return True

    def _divided(self, claimed: Iterable[Claimed]) -> Iterator[tuple[Kind, Run]]:
        """What was claimed, in runs, as many for a receiver as it may get messages at once."""
        ones: dict[str, list[Claimed]] = {}
        for one in claimed:
            ones.setdefault(one.webhook.webhook_id, []).append(one)
        to_one = Counter(run[0].webhook.webhook_id for run in self._runs.values())
        for webhook_id, own in ones.items():
            kind = self._kind_of(own[0])
            self._under_way |= {one.delivery.delivery_id: (one, kind) for one in own}
            runs = min(len(own), max(1, MOST_TO_ONE - to_one[webhook_id]))
            for first in range(runs):
                yield kind, own[first::runs]

    def _send_all(self, run: Run) -> None:
        """Sends a run up to the first message that fails, or that takes long."""
        goes_on, begun = True, thread_time()
        for one in run:
            judged = self._send(one) if goes_on and not self._stopping.is_set() else None
            goes_on = judged is not None and judged.delivery.status == "delivered"
            goes_on = goes_on and judged is not None and not judged.is_slow
            self._sent.append((one, judged))
        self._busy.append(thread_time() - begun)
        if not self._wake.is_set():
            self._wake.set()

    def _send(self, claimed: Claimed) -> Judged:
        try:
            with tracing.delivery(claimed):
                return self._commerce.sending.send(claimed)
        except Exception as error:  # noqa: BLE001 - counts as a failed try, so that it ends one day
            logs.error("delivery.fault", error, delivery_id=claimed.delivery.delivery_id)
            return self._commerce.sending.broken(claimed)

    def _rooms(self) -> Iterator[Claim]:
        """What there is room for, for each kind of receiver."""
        used = Counter(kind for _, kind in self._under_way.values())
        to_one = Counter(one.webhook.webhook_id for one, _ in self._under_way.values())
        runs = Counter(run[0].webhook.webhook_id for run in self._runs.values())
        free = {kind: most - used[kind] for kind, most in MOST_CLAIMED.items()}
        # All that one may get is locked, of which no more is claimed than is free in all.
        most = max(1, 2 * free["fast"] // (MOST_TO_ONE * max(1, len(self._fast))))
        run = min(LONGEST_RUN, most)
        fast = {id_: run * max(0, MOST_TO_ONE - runs[id_]) for id_ in self._fast}
        yield Claim(free["fast"], fast, others=0)
        now = monotonic()
        if now < self._others_at + self._poll_every.total_seconds() / 2:
            return
        self._others_at = now
        busy = dict.fromkeys(to_one, 0)
        slow = {id_: int(to_one[id_] == 0) for id_ in self._slow}
        yield Claim(free["slow"], slow, others=0)
        known = dict.fromkeys((*self._fast, *self._slow), 0)
        yield Claim(free["unknown"], {**busy, **known})
        self._rests = {id_: until for id_, until in self._rests.items() if until > now}
        yield Claim(free["failing"], {**busy, **dict.fromkeys(self._rests, 0)}, failing=True)

    def _kind_of(self, claimed: Claimed) -> Kind:
        webhook = claimed.webhook
        if webhook.failing_since is not None:
            return "failing"
        if webhook.webhook_id in self._fast:
            return "fast"
        return "slow" if webhook.webhook_id in self._slow else "unknown"

    def _record(self) -> None:
        """Records all that has been sent; if that fails, it is tried again in the next round."""
        self._runs = {future: run for future, run in self._runs.items() if not future.done()}
        for claimed, judged in islice(iter(self._next_sent, None), MOST_RECORDED):
            self._under_way.pop(claimed.delivery.delivery_id, None)
            if judged is None:
                self._unsent.append(claimed)
            else:
                self._note_kind(claimed.webhook.webhook_id, judged)
                self._unrecorded.append(judged)
        if self._unsent:
            self._commerce.sending.give_back(self._unsent)
            self._unsent.clear()
        if not self._unrecorded:
            return
        disabled = self._commerce.sending.record(self._unrecorded)
        for judged in self._unrecorded:
            _tell(judged)
        self._unrecorded.clear()
        for webhook_id in disabled:
            logs.warning("webhook.disabled", webhook_id=webhook_id)

    def _next_sent(self) -> tuple[Claimed, Judged | None] | None:
        return self._sent.popleft() if self._sent else None

    def _note_kind(self, webhook_id: str, judged: Judged) -> None:
        self._fast.discard(webhook_id)
        self._slow.discard(webhook_id)
        if judged.delivery.status == "delivered":
            (self._slow if judged.is_slow else self._fast).add(webhook_id)
        else:
            self._rests[webhook_id] = monotonic() + REST

    def _finish(self) -> None:
        """Gives back what hasn't begun, and records what ends in time."""
        unbegun = [run for future, run in self._runs.items() if future.cancel()]
        self._sent.extend((one, None) for run in unbegun for one in run)
        try:
            for future in self._runs:
                if not future.cancelled():
                    future.exception(GRACE.total_seconds())
        except TimeoutError as error:
            _cant_work(error)
        try:
            self._record()
        except CommerceError as error:
            _cant_work(error)


def _tell(judged: Judged) -> None:
    """Counts a try, and logs it by ids."""
    delivery, tried = judged.delivery, judged.tried
    outcome = "retry" if delivery.status == "pending" else delivery.status
    seconds = sum(tried.seconds.values())
    metrics().delivery(outcome, seconds)
    log = logs.debug if outcome == "delivered" else logs.warning
    log(
        "delivery.tried",
        delivery_id=delivery.delivery_id,
        webhook_id=delivery.webhook_id,
        event_id=delivery.event_id,
        attempt=delivery.attempts,
        outcome=outcome,
        http_status=tried.http_status,
        code=tried.error,
        seconds=round(seconds, 3),
    )


def _cant_work(error: Exception) -> None:
    if isinstance(error, CommerceError):
        logs.warning("part.unavailable", error, reason=error.detail)
    else:
        logs.error("worker.fault", error)
