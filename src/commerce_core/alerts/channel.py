"""Channels: who gets alerts, about what, and when they are quiet."""

import re
from collections.abc import Sequence
from datetime import datetime, time, timedelta
from typing import ClassVar, Final, Literal

from attrs import evolve, field, frozen

from commerce_core.activity.inbox import ITEM_KINDS, SEVERITIES, ItemKind, Severity
from commerce_core.base.errors import Conflict, Fault, refuse_if
from commerce_core.base.text import UNSTORABLE
from commerce_core.feeds.schedule import zone_of
from commerce_core.partners.access import Principal, Scope

Status = Literal["active", "paused", "removed"]

MOST_CHANNELS: Final = 20
"""How many channels the operator, or a partner, can have."""
MOST_RECIPIENTS: Final = 20
LONGEST_ADDRESS: Final = 254
LONGEST_DESCRIPTION: Final = 200
MESSAGE_EVERY: Final = timedelta(minutes=5)
"""A channel gets at most one message in this time; what happens meanwhile goes into the next."""
SHORTEST_DIGEST: Final = 15
LONGEST_DIGEST: Final = 7 * 24 * 60
DEFAULT_DIGEST: Final = 60
"""Minutes after a message during which causes that only grow aren't reported again."""

_ADDRESS: Final = re.compile(
    r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~.-]{1,64}@"
    r"[A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?(\.[A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?)*",
    re.ASCII,
)
_TIME: Final = re.compile(r"([01][0-9]|2[0-3]):[0-5][0-9]", re.ASCII)


@frozen
class QuietHours:
    """Hours of each day, in the local time of a zone, in which only critical alerts are sent.

    From `start` up to `end`, both as HH:MM; past midnight if `end` is earlier.
    """

    IDENTITY: ClassVar = "QuietHours({0.start!r}, {0.end!r}, {0.time_zone!r})"
    start: str
    end: str
    time_zone: str = "UTC"

    def __attrs_post_init__(self) -> None:
        """Checks them; InvalidInput lists every fault at once."""
        refuse_if(
            "The quiet hours aren't valid.",
            *(
                (
                    not _TIME.fullmatch(value),
                    Fault(f"/quiet_hours/{name}", "bad_time", "Use HH:MM, from 00:00 to 23:59."),
                )
                for name, value in (("start", self.start), ("end", self.end))
            ),
            (
                self.start == self.end,
                Fault(
                    "/quiet_hours/end", "bad_quiet_hours", "The end can't be the same as the start."
                ),
            ),
        )
        zone_of(self.time_zone, "/quiet_hours/time_zone")

    def contain(self, moment: datetime) -> bool:
        """Whether the moment is within them."""
        zone = zone_of(self.time_zone, "/quiet_hours/time_zone")
        local = moment.astimezone(zone).time().replace(tzinfo=None)
        start, end = time.fromisoformat(self.start), time.fromisoformat(self.end)
        if start < end:
            return start <= local < end
        return local >= start or local < end


