"""Objects as records: the keys of the first ones are the header, and their values become cells."""

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import chain
from typing import Any, Final, cast

from commerce_core.base.errors import FileRefused
from commerce_core.base.text import BLANKS
from commerce_core.parsing.raw_records import (
    BROKEN_TEXT_KEPT,
    NOTHING_LACKING,
    RawRecord,
    count_line_ends,
)

OBJECTS_LOOKED_AT: Final = 1_000
"""Objects at the beginning of a file whose keys make its header."""
TEXT_LOOKED_AT: Final = 1 << 23
"""Characters of them; the object that reaches it is the last one."""

_HTTP: Final = ("http://", "https://")
WRITER: Final = json.JSONEncoder(ensure_ascii=False)
"""Writes JSON; made once, since a record may have a hundred thousand objects to write."""

SentObject = tuple[int, str, Mapping[str, Any] | None, str]
"""The line of an object, its text, what it is (None if it is broken) and the code of that."""


def object_records(
    objects: Iterator[SentObject], line: int, refused: FileRefused
) -> Iterator[RawRecord]:
    """The header, on that line, and all objects; raises `refused` if the first have no keys.

    Each record has a line of its own, so that it can be found by it: where several stand on one
    line, they count as lines.
    """
    looked_at = list(_first(objects))
    header = list(dict.fromkeys(key for _, _, made, _ in looked_at if made for key in made))
    if not header:
        raise refused
    yield RawRecord(line, header)
    yield from records_under(header, chain(looked_at, objects), line)


def records_under(
    header: Sequence[str], objects: Iterable[SentObject], line: int
) -> Iterator[RawRecord]:
    """Objects as records under a header; the first is on that line, or behind it."""
    places = {key: index for index, key in enumerate(header)}
    last = line - 1
    for begins, text, made, broken in objects:
        number = last = max(begins, last + 1)
        lines = max(1, count_line_ends(text))
        if made is None and text.strip(BLANKS):
            shown = text[:BROKEN_TEXT_KEPT]
            yield RawRecord(number, None, shown, lines, "", text, broken=broken)
        else:
            members = made or {}
            values = map(members.get, header)
            cells = [value if type(value) is str else cell(value) for value in values]
            lacks, late = _beside(members, places)
            yield RawRecord(number, cells, "", lines, "", text, lacks=lacks, late=late)


def cell(value: object) -> str:
    """A JSON value as a cell: numbers as written, lists of addresses with blanks between them."""
    match value:
        case None:
            return ""
        case bool():
            return "true" if value else "false"
        case str():
            return value
        case list():
            members = [cell(member) for member in cast("list[object]", value)]
            if len(members) > 1 and not all(member.startswith(_HTTP) for member in members):
                return WRITER.encode(value)
            return " ".join(members)
        case _:
            return WRITER.encode(value)


def _first(objects: Iterator[SentObject]) -> Iterator[SentObject]:
    """The objects whose keys make the header."""
    left = TEXT_LOOKED_AT
    for _, sent in zip(range(OBJECTS_LOOKED_AT), objects, strict=False):
        yield sent
        left -= len(sent[1])
        if left <= 0:
            return


def _beside(
    members: Mapping[str, object], places: Mapping[str, int]
) -> tuple[frozenset[int], tuple[tuple[str, str], ...]]:
    """The places of the keys that an object lacks, and its keys and cells that have no place."""
    if members.keys() == places.keys():
        return NOTHING_LACKING, ()
    late = tuple((key, cell(value)) for key, value in members.items() if key not in places)
    return frozenset(place for key, place in places.items() if key not in members), late
