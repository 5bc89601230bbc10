"""COPY from a thread of its own, so that the next rows are made while the server takes the last.

Blocks go through a short queue: the faster side waits, and memory stays flat.
"""

import queue
import threading
from collections.abc import Callable, Generator
from contextlib import contextmanager
from typing import Final

from psycopg import sql

from adapters.postgres.connection.rows import Connection

BLOCKS_WAITING: Final = 2
"""Blocks that may wait for the server."""


@contextmanager
def copying(db: Connection, statement: sql.SQL | sql.Composed) -> Generator["Sender"]:
    """Gives a sender of blocks of rows; at the end the server has taken all of them.

    Until then nothing else can use this connection. What the server refuses is raised at the end,
    or by the next block.
    """
    with db.cursor() as cursor:
        with cursor.copy(statement) as copy:
            sender = Sender(copy.write)
            try:
                yield sender
            except BaseException:
                sender.give_up()
                raise
            sender.finish()
        sender.rows = cursor.rowcount


class Sender:
    """A thread that sends blocks in the order in which they are put; `rows` is known at the end."""

    def __init__(self, send: Callable[[bytes], object]) -> None:
        """Begins to send as soon as there is something."""
        self.rows = 0
        self._send = send
        self._blocks = queue.Queue[bytes | None](BLOCKS_WAITING)
        self._error: BaseException | None = None
        self._thread = threading.Thread(target=self._work, name="copy", daemon=True)
        self._thread.start()

    def put(self, block: bytes) -> None:
        """Sends a block, after those before it; waits where too many do."""
        self._check()
        self._blocks.put(block)

    def finish(self) -> None:
        """Returns when all has been sent."""
        self._blocks.put(None)
        self._thread.join()
        self._check()

    def give_up(self) -> None:
        """Sends nothing more."""
        self._send = _dropped
        self._blocks.put(None)
        self._thread.join()

    def _work(self) -> None:
        while (block := self._blocks.get()) is not None:
            try:
                self._send(block)
            except BaseException as error:  # noqa: BLE001 - it is raised where the rows are made
                self._error = error
                self._send = _dropped

    def _check(self) -> None:
        if self._error is not None:
            raise self._error


def _dropped(_: bytes) -> None:
    """Takes blocks that aren't wanted any more, so that their maker never waits for ever."""
