"""Guards, plans and decisions, on PostgreSQL."""

from tests.contracts.holding_contract import *  # noqa: F403 - every test of it
