"""Alerts: channels and their forms, a sample on request, and the log of what was sent."""

import secrets
from collections.abc import Mapping
from typing import Any, Final, Literal, get_args

from attrs import frozen

from commerce_core.activity.inbox import ITEM_KINDS, SEVERITIES
from commerce_core.alerts.alert import AlertQuery, AlertStatus
from commerce_core.alerts.channel import (
    DEFAULT_DIGEST,
    LONGEST_DIGEST,
    SHORTEST_DIGEST,
    Channel,
    QuietHours,
)
from commerce_core.commerce import Commerce
from commerce_core.usecases.context import IdempotencyKey
from entrypoints.dashboard.kit.pages import Goto, act, page
from entrypoints.dashboard.kit.paging import Paging
from entrypoints.dashboard.kit.rendering import View
from entrypoints.dashboard.pages.shown import partner_names
from entrypoints.http.kit.queries import WhoseQuery
from entrypoints.links import path_of
from entrypoints.reading import optional, required
from entrypoints.scalars import ChannelId

STATUSES: Final = get_args(AlertStatus)


@frozen(kw_only=True)
class Log(WhoseQuery):
    """Which alerts."""

    channel_id: ChannelId | None = optional(None, "Channel.")
    status: AlertStatus | None = optional(None, "Status.")
    cursor: str | None = optional(None, "Where the page begins.")


@frozen(kw_only=True, slots=False)
class Terms:
    """What a channel gets, and when; nothing chosen of severities or kinds stands for all."""

    severities: Mapping[str, bool] = optional({}, "Severities.")
    kinds: Mapping[str, bool] = optional({}, "Kinds.")
    recipients: str | None = optional(None, "Mail addresses, one in each line.")
    quiet_start: str | None = optional(None, "Start of the quiet hours.")
    quiet_end: str | None = optional(None, "End of the quiet hours.")
    quiet_zone: str = optional("UTC", "Time zone of the quiet hours.")
    digest_minutes: int = optional(
        DEFAULT_DIGEST, "Minutes.", minimum=SHORTEST_DIGEST, maximum=LONGEST_DIGEST
    )
    description: str | None = optional(None, "What it is for.")

    @property
    def addresses(self) -> tuple[str, ...]:
        """The mail addresses."""
        return tuple((self.recipients or "").replace(",", " ").split())

    @property
    def quiet_hours(self) -> QuietHours | None:
        """The quiet hours; None unless one of their ends is given."""
        if not (self.quiet_start or self.quiet_end):
            return None
        return QuietHours(self.quiet_start or "", self.quiet_end or "", self.quiet_zone)

    @property
    def chosen(self) -> dict[str, Any]:
        """What both adding and changing take."""
        return {
            "severities": [one for one in SEVERITIES if self.severities.get(one)],
            "kinds": [one for one in ITEM_KINDS if self.kinds.get(one)],
            "digest_minutes": self.digest_minutes,
        }


@frozen(kw_only=True)
class NewChannel(Terms):
    """A channel to add; sent twice, it is added once."""

    url: str | None = optional(None, "Webhook.")
    partner_name: str | None = optional(None, "Only what concerns this partner.")
    once: str = required("What makes this form another one.")


@frozen(kw_only=True)
class NewStatus:
    """Whether a channel gets messages."""

    status: Literal["active", "paused"] = required("Status.")


@page("/alert-channels", scope="alerts:read")
def show_channels(commerce: Commerce, parameters: Paging) -> View:
    """Lists alert channels, newest first."""
    channels = commerce.alerts.page(cursor=parameters.cursor)
    owners = (one.partner_id for one in channels.items if one.partner_id)
    values = {
        "channels": channels,
        "names": partner_names(commerce, owners),
        "once": secrets.token_hex(16),
        "has_mail": commerce.context.mail.is_set_up,
        **_choices(None),
    }
    return View(
        "channels.html", "Alert channels", values=values, curl="/alert-channels",
        command="alerts list",
    )  # fmt: skip


def _choices(channel: Channel | None) -> dict[str, Any]:
    """What the form of a channel offers."""
    return {
        "channel": channel,
        "SEVERITIES": SEVERITIES,
        "KINDS": ITEM_KINDS,
        "LEAST": SHORTEST_DIGEST,
        "MOST": LONGEST_DIGEST,
    }


