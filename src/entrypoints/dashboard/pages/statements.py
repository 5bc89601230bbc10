"""Statements: what is owed to partners, down to the entries; closing them."""

from itertools import islice
from typing import Any, Final

from attrs import frozen
from litestar import Response

from commerce_core.analytics.ledger import SalesEntry
from commerce_core.analytics.statement import StatementQuery
from commerce_core.commerce import Commerce
from entrypoints.dashboard.kit.pages import Goto, act, page
from entrypoints.dashboard.kit.rendering import View
from entrypoints.http.kit.downloads import download
from entrypoints.http.kit.queries import WhoseQuery
from entrypoints.reading import optional
from entrypoints.scalars import StatementId

ENTRIES_SHOWN: Final = 200
"""The most entries that the page of a statement shows; its file has all."""


@frozen(kw_only=True)
class Filters(WhoseQuery):
    """Filters of statements."""

    currency: str | None = optional(None, "Currency.")
    unclosed: bool = optional(default=False, meaning="Whether to add up what isn't closed yet.")
    cursor: str | None = optional(None, "Where the page begins.")


@page("/statements", scope="money:read", is_expensive=lambda _: True)
def show_statements(commerce: Commerce, parameters: Filters) -> View:
    """Lists closed statements, newest first; on request, adds up what isn't closed yet.

    That reads every entry that isn't, which are millions in a busy shop.
    """
    query = StatementQuery(currency=parameters.currency)
    closed = commerce.statements.page(query, parameters.cursor, partner=parameters.partner)
    running = commerce.statements.open(partner=parameters.partner) if parameters.unclosed else ()
    with commerce.context.store.read_only() as unit:
        names = unit.partners.names({one.partner_id for one in (*running, *closed.items)})
    values = {"closed": closed, "running": running, "names": names, "filters": parameters}
    return View(
        "statements.html", "Statements", values=values, curl="/statements",
        command="statements list", saved_as="statements",
    )  # fmt: skip


@page("/statements/{statement_id:str}", scope="money:read", is_expensive=lambda _: True)
def show_statement(commerce: Commerce, statement_id: StatementId) -> View:
    """Shows a closed statement and its entries."""
    statement = commerce.statements.get(statement_id)
    with commerce.context.store.read_only() as unit:
        names = unit.partners.names([statement.partner_id])
        lines = unit.statements.lines(statement_id, None, ENTRIES_SHOWN)
    values = {
        "statement": statement,
        "differences": commerce.statements.differences(statement_id),
        "partner_name": names.get(statement.partner_id, ""),
        "entries": [_shown(line.entry) for line in islice(lines, ENTRIES_SHOWN)],
    }
    return View(
        "statement.html", f"Statement {statement.number}", values=values,
        curl=f"/statements/{statement_id}", command=f"statements show {statement_id}",
    )  # fmt: skip


def _shown(entry: SalesEntry) -> dict[str, Any]:
    """An entry as it adds up, with the order that it is about, if it is about one."""
    return {"entry": entry.signed, "order_id": entry.order_id}


@page("/statements/{statement_id:str}/file", scope="money:read", lane="exports")
def download_statement(commerce: Commerce, statement_id: StatementId) -> Response[Any]:
    """Downloads a closed statement as CSV."""
    file = commerce.statements.file(statement_id)
    return download(file, f"{statement_id}.csv", "text/csv; charset=utf-8")


@act("/statements/close", scope="money:write", lane="queries")
def close_statements(commerce: Commerce) -> Goto:
    """Closes every statement whose cycle is over."""
    closing = commerce.statements.close()
    return Goto("/statements", f"{len(closing.closed):,} statements closed.")


ROUTES = (show_statements, show_statement, download_statement, close_statements)
