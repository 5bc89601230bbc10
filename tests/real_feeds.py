"""Runs every file of a folder through the doctor and through intake, and prints what became of it.

    make real-feeds FEEDS=folder

It stands among the tests, to be checked as they are, yet is none: what is in the folder belongs to
others, so only a person can say what is right. `examples/profiles/profiles.toml` says by a file's
name which profile fits. A file that no pattern knows is read by what the doctor proposes for it.
Files of a series, `name_01_2026-01-31.csv` and so on, are sent one after the other by one partner.
All of it happens in memory, and nothing is kept. Both engines read each file, and have to find the
same in it.
"""

import re
import sys
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from fnmatch import fnmatch
from pathlib import Path
from typing import Any, Final
from zoneinfo import ZoneInfo

from attrs import frozen
from rich.console import Console
from rich.table import Table

import commerce_core
from adapters.polars_feeds import PolarsEngine
from adapters.polars_feeds.chunks import CHUNK
from commerce_core.base.errors import FileRefused
from commerce_core.commerce import Commerce
from commerce_core.doctor import Asked, Diagnosis, examine
from commerce_core.feeds.job import Job
from commerce_core.feeds.summary import Summary
from commerce_core.parsing.decoding import read_text
from commerce_core.parsing.record_reader import Terms
from commerce_core.parsing.reference import ReferenceEngine
from commerce_core.profiles.profile import CANONICAL, Profile
from commerce_core.schema.fields import Mode
from entrypoints.profile_files import read_profile
from tests.support.engines import read

SMALL_CHUNK: Final = 1_000
"""Bytes at a time, so that records lie across the ends of chunks."""
PROFILES: Final = Path("examples/profiles")
_FEEDS: Final = (".csv", ".tsv", ".txt", ".tab", ".json", ".jsonl", ".ndjson", ".gz", ".zip")
_OF_SERIES: Final = re.compile(r"(.+?)_[0-9]{2,}_[0-9]{4}-?[0-9]{2}-?[0-9]{2}")
_HEADINGS: Final = (
    "file", "profile", "encoding", "split", "records", "outcome",
    "created/updated/unchanged/removed", "and", "rejected, by code", "what the doctor said",
    "both engines",
)  # fmt: skip


@frozen
class Reading:
    """How one file is to be read, and by whose word."""

    name: str
    profile: Profile
    mode: Mode
    currency: str | None


@frozen
class Manifest:
    """Which profile fits which file."""

    entries: Sequence[Mapping[str, Any]]

    @classmethod
    def in_folder(cls, folder: Path) -> "Manifest":
        """What `profiles.toml` there says."""
        return cls(tomllib.loads((folder / "profiles.toml").read_text("utf-8"))["feeds"])

    def reading_of(self, file: Path, diagnosis: Diagnosis) -> Reading:
        """By the first entry that knows the file's name, else as the doctor proposes."""
        for entry in self.entries:
            if any(fnmatch(file.name.lower(), pattern) for pattern in entry["files"]):
                name = entry.get("profile")
                profile = read_profile((PROFILES / name).read_bytes()) if name else CANONICAL
                return Reading(name or "as it is", profile, entry["mode"], entry.get("currency"))
        return Reading("as proposed", diagnosis.profile, diagnosis.mode, "EUR")


def files_in(folder: Path) -> list[Path]:
    """The feeds in a folder and those below it, the members of a series in their order."""
    found = (path for path in folder.rglob("*") if path.is_file())
    return sorted(path for path in found if path.suffix.lower() in _FEEDS)


def sender_of(file: Path) -> str:
    """The partner that sends a file: one for each, or for each series."""
    matched = _OF_SERIES.fullmatch(file.stem)
    return matched[1] if matched else file.name


def run(folder: Path, console: Console) -> None:
    """The table, a row for each file as it comes."""
    table = Table(*_HEADINGS, title=f"{folder}", show_lines=True)
    manifest = Manifest.in_folder(PROFILES)
    with commerce_core.connect("memory:") as commerce:
        for file in files_in(folder):
            table.add_row(*_row(commerce, manifest, file))
    console.print(table)


