"""A terminal in which the examples of a document run: types its commands, compares what they print.

A document shows a session as a reader would see it. What differs from run to run is understood: an
identifier stands for the one that is printed in its place, here and in later commands; times and
durations stand for any; `...` stands for whatever is there. `commerce serve` stays up until the
page ends, at a free port in place of 8000.
"""

import os
import pty
import re
import select
import subprocess
import sys
import termios
from contextlib import suppress
from pathlib import Path
from typing import Final, Self

from attrs import define, field, frozen

from tests.support.ports import free_port
from tests.support.waiting import PATIENCE

WIDTH: Final = 88
"""Columns, as many as a page of the site has room for."""
ACCOUNT: Final = "sam"
"""The reader's account on the machine."""
SHOWN_ADDRESS: Final = "127.0.0.1:8000"
_BIN: Final = Path(sys.executable).parent
_MARK: Final = "\x1e"
_KINDS: Final = "ptn|src|feed|job|prod|ord|item|ful|rfnd|ent|stmt|key|bulk"
_ID: Final = rf"(?:{_KINDS})_[0-9a-z]{{32}}|ck_[0-9a-f]{{64}}"
_IDS: Final = re.compile(_ID)
_VARYING: Final = re.compile(
    rf"""(?P<id>{_ID})
    | (?P<time>\d{{4}}-\d\d-\d\d (?:[T\ ]\d\d:\d\d (?::\d\d (?:\.\d+)? (?:Z|[+-]\d\d:\d\d)? )? )?)
    | (?P<took>\b\d+(?:\.\d+)?\ m?s\b)
    | (?P<dots>\.\.\.)""",
    re.VERBOSE,
)
_LOOKS: Final = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")


@frozen
class Step:
    """A command of a page, and what the page shows of its output (blank: nothing to compare)."""

    command: str
    shown: str


def steps(block: str) -> list[Step]:
    """The commands of a console block: `$` begins one, `>` continues it, the rest is output."""
    found: list[tuple[list[str], list[str]]] = []
    for line in block.splitlines():
        if line.startswith("$ "):
            found.append(([line[2:]], []))
        elif not found:
            raise ValueError(f"A console block begins with a command, not with {line!r}")
        elif line.startswith("> ") and not found[-1][1]:
            found[-1][0].append(line[2:])
        else:
            found[-1][1].append(line)
    return [Step("\n".join(command), _tidy("\n".join(shown))) for command, shown in found]


def _tidy(text: str) -> str:
    plain = _LOOKS.sub("", text).replace("\r\n", "\n")
    return "\n".join(line.rstrip() for line in plain.splitlines()).strip("\n")


