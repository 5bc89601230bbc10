"""Routes of alerts: who gets messages about what needs a person, and the log of them."""

from typing import Literal

from attrs import frozen

from commerce_core.activity.inbox import ItemKind, Severity
from commerce_core.alerts.alert import Alert, AlertQuery, AlertStatus
from commerce_core.alerts.channel import (
    DEFAULT_DIGEST,
    LONGEST_DIGEST,
    SHORTEST_DIGEST,
    Channel,
    ChannelQuery,
    QuietHours,
    Status,
)
from commerce_core.commerce import Commerce
from commerce_core.usecases.alerts import IssuedChannel
from commerce_core.usecases.context import IdempotencyKey, Listed
from entrypoints.http.kit.handlers import delete, get, patch, post
from entrypoints.http.kit.queries import Page, WhoseQuery
from entrypoints.reading import MISSING, optional, required, sent
from entrypoints.scalars import ChannelId, PartnerId


@frozen(kw_only=True)
class QuietTimes:
    """Hours of each day in which only critical alerts are sent."""

    start: str = required("Local time at which they start, as HH:MM.")
    end: str = required("Local time at which they end; past midnight if it is earlier.")
    time_zone: str = optional("UTC", "Time zone, such as Europe/Berlin.")

    @property
    def hours(self) -> QuietHours:
        """The hours as the core takes them."""
        return QuietHours(self.start, self.end, self.time_zone)


_DIGEST = "Minutes after a message during which causes that only grow aren't reported again."


@frozen(kw_only=True)
class NewChannel:
    """An alert channel to add: by mail to recipients, or to a webhook."""

    recipients: tuple[str, ...] = optional((), "Mail addresses to send to.")
    url: str | None = optional(None, "Address to call instead: https, and at a public address.")
    severities: tuple[Severity, ...] = optional((), "Severities that it gets (default: all).")
    kinds: tuple[ItemKind, ...] = optional((), "Kinds of causes that it gets (default: all).")
    partner_id: PartnerId | None = optional(None, "Only causes that concern this partner.")
    quiet_hours: QuietTimes | None = optional(
        None, "Hours in which only critical alerts are sent (default: none)."
    )
    digest_minutes: int = optional(
        DEFAULT_DIGEST, _DIGEST, minimum=SHORTEST_DIGEST, maximum=LONGEST_DIGEST
    )
    description: str | None = optional(None, "What it is for.")


@frozen(kw_only=True)
class ChannelChange:
    """Changes to an alert channel; omitted fields stay as they are."""

    recipients: tuple[str, ...] = optional(MISSING, "Mail addresses to send to.")
    severities: tuple[Severity, ...] = optional(
        MISSING, "Severities; an empty list stands for all."
    )
    kinds: tuple[ItemKind, ...] = optional(
        MISSING, "Kinds of causes; an empty list stands for all."
    )
    quiet_hours: QuietTimes | None = optional(MISSING, "Quiet hours; null ends them.")
    digest_minutes: int = optional(
        MISSING, _DIGEST, minimum=SHORTEST_DIGEST, maximum=LONGEST_DIGEST
    )
    description: str = optional(MISSING, "What it is for.")
    status: Literal["active", "paused"] = optional(MISSING, "`paused`, or `active` again.")


@frozen(kw_only=True)
class ChannelFilters(WhoseQuery, Page):
    """Filters of alert channels."""

    status: Status | None = optional(
        None, "Only those with this status; removed ones are listed only if asked for."
    )


@frozen(kw_only=True)
class AlertFilters(WhoseQuery, Page):
    """Filters of alerts."""

    channel_id: ChannelId | None = optional(None, "Only those of this channel.")
    status: AlertStatus | None = optional(None, "Only those with this status.")


@post(
    "/alert-channels",
    scope="alerts:write",
    status=(201,),
    refuses=[404, 409],
    location="/v1/alert-channels/{.channel.channel_id}",
    example={"url": "https://example.com/alerts", "severities": ["critical", "warning"]},
)
def add_channel(
    commerce: Commerce, payload: NewChannel, key: IdempotencyKey | None
) -> IssuedChannel:
    """Adds an alert channel; the secret of a webhook is shown in this response only.

    What is in the inbox already is reported in its first message.
    """
    return commerce.alerts.add(
        recipients=payload.recipients,
        url=payload.url,
        severities=payload.severities,
        kinds=payload.kinds,
        partner=payload.partner_id,
        quiet_hours=payload.quiet_hours and payload.quiet_hours.hours,
        digest_minutes=payload.digest_minutes,
        description=payload.description,
        key=key,
    )


@get("/alert-channels", scope="alerts:read")
def list_channels(commerce: Commerce, parameters: ChannelFilters) -> Listed[Channel]:
    """Lists alert channels, newest first."""
    return commerce.alerts.page(
        ChannelQuery(status=parameters.status),
        parameters.cursor,
        parameters.limit,
        partner=parameters.partner,
        count=parameters.count,
    )


@get("/alert-channels/{channel_id:str}", scope="alerts:read")
def get_channel(commerce: Commerce, channel_id: ChannelId) -> Channel:
    """Shows an alert channel, and whether messages to it fail."""
    return commerce.alerts.get(channel_id)


@patch(
    "/alert-channels/{channel_id:str}",
    scope="alerts:write",
    refuses=[409],
    example={"quiet_hours": {"start": "22:00", "end": "07:00", "time_zone": "Europe/Berlin"}},
)
def change_channel(commerce: Commerce, channel_id: ChannelId, payload: ChannelChange) -> Channel:
    """Changes, pauses or resumes an alert channel."""
    changes = sent(payload)
    if "quiet_hours" in changes:
        quiet = payload.quiet_hours
        changes["quiet_hours"] = "none" if quiet is None else quiet.hours
    return commerce.alerts.change(channel_id, **changes)


@delete("/alert-channels/{channel_id:str}", scope="alerts:write")
def remove_channel(commerce: Commerce, channel_id: ChannelId) -> Channel:
    """Removes an alert channel, permanently; does nothing if it is already removed."""
    return commerce.alerts.remove(channel_id)


@post("/alert-channels/{channel_id:str}/test", scope="alerts:write", refuses=[409])
def send_test_alert(commerce: Commerce, channel_id: ChannelId) -> Alert:
    """Sends a sample at once, and shows what became of it; it isn't kept in the log."""
    return commerce.alerts.test(channel_id)


@get("/alerts", scope="alerts:read")
def list_alerts(commerce: Commerce, parameters: AlertFilters) -> Listed[Alert]:
    """Lists the alerts of the last thirty days, newest first."""
    return commerce.alerts.alert_page(
        AlertQuery(channel_id=parameters.channel_id, status=parameters.status),
        parameters.cursor,
        parameters.limit,
        partner=parameters.partner,
        count=parameters.count,
    )


ROUTES = (
    add_channel,
    list_channels,
    get_channel,
    change_channel,
    remove_channel,
    send_test_alert,
    list_alerts,
)
