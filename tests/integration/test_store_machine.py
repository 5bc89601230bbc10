"""PostgreSQL and the store in memory give the same answers to the same steps."""

from datetime import UTC, datetime

from adapters.memory import MemoryStore
from adapters.postgres import PostgresStore
from tests.contracts.store_machine import agree


def test_postgres_agrees_with_memory(store: PostgresStore):
    """Whatever feeds, orders and rollbacks come in whatever order, nobody can tell them apart."""
    agree(MemoryStore(lambda: datetime.now(UTC)), store, examples=25, steps=25)
