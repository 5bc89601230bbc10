"""In memory, rights that begin and end in the middle of everything leave nothing half done."""

from datetime import UTC, datetime

from adapters.memory import MemoryStore
from tests.contracts.access_machine import hold


def test_rights_end_whole_in_the_middle_of_everything():
    hold(MemoryStore(lambda: datetime.now(UTC)), examples=30, steps=25)
