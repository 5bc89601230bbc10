"""Exported files come back: what an export puts around a feed's own cells, and its removal.

Some columns stand in front, and an apostrophe before each cell that a spreadsheet would run as a
formula. Intake knows an export by its first column, takes both away, and reads the rest by the
canonical profile, whatever its source's own files are like.
"""

import re
from collections.abc import Sequence
from typing import Final

from attrs import evolve, frozen

from commerce_core.base.text import BLANKS
from commerce_core.parsing.formats import RawRecord
from commerce_core.parsing.returned_reports import unescape_formula, written

EXPORT_COLUMNS: Final = (
    "_product_id", "_partner_id", "_partner_name", "_source_id", "_version", "_updated_at",
)  # fmt: skip
"""What an export puts in front of the columns of a feed."""
_BEGINS: Final = re.compile(rf"(?:sep=.\s+)?\"?{EXPORT_COLUMNS[0]}\"?[,;\t|]")


def begins_export(head: str) -> bool:
    """Whether a text that begins so is an export of ours, be it saved again by a spreadsheet."""
    return _BEGINS.match(head) is not None


@frozen
class ReturnedExport:
    """Where an export's own columns are in one file."""

    _places: frozenset[int]
    _delimiter: str

    @classmethod
    def in_header(cls, header: Sequence[str], delimiter: str | None) -> "ReturnedExport":
        """The columns of an export whose header this is."""
        names = [name.strip(BLANKS) for name in header]
        places = (index for index, name in enumerate(names) if name in EXPORT_COLUMNS)
        return cls(frozenset(places), delimiter or ",")

    def strip(self, raw: RawRecord) -> RawRecord:
        """The record without what the export put around it; a broken one stays as it is."""
        if raw.cells is None:
            return raw
        own = (cell for index, cell in enumerate(raw.cells) if index not in self._places)
        plain = [unescape_formula(cell) for cell in own]
        return evolve(raw, cells=plain, sent=written(plain, self._delimiter))
