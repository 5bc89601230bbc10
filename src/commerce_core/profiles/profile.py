"""Profiles: how a source's files map to the schema, as data that any engine can compile.

A profile translates text to canonical text: which columns feed a field, what their words, numbers
and dates look like, which records aren't offers, and which continue the one before. What a cell
then means is up to the schema; a profile adds no kinds and no checks.

    columns     field -> the partner's column or columns, and how to read them
    constants   field -> the text that every record gets
    identity    replaces a missing sku: "{Handle}/{Option1 Value}"; the first template counts whose
                first part and at least one other aren't blank; blank parts are left out
    skip        records that aren't offers: drafts, parents
    group       records that continue the one before: variants and images of one handle
    parents     records that others take cells from: the variations of a product
    totals      records that are one together: the stock of a variant by location
    locations   columns of units, one for each location, that are one quantity together
    names       further names of a column, wherever the profile names it
    escapes     what the exporter put into cells, undone before anything is read
"""

import re
from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Final, Literal, get_args

from attrs import evolve, field, fields, frozen

from commerce_core.base.errors import Conflict, Fault, InvalidInput
from commerce_core.base.money import find_currency
from commerce_core.base.text import did_you_mean
from commerce_core.schema.fields import BY_NAME

MOST_ATTRIBUTES: Final = 50
TEMPLATE_PART: Final = re.compile(r"\{([^{}]+)\}")
DATE_FORMAT: Final = re.compile(r"(?=.*YYYY)(?=.*MM)(?=.*DD)(?:YYYY|MM|DD|hh|mm|ss|[-./: T,])+")

Preset = Literal[
    "canonical",
    "google-merchant",
    "shopify",
    "shopify-api",
    "woocommerce",
    "medusa",
    "bigcommerce",
    "magento",
    "prestashop",
    "shopware",
    "mirakl",
    "amazon",
    "idealo",
    "etsy",
    "wix",
    "ecwid",
    "ebay",
]
PRESETS: Final[tuple[Preset, ...]] = get_args(Preset)
Unit = Literal["major", "minor", "g", "kg", "lb", "oz"]
DecimalMark = Literal[".", ","]
Delimiter = Literal[",", ";", "\t", "|"]
DELIMITERS: Final[tuple[Delimiter, ...]] = get_args(Delimiter)
Quotes = Literal["double", "none"]
MOST_LEVELS: Final = 3
"""Lists in which records may be: a list, the lists in its members, and those in theirs."""
_KEYS: Final = r"(?:[^/\[\]]+/)*"
_RECORD_PATH: Final = re.compile(
    rf"(?:[^\[\]]+|{_KEYS}[^/\[\]]*\[\](?:/{_KEYS}[^/\[\]]+\[\]){{0,{MOST_LEVELS - 1}}}"
    rf"(?:/[^\[\]]+)?)"
)
MOST_HEADER_LINE: Final = 1_000
LONGEST_RECORD_PATH: Final = 500
LONGEST_SHEET_NAME: Final = 31
"""The last line on which a header may be declared."""


@frozen
class Column:
    """How one field is read from the partner's columns.

    `from_` are the headers; if there are several, the first non-blank cell counts, or `join` joins
    all of them; `{currency}` in a header stands for the source's currency code. `pairs` makes
    options of pairs of headers, one for the name (`=Size` is a fixed name), one for the value; a
    `*` in the value's stands for the names of several options, as the name `=*` has it.
    `pattern` is a regular expression (`patterns`), and the cell's text is what its one group
    matches; a cell that doesn't match is a problem, for which `hint` says what to do, or blank, as
    `otherwise` has it. `values` maps
    the partner's words to ours. `decimal` is the decimal mark; the other mark, blanks and
    apostrophes then separate thousands. `unit` applies to amounts (major, minor) and weights,
    `currency` to amounts.
    `separator` stands between the members of a list or path; `part` takes the first or the rest.
    `first_path` takes the first of several paths, where a separator is one only if each part is a
    path. `dates` is a format such as `DD.MM.YYYY hh:mm`. The field is blank if one of the columns
    that it `needs` is blank or a no, and if one of `unless_positive` has a number above zero;
    columns that the file lacks don't count. `compare_at` applies to `sale_price`: the column has
    the price before a reduction; where it is the higher one, it becomes the price, and what
    `price` has the sale price.
    """

    from_: tuple[str, ...] = ()
    join: str | None = None
    pairs: tuple[tuple[str, str], ...] = ()
    pattern: str | None = None
    otherwise: Literal["problem", "blank"] = "problem"
    hint: str | None = None
    values: Mapping[str, str] = field(factory=dict[str, str])
    decimal: DecimalMark | None = None
    unit: Unit | None = None
    currency: str | None = None
    separator: str | None = None
    part: Literal["first", "rest", "first_path"] | None = None
    dates: str | None = None
    needs: tuple[str, ...] = ()
    unless_positive: tuple[str, ...] = ()
    compare_at: bool = False


