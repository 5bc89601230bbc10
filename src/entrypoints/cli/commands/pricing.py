"""`commerce pricing`: price rules, and what baskets cost under them."""

import json
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

import click

from entrypoints.cli.commands import price_lists
from entrypoints.cli.commands.orders import Item, terms_of, wanted_items
from entrypoints.cli.kit.output import moment, moment_utc, money
from entrypoints.cli.kit.verbs import Moment, Session, limit_option, noun, partner_option

if TYPE_CHECKING:
    from commerce_core.pricing.lint import Finding
    from commerce_core.pricing.priced import PricedBasket, PricedItem
    from commerce_core.pricing.rules import PriceRule, RuleStatus
    from commerce_core.pricing.what_if import WhatIf, WhatIfRow
    from commerce_core.usecases.rule_book import RuleChange
    from entrypoints.cli.kit.tables import Column

pricing: Final = noun(
    "pricing", "Manage price rules, and calculate the price of baskets. RULE is an id or a name."
)
pricing.add_command(price_lists.lists)
_STATUSES: Final = ("draft", "active", "paused", "archived")


@pricing.verb("add", scope="pricing:write")
@click.argument("file", metavar="FILE")
@click.option("--plan", is_flag=True, help="Show what would change, and save nothing.")
def add(session: Session, file: str, *, plan: bool) -> None:
    """Save the rules of a file: all of them, or none.

    The file is TOML or JSON. A rule with the name of an existing one becomes its next version. What
    differs is shown.
    """
    changes = session.commerce.pricing.save(_read(file), plan=plan)
    if session.out.as_json:
        session.out.document(changes)
        return
    for change in changes:
        for line in _difference(change, plan=plan):
            session.out.line(line)


def _read(file: str) -> list[Any]:
    from entrypoints.cli.kit.files import opened
    from entrypoints.rule_files import LONGEST_RULES, read_rules

    with opened(file) as stream:
        return list(read_rules(stream.read(LONGEST_RULES + 1)))


def _difference(change: "RuleChange", *, plan: bool) -> Iterator[str]:
    if change.after is None:
        yield f"{change.name}: nothing changes."
        return
    done = "would become" if plan else "is now"
    what = f"version {change.after.version}" if change.before else "a new rule"
    yield f"{change.name} {done} {what}."
    for name, (before, after) in change.difference.items():
        for sign, value in (("-", before), ("+", after)):
            if value is not None:
                yield f"  {sign} {name}: {json.dumps(value, ensure_ascii=False)}"


@pricing.verb("list", scope="pricing:read")
@click.option("--status", type=click.Choice(_STATUSES), help="Only rules with this status.")
@limit_option
def list_(session: Session, status: "RuleStatus | None", limit: int | None) -> None:
    """List price rules, oldest first.

    Archived ones are listed only if that status is given.
    """
    from commerce_core.pricing.rules import RuleQuery
    from entrypoints.cli.kit.tables import Column

    columns: list[Column[PriceRule]] = [
        Column("name", lambda r: r.rule.name, crops=True),
        Column("status", lambda r: r.status),
        Column("version", lambda r: str(r.version), right=True, from_width=90),
        Column("priority", lambda r: str(r.rule.priority), right=True, from_width=100),
        Column("applies to", lambda r: r.rule.applies_to, from_width=100),
        Column("changed (UTC)", lambda r: moment(r.updated_at), from_width=110),
        Column("id", lambda r: r.rule_id),
    ]
    found = session.commerce.pricing.list(RuleQuery(status))
    session.out.many(found, columns, limit, "No price rules found.")


@pricing.verb("show", scope="pricing:read")
@click.argument("rule")
def show(session: Session, rule: str) -> None:
    """Show a price rule, as a JSON file that `pricing add` accepts."""
    from commerce_core.pricing.form import rule_form

    found = session.commerce.pricing.get(rule)
    if session.out.as_json:
        session.out.document(found)
    else:
        session.out.line(json.dumps(rule_form(found.rule), indent=2, ensure_ascii=False))


@pricing.verb("set", scope="pricing:write")
@click.argument("rule")
@click.option("--status", type=click.Choice(_STATUSES), required=True, help="The new status.")
def set_(session: Session, rule: str, status: "RuleStatus") -> None:
    """Set the status of a price rule.

    An archived rule can't be used again; its name can.
    """
    found = session.commerce.pricing.get(rule)
    changed = session.commerce.pricing.change(found.rule_id, status=status, version=found.version)
    session.out.one(changed, lambda: _fields(changed))


