"""A store and a place for files in the memory of one process: the readable half of the reference.

State is a handful of dicts of immutable values under one lock. A unit holds the lock for as long as
it lasts, so units never meet; a journal of what each write replaced undoes the unit that fails.
"""

import hashlib
import heapq
import io
import threading
from collections import Counter
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime, timedelta
from decimal import Decimal
from functools import partial
from operator import gt, lt
from typing import Any, BinaryIO, Final, TypeVar

from attrs import evolve, frozen

from adapters.memory.chronicle import Audit, Events
from commerce_core import sales
from commerce_core.audit import AuditEntry
from commerce_core.coalescing import UnderWay
from commerce_core.errors import Conflict, NotFound, RunLost, TooLarge
from commerce_core.events import Event
from commerce_core.exports import ExportForm, blocks_of
from commerce_core.feed_engine import Batch
from commerce_core.feed_schema import Problem, Record
from commerce_core.feeds import Feed, FeedQuery, LatestJob
from commerce_core.fingerprints import Fingerprint, Known, KnownFingerprints
from commerce_core.ids import Block
from commerce_core.jobs import Backlog, Job, JobError, JobQuery, Progress
from commerce_core.kept_plans import KeptPlan
from commerce_core.orders import Order, OrderQuery
from commerce_core.paging import Page, Position
from commerce_core.partners import ApiKey, Partner
from commerce_core.plans import Change, Incoming, Plan, compare
from commerce_core.ports import Clock, StoredFile, UnitOfWork, check_file_key
from commerce_core.product_lists import place_of, position_of
from commerce_core.product_queries import fitting
from commerce_core.products import Oversold, Product, ProductQuery
from commerce_core.profiles import UNPROFILED, SavedProfile
from commerce_core.publications import TICK, Publication
from commerce_core.reverts import Decided, RevertPlan, plan_revert
from commerce_core.sales import SalesEntry, SalesQuestion, SalesTotal
from commerce_core.sources import Source
from commerce_core.versions import ChangeQuery, PastQuery, Version, first_changes, place

K = TypeVar("K")
T = TypeVar("T")

_BLOCK: Final = 1 << 16
_ZERO: Final = Decimal(0)
_Journal = list[Callable[[], object]]
"""What undoes each write of a unit, in the order of the writes."""


class _Table(dict[K, T]):
    """Rows by key, set and deleted by key alone; each write notes how it is undone."""

    def __init__(self, journal: _Journal) -> None:
        super().__init__()
        self._journal = journal

    def __setitem__(self, key: K, row: T) -> None:
        write = super().__setitem__
        self._journal.append(
            partial(write, key, self[key]) if key in self else partial(self.pop, key)
        )
        write(key, row)

    def __delitem__(self, key: K) -> None:
        self._journal.append(partial(super().__setitem__, key, self[key]))
        super().__delitem__(key)


class _Tables:
    """All that is kept, and the journal of the unit that is under way."""

    def __init__(self) -> None:
        self.journal: _Journal = []
        self.partners = _Table[str, Partner](self.journal)
        self.sources = _Table[str, Source](self.journal)
        self.profiles = _Table[str, tuple[SavedProfile, ...]](self.journal)
        self.keys = _Table[str, ApiKey](self.journal)
        self.feeds = _Table[str, Feed](self.journal)
        self.jobs = _Table[str, Job](self.journal)
        self.leases = _Table[str, datetime](self.journal)
        self.problems = _Table[str, tuple[Problem, ...]](self.journal)
        self.plans = _Table[str, KeptPlan](self.journal)
        self.products = _Table[str, Product](self.journal)
        self.skus = _Table[tuple[str, str], str](self.journal)
        self.history = _Table[tuple[str, int], Product](self.journal)
        self.forgotten = _Table[int, datetime](self.journal)
        self.fingerprints = _Table[str, Fingerprint | None](self.journal)
        self.held = _Table[str, int](self.journal)
        self.publications = _Table[str, Publication](self.journal)
        self.orders = _Table[str, Order](self.journal)
        self.entries = _Table[str, SalesEntry](self.journal)
        self.events = _Table[int, Event](self.journal)
        self.event_numbers = _Table[str, int](self.journal)
        self.audit = _Table[str, AuditEntry](self.journal)
        self.answers = _Table[tuple[str, str], tuple[str, object]](self.journal)

    def undo(self) -> None:
        """Everything is again as it was when the unit began."""
        for restore in reversed(self.journal):
            restore()


