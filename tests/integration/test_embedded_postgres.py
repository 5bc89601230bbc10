"""The embedded PostgreSQL: one server a folder, there while needed, gone after, whatever dies."""

import contextlib
import os
import resource
import shutil
import signal
import stat
import subprocess
import sys
from collections.abc import Generator
from pathlib import Path

import psycopg
import pytest

from adapters import embedded_postgres
from adapters.embedded_postgres import running_postgres, supervisor
from commerce_core.base.errors import Unavailable
from tests.support.waiting import pause, until

pytestmark = pytest.mark.processes

# A user of its own: says its address, and stays until its standard input ends, or it is killed.
USER = """
import sys
from pathlib import Path
from adapters.embedded_postgres import running_postgres
with running_postgres(Path(sys.argv[1]), linger=float(sys.argv[2])) as address:
    print(address, flush=True)
    sys.stdin.read()
"""
SOON = 0.1  # seconds that a server lingers, where that is not the point
LONG = 3600.0  # seconds that a server lingers, where it is not to end by itself


def ask(address: str, query: str) -> object:
    with psycopg.connect(address, autocommit=True) as connection:
        row = connection.execute(query.encode()).fetchone()
    assert row is not None
    return row[0]


def do(address: str, *statements: str) -> None:
    with psycopg.connect(address, autocommit=True) as connection:
        for statement in statements:
            connection.execute(statement.encode())


def started_at(address: str) -> object:
    return ask(address, "SELECT pg_postmaster_start_time()")


def answers(address: str, *, after: object = None) -> bool:
    """Whether a server is there, and is one that was started after that moment."""
    try:
        return started_at(address) != after
    except psycopg.OperationalError:
        return False


def processes(data_dir: Path) -> dict[int, str]:
    """Every living process that works in the folder, with its program: supervisor and server."""
    found: dict[int, str] = {}
    for process in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            if (process / "cwd").readlink().is_relative_to(data_dir.resolve()):
                found[int(process.name)] = (process / "comm").read_text().strip()
    return found


def of_server(data_dir: Path) -> list[int]:
    return [pid for pid, program in processes(data_dir).items() if program == "postgres"]


def supervisors(data_dir: Path) -> list[int]:
    return [pid for pid, program in processes(data_dir).items() if program != "postgres"]


def kill(*pids: int) -> None:
    for pid in pids:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)


def postmaster(data_dir: Path) -> int:
    return int((data_dir / "postgres/cluster/postmaster.pid").read_text().split()[0])


@pytest.fixture
def empty_dir(tmp_path: Path) -> Generator[Path]:
    """A folder that is not there yet, and that no process outlives."""
    folder = tmp_path / "data"
    yield folder
    until(lambda: not processes(folder))
    shutil.rmtree(folder, ignore_errors=True)  # forty megabytes each


@pytest.fixture(scope="module")
def used_dir(tmp_path_factory: pytest.TempPathFactory) -> Generator[Path]:
    folder = tmp_path_factory.mktemp("used") / "data"
    yield folder
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
def data_dir(used_dir: Path) -> Generator[Path]:
    """A folder that was in use before, and that no process outlives."""
    yield used_dir
    until(lambda: not processes(used_dir))


