"""Records are read while something is asked, in their order, and in bounded memory."""

from collections.abc import Iterable, Iterator, Mapping
from threading import Event
from unittest.mock import patch

import polars as pl
import pytest

from adapters.postgres.ingest import reading_ahead
from adapters.postgres.ingest.reading_ahead import meanwhile
from commerce_core.ports.engine import Batch
from tests.support.waiting import PATIENCE

FRAMES = [pl.DataFrame({"line": [number]}) for number in range(5)]


def batches(taken: list[int], of: Mapping[int, Event] | None = None) -> Iterator[Batch]:
    """Batches as columns, which note that they were made, and set the event of their number."""
    for number, frame in enumerate(FRAMES):
        taken.append(number)
        if of and number in of:
            of[number].set()
        yield frame  # type: ignore[misc] - columns are all that is looked at


def lines(found: Iterable[Batch | pl.DataFrame]) -> list[int]:
    return [frame["line"].item() for frame in found]  # type: ignore[index]


def test_batches_are_read_until_the_answer_is_there():
    """All of them in order, whether they were read before it or come behind it."""
    taken, last = list[int](), Event()

    def asking(_: Event) -> bool:
        return last.wait(PATIENCE)

    answer, found = meanwhile(asking, batches(taken, {4: last}))
    assert answer
    assert taken == [0, 1, 2, 3, 4] == lines(found)


def test_no_more_is_read_ahead_than_fits():
    taken, second = list[int](), Event()

    def asking(_: Event) -> bool:
        return second.wait(PATIENCE)

    with patch.object(reading_ahead, "MOST_AHEAD", 2 * FRAMES[0].estimated_size()):
        answer, found = meanwhile(asking, batches(taken, {1: second}))
    assert answer
    assert taken == [0, 1]
    assert lines(found) == [0, 1, 2, 3, 4]


def test_what_fails_while_asking_is_raised_once_nothing_is_read_any_more():
    def asking(_: Event) -> None:
        raise ValueError("gone")

    with pytest.raises(ValueError, match="gone"):
        meanwhile(asking, batches([]))


def test_what_fails_while_reading_stops_the_asking():
    """The connection is free again before anything else is done with it."""
    over = list[bool]()

    def asking(stop: Event) -> None:
        over.append(stop.wait(PATIENCE))

    def failing() -> Iterator[Batch]:
        yield from batches([])
        raise ValueError("bad file")

    with pytest.raises(ValueError, match="bad file"):
        meanwhile(asking, failing())
    assert over == [True]
