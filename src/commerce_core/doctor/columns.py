"""What the columns of a file contain, counted in one pass and in bounded memory."""

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from typing import Final

from attrs import Factory, define

from commerce_core.base.money import find_currency
from commerce_core.base.text import BLANKS, UNSTORABLE, squash
from commerce_core.doctor.diagnosis import ColumnLook, Note
from commerce_core.doctor.styles import day_of, style_of, written
from commerce_core.doctor.words import is_code
from commerce_core.parsing.raw_records import RawRecord
from commerce_core.profiles.normalise import currencies_meant
from commerce_core.schema.cells import EXPONENT, GTIN, gtin_fits
from commerce_core.schema.debris import SPREADSHEET_ERROR
from commerce_core.schema.fields import AVAILABILITIES
from commerce_core.schema.instants import INSTANT

MOST_EXAMINED: Final = 5_000
"""The cells of a column whose style is examined; the rest are only counted."""
_DISTINCT_KEPT: Final = 1_000
"""The distinct values counted in any column; more are counted only if nearly all differ."""
_NUMBERS_KEPT: Final = 1_000
_SAMPLES: Final = 4
_LONGEST_SAMPLE: Final = 60
_WORDS_KEPT: Final = 60
_LONGEST_WORD: Final = 40
_NEARLY_ALL: Final = 0.9
_MOST: Final = 0.8
_ZEROS_LOST: Final = (7, 9, 10, 11)
_PICTURE: Final = re.compile(r"\.(?:jpe?g|png|gif|webp|avif|svg)\b|/images?/|/img/", re.IGNORECASE)
_BROKEN: Final = re.compile(rf"{SPREADSHEET_ERROR.pattern}|#{{4,}}")
_TWICE_ENCODED: Final = re.compile(
    "\u00c3[\u0080-\u00bf\u0192-\u2122]|\u00e2\u20ac|\u00ef\u00bf\u00bd"
)
_CELL_LIMIT: Final = 32_767
"""The length at which a spreadsheet cuts a cell."""
_DAMAGE: Final = {
    "exponent": "a spreadsheet rounded long numbers to exponents; their digits are lost",
    "error_value": "a spreadsheet put an error in place of the value",
    "mojibake": "the text was already decoded wrongly when the file was made",
    "cut": f"the text ends after {_CELL_LIMIT:,} characters, where spreadsheets cut cells",
}


