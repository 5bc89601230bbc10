"""What is no feed is named by its content, whatever its name says, before a record is read."""

import codecs
import io
import json
import zipfile

import pytest

from commerce_core.base.errors import FileRefused
from commerce_core.parsing.decoding import read_text
from commerce_core.parsing.other_files import LONGEST_LOOK, recognise

FEED = "sku,product_name\nA-1,Cup\n"
PAGE = "<!DOCTYPE html>\n<html><head><title>Sign in</title></head><body><form></form></body></html>"
PHP_WARNING = (
    "<br />\n<b>Warning</b>:  Undefined variable $a in <b>/srv/feed.php</b> on line <b>7</b>"
)
EXCEL_XML = (
    '<?xml version="1.0"?>\n<?mso-application progid="Excel.Sheet"?>\n'
    '<Workbook xmlns="urn:schemas-microsoft-com:office:spreadsheet"></Workbook>'
)

OTHERS = {
    "a page": (PAGE, "html", "HTML page"),
    "a page without a doctype": ("\n\n<HTML lang=en>\n<body>Forbidden", "html", "HTML page"),
    "a page behind a comment": ("<!-- cached -->\n<html><p>Gone", "html", "HTML page"),
    "a table saved as .xls": ("<table border=1><tr><td>sku</td></tr></table>", "html", "table"),
    "a web archive": ("MIME-Version: 1.0\nX-Document-Type: Workbook\n", "html", "web page"),
    "a workbook in XML": (EXCEL_XML, "xml", "Excel workbook"),
    "a list of lists": ('[["sku", "price"],\n["A", 5]]', "json", "JSON list"),
    "a list of texts": ('["A", "B"]', "json", "JSON list"),
    "an error": ('{"error": {"code": 401, "message": "Bad token"}}', "json", "Bad token"),
    "a pretty error": ('{\n  "errors": ["Not found"]\n}\n', "json", "Not found"),
    "a PHP warning": (
        f"{PHP_WARNING}<br />\n{FEED}",
        "error_message",
        "Warning: Undefined variable $a in /srv/feed.php on line 7",
    ),
    "a plain PHP notice": (
        f"PHP Notice:  Undefined index: x in /srv/feed.php on line 12\n{FEED}",
        "error_message",
        "Undefined index",
    ),
    "a traceback": ("Traceback (most recent call last):\n  File", "error_message", "Traceback"),
    "a program": ("<?php\necho 'sku';\n", "error_message", "PHP program"),
}


def refusal(data: bytes, encoding: str | None = None) -> FileRefused:
    with pytest.raises(FileRefused) as refused:
        "".join(read_text(io.BytesIO(data), encoding))
    return refused.value


@pytest.mark.parametrize(("text", "code", "named"), OTHERS.values(), ids=list(OTHERS))
def test_text_that_is_no_feed_is_named_in_any_encoding(text: str, code: str, named: str):
    blocks = (
        text.encode(),
        codecs.BOM_UTF8 + text.encode(),
        text.encode("utf-16"),
        (text if code == "json" else f"{text}é").encode("cp1252"),
    )
    for data in blocks:
        refused = refusal(data)
        assert (refused.code, refused.line) == (code, 1)
        assert named in refused.detail


BINARIES = {
    "a PDF document": b"%PDF-1.7\n",
    "a PNG picture": b"\x89PNG\r\n\x1a\n",
    "an old Excel workbook (.xls)": b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(500),
    "UTF-16 without a byte order mark": FEED.encode("utf-16-le"),
    "UTF-32": FEED.encode("utf-32"),
    "an empty zip archive": b"PK\x05\x06" + bytes(18),
    "binary": bytes(range(32)) * 9,
}


@pytest.mark.parametrize(("what", "data"), BINARIES.items(), ids=list(BINARIES))
def test_bytes_that_are_no_text_are_named(what: str, data: bytes):
    refused = refusal(data)
    assert refused.code == "not_text"
    assert what in refused.detail


@pytest.mark.parametrize(
    ("names", "what"),
    [
        (("[Content_Types].xml", "word/document.xml"), "Word document (.docx)"),
        (("mimetype", "content.xml"), "OpenDocument spreadsheet (.ods)"),
    ],
)
def test_a_document_that_is_a_zip_is_named_as_what_it_is(names: tuple[str, ...], what: str):
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        for name in names:
            archive.writestr(name, "<x/>")
    refused = refusal(packed.getvalue())
    assert refused.code == "not_text"
    assert what in refused.detail


def test_what_a_desktop_leaves_in_an_archive_is_passed_over():
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr("feeds/.DS_Store", b"\0\0\0\1Bud1")
        archive.writestr("feeds/feed.csv", FEED)
        archive.writestr("feeds/._feed.csv", b"\0\5\x16\7")
        archive.writestr("Thumbs.db", b"\xd0\xcf\x11\xe0")
    assert "".join(read_text(io.BytesIO(packed.getvalue()))) == FEED


@pytest.mark.parametrize(
    "text",
    [
        FEED,
        "<sku>,<product_name>\nA,Cup\n",
        "<sku>\t<name>\n",
        "[sku],[product_name]\nA,Cup\n",
        'warning,sku\n"Warning: hot",A\n',
        "Warning;sku\nNotice: none;A\n",
        json.dumps({"sku": "A", "product_name": "Cup", "error": "none"}),
        '{"sku": "A"}\n{"sku": "B", "error": "x"}\n',
        "",
    ],
)
def test_a_feed_is_taken_for_nothing_else(text: str):
    assert recognise(text.encode()) is None
    assert recognise(codecs.BOM_UTF8 + text.encode()) is None


def test_only_the_beginning_is_looked_at():
    assert recognise((" " * (LONGEST_LOOK - 6) + "<html>").encode()) is not None
    assert recognise((" " * (LONGEST_LOOK - 5) + "<html>").encode()) is None
