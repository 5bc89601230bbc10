r"""Escapes: what an exporter puts into cells so that others don't misread them is undone.

WooCommerce puts an apostrophe before a cell that begins like a formula, a backslash before a comma
within a member of a list, and writes the line breaks of a description as `\n`.
"""

import re
from typing import Final

from attrs import frozen

from commerce_core.parsing.raw_records import RawRecord
from commerce_core.profiles.mapping import HeaderMapping
from commerce_core.profiles.profile import Profile

_FORMULA: Final = re.compile(r"\A'(?=[=+\-@\t\r])")
_BREAK: Final = re.compile(r"\\(\\n|n)")


@frozen
class Unescaping:
    """Undoes the escapes in the records of one file.

    Columns of `lists` keep their escaped commas until they are split; those of `texts` have breaks.
    """

    lists: frozenset[int]
    texts: frozenset[int]

    @classmethod
    def of(cls, mapping: HeaderMapping, profile: Profile) -> "Unescaping | None":
        """For the records of a file; None if its exporter has no escapes of its own."""
        if profile.escapes is None:
            return None
        fed = mapping.field_mappings.values()
        lists = (index for f in fed if f.column.separator is not None for index in f.indexes)
        texts = (index for f in fed if f.field.name == "description" for index in f.indexes)
        return cls(frozenset(lists), frozenset(texts))

    def __call__(self, raw: RawRecord) -> RawRecord:
        """The record as it was before it was exported."""
        if raw.cells is None or not ("'" in raw.sent or "\\" in raw.sent):
            return raw
        return raw.with_cells([self._cell(index, cell) for index, cell in enumerate(raw.cells)])

    def _cell(self, index: int, cell: str) -> str:
        text = _FORMULA.sub("", cell)
        if "\\" not in text or index in self.lists:
            return text
        if index in self.texts:
            return _BREAK.sub(lambda found: "\n" if found[1] == "n" else "\\n", text)
        return text.replace("\\,", ",")
