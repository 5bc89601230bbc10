"""Header mappings: which columns of a file feed which field, by its header and a profile."""

import re
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from functools import lru_cache
from typing import Final

import attrs
from attrs import evolve, frozen

from commerce_core.base.errors import FileRefused
from commerce_core.base.money import find_currency, minor_units_of
from commerce_core.base.text import BLANKS, UNSTORABLE, composed, visible
from commerce_core.base.text import squash as squash_text
from commerce_core.profiles.extractors import (
    Added,
    AttributeMap,
    Cell,
    Constant,
    Extractor,
    FirstOf,
    Joined,
    OptionPairs,
    RequireColumns,
    SkuOrTemplate,
    Template,
    UnlessPositive,
    moved,
)
from commerce_core.profiles.profile import MOST_LEVELS, TEMPLATE_PART, Column, Profile
from commerce_core.schema.fields import FIELDS, Amount, Attributes, Field, Grams, Mode

MOST_COLUMNS: Final = 1_000
"""The most columns that a file may have."""
PICTURES: Final = "additional_image_urls"
"""The field that gets the pictures of records folded into the one before."""
RECORDS: Final = "records"
"""What is made of the columns that decide what becomes of a record; no field is called so."""
REPORT_COLUMNS: Final = ("_feed", "_line", "_code", "_column", "_value", "_hint")
"""The columns that a reject report puts before the partner's own; no field is read from them."""
AROUND: Final = "../"
"""What stands in front of the name of a column that belongs to the object around a record."""
_MOST_HEADERS_SHOWN: Final = 20
_NAMES_REMEMBERED: Final = 1 << 13
"""Names of columns whose spelling without variations is kept: the same come with each feed."""
_LONGEST_HEADER: Final = 200
_squash_remembered: Final = lru_cache(_NAMES_REMEMBERED)(squash_text)
_WITH_UNIT: Final = re.compile(r"(.+?)\s*[(\[]\s*([A-Za-z]{1,5})\s*[)\]]", re.ASCII)
REQUIRED: Final = "* "
"""What templates mark the columns with that have to be filled in."""
_STATED: Final = re.compile(r"\bCurrency=([A-Z]{3})\b")
_WEIGHTS: Final = {"g": "g", "kg": "kg", "kgs": "kg", "lb": "lb", "lbs": "lb", "oz": "oz"}


def squash(name: str) -> str:
    """The name of a column without what partners vary; names of usual length are remembered."""
    return (_squash_remembered if len(name) <= _LONGEST_HEADER else squash_text)(name)


def _no_column(_header: str) -> int | None:
    return None


@frozen
class FieldMapping:
    """How one field is fed: from which columns, and how their text is put together and read.

    `currency` is that of the amounts, if the header or the profile declares it. `needs` are the
    columns without which the others don't count.
    """

    field: Field
    column: Column
    indexes: tuple[int, ...]
    gather: Extractor = attrs.field(repr=False, eq=False)
    currency: str | None = None
    needs: tuple[int, ...] = ()

    def is_lacking(self, lacks: Collection[int]) -> bool:
        """Whether a record without these cells leaves the field alone."""
        return (bool(self.indexes) and all(index in lacks for index in self.indexes)) or any(
            index in lacks for index in self.needs
        )

    def moved(self, places: Mapping[int, int]) -> "FieldMapping":
        """How records feed it whose cells stand in other places; KeyError if one has none."""
        return evolve(
            self,
            indexes=tuple(places[index] for index in self.indexes),
            gather=moved(self.gather, places),
            needs=tuple(places[index] for index in self.needs),
        )


