"""The records of delimited text, some megabytes at a time."""

from collections.abc import Iterator
from itertools import chain
from typing import Final

from attrs import define, evolve, field
from polars.exceptions import PolarsError

from adapters.polars_feeds.chunks import Chunks
from adapters.polars_feeds.debris import is_plain
from adapters.polars_feeds.fallback import FAILURES
from adapters.polars_feeds.parsing import lead
from adapters.polars_feeds.splitting import (
    Dialect,
    Mark,
    Split,
    as_records,
    split_by_reference,
    split_lines,
    stays_open,
)
from adapters.polars_feeds.unchanged import LONG, is_long, unmarked
from commerce_core.parsing.batching import batched, size_of_raw
from commerce_core.parsing.delimited import read_delimited
from commerce_core.parsing.raw_records import LONGEST_RECORD
from commerce_core.parsing.unforeseen import NOT_OF_FILE

_NOT_UTF_8: Final = (PolarsError, UnicodeError, OSError)
"""What polars and Python raise for bytes that are no UTF-8; some look like an archive."""


@define
class Splits:
    """Splits what follows a header of that width; `is_plain` as long as all text so far is."""

    chunks: Chunks
    dialect: Dialect
    width: int
    mark: Mark = unmarked
    is_plain: bool = True
    _lead: bytes = field(init=False)

    def __attrs_post_init__(self) -> None:
        """Makes the line that is put in front of records."""
        self._lead = lead(self.width, self.dialect.delimiter)

    def __iter__(self) -> Iterator[Split]:
        """The records, once; FileRefused where a quote isn't closed."""
        pending, line = b"", self.chunks.line
        front = self._lead
        while len(body := self.chunks.take(front)) > len(front):
            try:
                is_open = False
                if pending:
                    body, is_open = self._until_closed(front, body[len(front) :])
                found = None if is_open else self._split(body, line)
            except _NOT_UTF_8:
                if not self.chunks.decoded:
                    self.chunks.decode(body[len(front) :])
                    continue
                found = None
            except NOT_OF_FILE:
                raise
            except FAILURES:  # The reference splits it, and refuses it if it can't either.
                found = None
            if found is None:
                yield from self._rest(pending, body[len(front) :], line)
                return
            self.chunks.passed(body, found.after)
            self.is_plain = self.is_plain and is_plain(body)
            del body  # Its records have their own text.
            pending, line, front = found.pending, found.line, self._lead + found.pending
            yield found
        if pending:
            # A quote is open; the reference says where.
            yield from self._rest(pending, b"", line)

    def _until_closed(self, front: bytes, lines: bytes) -> tuple[bytes, bool]:
        """A text whose record goes on, with the chunks behind it up to the one that may end it.

        So a record of many chunks is split once, and not with each of them again. Also whether it
        is still open, since the file ends or the record is too long; the reference says where.
        """
        parts, size = [front, lines], len(front) + len(lines)
        while is_open := self._is_open(lines):
            if size > LONGEST_RECORD or not self.chunks.has_more:
                break
            lines = self.chunks.take(b"")
            parts.append(lines)
            size += len(lines)
        return b"".join(parts), is_open

    def _is_open(self, lines: bytes) -> bool:
        """Whether a quote that is open before these lines is surely still open behind them."""
        try:
            return stays_open(lines, self.dialect)
        except _NOT_UTF_8:
            return False

    def _split(self, body: bytes, line: int) -> Split | None:
        """The records that are whole, and what follows them.

        None where one is so long that the reference has to judge it.
        """
        final, lead = self.chunks.ended, len(self._lead)
        if not self.chunks.whole:
            return None
        # A chunk this large ends with a line that is itself long.
        is_large = len(body) > self.chunks.size + LONG
        in_columns = None if is_large else split_lines(body, line, self.dialect, self.mark)
        found = in_columns or split_by_reference(
            body[lead:], line, self.dialect, self.mark, final=final
        )
        # The end of its last line counts too.
        longest = LONGEST_RECORD - len("\r\n")
        too_long = len(body) > longest and (found.records["text"].str.len_bytes() > longest).any()
        if too_long or len(found.pending) > LONGEST_RECORD:
            return None
        # With the text at hand, it would stay in memory as long as its records.
        has_long = found.as_csv is not None and found.records.select(is_long().any()).item()
        return evolve(found, as_csv=None) if has_long else found

    def _rest(self, pending: bytes, data: bytes, line: int) -> Iterator[Split]:
        """All that is still to come, split by the reference."""
        self.is_plain = False
        blocks = chain((pending.decode(),), self.chunks.rest(data))
        raws = read_delimited(blocks, self.dialect.delimiter, line)
        for some in batched(raws, size_of_raw, self.chunks.size):
            yield Split(as_records(some, self.dialect, self.mark), line, line)
