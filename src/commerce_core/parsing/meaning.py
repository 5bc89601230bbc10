"""What decides what the text of a record means in one file: where its cells go, not their names.

Two files with the same meaning read the same text to the same record, whatever their columns and
their profiles call them. So a column or an entry of a profile may be renamed, and a profile may
change in what is about other files, without a record that was read before being read again.

    text ──> cells             the format
    cells ──> texts of fields  extractors, by the places of columns
    texts ──> values           how each field is read, the terms, what is left of the profile
    records that are no offers, or read otherwise for columns that feed nothing

What isn't left out here by name is part of it, also what is added to a profile one day. So are the
names of extractors' classes: renaming one requires a new `fingerprints.ALGORITHM`.
"""

import json
import re
from collections.abc import Mapping
from datetime import tzinfo
from functools import cache
from typing import Any, Final, cast

from attrs import Attribute, AttrsInstance, Factory, evolve, fields, has

from commerce_core.parsing.delimited import Delimited
from commerce_core.parsing.grouping import Grouping
from commerce_core.parsing.reader import Header
from commerce_core.parsing.record_reader import FieldReader, Terms
from commerce_core.parsing.sheets import Sheet
from commerce_core.profiles.extractors import Cell
from commerce_core.profiles.mapping import FieldMapping, HeaderMapping
from commerce_core.profiles.profile import CANONICAL, Column
from commerce_core.profiles.sale_periods import unread_periods
from commerce_core.schema.cells import Misread
from commerce_core.schema.fields import Amount, Whole

_NOT_OF_COLUMNS: Final = ("from_", "join", "pairs", "hint", "needs", "unless_positive")
"""What a column of a profile says in names: extractors have it by places. Hints are no values."""
_NOT_OF_PROFILES: Final = (
    "preset", "columns", "constants", "identity", "attributes", "skip", "group", "aliases",
    "parents", "totals", "locations", "names", "encoding", "delimiter", "quotes", "header_line",
    "record_path", "sheet",
)  # fmt: skip
"""What a profile says to find columns, which have been found, and text, which has been decoded."""
_AS_THEY_ARE: Final = (str, int, bool, type(None))
_DIGIT: Final = re.compile("[0-9]")


def meaning_of(header: Header) -> str:
    """The text that is the same for files under whose headers equal texts are equal records.

    It is about records without errors: only those are ever taken for others. Where records are made
    of several, it is about their cells once they are complete.
    """
    mapping, terms = header.mapping, header.terms
    grouping = Grouping(mapping, terms.profile, terms.mode)
    parts = {
        "text": _of_text(header),
        "width": len(mapping.header),
        "fields": {name: _of_field(fed) for name, fed in mapping.field_mappings.items()},
        "periods": unread_periods(mapping),
        "terms": _without_names(terms),
        "completed": terms.profile.joins_records,
        "skips": [evolve(rule, reason="") for rule in grouping.skips],
        "sums": grouping.sums,
        "own": grouping.own,
        "escapes": grouping.unescaping,
        "header": mapping.header if _may_be_offer(mapping, terms) else (),
    }
    return json.dumps(_spelled(parts), sort_keys=True)


def _of_text(header: Header) -> list[object]:
    """How the cells of a record are found in its text."""
    match header.format:
        case Delimited(delimiter, quotes=quotes):
            return [delimiter, quotes]
        case Sheet():
            return []
        case other:
            # Its records name their cells themselves, and may bring further ones.
            names, path = header.cells, header.terms.profile.record_path
            return [type(other).__name__, path, names, header.mapping.wanted]


def _of_field(fed: FieldMapping) -> list[object]:
    """How a field is fed and read."""
    return [
        _without(fed.column, Column(), _NOT_OF_COLUMNS),
        fed.indexes,
        fed.gather,
        fed.currency,
        fed.needs,
    ]


def _without_names(terms: Terms) -> Terms:
    """The terms, with what is left of the profile; what is about other files isn't."""
    rest = _without(terms.profile, CANONICAL, _NOT_OF_PROFILES)
    return evolve(terms, profile=rest, corrected={}, named=None)


def _without(value: Any, bare: Any, names: tuple[str, ...]) -> Any:  # noqa: ANN401 - of either class
    return evolve(value, **{name: getattr(bare, name) for name in names})


def _may_be_offer(mapping: HeaderMapping, terms: Terms) -> bool:
    """Whether the header, where it comes again, could be read as a record without an error.

    It is skipped then, and under another header of the same meaning it would have been a product.
    Nearly always a name stands where a number should, so that it is none under any header.
    """
    if "deleted" in mapping.field_mappings:  # Of a deleted product nothing else matters.
        return True
    return not any(
        _refuses_name(fed, mapping.header[fed.gather.index], terms)
        for fed in mapping.field_mappings.values()
        if isinstance(fed.gather, Cell) and isinstance(fed.field.kind, Amount | Whole)
    )


def _refuses_name(fed: FieldMapping, name: str, terms: Terms) -> bool:
    """Whether a number's column has a name that is none, in whatever spelling it comes again."""
    if fed.column.pattern is not None or fed.column.values or _DIGIT.search(name):
        return False
    reading, _ = FieldReader.of(fed, terms)(name)
    return isinstance(reading, Misread)


def _spelled(value: object) -> object:
    """A value as JSON has it, without what is at its default; TypeError if there is no way."""
    if type(value) in _AS_THEY_ARE:  # Nearly all are.
        return value
    match value:
        case tzinfo():
            return str(value)
        case re.Pattern():
            return cast("re.Pattern[str]", value).pattern
        case tuple() | list():
            return [_spelled(one) for one in cast("list[object]", value)]
        case frozenset():
            return sorted(cast("frozenset[Any]", value))
        case Mapping():
            some = cast("Mapping[str, object]", value)
            return {name: _spelled(one) for name, one in some.items()}
        case _ if has(type(value)):
            return _spelled_fields(cast("AttrsInstance", value))
        case _:
            raise TypeError(f"{value!r} can't be spelled")


def _spelled_fields(value: AttrsInstance) -> object:
    found = ((name, getattr(value, name), default) for name, default in _defaults(type(value)))
    own = {name: _spelled(one) for name, one, default in found if one != default}
    return {type(value).__name__: own}


@cache
def _defaults(kind: type[AttrsInstance]) -> tuple[tuple[str, object], ...]:
    """The fields of a class, with their defaults."""
    return tuple((each.name, _default(each)) for each in fields(kind) if each.init)


def _default(attribute: "Attribute[Any]") -> object:
    default = cast("Any", attribute.default)
    return default.factory() if isinstance(default, cast("type", Factory)) else default
