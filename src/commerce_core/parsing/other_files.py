"""Files that aren't feeds: what they are, by their content, and what to send instead.

One recogniser for intake and doctor. It looks at the first bytes, behind any compression. Whatever
it doesn't know is taken for a feed, and judged by its header.
"""

import codecs
import json
import re
from collections.abc import Callable
from typing import Any, Final, cast

from attrs import frozen

from commerce_core.base.errors import FileRefused

LONGEST_LOOK: Final = 4096
"""Bytes of a file's beginning by which it is recognised."""

_AS_CSV: Final = "Save it as CSV in UTF-8."
_SEND_FEED: Final = "Send CSV in UTF-8, or one JSON object per line."
_SIGNATURES: Final = {
    b"%PDF-": "a PDF document",
    b"%!PS": "a PostScript document",
    b"{\\rtf": "an RTF document",
    b"\x89PNG": "a PNG picture",
    b"\xff\xd8\xff": "a JPEG picture",
    b"GIF8": "a GIF picture",
    b"II*\0": "a TIFF picture",
    b"MM\0*": "a TIFF picture",
    b"RIFF": "a picture, a film or a sound",
    b"BZh91AY&SY": "an archive within an archive",
    b"\xfd7zXZ": "an archive within an archive",
    b"7z\xbc\xaf": "a 7z archive",
    b"\x28\xb5\x2f\xfd": "a zstd archive",
    b"Rar!": "a RAR archive",
    b"\x1f\x8b": "an archive within an archive",
    b"PK\x03\x04": "an archive within an archive",
    b"PK\x05\x06": "an empty zip archive",
    b"\x7fELF": "a program",
    b"MZ\x90\0": "a program",
    b"SQLite format 3\0": "a SQLite database",
    b"PAR1": "a Parquet file",
    b"-----BEGIN PGP": "an encrypted message",
}
_WORKBOOKS: Final = {
    b"\xd0\xcf\x11\xe0": "an old Excel workbook (.xls)",
    b"\x09\x08\x10\0\0\x06": "an old Excel workbook (.xls)",
    b"\x09\x08\x08\0\0\x05": "an old Excel workbook (.xls)",
    b"\x09\x04\x06\0": "an old Excel workbook (.xls)",
    b"\x09\x02\x06\0": "an old Excel workbook (.xls)",
    b"\x09\0\x04\0": "an old Excel workbook (.xls)",
}
_MARKS: Final = {
    codecs.BOM_UTF8: "utf-8",
    codecs.BOM_UTF16_LE: "utf-16-le",
    codecs.BOM_UTF16_BE: "utf-16-be",
}
_CONTROLS: Final = re.compile(rb"[\x00-\x08\x0e-\x1a\x1c-\x1f]")
_MOST_CONTROLS: Final = 0.1
_NULS_OF_UTF_16: Final = 0.7
"""The share of every other byte that is NUL in a text of mostly Latin letters."""

