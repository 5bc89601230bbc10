"""Which preset fits a header, and what its unused columns could be."""

from collections.abc import Iterator, Sequence
from contextlib import suppress
from difflib import SequenceMatcher
from typing import Final

from attrs import evolve, frozen

from commerce_core.base.errors import FileRefused
from commerce_core.base.text import squash
from commerce_core.doctor.columns import ColumnStats
from commerce_core.doctor.diagnosis import Question, Suggestion
from commerce_core.doctor.questions import which_column
from commerce_core.doctor.words import HEADERS, field_by_part, speaks_against
from commerce_core.profiles.mapping import HeaderMapping, map_header, rivals_of
from commerce_core.profiles.presets import PRESET_PROFILES, in_full
from commerce_core.profiles.profile import PRESETS, TEMPLATE_PART, Column, Preset, Profile
from commerce_core.profiles.recognition import recognised_preset
from commerce_core.schema.fields import FIELDS

_SIMILAR: Final = 0.84
_LEAST_SIMILAR_LENGTH: Final = 4
_ENOUGH_GTINS: Final = 3
_FEW_WORDS: Final = 15
_NEARLY: Final = 0.9
_HALF: Final = 0.5
_DISTINCT: Final = 1_000
_BY_CELLS: Final = 1
"""The strength of a guess by the cells alone, whatever the header."""
_BY_CONTENT: Final = ("gtin", "image_url", "product_url", "currency", "availability")
_SPELLINGS: Final = {squash(name): f.name for f in FIELDS for name in (f.name, *f.aliases)}


def choose_preset(header: Sequence[str], currency: str | None) -> Preset:
    """The preset that understands most of a header; canonical if none does better."""
    return max(PRESETS, key=lambda preset: _score(header, preset, currency))


def _score(header: Sequence[str], preset: Preset, currency: str | None) -> int:
    """How many columns a preset uses; 0 if the header isn't of its kind."""
    profile = PRESET_PROFILES[preset]
    if not _is_of_kind(header, profile):
        return 0
    try:
        mapping = map_header(header, "delta", unrivalled(header, profile, currency), currency)
    except FileRefused:
        return 0
    return len(mapping.header) - len(mapping.unused)


def _is_of_kind(header: Sequence[str], profile: Profile) -> bool:
    """Whether a header has the columns that are typical of a platform's export.

    These are the grouping key if the profile groups records, two of the columns it skips records
    by if it skips by several, and the first column of its identity otherwise. Records in others
    have to be recognised.
    """
    names = {squash(name) for name in header}

    def has(column: str) -> bool:
        return any(squash(name) in names for name in (column, *profile.names.get(column, ())))

    if profile.record_path:
        return recognised_preset(header) == profile.preset
    if profile.group:
        return has(profile.group.key)
    if len(skipped := {rule.column for rule in profile.skip}) > 1:
        return sum(map(has, skipped)) > 1
    first = next((TEMPLATE_PART.findall(template)[0] for template in profile.identity), None)
    return first is None or has(first)


def unrivalled(header: Sequence[str], profile: Profile, currency: str | None) -> Profile:
    """The profile without the fields that could be any of several columns."""
    unclear = rivals_of(header, profile, currency)
    if not unclear:
        return profile
    pinned = {name: Column(needs=several) for name, several in unclear.items()}
    return evolve(profile, columns={**profile.columns, **pinned})


def understood(
    header: Sequence[str], profile: Profile, currency: str | None
) -> HeaderMapping | None:
    """The header's mapping, without fields that are ambiguous or missing.

    None if no column is a field, or if there are too many columns.
    """
    plain = unrivalled(header, in_full(profile), currency)
    with suppress(FileRefused):
        return map_header(header, "delta", plain, currency)
    columns = {name: column for name, column in plain.columns.items() if name != "sku"}
    without_sku = evolve(plain, columns=columns, constants={**plain.constants, "sku": "-"})
    with suppress(FileRefused):
        return map_header(header, "delta", without_sku, currency)
    return None


@frozen
class _Guess:
    """A field that a column could be, the reason, and how strong the evidence is."""

    field: str
    strength: int
    because: str


