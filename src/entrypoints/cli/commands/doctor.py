"""`commerce doctor`: what a file is, how it would be read, what would be wrong; offline."""

import textwrap
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Final

import click

from commerce_core.profiles.profile import PRESETS
from entrypoints.cli.kit.files import opened, rewindable
from entrypoints.cli.kit.verbs import Session, verb

if TYPE_CHECKING:
    from commerce_core.doctor import Diagnosis
    from commerce_core.doctor.diagnosis import ColumnLook, Note, Question, Suggestion
    from commerce_core.profiles.profile import Preset, Profile
    from commerce_core.schema.fields import Mode
    from entrypoints.cli.kit.output import Output

_NARROWEST: Final = 40
_FATES: Final = ("accepted", "rejected", "duplicate", "folded", "skipped", "blank")


@verb("doctor", scope=None)
@click.argument("file", metavar="FILE")
@click.option("--preset", type=click.Choice(PRESETS), help="Whose export it is, if you know.")
@click.option(
    "--profile",
    "profile_file",
    metavar="PROFILE",
    help="Read it by this profile (TOML or JSON), and propose nothing.",
)
@click.option("--currency", metavar="CODE", help="The currency of its prices, unless they say.")
@click.option(
    "--mode",
    type=click.Choice(["full", "delta"]),
    help="Whether it is the whole catalog or only what changed.",
)
@click.option(
    "--save", metavar="PROFILE", help="Write the proposed profile there (.toml or .json)."
)
def doctor(
    session: Session,
    *,
    file: str,
    preset: "Preset | None",
    profile_file: str | None,
    currency: str | None,
    mode: "Mode | None",
    save: str | None,
) -> None:
    """Looks at a file: what it is, how it would be read, what would be wrong with it.

    Needs no database and keeps nothing. FILE may be - for stdin. Exits with 65 when the file would
    be refused as a whole, even with the profile that is proposed.
    """
    from commerce_core.base.money import currency as known_currency
    from commerce_core.doctor import Asked, examine
    from entrypoints.problems import EXIT_REFUSED

    if preset and profile_file:
        raise click.UsageError("Give a preset or a profile.", click.get_current_context())
    asked = Asked(
        profile=_profile(profile_file) if profile_file else None,
        preset=preset,
        mode=mode,
        currency=known_currency(currency).code if currency else None,
        currency_is_of_file=currency is not None,
    )
    with rewindable(file) as stream:
        diagnosis = examine(stream, asked)
    if session.out.as_json:
        session.out.document(diagnosis)
    else:
        name = "This file" if file == "-" else Path(file).name
        _show(session.out, f"{name}, read by {profile_file}," if profile_file else name, diagnosis)
        if not profile_file:
            _show_profile(session.out, diagnosis, save)
    if save:
        _save(save, diagnosis)
    if diagnosis.verdict == "refused":
        session.end(EXIT_REFUSED)


def _profile(file: str) -> "Profile":
    from entrypoints.profile_files import LONGEST_PROFILE, read_profile

    with opened(file) as stream:
        return read_profile(stream.read(LONGEST_PROFILE + 1))


def _save(file: str, diagnosis: "Diagnosis") -> None:
    """Writes the profile; what is to be decided stands above it, as remarks."""
    from commerce_core.base.errors import InvalidInput
    from entrypoints.cli.kit.tables import tidy
    from entrypoints.profile_files import write_json, write_toml

    if file.endswith(".json"):
        text = write_json(diagnosis.profile)
    else:
        asked = "".join(f"# To be decided: {tidy(q.question)}\n" for q in diagnosis.questions)
        text = (
            f"{asked}\n{write_toml(diagnosis.profile)}" if asked else write_toml(diagnosis.profile)
        )
    try:
        Path(file).write_text(text, encoding="utf-8")
    except OSError as error:
        raise InvalidInput(f"{file} can't be written: {error.strerror}.", code="no_file") from error


# --- in words -------------------------------------------------------------------------------------


def _show(out: "Output", name: str, told: "Diagnosis") -> None:
    from entrypoints.cli.kit.tables import tidy

    _paragraph(out, f"{tidy(name)} {_verdict(told)}")
    out.line()
    out.fields(_fields(told))
    _show_columns(out, told)
    _show_list(out, "Suggestions, all in the profile", map(_suggested, told.suggestions))
    _show_list(out, "Worth knowing", map(_noted, told.notes))
    _show_problems(out, told)
    _show_questions(out, told.questions)


def _verdict(told: "Diagnosis") -> str:
    records = told.dry_read
    if told.refusal:
        return f"would be refused as a whole: {told.refusal.detail}"
    if told.verdict == "taken":
        return f"would be taken as it is.{_without_currency(told)}"
    why = told.refusal_as_it_is
    known = told.profile.preset != "canonical"
    less = f", but read without what preset {told.preset} knows" if known else ""
    as_it_is = (
        f"it would be refused: {why.detail}"
        if why
        else f"{told.accepted_as_it_is:,} of {records.records:,} records would be accepted{less}."
    )
    return f"would be taken with the profile below.{_without_currency(told)} As it is, {as_it_is}"