@contextlib.contextmanager
def user(data_dir: Path, linger: float = SOON) -> Generator[subprocess.Popen[str]]:
    """Another process that uses the folder, and is killed at the end if it wasn't before."""
    process = subprocess.Popen(
        [sys.executable, "-c", USER, data_dir, str(linger)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


def address_of(process: subprocess.Popen[str]) -> str:
    assert process.stdout is not None
    return process.stdout.readline().strip()


def test_an_empty_folder_becomes_a_durable_utf8_server_without_a_network_door(empty_dir: Path):
    with running_postgres(empty_dir, linger=SOON) as address:
        settings = {
            name: ask(address, f"SHOW {name}")
            for name in ("fsync", "synchronous_commit", "listen_addresses", "timezone", "jit")
        }
        assert settings == {
            "fsync": "on",
            "synchronous_commit": "on",
            "listen_addresses": "",
            "timezone": "UTC",
            "jit": "off",
        }
        locale = "SELECT pg_encoding_to_char(encoding) || ' ' || datlocale FROM pg_database"
        assert ask(address, locale) == "UTF8 C.UTF-8"
        assert ask(address, "SELECT current_setting('server_version_num')::int / 10000") == 18


def test_only_the_owner_of_the_folder_can_reach_it(data_dir: Path):
    with running_postgres(data_dir, linger=SOON) as address:
        home = data_dir / "postgres"
        door = home / ".s.PGSQL.5432"
        assert stat.S_IMODE(home.stat().st_mode) == 0o700
        assert stat.S_IMODE(door.stat().st_mode) == 0o700
        ways_in = (
            "SELECT string_agg(DISTINCT type || ' ' || auth_method, ',') FROM pg_hba_file_rules"
        )
        assert ask(address, ways_in) == "local peer"
        names = ask(address, "SELECT array_agg(sys_name) FROM pg_ident_file_mappings")
        assert isinstance(names, list)
        assert "root" in names
        assert len(names) <= 2


def test_all_users_at_once_share_one_server(data_dir: Path):
    with (
        running_postgres(data_dir, linger=SOON) as first,
        running_postgres(data_dir, linger=SOON) as second,
    ):
        assert started_at(first) == started_at(second)


def test_eight_processes_that_start_at_once_make_one_cluster_and_one_server(empty_dir: Path):
    with contextlib.ExitStack() as stack:
        users = [stack.enter_context(user(empty_dir)) for _ in range(8)]
        addresses = [address_of(process) for process in users]
        assert all(answers(address) for address in addresses)
        assert len({started_at(address) for address in addresses}) == 1
        assert len(supervisors(empty_dir)) == 1
    log = (empty_dir / "postgres/postgres.log").read_text()
    assert log.count("running bootstrap script") == 1
    assert log.count("ready to accept connections") == 1


def test_the_server_ends_after_its_last_user_and_the_next_one_finds_the_rows(data_dir: Path):
    with running_postgres(data_dir, linger=SOON) as address:
        do(
            address,
            "DROP TABLE IF EXISTS kept, once",
            "CREATE TABLE kept (n int)",
            "INSERT INTO kept VALUES (42)",
        )
        with running_postgres(data_dir):
            pass
        pause(0.5)
        assert answers(address)
    until(lambda: not processes(data_dir))
    assert not (data_dir / "postgres/cluster/postmaster.pid").exists()
    with running_postgres(data_dir, linger=SOON) as address:
        assert ask(address, "SELECT n FROM kept") == 42


def test_a_server_lingers_so_that_one_command_after_another_finds_it_up(data_dir: Path):
    with running_postgres(data_dir, linger=LONG) as address:
        before = started_at(address)
    pause(0.6)
    with running_postgres(data_dir) as address:
        assert started_at(address) == before
    kill(*supervisors(data_dir))


def test_users_that_come_while_the_server_is_ending_never_get_a_dead_address(data_dir: Path):
    starts: set[object] = set()
    with running_postgres(data_dir, linger=0.0):
        pass
    for round_ in range(8):
        pause(0.04 * round_)
        with running_postgres(data_dir, linger=0.0) as address:
            starts.add(started_at(address))
    until(lambda: not processes(data_dir))
    with running_postgres(data_dir, linger=0.0) as address:
        starts.add(started_at(address))
    assert len(starts) > 1


def test_all_committed_rows_survive_when_everything_is_killed(data_dir: Path):
    with user(data_dir) as other:
        address = address_of(other)
        do(address, "DROP TABLE IF EXISTS kept, once", "CREATE TABLE kept (n int)")
        with psycopg.connect(address) as connection:
            for n in range(50):
                connection.execute("INSERT INTO kept VALUES (%s)", [n])
                connection.commit()
            connection.execute("INSERT INTO kept VALUES (99)")
            kill(other.pid, *processes(data_dir))
            with pytest.raises(psycopg.OperationalError):
                connection.commit()
    with running_postgres(data_dir, linger=SOON) as address:
        assert ask(address, "SELECT array_agg(n ORDER BY n) FROM kept") == list(range(50))


@pytest.mark.parametrize("who", ["postmaster", "server", "supervisor", "supervisor and server"])
def test_a_killed_part_is_back_under_the_same_address(data_dir: Path, who: str):
    with running_postgres(data_dir, linger=SOON) as address:
        do(address, "DROP TABLE IF EXISTS kept, once", "CREATE TABLE kept AS SELECT 1 AS n")
        before = started_at(address)
        victims = {
            "postmaster": [postmaster(data_dir)],
            "server": of_server(data_dir),
            "supervisor": supervisors(data_dir),
            "supervisor and server": list(processes(data_dir)),
        }
        kill(*victims[who])
        until(lambda: answers(address, after=before))
        assert ask(address, "SELECT n FROM kept") == 1


def test_a_user_that_comes_right_after_a_kill_gets_a_living_server(data_dir: Path):
    with running_postgres(data_dir, linger=SOON) as address:
        for _ in range(3):
            kill(*supervisors(data_dir))
            with running_postgres(data_dir, linger=SOON) as same:
                assert answers(same)
            kill(postmaster(data_dir))
            until(lambda: answers(address))


def test_a_supervisor_that_says_nothing_keeps_nobody_out_for_long(
    data_dir: Path, monkeypatch: pytest.MonkeyPatch
):
    with running_postgres(data_dir, linger=SOON) as address:
        monkeypatch.setattr(embedded_postgres, "SILENCE_PATIENCE", 0.2)
        monkeypatch.setattr(supervisor, "ANSWER_PATIENCE", 0.2)
        (silent,) = supervisors(data_dir)
        os.kill(silent, signal.SIGSTOP)  # as one of a version that answers no questions
        try:
            with running_postgres(data_dir, linger=SOON) as same:
                assert started_at(same) == started_at(address)
        finally:
            os.kill(silent, signal.SIGCONT)


def test_no_server_outlives_a_killed_user_or_the_killed_supervisor(data_dir: Path):
    with user(data_dir) as other:
        address_of(other)
        kill(other.pid)
        until(lambda: not processes(data_dir))
    with user(data_dir) as other:
        address_of(other)
        kill(other.pid, *supervisors(data_dir))
        until(lambda: not processes(data_dir))


def test_a_server_that_will_not_end_in_order_is_ended_all_the_same(data_dir: Path):
    with user(data_dir, linger=0.0) as other, psycopg.connect(address_of(other)) as connection:
        os.kill(connection.info.backend_pid, signal.SIGSTOP)
        kill(other.pid)
        until(lambda: not of_server(data_dir))


def test_a_recorded_process_id_that_is_somebody_elses_now_is_no_obstacle(data_dir: Path):
    with user(data_dir) as other:
        address_of(other)
        kill(other.pid, *processes(data_dir))
        until(lambda: not processes(data_dir))
    record = data_dir / "postgres/cluster/postmaster.pid"
    lines = record.read_text().splitlines()
    innocent = subprocess.Popen(["sleep", "60"])
    try:
        record.write_text("\n".join([str(innocent.pid), *lines[1:], ""]))
        lock = data_dir / "postgres/.s.PGSQL.5432.lock"
        lock.write_text("\n".join([str(innocent.pid), *lock.read_text().splitlines()[1:], ""]))
        with running_postgres(data_dir, linger=SOON) as address:
            assert answers(address)
        assert innocent.poll() is None
    finally:
        innocent.kill()
        innocent.wait()


@pytest.mark.parametrize("name", ["it's a \\ müller % 店", 'a, "b" \udcff'])
def test_any_name_of_a_folder_will_do(empty_dir: Path, name: str):
    empty_dir.mkdir(mode=0o700)
    with running_postgres(empty_dir / name, linger=SOON) as address:
        assert answers(address)


def test_a_path_too_long_for_a_socket_has_it_elsewhere_and_leaves_nothing_there(empty_dir: Path):
    folder = empty_dir / ("x" * 120)
    with user(folder) as other:
        assert answers(address_of(other))
        first = (folder / "postgres/socket").readlink()
        assert stat.S_IMODE(first.stat().st_mode) == 0o700
        kill(other.pid, *processes(folder))
        until(lambda: not processes(folder))
    with running_postgres(folder, linger=SOON) as address:
        assert answers(address)
        second = (folder / "postgres/socket").readlink()
    until(lambda: not processes(folder))
    assert not first.exists()
    assert not second.exists()


def test_a_folder_that_was_removed_can_be_used_anew_at_once(empty_dir: Path):
    with running_postgres(empty_dir, linger=0.8) as address:
        old = started_at(address)
        former = processes(empty_dir)
    subprocess.run(["rm", "-rf", empty_dir], check=True)
    pause(0.3)
    with running_postgres(empty_dir, linger=SOON) as address:
        # When the old one ends it must not take the new one's socket along.
        until(lambda: not any(Path(f"/proc/{pid}").exists() for pid in former))
        assert answers(address)
        assert started_at(address) != old


def test_a_folder_of_another_major_version_is_refused_with_the_way_out(empty_dir: Path):
    cluster = empty_dir / "postgres/cluster"
    cluster.mkdir(parents=True)
    (cluster / "PG_VERSION").write_text("16\n")
    with pytest.raises(Unavailable) as refusal, running_postgres(empty_dir):
        pass
    assert "PostgreSQL 16" in refusal.value.detail
    assert str(cluster) in refusal.value.detail
    assert "pg_dumpall" in refusal.value.remedy


def test_a_folder_that_cannot_be_made_is_refused_by_name(tmp_path: Path):
    (tmp_path / "file").touch()
    refused = pytest.raises(Unavailable, match="Not a directory")
    with refused as refusal, running_postgres(tmp_path / "file/data"):
        pass
    assert str(tmp_path / "file/data") in refusal.value.detail
    assert refusal.value.remedy


def test_an_initdb_that_fails_says_so_leaves_nothing_half_made_and_can_be_repeated(empty_dir: Path):
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1_000_000, before[1]))  # much like a full disk
    try:
        with pytest.raises(Unavailable) as refusal, running_postgres(empty_dir):
            pass
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert str(empty_dir / "postgres/postgres.log") in refusal.value.detail
    assert "initdb" in refusal.value.detail
    assert not list((empty_dir / "postgres").glob("cluster*"))
    with running_postgres(empty_dir, linger=SOON) as address:
        assert answers(address)


