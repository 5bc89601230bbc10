"""Looks after the embedded server: makes its cluster, starts it, ends it after its last user.

The folder that this process and the users share:

    DATA_DIR/postgres/
        users.lock       held shared, by everyone who needs the server
        supervisor.lock  held by the process that looks after the server
        server.lock      held by every process of the server, by inheritance
        cluster/         PostgreSQL's own data directory
        socket           a link to where the sockets are, when they can't be in this folder
        .s.PGSQL.5432    the server's socket
        .supervisor      the supervisor's, which answers that its server lives
        postgres.log     what initdb, the supervisor and the server say

The kernel takes a lock back the moment its holder dies, however it dies: so locks, never files with
process ids in them, say who is alive. This program runs without site-packages, hence with the
standard library alone.
"""

import contextlib
import ctypes
import functools
import os
import re
import select
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Generator
from pathlib import Path

if sys.platform != "win32":
    import fcntl
    import pwd

MAJOR = 18
ROLE = "commerce"
PORT = 5432  # of no network: it is only part of the socket's name
SOCKET = f".s.PGSQL.{PORT}"
LINE = ".supervisor"  # the name of the supervisor's socket, no longer than the server's
ALIVE = b"+"
ANSWER_PATIENCE = 1.0  # seconds for which one question to the supervisor waits
SOCKET_PATH_LIMIT = 103  # bytes; Linux would take 107, macOS takes 103
LOG_LIMIT = 8_000_000  # bytes of log, and as many again in the log before it
TICK = 0.2  # seconds between two looks at the users and the server
SHARED_MEMORY = 256_000_000  # bytes that parallel queries want to have

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

SETTINGS = """\
# Written at every start, so that old clusters get new settings. ALTER SYSTEM wins over them.
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
# A statement and its values can contain what must not stand in a log.
log_error_verbosity = terse
log_min_error_statement = panic
"""

# Processes on this machine, whose accounts the kernel vouches for, if the map `owners` has them.
DOORS = """\
local all all peer map=owners
local replication all peer map=owners
"""


class Home:
    """The server's folder: who holds its locks, what its server says, where its socket is."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.cluster = path / "cluster"

    def make(self) -> None:
        """Makes the folder, for its owner alone, and those above it, if they aren't there."""
        _make_folder(self.path, 0o700)

    def opened(self, name: str) -> int:
        """A file of the folder, made if it isn't there; never through a symbolic link."""
        path = self.path / name
        flags = os.O_RDWR | os.O_APPEND | os.O_NOFOLLOW
        try:
            return os.open(path, flags)
        except FileNotFoundError:
            with contextlib.suppress(FileExistsError):  # another process has just made it
                os.close(os.open(path, flags | os.O_CREAT | os.O_EXCL, 0o600))
                _give_to_owner_of(self.path, path)
            return os.open(path, flags)

    def locked(self, name: str, *, within: float = 0.0) -> int | None:
        """A lock file, open and ours alone; None if others held it all that time."""
        return self._lock(name, fcntl.LOCK_EX, within)

    def shared(self, name: str, *, within: float) -> int | None:
        """A lock file, open and shared; None if another process held it alone all that time."""
        return self._lock(name, fcntl.LOCK_SH, within)

    def _lock(self, name: str, kind: int, within: float) -> int | None:
        deadline = time.monotonic() + within
        file = self.opened(name)
        while not _flock(file, kind):
            if time.monotonic() >= deadline:
                os.close(file)
                return None
            time.sleep(0.005)
        return file

    def postmaster_record(self) -> bytes:
        """What the server, or a killed one before it, wrote about itself."""
        try:
            return (self.cluster / "postmaster.pid").read_bytes()
        except FileNotFoundError:
            return b""

    def postmaster_pid(self) -> int:
        """The process id in the record, 0 without one. It can be another process's by now."""
        first = self.postmaster_record().partition(b"\n")[0]
        return int(first) if first.isdigit() else 0

    def socket_folder(self) -> Path:
        """Where the server's socket is."""
        link = self.path / "socket"
        return link.readlink() if link.is_symlink() else self.path

    def is_looked_after(self) -> bool:
        """Whether a supervisor says, asked just now, that its server lives.

        One that was killed before says nothing, even if the kernel has not yet taken it away; its
        server may answer for a moment longer.
        """
        with socket.socket(socket.AF_UNIX) as line:
            line.settimeout(ANSWER_PATIENCE)
            try:
                line.connect(os.fsencode(self.socket_folder() / LINE))
                return line.recv(1) == ALIVE
            except OSError:
                return False

    @contextlib.contextmanager
    def made_socket_folder(self) -> Generator[Path]:
        """Yields where a socket can be: here, or for long or strange paths in a new folder."""
        self.remove_socket()
        # A comma or double quote makes it a list to libpq or the server; psycopg wants UTF-8.
        short = len(os.fsencode(self.path / SOCKET)) <= SOCKET_PATH_LIMIT
        if not short or re.search(r'[,"\ud800-\udfff]', str(self.path)):
            (self.path / "socket").symlink_to(tempfile.mkdtemp(prefix="commerce-"))
        try:
            yield self.socket_folder()
        finally:
            self.remove_socket()

    def remove_socket(self) -> None:
        """Removes what a server left of its socket, elsewhere too if /tmp still has that."""
        folder = self.socket_folder()
        with contextlib.suppress(OSError):
            for name in (SOCKET, f"{SOCKET}.lock", LINE):
                (folder / name).unlink(missing_ok=True)
            if folder != self.path:
                folder.rmdir()
        (self.path / "socket").unlink(missing_ok=True)


