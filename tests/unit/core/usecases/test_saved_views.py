"""Saved views: of a key or shared, never of another owner; named once; limited."""

from collections.abc import Iterator

import pytest

from commerce_core.activity.audit import AuditQuery
from commerce_core.base.errors import Conflict, InvalidInput, NotFound
from commerce_core.commerce import Commerce
from commerce_core.partners.saved_view import (
    LONGEST_FILTER,
    LONGEST_VIEW_NAME,
    MOST_FILTERS,
    MOST_VIEWS,
)
from entrypoints.compose import open_platform
from entrypoints.settings import Settings

HELD = {"status": "held"}


@pytest.fixture
def commerce() -> Iterator[Commerce]:
    with open_platform(Settings(database_url="memory:")) as commerce:
        for name in ("Acme", "Birch"):
            commerce.partners.add(name)
        yield commerce


def person(commerce: Commerce, partner: str | None = None) -> Commerce:
    return commerce.authenticated(commerce.keys.add(partner=partner).secret)


def names(commerce: Commerce) -> list[str]:
    return sorted(view.view_name for view in commerce.saved_views.list())


def test_a_view_is_of_its_key_unless_it_is_shared(commerce: Commerce):
    ada, ben = person(commerce), person(commerce)
    ada.saved_views.add("feeds", "Ada's", HELD)
    ada.saved_views.add("feeds", "Everyone's", HELD, shared=True)
    assert names(ada) == ["Ada's", "Everyone's"]
    assert names(ben) == names(commerce) == ["Everyone's"]
    assert names(person(commerce, "Acme")) == []


def test_nothing_of_another_owner_is_found_changed_or_removed(commerce: Commerce):
    acme, birch, operator = person(commerce, "Acme"), person(commerce, "Birch"), person(commerce)
    shared = acme.saved_views.add("orders", "Open", {}, shared=True)
    own = operator.saved_views.add("orders", "Mine", {})
    for view in (shared, own):
        for other in (birch, commerce):
            for act in (other.saved_views.get, other.saved_views.remove):
                with pytest.raises(NotFound, match=f"There is no saved view {view.view_id}"):
                    act(view.view_id)
            with pytest.raises(NotFound):
                other.saved_views.change(view.view_id, view_name="Taken")
    assert names(acme) == ["Open"]
    assert names(operator) == ["Mine"]


def test_a_view_is_renamed_refiltered_shared_and_removed(commerce: Commerce):
    ada, ben = person(commerce), person(commerce)
    view = ada.saved_views.add("feeds", "  Held \u202e now ", HELD)
    assert view.view_name == "Held now"
    changed = ada.saved_views.change(view.view_id, view_name="Late", filters={}, shared=True)
    assert (changed.view_name, changed.filters, changed.shared) == ("Late", {}, True)
    assert names(ben) == ["Late"]
    taken = ben.saved_views.change(view.view_id, shared=False)
    assert names(ada) == []
    ben.saved_views.remove(taken.view_id)
    assert names(ben) == []
    actions = [entry.action for entry in commerce.audit.list(AuditQuery())]
    assert [a for a in actions if a.startswith("view.")] == [
        "view.removed", "view.changed", "view.changed", "view.added",
    ]  # fmt: skip


def test_two_views_of_a_page_have_different_names(commerce: Commerce):
    ada = person(commerce)
    ada.saved_views.add("feeds", "Held", HELD)
    ada.saved_views.add("jobs", "Held", HELD)
    ada.saved_views.add("feeds", "Held", HELD, shared=True)
    other = ada.saved_views.add("feeds", "Other", HELD)
    for act in (
        lambda: ada.saved_views.add("feeds", "Held", {}),
        lambda: ada.saved_views.change(other.view_id, view_name="Held"),
    ):
        with pytest.raises(Conflict) as refused:
            act()
        assert refused.value.code == "view_name_taken"


def test_there_are_only_so_many_of_a_key(commerce: Commerce):
    ada = person(commerce)
    for number in range(MOST_VIEWS):
        ada.saved_views.add("feeds", f"View {number}", {})
    with pytest.raises(Conflict) as refused:
        ada.saved_views.add("feeds", "One more", {})
    assert refused.value.code == "too_many_views"
    ada.saved_views.add("feeds", "Shared", {}, shared=True)
    person(commerce).saved_views.add("feeds", "Another's", {})


@pytest.mark.parametrize(
    ("name", "filters", "pointer"),
    [
        ("", {}, "/view_name"),
        ("\u200b", {}, "/view_name"),
        ("x" * (LONGEST_VIEW_NAME + 1), {}, "/view_name"),
        ("x", {f"f{n}": "" for n in range(MOST_FILTERS + 1)}, "/filters"),
        ("x", {"q": "x" * (LONGEST_FILTER + 1)}, "/filters/q"),
        ("x", {"q": "\0"}, "/filters/q"),
        ("x", {"": "x"}, "/filters/"),
    ],
)
def test_what_doesnt_fit_is_refused(
    commerce: Commerce, name: str, filters: dict[str, str], pointer: str
):
    with pytest.raises(InvalidInput) as refused:
        commerce.saved_views.add("feeds", name, filters)
    assert [fault.pointer for fault in refused.value.faults] == [pointer]


def test_what_just_fits_is_saved(commerce: Commerce):
    filters = {f"f{n}": "x" * LONGEST_FILTER for n in range(MOST_FILTERS)}
    view = commerce.saved_views.add("feeds", "x" * LONGEST_VIEW_NAME, filters)
    assert commerce.saved_views.get(view.view_id) == view


def test_views_follow_a_key_that_is_rotated_and_end_with_one_that_is_revoked(commerce: Commerce):
    issued = commerce.keys.add()
    commerce.authenticated(issued.secret).saved_views.add("feeds", "Held", HELD)
    rotated = commerce.keys.rotate(issued.key.key_id)
    successor = commerce.authenticated(rotated.secret)
    assert names(successor) == ["Held"]
    commerce.keys.revoke(rotated.key.key_id)
    assert [*successor.saved_views.list()] == []


def test_the_same_request_saves_once(commerce: Commerce):
    ada = person(commerce)
    first = ada.saved_views.add("feeds", "Held", HELD, key="k1")
    assert ada.saved_views.add("feeds", "Held", HELD, key="k1") == first
