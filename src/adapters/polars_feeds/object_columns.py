"""Simple lines of JSON as columns: objects of texts, numbers, and lists of texts.

msgspec decodes many lines at once. What it does otherwise than the reference is looked for: lines
that aren't one object each, keys that occur twice, and -0. Such lines are split one by one.
"""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import partial
from typing import Any, Final, cast

import msgspec
import numpy as np
import polars as pl
from attrs import define, field
from numpy.typing import NDArray

from adapters.polars_feeds.chunks import MOST_ADDED, MOST_CELLS, MOST_LINES
from adapters.polars_feeds.columns import Piece
from adapters.polars_feeds.parsing import cell
from adapters.polars_feeds.whole_lines import lines_from
from commerce_core.parsing.batching import text_of_batch
from commerce_core.parsing.json_lines import JsonLines, read_object
from commerce_core.parsing.objects import cell as cell_of
from commerce_core.parsing.objects import records_under
from commerce_core.parsing.raw_records import RawRecord, split_lines
from commerce_core.parsing.reader import Header
from commerce_core.profiles.limits import text_added

_LONGEST_LIST: Final = 1_000
"""Texts of a record's lists, far fewer than a record may have."""
_QUOTES_OF: Final[Mapping[type, int]] = {str: 4, msgspec.UnsetType: 0}
"""The quotes around a key and its value, by what it is; two if it is anything else."""
_MINUS_ZERO: Final = re.compile(r"-0[\s,}]")
_BEFORE_NUMBERS: Final = frozenset(": \t")
_ESCAPED: Final = r"(?s)\\."


class _Number(str):
    """A number that isn't whole, as it is written."""

    __slots__ = ()


@define
class LinePieces:
    """The pieces of a file of JSON lines under one header."""

    _format: JsonLines
    _header: Header
    _chunk: int
    _decoder: "msgspec.json.Decoder[Any] | None" = field(init=False)

    def __attrs_post_init__(self) -> None:
        """Makes what decodes a line: an object of such members, of which none is unknown."""
        names = {f"c{place}": name for place, name in enumerate(self._header.cells)}
        try:
            row = msgspec.defstruct(
                "Row",
                [(name, Any, msgspec.UNSET) for name in names],
                rename=names,
                forbid_unknown_fields=True,
                gc=False,
            )
        except ValueError:  # A name has characters that are written with escapes.
            self._decoder = None
        else:
            self._decoder = msgspec.json.Decoder(row, float_hook=_Number)

    def __call__(self, blocks: Iterable[str]) -> Iterator[Piece]:
        """The lines of a text, some megabytes at a time."""
        profile, width = self._header.terms.profile, len(self._header.cells)
        added = MOST_ADDED // max(1, text_added(profile))
        most_lines = max(1, min(MOST_LINES, added, MOST_CELLS // width))
        most = min(self._chunk, text_of_batch(profile))
        for lines, at in lines_from(blocks, self._header.raw.line, most, most_lines):
            yield Piece(at, self._cells(lines, at), partial(self._raws, lines, at))

    def _raws(self, text: str, line: int) -> Iterator[RawRecord]:
        """The records, one by one."""
        lines = enumerate(split_lines(iter((text,))), start=line)
        objects = ((number, line, *read_object(line)) for number, line in lines)
        return records_under(self._header.cells, self._format.nesting.unfolded(objects, line), line)

    def _cells(self, text: str, line: int) -> pl.DataFrame | None:
        """The cells of the lines; None if one of them has to be read by itself."""
        plain = text.replace("\r\n", "\n") if "\r" in text else text
        if self._decoder is None or "\r" in plain or _has_minus_zero(plain):
            return None
        try:
            data = plain.encode()
            rows = self._decoder.decode_lines(data)
        except (msgspec.DecodeError, UnicodeError, RecursionError):
            return None
        texts = pl.Series("text", plain.removesuffix("\n").split("\n"), pl.String)
        if len(rows) != len(texts) or not _are_objects(texts):
            return None
        quotes, columns = np.zeros(len(rows), np.int64), list[pl.Series]()
        for place in range(len(self._header.cells)):
            name = cell(place)
            values = [getattr(row, name) for row in rows]
            kinds = set(map(type, values))
            if kinds == {str}:
                quotes += _QUOTES_OF[str]
            elif (list in kinds and not _are_texts(values)) or dict in kinds:
                return None
            elif msgspec.UnsetType in kinds and self._header.terms.mode == "delta":
                return None  # A record lacks a cell, and with it what it would change.
            else:
                quotes += [_quotes_of(value) for value in values]
                values = list(map(_shown, values))
            columns.append(pl.Series(name, values, pl.String))
        if not np.array_equal(quotes, _quotes_in(texts)):
            return None  # A key occurs twice.
        lines = pl.int_range(line, line + len(rows), dtype=pl.Int64, eager=True).alias("line")
        return pl.DataFrame([lines, texts, _ends(text).alias("end"), *columns])


def _ends(text: str) -> pl.Series:
    """How each line ends; a CR stands nowhere but at the end of one."""
    ends = ["\r\n" if line.endswith("\r") else "\n" for line in text.split("\n")]
    ends[-1:] = [] if text.endswith("\n") else [""]
    return pl.Series(ends, dtype=pl.String)


def _has_minus_zero(text: str) -> bool:
    """Whether a value may be -0, which is decoded as 0."""
    return any(text[at.start() - 1] in _BEFORE_NUMBERS for at in _MINUS_ZERO.finditer(text))


def _are_objects(texts: pl.Series) -> bool:
    """Whether each line begins and ends as an object does: then none goes on in the next one."""
    bare = texts.str.strip_chars(" \t")
    return bool((bare.str.starts_with("{") & bare.str.ends_with("}")).all())


def _quotes_in(texts: pl.Series) -> NDArray[np.int64]:
    """How many quotes stand around the keys and texts of each line."""
    escaped = texts.str.contains("\\", literal=True)
    if escaped.any():
        bare = texts.filter(escaped).str.replace_all(_ESCAPED, "")
        # A copy, since `scatter` changes the texts themselves.
        texts = texts.clone().scatter(escaped.arg_true(), bare)
    return texts.str.count_matches('"', literal=True).cast(pl.Int64).to_numpy()


def _are_texts(values: Sequence[object]) -> bool:
    """Whether all lists have nothing but texts, and few of them."""
    lists = [cast("list[object]", value) for value in values if type(value) is list]
    return all(
        len(members) <= _LONGEST_LIST and {str}.issuperset(map(type, members)) for members in lists
    )


def _quotes_of(value: object) -> int:
    if type(value) is list:
        return 2 + 2 * len(cast("list[object]", value))
    return _QUOTES_OF.get(type(value), 2)


def _shown(value: object) -> str:
    """The cell of a value, as the reference has it."""
    if isinstance(value, str):
        return str(value)
    if value is None or value is msgspec.UNSET:
        return ""
    return str(value) if type(value) is int else cell_of(value)