@frozen
class HeaderMapping:
    """A file's header, with what feeds each field, and the columns that nothing uses.

    `made_of` has the columns that each field is made of, and under `records` those that decide what
    becomes of a record. `wanted` are all names that a further column would be used by, as they are
    compared; `has` is whether any column has a name, and `find` is where the first one is.
    """

    header: tuple[str, ...]
    field_mappings: Mapping[str, FieldMapping]
    unused: tuple[str, ...]
    made_of: Mapping[str, tuple[str, ...]] = attrs.field(factory=dict[str, tuple[str, ...]])
    wanted: frozenset[str] = attrs.field(default=frozenset[str](), repr=False, eq=False)
    has: Callable[[str], bool] = attrs.field(default=bool, repr=False, eq=False)
    find: Callable[[str], int | None] = attrs.field(default=_no_column, repr=False, eq=False)

    def column_of(self, name: str) -> str | None:
        """The partner's name for the field: its first column's; None if the file has no column."""
        feeding = self.field_mappings.get(name)
        return self.header[feeding.indexes[0]] if feeding and feeding.indexes else None

    def uses(self, name: str) -> bool:
        """Whether one more column would be used, if the file had it."""
        tidy = tidy_header(name)
        without, _ = _unit_of(tidy) or (tidy, None)
        return not self.wanted.isdisjoint((squash(tidy), squash(without))) or any(
            fits(squash(tidy), pattern) for pattern in self.wanted if "*" in pattern
        )

    def index_of(self, header: str) -> int | None:
        """The index of the column with that header, if the file has it."""
        return self.find(header)

    def moved(self, header: Sequence[str], places: Mapping[int, int]) -> "HeaderMapping":
        """What feeds each field under another header, in which the same columns stand elsewhere.

        `places` has the place there of each column that is in both. KeyError if another one is
        used, also later, when it is looked for by its name.
        """

        def find(name: str) -> int | None:
            index = self.find(name)
            return None if index is None else places[index]

        fields = {name: fed.moved(places) for name, fed in self.field_mappings.items()}
        return evolve(self, header=tuple(header), field_mappings=fields, find=find)


def map_header(
    header: Sequence[str], mode: Mode, profile: Profile, currency: str | None, line: int = 1
) -> HeaderMapping:
    """Finds what feeds each field: the profile's columns, else the field's own name, else an alias.

    `profile` includes its preset, `currency` is the source's, `line` is the header's. FileRefused
    if several columns could be the same field (it never guesses), if a column that the mode
    requires is missing, or if no column is a field.
    """
    if len(header) > MOST_COLUMNS:
        detail = f"The header has {len(header):,} columns; at most {MOST_COLUMNS:,} are allowed."
        raise FileRefused("too_large", detail, "Send fewer columns.", line=line)
    names = [tidy_header(name) for name in header]
    finder = _Finder(names, profile, currency, line)
    field_mappings = {f.name: feeding for f in FIELDS if (feeding := finder.feeding(f))}
    _check_required(names, field_mappings, mode, profile, line)
    used = {index for feeding in field_mappings.values() for index in feeding.indexes}
    used |= finder.named_elsewhere()
    unused = tuple(name for i, name in enumerate(names) if i not in used and name)
    made_of = {
        name: tuple(names[index] for index in dict.fromkeys((*fed.indexes, *fed.needs)))
        for name, fed in field_mappings.items()
        if fed.indexes
    }
    if beside := finder.deciding():
        made_of[RECORDS] = tuple(names[index] for index in beside)
    return HeaderMapping(
        tuple(names), field_mappings, unused, made_of, finder.wanted(), finder.has, finder.first
    )


def rivals_of(
    header: Sequence[str], profile: Profile, currency: str | None
) -> dict[str, tuple[str, ...]]:
    """The columns of each field that could be any of several."""
    names = [tidy_header(name) for name in header]
    finder = _Finder(names, profile, currency, 1)
    found = {wanted.name: finder.rivals(wanted) for wanted in FIELDS}
    return {name: tuple(names[i] for i in several) for name, several in found.items() if several}


def tidy_header(name: str) -> str:
    """The name as shown and stored: trimmed, cut, without what can't be stored or seen."""
    plain = visible(composed(name)).strip(BLANKS)
    return UNSTORABLE.sub("\ufffd", plain[:_LONGEST_HEADER])


def _unit_of(name: str) -> tuple[str, str] | None:
    """`Price (INR)` or `Price (pence)` is also found as `Price`, `Weight (kg)` as `Weight`."""
    if (matched := _WITH_UNIT.fullmatch(name)) is None:
        return None
    without, unit = matched.groups()
    known = find_currency(unit) or minor_units_of(unit) or unit.lower() in _WEIGHTS
    return (without, unit) if known else None


def _currency_stated(name: str) -> str | None:
    """The currency of all amounts, as in eBay's `Action(SiteID=US|Currency=USD)`."""
    found = _STATED.search(name)
    return found[1] if found and find_currency(found[1]) else None


def fits(name: str, pattern: str) -> bool:
    """Whether a name fits, with anything in place of each `*`."""
    return _matcher(pattern).fullmatch(name) is not None


@lru_cache
def _matcher(pattern: str) -> re.Pattern[str]:
    return re.compile(".+".join(map(re.escape, pattern.split("*"))))


