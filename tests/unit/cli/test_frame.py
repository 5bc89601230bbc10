"""What holds for every command: a scope, a help, JSON, few imports, exit codes from one table."""

import re
import subprocess
import sys
from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path

import click
import pytest

from commerce_core.commerce import Commerce
from commerce_core.partners.access import OPERATOR_SCOPES, Principal
from commerce_core.usecases.context import Context
from entrypoints.cli import COMMANDS, main
from entrypoints.cli.kit.verbs import Verb
from entrypoints.compose import open_platform
from entrypoints.settings import Settings
from tests.support.commands import Cli

TOUCH_NO_DATA = {"demo", "serve", "worker", "migrate", "health", "openapi", "doctor"}


@pytest.fixture
def platform() -> Iterator[Commerce]:
    with open_platform(Settings(database_url="memory:")) as commerce:
        yield commerce


def verbs(group: click.Group = main, path: tuple[str, ...] = ()) -> Iterator[tuple[str, Verb]]:
    with click.Context(group) as ctx:
        for name in group.list_commands(ctx):
            command = group.get_command(ctx, name)
            if isinstance(command, click.Group):
                yield from verbs(command, (*path, name))
            else:
                assert isinstance(command, Verb)
                yield " ".join((*path, name)), command


VERBS = dict(verbs())


@pytest.mark.parametrize("name", VERBS)
def test_every_command_declares_the_scope_it_needs(name: str) -> None:
    scope = VERBS[name].scope
    assert scope in OPERATOR_SCOPES if name not in TOUCH_NO_DATA else scope is None


@pytest.mark.parametrize("name", VERBS)
def test_every_command_says_what_it_does_and_takes_json(name: str) -> None:
    answer = Cli().fine(*name.split(), "--help")
    assert VERBS[name].help
    assert "--json" in answer.out
    assert not re.search(r"\x1b|[─│╭]", answer.out)


def test_a_command_is_refused_to_whoever_lacks_its_scope(platform: Commerce) -> None:
    nobody = platform.acting_as(Principal("nobody", None, frozenset()))
    answer = Cli(nobody)("products", "list")
    assert answer.code == 77
    assert "catalog:read" in answer.err


def test_help_lists_every_command_in_words_of_its_own() -> None:
    listed = Cli().fine("--help").out
    assert all(re.search(rf"^  {name} ", listed, re.MULTILINE) for name in COMMANDS)
    for name, (_, what) in COMMANDS.items():
        told = re.search(r": (.*)", what)
        group = main.get_command(click.Context(main), name)
        if isinstance(group, click.Group) and told:
            assert sorted(told[1].split(", ")) == sorted(group.commands)


def test_help_imports_neither_the_core_nor_rich() -> None:
    script = (
        "import sys; from entrypoints.cli import main\n"
        "try: main(['--help'])\n"
        "except SystemExit: pass\n"
        "print(*sys.modules)"
    )
    shown = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )
    loaded = {name.partition(".")[0] for name in shown.stdout.splitlines()[-1].split()}
    assert loaded.isdisjoint({"commerce_core", "adapters", "attrs", "rich", "psycopg", "litestar"})


def test_the_version_is_the_distributions() -> None:
    assert Cli().fine("--version").out.strip().endswith(version("open-commerce"))


@pytest.mark.parametrize("words", [("--json", "health"), ("health", "--json")])
def test_json_may_be_asked_for_before_or_after_the_command(
    words: tuple[str, ...], platform: Commerce
) -> None:
    parts = {"database": "ok", "files": "ok"}
    assert Cli(platform).fine(*words).json == {"status": "ok", "parts": parts}


def test_a_database_may_be_named_before_or_after_the_command() -> None:
    assert Cli().fine("--database", "memory:", "partners", "list").code == 0
    assert Cli().fine("partners", "list", "--database", "memory:").code == 0


def test_a_setting_that_cannot_be_is_refused() -> None:
    answer = Cli()("partners", "list", "--database", "oracle:")
    assert answer.code == 65
    assert answer.err.startswith("error: ")


def test_usage_is_told_with_where_to_look() -> None:
    answer = Cli()("partners", "show")
    assert (answer.code, answer.out) == (2, "")
    assert answer.err.startswith("error: Missing argument 'PARTNER'.")
    assert "commerce partners show --help" in answer.err


def test_a_refusal_is_a_problem_as_json_where_json_is_wanted(platform: Commerce) -> None:
    answer = Cli(platform)("partners", "show", "nobody", "--json")
    assert (answer.code, answer.out) == (66, "")
    assert '"code": "not_found"' in answer.err
    assert '"status": 404' in answer.err


def test_a_fault_of_ours_is_told_briefly_and_kept_whole(
    platform: Commerce, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def fail(_: Context) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(Commerce, "intake", property(fail))
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    answer = Cli(platform)("partners", "list")
    assert answer.code == 70
    assert "Traceback" not in answer.err
    (kept,) = tmp_path.iterdir()
    assert str(kept) in answer.err
    assert "Traceback" in kept.read_text()
    assert kept.stat().st_mode & 0o077 == 0


def test_openapi_describes_the_http_interface() -> None:
    described = Cli().fine("openapi").json
    assert described["openapi"].startswith("3.")
    assert "/v1/partners" in described["paths"]
