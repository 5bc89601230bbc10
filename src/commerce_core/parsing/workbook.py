"""Workbooks (.xlsx): the rows of one sheet, as a stream of text, each row on a line of its own.

A cell is the text that a person sees in it, as far as feeds need it: numbers to 15 digits, dates as
YYYY-MM-DD, what a formula came to, a number formatted as 0000 with its zeros, an amount with the
currency of its format. The text isn't meant
for people: `sheet_rows` takes it apart again.
"""

import re
import zipfile
import zlib
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from io import BytesIO
from typing import Final
from xml.parsers import expat

from attrs import define, field, frozen

from commerce_core.base.errors import FileRefused
from commerce_core.base.money import find_currency
from commerce_core.base.text import did_you_mean
from commerce_core.parsing.sheet_rows import (
    Place,
    Rows,
    Show,
    as_date,
    as_number,
    as_one_line,
    local_name,
    needs_one_line,
    place_of,
)
from commerce_core.parsing.simple_elements import unescaped
from commerce_core.parsing.simple_runs import SimpleRuns
from commerce_core.parsing.xml_elements import new_parser

MOST_WORKBOOK_BYTES: Final = 256 * 1024**2
"""Bytes of a packed workbook, which is kept in memory, since its parts are read in any order."""
HIGHEST_RATIO: Final = 250
"""How many times its own size a workbook may expand to."""
_RATIO_COUNTS_FROM: Final = 2 * 1024**2
MOST_SHARED_CHARACTERS: Final = 256 * 1024**2
"""Characters of the texts that cells share, which are kept too."""
MOST_MERGED_CELLS: Final = 1_000_000


_BLOCK: Final = 1 << 16
_SIMPLE_TEXT: Final = r'<si><t(?: xml:space="preserve")?>([^<\r]*+)</t></si>'
_SIMPLE_TEXTS: Final = re.compile(_SIMPLE_TEXT)
_LONGEST_TAG: Final = 1 << 12
_TABLE_OF_SHEETS: Final = "xl/workbook.xml"
_RELATIONS: Final = "xl/_rels/workbook.xml.rels"
_MERGED: Final = re.compile(rb'<(?:\w+:)?mergeCell\s[^>]*?ref="([A-Z]+[0-9]+):([A-Z]+[0-9]+)"')
_DATE_FORMATS: Final = frozenset({*range(14, 23), *range(27, 37), *range(45, 48), *range(50, 59)})
"""Numbers of built-in formats that show dates and times."""
_QUOTED: Final = re.compile(r'"[^"]*"|\\.|\[[^\]]*\]|[_*].')
_DATE_LETTERS: Final = re.compile(r"[ymdhs]", re.IGNORECASE)
_ZEROS: Final = re.compile(r"0{2,20}")
_DIRECTORY_END: Final = b"PK\x05\x06"
_SHORTEST_DIRECTORY_END: Final = 22
_LONGEST_DIRECTORY_END: Final = _SHORTEST_DIRECTORY_END + 65_535
"""With its comment."""
_CURRENCY: Final = re.compile(
    r"\[\$(?P<sign>[^\]-]+)(?:-(?P<locale>[0-9A-Fa-f]+))?\]|(?P<bare>[\u20a0-\u20cf£¥$])"
    r"|\"\s*(?P<code>[A-Z]{3})\s*\""
)
"""How a format names a currency: `[$€-407]`, `[$USD]`, a sign, quoted or not, or a quoted code."""
_LOCALE_ALONE: Final = re.compile(r"\[\$-[^\]]*\]")
_DOLLARS: Final = {0x409: "USD", 0x1009: "CAD", 0xC0C: "CAD", 0xC09: "AUD", 0x1409: "NZD"}
"""Whose dollar a format means, by its locale."""
_EPOCHS: Final = {False: datetime(1899, 12, 30), True: datetime(1904, 1, 1)}  # noqa: DTZ001
_DAMAGED: Final = (
    zipfile.BadZipFile,
    zlib.error,
    KeyError,
    ValueError,
    IndexError,
    NotImplementedError,
    EOFError,
)


def sheet_text(packed: bytes, sheet: str | None) -> Iterator[str]:
    """The rows of a sheet, by name, or of the first that isn't hidden, in blocks of text.

    FileRefused if the workbook is damaged, encrypted or has no such sheet.
    """
    try:
        with zipfile.ZipFile(BytesIO(packed)) as archive:
            _check_methods(archive)
            _check_size(archive, len(packed))
            yield from _Workbook.of(archive).rows(sheet)
    except _DAMAGED as error:
        if _ends_early(packed):
            detail = "The workbook is cut off: it ends before the list of its parts does."
            raise FileRefused("truncated", detail, "Send the whole file again.") from error
        detail = f"The workbook is damaged ({type(error).__name__})."
        raise FileRefused("undecodable", detail, "Save it again as .xlsx, or as CSV.") from error
    except expat.ExpatError as error:
        detail = f"The workbook is damaged: {expat.ErrorString(error.code)}."
        raise FileRefused("undecodable", detail, "Save it again as .xlsx, or as CSV.") from error