class _Finder:
    """Finds columns in one header."""

    def __init__(
        self, names: Sequence[str], profile: Profile, currency: str | None, line: int
    ) -> None:
        self._names = names
        self._profile = profile
        self._currency = currency
        self._line = line
        self.others = {squash(name): others for name, others in profile.names.items()}
        self._places: dict[str, list[int]] = {}
        self._units: dict[int, str] = {}
        self._stated = next(filter(None, map(_currency_stated, names)), None)
        for index, name in enumerate(names):
            self._places.setdefault(squash(name), []).append(index)
            if (plain := name.strip(REQUIRED)) and plain != name:
                self._places.setdefault(squash(plain), []).append(index)
            if split := _unit_of(name):
                without, self._units[index] = split
                self._places.setdefault(squash(without), []).append(index)
        self._taken = {
            i for column in profile.columns.values() for h in _headers(column) for i in self.all(h)
        }

    def all(self, header: str) -> list[int]:
        """The columns with that header; `{currency}` in it is the source's."""
        for name in (header, *self.others.get(squash(header), ())):
            spelled = squash(self._spelled(name))
            found = self._places.get(spelled)
            if found is None and "*" in spelled:
                found = self._matching(spelled)
            if found:
                return found
        return []

    def _matching(self, pattern: str) -> list[int]:
        """The columns whose names fit, with anything in place of a `*`."""
        names = (squash(name.strip(REQUIRED)) for name in self._names)
        return [i for i, name in enumerate(names) if fits(name, pattern)]

    def _spelled(self, header: str) -> str:
        return header.replace("{currency}", self._currency or "")

    def first(self, header: str) -> int | None:
        """The first column with that header."""
        return next(iter(self.all(header)), None)

    def has(self, header: str) -> bool:
        """Whether the file has a column by that name."""
        return bool(self.all(header))

    def deciding(self) -> list[int]:
        """The columns by which records are left out, or belong together."""
        profile = self._profile
        names = [rule.column for rule in profile.skip]
        names += [profile.group.key] if profile.group else []
        names += [profile.parents.reference] if profile.parents else []
        names += [profile.totals.over] if profile.totals else []
        return sorted({i for name in names if (i := self.first(name)) is not None})

    def named_elsewhere(self) -> set[int]:
        """The columns that the profile uses for anything but to feed a field."""
        names = _named_beside(self._profile)
        own = {i for i, name in enumerate(self._names) if name in REPORT_COLUMNS}
        return own | {i for name in names if name for i in self.all(name)}

    def wanted(self) -> frozenset[str]:
        """All names by which a column would be used, if the file had it."""
        profile = self._profile
        open_fields = [f for f in FIELDS if f.name not in {**profile.columns, **profile.constants}]
        names = [name for f in open_fields if profile.aliases for name in self._names_of(f)]
        names += [AROUND * out + name for name in names for out in range(1, MOST_LEVELS)]
        names += [h for column in profile.columns.values() for h in _headers(column)]
        names += [*profile.attributes, *_named_beside(profile)]
        names += [other for name in names for other in self.others.get(squash(name), ())]
        return frozenset(squash(self._spelled(name)) for name in names if name)

    def _names_of(self, wanted: Field) -> tuple[str, ...]:
        """The names that a field may have: only its own if a column is called so."""
        own = not self._taken.issuperset(self.all(wanted.name))
        return (wanted.name,) if own else (wanted.name, *wanted.aliases)

    def feeding(self, wanted: Field) -> FieldMapping | None:
        """What feeds a field; None if nothing does."""
        column = self._profile.columns.get(wanted.name)
        found = None if column is None else self._by_profile(wanted, column)
        group = self._profile.group
        if (
            found is None
            and wanted.name == PICTURES
            and group
            and group.append
            and self.all(group.append)
        ):
            return FieldMapping(wanted, Column(), (), Constant(""))
        if column is not None:
            return found
        if isinstance(wanted.kind, Attributes) and self._profile.attributes:
            return self._of_attributes(wanted)
        constant = self._profile.constants.get(wanted.name)
        if constant is not None:
            return FieldMapping(wanted, Column(), (), Constant(constant))
        identified = wanted.name == "sku" and self._profile.identity
        if self._profile.aliases:
            found = self._by_name(wanted)
            if found is not None:
                return self._mapping(wanted, Column((self._names[found],)), [found])
        return self._mapping(wanted, Column(), []) if identified else None

    def _of_attributes(self, wanted: Field) -> FieldMapping | None:
        """The columns that the profile keeps under their own names, if the file has any."""
        names = self._profile.attributes
        found = {name: i for name in names if (i := self.first(name)) is not None}
        if not found:
            return None
        gather = AttributeMap(tuple(found.items()))
        return FieldMapping(wanted, Column(names), tuple(found.values()), gather)

    def _by_name(self, wanted: Field) -> int | None:
        found = self._called(wanted)
        if len(found) > 1:
            raise self._ambiguous(wanted.name, found)
        return next(iter(found), None)

    def _called(self, wanted: Field) -> list[int]:
        """The columns with the field's own name or, if there are none, with one of its aliases.

        What is around a record may be any field but its sku.
        """
        for spellings in ((wanted.name,), wanted.aliases):
            found = sorted({i for name in spellings for i in self.all(name)} - self._taken)
            around = {i for name in spellings for i in self._around(name)} - self._taken
            if around and wanted.name != "sku":
                found = sorted({*found, *around})
            if found:
                return found
        return []

    def _around(self, name: str) -> list[int]:
        """The columns by that name that belong to what is around a record."""
        return [i for out in range(1, MOST_LEVELS) for i in self.all(AROUND * out + name)]

    def rivals(self, wanted: Field) -> list[int]:
        """The columns that could each be the field, if there are several."""
        column = self._profile.columns.get(wanted.name)
        if column is not None:
            named = [self.all(header) for header in column.from_]
            return next((found for found in named if len(found) > 1), list[int]())
        constant = wanted.name in self._profile.constants
        found = self._called(wanted) if self._profile.aliases and not constant else []
        return found if len(found) > 1 else []

    def _by_profile(self, wanted: Field, column: Column) -> FieldMapping | None:
        indexes = self._indexes(wanted, column)
        if not indexes and wanted.name == "quantity" and (places := self._locations()):
            zero = self._profile.locations.zero if self._profile.locations else ()
            added = Added(tuple(places), frozenset(map(str.lower, zero)))
            return self._mapping(wanted, column, places, added)
        paired = [i for pair in column.pairs for h in pair for i in self._all_paired(h)]
        identified = wanted.name == "sku" and self._profile.identity
        if not indexes and not paired and not identified:
            return None
        return self._mapping(wanted, column, indexes or paired)

    def _locations(self) -> list[int]:
        """The columns that have the units of a location each."""
        locations = self._profile.locations
        for begins in locations.behind if locations else ():
            named = all(i in self.all(name) for i, name in enumerate(begins))
            found = [i for i in range(len(begins), len(self._names)) if self._names[i]]
            if named and found and self._taken.union(self.named_elsewhere()).isdisjoint(found):
                return found
        return []

    def _indexes(self, wanted: Field, column: Column) -> list[int]:
        """The columns that a profile names for a field; `*` counts only where no name fits."""
        indexes: list[int] = []
        for header in column.from_:
            found = [] if "*" in header and indexes else self.all(header)
            if len(found) > 1:
                raise self._ambiguous(wanted.name, found)
            indexes += (index for index in found if index not in indexes)
        return indexes

    def _mapping(
        self,
        wanted: Field,
        column: Column,
        indexes: Sequence[int],
        gather: Extractor | None = None,
    ) -> FieldMapping:
        unit = next((self._units[i] for i in indexes if i in self._units), None)
        currency = column.currency
        if unit and isinstance(wanted.kind, Amount):
            column, currency = _with_currency(column, unit)
        if isinstance(wanted.kind, Amount):
            currency = currency or self._stated
        if unit and isinstance(wanted.kind, Grams) and column.unit is None:
            column = evolve(column, unit=_WEIGHTS.get(unit.lower()))
        if any("{currency}" in header for header in column.from_):
            currency = currency or self._currency
        needs = self._found(column.needs)
        gather = gather or self._gather(column, indexes)
        gather = RequireColumns(needs, gather) if needs else gather
        stock = self._found(column.unless_positive)
        gather = UnlessPositive(stock, gather) if stock else gather
        if wanted.name == "sku" and self._profile.identity:
            gather = self._identified(gather)
        return FieldMapping(wanted, column, tuple(indexes), gather, currency, (*needs, *stock))

    def _found(self, headers: Iterable[str]) -> tuple[int, ...]:
        """The columns with these headers, without those that the file lacks."""
        return tuple(index for header in headers for index in self.all(header)[:1])

    def _gather(self, column: Column, indexes: Sequence[int]) -> Extractor:
        """How the texts of several columns become one."""
        if column.pairs:
            return OptionPairs(tuple(self._pairs(column)))
        if column.join is not None:
            return Joined(tuple(indexes), column.join)
        return Cell(indexes[0]) if len(indexes) == 1 else FirstOf(tuple(indexes))

    def _all_paired(self, header: str) -> list[int]:
        """The columns of a name or a value of options."""
        found = self.all(header)
        return found if "*" in header else found[:1]

    def _pairs(self, column: Column) -> Iterator[tuple[Constant | Cell, int | None]]:
        """The name and the place of each option."""
        for name, value in column.pairs:
            if "*" not in value:
                yield self._named(name), self.first(value)
                continue
            before = len(value.partition("*")[0])
            for index in self.all(value):
                own = self._names[index][before:].strip(BLANKS)
                yield Constant(own if name == "=*" else name.removeprefix("=")), index

    def _named(self, name: str) -> Constant | Cell:
        """The name of an option: fixed, as in `=Size`, or from a column."""
        index = None if name.startswith("=") else self.first(name)
        return Constant(name[1:] if name.startswith("=") else "") if index is None else Cell(index)

    def _identified(self, gather: Extractor) -> Extractor:
        """The sku or, if it is blank, the profile's replacement for it."""
        return SkuOrTemplate(
            gather, tuple(Template.of(text, self.first) for text in self._profile.identity)
        )

    def _ambiguous(self, name: str, found: Iterable[int]) -> FileRefused:
        named = " and ".join(repr(self._names[i]) for i in list(found)[:_MOST_HEADERS_SHOWN])
        return FileRefused(
            "ambiguous_column",
            f"{named} could each be {name}.",
            f"Rename the right one to {name}, send only one, or map it in the source's profile.",
            line=self._line,
        )


