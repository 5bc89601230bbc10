"""The store in memory holds the contract of a store, and refuses what would never end."""

from datetime import UTC, datetime

import pytest

from adapters.memory import MemoryStore
from tests.contracts.store_contract import *  # noqa: F403 - every class of it, those to come too


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
