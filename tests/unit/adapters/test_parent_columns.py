"""Parents and escapes as columns: what one by one gives, wherever parents and pieces stand."""

import json
from typing import Final
from zoneinfo import ZoneInfo

import polars as pl
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from adapters.polars_feeds import columns, delimited_columns
from adapters.polars_feeds.engine import PolarsEngine
from adapters.polars_feeds.parent_columns import ParentCompleting
from commerce_core.parsing import carrying, parents
from commerce_core.parsing.record_reader import Terms
from commerce_core.parsing.reference import ReferenceEngine
from commerce_core.profiles.profile import Column, Parents, Profile, Skip
from commerce_core.schema.fields import Mode
from tests.support.engines import assert_alike, csv_text, read_one_by_one, report

HEADER: Final = ("id", "type", "sku", "title", "text", "images", "state", "stock", "price", "of")
SKIP: Final = (
    Skip("type", ("variable", "both"), "a parent"),
    Skip("type", ("both",), "both"),
    Skip("state", ("0",), "not published"),
)
FIELDS: Final = {
    "sku": Column(("sku",)),
    "product_name": Column(("title",)),
    "description": Column(("text",)),
    "image_url": Column(("images",), separator=",", part="first"),
    "additional_image_urls": Column(("images",), separator=",", part="rest"),
    "quantity": Column(("stock",)),
    "price": Column(("price",)),
}
CARRIED: Final = (("title",), ("title", "text", "images", "stock"), ("id", "none", "title"), ())
PARENTS: Final = st.builds(
    Parents,
    st.sampled_from(["of", "of", "of", "none"]),
    st.sampled_from([("{sku}", "id:{id}"), ("{sku}",), ("{none}",), ("{id}/{sku}/{none}",)]),
    st.sampled_from(CARRIED),
    st.sampled_from([(), ("Parent",), ("parent", "0")]),
    st.sampled_from([(), ("state",), ("state", "type")]),
    st.sampled_from([(), ("price", "stock"), ("title",)]),
    st.sampled_from([True, True, False]),
)
ROWS: Final = st.tuples(
    st.sampled_from(["1", "2", "3", ""]),
    st.sampled_from(["variable", "simple", "variation", "both", ""]),
    st.sampled_from(["A", "B", "C", "D", "E", "", "sku"]),
    st.sampled_from(["", "", "T", "'=x", "a\\, b", "Fatal error: x", "Traceback"]),
    st.sampled_from(["", "one\\ntwo", "a\\\\nb\\n", "\\\\\\n", "'-x", "'x", "''=", "\\,", "x\ny"]),
    st.sampled_from(["", "http://a/1, http://a/2", "http://a/1,http://a/2", "http://a/3", "bad",
                     "http://a/1\\,2, http://b/2", ",".join(f"http://a/{n}" for n in range(12))]),
    st.sampled_from(["1", "1", "0", ""]),
    st.sampled_from(["", "parent", "PARENT ", "4", "0"]),
    st.sampled_from(["", "5", "x"]),
    st.sampled_from(["", "", "A", "B", "id:1", "id:2", " A ", "Z", "1/A"]),
)  # fmt: skip
AS_TEXT: Final = st.one_of(
    ROWS, ROWS, ROWS, ROWS, st.sampled_from([HEADER]),
    st.tuples(ROWS, st.integers(0, 12)).map(lambda cut: (*cut[0], "", "y")[: cut[1]]),
).map(csv_text)  # fmt: skip
ODD: Final = st.sampled_from(
    [
        '"k"x,T,9,,,,,,,A\n',
        "\n",
        "1,variable,A,\0,,,,,,\n",
        ",,,,,,,,,\n",
        "1,variable,A,,,,,,,, \n",
    ]
)
LINES: Final = st.lists(st.one_of(AS_TEXT, AS_TEXT, AS_TEXT, AS_TEXT, ODD), max_size=25)
CHUNKS: Final = st.sampled_from([1, 30, 100, 200, 1 << 23])
MODES: Final = st.sampled_from(["full", "delta"])
MARKED: Final = Parents("of", ("{sku}", "id:{id}"), ("title",), ("parent",), ("state",))


def terms_of(joined: Parents | None, mode: Mode = "full", *, escaped: bool = True) -> Terms:
    profile = Profile(
        columns=FIELDS,
        skip=SKIP,
        parents=joined,
        escapes="woocommerce" if escaped else None,
        identity=("{of}/{title}", "{id}"),
    )
    return Terms(mode, "EUR", ZoneInfo("UTC"), profile)


def row(**cells: str) -> str:
    return csv_text(tuple(cells.get(name, "") for name in HEADER))


