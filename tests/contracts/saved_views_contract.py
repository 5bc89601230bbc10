"""What the collection of saved views promises."""

import pytest
from attrs import evolve

from commerce_core.base.errors import NotFound
from commerce_core.partners.saved_view import PageName, SavedView, SavedViewQuery
from commerce_core.ports.store import Store
from tests.contracts.samples import T0, new_id

PARTNER = new_id("ptn")
KEY, OTHER_KEY = new_id("key"), new_id("key")


def saved(
    store: Store,
    name: str,
    partner_id: str | None = PARTNER,
    key_id: str | None = KEY,
    page: PageName = "feeds",
) -> SavedView:
    view = SavedView(
        view_id=new_id("view"), partner_id=partner_id, key_id=key_id, page=page,
        view_name=name, filters={"status": "held", "partner_name": "Käse & Sohn"},
        created_at=T0, updated_at=T0,
    )  # fmt: skip
    with store.begin() as unit:
        unit.saved_views.add(view)
    return view


def names(store: Store, query: SavedViewQuery) -> set[str]:
    with store.begin() as unit:
        found = {view.view_name for view in unit.saved_views.page(query, None, 50).items}
        assert unit.saved_views.count(query) == len(found)
        return found


class TestSavedViews:
    def test_a_view_is_kept_as_it_was_saved(self, store: Store):
        view = saved(store, "Held")
        with store.begin() as unit:
            assert unit.saved_views.get(view.view_id) == view

    def test_a_query_finds_those_of_the_key_and_those_that_are_shared(self, store: Store):
        saved(store, "mine")
        saved(store, "ours", key_id=None, page="jobs")
        saved(store, "another's", key_id=OTHER_KEY)
        saved(store, "the operator's", partner_id=None, key_id=None)
        assert names(store, SavedViewQuery(PARTNER, KEY)) == {"mine", "ours"}
        assert names(store, SavedViewQuery(PARTNER, KEY, "jobs")) == {"ours"}
        assert names(store, SavedViewQuery(PARTNER, None)) == {"ours"}
        assert names(store, SavedViewQuery(None, None)) == {"the operator's"}

    def test_pages_go_on_where_they_ended_newest_first(self, store: Store):
        made = sorted((saved(store, str(n)).view_id for n in range(5)), reverse=True)
        seen: list[str] = []
        after = None
        with store.begin() as unit:
            for _ in range(3):
                page = unit.saved_views.page(SavedViewQuery(PARTNER, KEY), after, 2)
                seen += [view.view_id for view in page.items]
                after = page.after
        assert (seen, after) == (made, None)

    def test_a_view_is_replaced_and_removed(self, store: Store):
        view = saved(store, "Held")
        changed = evolve(view, view_name="All", filters={}, key_id=None)
        with store.begin() as unit:
            unit.saved_views.put(changed)
        with store.begin() as unit:
            assert unit.saved_views.get(view.view_id) == changed
            unit.saved_views.remove(view.view_id)
        with store.begin() as unit:
            for act in (unit.saved_views.get, unit.saved_views.remove):
                with pytest.raises(NotFound):
                    act(view.view_id)
            with pytest.raises(NotFound):
                unit.saved_views.put(changed)

    def test_locking_an_owner_returns_only_the_views_of_that_key(self, store: Store):
        saved(store, "mine")
        saved(store, "ours", key_id=None)
        with store.begin() as unit:
            assert [v.view_name for v in unit.saved_views.lock_of(PARTNER, KEY)] == ["mine"]
            assert [v.view_name for v in unit.saved_views.lock_of(PARTNER, None)] == ["ours"]
            assert [*unit.saved_views.lock_of(None, None)] == []

    def test_the_views_of_a_key_are_handed_over_and_removed(self, store: Store):
        saved(store, "mine")
        saved(store, "ours", key_id=None)
        with store.begin() as unit:
            unit.saved_views.hand_over(KEY, OTHER_KEY)
        assert names(store, SavedViewQuery(PARTNER, KEY)) == {"ours"}
        assert names(store, SavedViewQuery(PARTNER, OTHER_KEY)) == {"mine", "ours"}
        with store.begin() as unit:
            unit.saved_views.remove_of(OTHER_KEY)
        assert names(store, SavedViewQuery(PARTNER, OTHER_KEY)) == {"ours"}
