"""XML: each element at one path is a record, and the elements and attributes in it are its cells.

    <rss><channel><item><g:id>A</g:id></item></channel></rss>      the column `g:id`
    <product id="A"><price currency="EUR">5</price></product>      `@id`, `price`, `price@currency`
    <product><images><image>https://...</image></images>           `images/image`

An element that occurs several times in a record is a list. Entities of its own and document types
are refused, so nothing outside the file is read, and nothing expands.
"""

import re
from collections.abc import Iterator, Sequence
from typing import Final
from xml.sax.saxutils import escape, quoteattr

from attrs import frozen

from commerce_core.base.errors import FileRefused
from commerce_core.base.text import BLANKS
from commerce_core.parsing.nested_elements import NestedElements, with_parents
from commerce_core.parsing.nesting import (
    DECLARED,
    Nesting,
    has_key_of_record,
    is_called_variants,
    nesting_of,
)
from commerce_core.parsing.objects import SentObject, object_records
from commerce_core.parsing.raw_records import RawRecord
from commerce_core.parsing.xml_elements import (
    KNOWN_ROOTS,
    REPORT_ROOT,
    TAG,
    Elements,
    Outline,
)
from commerce_core.profiles.profile import is_encoding

_PROLOG: Final = re.compile(r"\s*(<\?xml\b[^>]*\?>)")
_ENCODING: Final = re.compile(
    rb"""^[^<]{0,3}<\?xml\b[^>]*\bencoding\s*=\s*["']([A-Za-z0-9._-]+)["']"""
)
_START: Final = re.compile(TAG.pattern.decode())


@frozen
class Xml:
    """Elements whose path ends with `path` are records, or have records in them by `nesting`.

    `prolog` and `namespaces` are those of the file, for a report on it.
    """

    path: tuple[str, ...]
    prolog: str = '<?xml version="1.0" encoding="UTF-8"?>'
    namespaces: tuple[tuple[str, str], ...] = ()
    nesting: Nesting = DECLARED

    @property
    def delimiter(self) -> None:
        """There is none."""

    @property
    def records_are(self) -> str:
        """What its records are, in words."""
        return "elements of XML"

    def records(self, blocks: Iterator[str], line: int = 1) -> Iterator[RawRecord]:
        """The header made of the elements' names, and all records.

        FileRefused if the XML isn't well-formed, isn't whole, or has no records.
        """
        where = "/".join(self.path)
        detail = f"The file is XML, but has no records at {where}."
        remedy = "Declare the path of the element that is a record: record_path in the profile."
        refused = FileRefused("xml", detail, remedy, line=line)
        return object_records(self._read(blocks, line), line, refused)

    def _read(self, blocks: Iterator[str], line: int) -> Iterator[SentObject]:
        if self.path[0] == REPORT_ROOT:
            return with_parents(Elements(self.path).read(blocks))
        if levels := self.nesting.levels:
            return NestedElements(self.path, levels=levels).read(blocks)
        return self.nesting.checked(Elements(self.path).read(blocks), line)

    def rows(self, columns: Sequence[str], header: RawRecord) -> "XmlRows":  # noqa: ARG002
        """Writes records as they came, with further elements in front; no names are needed."""
        return XmlRows(columns, self)


@frozen
class XmlRows:
    """Elements with a report's own ones in front, below a root of ours."""

    _columns: Sequence[str]
    _format: Xml

    def first(self, front: Sequence[object]) -> str:  # noqa: ARG002 - it is in each row
        """The prolog and the root."""
        names = "".join(f" {name}={quoteattr(uri)}" for name, uri in self._format.namespaces)
        return f"{self._format.prolog}\n<{REPORT_ROOT}{names}>\n"

    def row(self, front: Sequence[object], raw: RawRecord) -> str:
        """The element of a record, with these values in front."""
        named = zip(self._columns, front, strict=True)
        own = "".join(f"<{name}>{escape(str(v))}</{name}>" for name, v in named if v is not None)
        start = _START.match(raw.sent)
        tag = start[0] if start else ""
        rest = raw.sent[len(tag) :]
        if tag.endswith("/>"):
            name = re.split(r"[\s/>]", tag[1:], maxsplit=1)[0]
            return f"{tag[:-2]}>{own}</{name}>{rest}"
        return f"{tag}{own}{rest}"

    def last(self) -> str:
        """The end of the root."""
        return f"</{REPORT_ROOT}>\n"


def xml_in(head: str, path: str | None) -> Xml | None:
    """The XML that a text begins with; None if it is none. The profile may declare a `path`."""
    if not head.lstrip(BLANKS).startswith("<"):
        return None
    outline = Outline.of(head)
    declared, nesting = nesting_of(path)
    wanted = tuple(filter(None, (declared or "").split("/")))
    found = outline.path if outline.root == REPORT_ROOT else wanted or outline.path
    if path is None and outline.root != REPORT_ROOT:
        nesting = Nesting(f"{'/'.join(found)}[]", misplaced=_misplaced(outline, found))
    prolog = _PROLOG.match(head.lstrip(BLANKS))
    return Xml(found, prolog[1] if prolog else "", tuple(outline.namespaces.items()), nesting)


def _misplaced(outline: Outline, path: tuple[str, ...]) -> str | None:
    """The path to declare if the records that were found are variants in a product."""
    for length in range(1, len(path)):
        around = path[:length]
        if outline.root not in KNOWN_ROOTS and has_key_of_record(outline.names_in(around)):
            within = path[length:]
            if is_called_variants(*within):
                return f"{'/'.join(around)}[]/{'/'.join(within)}[]"
    return None


def encoding_in(head: bytes) -> str | None:
    """The encoding that the prolog of an XML file declares; None if it is none."""
    found = _ENCODING.match(head)
    name = found[1].decode() if found else ""
    return name if is_encoding(name) else None


def without_front(sent: str, columns: Sequence[str]) -> str:
    """The text of a record without a report's own elements."""
    start = _START.match(sent)
    at = start.end() if start else 0
    names = "|".join(map(re.escape, columns))
    front = re.compile(rf"(?:<({names})>[^<]*</\1>|<(?:{names})/>)+").match(sent, at)
    return sent[:at] + sent[front.end() if front else at :]