@define
class ColumnStats:
    """What has been counted in one column."""

    header: str
    index: int
    filled: int = 0
    blank: int = 0
    examined: int = 0
    distinct: set[int] = Factory(set[int])
    counts_all: bool = True
    samples: dict[str, None] = Factory(dict[str, None])
    words: Counter[str] = Factory(Counter[str])
    shapes: Counter[str] = Factory(Counter[str])
    around: Counter[str] = Factory(Counter[str])
    numbers: list[str] = Factory(list[str])
    days: Counter[tuple[str, ...]] = Factory(Counter[tuple[str, ...]])
    kinds: Counter[str] = Factory(Counter[str])
    gtins: Counter[str] = Factory(Counter[str])
    damage: dict[str, Note] = Factory(dict[str, Note])

    def take(self, cell: str, line: int) -> None:
        """Counts the next cell of the column."""
        text = cell.strip(BLANKS)
        if not text:
            self.blank += 1
            return
        self.filled += 1
        self._count_damage(text, line)
        text = _storable(text)
        self._count(text)
        if self.examined < MOST_EXAMINED:
            self.examined += 1
            self._examine(text)

    def _count(self, text: str) -> None:
        if len(self.samples) < _SAMPLES:
            self.samples[text[:_LONGEST_SAMPLE]] = None
        if self.counts_all:
            self.distinct.add(hash(text))
            many = len(self.distinct) > _DISTINCT_KEPT
            if many and len(self.distinct) < _NEARLY_ALL * self.filled:
                self.counts_all = False
        if len(text) <= _LONGEST_WORD and (text in self.words or len(self.words) < _WORDS_KEPT):
            self.words[text] += 1

    def _count_damage(self, text: str, line: int) -> None:
        if "E+" in text and EXPONENT.fullmatch(text.removeprefix("'")):
            self._note_damage("exponent", text, line)
        elif "#" in text and _BROKEN.fullmatch(text):
            self._note_damage("error_value", text, line)
        elif not text.isascii() and ("\ufffd" in text or _TWICE_ENCODED.search(text)):
            self._note_damage("mojibake", text, line)
        elif len(text) == _CELL_LIMIT:
            self._note_damage("cut", text, line)

    def _note_damage(self, code: str, text: str, line: int) -> None:
        known = self.damage.get(code)
        shown = _storable(text[:_LONGEST_SAMPLE])
        first = known or Note(code, self.header, _DAMAGE[code], 0, line, shown)
        self.damage[code] = Note(
            code, self.header, first.detail, first.count + 1, first.line, first.value
        )

    def _examine(self, text: str) -> None:
        if text.isascii() and text[:4].lower() == "http":
            self.kinds["picture" if _PICTURE.search(text) else "address"] += 1
        elif day := day_of(text):
            self.kinds["date"] += 1
            self.days[day.formats] += 1
        elif text[:4].isdigit() and (found := INSTANT.fullmatch(text)) and found["hour"]:
            self.kinds["time"] += 1
        elif number := written(text):
            self.kinds["number"] += 1
            self.shapes[number.shape] += 1
            self.around[number.words] += 1
            if len(self.numbers) < _NUMBERS_KEPT:
                self.numbers.append(number.number)
            self._count_gtin(text)
        elif find_currency(text) and is_code(text):
            self.kinds["currency"] += 1
        elif squash(text) in AVAILABILITIES:
            self.kinds["availability"] += 1
        elif EXPONENT.fullmatch(text.removeprefix("'")):
            self.gtins["exponent"] += 1

    def _count_gtin(self, text: str) -> None:
        digits = text.removeprefix("'")
        if not digits.isdigit() or not digits.isascii():
            return
        self.gtins["apostrophe"] += digits != text
        if GTIN.fullmatch(digits):
            self.gtins["valid" if gtin_fits(digits) else "check_digit"] += 1
        elif len(digits) in _ZEROS_LOST and gtin_fits(digits):
            self.gtins["zeros_lost"] += 1
        else:
            self.gtins["other"] += 1

    def mostly(self, *kinds: str) -> bool:
        """Whether most of the examined cells are of these kinds."""
        counted = sum(self.kinds[kind] for kind in kinds)
        return self.examined > 0 and counted >= _MOST * self.examined

    @property
    def is_key(self) -> bool:
        """Whether no cell is blank and all differ, so that the column could identify records."""
        return self.counts_all and not self.blank and len(self.distinct) == self.filled > 0

    def currencies(self) -> Counter[str]:
        """The words beside numbers that can mean a currency."""
        return Counter({w: n for w, n in self.around.items() if w and currencies_meant(w)})

    def look(self, feeds: Sequence[str], notes: Iterable[str]) -> ColumnLook:
        """The column as the diagnosis reports it."""
        samples = tuple(self.samples)
        return ColumnLook(
            header=self.header,
            feeds=tuple(feeds),
            filled=self.filled,
            blank=self.blank,
            distinct=len(self.distinct),
            distinct_is_exact=self.counts_all,
            samples=samples,
            style=self._style(),
            notes=tuple(notes),
        )

    def _style(self) -> str:
        if self.mostly("number"):
            words = ", ".join(repr(w) for w, _ in self.around.most_common(4) if w)
            style = style_of(self.shapes)
            return f"{style}; with {words}" if words else style
        if self.mostly("date"):
            formats = {f for several in self.days for f in several}
            return f"dates, {' or '.join(sorted(formats))}"
        names = {
            "picture": "addresses of pictures",
            "address": "addresses",
            "time": "ISO 8601 times",
        }
        kind = next((k for k in ("picture", "address", "time", "currency", "availability")
                     if self.mostly(k)), None)  # fmt: skip
        return names.get(kind, f"{kind} words") if kind else "text" if self.filled else "blank"


def _storable(text: str) -> str:
    """The text with replacements for the characters that can't be stored."""
    plain = text.isascii() and "\0" not in text
    return text if plain else UNSTORABLE.sub("\ufffd", text)


def count_columns(
    header: Sequence[str], records: Iterable[RawRecord], all_stats: Sequence[ColumnStats]
) -> Iterator[RawRecord]:
    """Passes all records on, and counts the cells of those that have as many as the header."""
    width = len(header)
    for raw in records:
        cells = raw.cells
        if cells is not None and len(cells) == width and any(cells):
            line = raw.line
            for stats, cell in zip(all_stats, cells, strict=True):
                stats.take(cell, line)
        yield raw
