"""Elements of a workbook that follow each other and are simple, found by patterns in runs.

A parser that calls Python for each tag takes several times as long as a pattern. It still reads
runs, without calling, so that what isn't well-formed is refused; whatever isn't simple is left to
it.
"""

import re
from collections.abc import Callable
from typing import Final
from xml.parsers import expat

from attrs import define, field

MOST_MISSES: Final = 100
"""Elements that aren't simple, more than runs that are, after which none is tried any more."""


@define
class SimpleRuns:
    """Gives a parser what it reads, and `take` the text of each run of simple elements.

    An element is simple if `simple` fits it. `end` is its end tag; what handles those calls
    `ended`.
    """

    _parser: expat.XMLParserType
    _end: bytes
    _simple: str
    _take: Callable[[str], None]
    _run: re.Pattern[bytes] = field(init=False)
    _given: int = field(init=False, default=0)
    _behind: int = field(init=False, default=-1)
    """Where the last element ended."""
    _misses: int = field(init=False, default=0)

    def __attrs_post_init__(self) -> None:
        """Prepares the pattern of a run."""
        self._run = re.compile(rf"(?:[ \t\n]*+{self._simple})*+".encode())

    def ended(self) -> None:
        """The parser is at the end tag of an element."""
        self._behind = self._parser.CurrentByteIndex + len(self._end)

    def read(self, data: bytes) -> None:
        """Reads the next bytes."""
        at = 0
        while at < len(data):
            end = self._end_of_run(data, at)
            if end > at:
                self._read_simply(data[at:end])
            else:
                found = data.find(self._end, at)
                end = len(data) if found < 0 else found + len(self._end)
                self._parse(data[at:end])
            at = end

    def close(self) -> None:
        """Nothing follows."""
        self._parser.Parse(b"", True)  # noqa: FBT003 - the parser's own signature

    def _end_of_run(self, data: bytes, at: int) -> int:
        """Where the simple elements end that begin there; there itself if none does."""
        if self._behind != self._given or self._misses > MOST_MISSES:
            return at
        found = self._run.match(data, at)
        end = found.end() if found else at
        self._misses = max(0, self._misses + (-1 if end > at else 1))
        return end

    def _read_simply(self, run: bytes) -> None:
        parser = self._parser
        handlers = parser.StartElementHandler, parser.EndElementHandler, parser.CharacterDataHandler
        parser.StartElementHandler = parser.EndElementHandler = parser.CharacterDataHandler = None
        self._parse(run)
        parser.StartElementHandler, parser.EndElementHandler, parser.CharacterDataHandler = handlers
        self._behind = self._given
        self._take(run.decode())

    def _parse(self, data: bytes) -> None:
        self._given += len(data)
        self._parser.Parse(data, False)  # noqa: FBT003 - the parser's own signature