PARENT: Final = row(id="1", type="variable", sku="A", title="T", state="1")
VARIANT: Final = row(sku="V", of="A", stock="parent")


@given(LINES, st.none() | PARENTS, CHUNKS, MODES, st.booleans())
@example([PARENT, VARIANT, PARENT.replace("T", "U"), VARIANT], MARKED, 30, "full", True)
@example([VARIANT, PARENT, VARIANT], MARKED, 1, "full", True)
@example([PARENT, '"A"x\n', VARIANT, row(type="both", sku="A", state="0"), VARIANT], MARKED, 1,
         "full", False)  # fmt: skip
def test_any_parents_read_alike(
    lines: list[str], joined: Parents | None, chunk: int, mode: Mode, escaped: bool
):
    """Without reading anything one by one because columns failed."""
    body = (csv_text(HEADER) + "".join(lines)).encode()
    with pytest.MonkeyPatch.context() as patch:
        for module in (columns, delimited_columns):
            patch.setattr(module, "FAILURES", ())
        assert_alike(body, terms_of(joined, mode, escaped=escaped), chunk)


@given(LINES, PARENTS, CHUNKS)
def test_reports_of_any_parents_are_the_same(lines: list[str], joined: Parents, chunk: int):
    body, terms = (csv_text(HEADER) + "".join(lines)).encode(), terms_of(joined)
    wanted = report(ReferenceEngine(), body, terms, {})
    assert report(PolarsEngine(chunk), body, terms, {}) == wanted


@given(st.lists(ROWS, min_size=1, max_size=20), PARENTS, CHUNKS, MODES, st.booleans())
def test_any_parents_of_objects_read_alike(
    rows: list[tuple[str, ...]], joined: Parents, chunk: int, mode: Mode, half: bool
):
    """Half a character, which no column can have, too."""
    lines = [json.dumps(dict(zip(HEADER, row, strict=True))) for row in [("a",) * 10, *rows]]
    if half:
        lines[len(lines) // 2] = lines[len(lines) // 2].replace('"T"', '"\\ud800"')
    assert_alike("\n".join(lines).encode(), terms_of(joined, mode), chunk)


@given(LINES, PARENTS, CHUNKS, st.integers(1, 5), st.integers(10, 300), st.integers(1, 100))
def test_what_is_too_much_is_refused_alike(
    lines: list[str], joined: Parents, chunk: int, most: int, longest: int, carried: int
):
    body, terms = (csv_text(HEADER) + "".join(lines)).encode(), terms_of(joined)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(parents, "MOST_PARENTS", most)
        patch.setattr(parents, "LONGEST_PARENTS", longest)
        patch.setattr(carrying, "MOST_CARRIED", carried)
        patch.setattr(carrying, "HIGHEST_CARRIED_RATIO", 0.05)
        assert_alike(body, terms, chunk)


@given(LINES, PARENTS, CHUNKS, st.lists(st.booleans(), min_size=1, max_size=5))
def test_pieces_that_cant_be_completed_go_one_by_one(
    lines: list[str], joined: Parents, chunk: int, fails: list[bool]
):
    """Whichever they are, and however much text completed records may have at a time."""
    body, terms = (csv_text(HEADER) + "".join(lines)).encode(), terms_of(joined)
    take, calls = ParentCompleting._taken, 0

    def failing(
        self: ParentCompleting, cells: pl.DataFrame, places: pl.Series, known: pl.DataFrame
    ) -> pl.DataFrame:
        nonlocal calls
        calls += 1
        if fails[calls % len(fails)]:
            raise RecursionError
        return take(self, cells, places, known)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(ParentCompleting, "_taken", failing)
        patch.setattr(columns, "text_of_batch", lambda _: 60)
        patch.setattr(delimited_columns, "_MOST_RUNS", 2)
        assert_alike(body, terms, chunk)


def test_variants_are_read_as_columns_wherever_their_parents_stand():
    """Many pieces later too; none is read one by one."""
    made = [row(id=f"{n}", type="variable", sku=f"P{n}", title=f"T{n}") for n in range(500)]
    made += [row(sku=f"V{n}", of=f"P{n % 500}", price="5") for n in range(1_000)]
    made += [row(sku=f"W{n}", of=f"id:{n % 500}", price="5") for n in range(1_000)]
    body = (csv_text(HEADER) + "".join(made)).encode()
    found = assert_alike(body, terms_of(MARKED), 5_000)
    assert {(sku, values["product_name"]) for _, sku, values, *_ in found["records"]} == {
        (f"{kind}{n}", (str, f"T{n % 500}")) for kind in "VW" for n in range(1_000)
    }
    assert read_one_by_one(body, terms_of(MARKED), 5_000) == 0