def _fields(rule: "PriceRule") -> list[tuple[str, str]]:
    return [
        ("rule", rule.rule_id),
        ("name", rule.rule.name),
        ("status", rule.status),
        ("version", str(rule.version)),
        ("changed", moment_utc(rule.updated_at)),
    ]


@pricing.verb("lint", scope="pricing:read")
@click.argument("file", metavar="[FILE]", required=False)
@limit_option
def lint(session: Session, file: str | None, limit: int | None) -> None:
    """Find rules that can't do what they seem to.

    Such rules never match, always lose to another rule, stack with others, or undercut a floor.

    Examines the active rules, together with those of a TOML or JSON file.
    """
    from entrypoints.cli.kit.tables import Column

    columns: list[Column[Finding]] = [
        Column("finding", lambda f: f.code),
        Column("rule", lambda f: f.name, crops=True),
        Column("detail", lambda f: f.detail),
    ]
    found = session.commerce.pricing.lint(_read(file) if file else ())
    session.out.many(found, columns, limit, "Nothing is odd about these rules.")


@pricing.verb("what-if", scope="pricing:read")
@click.argument("file", metavar="[FILE]", required=False)
@click.option(
    "--from", "since", type=Moment(), required=True,
    help="Start of the range of orders; UTC if it has no offset.",
)  # fmt: skip
@click.option("--to", "until", type=Moment(), help="End of the range, exclusive; by default, now.")
@click.option(
    "--queue", is_flag=True, help="Leave it to a worker (required for more than 10,000 orders)."
)
def what_if(
    session: Session, file: str | None, since: datetime, until: datetime | None, *, queue: bool
) -> None:
    """Reprice past orders under proposed rules.

    The rules of a TOML or JSON file are added to the active ones, or replace those of the same
    name. Nothing is written.
    """
    rules, to = _read(file) if file else (), _in_utc(until) if until else None
    if queue:
        run = session.commerce.what_ifs.start(rules, since=_in_utc(since), until=to)
        session.out.one(run, lambda: [("what-if", run.what_if_id), ("status", run.status)])
        return
    found = session.commerce.pricing.what_if(rules, since=_in_utc(since), until=to)
    session.out.one(found, lambda: _figures(found))
    _tables(session, found)


@pricing.verb("report", scope="pricing:read")
@click.argument("what_if")
def report(session: Session, what_if: str) -> None:
    """Show a what-if run that was left to a worker, and its report."""
    run = session.commerce.what_ifs.get(what_if)
    found = run.report
    lines = [("what-if", run.what_if_id), ("status", run.status), ("problem", run.problem or "")]
    session.out.one(run, lambda: [*lines, *(_figures(found) if found else ())])
    if found is not None:
        _tables(session, found)


def _figures(found: "WhatIf") -> list[tuple[str, str]]:
    return [
        ("orders", f"{found.orders:,}"),
        ("would differ", f"{found.changed:,}"),
        ("skipped", f"{found.skipped:,}" if found.skipped else ""),
        ("lines at a floor", f"{found.floored:,}" if found.floored else ""),
    ]


def _tables(session: Session, found: "WhatIf") -> None:
    if session.out.as_json:
        return
    for title, rows in (("", found.totals), ("category", found.by_category)):
        session.out.line()
        session.out.table(rows, _differences(title))
    if any(row.costed_lines for row in found.totals):
        session.out.line()
        session.out.table(found.totals, _margins())


def _margins() -> "list[Column[WhatIfRow]]":
    from entrypoints.cli.kit.tables import Column

    return [
        Column("lines with costs", lambda r: f"{r.costed_lines:,}", right=True),
        Column("margin before", lambda r: money(r.margin_before, r.currency), right=True),
        Column("margin after", lambda r: money(r.margin_after, r.currency), right=True),
    ]


def _differences(title: str) -> "list[Column[WhatIfRow]]":
    from entrypoints.cli.kit.tables import Column

    first: list[Column[WhatIfRow]] = [Column(title, lambda r: r.key or "-", crops=True)]
    return [
        *(first if title else ()),
        Column("lines", lambda r: f"{r.lines:,}", right=True),
        Column("before", lambda r: money(r.before, r.currency), right=True),
        Column("after", lambda r: money(r.after, r.currency), right=True),
        Column("difference", lambda r: money(r.difference, r.currency), right=True),
    ]