@frozen
class Skip:
    """Leaves out the records that have one of these words in a column; `reason` is reported.

    The word `*` stands for any text, and `*` in a word for any part of it. If the rule `withdraws`,
    a record of a delta that it leaves out removes its product, as its absence from a full feed
    would.
    """

    column: str
    words: tuple[str, ...]
    reason: str
    withdraws: bool = False


@frozen
class Group:
    """Groups consecutive records with the same `key`.

    If a record leaves one of the `carry` columns blank, it gets the first record's cell. A record
    that is blank in all the `offer` columns isn't a variant: it is folded into the record before,
    and its `append` column becomes one of that record's additional pictures. With `heads`, the key
    has no value of its own for each group: a record with one of these words in it begins a group,
    all others belong to the one before them, and a head that has variants is no offer itself.
    """

    key: str
    carry: tuple[str, ...] = ()
    offer: tuple[str, ...] = ()
    append: str | None = None
    heads: tuple[str, ...] = ()


@frozen
class Parents:
    """Lets records take cells from a parent that stands somewhere before them.

    A parent is a record that is left out by a rule of `skip` or, if they aren't `marked`, one that
    another record names, which is then no offer itself; it is known by its `keys`, templates such
    as `{SKU}` and `id:{ID}`. A record that names a parent in its `reference` column gets the
    parent's cell for each `carry` column that it leaves blank or in which it has one of the
    `inherit` words; the columns that go `together` it gets only if it leaves all of them blank. It
    is left out too if its parent is, by a rule about one of the `decide` columns.
    """

    reference: str
    keys: tuple[str, ...]
    carry: tuple[str, ...] = ()
    inherit: tuple[str, ...] = ()
    decide: tuple[str, ...] = ()
    together: tuple[str, ...] = ()
    marked: bool = True


@frozen
class Totals:
    """Makes one record of consecutive ones that have the same sku, such as one per location.

    It applies to files that have both columns. Numbers in `column` are added up; the `zero` words
    count as 0. `over` is what the records differ in.
    """

    column: str
    over: str
    zero: tuple[str, ...] = ()


@frozen
class Locations:
    """Makes one quantity of several columns, one for each location, whose names are anything.

    It applies to files whose header begins exactly as one of `behind`: all columns that follow have
    the units of a location, if the profile names none of them. The `zero` words count as 0.
    """

    behind: tuple[tuple[str, ...], ...]
    zero: tuple[str, ...] = ()


