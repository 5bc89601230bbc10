"""Simple records of XML as columns: elements with nothing but texts in them, in one order."""

import re
from collections.abc import Iterator, Sequence
from functools import partial
from itertools import chain
from typing import Final

import polars as pl
from attrs import define, field

from adapters.polars_feeds.chunks import MOST_ADDED, MOST_CELLS
from adapters.polars_feeds.columns import Piece
from adapters.polars_feeds.parsing import cell
from commerce_core.base.text import BLANKS
from commerce_core.parsing.batching import text_of_batch
from commerce_core.parsing.objects import SentObject, records_under
from commerce_core.parsing.raw_records import RawRecord
from commerce_core.parsing.reader import Header
from commerce_core.parsing.simple_elements import NAMED, SimpleRecords, unescaped
from commerce_core.parsing.xml_elements import Elements, Run
from commerce_core.parsing.xml_records import Xml
from commerce_core.profiles.limits import text_added

MOST_COLUMNS: Final = 200
"""Columns of a header up to which a pattern of the whole record is made."""
_MOST_MISSES: Final = 3
"""Runs in another order, more than those in this one, after which none is tried any more."""
_SIMPLE: Final = re.compile(r"[^ \t\r\n<>/&\"'=!?@]+")
_BLANK: Final = r"[ \t\n]*+"
_CDATA: Final = r"<!\[CDATA\[(?:[^\]]++|\](?!\]>))*+\]\]>"
_ONE_CDATA: Final = re.compile(rf"{_BLANK}<!\[CDATA\[(.*)\]\]>{_BLANK}", re.DOTALL)
_BY_ITSELF: Final = "<|&#"
"""In a text that isn't only names of characters."""
_CONTENT: Final = rf"[^<]*+(?:{_CDATA}{_BLANK})?+"


_Found = tuple[Run, "list[tuple[str, ...]] | None"]
"""A run, and its records: what stands before each, the whole, and what is behind each name."""


@define
class _InOrder(SimpleRecords):
    """Finds simple records whose elements come in the order of a header; and if not, any others.

    `rows` are those of the last run.
    """

    pattern: re.Pattern[str] | None = None
    rows: list[tuple[str, ...]] | None = None
    _others: int = 0
    """Runs in another order, more than those in this one."""

    @classmethod
    def under(cls, name: str, pattern: re.Pattern[str] | None) -> "_InOrder":
        """Records of that name, which the pattern finds."""
        simple = SimpleRecords.of(name)
        return cls(simple.end, simple.record, simple.run, pattern=pattern)

    def end_of_run(self, data: bytes, at: int) -> int:
        """Behind the last record, if all are in that order."""
        self.rows, last = None, data.rfind(self.end, at)
        if self.pattern is not None and last >= at and self._others <= _MOST_MISSES:
            end = last + len(self.end)
            text = data[at:end].decode()
            rows = self.pattern.findall(text)
            if sum(len(row[0]) + len(row[1]) for row in rows) == len(text) and "\r" not in text:
                self.rows, self._others = rows, max(0, self._others - 1)
                return end
            self._others += 1
        return super().end_of_run(data, at)


