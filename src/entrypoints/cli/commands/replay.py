"""`commerce replay`: whether the catalog is what its raw files say."""

from typing import TYPE_CHECKING

from entrypoints.cli.kit.verbs import Session, limit_option, partner_option, verb
from entrypoints.problems import EXIT_REFUSED

if TYPE_CHECKING:
    from commerce_core.ingestion.replay import Difference, Replay


@verb("replay", scope="catalog:read")
@partner_option("Whose feeds: an id or a name.", required=True)
@limit_option
def replay(session: Session, partner: str, limit: int | None) -> None:
    """Folds all publications of a partner anew from raw files, and compares with the catalog.

    Nothing is changed. Exits with 65 where they differ, or where a file can't be read any more.
    """
    found = session.commerce.history.replay(partner)
    if session.out.as_json:
        session.out.document(found)
    else:
        _show(session, found, limit)
    if not found.agrees:
        session.end(EXIT_REFUSED)


def _show(session: Session, found: "Replay", limit: int | None) -> None:
    from entrypoints.cli.kit.output import plural
    from entrypoints.cli.kit.tables import Column
    from entrypoints.shapes import shape

    folded = f"{plural(found.feeds, 'feed')} and {plural(found.reverts, 'revert')}"
    if found.broken is not None:
        session.out.line(f"It ended after {folded}. {found.broken}")
        return
    session.out.line(f"{folded} folded, {plural(found.products, 'product')} compared.")
    if found.agrees:
        session.out.line("The catalog is what its raw files say.")
        return
    columns: list[Column[Difference]] = [
        Column("sku", lambda d: d.sku),
        Column("field", lambda d: d.field),
        Column("in the catalog", lambda d: str(shape(d.live)), crops=True),
        Column("by the raw files", lambda d: str(shape(d.replayed)), crops=True),
    ]
    session.out.line(f"{plural(found.differences, 'difference')}:")
    session.out.many(found.listed, columns, limit, "")
