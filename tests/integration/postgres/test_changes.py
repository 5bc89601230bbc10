"""The stream of changes is read along an index, wherever a page of it lies."""

from collections.abc import Iterator
from typing import cast

import pytest
from attrs import evolve

from adapters.postgres.catalog import versions
from adapters.postgres.store import Unit
from commerce_core.base.paging import Position
from commerce_core.history.versions import START, ChangeQuery, behind
from tests.contracts import samples
from tests.contracts.samples import record
from tests.support.shelf import Shelf, rows_read

LARGE, SMALL, LIMIT = 3_000, 40, 50


@pytest.fixture(scope="module")
def partner(shelf: Shelf) -> str:
    """A large first feed, a few small ones that change some of it, and another partner's."""
    store = shelf.store
    someone, source = samples.settled(store)
    _, other = samples.settled(store)
    offers = [record(n + 2, f"sku {n:05}") for n in range(LARGE)]
    samples.publish(store, source, *offers)
    for brand in "ABC":
        changed = (evolve(r, values={**r.values, "brand": brand}) for r in offers[:SMALL])
        samples.publish(store, source, *changed, mode="delta")
        samples.publish(store, other, record(2, "X", brand=brand))
    shelf.filled()
    return someone.partner_id


def places() -> Iterator[Position]:
    yield START
    yield Position("1", str(LARGE // 2))
    yield behind(1)
    yield behind(3)


@pytest.mark.slow
@pytest.mark.parametrize("whose", [None, "partner"])
@pytest.mark.parametrize("number", range(4))
def test_a_page_reads_what_it_shows(shelf: Shelf, partner: str, whose: str | None, number: int):
    """The first page, one in the midst of a large feed, and those of small ones: hardly more."""
    query, after = ChangeQuery(partner if whose else None), list(places())[number]
    with shelf.store.begin() as unit:
        db = cast("Unit", unit).versions._db
        assert unit.versions.changes(query, after, LIMIT).items
        read = rows_read(db, lambda: unit.versions.changes(query, after, LIMIT))
    # A page of each publication that it may reach into, and the version before each that it shows.
    assert read["products"] <= 4 * LIMIT
    assert read["product_versions"] <= 5 * LIMIT


def test_more_publications_than_one_statement_takes_are_walked(
    shelf: Shelf, partner: str, monkeypatch: pytest.MonkeyPatch
):
    """A page goes on with the next ones, wherever the statement before ended."""

    def walk() -> list[tuple[int, int]]:
        with shelf.store.begin() as unit:
            page = unit.versions.changes(ChangeQuery(), behind(1), 1_000)
        return [(version.publication, version.ordinal) for version in page.items]

    whole = walk()
    assert len(whole) == 3 * SMALL + 3
    for most in (1, 2, 6, 7):
        monkeypatch.setattr(versions, "_MOST_PUBLICATIONS", most)
        assert walk() == whole
