"""Extractors: how the text of one field is put together from the cells of a record.

The union is closed, so that an engine can do for a whole column what each of these does for one
record.
"""

import json
import re
from collections.abc import Callable, Iterable, Mapping, Sequence

from attrs import evolve, frozen

from commerce_core.base.text import BLANKS, squash
from commerce_core.profiles.profile import TEMPLATE_PART
from commerce_core.schema.cells import WHOLE

_NO = ("", "no", "n", "false", "0", "none")
_POSITIVE = re.compile(r"\+?0*[1-9][0-9]*(?:[.,]0*)?", re.ASCII)


def agrees(cell: str) -> bool:
    """Whether a required cell is neither blank nor a no."""
    return squash(cell) not in _NO


def is_positive(cell: str) -> bool:
    """Whether a cell has a whole number above zero."""
    return _POSITIVE.fullmatch(cell.strip(BLANKS)) is not None


def whole_of(text: str) -> int | None:
    """The whole number that a text is; None if it is none."""
    matched = WHOLE.fullmatch(text)
    return int(matched[1] + matched[2]) if matched else None


@frozen
class Constant:
    """The same text in every record."""

    text: str

    def __call__(self, _cells: Sequence[str]) -> str:
        """Returns the text."""
        return self.text


@frozen
class Cell:
    """One cell, trimmed."""

    index: int

    def __call__(self, cells: Sequence[str]) -> str:
        """Returns the trimmed cell."""
        return cells[self.index].strip(BLANKS)


@frozen
class FirstOf:
    """The first non-blank cell of several."""

    indexes: tuple[int, ...]

    def __call__(self, cells: Sequence[str]) -> str:
        """Returns that cell, trimmed; blank if all are."""
        return next((text for i in self.indexes if (text := cells[i].strip(BLANKS))), "")


@frozen
class Joined:
    """Several cells joined by a separator, without the blank ones."""

    indexes: tuple[int, ...]
    between: str

    def __call__(self, cells: Sequence[str]) -> str:
        """Returns the joined cells, each trimmed."""
        return self.between.join(text for i in self.indexes if (text := cells[i].strip(BLANKS)))


@frozen
class Added:
    """The sum of several cells of units, of which these words count as 0.

    Blank if all are. If one isn't a whole number, the text is what would have been added, which is
    none either.
    """

    indexes: tuple[int, ...]
    zero: frozenset[str]

    def __call__(self, cells: Sequence[str]) -> str:
        """Returns the sum."""
        texts = [text for i in self.indexes if (text := cells[i].strip(BLANKS))]
        numbers = [0 if text.lower() in self.zero else whole_of(text) for text in texts]
        if len(texts) == 1 and numbers != [0]:
            return texts[0]
        if None in numbers:
            return " + ".join(texts)
        return str(sum(number or 0 for number in numbers)) if texts else ""


@frozen
class OptionPairs:
    """Names and values as options, `Colour: Red; Size: 42`, without pairs that have a blank."""

    pairs: tuple[tuple[Constant | Cell, int | None], ...]

    def __call__(self, cells: Sequence[str]) -> str:
        """Returns all options of the record."""
        options = (
            f"{name(cells)}: {cells[i].strip(BLANKS)}"
            for name, i in self.pairs
            if i is not None and cells[i].strip(BLANKS) and name(cells)
        )
        return "; ".join(options)


@frozen
class AttributeMap:
    """The non-blank cells of some columns, as a JSON object by column name."""

    places: tuple[tuple[str, int], ...]

    def __call__(self, cells: Sequence[str]) -> str:
        """Returns the object; blank if all cells are."""
        members = {name: text for name, i in self.places if (text := cells[i].strip(BLANKS))}
        return json.dumps(members, ensure_ascii=False) if members else ""


@frozen
class RequireColumns:
    """Another extractor's text, or blank if one of the required cells is blank or a no."""

    needs: tuple[int, ...]
    gather: "Extractor"

    def __call__(self, cells: Sequence[str]) -> str:
        """Returns the other extractor's text, if all required cells agree."""
        return self.gather(cells) if all(agrees(cells[i]) for i in self.needs) else ""


@frozen
class UnlessPositive:
    """Another extractor's text, or blank if one of the cells has a number above zero."""

    indexes: tuple[int, ...]
    gather: "Extractor"

    def __call__(self, cells: Sequence[str]) -> str:
        """Returns the other extractor's text, if none of the cells is positive."""
        return "" if any(is_positive(cells[i]) for i in self.indexes) else self.gather(cells)


@frozen
class Template:
    """A text made of cells, such as `{Handle}/{Size}`, without its blank parts.

    Blank if the first part is, or if all others are: a parent alone would name all its variants.
    `literals` stand around `places`; a place is None if the file lacks its column.
    """

    literals: tuple[str, ...]
    places: tuple[int | None, ...]

    @classmethod
    def of(cls, text: str, index_of: Callable[[str], int | None]) -> "Template":
        """The template under one header, whose columns `index_of` finds."""
        pieces = TEMPLATE_PART.split(text)
        return cls(tuple(pieces[0::2]), tuple(map(index_of, pieces[1::2])))

    def __call__(self, cells: Sequence[str]) -> str:
        """Returns the text that replaces a missing sku."""
        parts = ["" if i is None else cells[i].strip(BLANKS) for i in self.places]
        if not parts[0] or (len(parts) > 1 and not any(parts[1:])):
            return ""
        pieces = zip(self.literals, parts, strict=False)
        return "".join(f"{before}{part}" for before, part in pieces if part) + self.literals[-1]


@frozen
class SkuOrTemplate:
    """A sku or, if it is blank, the text of the first template that isn't."""

    gather: "Extractor"
    templates: tuple[Template, ...]

    def __call__(self, cells: Sequence[str]) -> str:
        """Returns the sku."""
        identities = (text for template in self.templates if (text := template(cells)))
        return self.gather(cells) or next(identities, "")


Extractor = (
    Constant
    | Cell
    | FirstOf
    | Joined
    | Added
    | OptionPairs
    | AttributeMap
    | RequireColumns
    | UnlessPositive
    | Template
    | SkuOrTemplate
)


def moved(gather: Extractor, places: Mapping[int, int]) -> Extractor:
    """What makes the same text of records whose cells stand in other places.

    KeyError if it is made of a cell that has no place there.
    """

    def several(indexes: Iterable[int]) -> tuple[int, ...]:
        return tuple(places[index] for index in indexes)

    def perhaps(index: int | None) -> int | None:
        return None if index is None else places[index]

    match gather:
        case Constant():
            return gather
        case Cell(index):
            return Cell(places[index])
        case FirstOf() | Joined() | Added():
            return evolve(gather, indexes=several(gather.indexes))
        case OptionPairs(pairs):
            return OptionPairs(
                tuple(
                    (name if isinstance(name, Constant) else Cell(places[name.index]), perhaps(i))
                    for name, i in pairs
                )
            )
        case AttributeMap(named):
            return AttributeMap(tuple((name, places[index]) for name, index in named))
        case RequireColumns(needs, inner):
            return RequireColumns(several(needs), moved(inner, places))
        case UnlessPositive(indexes, inner):
            return UnlessPositive(several(indexes), moved(inner, places))
        case Template(literals, parts):
            return Template(literals, tuple(map(perhaps, parts)))
        case SkuOrTemplate(inner, templates):
            made = (Template(t.literals, tuple(map(perhaps, t.places))) for t in templates)
            return SkuOrTemplate(moved(inner, places), tuple(made))
