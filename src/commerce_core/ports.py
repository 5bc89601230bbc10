"""What the core needs from outside: a store, a place for files, a way to keep a lease.

    Store.begin() ──> UnitOfWork ──> partners · sources · keys · feeds · jobs · products
                                     publications · versions · past_products · feed_products
                                     reverts · orders · sales · events · audit · idempotency
    Files             the raw bytes of every feed and the reports to mend, never changed
    KeepLease         keeps a job's lease while it runs, in units of its own
    Clock, Entropy    functions, since the core has neither a clock nor dice of its own

Everything inside one `with store.begin()` happens or none of it does. Whoever adds a storage writes
these methods and lets the contract suite (`tests/contracts`) judge them; `adapters.memory` is the
shortest example. Each method may raise Unavailable; other errors stand in its docstring. What reads
feeds is a port as well, `feed_engine.FeedEngine`.
"""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from datetime import datetime, timedelta
from typing import BinaryIO, Final, Protocol, TypeVar

from attrs import frozen

from commerce_core.audit import AuditEntry, AuditQuery
from commerce_core.coalescing import UnderWay
from commerce_core.errors import Conflict
from commerce_core.events import Event, EventPage, EventQuery
from commerce_core.exports import ExportForm
from commerce_core.feed_engine import Batch
from commerce_core.feed_schema import Problem
from commerce_core.feeds import Feed, FeedQuery
from commerce_core.fingerprints import Known
from commerce_core.jobs import Backlog, Job, JobError, JobQuery, Progress
from commerce_core.kept_plans import KeptPlan
from commerce_core.orders import Order, OrderQuery
from commerce_core.paging import Page, Position
from commerce_core.partners import ApiKey, Partner
from commerce_core.plans import Incoming, Plan
from commerce_core.products import Oversold, Product, ProductQuery
from commerce_core.profiles import SavedProfile
from commerce_core.publications import Publication
from commerce_core.reverts import RevertPlan
from commerce_core.sales import SalesEntry, SalesQuestion, SalesTotal
from commerce_core.sources import Source
from commerce_core.versions import ChangeQuery, PastQuery, Version

Clock = Callable[[], datetime]
"""The present moment, aware, in UTC."""

Q_contra = TypeVar("Q_contra", contravariant=True)
T = TypeVar("T")


class Listing(Protocol[Q_contra, T]):
    """A collection that can be walked by key, and counted."""

    def page(self, query: Q_contra, after: Position | None, limit: int) -> Page[T]:
        """At most `limit` items that fit the query, in its order, beginning after that position.

        Malformed `bad_cursor` where the list is sorted by numbers and the position has none.
        """
        ...

    def count(self, query: Q_contra) -> int:
        """How many items fit the query."""
        ...


class Partners(Listing[str | None, Partner], Protocol):
    """Partners, by id ascending; the query is the only partner to see, or None for all."""

    def add(self, partner: Partner) -> None:
        """Keeps a new partner. Conflict `partner_name_taken` if the name, case folded, is taken."""
        ...

    def put(self, partner: Partner) -> None:
        """Replaces a partner. Conflict as in `add`, NotFound if there is none."""
        ...

    def get(self, partner_id: str) -> Partner:
        """The partner, or NotFound."""
        ...

    def find(self, partner_name: str) -> Partner | None:
        """The partner of that name, without regard to case."""
        ...

    def names(self, partner_ids: Iterable[str]) -> Mapping[str, str]:
        """The names of these partners."""
        ...


class Sources(Listing[str | None, Source], Protocol):
    """Sources, by id ascending; the query is the only partner whose to see, or None for all."""

    def add(self, source: Source) -> None:
        """Keeps a new source. Conflict `source_name_taken` if the partner has one of that name."""
        ...

    def put(self, source: Source) -> None:
        """Replaces a source. Conflict as in `add`, NotFound if there is none."""
        ...

    def hold(self, source_id: str) -> Source:
        """The source, which nobody removes until this unit ends; NotFound if there is none."""
        ...

    def lock(self, source_id: str) -> Source:
        """The source, which nobody else holds or changes until this unit ends; or NotFound."""
        ...

    def remove(self, source_id: str) -> None:
        """Forgets a source; NotFound if there is none. Its feeds and profiles stay."""
        ...

    def get(self, source_id: str) -> Source:
        """The source, or NotFound."""
        ...

    def find(self, partner_id: str, source_name: str) -> Source | None:
        """The partner's source of that name."""
        ...

    def of(self, partner_id: str) -> Sequence[Source]:
        """All sources of a partner, by name."""
        ...

    def profile(self, source_id: str, version: int | None = None) -> SavedProfile:
        """That version of the source's profile, or the latest; `UNPROFILED` if there is none."""
        ...

    def save_profile(self, source_id: str, saved: SavedProfile) -> None:
        """Keeps a new version. Conflict `profile_changed` if that version is taken already."""
        ...


