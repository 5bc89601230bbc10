"""Limits of profiles: what one may ask of each record, so that none costs more than its file.

A profile that was saved before there were these limits still loads; a file that it would read is
refused, and the refusal names the part at fault.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from typing import Final, cast

from attrs import fields, has

from commerce_core.base.errors import Fault, FileRefused
from commerce_core.base.text import squash
from commerce_core.profiles.patterns import steps_of, why_refused
from commerce_core.profiles.profile import TEMPLATE_PART, Column, Profile

MOST_HEADERS: Final = 100
"""Columns that one part of a profile may name: those of a field, a template, a group."""
MOST_TEMPLATES: Final = 20
MOST_NAMES: Final = 1_000
MOST_SKIP_RULES: Final = 100
MOST_WORDS: Final = 10_000
"""Words that a column translates, or that a rule skips."""
LONGEST_WORD: Final = 1_000
"""Characters of a header, a word, a separator or a constant."""
_LONGEST_IN_POINTER: Final = 60
MOST_ADDED: Final = 2_000
"""Characters that a profile may add to each record: constants, separators, names of options."""
MOST_STEPS_IN_ALL: Final = 1_200
"""Steps that all patterns of a profile may have."""


def refuse_beyond_limits(profile: Profile) -> None:
    """Refuses a file whose profile, its preset included, is beyond the limits."""
    fault = next(limit_faults(profile), None)
    if fault is not None:
        detail = f"The source's profile can't be used: {fault.pointer} {fault.detail}"
        raise FileRefused("bad_profile", detail, "Save a profile within the limits.")


def limit_faults(profile: Profile) -> Iterator[Fault]:
    """Everything in a profile that is beyond a limit."""
    for name, column in profile.columns.items():
        yield from _of_column(f"/columns/{name}", column)
    yield from _too_many("/identity", "templates", profile.identity, MOST_TEMPLATES)
    for index, template in enumerate(profile.identity):
        places = TEMPLATE_PART.findall(template)
        yield from _too_many(f"/identity/{index}", "columns", places, MOST_HEADERS)
        yield from _repeated(f"/identity/{index}", places)
    yield from _too_many("/skip", "rules", profile.skip, MOST_SKIP_RULES)
    for index, rule in enumerate(profile.skip):
        yield from _too_many(f"/skip/{index}/words", "words", rule.words, MOST_WORDS)
    if profile.group:
        yield from _too_many("/group/carry", "columns", profile.group.carry, MOST_HEADERS)
        yield from _too_many("/group/offer", "columns", profile.group.offer, MOST_HEADERS)
        yield from _too_many("/group/heads", "words", profile.group.heads, MOST_HEADERS)
    if parents := profile.parents:
        yield from _too_many("/parents/keys", "templates", parents.keys, MOST_TEMPLATES)
        yield from _too_many("/parents/carry", "columns", parents.carry, MOST_HEADERS)
        yield from _too_many("/parents/decide", "columns", parents.decide, MOST_HEADERS)
        yield from _too_many("/parents/together", "columns", parents.together, MOST_HEADERS)
        yield from _too_many("/parents/inherit", "words", parents.inherit, MOST_WORDS)
    if profile.totals:
        yield from _too_many("/totals/zero", "words", profile.totals.zero, MOST_WORDS)
    if locations := profile.locations:
        yield from _too_many("/locations/zero", "words", locations.zero, MOST_WORDS)
        for index, names in enumerate(locations.behind):
            yield from _too_many(f"/locations/behind/{index}", "columns", names, MOST_HEADERS)
        yield from _too_many("/locations/behind", "headers", locations.behind, MOST_HEADERS)
    yield from _too_many("/names", "columns", profile.names, MOST_NAMES)
    for name, others in profile.names.items():
        yield from _too_many(f"/names/{name}", "columns", others, MOST_HEADERS)
    yield from _too_long(profile)
    if (steps := pattern_steps(profile)) > MOST_STEPS_IN_ALL:
        detail = f"Its patterns take {steps:,} steps; at most {MOST_STEPS_IN_ALL:,} are allowed."
        yield Fault("/columns", "bad_pattern", detail)
    if (added := text_added(profile)) > MOST_ADDED:
        detail = f"It adds {added:,} characters to each record; at most {MOST_ADDED:,} are allowed."
        yield Fault("", "too_long", detail)


def text_added(profile: Profile) -> int:
    """The characters that a profile can add to a record, beside those that it takes from it."""
    constants = sum(map(len, profile.constants.values()))
    templates = sum(len(TEMPLATE_PART.sub("", template)) for template in profile.identity)
    return constants + templates + sum(map(_added_by, profile.columns.values()))


def pattern_steps(profile: Profile) -> int:
    """The steps of all patterns of a profile that aren't refused."""
    patterns = (column.pattern for column in profile.columns.values())
    return sum(steps_of(text) for text in patterns if text is not None and not why_refused(text))


