"""Guards, plans and decisions, on PostgreSQL."""

from datetime import UTC, datetime

import pytest

from adapters.memory import MemoryStore
from adapters.postgres import PostgresStore
from tests.contracts.holding_contract import *  # noqa: F403 - every test of it
from tests.contracts.holding_machine import agree


@pytest.mark.slow
def test_postgres_and_memory_agree_on_what_is_held(store: PostgresStore):
    """Over random arrivals, holds, approvals, rejections and reverts each step has the same end."""
    agree(MemoryStore(lambda: datetime.now(UTC)), store, examples=8, steps=15)
