"""Rows of sheets read as columns: the same as the reference reads, whatever stands in them."""

import io
from collections.abc import Generator, Iterator
from decimal import Decimal
from typing import Any, Final
from unittest.mock import patch
from zoneinfo import ZoneInfo

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from adapters.polars_feeds.engine import PolarsEngine
from adapters.polars_feeds.tables import Table
from commerce_core.parsing.fingerprints import (
    NO_FINGERPRINTS,
    FingerprintIndex,
    IndexedFingerprints,
)
from commerce_core.parsing.library_formats import Read, TableFormat
from commerce_core.parsing.raw_records import CELL_END
from commerce_core.parsing.record_reader import Terms
from commerce_core.parsing.reference import ReferenceEngine
from commerce_core.parsing.sheet_rows import LINE_WITHIN, MARK
from commerce_core.ports.engine import FeedEngine, Reading
from commerce_core.profiles.profile import Profile, Skip
from commerce_core.schema.record import Record
from tests.support.engines import assert_alike

HEADER: Final = ("sku", "product_name", "price", "quantity")
CELLS: Final = st.sampled_from(
    ["A", "B", "A", "", "", " ", '"', '"x', "a\tb", f"a{LINE_WITHIN}b", "9.99", "1,50", "3", "é",
     "\u200b", "\0", "\r", "=1+1", "sku", "#N/A", "Fatal error: ", "draft", "x" * 40]
)  # fmt: skip
ROWS: Final = st.lists(st.lists(CELLS, max_size=6), max_size=12)
CHUNKS: Final = st.sampled_from([1, 30, 200, 1 << 23])


SIGNATURE: Final = b"ROWS"


def rows_of(read: Read) -> Iterator[str]:
    """The text of a file, as what reads a table gives it: in blocks that end anywhere."""
    read(len(SIGNATURE))
    text = b"".join(iter(lambda: read(1 << 16), b"")).decode()
    return iter([text[at : at + 50] for at in range(0, len(text), 50)])


@pytest.fixture(autouse=True, scope="module")
def table_format() -> Generator[None]:
    """A format whose files have such rows as they are."""
    known = "commerce_core.parsing.library_formats._TABLES"
    with patch.dict(known, {SIGNATURE: TableFormat(SIGNATURE, rows_of)}):
        yield


def as_text(rows: list[list[str]], header: tuple[str, ...] = HEADER) -> bytes:
    lines = (f"{MARK}{CELL_END.join(cells)}\n" for cells in [list(header), *rows])
    return SIGNATURE + "".join(lines).encode()


@given(ROWS, CHUNKS, st.sampled_from(["full", "delta"]))
@example([["A", "n", "", "", "extra"], ["B", "m"]], 1, "full")
@example([["A", "n"], [], ["sku", "product_name", "price", "quantity"], ["B", "m"]], 30, "full")
def test_any_rows_read_alike(rows: list[list[str]], chunk: int, mode: str):
    profile = Profile(skip=(Skip("product_name", ("draft",), "a draft"),))
    terms = Terms(mode, "EUR", ZoneInfo("UTC"), profile)  # type: ignore[arg-type] - one of both
    body = as_text(rows)
    assert_alike(body, terms, chunk)


@given(ROWS, CHUNKS, st.integers(1, 4))
def test_rows_above_the_header_are_no_records(rows: list[list[str]], chunk: int, header_line: int):
    terms = Terms("full", "EUR", ZoneInfo("UTC"), Profile(header_line=header_line))
    above = [["as of today"], [], ["x", "y"]][: header_line - 1]
    first, *others = [*above, list(HEADER), *rows]
    body = as_text(others, tuple(first))
    assert_alike(body, terms, chunk)


def test_rows_are_read_as_columns_and_known_again():
    body = as_text([[f"A{n}", "n", "9.99", "1"] for n in range(100)])
    terms = Terms("full", "EUR", ZoneInfo("UTC"))
    first: list[Any] = list(PolarsEngine(500).open(io.BytesIO(body), terms).batches())
    assert len(first) > 1
    assert all(isinstance(part, Table) for batch in first for part in batch.parts)
    prints = [record.fingerprint for batch in first for record in batch]
    known = IndexedFingerprints.of(prints)
    again = list(PolarsEngine(500).open(io.BytesIO(body), terms).batches(known))
    assert [number for batch in again for number in batch.matched] == list(range(100))
    assert sum(batch.records_read for batch in again) == 100


@pytest.mark.parametrize("engine", [PolarsEngine(), ReferenceEngine()])
def test_rows_whose_cells_differ_by_where_a_tab_is_are_different_records(engine: FeedEngine):
    terms = Terms("full", "EUR", ZoneInfo("UTC"))

    def opened(row: list[str]) -> Reading:
        return engine.open(io.BytesIO(as_text([row])), terms)

    def records(reading: Reading, known: FingerprintIndex = NO_FINGERPRINTS) -> list[Record]:
        return [record for batch in reading.batches(known) for record in batch]

    (first,) = records(opened(["A", "Lamp\t9.99", "", "1"]))
    known = IndexedFingerprints.of([first.fingerprint])
    assert records(opened(["A", "Lamp\t9.99", "", "1"]), known) == []
    (second,) = records(opened(["A", "Lamp", "9.99\t", "1"]), known)
    assert (first.values["product_name"], second.values["price"]) == ("Lamp\t9.99", Decimal("9.99"))
