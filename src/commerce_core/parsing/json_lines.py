"""JSON lines: one object a line, whose keys are the header, and how an object is written back."""

import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import accumulate, chain
from typing import Any, Final, cast

from attrs import evolve, frozen

from commerce_core.base.errors import FileRefused
from commerce_core.base.text import BLANKS
from commerce_core.parsing.raw_records import (
    BROKEN_TEXT_KEPT,
    NOTHING_LACKING,
    RawRecord,
    split_lines,
    without_end,
)
from commerce_core.schema.fields import DEEPEST_JSON, MOST_JSON_VALUES

OBJECTS_LOOKED_AT: Final = 1_000
"""Objects at the beginning of a file whose keys make its header."""
TEXT_LOOKED_AT: Final = 1 << 23
"""Characters of them; the object that reaches it is the last one."""

_HTTP: Final = ("http://", "https://")
_STRING: Final = re.compile(r'"[^"\\]*+(?:\\.[^"\\]*+)*+(?:"|\\?\Z)', re.DOTALL)
"""A string; it may be unclosed, so that no text is looked at twice."""
_NO_BRACKET: Final = re.compile(r"[^\[\]{}]+")
_DEEPER: Final = {"[": 1, "{": 1, "]": -1, "}": -1}
_KEY: Final = re.compile(r'[\s,]*(?=")')
_COLON: Final = re.compile(r"\s*:\s*")


@frozen
class JsonLines:
    """One JSON object a line."""

    @property
    def delimiter(self) -> None:
        """There is none."""

    def records(self, blocks: Iterator[str], line: int = 1) -> Iterator[RawRecord]:
        """The header made of the keys, and all objects; FileRefused if there are no keys."""
        return read_jsonl(blocks, line)

    def rows(self, columns: Sequence[str], header: RawRecord) -> "JsonRows":
        """Writes records of a file with that header as they came, behind further keys."""
        return JsonRows(columns, header)

    def rewrite(self, raw: RawRecord, header: Sequence[str], cells: list[str]) -> RawRecord:
        """The record with these cells, as if they had been sent; values that stay are as they were.

        A cell that changes becomes a text.
        """
        changes = {
            key: new
            for key, old, new in zip(header, raw.cells or (), cells, strict=False)
            if old != new
        }
        return evolve(raw, cells=cells, sent=_with_members(raw.sent, changes))


@frozen
class JsonRows:
    """Objects with a report's own keys in front; no spreadsheet opens them, so none is escaped."""

    _columns: Sequence[str]
    _header: RawRecord

    def first(self, front: Sequence[object]) -> str:
        """A record with all keys and without values, which is blank, so that no key is missing."""
        keys = dict.fromkeys(self._header.cells or ())
        return json.dumps({**self._named(front), **keys}) + "\n"

    def row(self, front: Sequence[object], raw: RawRecord) -> str:
        """The line of a record, behind these values."""
        own, text = json.dumps(self._named(front)), without_end(raw.sent)
        if not text.startswith("{"):
            return f"{own} {text}\n"
        rest = text[1:]
        return f"{own[:-1]}{'' if rest.lstrip() == '}' else ', '}{rest}\n"

    def _named(self, front: Sequence[object]) -> dict[str, object]:
        return dict(zip(self._columns, front, strict=True))


def read_jsonl(blocks: Iterator[str], first_line: int = 1) -> Iterator[RawRecord]:
    """The objects of a JSONL file as records under one header, which is made of their keys."""
    lines = enumerate(split_lines(blocks), start=first_line)
    looked_at = [(number, line, *_object(line)) for number, line in _first(lines)]
    header = list(dict.fromkeys(key for _, _, made, _ in looked_at if made for key in made))
    if not header:
        detail = (
            "The file begins like JSON, but none of its first lines is a whole object with keys."
        )
        raise FileRefused("json", detail, "Send one JSON object per line, or CSV.", line=first_line)
    yield RawRecord(first_line, header)
    places = {key: index for index, key in enumerate(header)}
    later = ((number, line, *_object(line)) for number, line in lines)
    for number, line, made, broken in chain(looked_at, later):
        if made is None and line.strip(BLANKS):
            text = line[:BROKEN_TEXT_KEPT]
            yield RawRecord(number, None, text, delimiter="", sent=line, broken=broken)
        else:
            members = made or {}
            values = map(members.get, header)
            cells = [value if type(value) is str else _cell(value) for value in values]
            lacks, late = _beside(members, places)
            yield RawRecord(number, cells, delimiter="", sent=line, lacks=lacks, late=late)


