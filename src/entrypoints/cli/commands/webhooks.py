"""`commerce webhooks`: who is called about which events, and the log of their deliveries."""

from datetime import datetime
from typing import TYPE_CHECKING, Any, Final

import click

from entrypoints.cli.kit.output import notice
from entrypoints.cli.kit.verbs import Moment, Session, in_utc, limit_option, noun, partner_option

if TYPE_CHECKING:
    from collections.abc import Iterator

    from commerce_core.activity.events import EventKind
    from commerce_core.usecases.webhooks import IssuedWebhook
    from commerce_core.webhooks.delivery import Delivery, Try
    from commerce_core.webhooks.subscription import Webhook
    from entrypoints.cli.kit.output import Output
    from entrypoints.cli.kit.tables import Column

webhooks: Final = noun("webhooks", "Send events to other systems, and see what was sent.")
_STATUSES: Final = ("delivered", "failed", "missed")
_ALL_STATUSES: Final = ("pending", "sending", *_STATUSES)


class _EventKindName(click.ParamType[str]):
    """The kind of an event; the core's list is imported only when needed."""

    name = "kind"

    def convert(
        self, value: object, param: click.Parameter | None, ctx: click.Context | None
    ) -> str:
        from commerce_core.activity.events import EVENT_KINDS

        if value not in EVENT_KINDS:
            self.fail(f"{value!r} is not one of: {', '.join(EVENT_KINDS)}.", param, ctx)
        return str(value)


def _kinds(default: str | None) -> Any:  # noqa: ANN401 - a decorator
    return click.option(
        "--kind",
        "kinds",
        type=_EventKindName(),
        multiple=True,
        show_default=default or False,
        help="Only events of this kind, such as feed.held; repeatable.",
    )


_kind = click.option("--kind", type=_EventKindName(), help="Only events of this kind.")
_description = click.option("--description", metavar="TEXT", help="What it is for.")


@webhooks.verb("add", scope="webhooks:write")
@click.argument("url")
@_kinds("all kinds")
@partner_option("Only events that concern this partner.")
@click.option("--thin", is_flag=True, help="Send only the ids of the objects an event is about.")
@click.option(
    "--ordered",
    is_flag=True,
    help="Hold a message back until earlier ones about the same subject are delivered.",
)
@_description
def add(
    session: Session,
    url: str,
    *,
    kinds: "tuple[EventKind, ...]",
    partner: str | None,
    thin: bool,
    ordered: bool,
    description: str | None,
) -> None:
    """Add a webhook, and show its secret once."""
    issued = session.commerce.webhooks.add(
        url,
        kinds=kinds,
        partner=partner,
        body="thin" if thin else "full",
        ordered=ordered,
        description=description,
    )
    _show_secret(session.out, issued)


@webhooks.verb("rotate", scope="webhooks:write")
@click.argument("webhook")
@click.option(
    "--grace",
    "hours",
    type=click.IntRange(min=0),
    default=24,
    show_default=True,
    metavar="HOURS",
    help="Hours for which messages are also signed with the older secrets.",
)
def rotate(session: Session, webhook: str, hours: int) -> None:
    """Give a webhook a new secret, and show it once."""
    _show_secret(session.out, session.commerce.webhooks.rotate(webhook, grace_hours=hours))


@webhooks.verb("list", scope="webhooks:read")
@partner_option("Only webhooks of this partner.")
@limit_option
def list_(session: Session, partner: str | None, limit: int | None) -> None:
    """List the webhooks, newest first."""
    from entrypoints.cli.kit.output import moment
    from entrypoints.cli.kit.tables import Column

    columns: list[Column[Webhook]] = [
        Column("id", lambda w: w.webhook_id),
        Column("status", lambda w: w.status),
        Column("failing since (UTC)", lambda w: moment(w.failing_since)),
        Column("kinds", lambda w: " ".join(w.kinds) or "all", crops=True),
        Column("url", lambda w: w.url, crops=True),
        Column("description", lambda w: w.description or "", crops=True, from_width=120),
    ]
    found = session.commerce.webhooks.list(partner=partner)
    session.out.many(found, columns, limit, "There are no webhooks.")


@webhooks.verb("show", scope="webhooks:read")
@click.argument("webhook")
def show(session: Session, webhook: str) -> None:
    """Show a webhook."""
    found = session.commerce.webhooks.get(webhook)
    session.out.one(found, lambda: _fields(found))


