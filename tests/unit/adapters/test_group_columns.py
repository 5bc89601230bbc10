"""Groups completed as columns: what one by one gives, wherever pieces of the file end."""

import json
from typing import Final
from zoneinfo import ZoneInfo

import polars as pl
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from adapters.polars_feeds import columns, delimited_columns
from adapters.polars_feeds.batches import ColumnBatch
from adapters.polars_feeds.completing import Completed
from adapters.polars_feeds.engine import PolarsEngine
from adapters.polars_feeds.group_columns import GroupCompleting
from commerce_core.parsing import carrying, groups
from commerce_core.parsing.record_reader import Terms
from commerce_core.parsing.reference import ReferenceEngine
from commerce_core.profiles.profile import Column, Group, Profile, Skip
from commerce_core.schema.fields import Mode
from tests.support.engines import assert_alike, csv_text, read_one_by_one, report

HEADER: Final = ("key", "title", "sku", "option", "picture", "more", "state", "price")
SKIP: Final = (Skip("state", ("draft",), "a draft"),)
FIELDS: Final = {
    "sku": Column(("sku",)),
    "product_name": Column(("title",)),
    "additional_image_urls": Column(("more",)),
    "price": Column(("price",)),
}
CARRIED: Final = (("title",), ("title", "state", "more"), ("key", "title", "title", "none"), ())


def profile(group: Group) -> Profile:
    return Profile(columns=FIELDS, skip=SKIP, group=group, identity=("{key}/{option}",))


GROUPS: Final = st.builds(
    Group,
    st.sampled_from(["key", "key", "key", "none"]),
    st.sampled_from(CARRIED),
    st.sampled_from([("sku",), ("sku", "option"), ()]),
    st.sampled_from(["picture", "picture", None]),
    st.sampled_from([(), (), ("Product",), ("product", "K")]),
)
KEYS: Final = st.sampled_from(["k", "k", "k", "l", "l ", "", " ", "Product", "product", "key"])
ROWS: Final = st.tuples(
    KEYS,
    st.sampled_from(["", "", "", "T", "U", " ", "Fatal error: x", "line\nbreak"]),
    st.sampled_from(["", "", "1", "2", "3", "sku"]),
    st.sampled_from(["", "", "S", "M"]),
    st.sampled_from(["", "http://a/1", "http://a/2 ", "bad", "x" * 30]),
    st.sampled_from(["", "", "http://b/1,http://b/2"]),
    st.sampled_from(["", "", "", "draft", "active"]),
    st.sampled_from(["", "5", "9.99", "x"]),
)
AS_TEXT: Final = st.one_of(
    ROWS, ROWS, ROWS, ROWS, st.sampled_from([HEADER]),
    st.tuples(ROWS, st.integers(0, 10)).map(lambda cut: (*cut[0], "", "y")[: cut[1]]),
).map(csv_text)  # fmt: skip
ODD: Final = st.sampled_from(
    [
        '"k"x,T,9,,,,,\n',
        "\n",
        "k,\0,1,,,,,\n",
        "k,T,1,,,,, \n",
        "Fatal error: x\n",
        ",,,,,,,\n",
        "k",
    ]
)
LINES: Final = st.lists(st.one_of(AS_TEXT, AS_TEXT, AS_TEXT, AS_TEXT, ODD), max_size=25)
CHUNKS: Final = st.sampled_from([1, 20, 60, 150, 1 << 23])
MODES: Final = st.sampled_from(["full", "delta"])


def terms_of(group: Group, mode: Mode = "full") -> Terms:
    return Terms(mode, "EUR", ZoneInfo("UTC"), profile(group))


PLAIN: Final = Group("key", ("title",), ("sku",), "picture")
HEADS: Final = Group("key", ("title",), ("sku",), "picture", ("product",))
PICTURE: Final = csv_text(("k", "", "", "", "http://a/1", "", "", ""))


@given(LINES, GROUPS, CHUNKS, MODES)
@example(["k,T,1,,,,,\n", PICTURE, PICTURE, "k,,2,,,,,\n", PICTURE], PLAIN, 20, "full")
@example(["Product,T,,,,,,\n", PICTURE, "v,,2,,,,,\n", PICTURE, "v,,3,,,,,\n"], HEADS, 20, "full")
@example(["Product,T,,,,,,draft\n", PICTURE, '"v"x\n', "v,,2,,,,,\n"], HEADS, 1, "full")
def test_any_groups_read_alike(lines: list[str], group: Group, chunk: int, mode: Mode):
    """Without reading anything one by one because columns failed."""
    body = (csv_text(HEADER) + "".join(lines)).encode()
    with pytest.MonkeyPatch.context() as patch:
        for module in (columns, delimited_columns):
            patch.setattr(module, "FAILURES", ())
        assert_alike(body, terms_of(group, mode), chunk)


@given(LINES, GROUPS, CHUNKS)
def test_reports_of_any_groups_are_the_same(lines: list[str], group: Group, chunk: int):
    body, terms = (csv_text(HEADER) + "".join(lines)).encode(), terms_of(group)
    wanted = report(ReferenceEngine(), body, terms, {})
    assert report(PolarsEngine(chunk), body, terms, {}) == wanted


@given(st.lists(ROWS, min_size=1, max_size=20), GROUPS, CHUNKS, MODES)
def test_any_groups_of_objects_read_alike(
    rows: list[tuple[str, ...]], group: Group, chunk: int, mode: Mode
):
    lines = [json.dumps(dict(zip(HEADER, row, strict=True))) for row in [("a",) * 8, *rows]]
    for end in ("\n", "\r\n"):
        assert_alike(end.join(lines).encode(), terms_of(group, mode), chunk)


