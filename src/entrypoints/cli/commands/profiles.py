"""`commerce profiles`: how the files of a partner's source are read."""

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Final

import click

from commerce_core.profiles.profile import PRESETS
from entrypoints.cli.kit.files import rewindable
from entrypoints.cli.kit.verbs import Session, noun

if TYPE_CHECKING:
    from commerce_core.profiles.profile import Preset, Profile, SavedProfile
    from commerce_core.schema.fields import Mode, Value
    from commerce_core.usecases.sources import Trial

profiles: Final = noun(
    "profiles", "Manage how a partner's files are read. PARTNER is an id or a name."
)
_SAMPLES_SHOWN: Final = 3
_source = click.option(
    "--source",
    metavar="SOURCE",
    default="main",
    show_default=True,
    help="Source of the partner: an id or a name.",
)


@profiles.verb("show", scope="feeds:read")
@click.argument("partner")
@_source
def show(session: Session, partner: str, source: str) -> None:
    """Show the current profile, as a file that `profiles set` accepts."""
    saved = session.commerce.sources.profile(source, partner=partner)
    if session.out.as_json:
        session.out.document(saved)
    else:
        session.out.line(_profile_file(saved))


@profiles.verb("set", scope="feeds:write")
@click.argument("partner")
@click.argument("profile", metavar="PRESET_OR_FILE")
@_source
def set_(session: Session, partner: str, profile: str, source: str) -> None:
    """Set the profile of a source: a preset, or a TOML or JSON file.

    It applies to all jobs that start from now on.
    """
    wanted = named_profile(profile)
    saved = session.commerce.sources.set_profile(wanted, source, partner=partner)
    session.out.one(saved, lambda: _fields(saved))


@profiles.verb("test", scope="feeds:read")
@click.argument("file", metavar="FILE")
@click.option("--partner", metavar="PARTNER", required=True, help="Partner that sends the file.")
@_source
@click.option(
    "--profile",
    metavar="PRESET_OR_FILE",
    show_default="the source's profile",
    help="Profile to try.",
)
@click.option(
    "--mode",
    type=click.Choice(["full", "delta"]),
    show_default="the source's mode",
    help="Mode in which to read the file.",
)
def test(
    session: Session,
    *,
    file: str,
    partner: str,
    source: str,
    profile: str | None,
    mode: "Mode | None",
) -> None:
    """Try a profile on a file's first records.

    Nothing is stored. Exits with 65 if a record would be rejected.
    """
    from entrypoints.problems import EXIT_REFUSED

    trial = session.commerce.sources.try_profile(
        file,
        partner=partner,
        source=source,
        profile=None if profile is None else named_profile(profile),
        mode=mode,
    )
    session.out.one(trial, lambda: _trial_fields(trial))
    if not session.out.as_json:
        _show_samples(session, trial)
    if trial.rejected:
        session.end(EXIT_REFUSED)


@profiles.verb("suggest", scope=None)
@click.argument("file", metavar="FILE")
@click.option("--preset", type=click.Choice(PRESETS), help="Start from this preset.")
@click.option(
    "--currency", metavar="CODE", help="Currency of prices that don't specify one, such as USD."
)
def suggest(session: Session, *, file: str, preset: "Preset | None", currency: str | None) -> None:
    """Write a profile for a file, to be edited.

    Pass it to `profiles set`. It is what `commerce doctor` proposes, with its open questions as
    comments. It needs no database and stores nothing. FILE may be - for stdin. Exits with 65 if the
    file would be refused.
    """
    from commerce_core.base.money import currency as known_currency
    from commerce_core.doctor import Asked, examine
    from entrypoints.cli.commands.doctor import commented_profile
    from entrypoints.problems import EXIT_REFUSED

    code = known_currency(currency).code if currency else None
    asked = Asked(preset=preset, currency=code, currency_is_of_file=code is not None)
    with rewindable(file) as stream:
        diagnosis = examine(stream, asked)
    if session.out.as_json:
        session.out.document(diagnosis.profile)
    else:
        session.out.line(commented_profile(diagnosis).rstrip("\n"))
    if diagnosis.verdict == "refused":
        session.end(EXIT_REFUSED)


def named_profile(name: str) -> "Profile":
    """The profile named on the command line: a preset, else a file."""
    from commerce_core.base.errors import NotFound
    from commerce_core.profiles.profile import PRESETS, Profile
    from entrypoints.profile_files import read_profile

    for preset in PRESETS:
        if name == preset:
            return Profile(preset=preset)
    try:
        return read_profile(Path(name).read_bytes())
    except FileNotFoundError as error:
        presets = ", ".join(PRESETS)
        detail = f"{name} is neither a file nor a preset ({presets})."
        raise NotFound(detail, code="no_file") from error


def _profile_file(saved: "SavedProfile") -> str:
    from entrypoints.cli.kit.output import moment_utc
    from entrypoints.profile_files import write_toml

    if saved.saved_at is None:
        return "# No profile is set: files are read with the preset canonical.\n"
    when = moment_utc(saved.saved_at)
    return f"# version {saved.version}, by {saved.author}, {when}\n{write_toml(saved.profile)}"


def _fields(saved: "SavedProfile") -> Iterator[tuple[str, str]]:
    from entrypoints.cli.kit.output import moment_utc

    yield "version", str(saved.version)
    yield "preset", saved.profile.preset
    yield "columns", ", ".join(saved.profile.columns)
    yield "author", saved.author
    yield "saved", moment_utc(saved.saved_at) if saved.saved_at else ""


def _trial_fields(trial: "Trial") -> Iterator[tuple[str, str]]:
    yield "records", f"{trial.records_read:,}{'' if trial.complete else ' (the first ones only)'}"
    for name in ("offers", "rejected", "folded", "skipped", "blank"):
        count: int = getattr(trial, name)
        yield name, f"{count:,}" if count or name == "offers" else ""
    for name, column in trial.mapping.items():
        yield name, f"from {column}" if column else "from the profile"
    yield "columns not used", ", ".join(trial.unused_columns)
    yield from (("note", note) for note in trial.notes)


def _value_text(value: "Value") -> str:
    return " ".join(value) if isinstance(value, tuple) else str(value)


def _show_samples(session: Session, trial: "Trial") -> None:
    from entrypoints.cli.kit.running import problem_columns

    for sample in trial.samples[:_SAMPLES_SHOWN]:
        session.out.line()
        session.out.fields((name, _value_text(value)) for name, value in sample.items())
    if trial.problems:
        session.out.line()
        session.out.table(list(trial.problems), problem_columns())
