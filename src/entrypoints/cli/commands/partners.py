"""`commerce partners`: the partners that send feeds."""

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Final
from zoneinfo import ZoneInfo

import click

from entrypoints.cli.kit.verbs import Session, limit_option, noun

if TYPE_CHECKING:
    from commerce_core.feeds.scorecard import ScoreRow
    from commerce_core.partners.partner import Partner

partners: Final = noun(
    "partners", "Manage the partners that send feeds. PARTNER is an id or a name."
)
_STATUSES: Final = ("active", "paused", "offboarded")
_currency = click.option(
    "--currency",
    metavar="CODE",
    help="Currency of prices that don't specify one, such as USD.",
)
_email = click.option("--email", help="Contact address for questions about the feeds.")


def _time_zone(default: str | None) -> Callable[[Callable[..., None]], Callable[..., None]]:
    return click.option(
        "--time-zone",
        metavar="ZONE",
        default=default,
        show_default=True,
        help="Time zone, such as Europe/Rome.",
    )


@partners.verb("add", scope="partners:write")
@click.argument("name")
@_currency
@_time_zone("UTC")
@_email
def add(
    session: Session, name: str, currency: str | None, time_zone: str | None, email: str | None
) -> None:
    """Add a partner, with a source called main."""
    made = session.commerce.partners.add(
        name, currency=currency, time_zone=time_zone, contact_email=email
    )
    session.out.one(made, lambda: _fields(made))


@partners.verb("list", scope="partners:read")
@limit_option
def list_(session: Session, limit: int | None) -> None:
    """List the partners, oldest first."""
    from entrypoints.cli.kit.tables import Column

    columns: list[Column[Partner]] = [
        Column("name", lambda p: p.partner_name, crops=True),
        Column("status", lambda p: p.status),
        Column("feeds", _feeds_text),
        Column("currency", lambda p: p.currency or ""),
        Column("time zone", lambda p: p.time_zone, from_width=100),
        Column("id", lambda p: p.partner_id),
    ]
    session.out.many(session.commerce.partners.list(), columns, limit, "There are no partners.")


@partners.verb("show", scope="partners:read")
@click.argument("partner")
def show(session: Session, partner: str) -> None:
    """Show a partner."""
    found = session.commerce.partners.get(partner)
    session.out.one(found, lambda: _fields(found))


@partners.verb("set", scope="partners:write")
@click.argument("partner")
@click.option("--name", help="New name.")
@click.option(
    "--status",
    type=click.Choice(_STATUSES),
    help="New status; only active partners can send feeds.",
)
@_currency
@_time_zone(None)
@_email
def set_(session: Session, partner: str, **given: str | None) -> None:
    """Change a partner."""
    fields = {"name": "partner_name", "email": "contact_email"}
    changes = {fields.get(key, key): value for key, value in given.items() if value is not None}
    if not changes:
        raise click.UsageError("Specify at least one option.", click.get_current_context())
    changed = session.commerce.partners.change(partner, **changes)
    session.out.one(changed, lambda: _fields(changed))


@partners.verb("scorecard", scope="feeds:read")
@click.argument("partner")
@click.option(
    "--weeks", type=int, default=4, show_default=True, help="Number of weeks, including this one."
)
def scorecard(session: Session, partner: str, weeks: int) -> None:
    """Show what a partner sent week by week."""
    from entrypoints.cli.kit.tables import Column

    found = session.commerce.freshness.scorecard(partner, weeks=weeks)
    if session.out.as_json:
        session.out.document(found)
        return
    zone = ZoneInfo(found.tz)
    columns: list[Column[ScoreRow]] = [
        Column("week", lambda r: f"{r.week.astimezone(zone):%Y-%m-%d}"),
        Column("source", lambda r: r.source_name, crops=True),
        Column("expected", lambda r: "" if r.expected is None else f"{r.expected:,}", right=True),
        Column("on time", lambda r: _count(r.on_time), right=True),
        Column("late", lambda r: _count(r.late), right=True),
        Column("missed", lambda r: _count(r.missed), right=True),
        Column("files", lambda r: _count(r.received), right=True),
        Column("fresh", lambda r: _count(r.fresh), right=True),
        Column("held", lambda r: _count(r.held), right=True),
        Column("rejected", lambda r: _count(r.rejected), right=True),
        Column("failed", lambda r: _count(r.failed), right=True),
        Column("drifted", lambda r: _count(r.drifted), right=True, from_width=110),
        Column("rejects", _rejects_text, right=True, from_width=100),
    ]
    session.out.table(found.results, columns)


def _count(number: int) -> str:
    return f"{number:,}" if number else ""


def _rejects_text(row: "ScoreRow") -> str:
    """The share of the records that were rejected."""
    return f"{100 * row.records_rejected / row.records:.1f} %" if row.records else ""


def _feeds_text(partner: "Partner") -> str:
    """How fresh its sources are: those that are late or stale, else that they are fresh."""
    found = partner.freshness
    if found is None or found.state == "unknown":
        return ""
    counts = [f"{n} {name}" for name, n in (("stale", found.stale), ("late", found.late)) if n]
    return ", ".join(counts) or "fresh"


def _fields(partner: "Partner") -> Iterator[tuple[str, str]]:
    from entrypoints.cli.kit.output import moment_utc

    yield "id", partner.partner_id
    yield "name", partner.partner_name
    yield "status", partner.status
    yield "currency", partner.currency or "none; prices must specify one"
    yield "time zone", partner.time_zone
    yield "e-mail", partner.contact_email or ""
    yield "created", moment_utc(partner.created_at)
    yield "feeds", _feeds_text(partner)
