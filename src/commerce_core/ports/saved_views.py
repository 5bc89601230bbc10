"""Port: saved views."""

from collections.abc import Sequence
from typing import Protocol

from commerce_core.partners.saved_view import SavedView, SavedViewQuery
from commerce_core.ports.listing import Listing


class SavedViews(Listing[SavedViewQuery, SavedView], Protocol):
    """Saved views, newest first."""

    def add(self, view: SavedView) -> None:
        """Stores a new view."""
        ...

    def put(self, view: SavedView) -> None:
        """Replaces a view; NotFound if there is none."""
        ...

    def get(self, view_id: str) -> SavedView:
        """The view, or NotFound."""
        ...

    def remove(self, view_id: str) -> None:
        """Deletes a view; NotFound if there is none."""
        ...

    def lock_of(self, partner_id: str | None, key_id: str | None) -> Sequence[SavedView]:
        """Keeps other units from changing views of this owner until this unit ends.

        Returns those of the key, or the shared ones if it is None.
        """
        ...

    def hand_over(self, key_id: str, successor_id: str) -> None:
        """Gives the views of a key to another."""
        ...

    def remove_of(self, key_id: str) -> None:
        """Deletes the views of a key."""
        ...


class SavedViewsUnit(Protocol):
    """The part of a unit of work for saved views."""

    @property
    def saved_views(self) -> SavedViews:
        """Filters of lists, under names."""
        ...
