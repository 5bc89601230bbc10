"""Writes a workbook with one sheet of texts, row by row, as a stream of bytes."""

import re
import zipfile
from collections.abc import Iterator
from typing import Final
from xml.sax.saxutils import escape

from attrs import define, field

from commerce_core.parsing.sheets import cells_of_row

BEGINNING: Final = b"PK\x03\x04"
"""How the bytes of every workbook begin."""
_XML: Final = '<?xml version="1.0" encoding="UTF-8" standalone="yes"?>\n'
_MAIN: Final = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
_OFFICE: Final = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
_PACKAGE: Final = "http://schemas.openxmlformats.org/package/2006"
_TYPES: Final = "application/vnd.openxmlformats-officedocument.spreadsheetml"
_PARTS: Final = {
    "[Content_Types].xml": f'<Types xmlns="{_PACKAGE}/content-types">'
    '<Default Extension="rels" '
    'ContentType="application/vnd.openxmlformats-package.relationships+xml"/>'
    f'<Override PartName="/xl/workbook.xml" ContentType="{_TYPES}.sheet.main+xml"/>'
    f'<Override PartName="/xl/worksheets/sheet1.xml" ContentType="{_TYPES}.worksheet+xml"/>'
    "</Types>",
    "_rels/.rels": f'<Relationships xmlns="{_PACKAGE}/relationships"><Relationship Id="r1" '
    f'Type="{_OFFICE}/officeDocument" Target="xl/workbook.xml"/></Relationships>',
    "xl/workbook.xml": f'<workbook xmlns="{_MAIN}" xmlns:r="{_OFFICE}"><sheets>'
    '<sheet name="Rejected" sheetId="1" r:id="r1"/></sheets></workbook>',
    "xl/_rels/workbook.xml.rels": f'<Relationships xmlns="{_PACKAGE}/relationships">'
    f'<Relationship Id="r1" Type="{_OFFICE}/worksheet" Target="worksheets/sheet1.xml"/>'
    "</Relationships>",
}
_CELL: Final = '<c t="inlineStr"><is><t xml:space="preserve">{}</t></is></c>'
_NOT_OF_XML: Final = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")
_MOMENT: Final = (1980, 1, 1, 0, 0, 0)
"""The time of each part, so that equal rows make equal bytes."""


def workbook(rows: Iterator[str]) -> Iterator[bytes]:
    """The bytes of a workbook with these rows, each block of them as `sheets` writes it."""
    sink = _Sink()
    with zipfile.ZipFile(sink, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, text in _PARTS.items():
            archive.writestr(_part(name), f"{_XML}{text}")
        with archive.open(_part("xl/worksheets/sheet1.xml"), "w", force_zip64=True) as sheet:
            sheet.write(f'{_XML}<worksheet xmlns="{_MAIN}"><sheetData>'.encode())
            for block in rows:
                for row in block.removesuffix("\n").split("\n") if block else ():
                    sheet.write(_row(row))
                yield sink.taken()
            sheet.write(b"</sheetData></worksheet>")
    yield sink.taken()


def _part(name: str) -> zipfile.ZipInfo:
    part = zipfile.ZipInfo(name, _MOMENT)
    part.compress_type = zipfile.ZIP_DEFLATED
    return part


def _row(text: str) -> bytes:
    texts = (escape(_NOT_OF_XML.sub("", cell)) for cell in cells_of_row(text))
    cells = (_CELL.format(text) for text in texts)
    return f"<row>{''.join(cells)}</row>".encode()


@define
class _Sink:
    """What an archive has written since it was last taken; it can't be rewound."""

    _blocks: list[bytes] = field(factory=list[bytes])

    def write(self, block: bytes) -> int:
        """Keeps a block."""
        self._blocks.append(bytes(block))
        return len(block)

    def flush(self) -> None:
        """Nothing is held back."""

    def close(self) -> None:
        """Nothing is open."""

    def taken(self) -> bytes:
        """What was written since the last call."""
        taken = b"".join(self._blocks)
        self._blocks.clear()
        return taken
