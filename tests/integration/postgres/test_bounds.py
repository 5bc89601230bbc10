"""A statement ends with the effort that it is for, and the connection serves others afterwards."""

from contextlib import closing
from typing import cast

import psycopg
import pytest

from adapters.postgres import PostgresStore
from adapters.postgres.store import SESSION, Unit
from commerce_core.base.errors import TooMany
from commerce_core.catalog.product import ProductQuery
from commerce_core.ports.store import UnitOfWork
from entrypoints.http.admission.efforts import Gone, RequestEffort
from tests.contracts.threads import meanwhile
from tests.support.waiting import PATIENCE, until


def asleep(unit: UnitOfWork) -> None:
    """A statement that takes longer than any test."""
    connection_of(unit).execute("SELECT pg_sleep(600)")


def connection_of(unit: UnitOfWork) -> psycopg.Connection:
    return cast("Unit", unit).partners._db


def timeout_of(unit: UnitOfWork) -> str:
    (setting,) = connection_of(unit).execute("SHOW statement_timeout").fetchone() or ("",)
    return setting


@pytest.fixture
def single(database: str):
    """A store with one connection."""
    with closing(PostgresStore(database, most_connections=1)) as store:
        yield store


def test_a_statement_ends_when_its_caller_goes_away(single: PostgresStore):
    effort = RequestEffort("key_a", 600, 1)

    def sleep() -> None:
        with single.bounded(effort).begin() as unit:
            asleep(unit)

    sleeping = meanwhile(sleep)
    until(lambda: effort._ends)
    until(lambda: effort.cancel() or sleeping.done())
    with pytest.raises(Gone):
        sleeping.result(PATIENCE)
    with single.begin() as unit:
        assert unit.products.count(ProductQuery()) == 0


def test_a_statement_ends_after_the_seconds_of_its_effort(single: PostgresStore):
    with (
        pytest.raises(TooMany) as refusal,
        single.bounded(RequestEffort("key_a", 0.05, 1)).begin() as unit,
    ):
        asleep(unit)
    assert refusal.value.limit == "query_seconds"


def test_the_next_unit_has_the_usual_time(single: PostgresStore):
    with single.bounded(RequestEffort("key_a", 7, 1)).read_only() as unit:
        assert timeout_of(unit) == "7s"
    with single.begin() as unit:
        assert timeout_of(unit) == SESSION["statement_timeout"]
