"""That the books agree: every identity of reconciliation holds."""

from commerce_core.commerce import Commerce


def check_books(commerce: Commerce) -> None:
    """AssertionError, with the rows that differ, if any identity doesn't hold."""
    found = commerce.analytics.reconciliation()
    assert found.ok, [check for check in found.checks if check.failed]
