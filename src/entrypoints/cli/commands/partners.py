"""`commerce partners`: who sends feeds."""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Final

import click

from entrypoints.cli.kit.verbs import Session, limit_option, noun

if TYPE_CHECKING:
    from commerce_core.partners.partner import Partner

partners: Final = noun("partners", "Who sends feeds. PARTNER is an id or a name.")
_STATUSES: Final = ("active", "paused", "offboarded")
_currency = click.option("--currency", metavar="CODE", help="For prices that name none, as USD.")
_time_zone = click.option("--time-zone", metavar="ZONE", help="As Europe/Rome; UTC unless said.")
_email = click.option("--email", help="Whom to write to about the feeds.")


@partners.verb("add", scope="partners:write")
@click.argument("name")
@_currency
@_time_zone
@_email
def add(
    session: Session, name: str, currency: str | None, time_zone: str | None, email: str | None
) -> None:
    """Adds a partner, with a source called main."""
    made = session.commerce.partners.add(
        name, currency=currency, time_zone=time_zone, contact_email=email
    )
    session.out.one(made, lambda: _fields(made))


@partners.verb("list", scope="partners:read")
@limit_option
def list_(session: Session, limit: int | None) -> None:
    """Lists the partners, oldest first."""
    from entrypoints.cli.kit.tables import Column

    columns: list[Column[Partner]] = [
        Column("name", lambda p: p.partner_name, crops=True),
        Column("status", lambda p: p.status),
        Column("currency", lambda p: p.currency or ""),
        Column("time zone", lambda p: p.time_zone, from_width=100),
        Column("id", lambda p: p.partner_id),
    ]
    session.out.many(session.commerce.partners.list(), columns, limit, "There is no partner yet.")


@partners.verb("show", scope="partners:read")
@click.argument("partner")
def show(session: Session, partner: str) -> None:
    """Shows a partner."""
    found = session.commerce.partners.get(partner)
    session.out.one(found, lambda: _fields(found))


@partners.verb("set", scope="partners:write")
@click.argument("partner")
@click.option("--name", help="Another name.")
@click.option("--status", type=click.Choice(_STATUSES), help="Only an active one sends feeds.")
@_currency
@_time_zone
@_email
def set_(session: Session, partner: str, **given: str | None) -> None:
    """Changes a partner's details."""
    named = {"name": "partner_name", "email": "contact_email"}
    changes = {named.get(key, key): value for key, value in given.items() if value is not None}
    if not changes:
        raise click.UsageError("Say what to change.", click.get_current_context())
    changed = session.commerce.partners.change(partner, **changes)
    session.out.one(changed, lambda: _fields(changed))


def _fields(partner: "Partner") -> Iterator[tuple[str, str]]:
    from entrypoints.cli.kit.output import moment_utc

    yield "id", partner.partner_id
    yield "name", partner.partner_name
    yield "status", partner.status
    yield "currency", partner.currency or "none: every price names its own"
    yield "time zone", partner.time_zone
    yield "e-mail", partner.contact_email or ""
    yield "since", moment_utc(partner.created_at)