class Keys(Listing[str | None, ApiKey], Protocol):
    """API keys, newest first; the query is the only partner whose keys to see, or None for all."""

    def add(self, key: ApiKey) -> None:
        """Keeps a new key."""
        ...

    def put(self, key: ApiKey) -> None:
        """Replaces a key; NotFound if there is none."""
        ...

    def get(self, key_id: str) -> ApiKey:
        """The key, or NotFound."""
        ...

    def find(self, digest: bytes) -> ApiKey | None:
        """The key with this digest, revoked or not."""
        ...


class Feeds(Listing[FeedQuery, Feed], Protocol):
    """Feeds, newest first. Each is read with its partner's name and its newest job in brief."""

    def add(self, feed: Feed) -> None:
        """Keeps a new feed."""
        ...

    def put(self, feed: Feed) -> None:
        """Replaces a feed's status, mode and times; NotFound if there is none."""
        ...

    def get(self, feed_id: str) -> Feed:
        """The feed, or NotFound."""
        ...

    def supersede(self, feed_ids: Iterable[str]) -> None:
        """Those of these feeds that were never applied are superseded."""
        ...

    def last_full_snapshot(self, source_id: str) -> datetime | None:
        """The `snapshot_at` of the source's last applied full feed."""
        ...

    def last_full(self, source_id: str) -> Feed | None:
        """The source's applied full feed whose snapshot is newest, of several the last received."""
        ...


class Jobs(Listing[JobQuery, Job], Protocol):
    """Jobs, newest first, and the queue they make. Leases run by the store's own clock."""

    def add(self, job: Job) -> None:
        """Keeps a new job."""
        ...

    def get(self, job_id: str) -> Job:
        """The job, or NotFound."""
        ...

    def lock(self, job_id: str) -> Job:
        """The job, which nobody else changes until this unit ends; NotFound if there is none."""
        ...

    def put(self, job: Job) -> None:
        """Replaces a job that is not running, or is about to stop being queued."""
        ...

    def claim(self, at: datetime, lease: timedelta, job_id: str | None = None) -> Job | None:
        """The next job to run (or this one, released or not): running now, its attempts one higher.

        That is the oldest released one whose partner has no other job running, or one whose lease
        ran out: that is a silent end, and the former run's session is ended first; it is a severed
        one if the lease ran out while the store was down. Of the jobs that have severed ends only
        one runs at a time, so none is blamed for another. None where there is nothing to claim.
        """
        ...

    def cancel(self, job_ids: Iterable[str], at: datetime, reason: JobError) -> Sequence[str]:
        """Cancels those of these jobs that are still queued; gives the ids of their feeds."""
        ...

    def under_way(self, source_id: str) -> Sequence[UnderWay]:
        """The queued and running jobs of a source's feeds, oldest first."""
        ...

    def backlog(self) -> Backlog:
        """What waits for a worker, those whose pause isn't over among them."""
        ...

    def give_back(self, job: Job, pause: timedelta, *, severed: bool = False) -> None:
        """Ends this attempt, and its session, undone; the job is queued and released again.

        It isn't claimed before that pause is over, and no silent end is counted; a severed one is,
        if it was that. RunLost if this attempt was taken over, or has finished.
        """
        ...

    def renew(
        self, job: Job, progress: Progress, lease: timedelta, session: str | None = None
    ) -> None:
        """Extends this attempt's lease and shows its progress; RunLost if it was taken over.

        `session` names the one that now works on it; an empty one says that none does any more.
        """
        ...

    def finish(self, job: Job) -> None:
        """Replaces the running job by its finished self; RunLost if this attempt was taken over."""
        ...

    def keep_plan(self, job_id: str, plan: KeptPlan) -> None:
        """Keeps what a job would do, in the place of what was kept of it before."""
        ...

    def plan(self, job_id: str) -> KeptPlan | None:
        """What a job would do, or did, as last kept."""
        ...

    def add_problems(self, job_id: str, problems: Iterable[Problem]) -> None:
        """Keeps problems of a job, in this order."""
        ...

    def forget_problems(self, job_id: str) -> None:
        """Forgets the kept problems of a job, which is about to run once more."""
        ...

    def count_problems(self, job_id: str) -> int:
        """How many problems of the job are kept."""
        ...

    def problems(self, job_id: str, after: Position | None, limit: int) -> Page[Problem]:
        """The job's kept problems by line, those of one line in the order they were added."""
        ...


