"""Columns kept under their own names become the objects that the reference makes of them."""

from zoneinfo import ZoneInfo

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from commerce_core.parsing.record_reader import Terms
from commerce_core.profiles.profile import Profile
from commerce_core.schema.fields import LONGEST_CELL, Mode
from tests.support.engines import assert_alike, csv_text, texts_read_one_by_one
from tests.support.strategies import DEBRIS, MODES

UTC = ZoneInfo("UTC")
NAMES = ("Size", 'The "Colour"', "Back\\slash", "Größe 😀", "e\u0301", "\u212b")
"""The last two are composed otherwise in files."""
CELLS = (
    "", "", "42", " x\u2003", "\u2003", '"', '\\"', "\\", "\\\\u0000", "\x01", "a\x1fb",
    "\b\f\v", "\x7f", "a\tb", "two\nlines", "\r", "\u2028", "x\u2028y", "😀", "\U0010ffff",
    "e\u0301", "\u0301", "Å", "\ufffd", "{}", '{"a": "b"}', "NULL", "n/a", "#N/A", "-", '="0042"',
    ", ", '": "', "\u200b", "a\u200eb", "\0", *DEBRIS,
)  # fmt: skip
TEXTS = st.sampled_from(CELLS) | st.text(st.characters(exclude_categories=["Cs"]), max_size=6)


def terms(mode: Mode) -> Terms:
    return Terms(mode, "EUR", UTC, Profile(attributes=NAMES))


@given(
    st.lists(st.tuples(*[TEXTS] * len(NAMES)), min_size=1, max_size=6),
    st.lists(st.sampled_from(NAMES), min_size=1, unique=True),
    st.sampled_from(MODES),
    st.sampled_from([1, 50, 1 << 24]),
)
@example([("\x01", '"', "\\", "\u0301", "", "")], list(NAMES), "full", 1 << 24)
def test_objects_of_any_cells_are_alike(
    rows: list[tuple[str, ...]], names: list[str], mode: Mode, chunk: int
):
    records = ((f"S{n}", "Lamp", *row[: len(names)]) for n, row in enumerate(rows))
    assert_alike(csv_text(["sku", "product_name", *names], *records).encode(), terms(mode), chunk)


@pytest.mark.parametrize("name", ["Größe", "e\u0301"])
@pytest.mark.parametrize("header", ["Größe", "\xe9"])
def test_a_name_of_the_profile_is_composed_in_any_file(name: str, header: str):
    """Also in one that has nothing to compose."""
    profile = Profile(attributes=(name, "Size"))
    body = csv_text(["sku", "product_name", header, "Size"], ["A", "Lamp", "x", "y"]).encode()
    assert_alike(body, Terms("full", "EUR", UTC, profile))


@pytest.mark.parametrize("cell", ["x", "ü", "\x01", '"'])
def test_objects_of_very_long_cells_are_alike(cell: str):
    around = len('{"Size": ""}')
    rows = [
        (f"S{n}{extra}", "Lamp", cell * ((LONGEST_CELL - around) // n + extra), cell)
        for n in (1, 2, 6)
        for extra in (-1, 0, 1)
    ]
    for names in (["Size"], ["Size", "Back\\slash"]):
        records = (row[: 2 + len(names)] for row in rows)
        assert_alike(csv_text(["sku", "product_name", *names], *records).encode(), terms("full"))


def test_cells_that_json_escapes_arent_read_one_by_one():
    rows = ([f"S{n}", "Lamp", f'{n} "', "\\\x01"] for n in range(50))
    body = csv_text(["sku", "product_name", *NAMES[:2]], *rows).encode()
    assert texts_read_one_by_one(body, terms("full")) == []
