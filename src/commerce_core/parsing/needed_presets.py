"""Needed presets: exports whose records, read as those of any file, would be sold wrongly."""

from collections.abc import Collection

from attrs import evolve

from commerce_core.base.errors import FileRefused
from commerce_core.parsing.decoding import OpenRaw
from commerce_core.parsing.prepared import Prepared
from commerce_core.parsing.reader import Header, Reader, open_feed
from commerce_core.profiles.presets import PRESET_PROFILES
from commerce_core.profiles.profile import Profile
from commerce_core.profiles.recognition import MAKERS, recognised_preset


def check_preset(header: Header, open_raw: OpenRaw) -> None:
    """Refuses a platform's export that has records which its preset would leave out or reject.

    It is read again for that. FileRefused `preset_needed`, for a source that never had a profile.
    """
    preset = None if header.returned else recognised_preset(header.cells)
    if preset is None:
        return
    known = PRESET_PROFILES[preset]
    rules = tuple(evolve(rule, withdraws=True) for rule in known.skip)
    hinted = {name: column for name, column in known.columns.items() if column.hint}
    profile = Profile(skip=rules, names=known.names, columns=hinted)
    with open_raw() as raw:
        reader = open_feed(raw, evolve(header.terms, mode="delta", profile=profile))
        first = next(
            (r for r in reader.prepared if r.withdrawn or _misfits(reader, r, hinted)), None
        )
    if first is not None:
        why = "isn't for sale there" if first.withdrawn else "can't be sold as it is"
        raise FileRefused(
            "preset_needed",
            f"It looks like {MAKERS[preset]}, and the record on line {first.raw.line} {why}.",
            f"Save a profile with the preset {preset}, or any profile of your own.",
            line=first.raw.line,
        )


def _misfits(reader: Reader, record: Prepared, hinted: Collection[str]) -> bool:
    """Whether a cell has what the preset's pattern for its field rejects."""
    problems = reader.read(record).problems if hinted and record.fate is None else ()
    return any(p.code == "pattern_mismatch" and p.field in hinted for p in problems)