@webhooks.verb("set", scope="webhooks:write")
@click.argument("webhook")
@click.option("--url", help="New address.")
@_kinds(None)
@click.option("--all-kinds", is_flag=True, help="Send events of all kinds again.")
@click.option("--status", type=click.Choice(("active", "paused")), help="Pause it, or enable it.")
@click.option("--body", type=click.Choice(("full", "thin")), help="Whole events, or only ids.")
@click.option(
    "--ordered/--unordered",
    default=None,
    help="Whether messages about a subject wait for each other.",
)
@_description
def set_(session: Session, webhook: str, *, all_kinds: bool, **given: Any) -> None:  # noqa: ANN401
    """Change, pause or enable a webhook. What you don't specify stays as it is."""
    changes = {name: value for name, value in given.items() if value not in (None, ())}
    if all_kinds:
        if "kinds" in changes:
            raise click.UsageError("Specify --kind or --all-kinds.", click.get_current_context())
        changes["kinds"] = ()
    if not changes:
        raise click.UsageError("Specify at least one option.", click.get_current_context())
    changed = session.commerce.webhooks.change(webhook, **changes)
    session.out.one(changed, lambda: _fields(changed))
    if changed.missed and changed.status == "active":
        notice(f"{changed.missed:,} deliveries were missed. To send them:")
        command = ("webhooks", "redeliver", changed.webhook_id, "--status", "missed")
        notice(session.command_line(*command))


@webhooks.verb("remove", scope="webhooks:write")
@click.argument("webhook")
def remove(session: Session, webhook: str) -> None:
    """Remove a webhook, permanently.

    The log of its deliveries is kept.
    """
    removed = session.commerce.webhooks.remove(webhook)
    session.out.one(removed, lambda: [("id", removed.webhook_id), ("status", removed.status)])


@webhooks.verb("test", scope="webhooks:write")
@click.argument("webhook")
@_kinds("those of the webhook")
def test(session: Session, webhook: str, kinds: "tuple[EventKind, ...]") -> None:
    """Send samples, and show the receiver's answers.

    One of each kind that the webhook is about, unless --kind names others.
    """
    from commerce_core.activity.events import EVENT_KINDS
    from entrypoints.cli.kit.tables import Column

    chosen = kinds or session.commerce.webhooks.get(webhook).kinds or EVENT_KINDS
    columns: list[Column[tuple[str, Try]]] = [
        Column("kind", lambda row: row[0]),
        Column("answer", lambda row: _answer(row[1])),
        Column("seconds", lambda row: f"{sum(row[1].seconds.values()):.3f}"),
        Column("text", lambda row: row[1].answer, crops=True, from_width=100),
    ]

    def tried() -> "Iterator[tuple[str, Try]]":
        for kind in chosen:
            yield kind, session.commerce.webhooks.test(webhook, kind)

    if session.out.as_json:
        for kind, sample in tried():
            session.out.document({"kind": kind, "try": sample})
    else:
        session.out.many(tried(), columns, None, "")


@webhooks.verb("deliveries", scope="webhooks:read")
@click.argument("delivery", required=False)
@click.option("--webhook", metavar="WEBHOOK", help="Only those of this webhook.")
@click.option("--status", type=click.Choice(_ALL_STATUSES), help="Only those with this status.")
@_kind
@click.option("--event", metavar="EVENT", help="Only those of this event.")
@partner_option("Only those of this partner's webhooks.")
@limit_option
def deliveries(
    session: Session,
    delivery: str | None,
    *,
    webhook: str | None,
    status: Any,  # noqa: ANN401 one of the choices
    kind: "EventKind | None",
    event: str | None,
    partner: str | None,
    limit: int | None,
) -> None:
    """List the deliveries, newest first; or show the tries of one."""
    from commerce_core.webhooks.delivery import DeliveryQuery

    if delivery is not None:
        found = session.commerce.webhooks.delivery(delivery)
        if session.out.as_json:
            session.out.document(found)
        else:
            session.out.many(iter(found.tries), _try_columns(), limit, "It wasn't tried yet.")
        return
    query = DeliveryQuery(webhook_id=webhook, status=status, kind=kind, event_id=event)
    listed = session.commerce.webhooks.deliveries(query, partner=partner)
    session.out.many(listed, _delivery_columns(), limit, "There are no deliveries.")


