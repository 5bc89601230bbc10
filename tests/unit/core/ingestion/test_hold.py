"""Guards, plans and decisions, on the store in memory."""

from datetime import UTC, datetime

import pytest

from adapters.memory import MemoryStore
from tests.contracts.holding_contract import *  # noqa: F403 - every test of it
from tests.contracts.holding_machine import agree


@pytest.fixture
def store() -> MemoryStore:
    return MemoryStore(lambda: datetime.now(UTC))


def test_two_stores_in_memory_agree_on_what_is_held():
    """The machine that compares platforms finds no difference where there is none."""
    one, other = (MemoryStore(lambda: datetime.now(UTC)) for _ in range(2))
    agree(one, other, examples=20, steps=15)
