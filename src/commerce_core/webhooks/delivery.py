"""Deliveries: one for each event and subscription, and when a failed one is tried again.

    pending ──claim──> sending ──┬─ 2xx ────────────────> delivered
       ^                         ├─ failed, tries left ─> pending, after a pause
       │                         ├─ it was disabled ────> missed
       │                         ├─ the last try failed ─> failed
       │                         └─ lease expired ──────> claimed again
    missed, failed, delivered ──redeliver──> pending

The message of a delivery has the same id in all tries, so a receiver recognises one that it has.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import ClassVar, Final, Literal

from attrs import evolve, field, frozen

from commerce_core.activity.events import Event, EventKind
from commerce_core.base.calendar import check_range
from commerce_core.webhooks.message import subject_of
from commerce_core.webhooks.subscription import DISABLED_AFTER, DisabledReason, Webhook

DeliveryStatus = Literal["pending", "sending", "delivered", "failed", "missed"]

SCHEDULE: Final = (
    timedelta(0),
    timedelta(seconds=5),
    timedelta(minutes=5),
    timedelta(minutes=30),
    timedelta(hours=2),
    timedelta(hours=5),
    timedelta(hours=10),
    timedelta(hours=10),
)
"""The pause before each try. A delivery fails when the last of them has failed."""
JITTER: Final = 0.2
"""The share of itself by which a pause is lengthened at most, so that retries don't coincide."""
DEADLINE: Final = timedelta(seconds=15)
"""How long a try may take in all, from looking up the name to the end of the answer."""
LONGEST_RETRY_AFTER: Final = timedelta(hours=24)
"""The longest pause that a receiver can ask for."""
KEPT_ANSWER: Final = 4 * 1024
"""How many bytes of an answer the log keeps."""
LONGEST_ANSWER: Final = 64 * 1024
"""How many bytes of an answer are read, so that the connection can be used again."""
KEPT: Final = timedelta(days=30)
"""How long deliveries and the log of their tries are kept."""
SLOW: Final = timedelta(seconds=1)
"""A receiver that takes longer gets one message at a time."""
MOST_AT_ONCE: Final = 10_000
"""The most deliveries that one statement redelivers, marks as missed or deletes."""
MOST_REDELIVERED: Final = 100_000
"""The most deliveries that one request redelivers; asked again, it continues."""

OK: Final = range(200, 300)
GONE: Final = 410
NOT_FOLLOWED: Final = range(300, 400)
OURS: Final = ("event_gone", "internal", "cannot_open", "vault_closed")
"""Codes of failures on this side, for which no receiver is disabled."""


@frozen(kw_only=True)
class Delivery:
    """An event for one subscription; `sequence` is the event's number in the log.

    `attempts` counts all tries, `attempts_before` those before it was last redelivered, `claims`
    how often a worker took it. `due_at` is when it is tried next. `http_status` and `error` are
    those of the latest try.
    """

    delivery_id: str
    webhook_id: str
    partner_id: str | None
    event_id: str
    sequence: int
    kind: EventKind
    subject: str
    ordered: bool = False
    status: DeliveryStatus = "pending"
    attempts: int = 0
    attempts_before: int = 0
    claims: int = 0
    created_at: datetime
    due_at: datetime | None
    finished_at: datetime | None = None
    http_status: int | None = None
    error: str | None = None

    @property
    def next_at(self) -> datetime | None:
        """When it is tried next; None if it is finished."""
        return self.due_at if self.status == "pending" else None


@frozen(kw_only=True)
class Try:
    """One attempt at a delivery: what was answered, or the code of what went wrong.

    `seconds` has the time of each phase, `next_at` is when the next try is due.
    """

    number: int
    at: datetime
    http_status: int | None = None
    error: str | None = None
    answer: str = ""
    seconds: Mapping[str, float]
    next_at: datetime | None = None


@frozen
class DeliveryWithTries:
    """A delivery with the log of its tries, the first one first."""

    delivery: Delivery
    tries: tuple[Try, ...]


@frozen(kw_only=True)
class Reply:
    """What became of one try: the answer's status, or the code of what went wrong."""

    at: datetime
    http_status: int | None = None
    error: str | None = None
    retry_after: str | None = None
    answer: bytes = b""
    seconds: Mapping[str, float]

    @property
    def is_ok(self) -> bool:
        """Whether the receiver has the message."""
        return self.error is None and self.http_status in OK


@frozen
class Judged:
    """What follows from a try: the delivery as it is now, the log's entry, and `disables`.

    `disables` is the reason if the try disables the whole subscription, unless that has another
    address than `url` by now.
    """

    delivery: Delivery
    tried: Try
    url: str
    disables: DisabledReason | None = None

    @property
    def is_slow(self) -> bool:
        """Whether it took so long that the receiver should get one message at a time."""
        return sum(self.tried.seconds.values()) > SLOW.total_seconds()


@frozen
class DeliveryQuery:
    """Selects the deliveries that match every given filter, newest first."""

    IDENTITY: ClassVar = (
        "DeliveryQuery(partner_id={0.partner_id!r}, webhook_id={0.webhook_id!r}, "
        "status={0.status!r}, kind={0.kind!r}, event_id={0.event_id!r}, since={0.since!r}, "
        "until={0.until!r})"
    )
    partner_id: str | None = None
    webhook_id: str | None = None
    status: DeliveryStatus | None = None
    kind: EventKind | None = None
    event_id: str | None = None
    since: datetime | None = None
    until: datetime | None = None

    def __attrs_post_init__(self) -> None:
        check_range(self.since, self.until)


