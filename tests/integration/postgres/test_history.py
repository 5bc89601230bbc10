"""PostgreSQL goes through any history of a catalog as the memory does, and as a model says."""

import secrets
from contextlib import nullcontext
from datetime import UTC, datetime
from io import BytesIO

import pytest

from adapters.memory import MemoryFiles, MemoryStore
from adapters.postgres import PostgresStore
from commerce_core.commerce import Commerce
from commerce_core.ports.store import Store
from commerce_core.usecases.context import Context
from entrypoints.leases import no_lease
from tests.contracts.history_machine import drive


def now() -> datetime:
    return datetime.now(UTC)


def platform(store: Store) -> Commerce:
    """A platform on that store, with raw files of its own."""
    return Commerce(
        Context(
            store=store,
            files=MemoryFiles(),
            clock=now,
            entropy=secrets.token_bytes,
            keep_lease=no_lease,
            open_path=lambda path: nullcontext(BytesIO(path.encode())),
            scratch=lambda: MemoryStore(now),
        )
    )


@pytest.mark.slow
def test_postgres_memory_and_a_model_agree_on_any_history(store: PostgresStore):
    """Feeds of both modes, deletes, reverts and their undoing, then replays of both."""
    drive(platform(MemoryStore(now)), platform(store), examples=8, steps=12)
