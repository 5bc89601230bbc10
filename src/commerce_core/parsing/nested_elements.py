"""Elements within elements as records: the variants of a product, each with what is around it.

The text of such a record is its element, with the one around it in an element of ours, `_parent`,
but for the records in that one. So a report can have each record by itself, and is read again:

    <variant><sku>A-1</sku><_parent><title>Lamp</title></_parent></variant>
"""

import re
from collections.abc import Iterator, Mapping
from itertools import pairwise
from typing import Any, Final

from attrs import define, field

from commerce_core.base.text import BLANKS
from commerce_core.parsing.carrying import Carrying
from commerce_core.parsing.nesting import AROUND
from commerce_core.parsing.objects import SentObject
from commerce_core.parsing.xml_elements import Elements

PARENT: Final = "_parent"
_NAME: Final = re.compile(rb"<([^\s/>]+)")
_IN_PARENT: Final = re.compile(rf"((?:{PARENT}/)*){PARENT}(?:/|(?=@))")

Members = dict[str, "str | list[str]"]
Made = tuple[int, bytes, Members]
"""The line of a record, its text, and its members."""


@define
class _Level:
    """An element that is a record, or has such ones in it; the others are what goes on behind it.

    These are the members, the open elements and what is mixed in the element around it.
    """

    line: int
    begun: int
    around: Members = field(factory=Members)
    opened: list[tuple[str, str, int]] = field(factory=list[tuple[str, str, int]])
    mixed: set[int] = field(factory=set[int])
    members: Members = field(factory=Members)
    text: bytes = b""
    inner: "list[_Level]" = field(factory=list["_Level"])
    spans: list[tuple[int, int]] = field(factory=list[tuple[int, int]])

    def take(self, kept: bytearray, base: int, end: int) -> None:
        """Takes its text, without that of the records in it."""
        edges = [self.begun, *(edge for span in self.spans for edge in span), end]
        parts = [kept[a - base : b - base] for a, b in list(pairwise(edges))[::2]]
        self.text = b"".join(parts)


@define
class NestedElements(Elements):
    """Reads elements at a path, and of each those in it that are the records.

    `levels` are the names that lead from one to those in it.
    """

    levels: tuple[tuple[str, ...], ...] = ()
    _current: list[_Level] = field(factory=list[_Level])
    _outer: list[_Level] = field(factory=list[_Level])
    _carrying: Carrying = field(factory=Carrying)

    def read(self, blocks: Iterator[str]) -> Iterator[SentObject]:
        """Each record; FileRefused if the XML is broken or cut off."""
        for line, sent, made, broken in super().read(blocks):
            self._carrying.read += len(sent)
            level = self._outer.pop(0)
            if made is None:
                yield line, sent, None, broken
                continue
            for begun, text, members in self._records(level, len(self.levels)):
                yield begun, f"{text.decode()}\n", members, broken

    def _simple(self) -> None:
        """None of them is: there are others in it."""

    def _records(self, level: _Level, left: int) -> Iterator[Made]:
        if not left:
            yield level.line, _with_end(level.text), level.members
            return
        around: Members = {AROUND * left + name: v for name, v in level.members.items()}
        parent = _as_parent(level.text)
        if not level.inner:
            name = self.levels[-1][-1].encode()
            yield level.line, b"<%b>%b</%b>" % (name, parent, name), around
        for inner in level.inner:
            for line, text, members in self._records(inner, left - 1):
                self._carrying.take(len(parent), line)
                yield line, _with_parent(text, parent, left), {**members, **around}

    def _begin(self, attributes: list[str]) -> None:
        super()._begin(attributes)
        self._current[:] = [_Level(self._line, self._begun)]

    def _open(self, name: str, attributes: list[str]) -> None:
        depth = len(self._current) - 1
        wanted = self.levels[depth] if depth < len(self.levels) else None
        if wanted is None or self._prefix + name != "/".join(wanted):
            super()._open(name, attributes)
            return
        super()._open(name, [])
        if not self._is_oversized:
            at, line = self._parser.CurrentByteIndex, self._parser.CurrentLineNumber
            self._current.append(_Level(line, at, self._members, self._opened, self._mixed))
            self._members, self._opened, self._mixed, self._prefix = {}, [], set(), ""
            self._add_all("", attributes)

    def _close(self, name: str) -> None:
        if len(self._current) < 2 or self._opened or self._is_oversized:  # noqa: PLR2004 - its own
            super()._close(name)
        else:
            self._close_level(name)

    def _close_level(self, name: str) -> None:
        """A record within another is whole, and the other goes on."""
        self._last = self._parser.CurrentByteIndex
        self._within -= 1
        level = self._current.pop()
        own, self._members = self._members, level.around
        self._opened, self._mixed = level.opened, level.mixed
        self._prefix, _, start = self._opened.pop()
        text = "".join(self._text[start:]).strip(BLANKS) if self._is_leaf else ""
        level.members = {**own, name: text} if text else own
        self._since, self._is_leaf = len(self._text), False
        end = self._end_of(level.begun) + self._base
        level.take(self._kept, self._base, end)
        self._current[-1].inner.append(level)
        self._current[-1].spans.append((level.begun, end))

    def _finish(self) -> None:
        self._last = self._parser.CurrentByteIndex
        level = self._current[0]
        level.take(self._kept, self._base, self._end_of(level.begun) + self._base)
        super()._finish()
        level.members = self._members
        self._outer.append(level)
        self._current.clear()


def with_parents(objects: Iterator[SentObject]) -> Iterator[SentObject]:
    """The records of a report, whose parents are around them again."""
    for sent in objects:
        members = sent[2]
        if members is not None and any(name.startswith(PARENT) for name in members):
            yield sent[0], sent[1], _unwrapped(members), sent[3]
        else:
            yield sent


def _unwrapped(members: Mapping[str, Any]) -> dict[str, Any]:
    return {_IN_PARENT.sub(_around, name, 1): v for name, v in members.items() if name != PARENT}


def _around(found: re.Match[str]) -> str:
    return AROUND * (found[1].count("/") + 1)


def _with_end(text: bytes) -> bytes:
    """An element with an end tag of its own."""
    name = _NAME.match(text)
    return text[:-2] + b"></%b>" % name[1] if name and text.endswith(b"/>") else text


def _as_parent(text: bytes) -> bytes:
    """The same element under the name that it has around a record."""
    name = _NAME.match(text)
    whole = _with_end(text)
    begun = name.end() if name else 0
    return b"<%b%b</%b>" % (PARENT.encode(), whole[begun : whole.rfind(b"</")], PARENT.encode())


def _with_parent(text: bytes, parent: bytes, left: int) -> bytes:
    """An element with that around it, behind those nearer to it."""
    at = len(text)
    for _ in range(left):
        at = text.rfind(b"</", 0, at)
    return text[:at] + parent + text[at:]