def _ends_early(packed: bytes) -> bool:
    """Whether the list of the parts, which is the end of an archive, isn't there or isn't whole."""
    start = packed.rfind(_DIRECTORY_END, max(0, len(packed) - _LONGEST_DIRECTORY_END))
    return start < 0 or len(packed) - start < _SHORTEST_DIRECTORY_END


def _check_methods(archive: zipfile.ZipFile) -> None:
    """Refuses compressions that no workbook has: unpacking one may fail as broken machines do."""
    used = {part.compress_type for part in archive.infolist()}
    if used - {zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED}:
        detail = "The workbook is damaged: a part is compressed in a way that workbooks don't use."
        raise FileRefused("undecodable", detail, "Save it again as .xlsx, or as CSV.")


def _check_size(archive: zipfile.ZipFile, packed: int) -> None:
    expanded = sum(part.file_size for part in archive.infolist())
    if expanded > _RATIO_COUNTS_FROM and expanded > HIGHEST_RATIO * packed:
        detail = f"The workbook expands to {expanded:,} bytes from {packed:,}."
        raise FileRefused("too_large", detail, "Save the table as CSV.")


@frozen
class _Workbook:
    """The parts of a workbook that its sheets refer to."""

    _archive: zipfile.ZipFile
    _sheets: Mapping[str, str]
    _texts: list[str]
    _shows: "list[Show]"
    _hidden: frozenset[str] = frozenset()

    @classmethod
    def of(cls, archive: zipfile.ZipFile) -> "_Workbook":
        """Reads all but the sheets."""
        names = {name.lower(): name for name in archive.namelist()}
        table = _Table()
        _parse(archive, names[_TABLE_OF_SHEETS], table)
        relations = _Relations()
        _parse(archive, names[_RELATIONS], relations)
        sheets = {
            name: names[_part(relations.targets[key])]
            for name, key in table.sheets.items()
            if _part(relations.targets.get(key, "")) in names
            and "worksheet" in relations.kinds[key]
        }
        texts, styles = _Texts(), _Styles()
        if part := names.get("xl/sharedstrings.xml"):
            texts.read(_blocks(archive, part))
        if part := names.get("xl/styles.xml"):
            _parse(archive, part, styles)
        shows = [styles.shown_by(number, since_1904=table.since_1904) for number in styles.used]
        return cls(archive, sheets, texts.found, shows, frozenset(table.hidden))

    def rows(self, sheet: str | None) -> Iterator[str]:
        """The text of the rows of a sheet."""
        if not self._sheets:
            raise FileRefused("empty", "The workbook has no sheet with cells.", "Send a table.")
        shown = (name for name in self._sheets if name not in self._hidden)
        name = next(shown, next(iter(self._sheets))) if sheet is None else sheet
        if name not in self._sheets:
            known = ", ".join(self._sheets)
            detail = f"The workbook has no sheet {name!r}. Its sheets are: {known}."
            remedy = f"Correct the profile's sheet.{did_you_mean(name, tuple(self._sheets))}"
            raise FileRefused("no_sheet", detail, remedy)
        part = self._sheets[name]
        rows = Rows(self._texts, self._shows, _merged_in(self._archive, part))
        yield from rows.read(_blocks(self._archive, part))


def _part(target: str) -> str:
    """The name of a part in the archive, by the target of a relation."""
    return (target.lstrip("/") if target.startswith("/") else f"xl/{target}").lower()


def _blocks(archive: zipfile.ZipFile, name: str) -> Iterator[bytes]:
    with archive.open(name) as part:
        while block := part.read(_BLOCK):
            yield block


def _parse(archive: zipfile.ZipFile, name: str, handler: "_Table | _Relations | _Styles") -> None:
    parser = new_parser()

    def start(tag: str, attributes: list[str]) -> None:
        handler.start(local_name(tag), dict(zip(attributes[::2], attributes[1::2], strict=True)))

    parser.StartElementHandler = start
    for block in _blocks(archive, name):
        parser.Parse(block, False)  # noqa: FBT003 - the parser's own signature
    parser.Parse(b"", True)  # noqa: FBT003 - the same


@define
class _Table:
    """The sheets by name, and since when days are counted."""

    sheets: dict[str, str] = field(factory=dict[str, str])
    hidden: set[str] = field(factory=set[str])
    since_1904: bool = False

    def start(self, tag: str, attributes: Mapping[str, str]) -> None:
        if tag == "sheet":
            key = next((v for name, v in attributes.items() if local_name(name) == "id"), "")
            name = attributes.get("name", "")
            self.sheets[name] = key
            if attributes.get("state", "visible") != "visible":
                self.hidden.add(name)
        elif tag == "workbookPr":
            self.since_1904 = attributes.get("date1904", "0") in ("1", "true")