class MemoryStore:
    """Implements `commerce_core.ports.Store`; what it keeps is gone with the process."""

    def __init__(self, clock: Clock) -> None:
        """Leases, and the times of products, run by `clock`."""
        self._clock = clock
        self._tables = _Tables()
        self._lock = threading.Lock()
        self._owner: int | None = None
        self._ears: list[Callable[[], None]] = []

    @contextmanager
    def begin(self, *, dry_run: bool = False) -> Generator[UnitOfWork]:
        """One unit at a time; one within another would wait for ever, and is refused."""
        if self._owner == threading.get_ident():
            raise RuntimeError("this thread is already inside a unit of this store")
        tables = self._tables
        written = False
        with self._lock:
            self._owner = threading.get_ident()
            done = False
            try:
                yield _unit(tables, self._clock)
                done = not dry_run
                written = done and bool(tables.journal)
            finally:
                if not done:
                    tables.undo()
                tables.journal.clear()
                self._owner = None
        if written:
            for wake in tuple(self._ears):
                wake()

    @contextmanager
    def exporting(self, query: ProductQuery, form: ExportForm) -> Generator[Iterator[bytes]]:
        """Values never change, so what is kept now is what the file has."""
        with self.begin():
            shown = [_shown(self._tables, row) for row in self._tables.products.values()]
        found = filter(fitting(query), shown)
        yield blocks_of(sorted(found, key=lambda product: product.product_id), form)

    def check(self) -> None:
        """Memory is always there."""

    @contextmanager
    def listening(self, wake: Callable[[], None]) -> Generator[None]:
        """Calls `wake` after whatever was written."""
        self._ears.append(wake)
        try:
            yield
        finally:
            self._ears.remove(wake)


@frozen
class _Unit:
    """One transaction; `commerce_core.ports` says what each collection promises."""

    partners: "_Partners"
    sources: "_Sources"
    keys: "_Keys"
    feeds: "_Feeds"
    jobs: "_Jobs"
    products: "_Products"
    publications: "_Publications"
    versions: "_Versions"
    feed_products: "_FeedProducts"
    past_products: "_PastProducts"
    reverts: "_Reverts"
    orders: "_Orders"
    sales: "_Sales"
    events: Events
    audit: Audit
    idempotency: "_Idempotency"
    session: str = "memory"


def _unit(tables: _Tables, clock: Clock) -> _Unit:
    return _Unit(
        _Partners(tables), _Sources(tables), _Keys(tables), _Feeds(tables), _Jobs(tables, clock),
        _Products(tables, clock), _Publications(tables), _Versions(tables), _FeedProducts(tables),
        _PastProducts(tables), _Reverts(tables), _Orders(tables), _Sales(tables),
        Events(tables.events, tables.event_numbers), Audit(tables.audit), _Idempotency(tables),
    )  # fmt: skip


def _found(rows: Mapping[str, T], row_id: str, noun: str) -> T:
    row = rows.get(row_id)
    if row is None:
        raise NotFound(f"There is no {noun} {row_id}.")
    return row


def _by_id(row_id: str) -> Position:
    """The position of a row in a list that is sorted by id alone."""
    return Position(None, row_id)


def _by_number(at: Position) -> tuple[Decimal, str]:
    return at.number or _ZERO, at.id


def _page(
    rows: Iterable[T], position: Callable[[T], Position], after: Position | None, limit: int,
    *, descending: bool = True, place: Callable[[Position], Any] = _by_number,
) -> Page[T]:  # fmt: skip
    """The rows after that position, in the order of their positions' places."""

    def rank(row: T) -> Any:  # noqa: ANN401 - whatever can be compared
        return place(position(row))

    if after is not None:
        end, beyond = place(after), lt if descending else gt
        rows = [row for row in rows if beyond(rank(row), end)]
    first = heapq.nlargest if descending else heapq.nsmallest
    return Page[T].cut(first(limit + 1, rows, key=rank), limit, position)


def _agrees(query: object, row: object, *names: str) -> bool:
    """Whether the row has every value that the query asks for by these names."""
    return all(getattr(query, name) in (None, getattr(row, name)) for name in names)


def _within(at: datetime, since: datetime | None, until: datetime | None) -> bool:
    return (since is None or since <= at) and (until is None or at < until)


@frozen
class _Partners:
    _kept: _Tables

    def page(self, query: str | None, after: Position | None, limit: int) -> Page[Partner]:
        rows = self._fitting(query)
        return _page(rows, lambda p: _by_id(p.partner_id), after, limit, descending=False)

    def count(self, query: str | None) -> int:
        return len(self._fitting(query))

    def _fitting(self, query: str | None) -> list[Partner]:
        return [p for p in self._kept.partners.values() if query in (None, p.partner_id)]

    def add(self, partner: Partner) -> None:
        if self.find(partner.partner_name):
            raise _name_taken(partner)
        self._kept.partners[partner.partner_id] = partner

    def put(self, partner: Partner) -> None:
        before = self.get(partner.partner_id)
        if self.find(partner.partner_name) not in (None, before):
            raise _name_taken(partner)
        self._kept.partners[partner.partner_id] = partner

    def get(self, partner_id: str) -> Partner:
        return _found(self._kept.partners, partner_id, "partner")

    def find(self, partner_name: str) -> Partner | None:
        folded = partner_name.casefold()
        everyone = self._kept.partners.values()
        return next((p for p in everyone if p.partner_name.casefold() == folded), None)

    def names(self, partner_ids: Iterable[str]) -> Mapping[str, str]:
        kept = self._kept.partners
        return {known: kept[known].partner_name for known in partner_ids if known in kept}


