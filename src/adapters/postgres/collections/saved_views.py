"""Saved views in PostgreSQL."""

from collections.abc import Sequence
from operator import attrgetter
from typing import Any, Final

from attrs import frozen
from psycopg.types.json import Jsonb

from adapters.postgres.collections.listing import Condition, ListById, asked, count
from adapters.postgres.connection.locks import lock_views_of
from adapters.postgres.connection.rows import (
    Connection,
    digits,
    fetch,
    fetch_by_id,
    found,
    maybe_digits,
    params_of,
    rows_of,
)
from commerce_core.base.paging import Page, Position
from commerce_core.partners.saved_view import SavedView, SavedViewQuery

_ROWS: Final = rows_of(SavedView)
_SELECT: Final = """
    SELECT view_id, partner_id, key_id, page, view_name, filters, created_at, updated_at
    FROM saved_views"""
_LIST: Final = ListById(_ROWS, _SELECT, "view_id", attrgetter("view_id"))


@frozen
class SavedViews:
    """Implements `commerce_core.ports.saved_views.SavedViews`."""

    _db: Connection

    def page(self, query: SavedViewQuery, after: Position | None, limit: int) -> Page[SavedView]:
        """Pages of views."""
        return _LIST.page(self._db, _conditions(query), after, limit)

    def count(self, query: SavedViewQuery) -> int:
        """How many fit."""
        return count(self._db, "saved_views", _conditions(query))

    def add(self, view: SavedView) -> None:
        """Keeps a new one."""
        self._db.execute(
            """
            INSERT INTO saved_views (view_id, partner_id, key_id, page, view_name, filters,
                                     created_at, updated_at)
            VALUES (%(view_id)s, %(partner_id)s, %(key_id)s, %(page)s, %(view_name)s, %(filters)s,
                    %(created_at)s, %(updated_at)s)
            """,
            _params(view),
        )

    def put(self, view: SavedView) -> None:
        """Replaces one."""
        changed = self._db.execute(
            """
            UPDATE saved_views
            SET key_id = %(key_id)s, view_name = %(view_name)s, filters = %(filters)s,
                updated_at = %(updated_at)s
            WHERE view_id = %(view_id)s
            RETURNING view_id
            """,
            _params(view),
        ).fetchone()
        found(changed, "saved view", view.view_id)

    def get(self, view_id: str) -> SavedView:
        """One of them."""
        query = f"{_SELECT} WHERE view_id = %s"
        return fetch_by_id(self._db, _ROWS, query, "saved view", view_id)

    def remove(self, view_id: str) -> None:
        """Deletes one."""
        query = "DELETE FROM saved_views WHERE view_id = %s RETURNING view_id"
        found(self._db.execute(query, [digits(view_id)]).fetchone(), "saved view", view_id)

    def lock_of(self, partner_id: str | None, key_id: str | None) -> Sequence[SavedView]:
        """Locks nothing but the owner's name."""
        lock_views_of(self._db, partner_id or "operator")
        query = f"""{_SELECT}
            WHERE partner_id IS NOT DISTINCT FROM %s::uuid
                AND key_id IS NOT DISTINCT FROM %s::uuid"""
        return fetch(self._db, _ROWS, query, [maybe_digits(partner_id), maybe_digits(key_id)])

    def hand_over(self, key_id: str, successor_id: str) -> None:
        """Gives them to another key."""
        query = "UPDATE saved_views SET key_id = %s WHERE key_id = %s"
        self._db.execute(query, [digits(successor_id), digits(key_id)])

    def remove_of(self, key_id: str) -> None:
        """Deletes those of a key."""
        self._db.execute("DELETE FROM saved_views WHERE key_id = %s", [digits(key_id)])


def _conditions(query: SavedViewQuery) -> list[Condition]:
    owner: Condition = (
        "partner_id IS NOT DISTINCT FROM %s::uuid AND (key_id IS NULL OR key_id = %s::uuid)",
        [maybe_digits(query.partner_id), maybe_digits(query.key_id)],
    )
    return [owner, *asked("page = %s", query.page)]


def _params(view: SavedView) -> dict[str, Any]:
    return {**params_of(view), "filters": Jsonb(dict(view.filters))}
