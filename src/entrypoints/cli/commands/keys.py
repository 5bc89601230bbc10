"""`commerce keys`: the keys of the HTTP API."""

from collections.abc import Callable
from datetime import datetime
from functools import cache
from typing import TYPE_CHECKING, Final

import click

from entrypoints.cli.kit.verbs import Moment, Session, in_utc, limit_option, noun, partner_option

if TYPE_CHECKING:
    from commerce_core.partners.api_key import ApiKey
    from commerce_core.usecases.keys import IssuedKey
    from entrypoints.cli.kit.output import Output

keys: Final = noun("keys", "Manage the keys of the HTTP API. The command line itself needs none.")


def _expires_option(by_default: str) -> Callable[..., Callable[..., None]]:
    return click.option(
        "--expires",
        type=Moment(),
        metavar="TIME",
        show_default=by_default,
        help="Time from which the key is refused; UTC unless it has an offset.",
    )


@keys.verb("add", scope="keys:write")
@click.option("--operator", is_flag=True, help="Issue an operator key, which gives full access.")
@partner_option("Issue a key that can access only this partner's data.")
@click.option(
    "--scope",
    "scopes",
    multiple=True,
    metavar="SCOPE",
    show_default="all that the key may have",
    help="Limit the key to this scope, such as catalog:read; repeatable.",
)
@click.option("--name", help="Name of the key, such as the program that uses it.")
@_expires_option("doesn't expire")
def add(
    session: Session,
    *,
    operator: bool,
    partner: str | None,
    scopes: tuple[str, ...],
    name: str | None,
    expires: datetime | None,
) -> None:
    """Issue a key, and show its secret once."""
    if operator == (partner is not None):
        raise click.UsageError(
            "Specify either --operator or --partner PARTNER.", click.get_current_context()
        )
    issued = session.commerce.keys.add(
        partner=partner,
        scopes=list(scopes) or None,
        key_name=name,
        expires_at=in_utc(expires),
    )
    _show(session.out, issued)


@keys.verb("rotate", scope="keys:write")
@click.argument("key_id")
@click.option(
    "--grace",
    "hours",
    type=click.IntRange(min=0),
    default=24,
    show_default=True,
    metavar="HOURS",
    help="Hours for which the old key stays valid.",
)
@_expires_option("lives as long as the old key")
def rotate(session: Session, key_id: str, hours: int, expires: datetime | None) -> None:
    """Issue a successor of a key; the old key expires after a while."""
    issued = session.commerce.keys.rotate(key_id, grace_hours=hours, expires_at=in_utc(expires))
    _show(session.out, issued)


def _show(out: "Output", issued: "IssuedKey") -> None:
    from entrypoints.cli.kit.output import moment_utc

    if out.as_json:
        out.document(issued)
        return
    key = issued.key
    out.fields(
        [
            ("id", key.key_id),
            ("name", key.key_name or ""),
            ("partner", key.partner_id or "none (operator key)"),
            ("scopes", " ".join(key.scopes)),
            ("expires", moment_utc(key.expires_at) if key.expires_at else ""),
            ("secret", issued.secret or ""),
        ]
    )
    out.line("The secret won't be shown again. Send it in the header `X-API-Key`.")


@keys.verb("list", scope="keys:write")
@partner_option("Only keys of this partner.")
@limit_option
def list_(session: Session, partner: str | None, limit: int | None) -> None:
    """List the keys, newest first, without their secrets."""
    from entrypoints.cli.kit.output import moment
    from entrypoints.cli.kit.tables import Column

    @cache
    def name(partner_id: str) -> str:
        return session.commerce.partners.get(partner_id).partner_name

    columns: list[Column[ApiKey]] = [
        Column("id", lambda key: key.key_id),
        Column("owner", lambda key: name(key.partner_id) if key.partner_id else "operator"),
        Column("name", lambda key: key.key_name or "", crops=True),
        Column("last used (UTC)", lambda key: moment(key.last_used_at)),
        Column("ends (UTC)", lambda key: moment(_end(key))),
        Column("created (UTC)", lambda key: moment(key.created_at), from_width=120),
        Column("scopes", lambda key: " ".join(key.scopes), crops=True, from_width=140),
    ]
    session.out.many(session.commerce.keys.list(partner), columns, limit, "There are no keys.")


def _end(key: "ApiKey") -> datetime | None:
    """When it was revoked, or when it expires."""
    return key.revoked_at or key.expires_at


@keys.verb("revoke", scope="keys:write")
@click.argument("key_id")
def revoke(session: Session, key_id: str) -> None:
    """Revoke a key, immediately and permanently."""
    from entrypoints.cli.kit.output import moment_utc

    key = session.commerce.keys.revoke(key_id)
    session.out.one(key, lambda: [("id", key.key_id), ("revoked", moment_utc(key.revoked_at))])