def _name_taken(partner: Partner) -> Conflict:
    return Conflict(
        f"There already is a partner named {partner.partner_name!r}.",
        "Names are unique without regard to case; choose another.",
        code="partner_name_taken",
    )


@frozen
class _Sources:
    _kept: _Tables

    def page(self, query: str | None, after: Position | None, limit: int) -> Page[Source]:
        rows = self._fitting(query)
        return _page(rows, lambda s: _by_id(s.source_id), after, limit, descending=False)

    def count(self, query: str | None) -> int:
        return len(self._fitting(query))

    def _fitting(self, query: str | None) -> list[Source]:
        return [s for s in self._kept.sources.values() if query in (None, s.partner_id)]

    def add(self, source: Source) -> None:
        self._check_name(source, None)
        self._kept.sources[source.source_id] = source

    def put(self, source: Source) -> None:
        self._check_name(source, self.get(source.source_id))
        self._kept.sources[source.source_id] = source

    def _check_name(self, source: Source, before: Source | None) -> None:
        if self.find(source.partner_id, source.source_name) not in (None, before):
            raise Conflict(
                f"The partner already has a source named {source.source_name!r}.",
                "Choose another name.",
                code="source_name_taken",
            )

    def hold(self, source_id: str) -> Source:
        return self.get(source_id)

    def lock(self, source_id: str) -> Source:
        return self.get(source_id)

    def remove(self, source_id: str) -> None:
        self.get(source_id)
        del self._kept.sources[source_id]

    def get(self, source_id: str) -> Source:
        return _found(self._kept.sources, source_id, "source")

    def find(self, partner_id: str, source_name: str) -> Source | None:
        wanted = (partner_id, source_name)
        everything = self._kept.sources.values()
        return next((s for s in everything if (s.partner_id, s.source_name) == wanted), None)

    def of(self, partner_id: str) -> Sequence[Source]:
        own = (s for s in self._kept.sources.values() if s.partner_id == partner_id)
        return sorted(own, key=lambda source: source.source_name)

    def profile(self, source_id: str, version: int | None = None) -> SavedProfile:
        saved = (UNPROFILED, *self._kept.profiles.get(source_id, ()))
        return saved[-1 if version is None or version >= len(saved) else version]

    def save_profile(self, source_id: str, saved: SavedProfile) -> None:
        if saved.version != self.profile(source_id).version + 1:
            raise Conflict(
                f"Version {saved.version} of the profile has been saved by somebody else.",
                "Look at it, and save yours again.",
                code="profile_changed",
            )
        self._kept.profiles[source_id] = (*self._kept.profiles.get(source_id, ()), saved)


@frozen
class _Keys:
    _kept: _Tables

    def page(self, query: str | None, after: Position | None, limit: int) -> Page[ApiKey]:
        return _page(self._fitting(query), lambda key: _by_id(key.key_id), after, limit)

    def count(self, query: str | None) -> int:
        return len(self._fitting(query))

    def _fitting(self, query: str | None) -> list[ApiKey]:
        return [key for key in self._kept.keys.values() if query in (None, key.partner_id)]

    def add(self, key: ApiKey) -> None:
        self._kept.keys[key.key_id] = key

    def put(self, key: ApiKey) -> None:
        self.get(key.key_id)
        self.add(key)

    def get(self, key_id: str) -> ApiKey:
        return _found(self._kept.keys, key_id, "key")

    def find(self, digest: bytes) -> ApiKey | None:
        return next((key for key in self._kept.keys.values() if key.digest == digest), None)


