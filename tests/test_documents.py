"""Every example in README.md and docs/ runs as printed, from the top of its page down.

Blocks of `python` run in this process, those of `console` in a shell in a folder of its own, which
has the example feeds in it. A block of `output` is what the Python block before it prints.
"""

import io
import re
import runpy
import shutil
import subprocess
from collections.abc import Callable, Iterator
from contextlib import redirect_stdout
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from sybil import Example, Sybil
from sybil.evaluators.python import PythonEvaluator
from sybil.parsers.markdown import CodeBlockParser, SkipParser

from adapters.embedded_postgres import running_postgres
from adapters.postgres import PostgresStore
from tests.support.servers.preloaded import preloaded
from tests.support.terminal import Terminal
from tests.support.waiting import until

HOUSE = Path(__file__).parents[1]
DOCUMENTS = [HOUSE / "README.md", *sorted((HOUSE / "docs").rglob("*.md"))]
FROM_NOTHING = {HOUSE / "README.md", HOUSE / "docs/tutorial.md"}
"""Pages whose first command makes the database, as a reader's would; others copy one."""
GENERATED = HOUSE / "docs/hooks/generated.py"
FENCE = re.compile(r"^ *```(.+)$", re.MULTILINE)
LANGUAGES = {"console", "csv", "javascript", "json", "output", "python", "sql", "text", "toml"}
_PRINTED = "_printed_by_the_block_before"


@pytest.fixture(scope="session")
def command() -> Iterator[Path]:
    with preloaded() as bin_:
        yield bin_


@pytest.fixture(scope="session")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data folder with the database that the first command makes, which takes some seconds."""
    folder = tmp_path_factory.mktemp("made") / "commerce-data"
    with running_postgres(folder, linger=0) as address, PostgresStore.open(address):
        record = next(folder.rglob("postmaster.pid"))
    until(lambda: not record.exists())
    return folder


@pytest.fixture
def terminal(tmp_path: Path, command: Path) -> Iterator[Terminal]:
    (tmp_path / "examples").symlink_to(HOUSE / "examples")
    with Terminal(tmp_path, bin_=command) as opened:
        yield opened


def reader(terminal: Terminal) -> Sybil:
    python = PythonEvaluator()

    def run_python(example: Example) -> None:
        printed = io.StringIO()
        with redirect_stdout(printed):
            python(example)
        example.namespace[_PRINTED] = printed.getvalue().strip()

    def compare_output(example: Example) -> None:
        terminal.compare("The block above", example.parsed.strip(), example.namespace[_PRINTED])

    def run_console(example: Example) -> None:
        if "curl " in example.parsed and shutil.which("curl") is None:
            pytest.skip("curl is not installed")
        terminal.run(example.parsed)

    evaluators = {"python": run_python, "output": compare_output, "console": run_console}
    blocks = [CodeBlockParser(language, evaluator) for language, evaluator in evaluators.items()]
    return Sybil(parsers=[*blocks, SkipParser()])


def in_a_shell(page: Path) -> bool:
    return "console" in FENCE.findall(page.read_text("utf-8"))


def pages_to_run() -> Iterator[Any]:
    """Each page; all but README.md that have a session in a shell are left to `make check`."""
    for page in DOCUMENTS:
        marks = [pytest.mark.processes] if in_a_shell(page) and page != DOCUMENTS[0] else []
        yield pytest.param(page, marks=marks, id=str(page.relative_to(HOUSE)))


# One test per page: its examples build on one another, and tests run in any order and in two
# processes.
@pytest.mark.parametrize("page", list(pages_to_run()))
def test_examples_run_as_printed(
    page: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    terminal: Terminal,
    request: pytest.FixtureRequest,
) -> None:
    monkeypatch.chdir(tmp_path)
    if in_a_shell(page) and page not in FROM_NOTHING:
        made = request.getfixturevalue("data")
        subprocess.run(["cp", "-a", made, tmp_path], check=True)  # Files keep their owners.
    for example in reader(terminal).parse(page):
        example.evaluate()


@pytest.mark.parametrize("page", DOCUMENTS, ids=lambda page: str(page.relative_to(HOUSE)))
def test_a_block_names_a_language_that_is_run_or_known_not_to(page: Path) -> None:
    assert set(FENCE.findall(page.read_text("utf-8"))) <= LANGUAGES


@cache
def filled() -> Callable[[str], str]:
    """What fills the tables of a page."""
    return runpy.run_path(str(GENERATED))["filled"]


@pytest.mark.parametrize("page", DOCUMENTS, ids=lambda page: str(page.relative_to(HOUSE)))
def test_tables_of_the_reference_are_those_of_the_code(page: Path) -> None:
    text = page.read_text("utf-8")
    assert text == filled()(text), f"renew it: .venv/bin/python {GENERATED.relative_to(HOUSE)}"


def test_a_page_that_shows_something_else_than_is_printed_fails(terminal: Terminal) -> None:
    terminal.run("$ echo one; echo two\none\n...\n$ (exit 3)\n$ echo $?\n3")
    for block in ("$ echo one\ntwo", "$ echo one; echo two\none", "$ (exit 3)"):
        with pytest.raises(AssertionError):
            terminal.run(block)


def test_an_identifier_of_a_page_stands_for_the_one_that_was_printed(terminal: Terminal) -> None:
    shown, real, other = (f"job_{digit * 32}" for digit in "123")
    terminal.compare("a command", f"{shown} since 2026-11-23", f"{real} since 2031-01-01")
    terminal.run(f"$ echo again {shown}\nagain {shown}\n$ echo {shown} > kept; cat kept\n...")
    assert (terminal.folder / "kept").read_text() == f"{real}\n"
    with pytest.raises(AssertionError):
        terminal.compare("another command", shown, other)
    with pytest.raises(AssertionError, match="printed by none before"):
        terminal.run(f"$ echo {other}")
