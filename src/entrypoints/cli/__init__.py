"""The command line: each command translates words into one use case, and its answer into words."""

import sys
import warnings
from collections.abc import Sequence
from importlib import import_module
from typing import Final, NoReturn, cast

import click

from entrypoints.cli.kit.verbs import Titled, shared_options

COMMANDS: Final = {
    "demo": ("demo.command", "the whole way of a feed on example files, narrated"),
    "serve": ("commands.serve", "answers HTTP, and works on jobs"),
    "worker": ("commands.serve", "works on jobs, and answers nobody"),
    "migrate": ("commands.serve", "brings the database to this version"),
    "health": ("commands.serve", "tells whether every part is up"),
    "openapi": ("commands.serve", "prints the description of the HTTP interface"),
    "doctor": (
        "commands.doctor",
        "looks at a file, offline: how it would be read, and what is wrong",
    ),
    "partners": ("commands.partners", "who sends feeds: add, list, show, set"),
    "keys": ("commands.keys", "keys to the HTTP interface: add, list, revoke"),
    "sources": ("commands.sources", "where their feeds come from: add, list, show, set, remove"),
    "profiles": ("commands.profiles", "how a partner's files are read: show, set, test"),
    "feeds": (
        "commands.feeds",
        "partners' files: upload, list, show, changes, plan, approve, reject, revert, raw, report",
    ),
    "jobs": (
        "commands.jobs",
        "what becomes of a feed: run, list, show, watch, cancel, problems, plan",
    ),
    "products": ("commands.products", "the catalog: list, show, history, explain, changes, export"),
    "replay": ("commands.replay", "whether the catalog is what its raw files say"),
    "orders": ("commands.orders", "orders: create, list, show, cancel"),
    "events": ("commands.events", "what was announced, in order"),
    "audit": ("commands.events", "who did what"),
    "analytics": ("commands.analytics", "what was sold: by-partner, over-time, share"),
}
"""Each command with its module and what it is for, so that a list of them imports none."""


class Root(Titled, click.Group):
    """`commerce`: knows its commands by name, and imports the one that is asked for."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """All commands, in the order in which one comes to need them."""
        del ctx
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """The command of that name."""
        del ctx
        if cmd_name not in COMMANDS:
            return None
        module = import_module(f"entrypoints.cli.{COMMANDS[cmd_name][0]}")
        return cast("click.Command", getattr(module, cmd_name))

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """The list of commands, from the table alone."""
        del ctx
        with formatter.section("Commands"):
            formatter.write_dl([(name, what) for name, (_, what) in COMMANDS.items()])

    def main(
        self,
        args: Sequence[str] | None = None,
        prog_name: str | None = None,
        complete_var: str | None = None,
        standalone_mode: bool = True,  # noqa: FBT001, FBT002 - click's own signature
        **extra: object,
    ) -> NoReturn:
        """Runs a command and exits with its code; a refusal is told in a sentence."""
        del standalone_mode
        words = sys.argv[1:] if args is None else list(args)
        with warnings.catch_warnings():
            warnings.showwarning = _warn
            sys.exit(self._run(words, prog_name or "commerce", complete_var, extra))

    def _run(
        self, words: list[str], name: str, complete_var: str | None, extra: dict[str, object]
    ) -> int:
        """Runs a command, and gives its exit code."""
        try:
            code: object = super().main(words, name, complete_var, standalone_mode=False, **extra)
        except Exception as error:  # noqa: BLE001 - here every error becomes words and an exit code
            from entrypoints.cli.kit.refusals import tell

            code = tell(error, as_json="--json" in words)
        return code if isinstance(code, int) else 0


def _warn(message: Warning | str, *_: object, **__: object) -> None:
    """Tells a warning as a sentence, without the line of ours that gave it."""
    click.echo(f"warning: {message}", err=True)


@click.group(cls=Root, params=shared_options(), context_settings={"max_content_width": 100})
@click.version_option(package_name="open-commerce", prog_name="commerce")
def main() -> None:
    """Partner product feeds in, one trusted catalog out, with orders and reports on top.

    With no configuration it brings a database of its own, kept under ./commerce-data. Begin with
    `commerce demo`.
    """
