"""Batches of records that are taken one by one: some thousand, or some megabytes of text.

Memory then depends neither on how many records a file has nor on how long they are.
"""

from collections.abc import Callable, Iterable, Iterator
from typing import Final, TypeVar

from commerce_core.parsing.grouping import Prepared
from commerce_core.parsing.raw_records import RawRecord
from commerce_core.profiles.limits import pattern_steps
from commerce_core.profiles.profile import Profile

RECORDS_OF_BATCH: Final = 5_000
"""Records in a batch."""
TEXT_OF_BATCH: Final = 1 << 23
"""Characters of their text; the record that reaches it is the last one."""
_FEW_STEPS: Final = 10
"""Steps of patterns up to which a batch has as much text as it would without any."""

T = TypeVar("T")


def text_of_batch(profile: Profile) -> int:
    """The characters to read at a time: less where the profile's patterns take many steps.

    A run can only be ended between two batches, so that none may take long.
    """
    return TEXT_OF_BATCH * _FEW_STEPS // max(_FEW_STEPS, pattern_steps(profile))


def batched(
    records: Iterable[T], size_of: Callable[[T], int], most: int = TEXT_OF_BATCH
) -> Iterator[list[T]]:
    """The records in batches, none of which is empty; `size_of` is the text of a record.

    The record with which a batch has `most` characters is its last one.
    """
    batch, size = list[T](), 0
    for record in records:
        batch.append(record)
        size += size_of(record)
        if len(batch) >= RECORDS_OF_BATCH or size >= most:
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
