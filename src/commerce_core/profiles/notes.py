"""Notes about a header: what a profile names that the file lacks, and what a mapping takes away."""

import difflib
from collections.abc import Iterable, Iterator, Sequence
from typing import Final

from commerce_core.base.text import squash
from commerce_core.profiles.mapping import HeaderMapping
from commerce_core.profiles.profile import TEMPLATE_PART, Profile
from commerce_core.schema.fields import FIELDS

MOST_NOTES: Final = 20
"""The most notes about one header; a last one says how many there are beyond."""
_SHOWN: Final = 60


def header_notes(mapping: HeaderMapping, own: Profile, full: Profile) -> tuple[str, ...]:
    """What a person should know about a mapping made by a profile, `own` and with its preset."""
    found = [*_lacking(mapping, own), *_moved(mapping, full)]
    more = len(found) - MOST_NOTES
    return (*found[:MOST_NOTES], f"There are {more} more such notes.") if more > 0 else (*found,)


def _lacking(mapping: HeaderMapping, own: Profile) -> Iterator[str]:
    """The columns that the source's own profile names and the file lacks."""
    for use, alternatives in dict.fromkeys(_named(own)):
        if any(mapping.has(name) for name in alternatives):
            continue
        names = " or ".join(repr(name[:_SHOWN]) for name in alternatives)
        near = _nearest(alternatives[0], mapping.header)
        hint = f" Did you mean {near!r}?" if near else ""
        yield f"The profile names the column {names} for {use}, and the file lacks it.{hint}"


def _named(profile: Profile) -> Iterator[tuple[str, tuple[str, ...]]]:
    """Each use of columns, with the names of which one is enough."""
    for field, column in profile.columns.items():
        several = [(name,) for name in column.from_] if column.join is not None else [column.from_]
        several += [(name,) for pair in column.pairs for name in pair if not name.startswith("=")]
        several += [(name,) for name in (*column.needs, *column.unless_positive)]
        yield from ((field, names) for names in several if names)
    yield from (("skip", (rule.column,)) for rule in profile.skip)
    yield from (("attributes", (name,)) for name in profile.attributes)
    templates = (part for text in profile.identity for part in TEMPLATE_PART.findall(text))
    yield from (("identity", (name,)) for name in templates)
    if group := profile.group:
        names = (group.key, *group.carry, *group.offer, *([group.append] if group.append else []))
        yield from (("group", (name,)) for name in names)
    if parents := profile.parents:
        names = (parents.reference, *parents.carry, *parents.decide)
        yield from (("parents", (name,)) for name in names)
    if totals := profile.totals:
        yield from (("totals", (name,)) for name in (totals.column, totals.over))


def _nearest(name: str, header: Sequence[str]) -> str | None:
    spelled = {squash(each): each for each in header if each}
    near = difflib.get_close_matches(squash(name), spelled, n=1, cutoff=0.7)
    return spelled[near[0]][:_SHOWN] if near else None


def _moved(mapping: HeaderMapping, full: Profile) -> Iterator[str]:
    """Columns that would feed a field by their name, if the profile didn't use them for another."""
    if not full.aliases:
        return
    uses = {i: name for name, fed in mapping.field_mappings.items() for i in fed.indexes}
    for field in FIELDS:
        if field.name in {*mapping.field_mappings, *full.columns, *full.constants}:
            continue
        index = next(_places(mapping, (field.name, *field.aliases)), None)
        if index in uses:
            column = mapping.header[index][:_SHOWN]
            yield (
                f"The column {column!r} feeds {uses[index]}, as the profile has it, and not "
                f"{field.name}. Map {field.name} too if it should feed both."
            )


def _places(mapping: HeaderMapping, names: Iterable[str]) -> Iterator[int]:
    return (i for name in names if (i := mapping.index_of(name)) is not None)
