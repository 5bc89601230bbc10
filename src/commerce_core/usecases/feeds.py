"""Feeds: a partner's file is received, kept as it came, and listed."""

from collections.abc import Iterator
from contextlib import AbstractContextManager
from datetime import datetime, timedelta
from typing import BinaryIO, Final

from attrs import evolve, frozen

from commerce_core.base.errors import (
    Fault,
    InvalidInput,
    NotFound,
    refuse_if,
)
from commerce_core.base.ids import looks_like, parse
from commerce_core.base.paging import (
    DEFAULT_LIMIT,
    Page,
    check_limit,
    read_cursor,
    write_cursor,
)
from commerce_core.catalog.product import Product
from commerce_core.catalog.publication import ChangeKind
from commerce_core.feeds.feed import Feed, FeedQuery, check_promises, tidy_file_name
from commerce_core.feeds.job import FeedJobKind, Job, JobStatus
from commerce_core.feeds.source import MAIN_SOURCE, Source
from commerce_core.history.versions import (
    LARGEST_CHANGES,
    START,
    ChangeQuery,
    Version,
)
from commerce_core.partners.partner import Partner
from commerce_core.ports.partners import PartnersUnit
from commerce_core.ports.store import UnitOfWork
from commerce_core.schema.fields import Mode
from commerce_core.usecases.context import Context, IdempotencyKey, Listed
from commerce_core.usecases.jobs import Jobs, new_job

LONGEST_CONTENT_TYPE: Final = 255
_FUTURE_ALLOWED: Final = timedelta(days=1)
"""How far a snapshot may lie ahead: clocks and time zones differ, but not by more."""


@frozen
class Arrival:
    """What is said of a file that comes in; what isn't is as its source has it."""

    partner: str
    source: str | None
    mode: Mode | None
    file_name: str
    snapshot_at: datetime | None
    expected_rows: int | None
    content_type: str = "text/csv"

    def feed(self, context: Context, unit: PartnersUnit) -> Feed:
        """The feed that it becomes, before its bytes are known.

        NotFound for an unknown partner or source, Conflict for a partner that isn't active.
        """
        now, owner = context.clock(), context.partner(unit, self.partner)
        owner.check_may_send()
        source = _find_source(unit, owner, self.source)
        name = tidy_file_name(self.file_name)
        return Feed(
            feed_id=context.mint("feed"),
            partner_id=owner.partner_id,
            partner_name=owner.partner_name,
            source_id=source.source_id,
            file_name=name,
            content_type=self.content_type[:LONGEST_CONTENT_TYPE],
            bytes=0,
            sha256="",
            mode=self.mode or source.mode,
            status="received",
            received_at=now,
            snapshot_at=self.snapshot_at or _named(source, name, owner, now) or now,
            expected_rows=self.expected_rows,
        )


def _find_source(unit: PartnersUnit, partner: Partner, source: str | None) -> Source:
    """The partner's source of that id or name, `main` unless said; NotFound if it has none such."""
    if source is not None and looks_like("src", source):
        found = unit.sources.get(parse("src", source))
    else:
        found = unit.sources.find(partner.partner_id, source or MAIN_SOURCE)
    if found is None or found.partner_id != partner.partner_id:
        raise NotFound(f"Partner {partner.partner_name!r} has no source {source!r}.")
    return found


def _named(source: Source, name: str, partner: Partner, now: datetime) -> datetime | None:
    """The moment that a file's name tells, unless it lies in the future."""
    moment = source.moment_of(name, partner.time_zone)
    return moment if moment is not None and moment <= now + _FUTURE_ALLOWED else None


def check_snapshot(snapshot_at: datetime | None, now: datetime) -> None:
    """InvalidInput for a snapshot of a moment that is still to come."""
    refuse_if(
        "The snapshot's time can't be.",
        (
            snapshot_at is not None and snapshot_at > now + _FUTURE_ALLOWED,
            Fault("/snapshot_at", "snapshot_in_future", "A snapshot shows a moment that has been."),
        ),
    )