@define
class _Relations:
    """Which part of the archive each sheet is."""

    targets: dict[str, str] = field(factory=dict[str, str])
    kinds: dict[str, str] = field(factory=dict[str, str])

    def start(self, tag: str, attributes: Mapping[str, str]) -> None:
        if tag == "Relationship":
            key = attributes.get("Id", "")
            self.targets[key] = attributes.get("Target", "")
            self.kinds[key] = attributes.get("Type", "")


@define
class _Texts:
    """The texts that cells share; without the reading aids of Asian ones."""

    found: list[str] = field(factory=list[str])
    _parts: list[str] = field(factory=list[str])
    _taken: bool = False
    _aids: int = 0
    _left: int = MOST_SHARED_CHARACTERS
    _runs: SimpleRuns = field(init=False)

    def read(self, blocks: Iterator[bytes]) -> None:
        """Reads the XML of the table."""
        parser = new_parser()
        parser.StartElementHandler = self._start
        parser.EndElementHandler = self._end
        parser.CharacterDataHandler = self._add
        self._runs = SimpleRuns(parser, b"</si>", _SIMPLE_TEXT, self._take_simple)
        for block in blocks:
            self._runs.read(block)
        self._runs.close()

    def _take_simple(self, run: str) -> None:
        texts = _SIMPLE_TEXTS.findall(run)
        if "&" in run:
            texts = [unescaped(text) if "&" in text else text for text in texts]
        if "&#" in run or needs_one_line(run):
            texts = list(map(as_one_line, texts))
        self._found_all(texts)

    def _start(self, tag: str, _: Sequence[str]) -> None:
        tag = local_name(tag)
        if tag == "si":
            self._parts.clear()
        self._aids += tag == "rPh"
        self._taken = tag == "t" and not self._aids

    def _add(self, text: str) -> None:
        if self._taken:
            self._parts.append(text)

    def _end(self, tag: str) -> None:
        self._taken = False
        name = local_name(tag)
        self._aids -= name == "rPh"
        if name == "si":
            self._found_all([as_one_line("".join(self._parts))])
            if tag == name:
                self._runs.ended()

    def _found_all(self, texts: Sequence[str]) -> None:
        self.found.extend(texts)
        self._left -= sum(map(len, texts))
        if self._left < 0:
            detail = f"The workbook's texts have over {MOST_SHARED_CHARACTERS:,} characters."
            raise FileRefused("too_large", detail, "Send it as CSV.")


@define
class _Styles:
    """How numbers are shown: the number of the format of each style, and formats of its own."""

    used: list[int] = field(factory=list[int])
    _codes: dict[int, str] = field(factory=dict[int, str])
    _within: bool = False

    def start(self, tag: str, attributes: Mapping[str, str]) -> None:
        if tag == "numFmt":
            self._codes[int(attributes["numFmtId"])] = attributes.get("formatCode", "")
        elif tag in ("cellXfs", "cellStyleXfs", "cellStyles", "dxfs"):
            self._within = tag == "cellXfs"
        elif tag == "xf" and self._within:
            self.used.append(int(attributes.get("numFmtId", "0")))

    def shown_by(self, number: int, *, since_1904: bool) -> Show:
        """What shows the value of a cell of that format."""
        written = self._codes.get(number, "").partition(";")[0]
        code = _QUOTED.sub("", written)
        if number in _DATE_FORMATS or _DATE_LETTERS.search(code.replace("General", "")):
            return lambda value: as_date(value, _EPOCHS[since_1904])
        if _ZEROS.fullmatch(code):
            return lambda value: as_number(value).zfill(len(code))
        if currency := _currency_in(written):
            return lambda value: f"{as_number(value)} {currency}"
        return as_number


def _currency_in(code: str) -> str | None:
    """The currency that a person sees in a cell of that format, as its sign or its code."""
    found = _CURRENCY.search(_LOCALE_ALONE.sub("", code))
    if found is None:
        return None
    if named := found["code"]:
        return named if find_currency(named) else None
    sign, locale = found["sign"] or found["bare"], int(found["locale"] or "0", 16)
    return _DOLLARS.get(locale, sign) if sign == "$" else sign.strip()


def _merged_in(archive: zipfile.ZipFile, name: str) -> Mapping[int, Mapping[int, Place]]:
    """The cells of merged ranges, by row and column, and the first cell of each one's range.

    They stand behind the rows, so the sheet is searched for them before.
    """
    found: dict[int, dict[int, Place]] = {}
    kept, left = b"", MOST_MERGED_CELLS
    for block in _blocks(archive, name):
        kept += block
        for matched in _MERGED.finditer(kept) if b"mergeCell" in kept else ():
            (top, first), (bottom, last) = map(place_of, (matched[1].decode(), matched[2].decode()))
            left -= (bottom - top + 1) * (last - first + 1)
            if left < 0:
                detail = f"The sheet has over {MOST_MERGED_CELLS:,} merged cells."
                raise FileRefused("too_large", detail, "Save the table as CSV.")
            for row in range(top, bottom + 1):
                places = found.setdefault(row, {})
                places |= dict.fromkeys(range(first, last + 1), (top, first))
        kept = kept[max(kept.rfind(b"<"), len(kept) - _LONGEST_TAG) :]
    return found
