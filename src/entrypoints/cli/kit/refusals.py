"""How a command is refused: a sentence on stderr, or a problem as JSON, and an exit code."""

import json
import os
import sys
import tempfile
import traceback
from typing import Final

import click
from attrs import asdict

from commerce_core.base.errors import CommerceError
from entrypoints.cli.kit.tables import tidy
from entrypoints.problems import EXIT_BUG, EXIT_USAGE, Problem, problem_of, problem_type

EXIT_INTERRUPTED: Final = 130


def tell(error: Exception, *, as_json: bool) -> int:
    """Tells why a command came to nothing, and gives its exit code."""
    match error:
        case CommerceError():
            return _tell(problem_of(error), as_json=as_json)
        case click.Abort():
            click.echo("Interrupted.", err=True)
            return EXIT_INTERRUPTED
        case click.exceptions.NoArgsIsHelpError():
            error.show()
            return error.exit_code
        case click.ClickException():
            return _tell(_usage(error), as_json=as_json)
        case _:
            return _tell(_bug(error), as_json=as_json)


def _tell(problem: Problem, *, as_json: bool) -> int:
    if as_json:
        told = asdict(problem)
        shown = told.pop("shown")
        click.echo(json.dumps({**told, **shown}, ensure_ascii=False), err=True)
        return problem.exit_code
    click.echo(f"error: {tidy(problem.detail)}", err=True)
    for fault in problem.errors:
        if fault["detail"] not in problem.detail:
            click.echo(f"  {_place(fault['pointer'])}: {tidy(fault['detail'])}", err=True)
    return problem.exit_code


def _place(pointer: str) -> str:
    """Where a fault is, in words: `/items/0/quantity` is `item 1, quantity`."""
    parts = pointer.strip("/").split("/")
    if parts[0] == "items" and len(parts) > 1:
        return ", ".join((f"item {int(parts[1]) + 1}", *parts[2:]))
    return ", ".join(parts)


def _usage(error: click.ClickException) -> Problem:
    """A problem of the words of a command, with where to look for the right ones."""
    detail = error.format_message()
    if isinstance(error, click.UsageError) and error.ctx is not None:
        detail = f"{detail} See `{error.ctx.command_path} --help`."
    return Problem(
        problem_type("usage"), "The command can't be read", 400, detail, "usage", (), EXIT_USAGE
    )


def _bug(error: Exception) -> Problem:
    """A fault of ours: short in words, whole in a file."""
    detail = (
        f"This is a fault of ours: {type(error).__name__}. "
        f"The details are in {_kept(error)}; please send them with what you did."
    )
    return Problem(problem_type("bug"), "Something went wrong", 500, detail, "bug", (), EXIT_BUG)


def _kept(error: Exception) -> str:
    descriptor, path = tempfile.mkstemp(prefix="commerce-fault-", suffix=".txt")
    with os.fdopen(descriptor, "w", encoding="utf-8", errors="backslashreplace") as file:
        file.write(f"commerce {' '.join(sys.argv[1:])}\nPython {sys.version}\n\n")
        file.writelines(traceback.format_exception(error))
    return path
