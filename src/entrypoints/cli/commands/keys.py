"""`commerce keys`: the keys to the HTTP interface."""

from functools import cache
from typing import TYPE_CHECKING, Final

import click

from entrypoints.cli.kit.verbs import Session, limit_option, noun, partner_option

if TYPE_CHECKING:
    from commerce_core.partners.access import ApiKey
    from commerce_core.usecases.keys import IssuedKey
    from entrypoints.cli.kit.output import Output

keys: Final = noun("keys", "Keys to the HTTP interface. The command line itself needs none.")


@keys.verb("add", scope="keys:write")
@click.option("--operator", is_flag=True, help="A key that may do everything.")
@partner_option("A key that sees this partner's things alone.")
@click.option(
    "--scope", "scopes", multiple=True, metavar="SCOPE", help="Less than all, as catalog:read."
)
def add(session: Session, *, operator: bool, partner: str | None, scopes: tuple[str, ...]) -> None:
    """Makes a key, and shows its secret this once."""
    if operator == (partner is not None):
        raise click.UsageError(
            "Say either --operator or --partner PARTNER.", click.get_current_context()
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
            ("partner", issued.key.partner_id or "none: the operator's"),
            ("scopes", " ".join(issued.key.scopes)),
            ("secret", issued.secret or ""),
        ]
    )
    out.line("The secret is shown this once; send it as `X-API-Key: ...`.")


@keys.verb("list", scope="keys:write")
@partner_option("Those of this partner alone.")
@limit_option
def list_(session: Session, partner: str | None, limit: int | None) -> None:
    """Lists the keys, newest first, without their secrets."""
    from entrypoints.cli.kit.output import moment
    from entrypoints.cli.kit.tables import Column

    @cache
    def name(partner_id: str) -> str:
        return session.commerce.partners.get(partner_id).partner_name

    columns: list[Column[ApiKey]] = [
        Column("id", lambda key: key.key_id),
        Column("of", lambda key: name(key.partner_id) if key.partner_id else "the operator"),
        Column("made (UTC)", lambda key: moment(key.created_at)),
        Column("revoked", lambda key: moment(key.revoked_at), from_width=100),
        Column("scopes", lambda key: " ".join(key.scopes), crops=True, from_width=110),
    ]
    session.out.many(session.commerce.keys.list(partner), columns, limit, "There is no such key.")


@keys.verb("revoke", scope="keys:write")
@click.argument("key_id")
def revoke(session: Session, key_id: str) -> None:
    """Ends a key at once and for good."""
    from entrypoints.cli.kit.output import moment_utc

    key = session.commerce.keys.revoke(key_id)
    session.out.one(key, lambda: [("id", key.key_id), ("revoked", moment_utc(key.revoked_at))])
