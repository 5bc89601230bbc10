"""JSON lines: one object a line, whose keys are the header, and how an object is written back."""

import json
import re
from collections.abc import Iterator, Sequence
from itertools import accumulate
from typing import Any, Final, cast

from attrs import evolve, frozen

from commerce_core.base.errors import FileRefused
from commerce_core.base.text import BLANKS
from commerce_core.parsing.nesting import DECLARED, Nesting
from commerce_core.parsing.objects import WRITER, object_records
from commerce_core.parsing.raw_records import RawRecord, split_lines, without_end
from commerce_core.profiles.mapping import REPORT_COLUMNS
from commerce_core.schema.fields import DEEPEST_JSON, MOST_JSON_VALUES

STRING: Final = re.compile(r'"[^"\\]*+(?:\\.[^"\\]*+)*+(?:"|\\?\Z)', re.DOTALL)
"""A string; it may be unclosed, so that no text is looked at twice."""
_NO_BRACKET: Final = re.compile(r"[^\[\]{}]+")
_DEEPER: Final = {"[": 1, "{": 1, "]": -1, "}": -1}
_KEY: Final = re.compile(r'[\s,]*(?=")')
_FRONT: Final = re.compile(rf'[{BLANKS}]*\{{\s*"{REPORT_COLUMNS[0]}"\s*:')
_COLON: Final = re.compile(r"\s*:\s*")


@frozen
class JsonLines:
    """One JSON object a line, with records in it as `nesting` has it."""

    nesting: Nesting = DECLARED

    @property
    def delimiter(self) -> None:
        """There is none."""

    @property
    def records_are(self) -> str:
        """What its records are, in words."""
        return "lines of JSON"

    def records(self, blocks: Iterator[str], line: int = 1) -> Iterator[RawRecord]:
        """The header made of the keys, and all objects; FileRefused if there are no keys."""
        return read_jsonl(blocks, line, self.nesting)

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

    def last(self) -> str:
        """What stands behind the last row: nothing."""
        return ""

    def _named(self, front: Sequence[object]) -> dict[str, object]:
        return dict(zip(self._columns, front, strict=True))


def read_jsonl(
    blocks: Iterator[str], first_line: int = 1, nesting: Nesting = DECLARED
) -> Iterator[RawRecord]:
    """The objects of a JSONL file as records under one header, which is made of their keys."""
    lines = enumerate(split_lines(blocks), start=first_line)
    detail = "The file begins like JSON, but none of its first lines is a whole object with keys."
    remedy = "Send one JSON object per line, or CSV."
    refused = FileRefused("json", detail, remedy, line=first_line)
    objects = ((number, line, *read_object(line)) for number, line in lines)
    return object_records(nesting.unfolded(objects, first_line), first_line, refused)


def begins_json(head: str) -> bool:
    """Whether a text that begins like this consists of JSON objects."""
    return head.lstrip(BLANKS).startswith("{")


def begins_report(head: str) -> bool:
    """Whether a text begins with an object of a report of ours, whose records are lines."""
    return _FRONT.match(head) is not None


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
        key, at = AS_WRITTEN.raw_decode(text, found.end())
        colon = _COLON.match(text, at)
        start = colon.end() if colon else at
        _, at = AS_WRITTEN.raw_decode(text, start)
        yield key, start, at


def _text(value: str) -> str:
    return WRITER.encode(value)


def read_object(line: str) -> tuple[dict[str, Any] | None, str]:
    """The object of a line; None if it is none, repeats a key or is too large, and which it is."""
    if is_oversized(line):
        return None, "oversized_json"
    try:
        made: object = AS_WRITTEN.decode(line)
    except ValueError:
        return None, "malformed_json"
    return cast("dict[str, Any]", made) if isinstance(made, dict) else None, "malformed_json"


def is_oversized(line: str) -> bool:
    """Whether a record has too many values or nests them too deep, known before it is decoded."""
    if sum(map(line.count, ",[{")) <= DEEPEST_JSON:
        return False
    bare = STRING.sub("", line)
    if sum(map(bare.count, ",[{")) > MOST_JSON_VALUES:
        return True
    depths = accumulate(_DEEPER[bracket] for bracket in _NO_BRACKET.sub("", bare))
    return max(depths, default=0) > DEEPEST_JSON


def _pairs(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    made = dict(pairs)
    if len(made) != len(pairs):
        raise ValueError("a key occurs twice")
    return made


AS_WRITTEN: Final = json.JSONDecoder(parse_float=str, parse_int=str, object_pairs_hook=_pairs)
"""Reads JSON, its numbers as they are written; making a decoder costs as much as reading a line."""
