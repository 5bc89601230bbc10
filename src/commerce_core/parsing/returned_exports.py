"""Exports that come back as feeds: what they put around a feed's own cells is stripped.

A CSV has some columns in front, and an apostrophe before each cell that a spreadsheet would run as
a formula. Intake recognises it by its first column, removes both, and reads the rest by the
canonical profile, whatever its source's own files are like. NDJSON is recognised by its first two
members, and read as it is.
"""

import re
from collections.abc import Sequence
from typing import Final

from attrs import frozen

from commerce_core.base.text import BLANKS
from commerce_core.parsing.delimited import Delimited
from commerce_core.parsing.formats import Format
from commerce_core.parsing.formulas import unescape_formula
from commerce_core.parsing.raw_records import RawRecord

EXPORT_COLUMNS: Final = (
    "_product_id", "_partner_id", "_partner_name", "_source_id", "_version", "_updated_at",
)  # fmt: skip
"""The columns of an export in front of those of a feed."""
INCLUDED_COLUMNS: Final = ("_selling_price", "_prior_price", "_prior_price_days")
"""Those that follow them, if prices are included."""
_OWN: Final = frozenset((*EXPORT_COLUMNS, *INCLUDED_COLUMNS))
_BEGINS: Final = re.compile(rf"(?:\"?sep=.\"?\s+)?\"?{EXPORT_COLUMNS[0]}\"?[,;\t|]")


_BEGINS_NDJSON: Final = re.compile(
    r'\s{0,9}\{"product_id": ?"prod_[0-9a-f]{1,64}", ?"partner_id": ?"ptn_'
)


def begins_export(head: str) -> bool:
    """Whether a text that begins like this is an export, perhaps saved again by a spreadsheet."""
    return _BEGINS.match(head) is not None or _BEGINS_NDJSON.match(head) is not None


@frozen
class ReturnedExport:
    """Where an export's own columns are in one file."""

    _places: frozenset[int]
    _format: Delimited | None

    @classmethod
    def in_header(cls, header: Sequence[str], format_: Format) -> "ReturnedExport":
        """The columns of an export with that header."""
        names = [name.strip(BLANKS) for name in header]
        places = (index for index, name in enumerate(names) if name in _OWN)
        return cls(frozenset(places), format_ if isinstance(format_, Delimited) else None)

    def strip(self, raw: RawRecord) -> RawRecord:
        """The record without what the export put around it; a broken one is returned as it is."""
        if raw.cells is None or self._format is None:
            return raw
        own = (cell for index, cell in enumerate(raw.cells) if index not in self._places)
        plain = [unescape_formula(cell) for cell in own]
        return self._format.rewrite(raw, (), plain)
