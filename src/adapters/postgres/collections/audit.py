"""The audit in PostgreSQL: rows that are added and never changed."""

from operator import attrgetter
from typing import Any, Final

from attrs import frozen

from adapters.postgres.collections.listing import Condition, ListById, asked, count
from adapters.postgres.connection.documents import document
from adapters.postgres.connection.rows import Connection, maybe_digits, params_of, rows_of
from commerce_core.activity.audit import AuditEntry, AuditQuery
from commerce_core.base.paging import Page, Position

_ENTRIES: Final = rows_of(AuditEntry, subjects=tuple)
_SELECT: Final = """
    SELECT entry_id AS audit_id, at, actor, action, partner_id, subjects, note, before, after
    FROM audit_entries"""
_LIST: Final = ListById(_ENTRIES, _SELECT, "entry_id", attrgetter("audit_id"))


@frozen
class Audit:
    """Implements `commerce_core.ports.activity.Audit`."""

    _db: Connection

    def add(self, entry: AuditEntry) -> None:
        """Keeps an entry."""
        self._db.execute(
            """
            INSERT INTO audit_entries (entry_id, at, actor, action, partner_id, subjects, note,
                                       before, after)
            VALUES (%(audit_id)s, %(at)s, %(actor)s, %(action)s, %(partner_id)s, %(subjects)s,
                    %(note)s, %(before)s, %(after)s)
            """,
            _params(entry),
        )

    def page(self, query: AuditQuery, after: Position | None, limit: int) -> Page[AuditEntry]:
        """Pages of entries."""
        return _LIST.page(self._db, _conditions(query), after, limit)

    def count(self, query: AuditQuery) -> int:
        """How many entries fit."""
        return count(self._db, "audit_entries", _conditions(query))


def _params(entry: AuditEntry) -> dict[str, Any]:
    states = {"before": document(entry.before), "after": document(entry.after)}
    return params_of(entry) | states


def _conditions(query: AuditQuery) -> list[Condition]:
    return [
        *asked("partner_id = %s", maybe_digits(query.partner_id)),
        *asked("actor = %s", query.actor),
        *asked("action = %s", query.action),
        *asked("subjects @> ARRAY[%s::text]", query.subject),
        *asked("at >= %s", query.since),
        *asked("at < %s", query.until),
    ]
