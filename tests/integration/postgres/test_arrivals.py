"""On PostgreSQL, too, the order in which feeds arrive doesn't matter."""

from datetime import UTC, datetime

import pytest

from adapters.memory import MemoryStore
from adapters.postgres import PostgresStore
from tests.contracts.arrivals_machine import agree


@pytest.mark.slow
def test_postgres_and_memory_come_to_the_same_whatever_arrives_when(store: PostgresStore):
    agree(MemoryStore(lambda: datetime.now(UTC)), store, examples=8, steps=12)