def _in_utc(at: datetime) -> datetime:
    return at.replace(tzinfo=at.tzinfo or UTC)


def _basket_options(command: Callable[..., None]) -> Callable[..., None]:
    """The options by which a basket is described."""
    options = [
        click.option(
            "--item", "items", type=Item(), multiple=True, required=True, metavar="PRODUCT_ID=QTY",
            help="Product and quantity; repeatable. With --partner, SKU=QTY also works.",
        ),
        partner_option("Partner of the skus in --item."),
        click.option(
            "--code", "codes", multiple=True, metavar="CODE",
            help="Code of a price rule; repeatable.",
        ),
        click.option("--customer", metavar="ID", help="Your own id for the customer."),
        click.option("--customer-group", metavar="NAME", help="The customer's group."),
        click.option("--channel", metavar="NAME", help="The sales channel."),
        click.option(
            "--at",
            type=Moment(),
            help="Time to price it for (default: now); UTC if it has no offset.",
        ),
        click.option(
            "--rules", metavar="FILE", help="Rules to try instead of the active ones."
        ),
    ]  # fmt: skip
    for option in reversed(options):
        command = option(command)
    return command


@pricing.verb("quote", scope="pricing:read")
@_basket_options
def quote(session: Session, **basket: Any) -> None:  # noqa: ANN401 - options of several types
    """Price a basket; nothing is reserved."""
    _show(session, _quoted(session, basket))


@pricing.verb("explain", scope="pricing:read")
@_basket_options
def explain(session: Session, **basket: Any) -> None:  # noqa: ANN401 - the same
    """Price a basket, and explain each price.

    Also says what became of each rule that could apply.
    """
    quoted = _quoted(session, basket, explain=True)
    _show(session, quoted)
    if session.out.as_json:
        return
    for item in quoted.items:
        session.out.line()
        session.out.line(f"{item.sku}: {item.quantity} x {item.list_price}")
        for sentence in item.explanation:
            session.out.line(f"  {sentence}")
    session.out.line()
    for outcome in quoted.outcomes:
        for sentence in outcome.sentences:
            session.out.line(sentence)


@pricing.verb("why-not", scope="pricing:read")
@click.argument("rule")
@_basket_options
def why_not(session: Session, rule: str, **basket: Any) -> None:  # noqa: ANN401 - the same
    """Say why a rule doesn't apply to a basket."""
    quoted = _quoted(session, basket, why_not=rule)
    if session.out.as_json:
        session.out.document(quoted)
        return
    for outcome in quoted.outcomes:
        for sentence in outcome.sentences:
            session.out.line(sentence)


def _quoted(
    session: Session, basket: dict[str, Any], *, explain: bool = False, why_not: str | None = None
) -> "PricedBasket":
    at: datetime | None = basket["at"]
    return session.commerce.pricing.quote(
        wanted_items(session, basket["items"], basket["partner"]),
        terms=terms_of(basket),
        at=_in_utc(at) if at else None,
        rules=_read(basket["rules"]) if basket["rules"] else None,
        explain=explain,
        why_not=why_not,
    )


def _show(session: Session, quoted: "PricedBasket") -> None:
    code = quoted.currency
    session.out.one(
        quoted,
        lambda: [
            ("list total", money(quoted.list_total, code)),
            ("total", money(quoted.total_amount, code)),
            ("unallocated", money(quoted.unallocated or None, code)),
            ("valid until", moment_utc(quoted.valid_until) if quoted.valid_until else ""),
        ],
    )
    if not session.out.as_json:
        session.out.line()
        session.out.table(quoted.items, _columns(code))


def _columns(code: str) -> "list[Column[PricedItem]]":
    from entrypoints.cli.kit.tables import Column

    return [
        Column("sku", lambda i: i.sku),
        Column("name", lambda i: i.product_name, crops=True),
        Column("units", lambda i: f"{i.quantity:,}", right=True),
        Column("list price", lambda i: money(i.list_price, code), right=True),
        Column("price", lambda i: money(i.unit_price, code), right=True),
        Column("line total", lambda i: money(i.line_total, code), right=True),
    ]
