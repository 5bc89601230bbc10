"""JSON documents: objects in a list, or one behind the other, each over as many lines as it takes.

[{...}, {...}]                       the file is the list
{"data": {"products": [{...}]}}      the list is within it, at `data/products`
{...} {...}                          no list at all
"""

import re
from collections.abc import Iterator, Sequence
from typing import Any, Final, cast

from attrs import define, field, frozen

from commerce_core.base.errors import FileRefused
from commerce_core.base.text import BLANKS
from commerce_core.parsing.json_lines import (
    AS_WRITTEN,
    STRING,
    JsonRows,
    is_oversized,
    read_object,
)
from commerce_core.parsing.nesting import (
    DECLARED,
    Nesting,
    has_key_of_record,
    is_called_variants,
)
from commerce_core.parsing.objects import SentObject, object_records
from commerce_core.parsing.other_files import RECORD_KEYS
from commerce_core.parsing.raw_records import LONGEST_RECORD, RawRecord, count_line_ends

_MOST_AT_ONCE: Final = 1 << 20
"""Characters of which an object is decoded before it is measured."""
_BROKEN: Final = "malformed_json"
_GOES_ON: Final = ("{", "[", ",", ":")
_BETWEEN: Final = re.compile(r"[\s,]*")
_BLANK: Final = re.compile(r"\s*")
_LIST_OF_OBJECTS: Final = re.compile(r"\[\s*(?:\{|\]\s*\})")
_TOKEN: Final = re.compile(rf"{STRING.pattern}|[\[\]{{}}]", re.DOTALL)
_END_OF_SCALAR: Final = re.compile(r"[,\]}]")
_DEPTHS: Final = {"[": 1, "{": 1, "]": -1, "}": -1}
_DEEPEST_LIST: Final = 5
"""Objects around the list of records."""


@frozen
class JsonDocument:
    """Objects in a list at `path`, keys with / between them; None if there is no list.

    `nesting` is where records are within them.
    """

    path: str | None
    nesting: Nesting = DECLARED

    @property
    def delimiter(self) -> None:
        """There is none."""

    @property
    def records_are(self) -> str:
        """What its records are, in words."""
        return "objects of a JSON document"

    def records(self, blocks: Iterator[str], line: int = 1) -> Iterator[RawRecord]:
        """The header made of the keys, and all objects; FileRefused if it isn't as `path` says."""
        source = _Source(blocks, line)
        objects = _one_by_one(source) if self.path is None else _in_list(source, self.path)
        detail = "The file is JSON, but its first objects have no keys."
        refused = FileRefused("json", detail, "Send one object per product.", line=line)
        return object_records(self.nesting.unfolded(objects, line), line, refused)

    def rows(self, columns: Sequence[str], header: RawRecord) -> JsonRows:
        """Writes records as JSON Lines, each object on a line of its own."""
        return JsonRows(columns, header)


def document_in(head: str, path: str | None) -> JsonDocument | None:
    """The document that a text begins with; None if it is no JSON, or JSON lines.

    `path` is the one that the profile declares. By default it is where the only list of objects
    begins, before anything that is a record itself; a blank one is the file itself.
    """
    text = head.lstrip(BLANKS)
    if text.startswith("["):
        return JsonDocument("")
    if not text.startswith("{"):
        return None
    if path:
        return JsonDocument(path)
    first, _, rest = text.partition("\n")
    is_whole = not is_oversized(first) and read_object(first)[0] is not None
    if rest.strip(BLANKS) and (is_whole or _are_lines(first, rest)):
        return None
    found = _path_in(text, 0, ()) if path is None else None
    if found is not None:
        return JsonDocument("/".join(found))
    return None if is_whole or not rest else JsonDocument(None)


def _are_lines(first: str, rest: str) -> bool:
    """Whether two lines are a record each, of which the first is broken."""
    return rest.lstrip(BLANKS).startswith("{") and not first.rstrip(BLANKS).endswith(_GOES_ON)


def _path_in(text: str, at: int, path: tuple[str, ...]) -> tuple[str, ...] | None:
    """The keys of the first list of objects within the object that begins there."""
    if len(path) >= _DEEPEST_LIST:
        return None
    keys = list[str]()
    for key, value in _members(text, at):
        if key in RECORD_KEYS and not path:
            return None
        keys.append(key)
        if is_called_variants(key) and has_key_of_record(keys):
            return None
        if _LIST_OF_OBJECTS.match(text, value):
            return (*path, key)
        if text.startswith("{", value) and (found := _path_in(text, value, (*path, key))):
            return found
    return None


def _members(text: str, at: int) -> Iterator[tuple[str, int]]:
    """Each key of the object that begins there, and where its value does, as far as it is whole."""
    at += 1
    while True:
        at = _end_of(_BETWEEN, text, at)
        try:
            key, at = AS_WRITTEN.raw_decode(text, at)
            at = _end_of(_BLANK, text, at)
            if not isinstance(key, str) or not text.startswith(":", at):
                return
            value = _end_of(_BLANK, text, at + 1)
            yield key, value
            end = _extent(text, value)
            at = AS_WRITTEN.raw_decode(text, value)[1] if end is None else end
        except ValueError:
            return


