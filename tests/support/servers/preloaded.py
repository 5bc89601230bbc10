"""The command `commerce`, with all that it imports loaded: the documentation runs hundreds of them.

A process imports the whole platform once, and forks for each command, which takes a hundredth of
the time that a new interpreter needs for its imports. Commands import parts of it when they need
them, so all modules are imported here. What is found as `commerce` in `bin` passes its
words, folder, environment and streams on to it, waits, and exits with the command's code. All else
is as in a process of its own; tests of how one starts use the real command.

    python -m tests.support.servers.preloaded SOCKET
"""

import atexit
import gc
import importlib
import json
import os
import pkgutil
import select
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final, NoReturn

import adapters
import commerce_core
import entrypoints
from tests.support.waiting import until

_STREAMS: Final = 3
_MOST_BYTES: Final = 1 << 20
"""What the words and the environment of a command may take, as JSON."""
_ASKING: Final = """#!{python} -SE
import json, os, socket, sys
asked = {{"words": sys.argv[1:], "folder": os.getcwd(), "environ": dict(os.environ)}}
with socket.socket(socket.AF_UNIX) as server:
    server.connect({address!r})
    socket.send_fds(server, [json.dumps(asked).encode() + b"\\n"], [0, 1, 2])
    sys.exit(int(server.recv(16) or b"70"))
"""


@contextmanager
def preloaded() -> Iterator[Path]:
    """A folder with a command `commerce`, for as long as the context is open."""
    with tempfile.TemporaryDirectory(prefix="commerce-") as home:
        address, bin_ = Path(home) / "socket", Path(home) / "bin"
        bin_.mkdir()
        command = bin_ / "commerce"
        command.write_text(_ASKING.format(python=sys.executable, address=str(address)))
        command.chmod(0o755)
        process = subprocess.Popen([sys.executable, "-m", __name__, str(address)])
        try:
            until(address.exists)
            yield bin_
        finally:
            process.terminate()
            process.wait()


def serve(address: str) -> NoReturn:
    """Answers until it is terminated."""
    for package in (commerce_core, adapters, entrypoints):
        for module in pkgutil.walk_packages(package.__path__, f"{package.__name__}."):
            importlib.import_module(module.name)
    gc.freeze()  # What is never looked at stays shared.
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # The system reaps those that have answered.
    with socket.socket(socket.AF_UNIX) as waiting:
        made = f"{address}.made"
        waiting.bind(made)
        waiting.listen()
        Path(made).rename(address)
        while True:
            asking, _ = waiting.accept()
            if os.fork() == 0:
                waiting.close()
                os._exit(_answer(asking))
            asking.close()


def _answer(asking: socket.socket) -> int:
    """Runs what is asked for in a process of its own; it ends with the one that asked."""
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    data, streams, _, _ = socket.recv_fds(asking, _MOST_BYTES, _STREAMS)
    while not data.endswith(b"\n"):
        data += asking.recv(_MOST_BYTES)
    command = os.fork()
    if command == 0:
        asking.close()
        for number, stream in enumerate(streams):
            os.dup2(stream, number)
            os.close(stream)
        _run(**json.loads(data))
    for stream in streams:
        os.close(stream)
    ended = os.pidfd_open(command)
    ready, _, _ = select.select([ended, asking], [], [])
    if ended not in ready:
        os.kill(command, signal.SIGTERM)
    _, status = os.waitpid(command, 0)
    code = os.waitstatus_to_exitcode(status)
    asking.send(str(code if code >= 0 else 128 - code).encode())
    return 0


def _run(words: list[str], folder: str, environ: dict[str, str]) -> NoReturn:
    """Runs the command in this process, which is a new one, and ends it."""
    from entrypoints.cli import main

    os.chdir(folder)
    os.environ.clear()
    os.environ.update(environ)
    sys.argv = ["commerce", *words]
    sys.stdin, sys.stdout, sys.stderr = open(0), open(1, "w"), open(2, "w", 1)  # noqa: SIM115
    code = 0
    try:
        main()
    except SystemExit as ending:
        code = int(ending.code or 0)
    atexit._run_exitfuncs()
    for stream in (sys.stdout, sys.stderr):
        stream.flush()
    os._exit(code)  # Taking down all that is loaded would take longer than most commands.


if __name__ == "__main__":
    serve(sys.argv[1])