class Products(Listing[ProductQuery, Product], Protocol):
    """The catalog. Its products are read with their partner's name and the units held of them.

    Which products fit a query is said by `product_queries.fitting`, in which order they are by
    `product_lists`. Listing and counting may raise InvalidInput `too_broad` where too many products
    would have to be looked at; by id and by time without further filters they never do.
    """

    def known(self, partner_id: str, source_id: str) -> Known:
        """The fingerprints of the source's active products, for an engine to recognise records by.

        From now until the unit ends no other feed of the partner is compared or applied.
        """
        ...

    def load(
        self, incoming: Incoming, batches: Iterable[Batch], publication: Publication, stem: str
    ) -> Plan | None:
        """Compares and applies at once the first feed of a partner; the plan is what was done.

        None where the partner has products, or where a record is more than a new product or a
        rejected record; then nothing has been done, and the feed has to be compared. Only for
        feeds that no guard can object to. Otherwise as `compare` and `apply`.
        """
        ...

    def compare(self, incoming: Incoming, batches: Iterable[Batch], problem_limit: int) -> Plan:
        """What the feed would do, exactly as `plans.compare` says; no live row is touched.

        What a batch recognises are numbers of this unit's last `known`. From now until the unit
        ends no other feed of the partner is compared or applied.
        """
        ...

    def apply(self, plan: Plan, publication: Publication, stem: str) -> int:
        """Does what this unit's last plan says; returns the source's active products afterwards.

        ValueError for any other plan. Changed products get the publication, their line, the next
        version and an ordinal from 1 (those that were there by id, then new ones by line), and are
        the feed's source's; what they were before is kept as history. The n-th new product, from 0,
        has the id `ids.Block("prod", stem)[n]`, and is created now by the store's own clock. What
        they are can be read once this unit has added the publication, since their feed and
        `updated_at` are that one's.
        """
        ...

    def get(self, product_id: str) -> Product:
        """The product, removed ones too; NotFound if there never was one."""
        ...

    def resolve(self, keys: Iterable[tuple[str, str]]) -> Mapping[tuple[str, str], str]:
        """The ids, removed products' too, of these pairs of partner id and sku, where known."""
        ...

    def oversold(self, publication: Publication, limit: int) -> Sequence[Oversold]:
        """The active products that this unit has written for a publication, and that are oversold.

        The first ones by sku, whether or not the publication itself has been added yet.
        """
        ...

    def hold(self, units: Mapping[str, int]) -> Mapping[str, Product]:
        """Adds units (below zero: gives back) to those held on open orders.

        Returns the products as they then are, without unknown ids. Other units that hold the same
        products wait until this one ends, so what was decided on stays true.
        """
        ...


class Publications(Protocol):
    """The one clock: everything that changed the catalog, numbered without gaps."""

    def add(self, publication: Publication, at: datetime) -> Publication:
        """Keeps it with the next number, and `at` or the first moment after its predecessor's time.

        Has to be the unit's last write, but for the events that tell of it: from here to the commit
        all other publications wait.
        """
        ...

    def get(self, publication_id: str) -> Publication:
        """The publication, or NotFound."""
        ...

    def those(self, publication_ids: Iterable[str]) -> Mapping[str, Publication]:
        """These publications, by id, as far as there are any."""
        ...

    def of_feed(self, feed_id: str) -> Sequence[Publication]:
        """All that applied this feed or reverted it, by number."""
        ...

    def of_partner(self, partner_id: str, after: int, limit: int) -> Sequence[Publication]:
        """The partner's first publications behind that number, by number."""
        ...

    def number_at(self, at: datetime | None = None) -> int:
        """The number of the last publication not after that moment, or of the last one; 0: none."""
        ...

    def latest(self, source_id: str) -> Publication | None:
        """The source's last publication."""
        ...


