"""Gathering: how the text of one field is put together from the cells of its record.

A closed union, so that an engine can do for a whole column what each of these does for a record.
"""

import json
from collections.abc import Sequence

from attrs import frozen

from commerce_core.base.text import BLANKS, squash

_NO = ("", "no", "false", "0")


def agrees(cell: str) -> bool:
    """Whether a cell that is needed says anything but no."""
    return squash(cell) not in _NO


@frozen
class Constant:
    """The same text in every record."""

    text: str

    def __call__(self, _cells: Sequence[str]) -> str:
        """That text."""
        return self.text


@frozen
class Cell:
    """One cell, without the blanks around it."""

    index: int

    def __call__(self, cells: Sequence[str]) -> str:
        """The cell, trimmed."""
        return cells[self.index].strip(BLANKS)


@frozen
class FirstOf:
    """The first of several cells that isn't blank."""

    indexes: tuple[int, ...]

    def __call__(self, cells: Sequence[str]) -> str:
        """That cell, trimmed; nothing where all are blank."""
        return next((text for i in self.indexes if (text := cells[i].strip(BLANKS))), "")


@frozen
class Joined:
    """Several cells with something between them, those that are blank left out."""

    indexes: tuple[int, ...]
    between: str

    def __call__(self, cells: Sequence[str]) -> str:
        """The cells, each trimmed."""
        return self.between.join(text for i in self.indexes if (text := cells[i].strip(BLANKS)))


@frozen
class OptionPairs:
    """Names and values as options, `Colour: Red; Size: 42`, where neither is blank."""

    pairs: tuple[tuple[Constant | Cell, int | None], ...]

    def __call__(self, cells: Sequence[str]) -> str:
        """All options of the record."""
        made = (
            f"{name(cells)}: {cells[i].strip(BLANKS)}"
            for name, i in self.pairs
            if i is not None and cells[i].strip(BLANKS) and name(cells)
        )
        return "; ".join(made)


@frozen
class AttributeMap:
    """Cells under the names of their columns, as a JSON object of those that aren't blank."""

    places: tuple[tuple[str, int], ...]

    def __call__(self, cells: Sequence[str]) -> str:
        """The object; nothing where all are blank."""
        said = {name: text for name, i in self.places if (text := cells[i].strip(BLANKS))}
        return json.dumps(said, ensure_ascii=False) if said else ""


@frozen
class RequireColumns:
    """Blank wherever a cell that it needs is, or says no."""

    needs: tuple[int, ...]
    gather: "Extractor"

    def __call__(self, cells: Sequence[str]) -> str:
        """What is gathered, if all cells that it needs agree."""
        return self.gather(cells) if all(agrees(cells[i]) for i in self.needs) else ""


@frozen
class Template:
    """`{Handle}/{Size}` of a record, less blank parts.

    Nothing if the first part is blank, or all the others: a parent alone would name each variant.
    `literals` stand around `places`; a column that the file lacks is None.
    """

    literals: tuple[str, ...]
    places: tuple[int | None, ...]

    def __call__(self, cells: Sequence[str]) -> str:
        """What stands in for a missing sku."""
        parts = ["" if i is None else cells[i].strip(BLANKS) for i in self.places]
        if not parts[0] or (len(parts) > 1 and not any(parts[1:])):
            return ""
        pieces = zip(self.literals, parts, strict=False)
        return "".join(f"{before}{part}" for before, part in pieces if part) + self.literals[-1]


@frozen
class SkuOrTemplate:
    """A sku, or what the first template that fits makes where it is blank."""

    gather: "Extractor"
    templates: tuple[Template, ...]

    def __call__(self, cells: Sequence[str]) -> str:
        """The sku."""
        made = (text for template in self.templates if (text := template(cells)))
        return self.gather(cells) or next(made, "")


Extractor = (
    Constant
    | Cell
    | FirstOf
    | Joined
    | OptionPairs
    | AttributeMap
    | RequireColumns
    | Template
    | SkuOrTemplate
)