@frozen
class _Feeds:
    _kept: _Tables

    def page(self, query: FeedQuery, after: Position | None, limit: int) -> Page[Feed]:
        page = _page(self._fitting(query), lambda feed: _by_id(feed.feed_id), after, limit)
        return evolve(page, items=tuple(map(self._shown, page.items)))

    def count(self, query: FeedQuery) -> int:
        return len(self._fitting(query))

    def _fitting(self, query: FeedQuery) -> list[Feed]:
        return [
            feed
            for feed in self._kept.feeds.values()
            if _agrees(query, feed, "partner_id", "source_id", "status")
            and _within(feed.received_at, query.received_from, query.received_to)
        ]

    def _shown(self, feed: Feed) -> Feed:
        """The feed with what changes around it: its partner's name, its newest job."""
        own = [job for job in self._kept.jobs.values() if job.feed_id == feed.feed_id]
        job = max(own, key=lambda job: job.job_id, default=None)
        brief = LatestJob(job.job_id, job.kind, job.status, job.outcome) if job else None
        name = self._kept.partners[feed.partner_id].partner_name
        return evolve(feed, partner_name=name, latest_job=brief)

    def add(self, feed: Feed) -> None:
        self._kept.feeds[feed.feed_id] = feed

    def put(self, feed: Feed) -> None:
        self.get(feed.feed_id)
        self._kept.feeds[feed.feed_id] = feed

    def get(self, feed_id: str) -> Feed:
        return self._shown(_found(self._kept.feeds, feed_id, "feed"))

    def supersede(self, feed_ids: Iterable[str]) -> None:
        for feed in map(self.get, feed_ids):
            if feed.applied_at is None:
                self._kept.feeds[feed.feed_id] = feed.became("superseded")

    def last_full_snapshot(self, source_id: str) -> datetime | None:
        applied = [
            feed.snapshot_at
            for feed in self._kept.feeds.values()
            if (feed.source_id, feed.mode, feed.status) == (source_id, "full", "applied")
        ]
        return max(applied, default=None)

    def last_full(self, source_id: str) -> Feed | None:
        applied = [
            feed
            for feed in self._kept.feeds.values()
            if (feed.source_id, feed.mode, feed.status) == (source_id, "full", "applied")
        ]
        last = max(applied, key=lambda feed: (feed.snapshot_at, feed.feed_id), default=None)
        return last and self._shown(last)


@frozen
class _Jobs:
    _kept: _Tables
    _clock: Clock

    def page(self, query: JobQuery, after: Position | None, limit: int) -> Page[Job]:
        return _page(self._fitting(query), lambda job: _by_id(job.job_id), after, limit)

    def count(self, query: JobQuery) -> int:
        return len(self._fitting(query))

    def _fitting(self, query: JobQuery) -> list[Job]:
        asked = ("feed_id", "partner_id", "status", "kind")
        return [job for job in self._kept.jobs.values() if _agrees(query, job, *asked)]

    def add(self, job: Job) -> None:
        self._kept.jobs[job.job_id] = job

    def get(self, job_id: str) -> Job:
        return _found(self._kept.jobs, job_id, "job")

    def lock(self, job_id: str) -> Job:
        return self.get(job_id)

    def put(self, job: Job) -> None:
        self._kept.jobs[job.job_id] = job

    def cancel(self, job_ids: Iterable[str], at: datetime, reason: JobError) -> Sequence[str]:
        cancelled = [job for job in map(self.get, job_ids) if job.status == "queued"]
        for job in cancelled:
            self._kept.jobs[job.job_id] = evolve(job.cancel(at), error=reason)
        return [job.feed_id for job in cancelled]

    def under_way(self, source_id: str) -> Sequence[UnderWay]:
        pairs = [(job, self._kept.feeds[job.feed_id]) for job in self._kept.jobs.values()]
        return [
            UnderWay(
                job.job_id, job.feed_id, job.kind, job.status, job.released, feed.mode,
                feed.snapshot_at, feed.received_at,
            )
            for job, feed in sorted(pairs, key=lambda pair: pair[0].job_id)
            if feed.source_id == source_id and job.status in ("queued", "running")
        ]  # fmt: skip

    def backlog(self) -> Backlog:
        jobs = self._kept.jobs.values()
        made = [job.created_at for job in jobs if job.status == "queued" and job.released]
        return Backlog(len(made), min(made, default=None))

    def claim(self, at: datetime, lease: timedelta, job_id: str | None = None) -> Job | None:
        now = self._clock()
        running = [job for job in self._kept.jobs.values() if job.status == "running"]
        alive = [job for job in running if self._kept.leases[job.job_id] > now]
        busy = {job.partner_id for job in alive}
        suspect = any(job.severed_ends for job in alive)
        waiting = [
            job
            for job in self._kept.jobs.values()
            if (job.status == "queued" and (job.released or job_id) and self._is_due(job, now))
            or job in running
            if job_id in (None, job.job_id) and job.partner_id not in busy
            if not (job.severed_ends and suspect)
        ]
        if not waiting:
            return None
        oldest = min(waiting, key=lambda job: job.job_id)
        job = evolve(
            oldest,
            status="running",
            attempts=oldest.attempts + 1,
            silent_ends=oldest.silent_ends + (oldest.status == "running"),
            started_at=at,
        )
        self._kept.jobs[job.job_id] = job
        self._kept.leases[job.job_id] = now + lease
        return job

    def _is_due(self, job: Job, now: datetime) -> bool:
        """Whether the pause of a job that was given back is over."""
        due = self._kept.leases.get(job.job_id)
        return due is None or due <= now

    def give_back(self, job: Job, pause: timedelta, *, severed: bool = False) -> None:
        current = self._current(job)
        self._kept.jobs[job.job_id] = evolve(
            current,
            status="queued",
            released=True,
            severed_ends=current.severed_ends + severed,
        )
        self._kept.leases[job.job_id] = self._clock() + pause

    def renew(
        self,
        job: Job,
        progress: Progress,
        lease: timedelta,
        session: str | None = None,  # noqa: ARG002 - there is no session that outlives its unit
    ) -> None:
        current = self._current(job)
        self._kept.jobs[job.job_id] = evolve(current, progress=progress)
        self._kept.leases[job.job_id] = self._clock() + lease

    def finish(self, job: Job) -> None:
        self._current(job)
        self._kept.jobs[job.job_id] = job
        self._kept.leases[job.job_id] = self._clock()

    def _current(self, job: Job) -> Job:
        """The running job as it is kept; RunLost unless it still is this very attempt."""
        kept = self.get(job.job_id)
        if kept.status != "running" or kept.attempts != job.attempts:
            raise RunLost(f"Job {job.job_id} is no longer run by attempt {job.attempts}.")
        return kept

    def keep_plan(self, job_id: str, plan: KeptPlan) -> None:
        self._kept.plans[job_id] = plan

    def plan(self, job_id: str) -> KeptPlan | None:
        return self._kept.plans.get(job_id)

    def add_problems(self, job_id: str, problems: Iterable[Problem]) -> None:
        self._kept.problems[job_id] = (*self._kept.problems.get(job_id, ()), *problems)

    def forget_problems(self, job_id: str) -> None:
        self._kept.problems[job_id] = ()

    def count_problems(self, job_id: str) -> int:
        return len(self._kept.problems.get(job_id, ()))

    def problems(self, job_id: str, after: Position | None, limit: int) -> Page[Problem]:
        numbered = list(enumerate(self._kept.problems.get(job_id, ())))
        page = _page(
            numbered,
            lambda item: Position(str(item[1].line), f"{item[0]:012}"),
            after,
            limit,
            descending=False,
        )
        return Page(tuple(problem for _, problem in page.items), page.after)


