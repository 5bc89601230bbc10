"""Of lists in one cell, columns keep the members that the reference keeps."""

from typing import Any, Literal
from zoneinfo import ZoneInfo

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from commerce_core.parsing.record_reader import Terms
from commerce_core.profiles.profile import Column, Profile
from commerce_core.schema.fields import LONGEST_CELL, Mode
from tests.support.engines import assert_alike, csv_text, texts_read_one_by_one
from tests.support.strategies import DEBRIS, MODES

UTC = ZoneInfo("UTC")
SEPARATORS = (
    ",", ";", "|", " ", ", ", " | ", "/", ">", "\\", "::", "x", "é", "😀", '"', "[", "<", "&",
)  # fmt: skip
Part = Literal["first", "rest", "first_path"] | None
PARTS: tuple[Part, ...] = (None, "first", "rest", "first_path")
FIELDS = (
    "category", "brand", "gtin", "price", "sale_price", "quantity", "weight", "options",
    "image_url", "additional_image_urls", "availability", "sale_ends_at",
)  # fmt: skip
PIECES = (
    "", "", " ", "\u2003", "A", "A > B", "A>B", ">", "a\\", "\\", "[", '["A", "B"]', '{"a": "b"}',
    "x", "4006381333931", "12", "1.50 EUR", "1,5", "2 kg", "Size: 4", "in stock", "NULL", "n/a",
    "none", "#N/A", "2030-01-01", "http://a/1", "https://b.example/2.png", "http://a/b,c",
    "HTTP://a/;", "http://", "😀", "e\u0301", "\u0301", "\x01", "\t", "\n", '"', '="1"', "é",
    *DEBRIS,
)  # fmt: skip


@st.composite
def cells(draw: st.DrawFn, separator: str) -> str:
    """Lists of any members, with blanks around some and backslashes before some separators."""
    between = st.sampled_from([separator, separator, separator, f" {separator} ", f"\\{separator}"])
    members = draw(st.lists(st.sampled_from(PIECES) | st.text(max_size=3), min_size=1, max_size=4))
    return "".join(member + draw(between) for member in members[:-1]) + members[-1]


@st.composite
def lists(draw: st.DrawFn) -> tuple[list[str], Profile]:
    """Cells of lists, and a profile that reads all fields of them."""
    separator = draw(st.sampled_from(SEPARATORS))
    shared: dict[str, Any] = {
        "separator": separator,
        "part": draw(st.sampled_from(PARTS)),
        "pattern": draw(st.sampled_from([None, None, "(.*)", "(.*).", "([^B]*)B?.*"])),
        "values": draw(st.sampled_from([{}, {}, {"A": "B"}])),
    }
    columns = {
        name: Column(("list",), **shared, unit="g" if name == "weight" else None) for name in FIELDS
    }
    own = Column(("list",), dates="YYYY-MM-DD", **shared)
    profile = Profile(
        columns={**columns, "sale_ends_at": own},
        decimal=draw(st.sampled_from([None, ","])),
        escapes=draw(st.sampled_from([None, "woocommerce"])),
    )
    texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=6)
    return draw(st.lists(cells(separator) | texts, min_size=1, max_size=8)), profile


ADDRESSES = [f"http://a/{n}" for n in range(21)]


def of_all(separator: str, part: Part, escapes: Literal["woocommerce"] | None = None) -> Profile:
    columns = {name: Column(("list",), separator=separator, part=part) for name in FIELDS}
    return Profile(columns=columns, escapes=escapes)


@given(lists(), st.sampled_from(MODES), st.sampled_from([1, 50, 1 << 24]))
@example((["/[a]", "A/[", "[/A", "n/a", "/n/a", "#N/A"], of_all("/", None)), "full", 1 << 24)
@example((["a\\,b,c", "a\\\\,b", "\\,"], of_all(",", "rest", "woocommerce")), "full", 1 << 24)
def test_lists_of_anything_are_alike(found: tuple[list[str], Profile], mode: Mode, chunk: int):
    rows = ((f"S{n}", "Lamp", text) for n, text in enumerate(found[0]))
    body = csv_text(("sku", "product_name", "list"), *rows).encode("utf-8", "surrogatepass")
    assert_alike(body, Terms(mode, "EUR", UTC, found[1]), chunk)


@pytest.mark.parametrize("part", PARTS)
@pytest.mark.parametrize("separator", SEPARATORS)
def test_addresses_between_any_separators_are_alike(separator: str, part: Part):
    """Be it with a blank behind, of any number and length, and with separators of their own."""
    texts = [
        form.format(separator).join(ADDRESSES[:count])
        for form in ("{}", "{} ", "{}  ", " {}", ",", ";", "|")
        for count in (1, 2, 19, 20, 21)
    ]
    texts += [
        f"http://a{separator}b",
        f"{separator}http://a",
        f"http://a{separator}",
        "http://a,http",
    ]
    texts += [
        separator.join([f"http://a/{'x' * (n // 2)}", f"http://b/{'y' * n}"])
        for n in (900, 1400, 2050)
    ]
    rows = ((f"S{n}", "Lamp", text) for n, text in enumerate(texts))
    body = csv_text(("sku", "product_name", "list"), *rows).encode()
    assert_alike(body, Terms("full", "EUR", UTC, of_all(separator, part)))


@pytest.mark.parametrize("part", PARTS)
def test_very_long_lists_are_alike(part: Part):
    texts = [
        member * count + end
        for member in ("A>B | ", "ü | ", "| ")
        for count in (LONGEST_CELL // len(member) - 1, LONGEST_CELL // len(member))
        for end in ("A > B", "")
    ]
    rows = ((f"S{n}", "Lamp", text) for n, text in enumerate(texts))
    body = csv_text(("sku", "product_name", "list"), *rows).encode()
    assert_alike(body, Terms("full", "EUR", UTC, of_all("|", part)))


@pytest.mark.parametrize(
    ("name", "separator", "part"),
    [
        ("category", "|", None),
        ("category", "|", "first"),
        ("category", ", ", "first_path"),
        ("brand", "; ", "rest"),
        ("image_url", ";", "first"),
        ("additional_image_urls", "|", "rest"),
        ("additional_image_urls", ";", None),
    ],
)
def test_members_arent_looked_for_one_by_one(name: str, separator: str, part: Part):
    member = "http://a/{}" if name.endswith(("url", "urls")) else "Some > Thing {}"
    lists = (separator.join(member.format(n + m) for m in range(3)) for n in range(50))
    rows = ((f"S{n}", "Lamp", text) for n, text in enumerate(lists))
    body = csv_text(("sku", "product_name", "list"), *rows).encode()
    terms = Terms(
        "full",
        "EUR",
        UTC,
        Profile(columns={name: Column(("list",), separator=separator, part=part)}),
    )
    assert_alike(body, terms)
    assert texts_read_one_by_one(body, terms) == []
