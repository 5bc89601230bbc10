"""Needed presets: exports whose records, read as those of any file, would be sold wrongly."""

from collections.abc import Collection, Sequence

from attrs import evolve

from commerce_core.base.errors import FileRefused
from commerce_core.parsing.decoding import OpenRaw
from commerce_core.parsing.groups import WITH_VARIANTS
from commerce_core.parsing.prepared import Prepared
from commerce_core.parsing.reader import Header, Reader, open_feed
from commerce_core.profiles.api_answers import ApiAnswer, api_answer
from commerce_core.profiles.mapping import map_header
from commerce_core.profiles.presets import PRESET_PROFILES
from commerce_core.profiles.profile import Profile, Skip
from commerce_core.profiles.recognition import MAKERS, recognised_preset


def check_preset(header: Header, open_raw: OpenRaw) -> None:
    """Refuses a platform's export that has records which its preset would leave out or reject.

    So is one whose sku is in another column, and an answer of an API with records that aren't for
    sale. It is read again for that. FileRefused `preset_needed`, for a source that never had a
    profile.
    """
    if header.returned:
        return
    preset = recognised_preset(header.cells)
    if preset is None:
        answer = api_answer(header.cells)
        if answer is not None:
            _check_answer(answer, header, open_raw)
        return
    known = PRESET_PROFILES[preset]
    remedy = f"Save a profile with the preset {preset}, or any profile of your own."
    own, theirs = header.mapping.field_mappings["sku"].indexes, _sku_columns(header, known)
    if theirs not in ((), own):
        names = " and ".join(repr(header.mapping.header[index]) for index in theirs)
        detail = f"It looks like {MAKERS[preset]}, whose skus are in {names}."
        raise FileRefused("preset_needed", detail, remedy, line=header.raw.line)
    hinted = {name: column for name, column in known.columns.items() if column.hint}
    group = known.group if known.group and known.group.heads else None
    profile = Profile(skip=_withdrawing(known.skip), names=known.names, columns=hinted, group=group)
    first = _first_misfit(header, open_raw, profile, hinted)
    if first is not None:
        why = "isn't for sale there" if _is_none(first) else "can't be sold as it is"
        raise FileRefused(
            "preset_needed",
            f"It looks like {MAKERS[preset]}, and the record on line {first.raw.line} {why}.",
            remedy,
            line=first.raw.line,
        )


def _check_answer(answer: ApiAnswer, header: Header, open_raw: OpenRaw) -> None:
    line, why = header.raw.line, answer.why
    if why is None:
        profile = Profile(skip=_withdrawing(answer.skip))
        first = _first_misfit(header, open_raw, profile, ())
        if first is None:
            return
        line, why = first.raw.line, f"the one on line {first.raw.line} isn't for sale there"
    detail = f"Its records look like those of {answer.maker}, and {why}."
    raise FileRefused("preset_needed", detail, answer.remedy, line=line)


def _withdrawing(rules: Sequence[Skip]) -> tuple[Skip, ...]:
    return tuple(evolve(rule, withdraws=True) for rule in rules)


def _sku_columns(header: Header, known: Profile) -> tuple[int, ...]:
    """The columns that a preset takes skus from; none if the file lacks what it needs."""
    try:
        mapping = map_header(header.cells, "delta", known, header.terms.home_currency)
    except FileRefused:
        return ()
    return mapping.field_mappings["sku"].indexes


def _first_misfit(
    header: Header, open_raw: OpenRaw, profile: Profile, hinted: Collection[str]
) -> Prepared | None:
    """The first record that isn't for sale, or has what a hinted pattern rejects."""
    with open_raw() as raw:
        reader = open_feed(raw, evolve(header.terms, mode="delta", profile=profile))
        return next(
            (r for r in reader.prepared if _is_none(r) or _misfits(reader, r, hinted)), None
        )


def _is_none(record: Prepared) -> bool:
    """Whether the platform doesn't sell it: it is withdrawn, or has variants that are sold."""
    return record.withdrawn or record.reason == WITH_VARIANTS


def _misfits(reader: Reader, record: Prepared, hinted: Collection[str]) -> bool:
    """Whether a cell has what the preset's pattern for its field rejects."""
    problems = reader.read(record).problems if hinted and record.fate is None else ()
    return any(p.code == "pattern_mismatch" and p.field in hinted for p in problems)