def _without_currency(told: "Diagnosis") -> str:
    """What is still wanted, since the dry read takes it for granted that a currency is known."""
    wanted = any(q.code == "currency" and q.assumed is None for q in told.questions)
    return " But its prices want a currency: see the questions." if wanted else ""


def _fields(told: "Diagnosis") -> Iterator[tuple[str, str]]:
    encoding, seen = told.encoding, told.looked_at
    yield "packed as", "" if told.container == "none" else told.container
    yield "encoding", f"{encoding.name or 'unknown'}: {encoding.because}"
    if told.dialect:
        yield "cells", "; ".join(told.dialect.because[:1])
        yield "lines end in", ", ".join(told.dialect.line_ends)
    for trouble in told.dialect.quoting if told.dialect else ():
        yield "quotes", f"line {trouble.line}: {trouble.detail}"
    yield "read as", f"{told.mode} feed, preset {told.preset}"
    part = "" if seen.complete else f" (only the first {seen.records:,} were looked at)"
    counted = ((getattr(told.dry_read, fate), fate) for fate in _FATES)
    fates = ", ".join(f"{count:,} {fate}" for count, fate in counted if count)
    yield "records", f"{seen.records:,}{part}{': ' if fates else ''}{fates}"
    yield "skipped are", ", ".join(f"{n:,} {w}" for w, n in told.dry_read.skipped_because.items())
    yield "columns not used", ", ".join(told.unused_columns)


def _show_columns(out: "Output", told: "Diagnosis") -> None:
    from entrypoints.cli.kit.tables import Column

    used = [look for look in told.columns if look.feeds]
    if not used:
        return
    columns: list[Column[ColumnLook]] = [
        Column("column", lambda c: c.header, crops=True, most=24),
        Column("feeds", lambda c: ", ".join(c.feeds), crops=True, most=24),
        Column("filled", lambda c: f"{c.filled:,}", right=True),
        Column(
            "values", lambda c: f"{c.distinct:,}{'' if c.distinct_is_exact else '+'}", right=True
        ),
        Column("written as", lambda c: c.style, crops=True, most=30, from_width=100),
        Column("such as", lambda c: " | ".join(c.samples[:2]), crops=True, most=40),
    ]
    out.line()
    out.table(used, columns)


def _suggested(suggestion: "Suggestion") -> str:
    return f"{suggestion.field} from {' and '.join(suggestion.columns)}: {suggestion.because}."


def _noted(note: "Note") -> str:
    from entrypoints.cli.kit.output import plural

    where = f"{note.column}: " if note.column else ""
    count = plural(note.count, "cell" if note.column else "record") if note.count else ""
    line = f"first on line {note.line:,}" if note.line else ""
    extent = ", ".join(filter(None, (count, line)))
    shown = (
        f", such as {note.value!r}" if note.value and repr(note.value) not in note.detail else ""
    )
    return f"{where}{note.detail}{shown}{f' ({extent})' if extent else ''}."


def _show_list(out: "Output", title: str, lines: Iterator[str]) -> None:
    told = list(lines)
    if not told:
        return
    out.line()
    out.line(click.style(f"{title}:", bold=True))
    for line in told:
        _paragraph(out, line, "- ")


def _show_problems(out: "Output", told: "Diagnosis") -> None:
    if not told.dry_read.examples:
        return
    from entrypoints.cli.kit.running import problem_columns

    counted = ", ".join(f"{n:,} {code}" for code, n in told.dry_read.problems_by_code.items())
    out.line()
    _paragraph(out, f"Problems ({counted}), the first of each:")
    out.table(told.dry_read.examples, problem_columns())


def _show_questions(out: "Output", questions: "tuple[Question, ...]") -> None:
    if not questions:
        return
    out.line()
    out.line(click.style("Only you can know:", bold=True))
    for number, question in enumerate(questions, start=1):
        _paragraph(out, question.question, f"{number}. ")
        for option in question.options:
            mark = " (assumed here)" if option.answer == question.assumed else ""
            _paragraph(out, f"{option.answer}: {option.means}{mark}", "   - ")


def _show_profile(out: "Output", told: "Diagnosis", save: str | None) -> None:
    from entrypoints.profile_files import write_toml

    text = write_toml(told.profile).rstrip()
    if not text:
        return
    out.line()
    where = f"saved as {save}" if save else "--save writes it to a file"
    out.line(click.style(f"Profile ({where}):", bold=True))
    for line in text.splitlines():
        out.line(f"  {line}" if line else "")


def _paragraph(out: "Output", text: str, mark: str = "") -> None:
    """A text in lines that fit the terminal, the first one marked; partners wrote parts of it."""
    from entrypoints.cli.kit.tables import tidy

    if not out.terminal:
        out.line(f"{mark}{tidy(text)}")
        return
    width = max(_NARROWEST, out.width)
    blanks = " " * len(mark)
    for line in textwrap.wrap(
        tidy(text), width, initial_indent=mark, subsequent_indent=blanks, break_on_hyphens=False
    ):
        out.line(line)