_BLANK: Final = r"[\s\ufeff]*"
_HTML: Final = re.compile(
    _BLANK + r"(?:<!--.*?-->\s*)*<(?:!doctype\s+html|html|head|body|table|title|meta|script|style|"
    r"center|div|h[1-6]|p|br|pre|font)\b[^<>]*>",
    re.IGNORECASE | re.DOTALL,
)
_XML: Final = re.compile(
    _BLANK + r"(?:<\?xml\b|<!doctype\b|<!--|<[a-z_][\w.:-]*(?:\s[^<>]*)?/?>(?!\s*[,;\t|]))",
    re.IGNORECASE,
)
_EXCEL_XML: Final = ("urn:schemas-microsoft-com:office:spreadsheet", 'progid="Excel.Sheet"')
_PHP_CODE: Final = re.compile(_BLANK + r"<\?(?:php|=)")
_MESSAGE: Final = re.compile(
    _BLANK + r"(?:<[^<>]*>\s*)*(?:PHP )?"
    r"((?:Warning|Notice|Deprecated|Strict Standards|(?:Recoverable |Catchable )?Fatal error|"
    r"Parse error)(?:</b>)?:\s.{0,300}?\son line(?:\s|<[^<>]*>)*[0-9]+"
    r"|Traceback \(most recent call last\):"
    r"|Exception in thread .{0,200}"
    r"|ERROR [0-9]{4} \([0-9A-Z]{5}\).{0,200})",
    re.DOTALL,
)
ERROR_BEGINS: Final = (
    r"(?:(?:<[^<>]*>[ \t]*)*(?:(?:PHP )?(?:Warning|Notice|Deprecated|Fatal error|Parse error|"
    r"(?:Recoverable|Catchable) fatal error)(?:</b>)?:[ \t]|Traceback \(most recent call last\):|"
    r"Exception in thread |ERROR [0-9]{4} \([0-9A-Z]{5}\))|(?i:<!doctype html|<html[ >]))"
)
"""How an error of the program that writes the file begins; it means the same to polars."""
BREAKS_OFF: Final = rf"^[ \t]*{ERROR_BEGINS}"
"""How a record's first cell begins where such an error stands."""
_WEB_ARCHIVE: Final = re.compile(_BLANK + r"MIME-Version:\s*1\.0\s", re.IGNORECASE)
_TAG: Final = re.compile(r"<[^<>]*>")
_ARRAY: Final = re.compile(_BLANK + r"\[\s*(?:[\[\]\"]|-?[0-9]|true\b|false\b|null\b)")
_ERROR_KEYS: Final = ("error", "errors", "fault", "exception", "error_message", "errorMessage")
RECORD_KEYS: Final = ("sku", "id", "product_name", "title", "name")
"""An object with one of these keys is a record, and not what stands around a list of them."""


@frozen
class OtherFile:
    """A file that is no feed: the code of its refusal, what it is, and what to send instead."""

    code: str
    what: str
    remedy: str

    @property
    def refusal(self) -> FileRefused:
        """The refusal of the file."""
        return FileRefused(self.code, self.what, self.remedy, line=1)


def recognise(head: bytes) -> OtherFile | None:
    """What a file is that begins with these bytes, if it is no feed; None for all other files."""
    head = head[:LONGEST_LOOK]
    for signatures, remedy in ((_SIGNATURES, _SEND_FEED), (_WORKBOOKS, _AS_CSV)):
        for signature, what in signatures.items():
            if head.startswith(signature):
                return OtherFile("not_text", f"The file is {what}, not delimited text.", remedy)
    return _unreadable(head) or _of_text(_text_of(head))


def office_document(name: bytes, ahead: Callable[[], bytes]) -> OtherFile | None:
    """What a zip archive is whose first file has this name, if it is a program's document.

    `ahead` gives what follows, in which the names of further files may stand.
    """
    if name in (b"mimetype", b"content.xml"):
        what = "an OpenDocument spreadsheet (.ods)"
    elif name.startswith(b"word/") or (_is_office(name) and b"word/" in ahead()):
        what = "a Word document (.docx)"
    elif name.startswith(b"ppt/") or _is_office(name):
        what = "a presentation or another Office document"
    else:
        return None
    return OtherFile("not_text", f"The file is {what}, not delimited text.", _AS_CSV)


def is_workbook(head: bytes) -> bool:
    """Whether a file that begins with these bytes is an Excel workbook (.xlsx)."""
    if not head.startswith(b"PK\x03\x04"):
        return False
    name = head[30 : 30 + int.from_bytes(head[26:28], "little")]
    if name.startswith(b"xl/"):
        return True
    return _is_office(name) and b"word/" not in head and b"ppt/" not in head


def _is_office(name: bytes) -> bool:
    return name in (b"[Content_Types].xml", b"_rels/.rels") or name.startswith(b"docProps/")


