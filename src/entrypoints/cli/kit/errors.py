"""How errors are reported: a sentence on stderr, or a problem as JSON, and an exit code."""

import json
import os
import re
import sys
import tempfile
import traceback
from collections.abc import Mapping
from typing import Final

import click
from attrs import asdict

from commerce_core.base.errors import CommerceError
from entrypoints.cli.kit.tables import tidy
from entrypoints.problems import EXIT_BUG, EXIT_USAGE, Problem, problem_of, problem_type

EXIT_INTERRUPTED: Final = 130
REMEDIES: Final[Mapping[str, str]] = {
    "job_finished": "Create a new job for the same feed: commerce jobs run {feed_id}",
    "no_mail_server": "Set smtp_url and mail_from for all processes of the platform.",
}
"""What to do on the command line, by the code of the error."""


def report(error: Exception, *, as_json: bool) -> int:
    """Reports why a command failed, and returns its exit code."""
    match error:
        case CommerceError():
            return _report(problem_of(error, REMEDIES), as_json=as_json)
        case click.Abort():
            click.echo("Interrupted.", err=True)
            return EXIT_INTERRUPTED
        case click.exceptions.NoArgsIsHelpError():
            error.show()
            return error.exit_code
        case click.ClickException():
            return _report(_usage(error), as_json=as_json)
        case _:
            return _report(_bug(error), as_json=as_json)


def _report(problem: Problem, *, as_json: bool) -> int:
    if as_json:
        members = asdict(problem)
        extensions = members.pop("shown")
        click.echo(json.dumps({**members, **extensions}, ensure_ascii=False), err=True)
        return problem.exit_code
    click.echo(f"error: {tidy(problem.detail)}", err=True)
    for fault in problem.errors:
        if fault["detail"] not in problem.detail:
            click.echo(f"  {_place(fault['pointer'])}: {tidy(fault['detail'])}", err=True)
    if problem.more_errors:
        click.echo(f"  and {problem.more_errors:,} more", err=True)
    return problem.exit_code


_INDEX: Final = re.compile(r"0|[1-9][0-9]{0,5}", re.ASCII)
_LISTS: Final = {"items": "item", "rules": "rule", "codes": "code", "lines": "line"}
"""What is sent as a list, and what a member of it is called. Lines of files have numbers."""


def _place(pointer: str) -> str:
    """The place a JSON pointer names, as text: `/items/0/quantity` is `item 1, quantity`."""
    first, *others = pointer.strip("/").split("/")
    places = [_LISTS.get(first, first) if others else first]
    for part in others:
        if _INDEX.fullmatch(part):
            places[-1] += f" {int(part) + (places != ['line'])}"
        else:
            places.append(part)
    return ", ".join(places)


def _usage(error: click.ClickException) -> Problem:
    """A command line that is wrong, with a pointer to the command's help."""
    detail = error.format_message()
    if isinstance(error, click.UsageError) and error.ctx is not None:
        detail = f"{detail} See `{error.ctx.command_path} --help`."
    return Problem(
        problem_type("usage"), "Invalid command line", 400, detail, "usage", (), EXIT_USAGE
    )


def _bug(error: Exception) -> Problem:
    """A bug in Open Commerce: one sentence here, the details in a file."""
    detail = (
        f"Internal error: {type(error).__name__}. This is a bug in Open Commerce. "
        f"Please report it, with what you did and the details in {_saved_details(error)}."
    )
    return Problem(problem_type("bug"), "Something went wrong", 500, detail, "bug", (), EXIT_BUG)


def _saved_details(error: Exception) -> str:
    """Writes the traceback to a new file, and returns its path."""
    descriptor, path = tempfile.mkstemp(prefix="commerce-fault-", suffix=".txt")
    with os.fdopen(descriptor, "w", encoding="utf-8", errors="backslashreplace") as file:
        file.write(f"commerce {' '.join(sys.argv[1:])}\nPython {sys.version}\n\n")
        file.writelines(traceback.format_exception(error))
    return path