def test_a_kill_in_the_middle_of_the_first_start_leaves_nothing_half_made(empty_dir: Path):
    with user(empty_dir) as other:
        until(lambda: "initdb" in processes(empty_dir).values())
        kill(other.pid, *processes(empty_dir))
    with running_postgres(empty_dir, linger=SOON) as address:
        assert answers(address)
        assert not list((empty_dir / "postgres").glob("cluster.*"))


def test_a_server_that_cannot_start_is_an_error_with_the_end_of_its_log(empty_dir: Path):
    cluster = empty_dir / "postgres/cluster"
    cluster.mkdir(mode=0o700, parents=True)
    (cluster / "PG_VERSION").write_text("18\n")
    with pytest.raises(Unavailable) as refusal, running_postgres(empty_dir):
        pass
    assert "could not find the database system" in refusal.value.detail
    assert str(empty_dir / "postgres/postgres.log") in refusal.value.remedy


def test_the_log_is_kept_short_while_the_server_writes_on(data_dir: Path):
    with running_postgres(data_dir, linger=SOON) as address:
        log = data_dir / "postgres/postgres.log"
        with log.open("a") as file:
            file.write("x" * (supervisor.LOG_LIMIT + 1))
        until(lambda: log.stat().st_size < 1000)
        with psycopg.connect(address) as connection, contextlib.suppress(psycopg.Error):
            connection.execute("SELECT pg_terminate_backend(pg_backend_pid())")
        until(lambda: "terminating" in log.read_text())
        assert (data_dir / "postgres/postgres.log.1").stat().st_size > supervisor.LOG_LIMIT


def test_the_log_holds_no_values_of_failed_statements(data_dir: Path):
    with running_postgres(data_dir, linger=SOON) as address:
        do(
            address,
            "CREATE TABLE once (secret text PRIMARY KEY)",
            "INSERT INTO once VALUES ('s3cr3t')",
        )
        with pytest.raises(psycopg.errors.UniqueViolation):
            do(address, "INSERT INTO once VALUES ('s3cr3t')")
        log = data_dir / "postgres/postgres.log"
        until(lambda: "duplicate key" in log.read_text())
        assert "s3cr3t" not in log.read_text()


def test_the_server_knows_nothing_of_its_users_secrets_and_heeds_none_of_its_settings(
    data_dir: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("COMMERCE_SECRET", "s3cr3t")
    monkeypatch.setenv("PGPORT", "7777")
    monkeypatch.setenv("PGDATA", "/nowhere")
    with running_postgres(data_dir, linger=SOON) as address:
        assert answers(address)
        for pid in processes(data_dir):
            with contextlib.suppress(
                ProcessLookupError, FileNotFoundError
            ):  # One may have ended by now.
                assert b"s3cr3t" not in Path(f"/proc/{pid}/environ").read_bytes()
