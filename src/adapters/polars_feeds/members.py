"""Members of lists in whole columns: the part that a profile takes of each text, or a path of all.

Only texts that are split at each separator; addresses, which may contain one, are read in `kinds`.
"""

from typing import Final

import polars as pl
from attrs import evolve, frozen

from commerce_core.base.text import BLANKS
from commerce_core.profiles.profile import Column
from commerce_core.schema import fields as schema
from commerce_core.schema.blanks import LONGEST_BLANK_WORD
from commerce_core.schema.cells import PATH
from commerce_core.schema.fields import LONGEST_CELL, Kind

_T: Final = pl.col("t")
_TOO_LONG: Final = _T.str.len_bytes() > LONGEST_CELL


@frozen
class Members:
    """The part `kept` of each text, and the `odd` texts, whose part the reference has to find.

    `column` says how the parts are read.
    """

    kept: pl.Expr
    odd: pl.Expr
    column: Column


def members_of(column: Column, kind: Kind, *, escaped: bool) -> Members | None:
    """The parts that are kept of texts of that kind; None if splitting alone doesn't find them.

    If they are `escaped`, a separator behind a backslash is a part of the text.
    """
    separator, part = column.separator, column.part
    addresses = isinstance(kind, schema.Url | schema.Urls)
    if not separator or addresses or column.pattern is not None or column.values:
        return None
    escapes = _T.str.contains(f"\\{separator}", literal=True) if escaped else pl.lit(value=False)
    of_kept = evolve(column, separator=None, part=None)
    if part is not None:
        return Members(_part(separator, part), _TOO_LONG | escapes, of_kept)
    if not isinstance(kind, schema.Category):
        return None
    # A word for blank or an error is looked for before splitting, and so is a list in JSON.
    whole = (_T.str.len_chars() <= LONGEST_BLANK_WORD) | _T.str.contains(r"^#|\[")
    return Members(_path(separator), _TOO_LONG | escapes | whole, of_kept)


def _part(separator: str, part: str) -> pl.Expr:
    """The first member, all others, or the first path if all members are paths."""
    at_first = _T.str.splitn(separator, 2).struct
    first = at_first.field("field_0").str.strip_chars(BLANKS)
    match part:
        case "first":
            return first
        case "rest":
            return at_first.field("field_1").fill_null("").str.strip_chars(BLANKS)
        case _:
            paths = pl.element().str.contains(">", literal=True)
            return (
                pl.when(_T.str.split(separator).list.eval(paths).list.all())
                .then(first)
                .otherwise(_T)
            )


def _path(separator: str) -> pl.Expr:
    """All members that aren't blank, as a path."""
    trimmed = pl.element().str.strip_chars(BLANKS)
    members = _T.str.split(separator).list.eval(trimmed.filter(trimmed != ""))
    return members.list.join(PATH)
