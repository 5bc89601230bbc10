"""Taking one file of another server: its bytes stored, checked, and made a feed."""

import re
from collections.abc import Callable, Generator
from contextlib import AbstractContextManager, contextmanager
from datetime import datetime
from typing import BinaryIO, Final, cast

from attrs import evolve, frozen

from commerce_core.base.errors import InvalidInput
from commerce_core.feeds.manifest import Manifest
from commerce_core.feeds.place import name_of
from commerce_core.feeds.pull import Pull
from commerce_core.feeds.remote_file import RemoteFile
from commerce_core.ports.fetcher import Access, FetchFailed, Opened
from commerce_core.ports.files import StoredFile
from commerce_core.ports.store import UnitOfWork
from commerce_core.usecases.context import Context
from commerce_core.usecases.fetching.places import connect
from commerce_core.usecases.fetching.stream import RemoteStream, Show
from commerce_core.usecases.receiving import Arrival, check_received, receive

_HEAD: Final = 512
_HTML: Final = re.compile(rb"[\s\xef\xbb\xbf]*(<!doctype\s+html|<html)", re.IGNORECASE)
_NOTHING_PROMISED: Final = Manifest()


@frozen
class Taken:
    """A file that was stored: as the server described it, and as it came."""

    file: RemoteFile
    file_key: str
    stored: StoredFile


@frozen
class Taking:
    """Stores the files of a source's place, and makes feeds of them."""

    _context: Context
    _pull: Pull
    access: Access
    _left: Callable[[], float]
    """How many seconds the try may still take."""

    def store(self, opened: Opened, show: Show, promised: Manifest = _NOTHING_PROMISED) -> Taken:
        """Stores what is open, or nothing of it.

        FetchFailed `html` for a web page, InvalidInput if it is empty or not as promised, TooLarge
        beyond the limit.
        """
        file_key = f"raw/{self._pull.partner_id}/{self._context.mint('feed')}"
        with RemoteStream(opened, self._reopened, show) as stream:
            if is_html(stream.head(_HEAD)):
                raise html()
            stored = self._context.files.put(
                file_key, cast("BinaryIO", stream), self._context.most_upload_bytes
            )
        taken = Taken(opened.file, file_key, stored)
        try:
            check_received(stored.bytes, stored.sha256, promised.sha256)
        except InvalidInput:
            self.drop(taken)
            raise
        return taken

    def drop(self, taken: Taken) -> None:
        """Deletes the stored bytes."""
        self._context.files.delete(taken.file_key)

    def feed(
        self,
        unit: UnitOfWork,
        taken: Taken,
        promised: Manifest = _NOTHING_PROMISED,
        snapshot_at: datetime | None = None,
    ) -> str:
        """Makes the feed of a stored file, as an upload does, and returns its id."""
        pull = self._pull
        name = name_of(taken.file.path)
        arrival = Arrival(pull.partner_id, pull.source_id, None, name, snapshot_at, promised.rows)
        feed = evolve(
            arrival.feed(self._context, unit),
            feed_id=taken.file_key.rpartition("/")[2],
            bytes=taken.stored.bytes,
            sha256=taken.stored.sha256,
        )
        return receive(self._context, unit, feed, run=unit.sources.get(pull.source_id).run).feed_id

    def _reopened(self, file: RemoteFile, start: int) -> AbstractContextManager[Opened | None]:
        @contextmanager
        def opened() -> Generator[Opened | None]:
            with (
                connect(self._context, self._pull.place, self.access, self._left()) as remote,
                remote.open(file, start) as again,
            ):
                yield again

        return opened()


def is_html(head: bytes) -> bool:
    """Whether a file begins like a web page."""
    return _HTML.match(head) is not None


def html() -> FetchFailed:
    """The failure of a server that sends a web page."""
    return FetchFailed(
        "html", "The server sent a web page, such as a form to sign in, instead of a file."
    )