def _beside(
    members: Mapping[str, object], places: Mapping[str, int]
) -> tuple[frozenset[int], tuple[tuple[str, str], ...]]:
    """The places of the keys that an object lacks, and its keys and cells that have no place."""
    if members.keys() == places.keys():
        return NOTHING_LACKING, ()
    late = tuple((key, _cell(value)) for key, value in members.items() if key not in places)
    return frozenset(place for key, place in places.items() if key not in members), late


def begins_json(head: str) -> bool:
    """Whether a text that begins like this consists of JSON objects."""
    return head.lstrip(BLANKS).startswith("{")


def _with_members(sent: str, changes: dict[str, str]) -> str:
    """The text of an object in which these members have other values, or come last if new."""
    brace = sent.index("{") + 1
    parts, at, left = [sent[:brace]], brace, dict(changes)
    for key, start, end in _members(sent, brace):
        parts += [sent[at:start], _text(left.pop(key)) if key in left else sent[start:end]]
        at = end
    new = ", ".join(f"{_text(key)}: {_text(value)}" for key, value in left.items())
    separator = ", " if new and at > brace else ""
    return "".join((*parts, separator, new, sent[at:]))


def _members(text: str, at: int) -> Iterator[tuple[str, int, int]]:
    """Each key of an object whose brace is before `at`, and where its value begins and ends."""
    while (found := _KEY.match(text, at)) is not None:
        key, at = _AS_WRITTEN.raw_decode(text, found.end())
        colon = _COLON.match(text, at)
        start = colon.end() if colon else at
        _, at = _AS_WRITTEN.raw_decode(text, start)
        yield key, start, at


def _text(value: str) -> str:
    return _WRITER.encode(value)


def _first(lines: Iterable[tuple[int, str]]) -> Iterator[tuple[int, str]]:
    """The lines whose keys make the header."""
    left = TEXT_LOOKED_AT
    for _, (number, line) in zip(range(OBJECTS_LOOKED_AT), lines, strict=False):
        yield number, line
        left -= len(line)
        if left <= 0:
            return


def _object(line: str) -> tuple[dict[str, Any] | None, str]:
    """The object of a line; None if it is none, repeats a key or is too large, and which it is."""
    if _is_oversized(line):
        return None, "oversized_json"
    try:
        made: object = _AS_WRITTEN.decode(line)
    except ValueError:
        return None, "malformed_json"
    return cast("dict[str, Any]", made) if isinstance(made, dict) else None, "malformed_json"


def _is_oversized(line: str) -> bool:
    """Whether a record has too many values or nests them too deep, known before it is decoded."""
    if sum(map(line.count, ",[{")) <= DEEPEST_JSON:
        return False
    bare = _STRING.sub("", line)
    if sum(map(bare.count, ",[{")) > MOST_JSON_VALUES:
        return True
    depths = accumulate(_DEEPER[bracket] for bracket in _NO_BRACKET.sub("", bare))
    return max(depths, default=0) > DEEPEST_JSON


def _pairs(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    made = dict(pairs)
    if len(made) != len(pairs):
        raise ValueError("a key occurs twice")
    return made


_AS_WRITTEN: Final = json.JSONDecoder(parse_float=str, parse_int=str, object_pairs_hook=_pairs)
"""Reads JSON, its numbers as they are written; making a decoder costs as much as reading a line."""
_WRITER: Final = json.JSONEncoder(ensure_ascii=False)
"""Writes JSON; made once, since a record may have a hundred thousand objects to write."""


def _cell(value: object) -> str:
    """A JSON value as a cell: numbers as written, lists of addresses with blanks between them."""
    match value:
        case None:
            return ""
        case bool():
            return "true" if value else "false"
        case str():
            return value
        case list():
            members = [_cell(member) for member in cast("list[object]", value)]
            if len(members) > 1 and not all(member.startswith(_HTTP) for member in members):
                return _WRITER.encode(value)
            return " ".join(members)
        case _:
            return _WRITER.encode(value)
