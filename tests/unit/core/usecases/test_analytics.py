"""The report of rejected records, on the store in memory."""

from datetime import UTC, datetime

import pytest

from adapters.memory import MemoryStore
from tests.contracts.reject_reports_contract import *  # noqa: F403 - every test of it


@pytest.fixture
def store() -> MemoryStore:
    return MemoryStore(lambda: datetime.now(UTC))
