"""The audit: who did what."""

from collections.abc import Iterator
from typing import Final

from attrs import frozen

from commerce_core.activity.audit import AuditEntry, AuditQuery
from commerce_core.base.paging import DEFAULT_LIMIT
from commerce_core.usecases.context import Context, Listed

ALL_AUDIT: Final = AuditQuery()


@frozen
class Audit:
    """The audit entries, newest first."""

    _context: Context

    def list(
        self, query: AuditQuery = ALL_AUDIT, *, partner: str | None = None
    ) -> Iterator[AuditEntry]:
        """All matching entries, newest first."""
        return self._context.walk(lambda unit: unit.audit, self._context.own(query, partner))

    def page(
        self,
        query: AuditQuery = ALL_AUDIT,
        cursor: str | None = None,
        limit: int = DEFAULT_LIMIT,
        *,
        partner: str | None = None,
        count: bool = False,
    ) -> Listed[AuditEntry]:
        """A page of the matching entries, newest first."""
        query = self._context.own(query, partner)
        with self._context.store.read_only() as unit:
            return self._context.listed(unit.audit, query, cursor, limit, count=count)