def _row(commerce: Commerce, manifest: Manifest, file: Path) -> Iterator[str]:
    with file.open("rb") as stream:
        diagnosis = examine(stream, Asked())
    reading = manifest.reading_of(file, diagnosis)
    job = _sent(commerce, sender_of(file), file, reading)
    summary = job.summary or Summary()
    yield file.name
    yield reading.name
    yield _encoding(file, reading.profile)
    yield "-" if diagnosis.dialect is None else repr(diagnosis.dialect.delimiter)
    yield f"{summary.records_read:,}"
    yield job.outcome or f"{job.status}: {job.error.code if job.error else ''}"
    yield f"{summary.created}/{summary.updated}/{summary.unchanged}/{summary.removed}"
    yield _others(summary)
    yield _rejected(summary) if job.summary else job.error.message if job.error else ""
    yield _said(diagnosis)
    yield _compared(file.read_bytes(), reading)


def _compared(body: bytes, reading: Reading) -> str:
    """Whether the vectorised engine finds in the file what the reference finds."""
    terms = Terms(reading.mode, reading.currency, ZoneInfo("Europe/Rome"), reading.profile)
    wanted = read(ReferenceEngine(), body, terms)
    for chunk in (CHUNK, SMALL_CHUNK):
        found = read(PolarsEngine(chunk), body, terms)
        if found != wanted:
            differ = [name for name in {**wanted, **found} if wanted.get(name) != found.get(name)]
            return f"differ in {', '.join(differ)}"
    return "alike"


def _sent(commerce: Commerce, name: str, file: Path, reading: Reading) -> Job:
    """What became of the file, sent by a partner that may have sent others before."""
    known = {partner.partner_name for partner in commerce.partners.list()}
    if name not in known:
        commerce.partners.add(name, currency=reading.currency)
    commerce.sources.set_profile(reading.profile, partner=name)
    return commerce.feeds.load(str(file), partner=name, mode=reading.mode)


def _encoding(file: Path, profile: Profile) -> str:
    with file.open("rb") as stream:
        try:
            text = read_text(stream, profile.encoding)
            for _ in text:
                pass
        except FileRefused as refused:
            return refused.code
    return f"{text.encoding}{', marked' if text.mark else ''}"


def _others(summary: Summary) -> str:
    """What else became of records: a table of figures that aren't nothing."""
    names = ("restored", "deleted", "folded", "skipped", "duplicate", "overtaken", "blank")
    told = [f"{n} {name}" for name in (*names, "absent") if (n := getattr(summary, name))]
    return ", ".join(told)


def _rejected(summary: Summary) -> str:
    codes = ", ".join(f"{code} {times}" for code, times in summary.problems_by_code.items())
    drift = ", ".join(f"{drift.kind} {drift.column}" for drift in summary.drift)
    parts = (f"{summary.rejected}", codes, f"drift: {drift}" if drift else "")
    return "; ".join(filter(None, parts))


def _said(diagnosis: Diagnosis) -> str:
    dry = diagnosis.dry_read
    refusal = diagnosis.refusal
    parts = (
        f"{diagnosis.verdict}{f' ({refusal.code})' if refusal else ''}",
        f"preset {diagnosis.preset}",
        f"{dry.accepted:,} accepted, {dry.rejected:,} rejected",
        f"as it is {diagnosis.accepted_as_it_is:,}",
        "asks " + ", ".join(q.code for q in diagnosis.questions) if diagnosis.questions else "",
        "missing " + ", ".join(diagnosis.missing) if diagnosis.missing else "",
        "notes " + ", ".join(sorted({n.code for n in diagnosis.notes})) if diagnosis.notes else "",
    )
    return "; ".join(filter(None, parts))


if __name__ == "__main__":
    if len(sys.argv) < 2 or not Path(sys.argv[1]).is_dir():
        sys.exit("Say which folder: make real-feeds FEEDS=folder")
    run(Path(sys.argv[1]), Console(width=None if sys.stdout.isatty() else 220))
