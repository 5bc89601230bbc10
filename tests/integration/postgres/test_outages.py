"""What is told when PostgreSQL is out of reach or out of something, and that it passes."""

import contextlib
import socket
import threading
from collections.abc import Callable, Generator
from pathlib import Path
from typing import cast

import psycopg
import pytest
from psycopg.conninfo import conninfo_to_dict

from adapters.postgres import PostgresStore
from adapters.postgres.connection.errors import translated
from adapters.postgres.store import Unit
from commerce_core.base.errors import InvalidInput, Unavailable
from commerce_core.ports.store import UnitOfWork
from tests.contracts import samples
from tests.contracts.threads import meanwhile
from tests.support.waiting import PATIENCE, assert_waits, until

Connect = Callable[[], psycopg.Connection]


def run(unit: UnitOfWork, text: str) -> psycopg.Cursor:
    """Sends a statement past the collections."""
    return cast("Unit", unit).partners._db.execute(text.encode())


def kill(connect: Connect, session: str) -> None:
    """Ends a session, and returns when it is gone."""
    pid = session.partition(":")[0]
    connect().execute("SELECT pg_terminate_backend(%s, 5000)", [pid])


def is_there(connect: Connect, session: str) -> bool:
    query = "SELECT count(*) FROM pg_stat_activity WHERE pid = %s"
    return connect().execute(query, [session.partition(":")[0]]).fetchone() != (0,)


def count(store: PostgresStore) -> int:
    with store.begin() as unit:
        return unit.partners.count(None)


@pytest.fixture
def single(database: str) -> Generator[PostgresStore]:
    """A store with one connection, so that the next unit gets the very same one."""
    with contextlib.closing(PostgresStore(database, most_connections=1)) as store:
        yield store


def test_a_lost_connection_undoes_its_unit_and_no_other(single: PostgresStore, connect: Connect):
    """A unit whose session is ended fails as Unavailable and keeps nothing; the next one works."""

    def write() -> None:
        with single.begin() as unit:
            unit.partners.add(samples.partner())
            kill(connect, unit.session)
            unit.partners.add(samples.partner())

    with pytest.raises(Unavailable, match="lost"):
        write()
    assert count(single) == 0


def test_a_connection_lost_before_the_commit(single: PostgresStore, connect: Connect):
    """A unit that has done all its work isn't kept either if its commit doesn't arrive."""

    def write() -> None:
        with single.begin() as unit:
            unit.partners.add(samples.partner())
            kill(connect, unit.session)

    with pytest.raises(Unavailable):
        write()
    assert count(single) == 0


def test_connections_that_died_in_the_pool_are_not_given_out(
    store: PostgresStore, connect: Connect
):
    """After a restart of the server the first units work already."""
    with contextlib.ExitStack() as stack:
        sessions = [stack.enter_context(store.begin()).session for _ in range(6)]
    for session in sessions:
        kill(connect, session)
    with contextlib.ExitStack() as stack:
        units = [stack.enter_context(store.begin()) for _ in range(6)]
        assert all(unit.partners.count(None) == 0 for unit in units)
        assert {unit.session for unit in units}.isdisjoint(sessions)


def test_a_fault_of_ours_stays_what_it_is(single: PostgresStore):
    """An error in our own SQL is no outage; it undoes its unit, and the connection goes on."""

    def write() -> None:
        with single.begin() as unit:
            unit.partners.add(samples.partner())
            run(unit, "SELECT nothing FROM nowhere")

    with pytest.raises(psycopg.errors.UndefinedTable):
        write()
    assert count(single) == 0


WRITE = "INSERT INTO idempotency_keys VALUES ('a', 'b', 'c')"
RAISE = "DO $$ BEGIN RAISE SQLSTATE '{}'; END $$"


@pytest.mark.parametrize(
    ("setup", "statement", "told"),
    [
        ("SET LOCAL statement_timeout = 20", "SELECT pg_sleep(10)", "too long"),
        ("SET TRANSACTION READ ONLY", WRITE, "no writes"),
        ("SELECT 1", RAISE.format("53100"), "disk is full"),
        ("SELECT 1", RAISE.format("40P01"), "busy"),
    ],
)
def test_outages_are_distinguished(single: PostgresStore, setup: str, statement: str, told: str):
    """What the server is out of is said with what to do about it, and the next unit works."""

    def work() -> None:
        with single.begin() as unit:
            run(unit, setup)
            run(unit, statement)

    with pytest.raises(Unavailable, match=told) as refused:
        work()
    assert refused.value.remedy
    assert count(single) == 0


