"""`commerce replay`: whether the catalog matches its raw files."""

from typing import TYPE_CHECKING

from entrypoints.cli.kit.verbs import Session, limit_option, partner_option, verb
from entrypoints.problems import EXIT_REFUSED

if TYPE_CHECKING:
    from commerce_core.ingestion.replay import Difference, Replay


@verb("replay", scope="catalog:read")
@partner_option("Partner to check: an id or a name.", required=True)
@limit_option
def replay(session: Session, partner: str, limit: int | None) -> None:
    """Rebuild a partner's products from its raw files, and compare them with the catalog.

    Changes nothing. Exits with 65 if there is a difference, or if a file can no longer be read.
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

    replayed = f"{plural(found.feeds, 'feed')} and {plural(found.reverts, 'revert')}"
    if found.broken is not None:
        session.out.line(f"Replay stopped after {replayed}. {found.broken}")
        return
    session.out.line(f"Replayed {replayed}, and compared {plural(found.products, 'product')}.")
    if found.agrees:
        session.out.line("The catalog matches its raw files.")
        return
    columns: list[Column[Difference]] = [
        Column("sku", lambda d: d.sku),
        Column("field", lambda d: d.field),
        Column("in the catalog", lambda d: str(shape(d.live)), crops=True),
        Column("from the raw files", lambda d: str(shape(d.replayed)), crops=True),
    ]
    session.out.line(f"{plural(found.differences, 'difference')}:")
    session.out.many(found.listed, columns, limit, "")
