"""`commerce terms`, `payouts` and `statements`: what partners are owed."""

from collections.abc import Callable
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final

import click

from entrypoints.cli.commands.orders import Amount
from entrypoints.cli.kit.files import target
from entrypoints.cli.kit.output import notice
from entrypoints.cli.kit.verbs import (
    Moment,
    Session,
    in_utc,
    key_option,
    limit_option,
    noun,
    partner_option,
)

if TYPE_CHECKING:
    from decimal import Decimal

    from commerce_core.analytics.ledger import SalesEntry
    from commerce_core.analytics.statement import Statement
    from commerce_core.partners.terms import Cycle, PartnerTerms, Term
    from entrypoints.cli.kit.output import Output
    from entrypoints.cli.kit.tables import Column

terms: Final = noun("terms", "What the platform takes from a partner's sales.")
payouts: Final = noun("payouts", "Record payments to partners, and correct what they are owed.")
statements: Final = noun("statements", "What partners are owed, by cycle.")


def _term_options(command: Callable[..., None]) -> Callable[..., None]:
    options = (
        click.option(
            "--commission", type=Amount(), metavar="PERCENT", default="0",
            help="Percentage of what the partner sells a line for.",
        ),
        click.option(
            "--fee", type=Amount(), metavar="AMOUNT", default="0", help="Fee for each order line."
        ),
        click.option("--currency", metavar="CODE", help="Currency of the fee."),
        click.option("--category", metavar="PATH", help="Only for this category and below it."),
        click.option("--sku", metavar="SKU", help="Only for this sku."),
        click.option("--from", "since", type=Moment(), help="Start; UTC by default."),
        click.option("--to", "until", type=Moment(), help="End, exclusive."),
        click.option(
            "--cycle", type=click.Choice(["day", "week", "month"]), show_default="as before",
            help="What a statement covers.",
        ),
    )  # fmt: skip
    for option in reversed(options):
        command = option(command)
    return command


def _term(given: dict[str, Any]) -> "Term":
    from commerce_core.partners.terms import Term

    return Term(
        given["commission"], given["fee"], given["currency"], given["category"], given["sku"],
        in_utc(given["since"]), in_utc(given["until"]),
    )  # fmt: skip


@terms.verb("show", scope="money:read")
@click.argument("partner")
def show_terms(session: Session, partner: str) -> None:
    """Show the terms of a partner."""
    _show_terms(session.out, session.commerce.partners.terms(partner))


@terms.verb("set", scope="money:write")
@click.argument("partner")
@_term_options
def set_terms(
    session: Session,
    partner: str,
    cycle: "Cycle | None",
    **given: Any,  # noqa: ANN401 - of several types
) -> None:
    """Replace all of a partner's terms with one.

    It holds for orders placed from now on.
    """
    changed = session.commerce.partners.set_terms(partner, [_term(given)], cycle=cycle)
    _show_terms(session.out, changed)


@terms.verb("add", scope="money:write")
@click.argument("partner")
@_term_options
def add_terms(
    session: Session,
    partner: str,
    cycle: "Cycle | None",
    **given: Any,  # noqa: ANN401 - of several types
) -> None:
    """Add a term for a partner.

    It may not overlap another term for the same products.
    """
    known = session.commerce.partners.terms(partner)
    changed = session.commerce.partners.set_terms(
        partner, [*known.terms, _term(given)], cycle=cycle, version=known.version
    )
    _show_terms(session.out, changed)


def _show_terms(out: "Output", found: "PartnerTerms") -> None:
    from entrypoints.cli.kit.output import moment_utc, money
    from entrypoints.cli.kit.tables import Column

    if out.as_json:
        out.document(found)
        return
    out.fields([("version", str(found.version)), ("statements by", found.cycle)])
    if not found.terms:
        notice("No terms: no commission, and no fee.")
        return
    columns: list[Column[Term]] = [
        Column("for", lambda term: term.sku or term.category or "everything", crops=True),
        Column("commission", lambda term: f"{term.commission_percent:f} %", right=True),
        Column("fee", lambda t: money(t.fee, t.currency) if t.fee else "", right=True),
        Column("from", lambda term: moment_utc(term.since) if term.since else ""),
        Column("to", lambda term: moment_utc(term.until) if term.until else ""),
    ]
    out.line()
    out.table(found.terms, columns)


