"""The report of rejected records, on PostgreSQL."""

from tests.contracts.reports_contract import *  # noqa: F403 - every test of it
