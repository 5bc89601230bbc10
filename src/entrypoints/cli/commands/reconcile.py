"""`commerce reconcile`: whether orders, ledger, statements, stock and catalog agree."""

from typing import TYPE_CHECKING, Final

from entrypoints.cli.kit.output import notice
from entrypoints.cli.kit.verbs import Session, verb

if TYPE_CHECKING:
    from commerce_core.analytics.reconciliation import Check

FAILED: Final = 65
"""The exit code if figures differ."""
WHAT_TO_DO: Final = (
    "Nothing was changed. What each of them means, and what to do, is in"
    " docs/reference/statements.md under “When figures differ”."
)


@verb("reconcile", scope="money:write")
def reconcile(session: Session) -> None:
    """Check that orders, ledger, statements, stock and catalog agree at one moment.

    The exit code is 0 if all figures agree, and 65 if some don't.
    """
    from entrypoints.cli.kit.tables import Column

    found, out = session.commerce.analytics.reconciliation(), session.out
    if out.as_json:
        out.document(found)
    else:
        columns: list[Column[Check]] = [
            Column("compared", lambda check: f"{check.compared:,}", right=True),
            Column("differ", lambda check: f"{check.failed:,}", right=True),
            Column("identity", lambda check: f"{check.left} = {check.right}", wraps=True),
        ]
        out.table(found.checks, columns)
        for check in found.checks:
            for row in check.failures:
                out.line(
                    f"{check.identity}: {row.subject}: {check.left}: {row.left:f};"
                    f" {check.right}: {row.right:f}"
                )
            if check.failed > len(check.failures):
                out.line(f"{check.identity}: {check.failed - len(check.failures):,} more")
    if not found.ok:
        names = ", ".join(check.identity for check in found.checks if check.failed)
        notice(f"The books don't agree: {names}. {WHAT_TO_DO}")
        session.end(FAILED)