def is_ready(postmaster_record: bytes) -> bool:
    """Whether the server says that it takes connections."""
    return postmaster_record.rstrip().endswith(b"\nready")


def _flock(file: int, kind: int) -> bool:
    try:
        fcntl.flock(file, kind | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _make_folder(path: Path, mode: int) -> None:
    if not path.is_dir():
        _make_folder(path.parent, 0o777)
        with contextlib.suppress(FileExistsError):
            path.mkdir(mode)
            _give_to_owner_of(path.parent, path)


def _give_to_owner_of(folder: Path, made: Path) -> None:
    """What root makes for an account that has the folder, the account must be able to open."""
    owner = folder.stat()
    if os.geteuid() == 0 != owner.st_uid:
        os.chown(made, owner.st_uid, owner.st_gid, follow_symlinks=False)


# --- the supervisor -------------------------------------------------------------------------------


def main(home: Home, binaries: Path, linger: float, claim: int) -> None:
    """Looks after the server until it isn't needed; `claim` is the supervisor's lock, held."""
    if os.fork():
        os._exit(0)  # the starter waits for this process, and is no longer our parent
    # A shutdown that signals everyone reaches the users too, and without users we end anyway.
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)  # ignored, it would hide how a child ended
    try:
        _Supervisor(home, binaries, claim, _take_account(home, binaries)).run(linger)
    except OSError as error:
        sys.exit(f"The supervisor can't go on: {error}")