def _with_currency(column: Column, unit: str) -> tuple[Column, str | None]:
    """An amounts' column under a header with that currency or minor unit, and their currency.

    What the profile declares comes first; `Price (cents)` leaves the currency open.
    """
    minor = minor_units_of(unit)
    if minor and column.unit is None:
        column = evolve(column, unit="minor")
    codes = minor or ((unit.upper(),) if find_currency(unit) else ())
    return column, column.currency or (codes[0] if len(codes) == 1 else None)


def _headers(column: Column) -> Iterator[str]:
    yield from column.from_
    for pair in column.pairs:
        yield from pair


def _named_beside(profile: Profile) -> list[str]:
    """The columns that a profile uses for anything but to feed a field."""
    group = profile.group
    names = [rule.column for rule in profile.skip]
    names += (group.key, *group.carry, group.append or "") if group else ()
    if parents := profile.parents:
        templates = (part for key in parents.keys for part in TEMPLATE_PART.findall(key))
        names += (parents.reference, *parents.carry, *parents.together, *parents.decide)
        names += templates
    names += (profile.totals.column, profile.totals.over) if profile.totals else ()
    beside = ((*column.needs, *column.unless_positive) for column in profile.columns.values())
    names += [name for several in beside for name in several]
    names += [part for template in profile.identity for part in TEMPLATE_PART.findall(template)]
    return names


def _check_required(
    header: Sequence[str],
    found: Mapping[str, FieldMapping],
    mode: Mode,
    profile: Profile,
    line: int,
) -> None:
    if not any(feeding.indexes for feeding in found.values()):
        raise FileRefused(
            "no_header",
            f"The first record isn't a header with known column names. It is: {_listed(header)}.",
            "Begin the file with a header that has a sku column, or map its columns in a profile.",
            line=line,
        )
    required = ("sku", "product_name") if mode == "full" else ("sku",)
    missing = [name for name in required if name not in found]
    if missing:
        mapped = [h for name in missing for h in profile.columns.get(name, Column()).from_]
        expected = f" (the profile expects {' or '.join(mapped)})" if mapped else ""
        raise FileRefused(
            "missing_column",
            f"The file has no column for {' and '.join(missing)}{expected}. "
            f"Its columns are: {_listed(header)}.",
            "Add the column, give one the field's name or an alias, or map it in a profile.",
            line=line,
        )


def _listed(header: Sequence[str]) -> str:
    names = ", ".join(name[:60] or "(blank)" for name in header[:_MOST_HEADERS_SHOWN])
    rest = len(header) - _MOST_HEADERS_SHOWN
    return f"{names} and {rest} more" if rest > 0 else names
