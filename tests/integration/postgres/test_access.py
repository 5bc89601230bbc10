"""On PostgreSQL, too, rights that end in the middle of everything leave nothing half done."""

import pytest

from adapters.postgres import PostgresStore
from tests.contracts.access_machine import hold


@pytest.mark.slow
def test_rights_end_whole_in_the_middle_of_everything(store: PostgresStore):
    hold(store, examples=8, steps=15)
