"""Saved views in memory: the reference."""

from collections.abc import Sequence

from attrs import evolve, frozen

from adapters.memory.pages import agrees, by_id, page_of
from adapters.memory.tables import Tables, found
from commerce_core.base.paging import Page, Position
from commerce_core.partners.saved_view import SavedView, SavedViewQuery


@frozen
class SavedViews:
    """Implements `commerce_core.ports.saved_views.SavedViews`."""

    _kept: Tables

    def page(self, query: SavedViewQuery, after: Position | None, limit: int) -> Page[SavedView]:
        """Pages of views."""
        return page_of(self._fitting(query), lambda v: by_id(v.view_id), after, limit)

    def count(self, query: SavedViewQuery) -> int:
        """How many fit."""
        return len(self._fitting(query))

    def _fitting(self, query: SavedViewQuery) -> list[SavedView]:
        return [
            view
            for view in self._kept.saved_views.values()
            if view.partner_id == query.partner_id
            and view.key_id in (None, query.key_id)
            and agrees(query, view, "page")
        ]

    def add(self, view: SavedView) -> None:
        """Keeps one."""
        self._kept.saved_views[view.view_id] = view

    def put(self, view: SavedView) -> None:
        """Replaces one."""
        self.get(view.view_id)
        self._kept.saved_views[view.view_id] = view

    def get(self, view_id: str) -> SavedView:
        """One of them."""
        return found(self._kept.saved_views, view_id, "saved view")

    def remove(self, view_id: str) -> None:
        """Forgets one."""
        self.get(view_id)
        del self._kept.saved_views[view_id]

    def lock_of(self, partner_id: str | None, key_id: str | None) -> Sequence[SavedView]:
        """Units never meet here."""
        rows = self._kept.saved_views.values()
        return [v for v in rows if (v.partner_id, v.key_id) == (partner_id, key_id)]

    def hand_over(self, key_id: str, successor_id: str) -> None:
        """Gives them to another key."""
        for view in [v for v in self._kept.saved_views.values() if v.key_id == key_id]:
            self._kept.saved_views[view.view_id] = evolve(view, key_id=successor_id)

    def remove_of(self, key_id: str) -> None:
        """Forgets those of a key."""
        for view in [v for v in self._kept.saved_views.values() if v.key_id == key_id]:
            del self._kept.saved_views[view.view_id]