def check_kept(size: int, got: str, promised: str | None) -> None:
    """InvalidInput for a file of no bytes, and for one that isn't what was promised."""
    if size == 0:
        raise InvalidInput.at("/file", "empty_file", "The file has no bytes.")
    if promised is not None and promised.lower() != got:
        detail = (
            f"The bytes received have the SHA-256 {got}, not the one promised. Send them again."
        )
        raise InvalidInput.at("/sha256", "digest_mismatch", detail)


_ANY_FEED: Final = FeedQuery()


@frozen
class Receipt:
    """What an upload is acknowledged with; `status` is the job's, `released` whether it begins."""

    feed_id: str
    job_id: str
    partner_id: str
    source_id: str
    status: JobStatus
    sha256: str
    bytes: int
    released: bool = False


@frozen
class Feeds:
    """The files that partners send, exactly as they came, and what each of them did."""

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
        """Keeps a feed's raw file, and a job of that kind that waits for its start unless `run`.

        What isn't said of `mode` and `run` is as its source has it; `snapshot_at` is then what the
        file's name tells by the source's pattern, else the time of receipt.

        Everything about the content ends in the job. Refused are only: an unknown partner or source
        (NotFound), a partner that isn't active (Conflict), a file of no bytes or of another SHA-256
        (InvalidInput), and one that is too large (TooLarge); then nothing is kept.
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
            check_kept(stored.bytes, stored.sha256, sha256)
            feed = evolve(feed, bytes=stored.bytes, sha256=stored.sha256)
            request = (
                "upload", feed.partner_id, feed.source_id, feed.file_name, feed.mode, feed.sha256,
                snapshot_at, expected_rows, run, kind,
            )  # fmt: skip
            with context.store.begin() as unit:
                receipt = context.once(
                    unit,
                    key,
                    request,
                    lambda: self._receive(unit, feed, kind, run=run),
                    answer=Receipt,
                )
        except Exception:
            context.files.delete(feed.file_key)
            raise
        if receipt.feed_id != feed.feed_id:
            context.files.delete(feed.file_key)
        return receipt

    def _receive(self, unit: UnitOfWork, feed: Feed, kind: FeedJobKind, *, run: bool) -> Receipt:
        unit.sources.lock_shared(feed.source_id)
        unit.feeds.add(feed)
        job = new_job(self._context, unit, feed, kind, run=run)
        event = self._context.new_event()
        unit.events.add([event.of_feed("feed.received", feed, job_id=job.job_id, bytes=feed.bytes)])
        return Receipt(
            feed.feed_id, job.job_id, feed.partner_id, feed.source_id, job.status, feed.sha256,
            feed.bytes, run,
        )  # fmt: skip

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
        """Uploads a feed, from a path or a binary stream, and runs its job here and now.

        Returns the finished job also where it failed; raises only what `upload` refuses.
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
        """The feed."""
        with self._context.store.begin() as unit:
            return self._context.feed(unit, feed_id)

    def list(self, query: FeedQuery = _ANY_FEED, *, partner: str | None = None) -> Iterator[Feed]:
        """All feeds that fit, newest first."""
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
        """A page of the feeds that fit, newest first."""
        query = self._context.own(query, partner)
        with self._context.store.begin() as unit:
            return self._context.listed(unit.feeds, query, cursor, limit, count=count)

    def raw(self, feed_id: str) -> AbstractContextManager[BinaryIO]:
        """The bytes of a feed exactly as they were received."""
        return self._context.files.open(self.get(feed_id).file_key)

    def changes(self, feed_id: str, kinds: tuple[ChangeKind, ...] = ()) -> Iterator[Version]:
        """All that a feed changed, in the order in which it did."""
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
        """A page of what a feed changed, in the order in which it did."""
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
        with self._context.store.begin() as unit:
            own = self._context.feed(unit, feed_id).feed_id
            return self._context.listed(unit.feed_products, own, cursor, limit, count=count)