def suggest(
    all_stats: Sequence[ColumnStats], unused: Sequence[str], fed: Sequence[str]
) -> Iterator[Suggestion | Question]:
    """What the unused columns could be; a question if several could equally be one field."""
    free = [stats for stats in all_stats if stats.header in unused and stats.filled]
    guesses = [(t, guess) for t in free if (guess := _guess(t)) and guess.field not in fed]
    for wanted in (f.name for f in FIELDS):
        found = [(t, guess) for t, guess in guesses if guess.field == wanted]
        best = max((guess.strength for _, guess in found), default=0)
        strongest = [(t, guess) for t, guess in found if guess.strength == best]
        if len(strongest) == 1:
            stats, guess = strongest[0]
            yield Suggestion(wanted, (stats.header,), guess.because)
        elif strongest:
            yield which_column(wanted, [stats for stats, _ in strongest])
    if "product_name" not in (*fed, *(guess.field for _, guess in guesses)):
        yield from _name_from_parts(all_stats)


def second_columns(
    all_stats: Sequence[ColumnStats], unused: Sequence[str]
) -> dict[str, list[ColumnStats]]:
    """For each field the unused columns whose names mean it, too, and whose cells fit."""
    found: dict[str, list[ColumnStats]] = {}
    for stats in all_stats:
        guess = _guess(stats) if stats.header in unused and stats.filled else None
        if guess is not None and guess.strength > _BY_CELLS:
            found.setdefault(guess.field, []).append(stats)
    return found


def _name_from_parts(all_stats: Sequence[ColumnStats]) -> Iterator[Suggestion]:
    named = {squash(stats.header): stats.header for stats in all_stats}
    if "model" in named and (maker := named.get("make") or named.get("brand")):
        yield Suggestion("product_name", (maker, named["model"]), "together they name the product")


def _guess(stats: ColumnStats) -> _Guess | None:
    by_name = HEADERS.get(squash(stats.header))
    if by_name and _fits(by_name, stats, surely_named=True):
        return _Guess(by_name, 4, f"{stats.header!r} usually means this, and the cells fit")
    similar = _similar(squash(stats.header))
    if similar and _fits(similar, stats) and not speaks_against(similar, stats.header):
        return _Guess(similar, 3, f"{stats.header!r} is spelled almost like it, and the cells fit")
    part = field_by_part(stats.header)
    if part and _fits(part, stats):
        return _Guess(part, 2, f"a word in {stats.header!r} suggests it, and the cells fit")
    by_content = next((name for name in _BY_CONTENT if _is_surely(name, stats)), None)
    return _Guess(by_content, _BY_CELLS, "the cells look like it") if by_content else None


def _similar(header: str) -> str | None:
    if len(header) < _LEAST_SIMILAR_LENGTH:
        return None
    # Lengths or letters alone distinguish most of them, which is much quicker.
    long_enough = (name for name in _SPELLINGS if _may_be_as_long(header, name))
    compared = ((SequenceMatcher(None, header, name), name) for name in long_enough)
    close = ((alike, name) for alike, name in compared if alike.quick_ratio() >= _SIMILAR)
    ratio, name = max(((alike.ratio(), name) for alike, name in close), default=(0.0, ""))
    return _SPELLINGS[name] if ratio >= _SIMILAR else None


def _may_be_as_long(one: str, other: str) -> bool:
    return 2 * min(len(one), len(other)) >= _SIMILAR * (len(one) + len(other))


def _fits(name: str, stats: ColumnStats, *, surely_named: bool = False) -> bool:
    """Whether the column's cells can be that field."""
    match name:
        case "sku":
            share = _HALF if surely_named else _NEARLY
            return stats.blank <= stats.filled and len(stats.distinct) >= share * min(
                stats.filled, _DISTINCT
            )
        case "price" | "sale_price" | "weight" | "quantity":
            return stats.mostly("number")
        case "currency":
            return stats.mostly("currency")
        case "gtin":
            return sum(stats.gtins.values()) >= _NEARLY * stats.examined
        case "image_url":
            return stats.mostly("picture", "address")
        case "product_url":
            return stats.mostly("address")
        case "availability" | "condition":
            return len(stats.distinct) <= _FEW_WORDS and stats.counts_all
        case "product_name" | "description" | "brand" | "category":
            other = ("number", "address", "picture", "date")
            return not stats.mostly(*other, *(() if surely_named else ("currency",)))
        case _:
            return True


def _is_surely(name: str, stats: ColumnStats) -> bool:
    """Whether the cells alone suggest the field, and hardly any other."""
    match name:
        case "gtin":
            return stats.gtins["valid"] >= max(_ENOUGH_GTINS, _NEARLY * stats.examined)
        case "image_url":
            return stats.mostly("picture")
        case "product_url":
            return stats.mostly("address")
        case _:
            return stats.mostly(name)
