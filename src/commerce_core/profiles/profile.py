"""Profiles: how a source's file says what the schema asks, as data that any engine can compile.

A profile translates text to canonical text: which columns feed a field, what their words, numbers
and dates look like, which records are no offers, and which continue the one before. What a cell
then means, the schema decides; a profile adds no kind and no check.

    columns     field -> the partner's column or columns, and how to read them
    constants   field -> the text that every record has
    identity    what stands in for a missing sku: "{Handle}/{Option1 Value}"; the first template
                that has its first column and another one, without the parts that are blank
    skip        records that are no offers: drafts, parents
    group       records that continue the one before: variants and images of one handle
"""

import json
import re
from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any, Final, Literal, cast, get_args

from attrs import Attribute, Factory, asdict, evolve, field, fields, frozen

from commerce_core.base.errors import Conflict, Fault, InvalidInput
from commerce_core.base.money import find_currency
from commerce_core.schema.fields import BY_NAME

MOST_ATTRIBUTES: Final = 50
LONGEST_PATTERN: Final = 200
LONGEST_MATCHED: Final = 2_000
"""Characters of a cell to which a pattern is applied; a longer one doesn't match."""
TEMPLATE_PART: Final = re.compile(r"\{([^{}]+)\}")
DATE_FORMAT: Final = re.compile(r"(?=.*YYYY)(?=.*MM)(?=.*DD)(?:YYYY|MM|DD|hh|mm|ss|[-./: T,])+")
_MOST_WAYS: Final = 8 * LONGEST_MATCHED**2
"""Ways in which a pattern may be tried on a cell, at worst."""
_PATTERN_PART: Final = re.compile(
    r"\\.|\[\^?\]?(?:\\.|[^\]\\])*\]|\{([0-9]*)(,?)([0-9]*)\}|\(\?:|.", re.DOTALL
)
_UNSAFE: Final = re.compile(r"\(\?(?!:)|\\[1-9]|\)[*+{?]|(?<!\\)[*+?}]\+")

Preset = Literal["canonical", "google-merchant", "shopify", "woocommerce", "medusa"]
PRESETS: Final[tuple[Preset, ...]] = get_args(Preset)
Unit = Literal["major", "minor", "g", "kg", "lb", "oz"]
DecimalMark = Literal[".", ","]
Delimiter = Literal[",", ";", "\t", "|"]
DELIMITERS: Final[tuple[Delimiter, ...]] = get_args(Delimiter)


@frozen
class Column:
    """How one field is read from the partner's columns.

    `from_` are headers: one, or several of which the first that isn't blank counts, unless `join`
    joins them all; `{currency}` in one stands for the code of the source's currency. `pairs` makes
    options of pairs of headers, a name's (`=Size` is the name itself) and a value's. `pattern` is a
    regular expression whose one group is what counts; where it doesn't match, that is a problem,
    or `otherwise` the cell counts as blank. `values` are the partner's words and ours. `decimal` is
    the mark before the decimals; the other one, blanks and apostrophes then separate thousands.
    `unit` is that of amounts (major, minor) and weights; `currency` that of amounts. `separator`
    stands between the members of a list or path, of which `part` takes the first or the rest.
    `dates` is a format such as `DD.MM.YYYY hh:mm`. The field is blank wherever one of the columns
    that it `needs` is blank or says no; one that the file lacks says nothing.
    """

    from_: tuple[str, ...] = ()
    join: str | None = None
    pairs: tuple[tuple[str, str], ...] = ()
    pattern: str | None = None
    otherwise: Literal["problem", "blank"] = "problem"
    values: Mapping[str, str] = field(factory=dict[str, str])
    decimal: DecimalMark | None = None
    unit: Unit | None = None
    currency: str | None = None
    separator: str | None = None
    part: Literal["first", "rest"] | None = None
    dates: str | None = None
    needs: tuple[str, ...] = ()


@frozen
class Skip:
    """Records that are no offers: where a column has one of some words; `reason` is told."""

    column: str
    words: tuple[str, ...]
    reason: str


@frozen
class Group:
    """Records of one `key` in a row belong together.

    Where they leave one of the `carry` columns blank it is that of the first of them. Those that
    have nothing in any of the `offer` columns are no variant: they are folded into the record
    before, whose additional pictures get what stands in the `append` column.
    """

    key: str
    carry: tuple[str, ...] = ()
    offer: tuple[str, ...] = ()
    append: str | None = None