@define
class ElementPieces:
    """The pieces of an XML file under one header."""

    _format: Xml
    _header: Header
    _chunk: int
    _record: re.Pattern[str] | None = field(init=False)
    _places: Sequence[int] = field(init=False)
    _last: int = field(init=False)
    """The number of the last record."""

    def __attrs_post_init__(self) -> None:
        """Makes the pattern of a record whose elements come in the order of the header."""
        names = list(self._header.cells)
        self._places = [i for i, name in enumerate(names) if _SIMPLE.fullmatch(name)]
        own = re.escape(self._format.path[-1])
        fields = (
            rf"(?:{_BLANK}<{re.escape(names[place])}(/>|>{_CONTENT}(?=</))(?:</[^>]*+>)?+)?+"
            for place in self._places
        )
        is_narrow = len(self._places) <= MOST_COLUMNS
        text = rf"({_BLANK})(<{own}>{''.join(fields)}{_BLANK}</{own}>)"
        self._record = re.compile(text) if is_narrow else None
        self._last = self._header.raw.line - 1

    def __call__(self, blocks: Iterator[str]) -> Iterator[Piece]:
        """The records of a text, its runs joined up to some megabytes."""
        profile, width = self._header.terms.profile, len(self._header.cells)
        added = MOST_ADDED // max(1, text_added(profile))
        most_records = max(1, min(added, MOST_CELLS // width))
        most = min(self._chunk, text_of_batch(profile))
        runs, size, records = list[_Found](), 0, 0
        simple = _InOrder.under(self._format.path[-1], self._record)
        for piece in Elements(self._format.path, simple).pieces(blocks):
            if isinstance(piece, Run):
                runs.append((piece, simple.rows))
                size += len(piece.data)
                records += piece.most_records
                if size < most and records < most_records:
                    continue
                sent = ()
            elif not (sent := list(piece)):
                continue
            if runs:
                yield self._of_runs(runs)
            runs, size, records = [], 0, 0
            if sent:
                yield self._of_objects(sent)
        if runs:
            yield self._of_runs(runs)

    def _of_objects(self, sent: Sequence[SentObject]) -> Piece:
        """Records that aren't simple."""
        raws = self._raws(sent)
        return Piece(self._last, None, lambda: raws)

    def _raws(self, sent: Sequence[SentObject]) -> Sequence[RawRecord]:
        line = self._last + 1
        checked = self._format.nesting.checked(iter(sent), line)
        raws = list(records_under(self._header.cells, checked, line))
        self._last = raws[-1].line
        return raws

    def _of_runs(self, found: Sequence[_Found]) -> Piece:
        runs = [run for run, _ in found]
        before = self._last
        cells = self._cells(found)
        if cells is None:
            return self._of_objects(list(chain.from_iterable(runs)))
        self._last = int(cells["line"][-1])
        return Piece(self._last, cells, partial(self._again, runs, before))

    def _again(self, runs: Sequence[Run], before: int) -> Iterator[RawRecord]:
        """The records of runs that were columns, one by one."""
        objects = chain.from_iterable(runs)
        return records_under(self._header.cells, objects, before + 1)

    def _cells(self, runs: Sequence[_Found]) -> pl.DataFrame | None:
        """The cells of records, if their elements come in the order of the header."""
        rows = list[tuple[str, ...]]()
        for _, some in runs:
            if some is None:
                return None
            rows += some
        blanks, whole, *fields = zip(*rows, strict=True)
        found = dict(zip(self._places, fields, strict=True))
        if self._header.terms.mode == "delta" and any("" in column for column in found.values()):
            return None  # Some records lack a cell, and with it what it would change.
        nothing = pl.repeat("", len(rows), dtype=pl.String, eager=True)
        cells = [
            (_texts(found[place]) if place in found else nothing).alias(cell(place))
            for place in range(len(self._header.cells))
        ]
        texts = pl.Series("text", whole, pl.String)
        lines = self._lines(runs[0][0].line, pl.Series(blanks, dtype=pl.String), texts)
        return pl.DataFrame([lines, texts, *cells])

    def _lines(self, line: int, blanks: pl.Series, texts: pl.Series) -> pl.Series:
        """The number of each record: its line, or the one behind the last record's."""
        before, within = (
            some.str.count_matches("\n", literal=True).cast(pl.Int64) for some in (blanks, texts)
        )
        begins = line + (before + within).cum_sum() - within
        order = pl.int_range(len(texts), dtype=pl.Int64, eager=True)
        ahead = (begins - order).cum_max().clip(lower_bound=self._last + 1)
        return (ahead + order).alias("line")


def _texts(raw: Sequence[str]) -> pl.Series:
    """The cells of a column by what stands behind the names of its elements."""
    texts = pl.Series(raw, dtype=pl.String)
    texts = texts.set(texts == "/>", "").str.strip_prefix(">")
    if texts.str.contains("&", literal=True).any():
        odd = texts.str.contains(_BY_ITSELF).arg_true()
        mended = [_text(text) for text in texts.gather(odd)]
        texts = texts.str.replace_many(NAMED).scatter(odd, mended)
    elif len(odd := texts.str.contains("<", literal=True).arg_true()):
        texts = texts.scatter(odd, [_text(text) for text in texts.gather(odd)])
    return texts.str.strip_chars(BLANKS)


def _text(content: str) -> str:
    found = _ONE_CDATA.fullmatch(content)
    return found[1] if found else unescaped(content)