@payouts.verb("add", scope="money:write")
@click.argument("partner")
@click.option("--amount", type=Amount(), required=True, metavar="AMOUNT", help="What was paid.")
@click.option("--currency", required=True, metavar="CODE", help="Its currency.")
@click.option("--reference", required=True, metavar="TEXT", help="Reference on the bank statement.")
@click.option("--advance", is_flag=True, help="Record it even if it is more than is owed.")
@key_option
def add_payout(
    session: Session,
    partner: str,
    *,
    amount: "Decimal",
    currency: str,
    reference: str,
    advance: bool,
    key: str | None,
) -> None:
    """Record that a partner was paid."""
    entry = session.commerce.statements.pay_out(
        partner, amount, currency=currency, reference=reference, advance=advance, key=key
    )
    _show_entry(session.out, entry)


@payouts.verb("correct", scope="money:write")
@click.argument("partner")
@click.option(
    "--amount", type=Amount(), required=True, metavar="AMOUNT",
    help="Amount to add to what is owed; negative to subtract.",
)  # fmt: skip
@click.option("--currency", required=True, metavar="CODE", help="Its currency.")
@click.option("--reason", required=True, metavar="TEXT", help="Reason for the correction.")
@click.option("--reverses", metavar="ENTRY", help="The entry that was wrong.")
@key_option
def correct(session: Session, partner: str, **given: Any) -> None:  # noqa: ANN401 - of several types
    """Correct what a partner is owed."""
    _show_entry(session.out, session.commerce.statements.correct(partner, **given))


def _show_entry(out: "Output", entry: "SalesEntry") -> None:
    from entrypoints.cli.kit.output import moment_utc, money

    out.one(
        entry,
        lambda: [
            ("entry", entry.entry_id),
            ("kind", entry.kind),
            ("at", moment_utc(entry.at)),
            ("adds to what is owed", money(entry.partner_amount, entry.currency)),
            ("reason", entry.reason or ""),
        ],
    )


@statements.verb("list", scope="money:read")
@partner_option("Only statements of this partner.")
@click.option("--currency", metavar="CODE", help="Only statements in this currency.")
@limit_option
def list_(session: Session, partner: str | None, currency: str | None, limit: int | None) -> None:
    """List closed statements, newest first."""
    from commerce_core.analytics.statement import StatementQuery

    found = session.commerce.statements.list(StatementQuery(currency=currency), partner=partner)
    session.out.many(found, _columns(session), limit, "No statements are closed yet.")


@statements.verb("open", scope="money:read")
@partner_option("Only what this partner is owed.")
def open_(session: Session, partner: str | None) -> None:
    """Show what is owed so far.

    These are the statements that aren't closed, as they would be now.
    """
    found = session.commerce.statements.open(partner=partner)
    session.out.many(found, _columns(session), None, "No partner is owed anything.")


def _columns(session: Session) -> "list[Column[Statement]]":
    from entrypoints.cli.kit.output import money
    from entrypoints.cli.kit.tables import Column

    names = {p.partner_id: p.partner_name for p in session.commerce.partners.list()}

    def amount(name: str) -> "Callable[[Statement], str]":
        return lambda one: money(getattr(one, name), one.currency)

    return [
        Column("partner", lambda one: names.get(one.partner_id, one.partner_id), crops=True),
        Column("from", lambda one: _local(one.since, one.tz)),
        Column("to", lambda one: _local(one.until, one.tz)),
        Column("opening", amount("opening"), right=True),
        Column("entries", amount("entries"), right=True),
        Column("payouts", amount("payouts"), right=True),
        Column("closing", amount("closing"), right=True),
        Column("statement", lambda one: one.statement_id or "open"),
    ]