@given(LINES, GROUPS, CHUNKS, st.integers(1, 4), st.integers(1, 200), st.integers(10, 200))
def test_what_is_too_much_is_refused_alike(
    lines: list[str], group: Group, chunk: int, folded: int, longest: int, carried: int
):
    body, terms = (csv_text(HEADER) + "".join(lines)).encode(), terms_of(group)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(groups, "MOST_FOLDED", folded)
        patch.setattr(groups, "LONGEST_RECORD", longest)
        patch.setattr(carrying, "MOST_CARRIED", carried)
        patch.setattr(carrying, "HIGHEST_CARRIED_RATIO", 0.1)
        assert_alike(body, terms, chunk)


@given(LINES, GROUPS, CHUNKS, st.integers(0, 3), st.integers(5, 40))
def test_as_many_records_of_no_group_may_stand_within_one(
    lines: list[str], group: Group, chunk: int, most: int, longest: int
):
    body, terms = (csv_text(HEADER) + "".join(lines)).encode(), terms_of(group)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(groups, "MOST_BETWEEN", most)
        patch.setattr(groups, "LONGEST_BETWEEN", longest)
        assert_alike(body, terms, chunk)


@pytest.mark.parametrize(
    "between", ["\n", ",,,,,,,\n", '"k"x,T,9,,,,,\n', ",,4,,,,,5\n", "k,T\n"],
    ids=["a blank line", "blank cells", "a broken record", "a record without a key", "a short one"],
)  # fmt: skip
@pytest.mark.parametrize("chunk", [1, 40, 1 << 23])
def test_what_stands_between_a_product_and_its_pictures_takes_none(between: str, chunk: int):
    """They stay with the product, on which the store would otherwise lose them without a word."""
    rows = [("k", "T", "1", "", "", "", "", "5"), ("k", "", "2", "", "", "", "", "5")]
    pictures = [("k", "", "", "", f"http://a/{n}", "", "", "") for n in range(2)]
    lines = [csv_text(rows[0]), csv_text(rows[1]), between, *map(csv_text, pictures), between * 2]
    body = (csv_text(HEADER) + "".join(lines)).encode()
    found = assert_alike(body, terms_of(PLAIN), chunk)["records"]
    taken = {sku: values.get("additional_image_urls") for _, sku, values, *_ in found}
    assert taken["2"] == (tuple, ("http://a/0", "http://a/1"))


@pytest.mark.parametrize("chunk", [1, 40, 1 << 23])
def test_pictures_behind_more_than_may_stand_between_are_rejected(chunk: int):
    """They would be products of their own, by an id that is made of their key."""
    lines = ["k,T,1,,,,,5\n", "\n" * (groups.MOST_BETWEEN + 1), PICTURE, PICTURE]
    body = (csv_text(HEADER) + "".join(lines)).encode()
    found = assert_alike(body, terms_of(PLAIN), chunk)
    assert [sku for _, sku, *_ in found["records"]] == ["1", None, None]


@given(LINES, GROUPS, CHUNKS, st.lists(st.booleans(), min_size=1, max_size=5))
def test_pieces_that_cant_be_completed_go_one_by_one(
    lines: list[str], group: Group, chunk: int, fails: list[bool]
):
    """Whichever they are, and however much text completed records may have at a time."""
    body, terms = (csv_text(HEADER) + "".join(lines)).encode(), terms_of(group)
    complete, calls = GroupCompleting._plan, 0

    def failing(self: GroupCompleting, cells: pl.DataFrame) -> pl.DataFrame:
        nonlocal calls
        calls += 1
        if fails[calls % len(fails)]:
            raise RecursionError
        return complete(self, cells)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(GroupCompleting, "_plan", failing)
        patch.setattr(columns, "text_of_batch", lambda _: 30)
        patch.setattr(delimited_columns, "_MOST_RUNS", 2)
        assert_alike(body, terms, chunk)


@given(LINES, GROUPS, CHUNKS, st.lists(st.booleans(), min_size=1, max_size=5))
def test_completed_records_that_cant_be_read_as_columns_are_read_one_by_one(
    lines: list[str], group: Group, chunk: int, fails: list[bool]
):
    body, terms = (csv_text(HEADER) + "".join(lines)).encode(), terms_of(group)
    batch, calls = columns.ColumnReading._batch, 0

    def failing(self: columns.ColumnReading, some: Completed) -> ColumnBatch:
        nonlocal calls
        calls += 1
        if fails[calls % len(fails)]:
            raise RecursionError
        return batch(self, some)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(columns.ColumnReading, "_batch", failing)
        patch.setattr(columns, "text_of_batch", lambda _: 60)
        assert_alike(body, terms, chunk)


def test_a_group_over_many_pieces_is_read_as_columns():
    """Its first record is remembered, and none is read one by one but the last of each piece."""
    rows = ["k,T,0,,,,,5\n", *(f"k,,{n},S,,,,5\n" for n in range(1, 2_000))]
    body = (csv_text(HEADER) + "".join(rows)).encode()
    found = assert_alike(body, terms_of(PLAIN), 5_000)
    assert {values["product_name"] for _, _, values, *_ in found["records"]} == {(str, "T")}
    assert read_one_by_one(body, terms_of(PLAIN), 5_000) <= 20
