"""`commerce partners`: the partners that send feeds."""

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Final

import click

from entrypoints.cli.kit.verbs import Session, limit_option, noun

if TYPE_CHECKING:
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
