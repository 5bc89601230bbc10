"""The lane of webhooks: reads the event log, sends what is due, and records what became of it.

One thread reads, claims and records; others send. Receivers that answer fast get several messages
at once, all others one at a time, and each kind of receiver has threads of its own: those that
answer fast don't wait for slow or dead ones.
"""

import threading
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from datetime import timedelta
from time import monotonic
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
MOST_TO_ONE: Final = 8
"""How many are sent at once to a receiver that answers fast; to any other, one at a time."""
MOST_READS: Final = 4
"""How often in a row events are read before anything else is done."""
LOOK_FOR_WEBHOOKS: Final = timedelta(seconds=1)
"""How often it looks for webhooks while there are none."""
PAUSE_AFTER_FAILURE: Final = timedelta(seconds=2)
REST: Final = 1.0
"""Seconds between two messages to a receiver that fails, even if many wait for it."""
ROUND: Final = timedelta(milliseconds=10)
"""The shortest time between two rounds, so that each records and claims several at once."""
GRACE: Final = timedelta(seconds=18)
"""How long messages under way may take once the worker is asked to stop."""


@define
class DeliveryLane:
    """Sends messages until it is to stop."""

    _commerce: Commerce
    _poll_every: timedelta
    _stopping: threading.Event
    _wake: threading.Event = field(factory=threading.Event, init=False)
    _thread: threading.Thread | None = field(default=None, init=False)
    _under_way: dict["Future[Judged]", tuple[Claimed, Kind]] = field(
        factory=dict["Future[Judged]", tuple[Claimed, Kind]], init=False
    )
    _fast: set[str] = field(factory=set[str], init=False)
    _slow: set[str] = field(factory=set[str], init=False)
    _rests: dict[str, float] = field(factory=dict[str, float], init=False)
    _unrecorded: list[Judged] = field(factory=list[Judged], init=False)

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
        with ThreadPoolExecutor(sum(THREADS.values()), "webhooks") as senders:
            while not self._stopping.is_set():
                try:
                    pause = self._poll_every if self._work(senders) else LOOK_FOR_WEBHOOKS
                except Exception as error:  # noqa: BLE001 - the lane has to be there afterwards
                    _cant_work(error)
                    pause = PAUSE_AFTER_FAILURE
                self._stopping.wait(ROUND.total_seconds())
                self._wake.wait(pause.total_seconds())
                self._wake.clear()
            self._finish()

    def _work(self, senders: ThreadPoolExecutor) -> bool:
        """One round; False if there is nothing to do for a while."""
        sending = self._commerce.sending
        self._record()
        if not self._under_way and not sending.is_needed():
            return False
        for _ in range(MOST_READS):
            if not sending.read_events():
                break
        claimed = sending.claim(*self._rooms())
        for one in claimed:
            future = senders.submit(self._send, one)
            self._under_way[future] = one, self._kind_of(one)
            future.add_done_callback(lambda _: self._wake.set())
        return True

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
        free = {kind: most - used[kind] for kind, most in THREADS.items()}
        busy = dict.fromkeys(to_one, 0)
        fast = {id_: max(0, MOST_TO_ONE - to_one[id_]) for id_ in self._fast}
        slow = {id_: int(to_one[id_] == 0) for id_ in self._slow}
        yield Claim(free["fast"], fast, others=0)
        yield Claim(free["slow"], slow, others=0)
        known = dict.fromkeys((*self._fast, *self._slow), 0)
        yield Claim(free["unknown"], {**busy, **known})
        now = monotonic()
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
        done = [future for future in self._under_way if future.done()]
        for future in done:
            claimed, _ = self._under_way.pop(future)
            if not future.cancelled():
                judged = future.result()
                self._note_kind(claimed.webhook.webhook_id, judged)
                self._unrecorded.append(judged)
        if not self._unrecorded:
            return
        disabled = self._commerce.sending.record(self._unrecorded)
        for judged in self._unrecorded:
            _tell(judged)
        self._unrecorded.clear()
        for webhook_id in disabled:
            logs.warning("webhook.disabled", webhook_id=webhook_id)

    def _note_kind(self, webhook_id: str, judged: Judged) -> None:
        self._fast.discard(webhook_id)
        self._slow.discard(webhook_id)
        if judged.delivery.status == "delivered":
            (self._slow if judged.is_slow else self._fast).add(webhook_id)
        else:
            self._rests[webhook_id] = monotonic() + REST

    def _finish(self) -> None:
        """Gives back what hasn't begun, and records what ends in time."""
        unbegun = [one for future, (one, _) in self._under_way.items() if future.cancel()]
        try:
            if unbegun:
                self._commerce.sending.give_back(unbegun)
            for future in self._under_way:
                if not future.cancelled():
                    future.exception(GRACE.total_seconds())
            self._record()
        except (CommerceError, TimeoutError) as error:
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
