"""`commerce pricing lists`: price lists, and their content as files."""

from typing import TYPE_CHECKING, Final

import click

from entrypoints.cli.kit.output import moment, moment_utc
from entrypoints.cli.kit.verbs import Session, limit_option, noun

if TYPE_CHECKING:
    from commerce_core.pricing.price_list import ListReport, ListVersion, PriceList
    from commerce_core.profiles.profile import DecimalMark

lists: Final = noun("lists", "Manage price lists. LIST is an id or a name.")
_plan_option: Final = click.option(
    "--plan", is_flag=True, help="Show what would change, and save nothing."
)


@lists.verb("add", scope="pricing:write")
@click.argument("name")
@click.option("--currency", metavar="CODE", required=True, help="Currency of all its prices.")
def add(session: Session, name: str, currency: str) -> None:
    """Add an empty price list."""
    made = session.commerce.price_lists.add(name, currency=currency)
    session.out.one(made, lambda: _fields(made))


@lists.verb("list", scope="pricing:read")
@limit_option
def list_(session: Session, limit: int | None) -> None:
    """List price lists, oldest first."""
    from entrypoints.cli.kit.tables import Column

    columns: list[Column[PriceList]] = [
        Column("name", lambda each: each.name, crops=True),
        Column("currency", lambda each: each.currency),
        Column("entries", lambda each: f"{each.entries:,}", right=True),
        Column("version", lambda each: str(each.version), right=True),
        Column("changed (UTC)", lambda each: moment(each.updated_at), from_width=100),
        Column("id", lambda each: each.list_id),
    ]
    found = session.commerce.price_lists.list()
    session.out.many(found, columns, limit, "No price lists found.")


@lists.verb("show", scope="pricing:read")
@click.argument("price_list", metavar="LIST")
def show(session: Session, price_list: str) -> None:
    """Show a price list."""
    found = session.commerce.price_lists.get(price_list)
    session.out.one(found, lambda: _fields(found))


def _fields(found: "PriceList") -> list[tuple[str, str]]:
    return [
        ("list", found.list_id),
        ("name", found.name),
        ("currency", found.currency),
        ("version", str(found.version)),
        ("entries", f"{found.entries:,}"),
        ("changed", moment_utc(found.updated_at)),
    ]


@lists.verb("load", scope="pricing:write")
@click.argument("price_list", metavar="LIST")
@click.argument("file")
@click.option(
    "--decimal", type=click.Choice([".", ","]), show_default=".", help="Decimal mark of its prices."
)
@_plan_option
def load(
    session: Session, price_list: str, file: str, *, decimal: "DecimalMark | None", plan: bool
) -> None:
    """Replace the content of a price list with a file.

    The file has the columns sku, price and, if prices depend on it, minimum_quantity. It is the
    whole list. If a record can't be read, the list stays as it was, and the exit code is 65.
    """
    from entrypoints.cli.kit.files import opened

    with opened(file) as stream:
        report = session.commerce.price_lists.load(price_list, stream, decimal=decimal, plan=plan)
    _show(session, report, plan=plan)


@lists.verb("revert", scope="pricing:write")
@click.argument("price_list", metavar="LIST")
@click.argument("version", type=click.IntRange(min=0))
@_plan_option
def revert(session: Session, price_list: str, version: int, *, plan: bool) -> None:
    """Restore the content of an earlier version, as a new version.

    Version 0 is the empty list.
    """
    _show(session, session.commerce.price_lists.revert(price_list, version, plan=plan), plan=plan)


def _show(session: Session, report: "ListReport", *, plan: bool) -> None:
    from commerce_core.usecases.price_lists import check_taken

    if session.out.as_json:
        session.out.document(report)
    for problem in () if session.out.as_json else report.problems:
        where = f"line {problem.line}" + (f", {problem.column}" if problem.column else "")
        value = f" ({problem.value!r})" if problem.value is not None else ""
        session.out.line(f"{where}: {problem.code}{value}. {problem.hint}")
    check_taken(report)
    difference = report.difference
    if difference is None or session.out.as_json:
        return
    if not difference.changes:
        session.out.line(f"Nothing changes; version {report.version} is the current one.")
        return
    done = "would be" if plan else "is now"
    session.out.line(
        f"Version {report.version} {done} the current one: {difference.added:,} added, "
        f"{difference.changed:,} changed, {difference.removed:,} removed, "
        f"{difference.unchanged:,} unchanged."
    )


@lists.verb("versions", scope="pricing:read")
@click.argument("price_list", metavar="LIST")
@limit_option
def versions(session: Session, price_list: str, limit: int | None) -> None:
    """List the versions of a price list, newest first."""
    from entrypoints.cli.kit.tables import Column

    columns: list[Column[ListVersion]] = [
        Column("version", lambda v: str(v.version), right=True),
        Column("published (UTC)", lambda v: moment(v.published_at)),
        Column("entries", lambda v: f"{v.difference.entries:,}", right=True),
        Column("added", lambda v: f"{v.difference.added:,}", right=True),
        Column("changed", lambda v: f"{v.difference.changed:,}", right=True),
        Column("removed", lambda v: f"{v.difference.removed:,}", right=True),
        Column("by", lambda v: v.actor, crops=True, from_width=100),
    ]
    found = iter(session.commerce.price_lists.versions(price_list))
    session.out.many(found, columns, limit, "It has no content yet.")
