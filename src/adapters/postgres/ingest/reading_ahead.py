"""Reading ahead: the next records are read while the server answers something about them."""

from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from itertools import chain
from threading import Event
from typing import Final, TypeVar

import polars as pl

from adapters.postgres.ingest.copy_columns import frame_of
from commerce_core.ports.engine import Batch

T = TypeVar("T")
MOST_AHEAD: Final = 1 << 25
"""Bytes of values that are read ahead; what a batch has beside them may stay with them."""


def meanwhile(
    asking: Callable[[Event], T], batches: Iterator[Batch]
) -> tuple[T, Iterable[Batch | pl.DataFrame]]:
    """What is asked in a thread while the first batches are read, and then all of them in order.

    Making batches can't use the connection of that thread. If it fails, what is set stops the
    thread, which is over in any case when this returns.
    """
    stop, ahead, size = Event(), list[Batch | pl.DataFrame](), 0
    with ThreadPoolExecutor(1, "asking") as pool:
        asked = pool.submit(copy_context().run, asking, stop)
        try:
            while not asked.done() and size < MOST_AHEAD:
                if (batch := next(batches, None)) is None:
                    break
                frame = frame_of(batch)
                ahead.append(batch if frame is None else frame)
                size += 0 if frame is None else int(frame.estimated_size())
        except BaseException:
            stop.set()
            raise
        return asked.result(), chain(ahead, batches)