def _added_by(column: Column) -> int:
    joined = len(column.join or "") * len(column.from_)
    fixed = sum(len(name) for pair in column.pairs for name in pair[:1] if name.startswith("="))
    return joined + fixed + len(": ; ") * len(column.pairs)


def _of_column(at: str, column: Column) -> Iterator[Fault]:
    if column.pattern is not None and (why := why_refused(column.pattern)):
        yield Fault(f"{at}/pattern", "bad_pattern", why)
    yield from _too_many(f"{at}/from", "columns", column.from_, MOST_HEADERS)
    yield from _too_many(f"{at}/pairs", "pairs", column.pairs, MOST_HEADERS)
    yield from _too_many(f"{at}/needs", "columns", column.needs, MOST_HEADERS)
    more = column.unless_positive
    yield from _too_many(f"{at}/unless_positive", "columns", more, MOST_HEADERS)
    yield from _too_many(f"{at}/values", "words", column.values, MOST_WORDS)
    joined = column.from_ if column.join is not None else ()
    yield from _repeated(f"{at}/from", joined)
    yield from _repeated(f"{at}/pairs", (pair[-1] for pair in column.pairs if pair))


def _too_many(at: str, what: str, members: Iterable[object], most: int) -> Iterator[Fault]:
    count = sum(1 for _ in members)
    if count > most:
        yield Fault(at, "too_many", f"It has {count:,} {what}; at most {most:,} are allowed.")


def _repeated(at: str, headers: Iterable[str]) -> Iterator[Fault]:
    """Each column joined once makes a text no longer than its record."""
    repeated = [name for name, times in Counter(map(squash, headers)).items() if times > 1]
    if repeated:
        detail = f"It names the column {repeated[0][:60]!r} more than once."
        yield Fault(at, "repeated_column", detail)


def _too_long(profile: Profile) -> Iterator[Fault]:
    for at, text in _texts(profile):
        if len(text) > LONGEST_WORD:
            detail = f"It has {len(text):,} characters; at most {LONGEST_WORD:,} are allowed."
            yield Fault(at, "too_long", detail)


def _texts(part: object, at: str = "") -> Iterator[tuple[str, str]]:
    """Every text in a part of a profile, each with its pointer; those of a list share one."""
    if isinstance(part, str):
        yield at, part
    elif isinstance(part, Mapping):
        for key, value in cast("Mapping[str, object]", part).items():
            yield at, key
            yield from _texts(value, f"{at}/{key[:_LONGEST_IN_POINTER]}")
    elif isinstance(part, tuple):
        for index, member in enumerate(cast("tuple[object, ...]", part)):
            yield from _texts(member, f"{at}/{index}" if has(type(member)) else at)
    elif has(type(part)):
        for attribute in fields(type(part)):
            yield from _texts(getattr(part, attribute.name), f"{at}/{attribute.name.rstrip('_')}")
