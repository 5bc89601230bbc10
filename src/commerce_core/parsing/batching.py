"""Batches of records that are taken one by one: some thousand, or some megabytes of text.

Memory then depends neither on how many records a file has nor on how long they are.
"""

from collections.abc import Callable, Iterable, Iterator
from typing import Final, TypeVar

from commerce_core.parsing.grouping import Prepared

RECORDS_OF_BATCH: Final = 5_000
"""Records in a batch."""
TEXT_OF_BATCH: Final = 1 << 23
"""Characters of their text; the record that reaches it is the last one."""

T = TypeVar("T")


def batched(records: Iterable[T], text_of: Callable[[T], str]) -> Iterator[list[T]]:
    """The records in batches, none of which is empty."""
    batch, size = list[T](), 0
    for record in records:
        batch.append(record)
        size += len(text_of(record))
        if len(batch) >= RECORDS_OF_BATCH or size >= TEXT_OF_BATCH:
            yield batch
            batch, size = [], 0
    if batch:
        yield batch


def text_as_sent(prepared: Prepared) -> str:
    """All text of a prepared record, by which batches are measured."""
    return prepared.raw.sent