@define
class Terminal:
    """A shell in a folder; `ids` are the identifiers of the page with those they stand for.

    Commands are looked for in `bin_` first.
    """

    folder: Path
    bin_: Path = _BIN
    ids: dict[str, str] = field(factory=dict)
    port: int = 0
    _shell: "subprocess.Popen[bytes] | None" = None
    _screen: int = -1
    _server: "subprocess.Popen[str] | None" = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        for process in (self._server, self._shell):
            if process is not None:
                process.terminate()
                process.communicate(timeout=PATIENCE)
        if self._shell is not None:
            os.close(self._screen)

    def run(self, block: str) -> None:
        """Runs the commands of a block in turn; AssertionError where one fails or prints else.

        A command may fail where the next one shows its exit code: `$ echo $?`.
        """
        todo = steps(block)
        for step, following in zip(todo, [*todo[1:], None], strict=True):
            printed, code = self._type(self._meant(step.command))
            self.compare(step.command, step.shown, printed)
            expected = following is not None and following.command == "echo $?"
            assert code == 0 or expected, f"$ {step.command}\n{printed}\nexits with {code}"

    def compare(self, what: str, shown: str, printed: str) -> None:
        """Learns the identifiers where the two agree; AssertionError where they don't."""
        if not shown:
            return
        match = re.fullmatch(self._pattern(shown), printed, re.DOTALL)
        assert match, f"{what}\n--- the page shows:\n{shown}\n--- printed is:\n{printed}"
        self.ids.update(match.groupdict())

    def _pattern(self, shown: str) -> str:
        """The regular expression of what the page shows; new identifiers are named groups."""
        pattern, end = "", 0
        met: set[str] = set()
        for found in _VARYING.finditer(shown):
            pattern += re.escape(self._meant(shown[end : found.start()]))
            pattern += self._varying(found, met)
            end = found.end()
        return pattern + re.escape(self._meant(shown[end:]))

    def _varying(self, found: re.Match[str], met: set[str]) -> str:
        if found["dots"]:
            return ".*?"
        if found["time"]:
            return r"\d{4}-[\dT:.+Z -]+"
        if found["took"]:
            return r"\d[\d.]* m?s"
        text = found[0]
        if text in self.ids:
            return re.escape(self.ids[text])
        if text in met:
            return f"(?P={text})"
        met.add(text)
        return f"(?P<{text}>{_ID})"

    def _meant(self, text: str) -> str:
        """The text with what this run has in place of the page's identifiers and address."""
        here = text.replace(SHOWN_ADDRESS, f"127.0.0.1:{self.port}") if self.port else text
        return _IDS.sub(lambda found: self._known(found[0]), here)

    def _known(self, shown: str) -> str:
        assert shown in self.ids, f"{shown} stands in a command and was printed by none before"
        return self.ids[shown]

    def _type(self, command: str) -> tuple[str, int]:
        if command == "commerce serve":
            return self._serve(), 0
        shell = self._shell or self._open()
        if shell.stdin is None:
            raise AssertionError("the shell was opened with a pipe")
        ending = f'code=$?; printf "{_MARK}%s{_MARK}" $code; (exit $code)'
        line = f"{{ {command}\n}} </dev/null; {ending}\n"
        shell.stdin.write(line.encode())
        shell.stdin.flush()
        printed, code, _ = self._read().split(_MARK)
        return _tidy(printed), int(code)

    def _open(self) -> "subprocess.Popen[bytes]":
        self._screen, inside = pty.openpty()
        termios.tcsetwinsize(inside, (40, WIDTH))
        words = ["bash", "--noprofile", "--norc"]
        self._shell = subprocess.Popen(
            words,
            stdin=subprocess.PIPE,
            stdout=inside,
            stderr=inside,
            cwd=self.folder,
            env=_env(self.bin_),
        )
        os.close(inside)
        return self._shell

    def _read(self) -> str:
        """What is printed until the command has ended."""
        seen = b""
        while seen.count(_MARK.encode()) < 2:
            ready, _, _ = select.select([self._screen], [], [], PATIENCE)
            assert ready, f"nothing for {PATIENCE} s after: {seen.decode(errors='replace')}"
            seen += os.read(self._screen, 1 << 16)
        return seen.decode()

    def _serve(self) -> str:
        """Starts the page's server, and gives what it says when it answers."""
        assert self._server is None, "a page has one server"
        self.port = free_port()
        self._server = subprocess.Popen(
            [str(_BIN / "commerce"), "serve", "--port", str(self.port)],
            cwd=self.folder,
            env=_env(_BIN),
            text=True,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
        )
        if self._server.stdout is None:
            raise AssertionError("the server was opened with a pipe")
        return _tidy(self._server.stdout.readline())


def _env(bin_: Path) -> dict[str, str]:
    """A reader's environment: our command is found, nothing is set, the terminal is plain."""
    environ = {name: value for name, value in os.environ.items() if not name.startswith("COMMERCE")}
    with suppress(KeyError):
        del environ["COLUMNS"]
    path = os.pathsep.join((str(bin_), str(_BIN), environ.get("PATH", os.defpath)))
    account = dict.fromkeys(("LOGNAME", "USER"), ACCOUNT)
    return {**environ, **account, "PATH": path, "TERM": "dumb", "LC_ALL": "C.UTF-8"}
