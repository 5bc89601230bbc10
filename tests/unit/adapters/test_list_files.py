"""Files of price lists are read by columns, or by records, with the same result."""

import io
from collections.abc import Sequence
from typing import Any

import pytest

from adapters.polars_feeds.batches import ColumnBatch
from adapters.polars_feeds.engine import PolarsEngine
from commerce_core.parsing.reference import RecordBatch, ReferenceEngine
from commerce_core.ports.engine import FeedEngine
from commerce_core.usecases.list_files import ListFile, ListTerms, read_list

FILES = {
    "plain": b"sku,minimum_quantity,price\nA,1,9.00\nA,10,8.5\nB,,7\n",
    "without quantities": b"sku,price\nA,9.00\nB,0.000\n",
    "a column of currencies": b"sku,price,currency\nA,9.00,EUR\nB,8.00,\n",
    "another currency": b"sku,price,currency\nA,9.00,EUR\nB,8.00,USD\n",
    "a currency behind the price": b"sku,price\nA,9.00 EUR\nB,8.00 USD\n",
    "too many decimals": b"sku,price\nA,9.00\nB,8.005\nC,8.500\n",
    "no price": b"sku,minimum_quantity,price\nA,1,\nB,2,3.00\n",
    "an unreadable price": b"sku,price\nA,cheap\nB,3.00\n",
    "a negative price": b"sku,price\nA,-1.00\nB,3.00\n",
    "no sku": b"sku,price\n,1.00\nB,3.00\n",
    "quantities out of range": b"sku,quantity,price\nA,0,1\nB,-3,1\nC,1000000001,1\nD,1.5,1\n",
    "a record that deletes": b"sku,price,deleted\nA,1.00,yes\nB,2.00,no\n",
    "blank lines and other columns": b"sku,title,price\nA,Lamp,1.00\n\n,,\nB,,2.00\n",
    "odd skus": b'sku,price\n"A\\B",1.00\n"A ""1""",2.00\nC\xc3\xa9,3.00\n',
    "a price of a million digits": b"sku,price\nA," + b"9" * 40 + b"\nB,2.00\n",
}


def read(file: bytes, engine: FeedEngine) -> tuple[ListFile, Sequence[Any]]:
    found = read_list(io.BytesIO(file), ListTerms(engine, "EUR"))
    return found, [(e.line, e.sku, e.minimum_quantity, e.price) for e in found.entries]


@pytest.mark.parametrize("name", FILES)
def test_columns_and_records_are_read_alike(name: str, monkeypatch: pytest.MonkeyPatch):
    by_columns = [read(FILES[name], engine) for engine in (PolarsEngine(), ReferenceEngine())]
    for kind in (ColumnBatch, RecordBatch):
        monkeypatch.setattr(kind, "in_columns", lambda *_: None)
    by_records = [read(FILES[name], engine) for engine in (PolarsEngine(), ReferenceEngine())]
    first, *others = [
        (entries, found.records, found.rejected, found.problems, found.sha256)
        for found, entries in (*by_columns, *by_records)
    ]
    assert [other for other in others if other != first] == []


def test_columns_are_lists_of_what_the_records_have():
    for engine in (PolarsEngine(), ReferenceEngine()):
        opened = engine.open(io.BytesIO(FILES["plain"]), ListTerms(engine, "EUR").of_feeds)
        (batch,) = opened.batches()
        found = batch.in_columns(("quantity", "price"))
        assert found is not None
        assert [list(column) for column in found] == [
            [2, 3, 4], ["A", "A", "B"], [1, 10, None], ["9.00", "8.5", "7"],
        ]  # fmt: skip