def _local(at: datetime, zone: str) -> str:
    """The moment in its zone; a midnight as its date alone."""
    from zoneinfo import ZoneInfo

    local = at.astimezone(ZoneInfo(zone))
    midnight = not (local.hour or local.minute or local.second)
    return local.date().isoformat() if midnight else local.isoformat(timespec="minutes")


@statements.verb("show", scope="money:read")
@click.argument("statement_id", metavar="STATEMENT")
@click.option("--csv", "as_csv", is_flag=True, help="Write all of its lines as CSV.")
@click.option(
    "-o", "--output", metavar="FILE", show_default="stdout", help="File to write the CSV to."
)
def show(session: Session, statement_id: str, *, as_csv: bool, output: str | None) -> None:
    """Show a closed statement.

    Its digest is the SHA-256 of its CSV.
    """
    if as_csv or output:
        opened = session.commerce.statements.file(statement_id)
        with opened as blocks, target(output) as file:
            for block in blocks:
                file.write(block)
        return
    found = session.commerce.statements.get(statement_id)
    session.out.one(found, lambda: _fields(found))


def _fields(one: "Statement") -> list[tuple[str, str]]:
    from entrypoints.cli.kit.output import moment_utc, money

    amounts = [
        (name, money(getattr(one, name), one.currency))
        for name in ("opening", "entries", "payouts", "closing")
    ]
    return [
        ("statement", one.statement_id or ""),
        ("partner", one.partner_id),
        ("from", _local(one.since, one.tz)),
        ("to", _local(one.until, one.tz)),
        ("time zone", one.tz),
        *amounts,
        ("lines", f"{one.entry_count:,}"),
        ("closed", moment_utc(one.closed_at) if one.closed_at else ""),
        ("digest", one.digest or ""),
    ]


@statements.verb("close", scope="money:write")
@partner_option("Only statements of this partner.")
@click.option(
    "--to", "until", type=Moment(), show_default="now",
    help="Only statements that end at this time, or before; UTC by default.",
)  # fmt: skip
def close(session: Session, partner: str | None, until: datetime | None) -> None:
    """Close the statements of periods that have ended.

    Workers do so every hour.
    """
    closing = session.commerce.statements.close(partner=partner, until=in_utc(until))
    if session.out.as_json:
        session.out.document(closing)
        return
    none = "Nothing to close: the statements of all periods that have ended are closed."
    session.out.many(closing.closed, _columns(session), None, none)
    if closing.more:
        notice("More periods have ended; repeat the command to close their statements.")


@statements.verb("trace", scope="money:read")
@click.argument("entry_id", metavar="ENTRY")
def trace(session: Session, entry_id: str) -> None:
    """Follow an entry of the ledger back to the feed.

    Shows its order line, how its price came about, and the record that set it.
    """
    from entrypoints.cli.kit.output import money

    found = session.commerce.statements.trace(entry_id)
    if session.out.as_json:
        session.out.document(found)
        return
    entry, item = found.entry, found.item
    written = found.lineage.written_by if found.lineage else None
    session.out.fields([
        ("entry", f"{entry.kind}, {money(entry.partner_amount, entry.currency)} for the partner"),
        ("statement", found.statement_id or "none yet"),
        ("order", entry.order_id or ""),
        ("line", f"{item.quantity} of {item.sku}" if item else ""),
        ("price", " ".join(found.explanation.explanation) if found.explanation else ""),
        ("product", f"{item.product_id}, version {item.product_version}" if item else ""),
        ("feed", f"{written.file_name}, line {written.line}" if written else ""),
        ("record", written.text if written else ""),
        ("note", found.note or ""),
    ])  # fmt: skip
