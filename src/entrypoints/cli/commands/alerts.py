"""`commerce alerts`: who gets messages about what needs a person, and the log of them."""

import re
from typing import TYPE_CHECKING, Any, Final

import click

from entrypoints.cli.kit.verbs import Session, limit_option, noun, partner_option

if TYPE_CHECKING:
    from collections.abc import Iterator

    from commerce_core.activity.inbox import ItemKind, Severity
    from commerce_core.alerts.alert import Alert, AlertStatus
    from commerce_core.alerts.channel import Channel, QuietHours
    from entrypoints.cli.kit.tables import Column

alerts: Final = noun("alerts", "Send messages about what needs a person, and see what was sent.")
_SEVERITIES: Final = ("critical", "warning", "info")
_KINDS: Final = ("held", "oversold", "statement", "late", "failed", "rejects", "webhook")
_STATUSES: Final = ("pending", "sent", "failed")
_SPAN: Final = re.compile(r"([0-9]{2}:[0-9]{2})-([0-9]{2}:[0-9]{2})", re.ASCII)


class _Span(click.ParamType[tuple[str, str]]):
    """Two local times, such as 22:00-07:00; or `none`."""

    name = "hours"

    def convert(
        self, value: object, param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[str, str]:
        if value == "none" or isinstance(value, tuple):
            return ("", "")
        if (found := _SPAN.fullmatch(str(value))) is None:
            self.fail(f"{value!r} is not a span such as 22:00-07:00.", param, ctx)
        return found[1], found[2]


_mail = click.option(
    "--mail",
    "recipients",
    multiple=True,
    metavar="ADDRESS",
    help="E-mail address to send to; repeatable.",
)


def _severities(default: str | None) -> Any:  # noqa: ANN401 - a decorator
    return _only("severity", "severities", _SEVERITIES, default)


def _kinds(default: str | None) -> Any:  # noqa: ANN401 - a decorator
    return _only("kind", "kinds", _KINDS, default)


def _only(what: str, name: str, choices: tuple[str, ...], default: str | None) -> Any:  # noqa: ANN401
    return click.option(
        f"--{what}",
        name,
        type=click.Choice(choices),
        multiple=True,
        show_default=default or False,
        help=f"Only causes of this {what}; repeatable.",
    )


def _digest(default: str | None) -> Any:  # noqa: ANN401 - a decorator
    return click.option(
        "--digest",
        "digest_minutes",
        type=click.IntRange(min=1),
        metavar="MINUTES",
        show_default=default or False,
        help="Minutes after a message during which causes that only grow aren't reported again.",
    )


_description = click.option("--description", metavar="TEXT", help="What it is for.")


def _quiet(help_: str) -> Any:  # noqa: ANN401 - a decorator
    return click.option("--quiet", type=_Span(), metavar="HH:MM-HH:MM", help=help_)


_zone = click.option("--zone", metavar="ZONE", help="Time zone of the quiet hours.")


@alerts.verb("add", scope="alerts:write")
@_mail
@click.option("--url", help="Webhook to call instead of sending mail.")
@_severities("all")
@_kinds("all")
@partner_option("Only causes that concern this partner.")
@_quiet("Local hours in which only critical alerts are sent.")
@_zone
@_digest("60")
@_description
def add(
    session: Session,
    *,
    recipients: tuple[str, ...],
    url: str | None,
    severities: "tuple[Severity, ...]",
    kinds: "tuple[ItemKind, ...]",
    partner: str | None,
    quiet: tuple[str, str] | None,
    zone: str | None,
    digest_minutes: int | None,
    description: str | None,
) -> None:
    """Add an alert channel: e-mail or a webhook.

    The secret of a webhook is shown once.
    """
    from commerce_core.alerts.channel import DEFAULT_DIGEST

    issued = session.commerce.alerts.add(
        recipients=recipients,
        url=url,
        severities=severities,
        kinds=kinds,
        partner=partner,
        quiet_hours=_hours(quiet, zone),
        digest_minutes=digest_minutes or DEFAULT_DIGEST,
        description=description,
    )
    if session.out.as_json:
        session.out.document(issued)
        return
    secret = [("secret", issued.secret)] if issued.secret else []
    session.out.fields([*_fields(issued.channel), *secret])
    if secret:
        session.out.line("The secret won't be shown again. Receivers verify messages with it.")


@alerts.verb("list", scope="alerts:read")
@partner_option("Only channels of this partner.")
@limit_option
def list_(session: Session, partner: str | None, limit: int | None) -> None:
    """List the channels, newest first."""
    from entrypoints.cli.kit.output import moment
    from entrypoints.cli.kit.tables import Column

    columns: list[Column[Channel]] = [
        Column("id", lambda c: c.channel_id),
        Column("status", lambda c: c.status),
        Column("failing since (UTC)", lambda c: moment(c.failing_since)),
        Column("severities", lambda c: " ".join(c.severities), crops=True),
        Column("to", lambda c: c.url or " ".join(c.recipients), crops=True),
        Column("description", lambda c: c.description or "", crops=True, from_width=120),
    ]
    found = session.commerce.alerts.list(partner=partner)
    session.out.many(found, columns, limit, "There are no channels.")


@alerts.verb("show", scope="alerts:read")
@click.argument("channel")
def show(session: Session, channel: str) -> None:
    """Show a channel."""
    found = session.commerce.alerts.get(channel)
    session.out.one(found, lambda: _fields(found))


@alerts.verb("set", scope="alerts:write")
@click.argument("channel")
@_mail
@_severities(None)
@click.option("--all-severities", is_flag=True, help="Report causes of all severities again.")
@_kinds(None)
@click.option("--all-kinds", is_flag=True, help="Report causes of all kinds again.")
@_quiet("Local hours in which only critical alerts are sent; none ends them.")
@_zone
@_digest(None)
@_description
@click.option("--status", type=click.Choice(("active", "paused")), help="Pause or resume it.")
def set_(
    session: Session,
    channel: str,
    *,
    quiet: tuple[str, str] | None,
    zone: str | None,
    all_severities: bool,
    all_kinds: bool,
    **given: Any,  # noqa: ANN401 of the options
) -> None:
    """Change, pause or resume a channel. What you don't specify stays as it is."""
    changes = {name: value for name, value in given.items() if value not in (None, ())}
    for name, one, is_all in (
        ("severities", "severity", all_severities),
        ("kinds", "kind", all_kinds),
    ):
        if is_all and name in changes:
            text = f"Specify --{one} or --all-{name}."
            raise click.UsageError(text, click.get_current_context())
        if is_all:
            changes[name] = ()
    if quiet is not None or zone is not None:
        changes["quiet_hours"] = "none" if quiet == ("", "") else _hours(quiet, zone)
    if not changes:
        raise click.UsageError("Specify at least one option.", click.get_current_context())
    changed = session.commerce.alerts.change(channel, **changes)
    session.out.one(changed, lambda: _fields(changed))


@alerts.verb("remove", scope="alerts:write")
@click.argument("channel")
def remove(session: Session, channel: str) -> None:
    """Remove a channel, permanently.

    The log of its alerts is kept.
    """
    removed = session.commerce.alerts.remove(channel)
    session.out.one(removed, lambda: [("id", removed.channel_id), ("status", removed.status)])


@alerts.verb("test", scope="alerts:write")
@click.argument("channel")
def test(session: Session, channel: str) -> None:
    """Send a sample at once, and show what became of it."""
    sample = session.commerce.alerts.test(channel)
    session.out.one(
        sample,
        lambda: [
            ("id", sample.alert_id),
            ("status", sample.status),
            ("error", sample.error or ""),
        ],
    )


@alerts.verb("log", scope="alerts:read")
@click.option("--channel", metavar="CHANNEL", help="Only those of this channel.")
@click.option("--status", type=click.Choice(_STATUSES), help="Only those with this status.")
@partner_option("Only those of this partner's channels.")
@limit_option
def log(
    session: Session,
    *,
    channel: str | None,
    status: "AlertStatus | None",
    partner: str | None,
    limit: int | None,
) -> None:
    """List the alerts of the last thirty days, newest first."""
    from commerce_core.alerts.alert import AlertQuery

    found = session.commerce.alerts.alerts(
        AlertQuery(channel_id=channel, status=status), partner=partner
    )
    session.out.many(found, _alert_columns(), limit, "There are no alerts.")


def _hours(quiet: tuple[str, str] | None, zone: str | None) -> "QuietHours | None":
    from commerce_core.alerts.channel import QuietHours

    if quiet is None or quiet == ("", ""):
        if zone is not None:
            raise click.UsageError("--zone needs --quiet with hours.", click.get_current_context())
        return None
    return QuietHours(*quiet, zone or "UTC")


def _fields(channel: "Channel") -> "Iterator[tuple[str, str]]":
    from entrypoints.cli.kit.output import moment_utc

    quiet = channel.quiet_hours
    yield "id", channel.channel_id
    yield "to", channel.url or " ".join(channel.recipients)
    yield "severities", " ".join(channel.severities)
    yield "kinds", " ".join(channel.kinds) or "all"
    yield "partner", channel.partner_id or "all"
    yield "quiet hours", f"{quiet.start}-{quiet.end} {quiet.time_zone}" if quiet else ""
    yield "digest", f"after {channel.digest_minutes:,} minutes"
    yield "description", channel.description or ""
    yield "status", channel.status
    yield "failing since", moment_utc(channel.failing_since) if channel.failing_since else ""
    yield "error", channel.error or ""


def _alert_columns() -> "list[Column[Alert]]":
    from commerce_core.alerts.wording import subject_of
    from entrypoints.cli.kit.output import moment
    from entrypoints.cli.kit.tables import Column

    return [
        Column("made (UTC)", lambda a: moment(a.created_at)),
        Column("status", lambda a: a.status),
        Column("tries", lambda a: str(a.attempts), right=True),
        Column("error", lambda a: a.error or ""),
        Column("subject", subject_of, wraps=True),
        Column("next try (UTC)", lambda a: moment(a.next_at), from_width=120),
        Column("id", lambda a: a.alert_id, from_width=140),
        Column("channel", lambda a: a.channel_id, from_width=180),
    ]