class Versions(Protocol):
    """Everything that products ever were, the live ones being their own latest versions."""

    def changes(self, query: ChangeQuery, after: Position, limit: int) -> Page[Version]:
        """The first versions that fit behind that position of the stream, by number and ordinal.

        The page's `after` is never None: with fewer than `limit` it is behind all that was there.
        Nothing that is published later stands before a position that was given.
        """
        ...

    def history(self, product_id: str, after: Position | None, limit: int) -> Page[Version]:
        """Every version of a product, newest first; NotFound if there never was one."""
        ...

    def as_of(self, product_id: str, number: int) -> Product | None:
        """The product as it was once that publication had been made; None before its first one."""
        ...

    def forget(self, number: int, at: datetime) -> int:
        """Forgets the versions that were no longer live by that publication; how many it were."""
        ...

    def forgotten(self) -> int:
        """The number of the last publication by which versions were forgotten; 0 if none were.

        As of it, and from it on, everything is known.
        """
        ...


class PastProducts(Listing[PastQuery, Product], Protocol):
    """The catalog as it was once a publication had been made, by product id ascending."""


class Reverts(Protocol):
    """Undoing what publications wrote."""

    def plan(self, partner_id: str, undone: Sequence[str], most_kept: int) -> RevertPlan:
        """What undoing these publications would do, as `reverts.plan_revert` says.

        From now until the unit ends no other feed of the partner is compared or applied.
        """
        ...

    def apply(self, plan: RevertPlan, publication: Publication) -> int:
        """Does what this unit's last plan says; returns the partner's active products afterwards.

        ValueError for any other plan. Changed products get the publication, the next version and an
        ordinal from 1, by id; what they were is kept as history. Nothing is recognised by a
        fingerprint of theirs.
        """
        ...


class FeedProducts(Listing[str, Product], Protocol):
    """What feeds wrote; the query is a feed's id.

    Each product that the feed created, updated or restored, as it wrote it last, in the order of
    the stream; whatever later feeds do, they stay.
    """


class Orders(Listing[OrderQuery, Order], Protocol):
    """Orders with their lines, newest first."""

    def add(self, order: Order) -> None:
        """Keeps a new order."""
        ...

    def get(self, order_id: str) -> Order:
        """The order, or NotFound."""
        ...

    def lock(self, order_id: str) -> Order:
        """The order, which nobody else changes until this unit ends; NotFound if there is none."""
        ...

    def put(self, order: Order) -> None:
        """Replaces an order's status, refunded amount and time; its lines never change."""
        ...


class Sales(Protocol):
    """The ledger of sales."""

    def add(self, entries: Iterable[SalesEntry]) -> None:
        """Keeps entries for good."""
        ...

    def totals(self, question: SalesQuestion) -> Sequence[SalesTotal]:
        """The figures exactly as `sales.fold` gives them."""
        ...

    def first_at(self, partner_id: str | None = None) -> datetime | None:
        """When the first entry happened; of that partner, where one is given."""
        ...


class Events(Protocol):
    """What the platform announces, in one order for everybody."""

    def add(self, events: Iterable[Event]) -> None:
        """Keeps events, which are announced once this unit has ended well."""
        ...

    def page(self, query: EventQuery, after: int | None, limit: int) -> EventPage:
        """The next events that fit behind that number (None: behind what was forgotten).

        Units that end at the same time wait for nobody; still nothing ever appears behind an event
        that was given here. Where fewer than `limit` fit, `after` of the page is behind all that
        there are. Malformed `cursor_expired` where events behind that number were forgotten.
        """
        ...

    def latest(self) -> int:
        """The number of the last event that there is now; 0 before the first."""
        ...

    def forget(self, before: datetime, most: int) -> int:
        """Forgets at most so many of the oldest events, up to the first that is of later.

        Returns how many it were.
        """
        ...


class Audit(Listing[AuditQuery, AuditEntry], Protocol):
    """Who did what, newest first; entries are kept for good."""

    def add(self, entry: AuditEntry) -> None:
        """Keeps an entry."""
        ...


class Idempotency(Protocol):
    """What was answered under which key, so that a request sent twice has one effect."""

    def claim(self, owner: str, key: str, digest: str, answer: type[T]) -> T | None:
        """None if the key is now ours to answer, else the value kept under it, read as `answer`.

        A unit that claims a key which another unit has claimed waits for that one's end. Conflict
        `idempotency_key_reused` if the key belongs to a request with another digest.
        """
        ...

    def keep(self, owner: str, key: str, value: object) -> None:
        """Keeps the answer (one of the core's attrs values) of a key claimed in this unit."""
        ...


def key_reused(key: str) -> Conflict:
    """The refusal of a request whose idempotency key has come with another one."""
    return Conflict(
        f"The idempotency key {key!r} was used for another request.",
        "Take a new key for a new request.",
        code="idempotency_key_reused",
    )