@frozen(kw_only=True)
class Channel:
    """Where alerts go: by mail to `recipients`, or to the webhook `url`, signed with a secret.

    It gets those of `severities` about `kinds` of causes (none stands for all); a partner's only
    what concerns that partner (`partner_id` None: the operator's, which gets all). `messaged_at` is
    when it last got a message. `failing_since` is since when messages can't be sent, and `error`
    the code of the last failure.
    """

    channel_id: str
    partner_id: str | None
    recipients: tuple[str, ...] = ()
    url: str | None = None
    sealed: str | None = field(default=None, repr=False)
    severities: tuple[Severity, ...] = SEVERITIES
    kinds: tuple[ItemKind, ...] = ()
    quiet_hours: QuietHours | None = None
    digest_minutes: int = DEFAULT_DIGEST
    description: str | None = None
    status: Status = "active"
    created_at: datetime
    updated_at: datetime
    messaged_at: datetime | None = None
    failing_since: datetime | None = None
    error: str | None = None

    def __attrs_post_init__(self) -> None:
        """Checks the channel; InvalidInput lists every fault at once."""
        refuse_if("The channel can't be saved.", *_faults(self))

    def wants(self, kind: ItemKind, severity: Severity) -> bool:
        """Whether causes of that kind concern this channel."""
        return severity in self.severities and (not self.kinds or kind in self.kinds)

    def is_quiet(self, severity: Severity, now: datetime) -> bool:
        """Whether messages of that severity have to wait for the end of the quiet hours."""
        quiet = self.quiet_hours
        return severity != "critical" and quiet is not None and quiet.contain(now)

    def is_free(self, now: datetime) -> bool:
        """Whether enough time has passed since the last message."""
        return self.messaged_at is None or now - self.messaged_at >= MESSAGE_EVERY

    def check_changeable(self) -> None:
        """Conflict if it was removed."""
        if self.status == "removed":
            raise Conflict("This channel was removed.", code="channel_removed")

    def removed(self, now: datetime) -> "Channel":
        """The channel as it is once it was removed: without its secret."""
        return evolve(self, status="removed", sealed=None, updated_at=now)


@frozen
class ChannelQuery:
    """Selects channels, newest first; removed ones only by that status."""

    IDENTITY: ClassVar = "ChannelQuery(partner_id={0.partner_id!r}, status={0.status!r})"
    partner_id: str | None = None
    status: Status | None = None


SCOPE_OF: Final[dict[ItemKind, Scope]] = {
    "oversold": "catalog:read",
    "statement": "money:read",
    "webhook": "webhooks:read",
}
"""The scope that shows each kind of cause, unless that is `feeds:read`."""


def kinds_for(principal: Principal, kinds: Sequence[ItemKind]) -> tuple[ItemKind, ...]:
    """The kinds that a channel of this principal gets: those asked for, else all it may see.

    Forbidden if one of those asked for needs a scope that the principal lacks, or if it may see
    none.
    """
    for kind in kinds:
        principal.require(_scope_of(kind))
    if kinds:
        return tuple(kind for kind in ITEM_KINDS if kind in kinds)
    seen: tuple[ItemKind, ...] = tuple(
        kind for kind in ITEM_KINDS if _scope_of(kind) in principal.scopes
    )
    if not seen:
        principal.require(_scope_of(ITEM_KINDS[0]))
    return () if seen == ITEM_KINDS else seen


def _scope_of(kind: ItemKind) -> Scope:
    return SCOPE_OF.get(kind, "feeds:read")


def _faults(channel: Channel) -> list[tuple[bool, Fault]]:
    recipients, text = channel.recipients, channel.description or ""
    return [
        (
            bool(recipients) == (channel.url is not None),
            Fault("/recipients", "bad_channel", "Specify either recipients or a URL."),
        ),
        (
            len(recipients) > MOST_RECIPIENTS,
            Fault("/recipients", "too_many", f"Use at most {MOST_RECIPIENTS} recipients."),
        ),
        *(
            (
                len(address) > LONGEST_ADDRESS or not _ADDRESS.fullmatch(address),
                Fault(
                    f"/recipients/{place}",
                    "bad_mail_address",
                    "Use a plain address such as ops@example.com, in ASCII.",
                ),
            )
            for place, address in enumerate(recipients[: MOST_RECIPIENTS + 1])
        ),
        (not channel.severities, Fault("/severities", "not_enough", "Use at least one.")),
        (
            not SHORTEST_DIGEST <= channel.digest_minutes <= LONGEST_DIGEST,
            Fault(
                "/digest_minutes",
                "bad_digest",
                f"Use {SHORTEST_DIGEST} to {LONGEST_DIGEST:,} minutes.",
            ),
        ),
        (
            len(text) > LONGEST_DESCRIPTION or bool(UNSTORABLE.search(text)),
            Fault("/description", "too_long", f"Use at most {LONGEST_DESCRIPTION} characters."),
        ),
    ]
