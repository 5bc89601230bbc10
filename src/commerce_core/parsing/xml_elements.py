"""Elements of XML: where the records are, and each record with what is in it, as a stream."""

import re
from collections import Counter
from collections.abc import Generator, Iterable, Iterator, Mapping
from contextlib import suppress
from typing import Final
from xml.parsers import expat

from attrs import define, field, frozen

from commerce_core.base.errors import FileRefused
from commerce_core.base.text import BLANKS
from commerce_core.parsing.objects import SentObject
from commerce_core.parsing.raw_records import LONGEST_RECORD, count_line_ends
from commerce_core.parsing.simple_elements import SimpleRecords, members_of
from commerce_core.schema.fields import DEEPEST_JSON, MOST_JSON_VALUES

REPORT_ROOT: Final = "rejected-records"
DEEPEST_ELEMENT: Final = 1_000
"""How deep elements may be nested; each open one takes memory."""
MOST_PATH_PARTS: Final = 10

TAG: Final = re.compile(rb"""<[^<>"']*(?:"[^"]*"[^<>"']*|'[^']*'[^<>"']*)*>""")
KNOWN_ROOTS: Final[Mapping[str, tuple[str, ...]]] = {
    "rss": ("rss", "channel", "item"),
    "rdf:RDF": ("rdf:RDF", "item"),
    "feed": ("feed", "entry"),
}
_LEAST_COLUMNS: Final = 2
_LATE_PROLOG: Final = re.compile(r"\s+<\?xml\b[^>]*\?>")
_VISIBLE: Final = re.compile(r"\S")
_LONGEST_REST: Final = 1 << 14
"""Bytes of a record that isn't whole which wait for the next block."""
_LONGEST_PROLOG: Final = 1 << 10
"""Characters, with the blanks before it."""
_UNFINISHED: Final = frozenset(
    expat.errors.codes[message]
    for message in (
        expat.errors.XML_ERROR_NO_ELEMENTS,
        expat.errors.XML_ERROR_UNCLOSED_TOKEN,
        expat.errors.XML_ERROR_UNCLOSED_CDATA_SECTION,
        expat.errors.XML_ERROR_PARTIAL_CHAR,
    )
)
_OF_AN_ENTITY: Final = expat.errors.codes[expat.errors.XML_ERROR_UNDEFINED_ENTITY]


def new_parser() -> expat.XMLParserType:
    """A parser of UTF-8, whatever the prolog declares, that refuses document types."""
    parser = expat.ParserCreate("utf-8")
    parser.buffer_text = True
    parser.ordered_attributes = True

    def refuse(*_: object) -> None:
        detail = "The XML declares a document type (DOCTYPE), which isn't read."
        line = parser.CurrentLineNumber
        raise FileRefused("xml", detail, "Send it without its DOCTYPE.", line=line)

    parser.StartDoctypeDeclHandler = refuse
    return parser


def _refusal(error: expat.ExpatError) -> FileRefused:
    line, column = error.lineno, error.offset + 1
    if error.code in _UNFINISHED:
        detail = f"The XML is cut off: it ends on line {line}, before its elements do."
        return FileRefused("truncated", detail, "Send the whole file again.", line=line)
    what = expat.ErrorString(error.code)
    detail = f"The XML isn't well-formed on line {line}, column {column}: {what}."
    remedy = "Mend the program that writes it; characters such as & and < have to be escaped."
    if error.code == _OF_AN_ENTITY:
        remedy = "Write characters themselves, or by number (&#233;), in place of such entities."
    return FileRefused("xml", detail, remedy, line=line)


def without_late_prolog(blocks: Iterable[str]) -> Iterator[str]:
    """The blocks; a prolog behind blanks, where XML has none, is as many blanks.

    Lines stay where they are. Programs that print a blank line before they begin are many.
    """
    rest = iter(blocks)
    head = next(rest, "")
    if head[:1].isspace():
        while len(head) < _LONGEST_PROLOG and not _LATE_PROLOG.match(head):
            if (more := next(rest, None)) is None:
                break
            head += more
        if found := _LATE_PROLOG.match(head):
            head = _VISIBLE.sub(" ", found[0]) + head[found.end() :]
    yield head
    yield from rest