def _unreadable(head: bytes) -> OtherFile | None:
    """Bytes that are no text in UTF-8, or in an encoding that a mark names."""
    if head.startswith((codecs.BOM_UTF32_LE, codecs.BOM_UTF32_BE)):
        return _in_encoding("UTF-32")
    if head.startswith(tuple(_MARKS)):
        return None
    if len(_CONTROLS.findall(head)) <= _MOST_CONTROLS * len(head):
        return None
    half = max(1, len(head) // 2)
    if max(head[0::2].count(0), head[1::2].count(0)) > _NULS_OF_UTF_16 * half:
        return _in_encoding("UTF-16 without a byte order mark")
    return OtherFile("not_text", "The file is binary, not delimited text.", _SEND_FEED)


def _in_encoding(name: str) -> OtherFile:
    return OtherFile("not_text", f"The file looks like {name}.", "Save it as UTF-8.")


def _text_of(head: bytes) -> str:
    """The beginning as text. What is looked for is ASCII, so any encoding shows it."""
    mark = next((mark for mark in _MARKS if head.startswith(mark)), b"")
    return head.removeprefix(mark).decode(_MARKS.get(mark, "latin-1"), "ignore")


def _of_text(text: str) -> OtherFile | None:
    found = (look(text) for look in _LOOKS)
    return next((other for other in found if other is not None), None)


def _message(text: str) -> OtherFile | None:
    matched = _MESSAGE.match(text)
    if matched is None:
        return None
    message = " ".join(_TAG.sub("", matched[1]).split())[:200]
    detail = f"The file begins with an error message of the program that wrote it: {message}"
    remedy = "Mend that program, so that it writes nothing but the feed, and send the file again."
    return OtherFile("error_message", detail, remedy)


def _php(text: str) -> OtherFile | None:
    if not _PHP_CODE.match(text):
        return None
    detail = "The file is the source of a PHP program, which was sent instead of being run."
    return OtherFile("error_message", detail, "Have the server run it, and send what it writes.")


def _html(text: str) -> OtherFile | None:
    if _WEB_ARCHIVE.match(text):
        return OtherFile("html", "The file is a web page saved as an archive (.mht).", _AS_CSV)
    if not _HTML.match(text):
        return None
    if "<table" in text.lower() and "<form" not in text.lower():
        detail = "The file is an HTML table, perhaps saved as .xls, not delimited text."
        return OtherFile("html", detail, f"Open it in a spreadsheet. {_AS_CSV}")
    detail = "The file is an HTML page, perhaps one that reports an error or asks to sign in."
    return OtherFile("html", detail, "Check the address it came from, and send the feed itself.")


def _xml(text: str) -> OtherFile | None:
    if not _XML.match(text):
        return None
    if any(sign in text for sign in _EXCEL_XML):
        detail = "The file is an Excel workbook in XML, not delimited text."
        return OtherFile("xml", detail, f"Open it in a spreadsheet. {_AS_CSV}")
    return None


def _json(text: str) -> OtherFile | None:
    if _ARRAY.match(text):
        detail = "The file is a JSON list, but not one of objects."
        return OtherFile("json", detail, "Send a list of objects, or one JSON object per line.")
    if not text.lstrip("\ufeff \t\r\n").startswith("{"):
        return None
    error = _error_in(text)
    if error is None:
        return None
    detail = f"The file is an answer in JSON that reports an error: {error}"
    return OtherFile("json", detail, "Check the address it came from, and send the feed itself.")


def _error_in(text: str) -> str | None:
    """The error that a JSON object consists of, if the whole text is one object."""
    try:
        made: object = json.loads(text.strip("\ufeff \t\r\n"))
    except (ValueError, RecursionError):
        return None
    members = cast("dict[str, Any]", made) if isinstance(made, dict) else {}
    if not members.keys().isdisjoint(RECORD_KEYS):
        return None
    found = next((members[key] for key in _ERROR_KEYS if members.get(key)), None)
    return None if found is None else json.dumps(found, ensure_ascii=False)[:200]


_LOOKS: Final[tuple[Callable[[str], OtherFile | None], ...]] = (_message, _php, _html, _xml, _json)
