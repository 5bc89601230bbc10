"""Which preset a header speaks for, and what the columns that nobody asked for could be."""

from collections.abc import Iterator, Sequence
from contextlib import suppress
from difflib import SequenceMatcher
from typing import Final

from attrs import evolve, frozen

from commerce_core.base.errors import FileRefused
from commerce_core.base.text import squash
from commerce_core.doctor.columns import Tally
from commerce_core.doctor.diagnosis import Option, Question, Suggestion
from commerce_core.doctor.words import HEADERS, field_by_part, speaks_against
from commerce_core.profiles.mapping import HeaderMapping, map_header, rivals_of
from commerce_core.profiles.presets import PRESET_PROFILES, in_full
from commerce_core.profiles.profile import PRESETS, TEMPLATE_PART, Column, Preset, Profile
from commerce_core.schema.fields import FIELDS

_SIMILAR: Final = 0.84
_LEAST_SIMILAR_LENGTH: Final = 4
_ENOUGH_GTINS: Final = 3
_FEW_WORDS: Final = 15
_NEARLY: Final = 0.9
_HALF: Final = 0.5
_DISTINCT: Final = 1_000
_BY_CONTENT: Final = ("gtin", "image_url", "product_url", "currency", "availability")
_SPELLINGS: Final = {squash(name): f.name for f in FIELDS for name in (f.name, *f.aliases)}


def choose_preset(header: Sequence[str], currency: str | None) -> Preset:
    """The preset that understands most of a header; canonical where none does better."""
    return max(PRESETS, key=lambda preset: _score(header, preset, currency))


def _score(header: Sequence[str], preset: Preset, currency: str | None) -> int:
    """How many columns a preset has a use for; none where the header isn't of its kind."""
    profile = PRESET_PROFILES[preset]
    if not _is_of_kind(header, profile):
        return 0
    try:
        mapping = map_header(header, "delta", unrivalled(header, profile, currency), currency)
    except FileRefused:
        return 0
    return len(mapping.header) - len(mapping.unused)


def _is_of_kind(header: Sequence[str], profile: Profile) -> bool:
    """Whether a header has what gives a platform's export away.

    One that folds records has their key, one that skips some has two of the columns that say so,
    one with identities alone has the first of them.
    """
    names = {squash(name) for name in header}
    if profile.group:
        return squash(profile.group.key) in names
    if profile.skip:
        return len({squash(rule.column) for rule in profile.skip} & names) > 1
    first = next((TEMPLATE_PART.findall(template)[0] for template in profile.identity), None)
    return first is None or squash(first) in names


def unrivalled(header: Sequence[str], profile: Profile, currency: str | None) -> Profile:
    """The profile in full, fields whose column nobody can know being left out of it."""
    unclear = rivals_of(header, profile, currency)
    if not unclear:
        return profile
    pinned = {name: Column(needs=several) for name, several in unclear.items()}
    return evolve(profile, columns={**profile.columns, **pinned})


def understood(
    header: Sequence[str], profile: Profile, currency: str | None
) -> HeaderMapping | None:
    """The layout as far as it goes, without fields that are unclear or missing.

    None where not even that goes, as no cell names a field or there are too many.
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
    """A field that a column could be, why, and how much speaks for it."""

    field: str
    strength: int
    because: str


def suggest(
    tallies: Sequence[Tally], unused: Sequence[str], fed: Sequence[str]
) -> Iterator[Suggestion | Question]:
    """What unused columns could be; a question where two could equally be one field."""
    free = [tally for tally in tallies if tally.header in unused and tally.filled]
    guesses = [(t, guess) for t in free if (guess := _guess(t)) and guess.field not in fed]
    for wanted in (f.name for f in FIELDS):
        found = [(t, guess) for t, guess in guesses if guess.field == wanted]
        best = max((guess.strength for _, guess in found), default=0)
        strongest = [(t, guess) for t, guess in found if guess.strength == best]
        if len(strongest) == 1:
            tally, guess = strongest[0]
            yield Suggestion(wanted, (tally.header,), guess.because)
        elif strongest:
            yield _which(wanted, [tally for tally, _ in strongest])
    if "product_name" not in (*fed, *(guess.field for _, guess in guesses)):
        yield from _name_from_parts(tallies)


def _name_from_parts(tallies: Sequence[Tally]) -> Iterator[Suggestion]:
    named = {squash(tally.header): tally.header for tally in tallies}
    if "model" in named and (maker := named.get("make") or named.get("brand")):
        yield Suggestion("product_name", (maker, named["model"]), "joined, they name the product")


def _which(wanted: str, tallies: Sequence[Tally]) -> Question:
    options = tuple(Option(t.header, _samples(t)) for t in tallies)
    return Question("which_column", None, f"Which column is the {wanted}?", options)


def _samples(tally: Tally) -> str:
    return f"as in {', '.join(map(repr, list(tally.samples)[:2]))}" if tally.samples else "blank"


def _guess(tally: Tally) -> _Guess | None:
    by_name = HEADERS.get(squash(tally.header))
    if by_name and _fits(by_name, tally, surely_named=True):
        return _Guess(by_name, 4, f"{tally.header!r} usually means it, and the cells fit")
    similar = _similar(squash(tally.header))
    if similar and _fits(similar, tally) and not speaks_against(similar, tally.header):
        return _Guess(similar, 3, f"{tally.header!r} is spelled much like it, and the cells fit")
    part = field_by_part(tally.header)
    if part and _fits(part, tally):
        return _Guess(part, 2, f"a word in {tally.header!r} says so, and the cells fit")
    by_content = next((name for name in _BY_CONTENT if _is_surely(name, tally)), None)
    return _Guess(by_content, 1, "the cells are of that kind") if by_content else None


def _similar(header: str) -> str | None:
    if len(header) < _LEAST_SIMILAR_LENGTH:
        return None
    rated = [(SequenceMatcher(None, header, name).ratio(), name) for name in _SPELLINGS]
    ratio, name = max(rated)
    return _SPELLINGS[name] if ratio >= _SIMILAR else None


def _fits(name: str, tally: Tally, *, surely_named: bool = False) -> bool:
    """Whether what stands in the column can be that field."""
    match name:
        case "sku":
            share = _HALF if surely_named else _NEARLY
            return tally.blank <= tally.filled and len(tally.distinct) >= share * min(
                tally.filled, _DISTINCT
            )
        case "price" | "sale_price" | "weight" | "quantity":
            return tally.mostly("number")
        case "currency":
            return tally.mostly("currency")
        case "gtin":
            return sum(tally.gtins.values()) >= _NEARLY * tally.close
        case "image_url":
            return tally.mostly("picture", "address")
        case "product_url":
            return tally.mostly("address")
        case "availability" | "condition":
            return len(tally.distinct) <= _FEW_WORDS and tally.counts_all
        case "product_name" | "description" | "brand" | "category":
            return not tally.mostly("number", "address", "picture", "date", "currency")
        case _:
            return True


def _is_surely(name: str, tally: Tally) -> bool:
    """Whether the content alone speaks for the field, and hardly for another one."""
    match name:
        case "gtin":
            return tally.gtins["valid"] >= max(_ENOUGH_GTINS, _NEARLY * tally.close)
        case "image_url":
            return tally.mostly("picture")
        case "product_url":
            return tally.mostly("address")
        case _:
            return tally.mostly(name)
