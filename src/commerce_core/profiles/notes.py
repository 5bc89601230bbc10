"""Notes about a header: what a profile names that the file lacks, and what a mapping takes away."""

import difflib
import re
from collections.abc import Iterable, Iterator, Sequence
from typing import Final

from commerce_core.base.text import squash
from commerce_core.profiles.mapping import AROUND, HeaderMapping
from commerce_core.profiles.profile import TEMPLATE_PART, Profile
from commerce_core.profiles.sale_periods import unread_periods
from commerce_core.schema.fields import FIELDS

MOST_NOTES: Final = 20
"""The most notes about one header; a last one says how many there are beyond."""
_SHOWN: Final = 60
_BRACKETS: Final = re.compile(r"\s*[(\[][^)\]]*[)\]]$")
_FOR_SALE: Final = frozenset(
    {"visible", "isvisible", "visibility", "published", "ispublished", "active", "isactive"}
    | {"enabled", "isenabled", "online", "isonline", "sellable", "purchasable", "forsale"}
    | {
        "aktiv",
        "sichtbar",
        "veröffentlicht",
        "actif",
        "activo",
        "attivo",
        "status",
        "productvisible",
    }
    | {"productvisible?", "productonline"}
)
_NOT_FOR_SALE: Final = frozenset(
    {
        "archived",
        "isarchived",
        "hidden",
        "ishidden",
        "disabled",
        "isdisabled",
        "inactive",
        "inaktiv",
    }
    | {"isinactive", "isdraft", "draft"}
)


def says_for_sale(header: str) -> bool | None:
    """Whether a yes in a column of that name means that a product is sold; None if it isn't known.

    The name of what is around a record, `../active`, and what stands in brackets don't count.
    """
    name = squash(_BRACKETS.sub("", header).removeprefix(AROUND))
    return True if name in _FOR_SALE else False if name in _NOT_FOR_SALE else None


def header_notes(mapping: HeaderMapping, own: Profile, full: Profile) -> tuple[str, ...]:
    """What a person should know about a mapping made by a profile, `own` and with its preset."""
    found = [*_lacking(mapping, own), *_moved(mapping, full), *_undecided(mapping, own)]
    found += _unlimited(mapping)
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


def _undecided(mapping: HeaderMapping, own: Profile) -> Iterator[str]:
    """Unused columns that may say what is for sale, if the profile leaves nothing out."""
    if own.skip:
        return
    for name in mapping.unused:
        if says_for_sale(name) is not None:
            yield (
                f"The column {name[:_SHOWN]!r} may say which products are for sale, and isn't "
                "used: all are sold. A rule of skip in the profile can leave records out by it."
            )


def _unlimited(mapping: HeaderMapping) -> Iterator[str]:
    """Unused columns that may limit in time a sale price that has no limit."""
    for index in unread_periods(mapping):
        yield (
            f"The column {mapping.header[index][:_SHOWN]!r} may say when the sale price applies, "
            "and isn't used: where it has anything, the sale price is ignored. Map sale_starts_at "
            "and sale_ends_at in the profile."
        )


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
        names = (parents.reference, *parents.carry, *parents.together, *parents.decide)
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
