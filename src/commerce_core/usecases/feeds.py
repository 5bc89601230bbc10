"""Feeds: receiving files, keeping them exactly as they were sent, and listing them."""

from collections.abc import Iterator
from contextlib import AbstractContextManager
from datetime import datetime
from typing import BinaryIO, Final

from attrs import evolve, frozen

from commerce_core.base.paging import (
    DEFAULT_LIMIT,
    Page,
    check_limit,
    read_cursor,
    write_cursor,
)
from commerce_core.catalog.product import Product
from commerce_core.catalog.publication import ChangeKind
from commerce_core.feeds.feed import Feed, FeedQuery, check_promises
from commerce_core.feeds.job import FeedJobKind, Job
from commerce_core.history.versions import (
    LARGEST_CHANGES,
    START,
    ChangeQuery,
    Version,
)
from commerce_core.schema.fields import Mode
from commerce_core.usecases.context import Context, IdempotencyKey, Listed
from commerce_core.usecases.jobs import Jobs
from commerce_core.usecases.receiving import (
    Arrival,
    Receipt,
    check_received,
    check_snapshot,
    receive,
)

_ANY_FEED: Final = FeedQuery()


@frozen
class Feeds:
    """The files that partners send, exactly as received, and what each of them changed."""

    _context: Context

    def upload(
        self,
        stream: BinaryIO,
        *,
        partner: str,
        file_name: str = "feed.csv",
        content_type: str = "text/csv",
        source: str | None = None,
        mode: Mode | None = None,
        kind: FeedJobKind = "ingest",
        run: bool | None = None,
        snapshot_at: datetime | None = None,
        expected_rows: int | None = None,
        sha256: str | None = None,
        key: IdempotencyKey | str | None = None,
    ) -> Receipt:
        """Keeps a feed's raw file, and adds a job, which waits to be started unless `run`.

        `mode` and `run` default to the source's. `snapshot_at` defaults to the moment in the file's
        name, by the source's pattern, and else to the time of receipt.

        Problems with the content are reported by the job. Only these errors refuse the upload,
        and then nothing is stored: an unknown partner or source (NotFound), a partner that isn't
        active (Conflict), a file that is empty or has another SHA-256 (InvalidInput), one that
        is too large (TooLarge), and a key that is no longer valid when the file has arrived
        (Unauthenticated).
        """
        check_promises(sha256, expected_rows)
        context = self._context
        check_snapshot(snapshot_at, context.clock())
        arrival = Arrival(
            partner, source, mode, file_name, snapshot_at, expected_rows, content_type
        )
        with context.store.begin() as unit:
            feed = arrival.feed(context, unit)
            run = unit.sources.get(feed.source_id).run if run is None else run
        stored = context.files.put(feed.file_key, stream, context.most_upload_bytes)
        try:
            check_received(stored.bytes, stored.sha256, sha256)
            feed = evolve(feed, bytes=stored.bytes, sha256=stored.sha256)
            request = (
                "upload", feed.partner_id, feed.source_id, feed.file_name, feed.mode, feed.sha256,
                snapshot_at, expected_rows, run, kind,
            )  # fmt: skip
            with context.writing() as unit:
                receipt = context.once(
                    unit,
                    key,
                    request,
                    lambda: receive(context, unit, feed, kind, run=run),
                    answer=Receipt,
                )
        except Exception:
            context.files.delete(feed.file_key)
            raise
        if receipt.feed_id != feed.feed_id:
            context.files.delete(feed.file_key)
        return receipt

    def load(
        self,
        file: str | BinaryIO,
        *,
        partner: str,
        file_name: str | None = None,
        mode: Mode | None = None,
        source: str | None = None,
        snapshot_at: datetime | None = None,
        expected_rows: int | None = None,
        sha256: str | None = None,
        key: IdempotencyKey | str | None = None,
    ) -> Job:
        """Uploads a feed, from a path or a binary stream, and runs its job immediately.

        Returns the finished job even if it failed; raises only what `upload` raises.
        """
        with self._context.opened(file) as stream:
            receipt = self.upload(
                stream,
                partner=partner,
                file_name=file_name or (file if isinstance(file, str) else "feed.csv"),
                mode=mode,
                source=source,
                run=False,
                snapshot_at=snapshot_at,
                expected_rows=expected_rows,
                sha256=sha256,
                key=key,
            )
        return Jobs(self._context).run(receipt.job_id)

    def get(self, feed_id: str) -> Feed:
        """The feed with that id."""
        with self._context.store.begin() as unit:
            return self._context.feed(unit, feed_id)

    def list(self, query: FeedQuery = _ANY_FEED, *, partner: str | None = None) -> Iterator[Feed]:
        """All matching feeds, newest first."""
        return self._context.walk(lambda unit: unit.feeds, self._context.own(query, partner))

    def page(
        self,
        query: FeedQuery = _ANY_FEED,
        cursor: str | None = None,
        limit: int = DEFAULT_LIMIT,
        *,
        partner: str | None = None,
        count: bool = False,
    ) -> Listed[Feed]:
        """A page of the matching feeds, newest first."""
        query = self._context.own(query, partner)
        with self._context.store.read_only() as unit:
            return self._context.listed(unit.feeds, query, cursor, limit, count=count)

    def raw(self, feed_id: str) -> AbstractContextManager[BinaryIO]:
        """The bytes of a feed, exactly as received."""
        return self._context.files.open(self.get(feed_id).file_key)

    def changes(self, feed_id: str, kinds: tuple[ChangeKind, ...] = ()) -> Iterator[Version]:
        """Everything a feed changed, in the order of the changes."""
        cursor: str | None = None
        while True:
            listed = self.page_changes(feed_id, cursor, LARGEST_CHANGES, kinds=kinds)
            yield from listed.items
            cursor = listed.next_cursor
            if cursor is None:
                return

    def page_changes(
        self,
        feed_id: str,
        cursor: str | None = None,
        limit: int = DEFAULT_LIMIT,
        *,
        kinds: tuple[ChangeKind, ...] = (),
    ) -> Listed[Version]:
        """A page of what a feed changed, in the order of the changes."""
        limit = check_limit(limit, LARGEST_CHANGES)
        with self._context.store.begin() as unit:
            query = ChangeQuery(feed_id=self._context.feed(unit, feed_id).feed_id, kinds=kinds)
            after = read_cursor(query, cursor) or START
            page = unit.versions.changes(query, after, limit + 1)
            cut = Page[Version].cut(page.items, limit, lambda version: version.position)
            return Listed(cut.items, write_cursor(query, cut.after))

    def page_products(
        self,
        feed_id: str,
        cursor: str | None = None,
        limit: int = DEFAULT_LIMIT,
        *,
        count: bool = False,
    ) -> Listed[Product]:
        """A page of the products that a feed wrote, as it wrote them."""
        with self._context.store.read_only() as unit:
            own = self._context.feed(unit, feed_id).feed_id
            return self._context.listed(unit.feed_products, own, cursor, limit, count=count)
