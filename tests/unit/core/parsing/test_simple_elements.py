"""Simple records of XML: found by patterns, they are what the parser finds tag by tag."""

from collections.abc import Iterator
from typing import Any, Final

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from commerce_core.base.errors import FileRefused
from commerce_core.parsing import simple_elements
from commerce_core.parsing.xml_elements import Elements

PIECES: Final = (
    "<p>", "</p>", "<p>", "</p>", "<a>", "</a>", "<b/>", "<b />", "<c>", "</c>", '<d e="1">',
    "</d>", "x", "&amp;", "&#233;", "&#x41;", "&lt;", "&nbsp;", "&", " ", "\n", "\r\n", "\r",
    "\u00a0",
    "<![CDATA[", "]]>", "<!--", "-->", "<?pi ?>", "</p >", "<p\n>", "\u200b", ">", '"', "\x0c",
    "é", "<a>1</a>", "<a>2</a>", "<b>3</b>", "<p><a>1</a></p>", "<c><![CDATA[<p></p>]]></c>",
)  # fmt: skip


class TagByTag(Elements):
    """The same without patterns."""

    def _simple(self) -> None:
        return None


def records(elements: Elements, text: str, size: int) -> tuple[list[Any], object]:
    """The records, and with which code the file is refused."""
    blocks = iter([text[at : at + size] for at in range(0, len(text), size)])
    found: Iterator[Any] = elements.read(blocks)
    read: list[Any] = []
    try:
        read += found
    except FileRefused as refused:
        return [], (refused.code, refused.line, str(refused))
    return read, None


@given(
    pieces=st.lists(st.sampled_from(PIECES), max_size=24),
    is_closed=st.booleans(),
    size=st.sampled_from([7, 40, 10_000]),
)
@example(
    pieces=["<p><a>1</a></p>", "\r\n", "<p><a>1</a></p>", "\r\n", "<p>"],
    is_closed=True,
    size=10_000,
)
@example(
    pieces=["<p><a>1</a></p>", "<p>", "<a>", "x", "</a>", "</p>"] * 3, is_closed=True, size=10_000
)
def test_any_text_gives_the_same_records(pieces: list[str], is_closed: bool, size: int):
    """Whatever stands between tags, and wherever the blocks end."""
    text = "<l>" + "".join(pieces) + ("</l>" if is_closed else "")
    path = ("l", "p")
    assert records(Elements(path), text, size) == records(TagByTag(path), text, size)


FIELD = st.tuples(
    st.sampled_from(["a", "b", "g:id", "é"]),
    st.sampled_from(["", "1", " x\n", "&amp;&lt;", "<![CDATA[a]]b]]>", "\r\n", "&#10;\u200b", "7"]),
)
RECORD = st.lists(FIELD, max_size=5)


@given(table=st.lists(RECORD, max_size=8), end=st.sampled_from(["", "\n", "\r\n  "]))
def test_simple_records_are_those_of_the_parser(table: list[list[tuple[str, str]]], end: str):
    rows = [
        f"<p>{end}" + end.join(f"<{n}>{t}</{n}>" for n, t in fields) + f"{end}</p>{end}"
        for fields in table
    ]
    text = f'<l xmlns:g="http://g">{end}' + "".join(rows) + "</l>"
    path = ("l", "p")
    assert records(Elements(path), text, 10_000) == records(TagByTag(path), text, 10_000)


def test_most_records_of_a_plain_file_are_found_by_patterns(monkeypatch: pytest.MonkeyPatch):
    """All but the first of each block."""
    found: list[int] = []
    end_of_run = simple_elements.SimpleRecords.end_of_run

    def noted(self: simple_elements.SimpleRecords, data: bytes, at: int) -> int:
        end = end_of_run(self, data, at)
        found.append(data.count(self.end, at, end))
        return end

    monkeypatch.setattr(simple_elements.SimpleRecords, "end_of_run", noted)
    text = "<l>" + "<p><a>1</a></p>\n" * 100 + "</l>"
    assert len(records(Elements(("l", "p")), text, 10_000)[0]) == 100
    assert sum(found) == 99


def test_records_that_are_never_simple_are_soon_no_longer_tried(monkeypatch: pytest.MonkeyPatch):
    tried: list[int] = []
    end_of_run = simple_elements.SimpleRecords.end_of_run
    monkeypatch.setattr(
        simple_elements.SimpleRecords, "end_of_run",
        lambda self, data, at: tried.append(self.misses) or end_of_run(self, data, at),
    )  # fmt: skip
    text = "<l>" + '<p><a b="1">1</a></p>\n' * 500 + "</l>"
    assert len(records(Elements(("l", "p")), text, 100_000)[0]) == 500
    assert max(tried) == simple_elements.MOST_MISSES + 1


def test_a_record_may_have_as_many_values_by_either_way(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(simple_elements, "MOST_JSON_VALUES", 3)
    monkeypatch.setattr("commerce_core.parsing.xml_elements.MOST_JSON_VALUES", 3)
    rows = ("<p>" + "<a>1</a>" * count + "</p>" for count in (1, 3, 4, 3))
    text = f"<l>{''.join(rows)}</l>"
    by_patterns = records(Elements(("l", "p")), text, 10_000)
    assert by_patterns == records(TagByTag(("l", "p")), text, 10_000)
    assert [made is None for _, _, made, _ in by_patterns[0]] == [False, False, True, False]
