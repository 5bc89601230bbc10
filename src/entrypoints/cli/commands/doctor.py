"""`commerce doctor`: what a file contains, how it would be read, and its problems; offline."""

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

_LEAST_WIDTH: Final = 40
_FATES: Final = ("accepted", "rejected", "duplicate", "folded", "skipped", "blank")


@verb("doctor", scope=None)
@click.argument("file", metavar="FILE")
@click.option("--preset", type=click.Choice(PRESETS), help="Read the file with this preset.")
@click.option(
    "--profile",
    "profile_file",
    metavar="PROFILE",
    help="Read the file with this profile (TOML or JSON), and propose no other.",
)
@click.option(
    "--currency", metavar="CODE", help="Currency of prices that don't specify one, such as USD."
)
@click.option(
    "--mode",
    type=click.Choice(["full", "delta"]),
    help="Whether the file contains the whole catalog (full) or only changes (delta).",
)
@click.option(
    "--save", metavar="PROFILE", help="Write the proposed profile to this file (.toml or .json)."
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
    """Examine a file: what it contains, how it would be read, and what is wrong with it.

    Needs no database and stores nothing. FILE may be - for stdin. Exits with 65 if the whole file
    would be refused, even with the proposed profile, and with 3 if records would be rejected, or
    if products would go on sale without a price, or without the stock figures that others have.
    """
    from commerce_core.base.money import currency as known_currency
    from commerce_core.doctor import Asked, examine
    from entrypoints.problems import EXIT_HELD, EXIT_REFUSED

    if preset and profile_file:
        raise click.UsageError(
            "--preset can't be combined with --profile.", click.get_current_context()
        )
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
        subject = f"{name}, read with {profile_file}," if profile_file else name
        _show(session.out, subject, diagnosis)
        if not profile_file:
            _show_profile(session.out, diagnosis, save)
    if save:
        _save(save, diagnosis)
    if diagnosis.verdict == "refused":
        session.end(EXIT_REFUSED)
    if diagnosis.losses:
        session.end(EXIT_HELD)


def _profile(file: str) -> "Profile":
    from entrypoints.profile_files import LONGEST_PROFILE, read_profile

    with opened(file) as stream:
        return read_profile(stream.read(LONGEST_PROFILE + 1))


def _save(file: str, diagnosis: "Diagnosis") -> None:
    """Writes the profile, with the open questions as comments above it."""
    from commerce_core.base.errors import InvalidInput
    from entrypoints.profile_files import write_json

    is_json = file.endswith(".json")
    text = write_json(diagnosis.profile) if is_json else commented_profile(diagnosis)
    try:
        Path(file).write_text(text, encoding="utf-8")
    except OSError as error:
        raise InvalidInput(f"{file} can't be written: {error.strerror}.", code="no_file") from error


def commented_profile(diagnosis: "Diagnosis") -> str:
    """The proposed profile as a file to edit, with the open questions as comments above it."""
    from entrypoints.cli.kit.tables import tidy
    from entrypoints.profile_files import write_toml

    comments = "".join(f"# To be decided: {tidy(q.question)}\n" for q in diagnosis.questions)
    blank = "\n" if comments else ""
    return f"{comments}{blank}{write_toml(diagnosis.profile)}"


# --- as text --------------------------------------------------------------------------------------


def _show(out: "Output", subject: str, diagnosis: "Diagnosis") -> None:
    from entrypoints.cli.kit.tables import tidy

    _paragraph(out, f"{tidy(subject)} {_verdict(diagnosis)}")
    out.line()
    out.fields(_fields(diagnosis))
    _show_columns(out, diagnosis)
    _show_list(
        out, "Suggestions (all in the profile)", map(_suggestion_text, diagnosis.suggestions)
    )
    _show_list(out, "Notes", map(_note_text, diagnosis.notes))
    _show_problems(out, diagnosis)
    _show_questions(out, diagnosis.questions)


def _verdict(diagnosis: "Diagnosis") -> str:
    records = diagnosis.dry_read
    if diagnosis.refusal:
        return f"would be refused as a whole: {diagnosis.refusal.detail}"
    if diagnosis.verdict == "taken":
        return f"would be accepted{_condition(diagnosis)}{_losses(diagnosis)}."
    why = diagnosis.refusal_as_it_is
    preset = diagnosis.preset
    special = diagnosis.profile.preset != "canonical"
    less = f", but without the rules of the preset {preset}" if special else ""
    without_profile = (
        f"it would be refused: {why.detail}"
        if why
        else f"{diagnosis.accepted_as_it_is:,} of {records.records:,} records would be "
        f"accepted{less}."
    )
    return (
        f"would be accepted with the profile below{_condition(diagnosis)}{_losses(diagnosis)}. "
        f"Without the profile, {without_profile}"
    )


_LOSSES: Final = {
    "rejected": "would be rejected",
    "unpriced": "have no price and couldn't be sold",
    "untracked": "have no stock and would sell without limit",
}


def _losses(diagnosis: "Diagnosis") -> str:
    """What would go wrong with some of the records, as the end of a sentence."""
    found = [f"{count:,} {_LOSSES[name]}" for name, count in diagnosis.losses.items()]
    if not found:
        return ""
    return f", but of its {diagnosis.dry_read.records:,} records {' and '.join(found)}"


def _condition(diagnosis: "Diagnosis") -> str:
    """What is still missing, since the trial assumes that a currency is known."""
    missing = any(q.code == "currency" and q.assumed is None for q in diagnosis.questions)
    return ", once its prices have a currency (see the questions below)" if missing else ""


def _fields(diagnosis: "Diagnosis") -> Iterator[tuple[str, str]]:
    encoding, seen, trial = diagnosis.encoding, diagnosis.looked_at, diagnosis.dry_read
    yield "compression", "" if diagnosis.container == "none" else diagnosis.container
    yield "encoding", f"{encoding.name or 'unknown'}: {encoding.because}"
    if diagnosis.dialect:
        yield "cells", "; ".join(diagnosis.dialect.because[:1])
        yield "line endings", ", ".join(diagnosis.dialect.line_ends)
    for fault in diagnosis.dialect.quoting if diagnosis.dialect else ():
        yield "quotes", f"line {fault.line}: {fault.detail}"
    yield "read as", f"{diagnosis.mode} feed, preset {diagnosis.preset}"
    partial = not seen.complete and seen.records
    part = f" (only the first {seen.records:,} were examined)" if partial else ""
    counts = ((getattr(trial, fate), fate) for fate in _FATES)
    fates = ", ".join(f"{count:,} {fate}" for count, fate in counts if count)
    yield "records", f"{seen.records:,}{part}{': ' if fates else ''}{fates}"
    yield "skipped", ", ".join(f"{n:,} {why}" for why, n in trial.skipped_because.items())
    yield "columns not used", ", ".join(diagnosis.unused_columns)


def _show_columns(out: "Output", diagnosis: "Diagnosis") -> None:
    from entrypoints.cli.kit.tables import Column

    used = [look for look in diagnosis.columns if look.feeds]
    if not used:
        return
    columns: list[Column[ColumnLook]] = [
        Column("column", lambda c: c.header, crops=True, most=24),
        Column("field", lambda c: ", ".join(c.feeds), crops=True, most=24),
        Column("filled", lambda c: f"{c.filled:,}", right=True),
        Column(
            "distinct", lambda c: f"{c.distinct:,}{'' if c.distinct_is_exact else '+'}", right=True
        ),
        Column("style", lambda c: c.style, crops=True, most=30, from_width=100),
        Column("examples", lambda c: " | ".join(c.samples[:2]), crops=True, most=40),
    ]
    out.line()
    out.table(used, columns)


def _suggestion_text(suggestion: "Suggestion") -> str:
    return f"{suggestion.field} from {' and '.join(suggestion.columns)}: {suggestion.because}."


def _note_text(note: "Note") -> str:
    from entrypoints.cli.kit.output import plural

    where = f"{note.column}: " if note.column else ""
    count = plural(note.count, "cell" if note.column else "record") if note.count else ""
    line = f"first on line {note.line:,}" if note.line else ""
    extent = ", ".join(filter(None, (count, line)))
    quoted = repr(note.value)
    example = f", such as {quoted}" if note.value and quoted not in note.detail else ""
    return f"{where}{note.detail}{example}{f' ({extent})' if extent else ''}."


def _show_list(out: "Output", title: str, lines: Iterator[str]) -> None:
    items = list(lines)
    if not items:
        return
    out.line()
    out.line(click.style(f"{title}:", bold=True))
    for item in items:
        _paragraph(out, item, "- ")


def _show_problems(out: "Output", diagnosis: "Diagnosis") -> None:
    trial = diagnosis.dry_read
    if not trial.examples:
        return
    from entrypoints.cli.kit.running import problem_columns

    counts = ", ".join(f"{n:,} {code}" for code, n in trial.problems_by_code.items())
    out.line()
    _paragraph(out, f"Problems ({counts}), with the first of each kind:")
    out.table(trial.examples, problem_columns())


def _show_questions(out: "Output", questions: "tuple[Question, ...]") -> None:
    if not questions:
        return
    out.line()
    out.line(click.style("Questions that only you can answer:", bold=True))
    for number, question in enumerate(questions, start=1):
        _paragraph(out, question.question, f"{number}. ")
        for option in question.options:
            mark = " (assumed for now)" if option.answer == question.assumed else ""
            _paragraph(out, f"{option.answer}: {option.means}{mark}", "   - ")


def _show_profile(out: "Output", diagnosis: "Diagnosis", save: str | None) -> None:
    from entrypoints.profile_files import write_toml

    text = write_toml(diagnosis.profile).rstrip()
    if not text:
        return
    out.line()
    where = f"saved as {save}" if save else "use --save to write it to a file"
    out.line(click.style(f"Profile ({where}):", bold=True))
    for line in text.splitlines():
        out.line(f"  {line}" if line else "")


def _paragraph(out: "Output", text: str, mark: str = "") -> None:
    """Prints a text, wrapped to fit a terminal; parts of it come from partners, so it is tidied."""
    from entrypoints.cli.kit.tables import tidy

    if not out.terminal:
        out.line(f"{mark}{tidy(text)}")
        return
    width = max(_LEAST_WIDTH, out.width)
    blanks = " " * len(mark)
    for line in textwrap.wrap(
        tidy(text), width, initial_indent=mark, subsequent_indent=blanks, break_on_hyphens=False
    ):
        out.line(line)
