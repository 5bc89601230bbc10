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

TOUCH_NO_DATA = {
    "demo", "serve", "worker", "migrate", "health", "openapi", "doctor", "webhooks listen",
    "profiles suggest",
}  # fmt: skip


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


def test_a_command_is_forbidden_without_its_scope(platform: Commerce) -> None:
    stranger = platform.acting_as(Principal("stranger", None, frozenset()))
    answer = Cli(stranger)("products", "list")
    assert answer.code == 77
    assert "catalog:read" in answer.err


def test_help_lists_every_command_with_its_subcommands() -> None:
    listed = Cli().fine("--help").out
    assert all(re.search(rf"^  {name} ", listed, re.MULTILINE) for name in COMMANDS)
    for name, (_, what) in COMMANDS.items():
        named = re.search(r": (.*)", what)
        group = main.get_command(click.Context(main), name)
        if isinstance(group, click.Group) and named:
            assert sorted(named[1].split(", ")) == sorted(group.commands)


ODD_ENGLISH = re.compile(
    r"\b(told|said|unless (it )?(says?|said)|so (many|much)|nobody|somebody|whoever|whose|"
    r"anew|mend(ed)?|goes? back|comes? back|as it stands|of ours)\b",
    re.IGNORECASE,
)


@pytest.mark.parametrize("name", sorted({*VERBS, *COMMANDS, "."}))
def test_help_is_in_plain_english(name: str) -> None:
    assert not ODD_ENGLISH.search(Cli().fine(*name.strip(".").split(), "--help").out)


@pytest.mark.parametrize("name", [name for name, (_, help_) in COMMANDS.items() if ": " in help_])
def test_a_list_of_commands_cuts_no_sentence_off(name: str) -> None:
    assert "..." not in Cli().fine(name, "--help").out.partition("Commands:")[2]


@pytest.mark.parametrize("name", VERBS)
def test_every_option_has_a_help_text(name: str) -> None:
    undocumented = [
        option.name
        for option in VERBS[name].params
        if isinstance(option, click.Option) and not option.help
    ]
    assert not undocumented


@pytest.mark.parametrize("name", VERBS)
def test_help_begins_with_an_imperative_sentence(name: str) -> None:
    first = (VERBS[name].help or "").partition("\n\n")[0]
    assert re.match(r"[A-Z][a-z]*([^s]|ss)\b", first), "such as List, not Lists"
    assert first.endswith(".")


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
def test_json_may_be_requested_before_or_after_the_command(
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


@pytest.mark.parametrize("option", ["--data-dir", "--database"])
def test_an_empty_name_is_not_taken_for_the_default(option: str) -> None:
    """A variable of a script that isn't set would otherwise use another catalog."""
    answer = Cli()(option, "", "partners", "list")
    assert answer.code == 65
    assert "must" in answer.err


def test_a_usage_error_names_the_help_to_read() -> None:
    answer = Cli()("partners", "show")
    assert (answer.code, answer.out) == (2, "")
    assert answer.err.startswith("error: Missing argument 'PARTNER'.")
    assert "commerce partners show --help" in answer.err


def test_a_refusal_is_a_problem_as_json_where_json_is_wanted(platform: Commerce) -> None:
    answer = Cli(platform)("partners", "show", "nobody", "--json")
    assert (answer.code, answer.out) == (66, "")
    assert '"code": "not_found"' in answer.err
    assert '"status": 404' in answer.err


def test_an_internal_error_is_reported_briefly_and_saved_in_full(
    platform: Commerce, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def fail(_: Context) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(Commerce, "partners", property(fail))
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    answer = Cli(platform)("partners", "list")
    assert answer.code == 70
    assert "Traceback" not in answer.err
    (details,) = tmp_path.iterdir()
    assert answer.err == (
        "error: Internal error: ZeroDivisionError. This is a bug in Open Commerce. "
        f"Please report it, with what you did and the details in {details}.\n"
    )
    assert "Traceback" in details.read_text()
    assert details.stat().st_mode & 0o077 == 0


def test_openapi_describes_the_http_interface() -> None:
    described = Cli().fine("openapi").json
    assert described["openapi"].startswith("3.")
    assert "/v1/partners" in described["paths"]