@webhooks.verb("redeliver", scope="webhooks:write")
@click.argument("subject", metavar="DELIVERY|WEBHOOK")
@click.option(
    "--status",
    type=click.Choice(_STATUSES),
    show_default="all that are finished",
    help="For a webhook: only deliveries with this status.",
)
@_kind
@click.option(
    "--since",
    type=Moment(),
    help="For a webhook: only deliveries created at this time or later; UTC.",
)
@click.option("--plan", is_flag=True, help="Only count them.")
def redeliver(
    session: Session,
    subject: str,
    *,
    status: Any,  # noqa: ANN401 one of the choices
    kind: "EventKind | None",
    since: datetime | None,
    plan: bool,
) -> None:
    """Send deliveries again.

    One finished delivery, or those of a webhook that match every option.
    """
    from commerce_core.base.ids import looks_like
    from commerce_core.webhooks.delivery import DeliveryQuery

    if looks_like("dlv", subject):
        one = session.commerce.webhooks.redeliver_one(subject)
        session.out.one(one, lambda: [("id", one.delivery_id), ("status", one.status)])
        return
    query = DeliveryQuery(status=status, kind=kind, since=in_utc(since))
    done = session.commerce.webhooks.redeliver(subject, query, plan=plan)
    session.out.one(
        done,
        lambda: [
            ("deliveries", f"{done.deliveries:,}"),
            ("sent again", "no, only counted" if done.planned else "yes"),
            ("more left", "yes, repeat" if done.more else ""),
        ],
    )


@webhooks.verb("listen", scope=None)
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on.")
@click.option(
    "--port", default=8099, show_default=True, help="Port to listen on; 0 for any that is free."
)
@click.option(
    "--secret",
    "secrets",
    multiple=True,
    required=True,
    envvar="COMMERCE_WEBHOOK_SECRET",
    metavar="SECRET",
    help="Secret to verify messages with; repeatable, or in COMMERCE_WEBHOOK_SECRET.",
)
@click.option(
    "--limit",
    type=click.IntRange(min=1),
    help="Stop after this many messages (default: never).",
)
def listen(
    session: Session, host: str, port: int, secrets: tuple[str, ...], limit: int | None
) -> None:
    """Receive messages, verify them, and print them.

    It ends with Ctrl-C, or after --limit messages.
    """
    from commerce_core.webhooks.signature import check_secret
    from entrypoints.listener import listening

    for secret in secrets:
        check_secret(secret, "/secret")
    with listening(host, port, secrets) as (address, received):
        notice(f"Listening at {address} (press Ctrl-C to stop).")
        for number, message in enumerate(received(), start=1):
            session.out.document(message) if session.out.as_json else session.out.line(message.line)
            if number == limit:
                return


def _show_secret(out: "Output", issued: "IssuedWebhook") -> None:
    if out.as_json:
        out.document(issued)
        return
    out.fields([*_fields(issued.webhook), ("secret", issued.secret or "")])
    out.line("The secret won't be shown again. Receivers verify messages with it.")


def _fields(webhook: "Webhook") -> "Iterator[tuple[str, str]]":
    from entrypoints.cli.kit.output import moment_utc

    yield "id", webhook.webhook_id
    yield "url", webhook.url
    yield "kinds", " ".join(webhook.kinds) or "all"
    yield "partner", webhook.partner_id or "all"
    yield "body", webhook.body + (", ordered" if webhook.ordered else "")
    yield "description", webhook.description or ""
    reason = f" ({webhook.disabled_reason})" if webhook.disabled_reason else ""
    yield "status", webhook.status + reason
    yield "failing since", moment_utc(webhook.failing_since) if webhook.failing_since else ""
    yield "missed", f"{webhook.missed:,}" if webhook.missed else ""


def _answer(tried: "Try | Delivery") -> str:
    """The status that was answered, or the code of what went wrong."""
    parts = [str(part) for part in (tried.http_status, tried.error) if part]
    return " ".join(parts)


def _delivery_columns() -> "list[Column[Delivery]]":
    from entrypoints.cli.kit.output import moment
    from entrypoints.cli.kit.tables import Column

    return [
        Column("written (UTC)", lambda d: moment(d.created_at)),
        Column("event", lambda d: d.kind),
        Column("status", lambda d: d.status),
        Column("tries", lambda d: str(d.attempts)),
        Column("answer", _answer),
        Column("next try (UTC)", lambda d: moment(d.next_at)),
        Column("id", lambda d: d.delivery_id),
        Column("webhook", lambda d: d.webhook_id, from_width=140),
    ]


def _try_columns() -> "list[Column[Try]]":
    from entrypoints.cli.kit.output import moment
    from entrypoints.cli.kit.tables import Column

    return [
        Column("try", lambda t: str(t.number)),
        Column("time (UTC)", lambda t: moment(t.at)),
        Column("answer", _answer),
        Column("seconds", lambda t: ", ".join(f"{n} {s:.3f}" for n, s in t.seconds.items())),
        Column("next try (UTC)", lambda t: moment(t.next_at)),
        Column("text", lambda t: t.answer, crops=True, from_width=100),
    ]
