"""The command line: each command turns its arguments into a use case, and the result into text."""

import atexit
import gc
import sys
import warnings
from collections.abc import Sequence
from importlib import import_module
from typing import Final, NoReturn, cast

import click

from entrypoints.cli.kit.verbs import Titled, shared_options

atexit.register(gc.freeze)  # Python looks for cycles when it ends, among all that was imported.

COMMANDS: Final = {
    "demo": ("demo.command", "Follow example feeds from file to catalog, orders and reports"),
    "serve": ("commands.serve", "Serve HTTP, and process jobs"),
    "worker": ("commands.serve", "Process jobs without serving HTTP"),
    "migrate": ("commands.serve", "Migrate the database to this version"),
    "health": ("commands.serve", "Check whether every part is up"),
    "openapi": ("commands.serve", "Print the OpenAPI description of the HTTP API"),
    "doctor": (
        "commands.doctor",
        "Examine a file offline: how it would be read, and what is wrong with it",
    ),
    "partners": (
        "commands.partners",
        "Manage partners that send feeds: add, list, show, set, scorecard",
    ),
    "keys": ("commands.keys", "Manage the keys of the HTTP API: add, list, rotate, revoke"),
    "sources": (
        "commands.pulls",
        (
            "Manage all sources: add, list, show, set, remove, expect, pull, test, fetch, fetches, "
            "backfill, cancel"
        ),
    ),
    "profiles": (
        "commands.profiles",
        "Manage how a partner's files are read: show, set, suggest, test",
    ),
    "feeds": (
        "commands.feeds",
        "Manage feeds: upload, list, show, changes, plan, approve, reject, revert, raw, report",
    ),
    "bulk": ("commands.bulk", "Act on groups of feeds: failures, start, list, show, items, cancel"),
    "inbox": ("commands.inbox", "Show what needs a person now, and mark it: list, mark"),
    "jobs": (
        "commands.jobs",
        "Run and inspect the jobs of feeds: run, list, show, watch, cancel, problems, plan",
    ),
    "products": (
        "commands.products",
        "Query the catalog: list, show, history, explain, changes, export",
    ),
    "replay": ("commands.replay", "Check that the catalog matches its raw files"),
    "pricing": (
        "commands.pricing",
        "Set prices: add, list, show, set, lint, quote, explain, why-not, what-if, report, lists",
    ),
    "orders": (
        "commands.orders",
        "Manage orders: create, list, show, explain, confirm, fulfil, unfulfil, cancel, refund",
    ),
    "terms": (
        "commands.statements",
        "Manage what the platform takes from a partner's sales: show, set, add",
    ),
    "payouts": ("commands.statements", "Record payments to partners: add, correct"),
    "statements": (
        "commands.statements",
        "Show and close what partners are owed: list, open, show, close, trace",
    ),
    "reconcile": ("commands.reconcile", "Compare orders, ledger, statements, stock and catalog"),
    "events": ("commands.events", "List what happened, in order"),
    "audit": ("commands.events", "List who did what"),
    "webhooks": (
        "commands.webhooks",
        "Send events: add, list, show, set, rotate, remove, test, deliveries, redeliver, listen",
    ),
    "views": (
        "commands.saved_views",
        "Save filters of the dashboard's lists under names: add, list, show, set, remove",
    ),
    "alerts": (
        "commands.alerts",
        "Get messages about the inbox: add, list, show, set, remove, test, log",
    ),
    "secrets": ("commands.secrets", "Count stored secrets by the key that they are sealed under"),
    "analytics": (
        "commands.analytics",
        "Report sales: summary, by-partner, over-time, share, top, hours, rules, refunds, entries",
    ),
}
"""Each command with its module and its short help, so that listing them imports none."""


class Root(Titled, click.Group):
    """`commerce`: knows its commands by name, and imports only the one that is called."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """All commands, in the order in which a new user needs them."""
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
            formatter.write_dl([(name, help_) for name, (_, help_) in COMMANDS.items()])

    def main(
        self,
        args: Sequence[str] | None = None,
        prog_name: str | None = None,
        complete_var: str | None = None,
        standalone_mode: bool = True,  # noqa: FBT001, FBT002 - click's own signature
        **extra: object,
    ) -> NoReturn:
        """Runs a command and exits with its code; errors are reported in a sentence."""
        del standalone_mode
        arguments = sys.argv[1:] if args is None else list(args)
        with warnings.catch_warnings():
            warnings.showwarning = _warn
            sys.exit(self._run(arguments, prog_name or "commerce", complete_var, extra))

    def _run(
        self, arguments: list[str], name: str, complete_var: str | None, extra: dict[str, object]
    ) -> int:
        """Runs a command, and returns its exit code."""
        try:
            code: object = super().main(
                arguments, name, complete_var, standalone_mode=False, **extra
            )
        except Exception as error:  # noqa: BLE001 - here every error becomes text and an exit code
            from entrypoints.cli.kit.errors import report

            code = report(error, as_json="--json" in arguments)
        return code if isinstance(code, int) else 0


def _warn(message: Warning | str, *_: object, **__: object) -> None:
    """Prints a warning as a sentence, without the source line that raised it."""
    click.echo(f"warning: {message}", err=True)


@click.group(cls=Root, params=shared_options(), context_settings={"max_content_width": 100})
@click.version_option(package_name="open-commerce", prog_name="commerce")
def main() -> None:
    """Turn partners' product feeds into one trusted catalog, with orders and reports on top.

    Needs no configuration: by default it runs its own database, under ./commerce-data. To see it
    at work, run `commerce demo`.
    """