class _Products:
    def __init__(self, kept: _Tables, clock: Clock) -> None:
        self._kept = kept
        self._clock = clock
        self._plan: Plan | None = None
        self._changes: Sequence[Change] = ()
        self._numbered: Sequence[Product] = ()

    def page(self, query: ProductQuery, after: Position | None, limit: int) -> Page[Product]:
        position = partial(position_of, query)
        descending, rows = query.order == "desc", self._fitting(query)
        return _page(rows, position, after, limit, descending=descending, place=place_of(query))

    def count(self, query: ProductQuery) -> int:
        return sum(1 for _ in self._fitting(query))

    def _fitting(self, query: ProductQuery) -> Iterator[Product]:
        return filter(fitting(query), map(self._shown, self._kept.products.values()))

    def _shown(self, row: Product) -> Product:
        return _shown(self._kept, row)

    def _active(self, source_id: str) -> list[Product]:
        return [
            row
            for row in self._kept.products.values()
            if row.source_id == source_id and row.status == "active"
        ]

    def known(self, partner_id: str, source_id: str) -> Known:  # noqa: ARG002 a source is enough
        self._numbered = self._active(source_id)
        kept = self._kept.fingerprints
        return KnownFingerprints.of(kept.get(row.product_id) for row in self._numbered)

    def load(
        self, incoming: Incoming, batches: Iterable[Batch], publication: Publication, stem: str
    ) -> Plan | None:
        if any(partner_id == incoming.partner_id for partner_id, _ in self._kept.skus):
            return None
        plan = self.compare(incoming, batches, 0)
        if plan.problems_by_code or plan.unchanged:
            return None
        self.apply(plan, publication, stem)
        return plan

    def compare(self, incoming: Incoming, batches: Iterable[Batch], problem_limit: int) -> Plan:
        def find(sku: str) -> Product | None:
            product_id = self._kept.skus.get((incoming.partner_id, sku))
            return self._kept.products[product_id] if product_id else None

        active = self._active(incoming.source_id)
        numbers: list[int] = []
        records: list[Record] = []
        for batch in batches:
            numbers += batch.recognised
            records += batch
        contested = self._contested(numbers, records)
        recognised = [self._numbered[number] for number in numbers]
        plan, self._changes = compare(
            incoming,
            records,
            find,
            active,
            problem_limit,
            recognised=[] if contested else recognised,
        )
        self._plan = evolve(plan, contested=contested)
        return self._plan

    def _contested(self, numbers: Sequence[int], records: Iterable[Record]) -> tuple[int, ...]:
        """The recognised records that the file brings again, by the same text or another."""
        again = {record.sku for record in records}
        return tuple(
            number
            for number, times in Counter(numbers).items()
            if times > 1 or self._numbered[number].sku in again
        )

    def apply(self, plan: Plan, publication: Publication, stem: str) -> int:
        if plan is not self._plan or plan.contested:
            raise ValueError("only the last plan of this unit can be applied")
        now, new_ids = self._clock(), iter(Block("prod", stem))
        for ordinal, change in enumerate(self._changes, start=1):
            product = change.before or _created(plan.incoming, change, next(new_ids), now)
            self._keep(
                evolve(
                    product,
                    **change.values,
                    source_id=plan.incoming.source_id,
                    status="removed" if change.kind == "removed" else "active",
                    feed_id=plan.incoming.feed_id,
                    line=change.line,
                    version=product.version + 1,
                    publication_id=publication.publication_id,
                    ordinal=ordinal,
                    origin_id=None,
                ),
                change.fingerprint,
            )
        self._plan = None
        return len(self._active(plan.incoming.source_id))

    def _keep(self, product: Product, fingerprint: Fingerprint | None) -> None:
        self._kept.fingerprints[product.product_id] = fingerprint
        before = self._kept.products.get(product.product_id)
        if before is not None:
            self._kept.history[before.product_id, before.version] = before
        self._kept.products[product.product_id] = product
        self._kept.skus[product.partner_id, product.sku] = product.product_id

    def get(self, product_id: str) -> Product:
        return self._shown(_found(self._kept.products, product_id, "product"))

    def resolve(self, keys: Iterable[tuple[str, str]]) -> Mapping[tuple[str, str], str]:
        return {key: self._kept.skus[key] for key in keys if key in self._kept.skus}

    def oversold(self, publication: Publication, limit: int) -> Sequence[Oversold]:
        written = [
            (row, self._kept.held.get(row.product_id, 0))
            for row in self._kept.products.values()
            if row.publication_id == publication.publication_id and row.status == "active"
        ]
        short = [
            Oversold(row.product_id, row.sku, row.quantity, held)
            for row, held in written
            if row.quantity is not None and row.quantity < held
        ]
        return sorted(short, key=lambda product: product.sku)[:limit]

    def hold(self, units: Mapping[str, int]) -> Mapping[str, Product]:
        known = [product_id for product_id in units if product_id in self._kept.products]
        for product_id in known:
            self._kept.held[product_id] = self._kept.held.get(product_id, 0) + units[product_id]
        return {product_id: self.get(product_id) for product_id in known}