@frozen
class Claim:
    """What a worker has room for: `most` deliveries in all, and for each subscription its `rooms`.

    `others` is the room of each subscription that `rooms` doesn't name. With `failing`, only
    subscriptions that fail are served; without it, only those that don't.
    """

    most: int
    rooms: Mapping[str, int] = field(factory=dict[str, int])
    others: int = 1
    failing: bool = False

    @property
    def is_empty(self) -> bool:
        """Whether there is no room at all."""
        return self.most < 1 or not (self.others or any(self.rooms.values()))


@frozen
class Claimed:
    """A delivery that a worker has to send, with its subscription and its event."""

    delivery: Delivery
    webhook: Webhook
    event: Event | None


def judge(claimed: Claimed, reply: Reply, chance: float) -> Judged:
    """What follows from a try; `chance` is from 0 to 1, and decides the jitter."""
    delivery, webhook = claimed.delivery, claimed.webhook
    number = delivery.attempts + 1
    disables = None if reply.is_ok else _disables(webhook, reply)
    next_at = None
    if not reply.is_ok and disables is None and reply.error != "event_gone":
        pause = _pause(number - delivery.attempts_before, reply, chance)
        next_at = None if pause is None else reply.at + pause
    ended = next_at is None
    after = evolve(
        delivery,
        status=_status(reply, disables, ended=ended),
        attempts=number,
        due_at=next_at,
        finished_at=reply.at if ended else None,
        http_status=reply.http_status,
        error=_error(reply),
    )
    tried = Try(
        number=number,
        at=reply.at,
        http_status=reply.http_status,
        error=_error(reply),
        answer=_kept(reply.answer),
        seconds=reply.seconds,
        next_at=next_at,
    )
    return Judged(after, tried, webhook.url, disables)


def _status(reply: Reply, disables: DisabledReason | None, *, ended: bool) -> DeliveryStatus:
    if reply.is_ok:
        return "delivered"
    if disables is not None:
        return "missed"  # With what else it misses, it is offered once the webhook is enabled.
    return "failed" if ended else "pending"


def _disables(webhook: Webhook, reply: Reply) -> DisabledReason | None:
    if reply.error in OURS:
        return None
    if reply.http_status == GONE:
        return "gone"
    since = webhook.failing_since
    return "failing" if since is not None and reply.at - since >= DISABLED_AFTER else None


def _error(reply: Reply) -> str | None:
    """The code of what is wrong with the reply; None for one that confirms the message."""
    if reply.error is not None or reply.is_ok:
        return reply.error
    return "redirect" if reply.http_status in NOT_FOLLOWED else "refused"


def _pause(tries: int, reply: Reply, chance: float) -> timedelta | None:
    """The pause after a number of failed tries; None after the last."""
    if tries >= len(SCHEDULE):
        return None
    pause = SCHEDULE[tries] * (1 + JITTER * chance)
    return max(pause, _asked_for(reply))


def _asked_for(reply: Reply) -> timedelta:
    """The pause that the receiver asks for by Retry-After: seconds, or a date of HTTP."""
    text = (reply.retry_after or "").strip()
    if text.isascii() and text.isdigit():
        return min(timedelta(seconds=int(text[:9])), LONGEST_RETRY_AFTER)
    try:
        until = parsedate_to_datetime(text)
        asked = until - reply.at
    except (ValueError, TypeError, IndexError, OverflowError):
        return timedelta(0)
    return min(max(asked, timedelta(0)), LONGEST_RETRY_AFTER)


def _kept(answer: bytes) -> str:
    """What the log keeps of an answer: its beginning as text, without what can't be stored."""
    return answer[:KEPT_ANSWER].decode("utf-8", "replace").replace("\0", "\ufffd")


def redelivered(delivery: Delivery, at: datetime) -> Delivery:
    """The delivery as it is when it is to be sent again, with a schedule that begins anew."""
    return evolve(
        delivery,
        status="pending",
        attempts_before=delivery.attempts,
        due_at=at,
        finished_at=None,
    )


def new_deliveries(
    events: Iterable[tuple[int, Event]],
    webhooks: Sequence[Webhook],
    ids: Iterator[str],
    at: datetime,
) -> Iterator[Delivery]:
    """The deliveries of these events to all subscriptions that want them, in the order of events.

    Those to a subscription that isn't active are missed.
    """
    for number, event in events:
        subject = subject_of(event)
        for webhook in webhooks:
            if webhook.wants(event, number):
                missed = webhook.status != "active"
                yield Delivery(
                    delivery_id=next(ids),
                    webhook_id=webhook.webhook_id,
                    partner_id=webhook.partner_id,
                    event_id=event.event_id,
                    sequence=number,
                    kind=event.kind,
                    subject=subject,
                    ordered=webhook.ordered,
                    status="missed" if missed else "pending",
                    created_at=at,
                    due_at=None if missed else at,
                    finished_at=at if missed else None,
                )
