"""Batches of records that are taken one by one: some thousand, or some megabytes of text.

Memory then depends neither on how many records a file has nor on how long they are.
"""

from collections.abc import Callable, Iterable, Iterator
from typing import Final, TypeVar

from commerce_core.parsing.grouping import Prepared
from commerce_core.parsing.raw_records import RawRecord

RECORDS_OF_BATCH: Final = 5_000
"""Records in a batch."""
TEXT_OF_BATCH: Final = 1 << 23
"""Characters of their text; the record that reaches it is the last one."""

T = TypeVar("T")


def batched(records: Iterable[T], size_of: Callable[[T], int]) -> Iterator[list[T]]:
    """The records in batches, none of which is empty; `size_of` is the text of a record."""
    batch, size = list[T](), 0
    for record in records:
        batch.append(record)
        size += size_of(record)
        if len(batch) >= RECORDS_OF_BATCH or size >= TEXT_OF_BATCH:
            yield batch
            batch, size = [], 0
    if batch:
        yield batch


def size_of_raw(raw: RawRecord) -> int:
    """The characters of a record as it was sent."""
    return len(raw.sent)


def size_of(prepared: Prepared) -> int:
    """The characters of a prepared record, with those that it took from the head of its group."""
    raw = prepared.raw
    return len(raw.sent) + (sum(map(len, raw.cells or ())) if prepared.head else 0)
