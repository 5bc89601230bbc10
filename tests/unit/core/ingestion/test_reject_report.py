"""The report of rejected records is made while it is read."""

import io
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any
from zoneinfo import ZoneInfo

from commerce_core.ingestion.reject_report import RejectReport
from commerce_core.parsing.record_reader import Terms
from commerce_core.parsing.reference import ReferenceEngine


def test_no_more_rows_are_made_than_are_read():
    """However many there are, memory has the block that is being read."""
    feed = io.BytesIO(b"sku,product_name,price\nA,Lamp,x\n")
    opened = ReferenceEngine().open(feed, Terms("full", "EUR", ZoneInfo("UTC")))
    made = 0

    def rows(*_: object) -> Iterator[tuple[int, str]]:
        nonlocal made
        while made < 100:
            made += 1
            yield 1, "x" * 999 + "\n"

    reading: Any = SimpleNamespace(header=opened.header, text=opened.text, report=rows)
    report = RejectReport.of("feed_1", reading, lambda: feed, {}, lambda: None)
    stream = report.stream()
    first = stream.read(10)
    assert (len(first), made) == (10, 0)
    for reads in range(1, 21):
        assert len(stream.read(500)) == 500
        assert made == -(-(reads * 500 + 10 - len(first_line_of(report))) // 1000)
    rest = stream.read()
    assert (made, report.records) == (100, 100)
    assert len(rest) == 100 * 1000 + len(first_line_of(report)) - 10 - 20 * 500
    assert stream.read(10) == b""


def first_line_of(report: RejectReport) -> str:
    return report._write.first_line()