def _shown(kept: _Tables, row: Product) -> Product:
    """The product with what is kept elsewhere: names, units held, and when it was published."""
    return evolve(
        row,
        partner_name=kept.partners[row.partner_id].partner_name,
        updated_at=kept.publications[row.publication_id].published_at,
        held=kept.held.get(row.product_id, 0),
    )


def _created(incoming: Incoming, change: Change, product_id: str, now: datetime) -> Product:
    """A new product before its first version: what it will be for good."""
    return Product(
        product_id=product_id,
        partner_id=incoming.partner_id,
        partner_name="",
        source_id=incoming.source_id,
        sku=change.sku,
        product_name="",
        feed_id=incoming.feed_id,
        line=change.line,
        version=0,
        publication_id="",
        created_at=now,
        updated_at=now,
    )


@frozen
class _Publications:
    _kept: _Tables

    def add(self, publication: Publication, at: datetime) -> Publication:
        last = next(reversed(self._kept.publications.values()), None)
        if last and last.published_at:
            at = max(at, last.published_at + TICK)
        number = len(self._kept.publications) + 1
        numbered = evolve(publication, number=number, published_at=at)
        self._kept.publications[publication.publication_id] = numbered
        return numbered

    def latest(self, source_id: str) -> Publication | None:
        newest_first = reversed(self._kept.publications.values())
        return next((p for p in newest_first if p.source_id == source_id), None)

    def get(self, publication_id: str) -> Publication:
        return _found(self._kept.publications, publication_id, "publication")

    def those(self, publication_ids: Iterable[str]) -> Mapping[str, Publication]:
        kept = self._kept.publications
        return {id_: kept[id_] for id_ in publication_ids if id_ in kept}

    def of_feed(self, feed_id: str) -> Sequence[Publication]:
        return [p for p in self._kept.publications.values() if p.feed_id == feed_id]

    def of_partner(self, partner_id: str, after: int, limit: int) -> Sequence[Publication]:
        own = (p for p in self._kept.publications.values() if p.partner_id == partner_id)
        return [p for p in own if (p.number or 0) > after][:limit]

    def number_at(self, at: datetime | None = None) -> int:
        made = self._kept.publications.values()
        return sum(
            at is None or (p.published_at is not None and p.published_at <= at) for p in made
        )


