"""In whatever order feeds of several sources arrive, products show what is newest."""

from datetime import UTC, datetime

from adapters.memory import MemoryStore
from tests.contracts.arrivals_machine import agree


def test_the_order_of_arrival_does_not_matter():
    one, other = (MemoryStore(lambda: datetime.now(UTC)) for _ in range(2))
    agree(one, other, examples=15, steps=15)
