"""Lines of JSON read as columns: the same as the reference reads, whatever is in them."""

import io
import json
from typing import Any, Final
from zoneinfo import ZoneInfo

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from adapters.polars_feeds.engine import PolarsEngine
from adapters.polars_feeds.tables import Table
from commerce_core.parsing.fingerprints import IndexedFingerprints
from commerce_core.parsing.record_reader import Terms
from commerce_core.profiles.profile import Profile, Skip
from commerce_core.schema.fields import Mode
from tests.support.engines import assert_alike

FIRST: Final = '{"sku": "A0", "product_name": "n", "price": 1, "x \\"y\\"": null, "brand": "b"}'
PLAIN: Final = FIRST.replace(' \\"y\\"', "")
VALUES: Final = st.sampled_from(
    ['"A"', '"B"', '" "', '""', "null", "true", "false", "0", "-0", "-0.0", "12.50", "1e400", "1E5",
     "12345678901234567890123", '"a\\"b"', '"\\\\"', '"\\\\\\""', '"\\u0041\\ud83d\\ude00"',
     '"\\ud800"', '"a\\nb"', '"a\\tb"', '"{}"', '"}, {"', '"\\u0000"', '"5 -0 x"', "[]", '["a"]',
     '["https://a.example/1", "https://a.example/2"]', "[1, 2.50]", '[["a"]]', "{}",
     '{"a": 1, "a": 2}', '[{"sku": "V", "price": 1}]', "NaN", "01", "1.", '"\u2028"', '"\x7f"',
     '"draft"', '"sku"', '"Fatal error: "', '"a\x01b"', '"9,99"']
)  # fmt: skip
KEYS: Final = st.sampled_from(
    ['"sku"', '"\\u0073ku"', '"product_name"', '"price"', '"brand"', '"x"', '"late"', '""']
)
MEMBERS: Final = st.tuples(KEYS, st.sampled_from([":", ": ", " :\t"]), VALUES).map("".join)
LINES: Final = st.one_of(
    st.tuples(
        st.lists(MEMBERS, max_size=6),
        st.sampled_from([", ", ",", ",,"]),
        st.sampled_from(["", " ", "\t", "\v", "\u00a0", "}", ","]),
    ).map(lambda made: f"{{{made[1].join(made[0])}}}{made[2]}"),
    st.sampled_from(
        ["", " ", "{", "}", "[]", "1", '{"sku": "A"} {"sku": "B"}', '{"sku": "C"', '{"sku": {}',
         '"brand": "b"}', '{"sku": "A", "sku": "B"}', f" {PLAIN}", PLAIN, PLAIN, "\ufeff{}"]
    ),
)  # fmt: skip
CHUNKS: Final = st.sampled_from([1, 200, 1 << 23])


@given(
    st.sampled_from([FIRST, PLAIN]), st.lists(LINES, max_size=10), CHUNKS,
    st.sampled_from(["full", "delta"]), st.sampled_from(["\n", "\r\n", "\r"]), st.booleans(),
    st.sampled_from([None, "[]"]),
)  # fmt: skip
@example(PLAIN, ['{"sku": "A", "sku": "B"}'], 1 << 23, "full", "\n", False, None)
@example(PLAIN, ['{"sku": "A"}{"sku": "B"}', "", PLAIN], 1 << 23, "full", "\n", True, None)
def test_any_lines_read_alike(
    first: str, lines: list[str], chunk: int, mode: Mode, end: str, is_ended: bool, path: str | None
):
    skip = (Skip("product_name", ("draft",), "a draft"),)
    terms = Terms(mode, "EUR", ZoneInfo("UTC"), Profile(skip=skip, record_path=path))
    body = (end.join([first, *lines]) + end * is_ended).encode()
    assert_alike(body, terms, chunk)


@pytest.mark.parametrize("header_line", [2, 3])
def test_lines_above_the_first_object_are_no_records(header_line: int):
    terms = Terms("full", "EUR", ZoneInfo("UTC"), Profile(header_line=header_line))
    body = "\n".join(["as of today", "{}", PLAIN, PLAIN, ""][3 - header_line :]).encode()
    assert_alike(body, terms, 1)


def test_simple_lines_are_read_as_columns_and_known_again():
    """Texts, numbers and lists of texts, whatever is escaped in them."""
    lines = [
        json.dumps({"sku": f"A{n}", "product_name": 'a "b" \\', "price": 9.5, "tags": ["x", "y"]})
        for n in range(100)
    ]
    body = "\n".join(lines).encode()
    terms = Terms("full", "EUR", ZoneInfo("UTC"))
    first: list[Any] = list(PolarsEngine(500).open(io.BytesIO(body), terms).batches())
    assert len(first) > 1
    assert all(isinstance(part, Table) for batch in first for part in batch.parts)
    known = IndexedFingerprints.of([record.fingerprint for batch in first for record in batch])
    reading = PolarsEngine(500).open(io.BytesIO(body), terms)
    again = list(reading.batches(known))
    assert [number for batch in again for number in batch.matched] == list(range(100))
    assert reading.notes == ()


def test_lines_that_differ_in_what_is_escaped_alone_are_told_apart():
    terms = Terms("full", "EUR", ZoneInfo("UTC"))
    one, other = (json.dumps({"sku": "A", "product_name": n}) for n in ('6" pipe', "6 pipe"))
    (batch,) = PolarsEngine().open(io.BytesIO(one.encode()), terms).batches()
    known = IndexedFingerprints.of([record.fingerprint for record in batch])
    (again,) = PolarsEngine().open(io.BytesIO(other.encode()), terms).batches(known)
    assert (list(again.matched), [r.values["product_name"] for r in again]) == ([], ["6 pipe"])
