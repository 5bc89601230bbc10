"""Saved views: the filters of lists that people come back to, under names."""

from collections.abc import Iterator, Mapping
from typing import Any, Final

from attrs import evolve, frozen

from commerce_core.activity.audit import Action
from commerce_core.base.errors import no_such
from commerce_core.base.ids import NOUNS, parse
from commerce_core.base.paging import DEFAULT_LIMIT
from commerce_core.partners.saved_view import (
    MOST_VIEWS,
    PageName,
    SavedView,
    SavedViewQuery,
    too_many_views,
    view_name_taken,
)
from commerce_core.ports.store import UnitOfWork
from commerce_core.usecases.context import Context, IdempotencyKey, Listed

_NOUN: Final = NOUNS["view"]


@frozen
class SavedViews:
    """Saved views of this principal: those of its key, and those that are shared.

    The operator doesn't see those of partners. Without a key, as in process, all are shared.
    """

    _context: Context

    def add(
        self,
        page: PageName,
        view_name: str,
        filters: Mapping[str, str],
        *,
        shared: bool = False,
        key: IdempotencyKey | str | None = None,
    ) -> SavedView:
        """Saves the filters of a page under a name.

        Conflict `view_name_taken` if a view of that page has the name, `too_many_views` if there
        are as many as there may be.
        """
        context, me = self._context, self._context.principal
        with context.writing() as unit:

            def make() -> SavedView:
                now = context.clock()
                new = SavedView(
                    view_id=context.mint("view"), partner_id=me.partner_id,
                    key_id=None if shared else me.key_id, page=page, view_name=view_name,
                    filters=filters, created_at=now, updated_at=now,
                )  # fmt: skip
                self._check_room(unit, new)
                unit.saved_views.add(new)
                self._note(unit, "view.added", None, new)
                return new

            request = ("add_view", me.key_id, page, view_name, dict(filters), shared)
            return context.once(unit, key, request, make, answer=SavedView)

    def list(self, page: PageName | None = None) -> Iterator[SavedView]:
        """All views of this principal, or those of a page, newest first."""
        return self._context.walk(lambda unit: unit.saved_views, self._own(page))

    def page(
        self,
        cursor: str | None = None,
        limit: int = DEFAULT_LIMIT,
        *,
        page: PageName | None = None,
        count: bool = False,
    ) -> Listed[SavedView]:
        """A page of the views, newest first."""
        with self._context.store.read_only() as unit:
            own = self._own(page)
            return self._context.listed(unit.saved_views, own, cursor, limit, count=count)

    def get(self, view_id: str) -> SavedView:
        """A view."""
        with self._context.store.read_only() as unit:
            return self._seen(unit, view_id)

    def change(
        self,
        view_id: str,
        *,
        view_name: str | None = None,
        filters: Mapping[str, str] | None = None,
        shared: bool | None = None,
    ) -> SavedView:
        """Renames a view, replaces its filters, or shares it or keeps it for this key.

        Conflict as in `add`.
        """
        given = {"view_name": view_name, "filters": filters}
        changes: dict[str, Any] = {
            name: value for name, value in given.items() if value is not None
        }
        with self._context.writing() as unit:
            before = self._seen(unit, view_id)
            if shared is not None:
                changes["key_id"] = None if shared else self._context.principal.key_id
            after = evolve(before, **changes)
            if after == before:
                return before
            self._check_room(unit, after)
            after = evolve(after, updated_at=self._context.clock())
            unit.saved_views.put(after)
            self._note(unit, "view.changed", before, after)
            return after

    def remove(self, view_id: str) -> SavedView:
        """Removes a view."""
        with self._context.writing() as unit:
            before = self._seen(unit, view_id)
            unit.saved_views.remove(before.view_id)
            self._note(unit, "view.removed", before, None)
            return before

    def _own(self, page: PageName | None) -> SavedViewQuery:
        me = self._context.principal
        return SavedViewQuery(me.partner_id, me.key_id, page)

    def _seen(self, unit: UnitOfWork, view_id: str) -> SavedView:
        """The view; NotFound, in the same words, if there is none and if it isn't this one's."""
        id_ = parse("view", view_id)
        found = unit.saved_views.get(id_)
        if not found.is_of(self._context.principal):
            raise no_such(_NOUN, id_)
        return found

    def _check_room(self, unit: UnitOfWork, view: SavedView) -> None:
        """Conflict if one more doesn't fit beside the others; no other unit adds one meanwhile."""
        kept = unit.saved_views.lock_of(view.partner_id, view.key_id)
        others = [one for one in kept if one.view_id != view.view_id]
        if any((one.page, one.view_name) == (view.page, view.view_name) for one in others):
            raise view_name_taken(view.view_name)
        if len(others) >= MOST_VIEWS:
            raise too_many_views()

    def _note(
        self, unit: UnitOfWork, action: Action, before: SavedView | None, after: SavedView | None
    ) -> None:
        view = after or before
        if view is not None:
            self._context.note(
                unit, action, view.view_id, partner_id=view.partner_id, before=before, after=after
            )