@define
class Outline:
    """The elements at the beginning of a file, by path, and how often each occurs."""

    counts: Counter[tuple[str, ...]] = field(factory=Counter[tuple[str, ...]])
    attributes: Counter[tuple[str, ...]] = field(factory=Counter[tuple[str, ...]])
    attribute_names: dict[tuple[str, ...], set[str]] = field(
        factory=dict[tuple[str, ...], set[str]]
    )
    namespaces: dict[str, str] = field(factory=dict[str, str])
    _stack: list[str] = field(factory=list[str])

    @classmethod
    def of(cls, head: str) -> "Outline":
        """Of the head of a file, which may end anywhere."""
        outline = cls()
        parser = new_parser()
        parser.StartElementHandler = outline._start
        parser.EndElementHandler = outline._end
        with suppress(expat.ExpatError):  # What is wrong is found when it is read.
            parser.Parse("".join(without_late_prolog([head])).encode(), False)  # noqa: FBT003 - the parser's own signature
        return outline

    @property
    def root(self) -> str:
        """The name of the root."""
        return next(iter(self.counts), ("",))[0]

    @property
    def path(self) -> tuple[str, ...]:
        """Where the records are: the shallowest elements that repeat and have elements in them.

        If none does, those that repeat and have attributes; else the one that has elements.
        """
        if self.root == REPORT_ROOT:
            return next((path for path in self.counts if len(path) > 1), (REPORT_ROOT,))
        if self.root in KNOWN_ROOTS:
            return KNOWN_ROOTS[self.root]
        inner = Counter(path[:-1] for path in self.counts)
        below = [path for path in self.counts if len(path) > 1]
        repeated = [path for path in below if self.counts[path] > 1]
        choices = (
            [path for path in repeated if inner[path]],
            [path for path in repeated if self.attributes[path] >= _LEAST_COLUMNS],
            [path for path in below if inner[path] >= _LEAST_COLUMNS],
            [path for path in below if self.attributes[path] >= _LEAST_COLUMNS],
        )
        found = next(filter(None, choices), [(self.root,)])
        return min(found, key=lambda path: (len(path), -self.counts[path]))

    def names_in(self, path: tuple[str, ...]) -> list[str]:
        """The names of the elements directly in those at a path, and of their attributes."""
        inner = [each[-1] for each in self.counts if each[:-1] == path]
        return [*inner, *self.attribute_names.get(path, ())]

    def _start(self, name: str, attributes: list[str]) -> None:
        self._stack.append(name)
        path = tuple(self._stack[:MOST_PATH_PARTS])
        self.counts[path] += 1
        self.attributes[path] = max(self.attributes[path], len(attributes) // 2)
        self.attribute_names.setdefault(path, set()).update(attributes[::2])
        for key, value in zip(attributes[::2], attributes[1::2], strict=True):
            if key.startswith("xmlns"):
                self.namespaces.setdefault(key, value)

    def _end(self, _: str) -> None:
        self._stack.pop()


@frozen
class Run:
    """Simple records that follow each other, from that line on: their text, and what finds one."""

    line: int
    data: bytes
    _simple: SimpleRecords

    @property
    def most_records(self) -> int:
        """How many there are at most: a text may contain what records end with."""
        return self.data.count(self._simple.end)

    def __iter__(self) -> Iterator[SentObject]:
        line, before = self.line, 0
        for found in self._simple.record.finditer(self.data):
            start, end = found.span("whole")
            if start > before:
                line += count_line_ends(self.data[before:start].decode())
            text = self.data[start:end].decode()
            yield line, f"{text}\n", members_of(text), "oversized_json"
            line += count_line_ends(text)
            before = end


@define
class Elements:
    """What a parser has found so far; `kept` are the bytes from `base` on.

    Its handlers are called several times for each cell: what they do seldom is in other methods.
    """

    _path: tuple[str, ...]
    _finds: SimpleRecords | None = None
    """What finds simple records, if not by their name alone."""
    _found: list[SentObject] = field(factory=list[SentObject])
    _stack: list[str] = field(factory=list[str])
    _within: int = 0
    """How many elements of the current record are open, itself included; 0 outside of records."""
    _room: int = DEEPEST_ELEMENT
    """How many may be."""
    _prefix: str = ""
    """What stands in front of the names of the elements in the innermost open one."""
    _opened: list[tuple[str, str, int]] = field(factory=list[tuple[str, str, int]])
    """The prefix around each open element, its own key, and where in `_text` it begins."""
    _text: list[str] = field(factory=list[str])
    _is_leaf: bool = False
    _mixed: set[int] = field(factory=set[int])
    """The depths at which an open element has text beside elements."""
    _since: int = 0
    """Where in `_text` the last tag was."""
    _members: dict[str, "str | list[str]"] = field(factory=dict[str, "str | list[str]"])
    _values: int = 0
    _is_oversized: bool = False
    _line: int = 0
    _begun: int = 0
    _last: int = 0
    _ended: int = -1
    """Where the last record ended, and on which line."""
    _ended_line: int = 0
    _base: int = 0
    _kept: bytearray = field(factory=bytearray)
    _parser: expat.XMLParserType = field(init=False, factory=new_parser)

    def read(self, blocks: Iterator[str]) -> Iterator[SentObject]:
        """Each record; FileRefused if the XML is broken or cut off."""
        for piece in self.pieces(blocks):
            yield from piece

    def pieces(self, blocks: Iterator[str]) -> Iterator[Run | Iterator[SentObject]]:
        """The same, simple records in runs; each piece has to be taken before the next one."""
        simple = self._simple()
        self._listen()
        rest = b""
        for block in without_late_prolog(blocks):
            data = rest + block.encode()
            if simple is None:
                yield self._parsed(data, final=False)
            else:
                rest = yield from self._read(data, simple)
        yield self._parsed(rest, final=False)
        yield self._parsed(b"", final=True)

    def _simple(self) -> SimpleRecords | None:
        """What finds simple records, if there may be any."""
        return self._finds or SimpleRecords.of(self._path[-1])

    def _listen(self) -> None:
        """Has the parser call for each tag and text outside of records."""
        self._parser.StartElementHandler = self._start
        self._parser.EndElementHandler = self._end
        self._parser.CharacterDataHandler = self._text.append

    def _read(
        self, data: bytes, simple: SimpleRecords
    ) -> Generator[Run | Iterator[SentObject], None, bytes]:
        """The records in the next bytes: simple ones behind each that was read tag by tag.

        A record that isn't whole yet is given back, so that it may be simple too.
        """
        at = 0
        while at < len(data):
            is_between = self._ended == self._base + len(self._kept)
            if is_between and (end := simple.end_of_run(data, at)) > at:
                yield self._run(data[at:end], simple)
                at = end
                continue
            found = data.find(simple.end, at)
            if is_between and found < 0 and len(data) - at <= _LONGEST_REST:
                return data[at:]
            end = len(data) if found < 0 else found + len(simple.end)
            yield self._parsed(data[at:end], final=False)
            at = end
        return b""

    def _run(self, data: bytes, simple: SimpleRecords) -> Run:
        """Simple records, which the parser only checks."""
        parser = self._parser
        parser.StartElementHandler = parser.EndElementHandler = None
        parser.CharacterDataHandler = None
        try:
            parser.Parse(data, False)  # noqa: FBT003 - the parser's own signature
        except expat.ExpatError as error:
            raise _refusal(error) from error
        self._listen()
        self._base += len(self._kept) + len(data)
        self._kept.clear()
        self._ended = self._last = self._base
        run = Run(self._ended_line, data, simple)
        has_returns = b"\r" in data
        self._ended_line += count_line_ends(data.decode()) if has_returns else data.count(b"\n")
        return run

    def _parsed(self, data: bytes, *, final: bool) -> Iterator[SentObject]:
        self._kept += data
        failure: FileRefused | None = None
        try:
            self._parser.Parse(data, final)
        except expat.ExpatError as error:
            failure = _refusal(error)
        found, self._found[:] = self._found[:], []
        yield from found
        if failure is not None:
            raise failure
        self._forget()

    def _forget(self) -> None:
        """Keeps what belongs to a record that isn't whole, or to a tag."""
        start = self._begun if self._within else self._last
        del self._kept[: start - self._base]
        self._base = start
        if len(self._kept) > LONGEST_RECORD:
            line = self._line if self._within else self._parser.CurrentLineNumber
            detail = f"What begins on line {line} has more than {LONGEST_RECORD:,} bytes."
            raise FileRefused("too_large", detail, "Send smaller records.", line=line)

    def _start(self, name: str, attributes: list[str]) -> None:
        """An element outside of records begins, or one that is a record."""
        self._last = self._parser.CurrentByteIndex
        if len(self._stack) >= DEEPEST_ELEMENT:
            raise self._too_deep()
        self._stack.append(name)
        if name == self._path[-1] and tuple(self._stack[-len(self._path) :]) == self._path:
            self._begin(attributes)

    def _begin(self, attributes: list[str]) -> None:
        """A record begins."""
        self._parser.StartElementHandler = self._open
        self._parser.EndElementHandler = self._close
        self._within, self._begun = 1, self._last
        self._room = DEEPEST_ELEMENT - len(self._stack)
        self._line = self._parser.CurrentLineNumber
        self._members, self._values, self._is_oversized = {}, 0, False
        self._text.clear()
        self._since = 0
        self._is_leaf = True
        self._add_all("", attributes)

    def _end(self, _: str) -> None:
        """An element outside of records ends."""
        self._last = self._parser.CurrentByteIndex
        self._stack.pop()

    def _open(self, name: str, attributes: list[str]) -> None:
        """An element in a record begins."""
        within = self._within
        if within >= self._room:
            raise self._too_deep()
        self._within = within + 1
        self._values += 1
        if self._is_oversized or within >= DEEPEST_JSON or self._values > MOST_JSON_VALUES:
            self._is_oversized = True
            return
        text = self._text
        count = len(text)
        if count != self._since:
            if count != self._since + 1 or not text[-1].isspace():
                self._note_text()
            self._since = count
        key = self._prefix + name
        self._opened.append((self._prefix, key, count))
        self._prefix = key + "/"
        self._is_leaf = True
        if attributes:
            self._add_all(key, attributes)

    def _close(self, name: str) -> None:  # noqa: ARG002 - what reads records in others needs it
        """An element in a record ends, or the record."""
        self._within -= 1
        if not self._within:
            self._finish()
            return
        if self._is_oversized:
            return
        text = self._text
        count = len(text)
        if self._is_leaf:
            self._prefix, key, start = self._opened.pop()
            value = (text[start] if count == start + 1 else "".join(text[start:])).strip(BLANKS)
            if key in self._members:
                self._add(key, value)
            else:
                self._members[key] = value
            self._is_leaf = False
        else:
            self._close_outer()
        self._since = count

    def _close_outer(self) -> None:
        """An element with others in it ends: what text it has beside them is its own."""
        self._note_text()
        depth = len(self._opened)
        self._prefix, key, start = self._opened.pop()
        if depth in self._mixed:
            self._mixed.discard(depth)
            self._add(key, "".join(self._text[start:]).strip(BLANKS))

    def _too_deep(self) -> FileRefused:
        detail = f"Elements are nested more than {DEEPEST_ELEMENT:,} deep."
        line = self._parser.CurrentLineNumber
        return FileRefused("too_large", detail, "Send a list of records.", line=line)

    def _add_all(self, key: str, attributes: list[str]) -> None:
        self._values += len(attributes) // 2
        for name, value in zip(attributes[::2], attributes[1::2], strict=True):
            if not name.startswith("xmlns"):
                self._add(f"{key}@{name}", value)

    def _add(self, key: str, value: str) -> None:
        known = self._members.get(key)
        if known is None:
            self._members[key] = value
        elif isinstance(known, list):
            known.append(value)
        else:
            self._members[key] = [known, value]

    def _note_text(self) -> None:
        """Notes whether there was text since the last tag: an element's own, beside others."""
        if self._opened and "".join(self._text[self._since :]).strip(BLANKS):
            self._mixed.add(len(self._opened))

    def _finish(self) -> None:
        """The record is whole."""
        self._last = self._parser.CurrentByteIndex
        self._parser.StartElementHandler = self._start
        self._parser.EndElementHandler = self._end
        text = "".join(self._text).strip(BLANKS) if self._is_leaf else ""
        if text:
            self._add(self._path[-1], text)
        end = self._end_of(self._begun)
        sent = self._kept[self._begun - self._base : end].decode() + "\n"
        made = None if self._is_oversized or self._values > MOST_JSON_VALUES else self._members
        self._found.append((self._line, sent, made, "oversized_json"))
        self._ended = self._base + end
        tag = self._kept[self._last - self._base : end]
        self._ended_line = self._parser.CurrentLineNumber + count_line_ends(tag.decode())
        self._stack.pop()
        self._prefix = ""
        self._opened.clear()
        self._mixed.clear()
        self._text.clear()

    def _end_of(self, begun: int) -> int:
        """Where in what is kept the element ends that began there, at whose end the parser is."""
        at = self._last - self._base
        start = TAG.match(self._kept, begun - self._base)
        if start is not None and start.end() == at and start[0].endswith(b"/>"):
            return at
        tag = TAG.match(self._kept, at)
        return tag.end() if tag else len(self._kept)