@frozen
class _Versions:
    _kept: _Tables

    def changes(self, query: ChangeQuery, after: Position, limit: int) -> Page[Version]:
        at = place(after)
        fitting = [version for version in self.stream(query) if place(version.position) > at]
        return first_changes(fitting, limit, len(self._kept.publications))

    def stream(self, query: ChangeQuery) -> list[Version]:
        """All versions that fit, in their order."""
        made = (
            p
            for p in self._kept.publications.values()
            if _agrees(query, p, "partner_id", "source_id", "feed_id")
            and (query.feed_id is None or p.kind == "feed")
        )
        of_whom = {publication.publication_id for publication in made}
        everything = (*self._kept.products.values(), *self._kept.history.values())
        versions = [self._version(row) for row in everything if row.publication_id in of_whom]
        fitting = (v for v in versions if not query.kinds or v.change in query.kinds)
        return sorted(fitting, key=lambda version: (version.publication, version.ordinal))

    def _version(self, row: Product) -> Version:
        before = self._kept.history.get((row.product_id, row.version - 1))
        number = self._kept.publications[row.publication_id].number or 0
        return Version.of(number, _shown(self._kept, row), before)

    def history(self, product_id: str, after: Position | None, limit: int) -> Page[Version]:
        live = _found(self._kept.products, product_id, "product")
        rows = [live, *(row for (id_, _), row in self._kept.history.items() if id_ == product_id)]
        page = _page(rows, lambda row: Position(str(row.version), row.product_id), after, limit)
        return Page(tuple(map(self._version, page.items)), page.after)

    def as_of(self, product_id: str, number: int) -> Product | None:
        page = self.history(product_id, None, len(self._kept.publications) + 1)
        return next((v.product for v in page.items if v.publication <= number), None)

    def forget(self, number: int, at: datetime) -> int:
        self._kept.forgotten[number] = at
        numbers = {id_: p.number or 0 for id_, p in self._kept.publications.items()}
        gone = [
            (product_id, version)
            for product_id, version in self._kept.history
            if numbers[self._after(product_id, version).publication_id] <= number
        ]
        for key in gone:
            del self._kept.history[key]
        return len(gone)

    def _after(self, product_id: str, version: int) -> Product:
        """The version that replaced this one."""
        replaced_by = self._kept.history.get((product_id, version + 1))
        return replaced_by or self._kept.products[product_id]

    def forgotten(self) -> int:
        return max(self._kept.forgotten, default=0)


@frozen
class _FeedProducts:
    _kept: _Tables

    def page(self, query: str, after: Position | None, limit: int) -> Page[Product]:
        written = self._written(query)
        rows = [v for v in written if after is None or place(v.position) > place(after)]
        page = Page[Version].cut(rows, limit, lambda version: version.position)
        return Page(tuple(version.product for version in page.items), page.after)

    def count(self, query: str) -> int:
        return len(self._written(query))

    def _written(self, feed_id: str) -> list[Version]:
        """What the feed wrote last of each product, where that is in the catalog."""
        everything = _Versions(self._kept).stream(ChangeQuery(feed_id=feed_id))
        last = {version.product_id: version for version in everything}
        return [v for v in everything if last[v.product_id] is v and v.change != "removed"]


@frozen
class _PastProducts:
    _kept: _Tables

    def page(self, query: PastQuery, after: Position | None, limit: int) -> Page[Product]:
        rows = self._fitting(query)
        return _page(rows, lambda p: _by_id(p.product_id), after, limit, descending=False)

    def count(self, query: PastQuery) -> int:
        return len(self._fitting(query))

    def _fitting(self, query: PastQuery) -> list[Product]:
        versions = _Versions(self._kept)
        then = (versions.as_of(product_id, query.number) for product_id in self._kept.products)
        return [
            row
            for row in then
            if row is not None
            and query.status in ("all", row.status)
            and _agrees(query, row, "partner_id", "source_id")
            and (not query.skus or row.sku in query.skus)
        ]