def _extent(text: str, at: int) -> int | None:
    """Where the object or list ends that begins there; None if it is neither, or isn't whole."""
    if text[at : at + 1] not in ("{", "["):
        return None
    depth = 0
    for found in _TOKEN.finditer(text, at):
        depth += _DEPTHS.get(found[0], 0)
        if not depth:
            return found.end()
    raise ValueError("it isn't whole")


def _end_of(pattern: re.Pattern[str], text: str, at: int) -> int:
    found = pattern.match(text, at)
    return found.end() if found else at


@define
class _Source:
    """The text of a document, of which the part from `at` on is kept; `line` is that of `at`."""

    _blocks: Iterator[str]
    line: int
    text: str = ""
    at: int = 0
    ended: bool = False
    _counted: int = field(init=False, default=0)

    def grow(self) -> bool:
        """Adds a block; False at the end of the text."""
        block = next(self._blocks, None)
        if block is None:
            self.ended = True
            return False
        self._count()
        self.text, self.at, self._counted = self.text[self.at :] + block, 0, 0
        return True

    def line_here(self) -> int:
        """The line of the place."""
        self._count()
        return self.line

    def skip(self, pattern: re.Pattern[str]) -> str:
        """The next character behind a pattern; none at the end of the text."""
        while True:
            self.at = _end_of(pattern, self.text, self.at)
            if self.at < len(self.text):
                return self.text[self.at]
            if not self.grow():
                return ""

    def _count(self) -> None:
        self.line += count_line_ends(self.text[self._counted : self.at])
        self._counted = self.at


def _one_by_one(source: _Source) -> Iterator[SentObject]:
    """Objects that follow each other."""
    while source.skip(_BETWEEN):
        yield _next_object(source)


def _in_list(source: _Source, path: str) -> Iterator[SentObject]:
    """The objects of the list; FileRefused if it isn't there, or isn't closed."""
    _enter(source, tuple(filter(None, path.split("/"))))
    while (mark := source.skip(_BETWEEN)) != "]":
        if not mark:
            raise _cut_off(source.line_here())
        yield _next_object(source)


def _enter(source: _Source, path: tuple[str, ...]) -> None:
    """Goes behind the bracket of the list."""
    source.skip(_BLANK)
    while (
        not (found := _place_of(source.text, source.at, path))
        and len(source.text) - source.at <= LONGEST_RECORD
    ):
        if not source.grow():
            break
    if not found:
        where = "/".join(path)
        detail = f"The file is JSON, but has no list at {where}, which the profile declares."
        remedy = "Send the list there, or correct record_path in the profile."
        raise FileRefused("json", detail, remedy, line=source.line_here())
    source.at = found


def _place_of(text: str, at: int, path: tuple[str, ...]) -> int:
    """Behind the bracket of the list; 0 if it isn't in the text."""
    for key in path:
        if not text.startswith("{", at):
            return 0
        at = next((value for name, value in _members(text, at) if name == key), len(text))
    return at + 1 if text.startswith("[", at) else 0


def _next_object(source: _Source) -> SentObject:
    """The object that begins here, and goes behind it; FileRefused if it never ends."""
    line, at = source.line_here(), source.at
    if len(source.text) - at <= _MOST_AT_ONCE:
        try:
            made, end = AS_WRITTEN.raw_decode(source.text, at)
        except (ValueError, RecursionError):
            return _measured(source, line)
        sent = source.text[at:end]
        if isinstance(made, dict) and not is_oversized(sent):
            source.at = end
            return line, f"{sent}\n", cast("dict[str, Any]", made), _BROKEN
    return _measured(source, line)


def _measured(source: _Source, line: int) -> SentObject:
    """The same for an object that is long, broken, or no object at all."""
    end, wanted = None, 0
    while end is None:
        size = len(source.text) - source.at
        if size > LONGEST_RECORD:
            detail = f"The object on line {line} has more than {LONGEST_RECORD:,} characters."
            raise FileRefused("too_large", detail, "Close quotes and braces.", line=line)
        # It isn't looked through again with each block.
        if size >= wanted or source.ended:
            end, wanted = _end_of_value(source.text, source.at), 2 * size
            if end is None and source.ended:
                raise _cut_off(line)
        if end is None:
            source.grow()
    sent = source.text[source.at : end]
    source.at = end
    made, broken = read_object(sent)
    return line, f"{sent}\n", made, broken


def _end_of_value(text: str, at: int) -> int | None:
    """Where a value ends; None if the text ends before it."""
    if text[at] in "{[":
        try:
            return _extent(text, at)
        except ValueError:
            return None
    found = _END_OF_SCALAR.search(text, at + 1)
    return found.start() if found else None


def _cut_off(line: int) -> FileRefused:
    detail = f"The file is cut off: it ends on line {line}, within its list or an object."
    return FileRefused("truncated", detail, "Send the whole file again.", line=line)