@frozen
class Profile:
    """How a source's file maps to the schema. What it leaves open is decided by the file itself.

    `preset` is the profile that this one starts from. `encoding` is for files that are neither
    marked nor valid UTF-8; `delimiter`, `decimal` and `currency` hold for the whole file.
    `attributes` are columns that are kept by their own names. `aliases` says whether the schema's
    names and aliases find columns that no mapping names.
    """

    preset: Preset = "canonical"
    encoding: str | None = None
    delimiter: Delimiter | None = None
    decimal: DecimalMark | None = None
    currency: str | None = None
    columns: Mapping[str, Column] = field(factory=dict[str, Column])
    constants: Mapping[str, str] = field(factory=dict[str, str])
    identity: tuple[str, ...] = ()
    attributes: tuple[str, ...] = ()
    skip: tuple[Skip, ...] = ()
    group: Group | None = None
    aliases: bool = True

    def __attrs_post_init__(self) -> None:
        """A profile that exists can be used; InvalidInput lists every fault with its pointer."""
        faults = [*self._faults(), *_unknown_fields(self)]
        for name, column in self.columns.items():
            faults += _column_faults(f"/columns/{name}", column)
        if faults:
            raise InvalidInput("The profile can't be used.", faults=faults, code="bad_profile")

    def _faults(self) -> Iterator[Fault]:
        if self.preset not in PRESETS:
            yield Fault("/preset", "unknown_preset", f"Presets are {', '.join(PRESETS)}.")
        if self.encoding is not None and not is_encoding(self.encoding):
            yield Fault("/encoding", "unknown_encoding", "Name one such as cp1252 or iso-8859-15.")
        if self.delimiter not in (None, *DELIMITERS):
            yield Fault("/delimiter", "bad_delimiter", "A comma, semicolon, tab or bar is wanted.")
        if self.currency is not None and find_currency(self.currency) is None:
            yield Fault("/currency", "unknown_currency", "An ISO 4217 code is wanted, as EUR.")
        if len(self.attributes) > MOST_ATTRIBUTES:
            yield Fault("/attributes", "too_many", f"At most {MOST_ATTRIBUTES} can be kept.")
        for index, template in enumerate(self.identity):
            if not TEMPLATE_PART.search(template):
                detail = "Name columns in braces, as in {Handle}/{Size}."
                yield Fault(f"/identity/{index}", "bad_identity", detail)

    def spelled_out(self) -> str:
        """All that it declares beyond the defaults, as JSON: two profiles are equal if these are.

        Fingerprints hash it, so a default that changes needs another `fingerprints.ALGORITHM`.
        """
        declared = asdict(self, filter=lambda attribute, value: value != _default_of(attribute))
        return json.dumps(declared, sort_keys=True)

    def over(self, preset: "Profile") -> "Profile":
        """This profile, with what it leaves at its default taken from the preset."""
        unsaid = {
            name: getattr(preset, name)
            for name, default in _DEFAULTS.items()
            if getattr(self, name) == default and name != "preset"
        }
        merged = {
            "columns": {**preset.columns, **self.columns},
            "constants": {**preset.constants, **self.constants},
        }
        return evolve(self, **{**unsaid, **merged})


def _default_of(attribute: "Attribute[Any]") -> object:
    default = cast("Any", attribute.default)
    return default.factory() if isinstance(default, cast("type", Factory)) else default


def is_encoding(name: str) -> bool:
    """Whether text can be read in an encoding of that name."""
    try:
        return bool("a".encode(name))
    except (LookupError, ValueError):
        return False


def _unknown_fields(profile: Profile) -> Iterator[Fault]:
    for part, names in (("columns", profile.columns), ("constants", profile.constants)):
        for name in names:
            if name not in BY_NAME:
                detail = f"There is no field {name!r}. Fields are {', '.join(BY_NAME)}."
                yield Fault(f"/{part}/{name}", "unknown_field", detail)


def _column_faults(at: str, column: Column) -> Iterator[Fault]:
    if column.pattern is not None and (why := why_unsafe(column.pattern)):
        yield Fault(f"{at}/pattern", "bad_pattern", why)
    if any(len(pair) != 2 for pair in column.pairs):  # noqa: PLR2004 - a name's and a value's
        yield Fault(f"{at}/pairs", "bad_pairs", "A pair is a column of names and one of values.")
    if column.dates is not None and not DATE_FORMAT.fullmatch(column.dates):
        yield Fault(f"{at}/dates", "bad_dates", "Write it as YYYY-MM-DD or DD.MM.YYYY hh:mm.")
    if column.currency is not None and find_currency(column.currency) is None:
        yield Fault(f"{at}/currency", "unknown_currency", "An ISO 4217 code is wanted, as EUR.")


def why_unsafe(pattern: str) -> str | None:
    """Why a pattern isn't taken: it can't be read, or a hostile cell could keep it busy for long.

    What is allowed takes time bounded by the square of the cell's length, and runs only on cells of
    up to 2,000 characters; every engine reads it alike.
    """
    if len(pattern) > LONGEST_PATTERN:
        return f"A pattern has at most {LONGEST_PATTERN} characters."
    if _UNSAFE.search(pattern) or _ways_of(pattern) > _MOST_WAYS:
        return "Leave out look-around, back-references, repeated groups and a third * or +."
    try:
        groups = re.compile(pattern, re.ASCII).groups
    except re.error as error:
        return f"It is no regular expression: {error}."
    return None if groups == 1 else "Put what counts in one pair of parentheses."


def _ways_of(pattern: str) -> int:
    """In how many ways a pattern without repeated groups may be tried on a cell, at most."""
    ways, bars = 1, [0]
    for part in _PATTERN_PART.finditer(pattern):
        match part[0]:
            case "*" | "+":
                ways *= LONGEST_MATCHED
            case "?":
                ways *= 2
            case "|":
                bars[-1] += 1
            case "(" | "(?:":
                bars.append(0)
            case ")" if len(bars) > 1:
                ways *= bars.pop() + 1
            case _ if part[2]:
                most = min(int(part[3] or LONGEST_MATCHED), LONGEST_MATCHED)
                ways *= max(1, most - int(part[1] or 0) + 1)
            case _:
                pass
    return ways * (bars[0] + 1)


_DEFAULTS: Final = {a.name: getattr(Profile(), a.name) for a in fields(Profile)}


@frozen
class SavedProfile:
    """A version of a source's profile, and who wrote it when. Version 0 is nobody's: canonical."""

    version: int
    profile: Profile
    author: str
    saved_at: datetime | None


CANONICAL: Final = Profile()
"""The profile of files that use the schema's own names or their aliases."""
UNPROFILED: Final = SavedProfile(0, CANONICAL, "", None)
"""What every source begins with."""


def version_taken(saved: SavedProfile) -> Conflict:
    """The refusal of a version that somebody else has saved meanwhile."""
    return Conflict(
        f"Version {saved.version} of the profile has been saved by somebody else.",
        "Look at it, and save yours again.",
        code="profile_changed",
    )