class _Supervisor:
    """Makes the cluster, starts its server, and ends it some seconds after its last user."""

    def __init__(
        self, home: Home, binaries: Path, claim: int, pose: "pwd.struct_passwd | None"
    ) -> None:
        self.home = home
        self.binaries = binaries
        self.pose = pose
        self.claim = claim
        self.users = home.opened("users.lock")

    def run(self, linger: float) -> None:
        os.close(self.end_server())  # one whose own supervisor was killed
        if not self.home.cluster.exists():
            self.make_cluster()
        self.write_settings()
        with self.home.made_socket_folder() as sockets, socket.socket(socket.AF_UNIX) as line:
            line.bind(os.fsencode(sockets / LINE))
            line.listen()
            line.settimeout(0)
            while self.watch(self.start_server(sockets), line, linger):
                sys.stderr.write("The server died while it was needed. Starting it again.\n")

    def make_cluster(self) -> None:
        """Makes the cluster beside its place, and moves it there whole."""
        for half_made in self.home.path.glob("cluster.*"):
            shutil.rmtree(half_made, ignore_errors=True)
        folder = Path(tempfile.mkdtemp(prefix="cluster.", dir=self.home.path))
        initdb = self.start("initdb", "-D", folder, *INITDB)
        if initdb.wait() != 0:
            shutil.rmtree(folder, ignore_errors=True)
            sys.exit(f"initdb ended with {initdb.returncode}.")
        folder.rename(self.home.cluster)
        home = os.open(self.home.path, os.O_RDONLY)
        os.fsync(home)
        os.close(home)

    def write_settings(self) -> None:
        """Sets the server up. Its doors are for the account it runs under, and for root."""
        account = self.pose or pwd.getpwuid(os.geteuid())
        owners = sorted({account.pw_name, pwd.getpwuid(0).pw_name})
        names = "".join(f'owners "{name}" all\n' for name in owners)
        (self.home.cluster / "postgresql.conf").write_text(SETTINGS + _parallel())
        (self.home.cluster / "pg_hba.conf").write_text(DOORS)
        (self.home.cluster / "pg_ident.conf").write_text(names)

    def start_server(self, sockets: Path) -> "subprocess.Popen[bytes]":
        lock = self.end_server()
        try:
            return self.start("postgres", "-D", self.home.cluster, "-k", sockets, keep=(lock,))
        finally:
            os.close(lock)  # from here on only the server holds it

    def start(
        self, name: str, *arguments: Path | str, keep: tuple[int, ...] = ()
    ) -> "subprocess.Popen[bytes]":
        """Starts a program of PostgreSQL's, which ends when this process does."""
        parent = os.getpid()

        def become() -> None:
            if self.pose is not None:
                _pose_as(self.pose)
            _end_with(parent)

        # PostgreSQL takes a recorded process that lives for a rival, unless it is named here. We
        # know better: the server's lock is free.
        stale = {"PG_GRANDPARENT_PID": str(self.home.postmaster_pid())}
        # S603: PostgreSQL's own. PLW1509: there is no other thread here.
        return subprocess.Popen(  # noqa: S603
            [self.binaries / name, *arguments],
            stdin=subprocess.DEVNULL,
            env=os.environ | stale,
            pass_fds=keep,
            preexec_fn=become,  # noqa: PLW1509
        )

    def watch(self, server: "subprocess.Popen[bytes]", line: socket.socket, linger: float) -> bool:
        """Waits for the server's end, or ends it when it isn't needed; True to start it again."""
        was_ready = False
        last_use = time.monotonic()
        while server.poll() is None:
            self.answer(server, line)
            if not self.home_is_there():
                server.kill()  # in order, it would remove the socket of a successor in this place
                return False
            self.shorten_log()
            was_ready = was_ready or self.is_up(server)
            if not self.keep_users_out():
                last_use = time.monotonic()
            elif time.monotonic() - last_use < linger:
                fcntl.flock(self.users, fcntl.LOCK_UN)
            else:
                # Kept out until this process ends: none of them gets a dying server's address.
                self.end_server()
                return False
        if not was_ready:
            sys.exit(f"The server ended with {server.returncode} before it was ready.")
        return not self.keep_users_out()

    def answer(self, server: "subprocess.Popen[bytes]", line: socket.socket) -> None:
        """Answers, for one tick, that the server lives."""
        end = time.monotonic() + TICK
        while (left := end - time.monotonic()) > 0 and select.select([line], [], [], left)[0]:
            with contextlib.suppress(OSError), line.accept()[0] as asking:  # a client that left
                if server.poll() is None:
                    asking.send(ALIVE)

    def keep_users_out(self) -> bool:
        """Takes the users' lock, unless one of them holds it."""
        return _flock(self.users, fcntl.LOCK_EX)

    def home_is_there(self) -> bool:
        """False once the folder was removed, or replaced, under us."""
        try:
            found = (self.home.path / "supervisor.lock").stat()
        except FileNotFoundError:
            return False
        return os.path.samestat(found, os.fstat(self.claim))

    def is_up(self, server: "subprocess.Popen[bytes]") -> bool:
        return self.home.postmaster_pid() == server.pid and is_ready(self.home.postmaster_record())

    def shorten_log(self) -> None:
        """Moves a long log's text away; the server goes on writing into the same file."""
        log = self.home.path / "postgres.log"
        if os.fstat(sys.stderr.fileno()).st_size > LOG_LIMIT and log.exists():
            shutil.copyfile(log, self.home.path / "postgres.log.1")
            os.truncate(log, 0)

    def end_server(self) -> int:
        """Ends what server there is; returns its lock, which its last process gave back.

        Only what surely works in this cluster gets a signal, and SIGINT and SIGQUIT only the
        postmaster. SIGINT ends a server in order, the others leave the rest to recovery. With the
        usual linger before it, all this takes less than ten seconds.
        """
        ways = ((0, 0.0), (signal.SIGINT, 3.0), (signal.SIGQUIT, 1.0), (signal.SIGKILL, 10.0))
        for number, patience in ways:
            for pid in _server_processes(self.home):
                if number == signal.SIGKILL or pid == self.home.postmaster_pid():
                    with contextlib.suppress(ProcessLookupError):
                        os.kill(pid, number)
            lock = self.home.locked("server.lock", within=patience)
            if lock is not None:
                return lock
        sys.exit("An earlier server doesn't end. Is it one of another container?")


