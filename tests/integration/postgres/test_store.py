"""PostgreSQL keeps what a store promises, and gives the answers that the memory gives."""

from datetime import UTC, datetime

import pytest

from adapters.memory import MemoryStore
from adapters.postgres import PostgresStore
from tests.contracts.store_contract import *  # noqa: F403 - every class of it, those to come too
from tests.contracts.store_machine import agree


@pytest.mark.slow
def test_postgres_and_memory_agree(store: PostgresStore):
    """Over random feeds, orders and takeovers both stores give the same answers to each step."""
    agree(MemoryStore(lambda: datetime.now(UTC)), store, examples=25, steps=20)