class _Reverts:
    def __init__(self, kept: _Tables) -> None:
        self._kept = kept
        self._decided: Decided | None = None

    def plan(self, partner_id: str, undone: Sequence[str], most_kept: int) -> RevertPlan:
        numbers = {id_: p.number or 0 for id_, p in self._kept.publications.items()}
        live = [row for row in self._kept.products.values() if row.partner_id == partner_id]
        decided = plan_revert(partner_id, undone, live, self._earlier, numbers, most_kept=most_kept)
        self._decided = decided
        return decided.plan

    def _earlier(self, product: Product) -> Iterator[Product]:
        numbers = range(product.version - 1, 0, -1)
        kept = (self._kept.history.get((product.product_id, number)) for number in numbers)
        return (version for version in kept if version is not None)

    def apply(self, plan: RevertPlan, publication: Publication) -> int:
        decided, self._decided = self._decided, None
        if decided is None or decided.plan is not plan:
            raise ValueError("only the last plan of this unit can be applied")
        kept = self._kept
        for ordinal, change in enumerate(decided.changes, start=1):
            live, becomes = change.live, change.becomes
            kept.history[live.product_id, live.version] = live
            kept.fingerprints[live.product_id] = None
            feed_id = becomes.feed_id if becomes.origin_id else publication.feed_id
            kept.products[live.product_id] = evolve(
                becomes,
                feed_id=feed_id,
                version=live.version + 1,
                publication_id=publication.publication_id,
                ordinal=ordinal,
            )
        own = (row for row in kept.products.values() if row.partner_id == plan.partner_id)
        return sum(row.status == "active" for row in own)


@frozen
class _Orders:
    _kept: _Tables

    def page(self, query: OrderQuery, after: Position | None, limit: int) -> Page[Order]:
        return _page(self._fitting(query), lambda order: _by_id(order.order_id), after, limit)

    def count(self, query: OrderQuery) -> int:
        return len(self._fitting(query))

    def _fitting(self, query: OrderQuery) -> list[Order]:
        return [
            order
            for order in self._kept.orders.values()
            if query.partner_id in (None, *(item.partner_id for item in order.items))
            and _agrees(query, order, "status", "customer_reference")
            and _within(order.created_at, query.created_from, query.created_to)
        ]

    def add(self, order: Order) -> None:
        self._kept.orders[order.order_id] = order

    def get(self, order_id: str) -> Order:
        return _found(self._kept.orders, order_id, "order")

    def lock(self, order_id: str) -> Order:
        return self.get(order_id)

    def put(self, order: Order) -> None:
        self._kept.orders[order.order_id] = order


@frozen
class _Sales:
    _kept: _Tables

    def add(self, entries: Iterable[SalesEntry]) -> None:
        for entry in entries:
            self._kept.entries[entry.entry_id] = entry

    def totals(self, question: SalesQuestion) -> Sequence[SalesTotal]:
        return sales.fold(self._kept.entries.values(), question)

    def first_at(self, partner_id: str | None = None) -> datetime | None:
        entries = self._kept.entries.values()
        times = (entry.at for entry in entries if partner_id in (None, entry.partner_id))
        return min(times, default=None)


@frozen
class _Idempotency:
    _kept: _Tables

    def claim(self, owner: str, key: str, digest: str) -> object | None:
        known, value = self._kept.answers.get((owner, key), (digest, None))
        if known != digest:
            raise Conflict(
                f"The idempotency key {key!r} was used for another request.",
                "Take a new key for a new request.",
                code="idempotency_key_reused",
            )
        self._kept.answers[owner, key] = (digest, value)
        return value

    def keep(self, owner: str, key: str, value: object) -> None:
        digest, _ = self._kept.answers[owner, key]
        self._kept.answers[owner, key] = (digest, value)


class MemoryFiles:
    """Implements `commerce_core.ports.Files`; what it keeps is gone with the process."""

    def __init__(self) -> None:
        self._files: dict[str, bytes] = {}

    def put(self, key: str, stream: BinaryIO, most_bytes: int) -> StoredFile:
        """Reads to the end, and only then keeps anything."""
        check_file_key(key)
        body = io.BytesIO()
        while block := stream.read(_BLOCK):
            if body.tell() + len(block) > most_bytes:
                raise TooLarge(f"The file has more than {most_bytes:,} bytes.")
            body.write(block)
        self._files[key] = body.getvalue()
        return StoredFile(body.tell(), hashlib.sha256(body.getbuffer()).hexdigest())

    @contextmanager
    def open(self, key: str) -> Generator[BinaryIO]:
        """A stream of its own for each reader."""
        body = self._files.get(check_file_key(key))
        if body is None:
            raise NotFound(f"There is no file {key}.")
        yield io.BytesIO(body)

    def list(self, prefix: str) -> Iterator[str]:
        """The keys as they were when the list was asked for."""
        return iter(sorted(key for key in tuple(self._files) if key.startswith(prefix)))

    def delete(self, key: str) -> None:
        """Forgets a file; nothing happens if there is none."""
        self._files.pop(check_file_key(key), None)

    def check(self) -> None:
        """Memory is always there."""
