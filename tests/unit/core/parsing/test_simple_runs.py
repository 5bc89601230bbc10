"""Simple rows and texts of workbooks: found by patterns, they are what the parser finds."""

import io
import zipfile
from collections.abc import Sequence
from typing import Final

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from commerce_core.base.errors import FileRefused
from commerce_core.parsing import simple_runs, workbook

PIECES: Final = (
    "<row>", '<row r="3">', '<row r="2" spans="1:3">', '<row spans="1:3" r="4">', "</row>",
    "<row/>", "</row >", '<c r="A1">', '<c r="B7" s="1">', '<c r="A1" t="s">', '<c t="s" r="C1">',
    "<c>", '<c t="b">', '<c t="inlineStr">', '<c r="D2"/>', "</c>", "<v>0</v>", "<v>1</v>",
    "<v>1.50</v>", "<v>007</v>", "<v>1e3</v>", "<v></v>", "<v/>", "<v>&#49;</v>",
    "<v>x&amp;\r\ny</v>",
    "<is><t>own _x000A_ &lt;</t></is>", '<is><t xml:space="preserve"> a\nb </t></is>',
    "<f>A1+1</f>", '<f t="shared" si="0"/>', "<!--", "-->", "<![CDATA[", "]]>", "\n", "\r", "x",
    "&",     '<row r="5"><c r="A5"><v>5</v></c></row>', '<row><c t="s"><v>1</v></c></row>',
    '<row r="9"><c r="B9" s="1"><v>45000</v></c><c r="A9"><v>0.5</v></c></row>',
)  # fmt: skip
TEXTS: Final = (
    "<si><t>one</t></si>", '<si><t xml:space="preserve"> two </t></si>', "<si><t/></si>", "<si>",
    "</si>", "<t>", "</t>", "<r><t>rich</t></r>", "<rPh><t>aid</t></rPh>",
    "<si><t>a&amp;b</t></si>",
    "<si><t>c\r\nd</t></si>", "\n", "<!--", "-->", "x", "<si><t>_x0009_\u00e9</t></si>",
)  # fmt: skip
STYLES: Final = '<styleSheet><cellXfs><xf numFmtId="0"/><xf numFmtId="14"/></cellXfs></styleSheet>'


def packed(sheet: str, texts: str) -> bytes:
    """A workbook with this XML within its sheet and its table of texts."""
    types = "http://x/worksheet"
    parts = {
        "xl/workbook.xml": '<workbook><sheets><sheet name="S" id="r1"/></sheets></workbook>',
        "xl/_rels/workbook.xml.rels": f'<Relationships><Relationship Id="r1" Type="{types}" '
        'Target="worksheets/sheet1.xml"/></Relationships>',
        "xl/styles.xml": STYLES,
        "xl/sharedStrings.xml": f"<sst>{texts}</sst>",
        "xl/worksheets/sheet1.xml": f"<worksheet><sheetData>{sheet}</sheetData></worksheet>",
    }
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        for name, text in parts.items():
            archive.writestr(name, text)
    return file.getvalue()


def read(file: bytes, *, block: int, most_misses: int) -> tuple[str, str | None]:
    """The rows of a workbook, or with which code it is refused."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(simple_runs, "MOST_MISSES", most_misses)
        patch.setattr(workbook, "_BLOCK", block)
        try:
            return "".join(workbook.sheet_text(file, None)), None
        except FileRefused as refused:
            return "", refused.code


def assert_alike(sheet: Sequence[str], texts: Sequence[str], block: int):
    file = packed("".join(sheet), "".join(texts))
    simply = read(file, block=block, most_misses=simple_runs.MOST_MISSES)
    assert simply == read(file, block=block, most_misses=-1)


@given(
    sheet=st.lists(st.sampled_from(PIECES), max_size=20),
    block=st.sampled_from([7, 60, 10_000]),
)
@example(sheet=["<row>", "</row>", "<!-- </row>", PIECES[-1], "-->", PIECES[-1]], block=10_000)
@example(sheet=[*PIECES[-3:], "<row>", '<c t="s">', "<v>7</v>", "</c>", "</row>"], block=10_000)
def test_any_sheet_gives_the_same_rows(sheet: list[str], block: int):
    assert_alike(sheet, TEXTS[:2], block)


@given(
    texts=st.lists(st.sampled_from(TEXTS), max_size=12),
    block=st.sampled_from([7, 60, 10_000]),
)
def test_any_table_gives_the_same_texts(texts: list[str], block: int):
    rows = [f'<row><c t="s"><v>{number}</v></c></row>' for number in range(max(1, len(texts)))]
    for count in range(1, len(rows) + 1):
        assert_alike(rows[:count], texts, block)


CELL: Final = st.sampled_from(
    ["<c><v>5</v></c>", '<c s="1"><v>45000.5</v></c>', '<c t="s"><v>1</v></c>', "<c/>",
     '<c t="inlineStr"><is><t>a &amp; b</t></is></c>', '<c t="b"><v>1</v></c>',
     '<c t="str"><f>A1&amp;B1</f><v>x_x000D_y</v></c>', '<c t="n"><v>12.340</v></c>']
)  # fmt: skip


@given(table=st.lists(st.lists(CELL, max_size=5), max_size=8), end=st.sampled_from(["", "\n "]))
def test_simple_rows_are_those_of_the_parser(table: list[list[str]], end: str):
    rows = [f"<row>{end}{end.join(cells)}{end}</row>{end}" for cells in table]
    assert_alike(rows, TEXTS[:2], 10_000)


def test_most_rows_of_a_plain_sheet_are_found_by_patterns(monkeypatch: pytest.MonkeyPatch):
    calls = list[str]()
    begin = simple_runs.SimpleRuns.ended
    monkeypatch.setattr(
        simple_runs.SimpleRuns, "ended", lambda runs: (calls.append(""), begin(runs))[1]
    )
    rows = "".join(f"<row><c><v>{number}</v></c></row>" for number in range(1_000))
    (text, refused) = read(packed(rows, ""), block=1 << 16, most_misses=100)
    assert (text.count("\n"), refused) == (1_000, None)
    assert len(calls) == 1