@pytest.mark.parametrize("state", ["53300", "57P03", "08006", "53200", "57P01", "08001"])
def test_every_outage_of_the_driver_is_unavailable(state: str):
    """Too many clients, starting up, a broken wire: all are one error of the core."""
    with pytest.raises(Unavailable), translated():
        raise psycopg.errors.lookup(state) if state[0] != "0" else psycopg.OperationalError(state)


@pytest.mark.parametrize("text", ["a\0b", "half \ud800"])
def test_a_text_that_no_database_takes_is_refused(single: PostgresStore, text: str):
    """Where one gets as far as the store it is the asker's fault, and no outage."""

    def ask() -> None:
        with single.begin() as unit:
            unit.partners.find(text)

    with pytest.raises(InvalidInput) as refused:
        ask()
    assert refused.value.code == "unstorable_text"
    assert count(single) == 0


def test_waiting_for_a_lock_has_an_end(store: PostgresStore):
    """Whoever waits too long for what another unit holds is told that the database is busy."""
    someone = samples.partner()
    with store.begin() as unit:
        unit.partners.add(someone)

    def change(unit: UnitOfWork) -> None:
        unit.partners.put(someone.changed(samples.T0, currency="USD"))

    def wait() -> None:
        with store.begin() as unit:
            run(unit, "SET LOCAL lock_timeout = 20")
            change(unit)

    with store.begin() as holder:
        change(holder)
        with pytest.raises(Unavailable, match="busy"):
            wait()


def test_a_unit_that_stands_still_is_ended(single: PostgresStore, connect: Connect):
    """A process that was stopped within a unit gives back what it held."""

    def stand_still() -> None:
        with single.begin() as unit:
            unit.partners.add(samples.partner())
            run(unit, "SET LOCAL idle_in_transaction_session_timeout = 20")
            until(lambda: not is_there(connect, unit.session))
            unit.partners.add(samples.partner())

    with pytest.raises(Unavailable):
        stand_still()
    assert count(single) == 0


def test_more_units_than_connections_wait(single: PostgresStore):
    """A unit that finds every connection busy waits for one."""
    with single.begin():
        waiting = meanwhile(lambda: count(single))
        assert_waits(waiting)
    assert waiting.result(PATIENCE) == 0


@pytest.mark.slow
def test_waiting_for_a_connection_has_an_end(single: PostgresStore):
    """Then it says that all are busy; the server itself is fine."""
    with single.begin(), pytest.raises(Unavailable, match="All 1 connections"):
        count(single)
    single.check()


@pytest.mark.slow
def test_no_server(tmp_path: Path):
    """Where nothing listens every way in says so, and how to go on."""
    address = f"host={tmp_path} dbname=postgres"
    with contextlib.closing(PostgresStore(address)) as store:
        for attempt in (store.check, lambda: count(store)):
            with pytest.raises(Unavailable, match=r"can't be reached.*No such file") as refused:
                attempt()
            assert refused.value.remedy
    with pytest.raises(Unavailable), PostgresStore.open(address):
        pass


def test_a_server_that_never_answers(tmp_path: Path):
    """A server that takes connections and says nothing is unavailable, within the time promised."""
    with socket.socket(socket.AF_UNIX) as mute:
        mute.bind(str(tmp_path / ".s.PGSQL.5432"))
        mute.listen()
        with contextlib.closing(PostgresStore(f"host={tmp_path} dbname=x")) as store:
            asking = meanwhile(store.check)
            with pytest.raises(Unavailable):
                asking.result(PATIENCE)


@pytest.mark.slow
def test_the_store_heals_when_the_server_is_back(tmp_path: Path, database: str):
    """Once the server can be reached again so can the store, without being made anew."""
    parts = conninfo_to_dict(database)
    port = parts.get("port") or 5432
    real, link = Path(str(parts["host"])), tmp_path / f".s.PGSQL.{port}"
    with contextlib.closing(PostgresStore(f"{database} host={tmp_path}")) as store:
        with pytest.raises(Unavailable):
            count(store)
        link.symlink_to(real / link.name)
        assert count(store) == 0
        store.check()


def test_threads_share_a_store(store: PostgresStore):
    """More threads than connections all get their turn."""
    done: list[int] = []
    threads = [threading.Thread(target=lambda: done.append(count(store))) for _ in range(40)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(PATIENCE)
    assert done == [0] * 40


def test_settings_of_the_address_win(database: str):
    """What the connection string says is kept, and what it leaves open is filled in."""
    query = "SELECT current_setting('application_name'), current_setting('TimeZone')"
    named = PostgresStore(f"{database} application_name=mine")
    with contextlib.closing(named) as store, store.begin() as unit:
        assert run(unit, query).fetchone() == ("mine", "UTC")
