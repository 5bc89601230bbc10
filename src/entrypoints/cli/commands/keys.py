"""`commerce keys`: the keys of the HTTP API."""

from functools import cache
from typing import TYPE_CHECKING, Final

import click

from entrypoints.cli.kit.verbs import Session, limit_option, noun, partner_option

if TYPE_CHECKING:
    from commerce_core.partners.access import ApiKey
    from commerce_core.usecases.keys import IssuedKey
    from entrypoints.cli.kit.output import Output

keys: Final = noun("keys", "Manage the keys of the HTTP API. The command line itself needs none.")


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
def add(session: Session, *, operator: bool, partner: str | None, scopes: tuple[str, ...]) -> None:
    """Issue a key, and show its secret once."""
    if operator == (partner is not None):
        raise click.UsageError(
            "Specify either --operator or --partner PARTNER.", click.get_current_context()
        )
    issued = session.commerce.keys.add(partner=partner, scopes=list(scopes) or None)
    if session.out.as_json:
        session.out.document(issued)
    else:
        _show(session.out, issued)


def _show(out: "Output", issued: "IssuedKey") -> None:
    out.fields(
        [
            ("id", issued.key.key_id),
            ("partner", issued.key.partner_id or "none (operator key)"),
            ("scopes", " ".join(issued.key.scopes)),
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
        Column("created (UTC)", lambda key: moment(key.created_at)),
        Column("revoked", lambda key: moment(key.revoked_at), from_width=100),
        Column("scopes", lambda key: " ".join(key.scopes), crops=True, from_width=110),
    ]
    session.out.many(session.commerce.keys.list(partner), columns, limit, "There are no keys.")


@keys.verb("revoke", scope="keys:write")
@click.argument("key_id")
def revoke(session: Session, key_id: str) -> None:
    """Revoke a key, immediately and permanently."""
    from entrypoints.cli.kit.output import moment_utc

    key = session.commerce.keys.revoke(key_id)
    session.out.one(key, lambda: [("id", key.key_id), ("revoked", moment_utc(key.revoked_at))])
