"""Grouping: no record is lost between those that belong together and those that are no offers."""

from hypothesis import given
from hypothesis import strategies as st

from commerce_core.parsing.grouping import Grouping
from commerce_core.parsing.raw_records import RawRecord
from commerce_core.profiles.mapping import map_header
from commerce_core.profiles.profile import Column, Group, Profile, Skip

HEADER = ["key", "title", "sku", "picture", "status"]
PROFILE = Profile(
    columns={"sku": Column(("sku",)), "product_name": Column(("title",))},
    skip=(Skip("status", ("draft", "archived"), "a draft"),),
    group=Group("key", carry=("title", "status"), offer=("sku",), append="picture"),
)


def prepared(*rows: list[str] | None):
    raws = [RawRecord(line, row) for line, row in enumerate(rows, start=2)]
    return list(Grouping(map_header(HEADER, "full", PROFILE, None), PROFILE)(raws))


def test_a_variant_takes_what_it_leaves_blank_from_the_first_and_keeps_what_it_says():
    first, second = prepared(["k", "T", "1", "", ""], ["k", " ", "2", "p", "active"])
    assert first.raw.cells == ["k", "T", "1", "", ""]
    assert second.raw.cells == ["k", "T", "2", "p", "active"]


def test_pictures_are_folded_into_the_record_before_them():
    found = prepared(["k", "T", "1", "", ""], ["k", "", "", "p", ""], ["k", "", "", "q", ""])
    assert [(record.fate, record.pictures) for record in found] == [
        (None, ("p", "q")), ("folded", ()), ("folded", ()),
    ]  # fmt: skip


def test_a_draft_takes_its_variants_along():
    found = prepared(["k", "T", "1", "", "Draft"], ["k", "", "2", "", ""], ["l", "U", "3", "", ""])
    assert [(record.fate, record.reason) for record in found] == [
        ("skipped", "a draft"), ("skipped", "a draft"), (None, None),
    ]  # fmt: skip


cells = st.sampled_from(["", "", "k", "l", "draft"])
rows = st.none() | st.lists(cells, min_size=5, max_size=5) | st.lists(cells, max_size=6)


@given(st.lists(rows, max_size=12))
def test_every_record_comes_out_once_in_its_order(found: list[list[str] | None]):
    assert [one.raw.line for one in prepared(*found)] == list(range(2, 2 + len(found)))