class UnitOfWork(Protocol):
    """One transaction: its collections see each other's writes, and others see all or nothing."""

    @property
    def session(self) -> str:
        """Names the connection of this unit, so that a takeover can end it."""
        ...

    @property
    def partners(self) -> Partners:
        """Who sends feeds."""
        ...

    @property
    def sources(self) -> Sources:
        """What they send them from, and how those are read."""
        ...

    @property
    def keys(self) -> Keys:
        """API keys."""
        ...

    @property
    def feeds(self) -> Feeds:
        """Files received."""
        ...

    @property
    def jobs(self) -> Jobs:
        """What is done with them, and the queue of it."""
        ...

    @property
    def products(self) -> Products:
        """The catalog."""
        ...

    @property
    def publications(self) -> Publications:
        """What changed the catalog, by number."""
        ...

    @property
    def versions(self) -> Versions:
        """What products were, and how they changed."""
        ...

    @property
    def past_products(self) -> PastProducts:
        """The catalog as it was."""
        ...

    @property
    def reverts(self) -> Reverts:
        """Undoing what feeds wrote."""
        ...

    @property
    def feed_products(self) -> FeedProducts:
        """What feeds wrote."""
        ...

    @property
    def orders(self) -> Orders:
        """What was bought."""
        ...

    @property
    def sales(self) -> Sales:
        """The ledger of it."""
        ...

    @property
    def events(self) -> Events:
        """What is announced."""
        ...

    @property
    def audit(self) -> Audit:
        """Who did what."""
        ...

    @property
    def idempotency(self) -> Idempotency:
        """What was answered under which key."""
        ...


class Store(Protocol):
    """Keeps the state of the platform."""

    def begin(self, *, dry_run: bool = False) -> AbstractContextManager[UnitOfWork]:
        """A new unit: commits on a clean exit, rolls back on an error or on `dry_run`."""
        ...

    def looking(self) -> AbstractContextManager[UnitOfWork]:
        """A unit in which nothing is written or locked, so that nothing has to end it."""
        ...

    def exporting(
        self, query: ProductQuery, form: ExportForm
    ) -> AbstractContextManager[Iterator[bytes]]:
        """All products that fit, as one file in blocks: what `exports.blocks_of` makes, by id.

        All of it is as of one moment, however slowly the blocks are taken; memory stays flat.
        Unavailable also where too many exports are under way.
        """
        ...

    def check(self) -> None:
        """Returns if the store can be used now; Unavailable otherwise, within five seconds."""
        ...

    def listening(self, wake: Callable[[], None]) -> AbstractContextManager[None]:
        """Calls `wake`, from any thread, when there may be a job to claim, while the context lasts.

        It is a hint: it may come late, for nothing or not at all, so whoever listens looks by
        himself now and then.
        """
        ...


@frozen
class StoredFile:
    """What was put: its size, and the SHA-256 of its bytes, computed by us."""

    bytes: int
    sha256: str


LONGEST_FILE_KEY: Final = 512
_PART: Final = r"[A-Za-z0-9_-][A-Za-z0-9_.-]{0,199}"
FILE_KEY: Final = re.compile(f"{_PART}(?:/{_PART})*")


def check_file_key(key: str) -> str:
    """The key itself if a file can have it; ValueError otherwise, since the core makes the keys."""
    if len(key) > LONGEST_FILE_KEY or not FILE_KEY.fullmatch(key):
        raise ValueError(f"{key[:200]!r} can't be the key of a file")
    return key


class Files(Protocol):
    """Keeps files by key: parts of letters, digits, `_`, `-` and `.`, joined by `/`.

    No part begins with a point. ValueError for any other key.
    """

    def put(self, key: str, stream: BinaryIO, most_bytes: int) -> StoredFile:
        """Keeps the whole stream, or nothing; TooLarge beyond `most_bytes`. Memory stays flat."""
        ...

    def open(self, key: str) -> AbstractContextManager[BinaryIO]:
        """The bytes of a file as a stream; NotFound if there is none."""
        ...

    def list(self, prefix: str) -> Iterator[str]:
        """The keys that begin so, in order."""
        ...

    def delete(self, key: str) -> None:
        """Forgets a file; nothing happens if there is none."""
        ...

    def check(self) -> None:
        """Returns if files can be kept and read now; Unavailable otherwise."""
        ...


KeepLease = Callable[[Job, str], AbstractContextManager[Callable[[Progress], None]]]
"""Keeps the lease of a job whose run works in that session alive for as long as the context lasts.

Gives a function that takes the latest progress; it raises RunLost once the job was taken over.
"""