@frozen
class Profile:
    """How a source's files map to the schema. What it leaves open is detected in each file.

    `preset` is the profile that this one starts from. `encoding` applies to files that have no byte
    order mark and aren't valid UTF-8; `delimiter`, `decimal` and `currency` apply to the whole
    file. If `quotes` is `none`, a quote is a character like any other, and each line is a record.
    `header_line` is the line of the header, and what stands above it is ignored. `record_path` is
    where the records of a file in XML or JSON are, such as `offers/offer`, or those within others,
    such as `products[]/variants[]`; `sheet` is the name of the sheet of a workbook that is read, by
    default the first one. `attributes` are
    columns kept under their own names. A preset's `skip` rules stay in force beside the profile's
    own. `names` are further names of a column, wherever it is named; the first that a file has
    counts. `escapes` is the system whose escapes are undone. `aliases` is whether columns that no
    mapping names are found by the schema's names and aliases.
    """

    preset: Preset = "canonical"
    encoding: str | None = None
    delimiter: Delimiter | None = None
    quotes: Quotes = "double"
    header_line: int = 1
    record_path: str | None = None
    sheet: str | None = None
    decimal: DecimalMark | None = None
    currency: str | None = None
    columns: Mapping[str, Column] = field(factory=dict[str, Column])
    constants: Mapping[str, str] = field(factory=dict[str, str])
    identity: tuple[str, ...] = ()
    attributes: tuple[str, ...] = ()
    skip: tuple[Skip, ...] = ()
    group: Group | None = None
    aliases: bool = True
    parents: Parents | None = None
    totals: Totals | None = None
    locations: Locations | None = None
    names: Mapping[str, tuple[str, ...]] = field(factory=dict[str, tuple[str, ...]])
    escapes: Literal["woocommerce"] | None = None

    def __attrs_post_init__(self) -> None:
        """Checks the profile; InvalidInput lists every fault with its pointer.

        What `limits` adds is checked when a profile is saved, and when it reads a file.
        """
        faults = [*self._faults(), *_unknown_fields(self)]
        for name, column in self.columns.items():
            faults += _column_faults(f"/columns/{name}", column)
        if faults:
            raise InvalidInput("The profile can't be used.", faults=faults, code="bad_profile")

    def _faults(self) -> Iterator[Fault]:
        if self.preset not in PRESETS:
            near = did_you_mean(self.preset, PRESETS)
            yield Fault("/preset", "unknown_preset", f"Use one of: {', '.join(PRESETS)}.{near}")
        if self.encoding is not None and not is_encoding(self.encoding):
            yield Fault(
                "/encoding",
                "unknown_encoding",
                "Use the name of an encoding, such as cp1252 or iso-8859-15.",
            )
        if self.delimiter not in (None, *DELIMITERS):
            yield Fault(
                "/delimiter", "bad_delimiter", "Use a comma, semicolon, tab or vertical bar."
            )
        if self.quotes not in get_args(Quotes):
            yield Fault("/quotes", "bad_quotes", "Use double or none.")
        if not 1 <= self.header_line <= MOST_HEADER_LINE:
            detail = f"Use the number of a line, 1 to {MOST_HEADER_LINE:,}."
            yield Fault("/header_line", "bad_header_line", detail)
        path = self.record_path
        if path is not None and not 1 <= len(path.strip("/")) <= LONGEST_RECORD_PATH:
            detail = f"Use names with / between them, at most {LONGEST_RECORD_PATH} characters."
            yield Fault("/record_path", "bad_record_path", detail)
        elif path is not None and not _RECORD_PATH.fullmatch(path.strip("/")):
            detail = f"Write [] only behind a name, for at most {MOST_LEVELS} lists: a[]/b[]."
            yield Fault("/record_path", "bad_record_path", detail)
        if self.sheet is not None and not 1 <= len(self.sheet) <= LONGEST_SHEET_NAME:
            detail = f"Use the name of a sheet, at most {LONGEST_SHEET_NAME} characters."
            yield Fault("/sheet", "bad_sheet", detail)
        if self.currency is not None and find_currency(self.currency) is None:
            yield Fault("/currency", "unknown_currency", "Use an ISO 4217 code, such as EUR.")
        if len(self.attributes) > MOST_ATTRIBUTES:
            yield Fault("/attributes", "too_many", f"Name at most {MOST_ATTRIBUTES} columns.")
        for index, template in enumerate(self.identity):
            if not TEMPLATE_PART.search(template):
                detail = "Name columns in braces, as in {Handle}/{Size}."
                yield Fault(f"/identity/{index}", "bad_identity", detail)

    @property
    def joins_records(self) -> bool:
        """Whether a record may mean something only together with others."""
        return any(part is not None for part in (self.group, self.parents, self.totals))

    def over(self, preset: "Profile") -> "Profile":
        """This profile, with the preset's values where this one has the defaults."""
        inherited = {
            name: getattr(preset, name)
            for name, default in _DEFAULTS.items()
            if getattr(self, name) == default and name != "preset"
        }
        merged = {
            "columns": {**preset.columns, **self.columns},
            "constants": {**preset.constants, **self.constants},
            "names": {**preset.names, **self.names},
            "skip": (*preset.skip, *(rule for rule in self.skip if rule not in preset.skip)),
        }
        return evolve(self, **{**inherited, **merged})


def is_encoding(name: str) -> bool:
    """Whether that is the name of a text encoding."""
    try:
        return bool("a".encode(name))
    except (LookupError, ValueError):
        return False


def _unknown_fields(profile: Profile) -> Iterator[Fault]:
    for part, names in (("columns", profile.columns), ("constants", profile.constants)):
        for name in names:
            if name not in BY_NAME:
                detail = f"There is no field {name[:80]!r}.{did_you_mean(name, BY_NAME)}"
                known = f"Use one of: {', '.join(BY_NAME)}."
                yield Fault(f"/{part}/{name}", "unknown_field", f"{detail} {known}")


def _column_faults(at: str, column: Column) -> Iterator[Fault]:
    if any(len(pair) != 2 for pair in column.pairs):  # noqa: PLR2004 - a name's and a value's
        yield Fault(f"{at}/pairs", "bad_pairs", "Name two columns: one of names, one of values.")
    if column.dates is not None and not DATE_FORMAT.fullmatch(column.dates):
        yield Fault(f"{at}/dates", "bad_dates", "Use a format such as DD.MM.YYYY hh:mm.")
    if column.currency is not None and find_currency(column.currency) is None:
        yield Fault(f"{at}/currency", "unknown_currency", "Use an ISO 4217 code, such as EUR.")


_DEFAULTS: Final = {a.name: getattr(Profile(), a.name) for a in fields(Profile)}


@frozen
class SavedProfile:
    """A version of a source's profile, its author and time. Version 0 is the initial one."""

    version: int
    profile: Profile
    author: str
    saved_at: datetime | None


CANONICAL: Final = Profile()
"""The profile for files that use the schema's own names or their aliases."""
UNPROFILED: Final = SavedProfile(0, CANONICAL, "", None)
"""The profile every source begins with."""


def version_taken(saved: SavedProfile) -> Conflict:
    """The refusal of a profile version that another caller has saved in the meantime."""
    return Conflict(
        f"Another caller has just saved version {saved.version} of the profile.",
        "Look at that version, then save yours again.",
        code="profile_changed",
    )
