"""All that an engine finds in a feed, in a form in which two engines can be compared."""

import csv
import io
from collections import Counter, deque
from collections.abc import Iterable, Mapping
from datetime import datetime
from decimal import Decimal
from functools import reduce
from typing import Any
from unittest.mock import patch

from adapters.polars_feeds.chunks import CHUNK
from adapters.polars_feeds.engine import PolarsEngine
from commerce_core.base.errors import FileRefused
from commerce_core.ingestion.progress import listed_with
from commerce_core.ingestion.reject_report import RejectReport
from commerce_core.parsing.prepared import Prepared
from commerce_core.parsing.record_reader import FieldReader, RecordReader, Terms
from commerce_core.parsing.reference import ReferenceEngine
from commerce_core.ports.engine import FeedEngine
from commerce_core.schema.cells import Reading
from commerce_core.schema.problems import Problem
from commerce_core.schema.record import Record


def spelled(value: object) -> object:
    """A value with its type, so that it equals no other."""
    if isinstance(value, Decimal | datetime):
        return f"{type(value).__name__} {value}"
    return (type(value), dict(value)) if isinstance(value, Mapping) else (type(value), value)


def spelled_record(record: Record) -> tuple[Any, ...]:
    values = {name: spelled(value) for name, value in record.values.items()}
    return record.line, record.sku, values, record.problems, record.fate, record.reason


def read(engine: FeedEngine, body: bytes, terms: Terms) -> dict[str, Any]:
    """All that an engine finds in a file."""
    try:
        reading = engine.open(io.BytesIO(body), terms)
        batches = list(reading.batches())
    except FileRefused as refused:
        return {"refused": (refused.code, str(refused), refused.line)}
    header = reading.header
    return {
        "header": (header.mapping, header.delimiter, header.corrects, header.terms),
        "encoding": (reading.text.encoding, reading.text.mark),
        "records": [spelled_record(record) for batch in batches for record in batch],
        "read": sum(batch.records_read for batch in batches),
        "rejected": sum(batch.rejected for batch in batches),
        "unreadable": sum(batch.skus_unreadable for batch in batches),
        "skus": sorted(sku for batch in batches for sku in batch.skus),
        "fates": sum((batch.fates for batch in batches), Counter[str]()),
        "reasons": sum((batch.reasons for batch in batches), Counter[str]()),
        "noted": sum((batch.noted for batch in batches), Counter[Any]()),
        "problems": [problem for batch in batches for problem in batch.problems(10**9)],
        "listed": reduce(lambda kept, one: listed_with(kept, one, 3), batches, list[Problem]()),
        "first": [problem for batch in batches for problem in batch.problems(1)][:1],
    }


def assert_alike(body: bytes, terms: Terms, chunk: int = CHUNK) -> dict[str, Any]:
    """What the reference finds in a file, which is what is found in columns of pieces that long."""
    wanted = read(ReferenceEngine(), body, terms)
    assert read(PolarsEngine(chunk), body, terms) == wanted
    return wanted


def read_one_by_one(body: bytes, terms: Terms, chunk: int) -> int:
    """How many records of a file aren't read as columns."""
    read_record, count = RecordReader.__call__, 0

    def counting(self: RecordReader, prepared: Prepared) -> Record:
        nonlocal count
        count += 1
        return read_record(self, prepared)

    with patch.object(RecordReader, "__call__", counting):
        read(PolarsEngine(chunk), body, terms)
    return count


def texts_read_one_by_one(body: bytes, terms: Terms) -> list[str]:
    """The texts of fields in a file that aren't read as columns."""
    read_text, texts = FieldReader.__call__, list[str]()

    def noting(self: FieldReader, text: str) -> tuple[Reading, str | None]:
        texts.append(text)
        return read_text(self, text)

    with patch.object(FieldReader, "__call__", noting):
        read(PolarsEngine(), body, terms)
    return texts


def csv_text(*rows: Iterable[object]) -> str:
    """The rows as CSV."""
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows(rows)
    return text.getvalue()


def report(
    engine: FeedEngine, body: bytes, terms: Terms, found: dict[int, Problem]
) -> tuple[int, bytes] | str:
    """The report of a file's rejected records, and how many there are; or why it is refused."""
    try:
        reading = engine.open(io.BytesIO(body), terms)
        deque(reading.batches(), 0)
        made = RejectReport.of("feed_x", reading, lambda: io.BytesIO(body), found, int)
        written = made.stream().read()
    except FileRefused as refused:
        return str(refused)
    return made.records, written
