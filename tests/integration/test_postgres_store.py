"""PostgreSQL keeps what a store promises."""

from tests.contracts.store_contract import *  # noqa: F403 - the contract is the content
