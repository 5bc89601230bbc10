"""The report of rejected records, on PostgreSQL, of feeds that are read in columns."""

import pytest

from adapters.polars_feeds import PolarsEngine
from tests.contracts.reject_reports_contract import *  # noqa: F403 - every test of it


@pytest.fixture
def engine() -> PolarsEngine:
    """What reads the feeds."""
    return PolarsEngine()