def _parallel() -> str:
    """Containers tend to have 64 MB of shared memory, and a parallel hash join fails on that."""
    shared = Path("/dev/shm")  # noqa: S108 - looked at, not written to
    small = shared.exists() and shutil.disk_usage(shared).total < SHARED_MEMORY
    return "max_parallel_workers_per_gather = 0\n" if small else ""


def _server_processes(home: Home) -> list[int]:
    if Path("/proc/self/cwd").exists():
        return [int(p.name) for p in Path("/proc").glob("[0-9]*") if _works_in(home.cluster, p)]
    recorded = home.postmaster_pid()
    ps = ["/bin/ps", "-p", str(recorded), "-o", "args="]
    said = subprocess.run(ps, check=False, capture_output=True).stdout  # noqa: S603
    return [recorded] if os.fsencode(home.cluster) in said else []


def _works_in(cluster: Path, process: Path) -> bool:
    try:
        is_postgres = (process / "comm").read_text() == "postgres\n"
        return is_postgres and (process / "cwd").samefile(cluster)
    except OSError:
        return False  # it is another account's, or over


def _end_with(parent: int) -> None:
    """Has the kernel end this process, in order, when its parent dies.

    Only Linux can. Elsewhere the next supervisor ends an orphan.
    """
    if sys.platform == "linux":
        _libc().prctl(1, signal.SIGINT)  # PR_SET_PDEATHSIG
        if os.getppid() != parent:
            os._exit(1)


@functools.cache
def _libc() -> ctypes.CDLL:
    return ctypes.CDLL(None)


# --- accounts: PostgreSQL runs neither as root nor as an account without a name -------------------

# They may be given root's folder; and the one that stands for "not of this namespace".
UNPRIVILEGED = ("postgres", "nobody", "daemon")
OVERFLOW_UID = 65534

NO_ACCOUNT = f"""\
PostgreSQL runs neither as root nor as an account without a name. User namespaces are closed here,
and none of the accounts {", ".join(UNPRIVILEGED)} may enter both the data directory and the
folder PostgreSQL is installed in. Run as an ordinary account, or choose folders they may enter."""


def _take_account(home: Home, binaries: Path) -> "pwd.struct_passwd | None":
    """Makes this process one of the home's owner; returns whom the server has to pose as, if so.

    For root's own folder there are two ways: posing, in a user namespace, as another user, which
    works in a folder closed to all others too, or giving the folder to an account without rights.
    """
    owner = home.path.stat()
    if os.geteuid() == 0 != owner.st_uid:
        _become(owner.st_uid, owner.st_gid)
    accounts = pwd.getpwall()
    if os.geteuid() in {account.pw_uid for account in accounts} - {0}:
        return None
    pose = next((a for a in accounts if a.pw_uid not in {0, OVERFLOW_UID}), None)
    if pose is not None and _succeeds(functools.partial(_pose_as, pose)):
        return pose
    unprivileged = [a for name in UNPRIVILEGED for a in accounts if a.pw_name == name]
    for account in unprivileged if os.geteuid() == 0 else ():
        if _succeeds(functools.partial(_reach_as, account, home, binaries)):
            for path in (home.path, *home.path.rglob("*")):
                os.chown(path, account.pw_uid, account.pw_gid, follow_symlinks=False)
            _become(account.pw_uid, account.pw_gid)
            return None
    sys.exit(NO_ACCOUNT)


def _become(uid: int, gid: int) -> None:
    os.setgroups([])
    os.setgid(gid)
    os.setuid(uid)


def _reach_as(account: "pwd.struct_passwd", home: Home, binaries: Path) -> None:
    _become(account.pw_uid, account.pw_gid)
    if not os.access(home.path.parent, os.X_OK) or not os.access(binaries / "postgres", os.X_OK):
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
    if sys.platform != "linux" or _libc().unshare(0x10000000) != 0:  # CLONE_NEWUSER
        raise PermissionError
    Path("/proc/self/setgroups").write_text("deny")
    Path("/proc/self/uid_map").write_text(f"{account.pw_uid} {uid} 1")
    Path("/proc/self/gid_map").write_text(f"{account.pw_gid} {gid} 1")


if __name__ == "__main__":
    main(Home(Path(sys.argv[1])), Path(sys.argv[2]), float(sys.argv[3]), int(sys.argv[4]))