@act("/alert-channels", scope="alerts:write")
def add_channel(commerce: Commerce, form: NewChannel) -> Goto | View:
    """Adds a channel; the secret of a webhook is on the page that follows, and on no other."""
    issued = commerce.alerts.add(
        recipients=form.addresses, url=form.url, partner=form.partner_name,
        quiet_hours=form.quiet_hours, description=form.description, key=IdempotencyKey(form.once),
        **form.chosen,
    )  # fmt: skip
    if issued.secret is None:
        return Goto(f"/alert-channels/{issued.channel.channel_id}", "Added. Test it.")
    values = {"channel": issued.channel, "secret": issued.secret}
    return View("channel-secret.html", "The secret of the channel", values=values)


@page("/alert-channels/{channel_id:str}", scope="alerts:read")
def show_channel(commerce: Commerce, channel_id: ChannelId) -> View:
    """Shows a channel, and the latest alerts that it got."""
    channel = commerce.alerts.get(channel_id)
    alerts = commerce.alerts.alert_page(AlertQuery(channel_id=channel.channel_id), limit=20)
    values = {
        "alerts": alerts,
        "to": _to(channel),
        "names": partner_names(commerce, [channel.partner_id] if channel.partner_id else []),
        "paths": _paths(alerts.items),
        **_choices(channel),
    }
    return View(
        "channel.html", _to(channel), values=values, curl=f"/alert-channels/{channel_id}",
        command=f"alerts show {channel_id}",
    )  # fmt: skip


def _to(channel: Channel) -> str:
    return channel.url or ", ".join(channel.recipients)


def _paths(alerts: Any) -> dict[str, str | None]:  # noqa: ANN401 - alerts
    """The page about the first cause of each alert."""
    return {
        alert.alert_id: path_of(first.kind, first.subject) if first.subject else None
        for alert in alerts
        for first in alert.entries[:1]
    }


@act("/alert-channels/{channel_id:str}", scope="alerts:write")
def change_channel(commerce: Commerce, channel_id: ChannelId, form: Terms) -> Goto:
    """Changes what a channel gets, and when."""
    channel = commerce.alerts.get(channel_id)
    commerce.alerts.change(
        channel_id, recipients=None if channel.url else form.addresses,
        quiet_hours=form.quiet_hours or "none", description=form.description or "", **form.chosen,
    )  # fmt: skip
    return Goto(f"/alert-channels/{channel_id}", "Saved.")


@act("/alert-channels/{channel_id:str}/status", scope="alerts:write")
def change_status(commerce: Commerce, channel_id: ChannelId, form: NewStatus) -> Goto:
    """Pauses a channel, or resumes it."""
    channel = commerce.alerts.change(channel_id, status=form.status)
    return Goto(f"/alert-channels/{channel_id}", f"Now {channel.status}.")


@act("/alert-channels/{channel_id:str}/test", scope="alerts:write", lane="decisions")
def test_channel(commerce: Commerce, channel_id: ChannelId) -> Goto:
    """Sends a sample at once."""
    sample = commerce.alerts.test(channel_id)
    done = "A sample was sent" if sample.status == "sent" else "The sample could not be sent"
    why = f": {sample.error.replace('_', ' ')}" if sample.error else ""
    return Goto(f"/alert-channels/{channel_id}", f"{done}{why}.")


@act("/alert-channels/{channel_id:str}/remove", scope="alerts:write")
def remove_channel(commerce: Commerce, channel_id: ChannelId) -> Goto:
    """Removes a channel for good."""
    commerce.alerts.remove(channel_id)
    return Goto("/alert-channels", "Removed. The log of its alerts is kept.")


@page("/alerts", scope="alerts:read")
def show_alerts(commerce: Commerce, parameters: Log) -> View:
    """Lists the alerts of the last thirty days, newest first."""
    query = AlertQuery(channel_id=parameters.channel_id, status=parameters.status)
    alerts = commerce.alerts.alert_page(query, parameters.cursor, partner=parameters.partner)
    channels = commerce.alerts.channels_of(alerts.items)
    values = {
        "alerts": alerts,
        "channels": {id_: _to(channel) for id_, channel in channels.items()},
        "paths": _paths(alerts.items),
        "filters": parameters,
        "STATUSES": STATUSES,
    }
    return View(
        "alerts.html", "Alerts sent", values=values, curl="/alerts", command="alerts log",
        saved_as="alerts",
    )  # fmt: skip


ROUTES = (
    show_channels,
    add_channel,
    show_channel,
    change_channel,
    change_status,
    test_channel,
    remove_channel,
    show_alerts,
)
