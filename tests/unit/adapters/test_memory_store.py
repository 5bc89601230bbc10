"""The store in memory holds the contract of a store, and refuses what would never end."""

from datetime import UTC, datetime

import pytest

from adapters.memory import MemoryStore
from tests.contracts import samples
from tests.contracts.store_contract import *  # noqa: F403 - every class of it, those to come too
from tests.contracts.store_machine import agree


@pytest.fixture
def store() -> MemoryStore:
    return MemoryStore(lambda: datetime.now(UTC))


def test_a_unit_within_a_unit_is_refused(store: MemoryStore):
    """The second unit of one thread would wait for the first for ever."""
    with store.begin() as outer:
        with pytest.raises(RuntimeError, match="already inside a unit"), store.begin():
            pass
        assert outer.partners.count(None) == 0
    with store.begin() as later:
        assert later.partners.count(None) == 0


def test_what_a_product_was_is_kept(store: MemoryStore):
    """History has the predecessors of a product's live version, by version."""
    _, source = samples.settled(store)
    for name in ("first", "second", "third"):
        samples.publish(store, source, samples.record(2, "A", brand=name))
    history = store._tables.history
    product = samples.catalog(store)["A"]
    assert [history[product.product_id, version].brand for version in (1, 2)] == ["first", "second"]
    assert (product.version, product.brand) == (3, "third")
    assert len(history) == 2


def test_two_stores_in_memory_agree():
    """The machine that compares stores finds no difference where there is none."""
    one, other = (MemoryStore(lambda: datetime.now(UTC)) for _ in range(2))
    agree(one, other, examples=20, steps=20)
