"""A format writes a record back in the form in which it was sent."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from commerce_core.parsing.delimited import Delimited
from commerce_core.parsing.formats import Format, detect, open_records
from commerce_core.parsing.json_lines import JsonLines
from commerce_core.parsing.nesting import UNDECLARED
from commerce_core.parsing.raw_records import RawRecord
from commerce_core.profiles.profile import DELIMITERS

CELL = st.text(st.sampled_from("'\"=-,;|\t\r\n{}: a5ä"), max_size=6)
VALUE = st.recursive(
    CELL | st.integers() | st.booleans() | st.none() | st.floats(allow_nan=False),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(CELL, inner, max_size=2),
    max_leaves=4,
)


def records(text: str, format_: Delimited | JsonLines) -> list[RawRecord]:
    return list(format_.records(iter([text, ""])))


def rewritten(text: str, format_: Delimited | JsonLines, *changes: tuple[int, str]) -> str:
    """The text with some cells of its last record changed."""
    header, *others, last = records(text, format_)
    cells = list(last.cells or ())
    for index, cell in changes:
        cells[index] = cell
    sent = [raw.sent for raw in (header, *others)]
    return "".join((*sent, format_.rewrite(last, header.cells or [], cells).sent))


@given(st.lists(CELL, min_size=1, max_size=4), st.sampled_from(DELIMITERS), st.data())
def test_cells_that_are_written_are_read(cells: list[str], delimiter: str, data: st.DataObject):
    format_ = Delimited(delimiter)
    end = data.draw(st.sampled_from(["\n", "\r\n", ""]))
    raw = format_.rewrite(RawRecord(1, ["before"], sent=f"before{end}"), (), cells)
    assert raw.cells == cells
    assert [(read.cells, read.sent) for read in records(raw.sent, format_)] == [(cells, raw.sent)]


@given(st.dictionaries(CELL, VALUE, min_size=1, max_size=4), CELL, st.data())
def test_an_object_keeps_all_but_what_changes(
    members: dict[str, object], cell: str, data: st.DataObject
):
    separators = data.draw(st.sampled_from([(",", ":"), (", ", ": "), (" , ", " : ")]))
    ascii_only = data.draw(st.booleans())
    text = json.dumps(members, separators=separators, ensure_ascii=ascii_only) + "\n"
    _, last = records(text, JsonLines())
    keys, cells = list(members), list(last.cells or ())
    assert rewritten(text, JsonLines()) == text
    index = data.draw(st.integers(0, len(keys) - 1))
    found = json.loads(rewritten(text, JsonLines(), (index, cell)))
    wanted = members if cells[index] == cell else {**members, keys[index]: cell}
    assert (found, list(found)) == (wanted, keys)


@pytest.mark.parametrize(
    ("line", "wanted"),
    [
        ('{"price": 12.50, "tags": ["a"]}', '{"price": 12.50, "tags": ["a"], "sku": "B"}'),
        ("  { }\r\n", '  {"sku": "B" }\r\n'),
        ('{"price":1e3}', '{"price":1e3, "sku": "B"}'),
        ('{"sku" : 7,"price":null}', '{"sku" : "B","price":null}'),
    ],
)
def test_a_key_that_is_missing_comes_last(line: str, wanted: str):
    first = '{"sku": "A", "price": 1, "tags": []}\n'
    assert rewritten(first + line, JsonLines(), (0, "B")) == first + wanted


def test_rows_have_the_dialect_of_their_file():
    text = '"sku";"name"\r\n"A";"=1+1"\r\n'
    header, last = records(text, Delimited(";"))
    rows = Delimited(";").rows(("_code", "_line"), header)
    assert rows.first((None, None)) == '"_code";"_line";"sku";"name"\r\n'
    assert rows.row(("-x", 7), last) == '"\'-x";"7";"A";"\'=1+1"\r\n'


def test_rows_of_objects_have_the_columns_as_keys():
    header, last = records('{"sku": "=1+1"}\n', JsonLines())
    rows = JsonLines().rows(("_code", "_line"), header)
    assert rows.first(("none", None)) == '{"_code": "none", "_line": null, "sku": null}\n'
    assert rows.row((None, 7), last) == '{"_code": null, "_line": 7, "sku": "=1+1"}\n'


@pytest.mark.parametrize(
    ("text", "declared", "found"),
    [
        ('\n {"sku": 1}', ";", JsonLines(UNDECLARED)),
        ("sep=|\nsku;name\n", ",", Delimited("|", has_sep_line=True)),
        ("sku;name\n", "|", Delimited("|")),
        ("sku;name\n", None, Delimited(";")),
        ("", None, Delimited(",")),
    ],
)
def test_a_format_is_detected_by_how_a_text_begins(text: str, declared: str | None, found: Format):
    assert detect(text, declared, lambda header: "sku" in header) == found


def test_the_line_of_a_spreadsheet_that_names_the_delimiter_is_no_record():
    opened = open_records(iter(["sep=;\nsku;name\n", ""]), None, lambda _: True)
    assert [(raw.line, raw.cells) for raw in opened.records] == [(2, ["sku", "name"])]
    assert opened.delimiter == ";"
