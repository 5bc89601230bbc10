"""What every use case receives: the outside world, and the principal, who may not see all."""

import hashlib
import json
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from datetime import timedelta
from typing import BinaryIO, Final, Generic, Protocol, TypeVar

from attrs import AttrsInstance, define, evolve, field, frozen

from commerce_core.activity.audit import Action, AuditEntry, difference
from commerce_core.activity.events import NewEvent
from commerce_core.alerts.alert import Alert
from commerce_core.alerts.wording import Link, no_link
from commerce_core.base.errors import Fault, NotFound, no_such, refuse_if
from commerce_core.base.identity import identity_or_text
from commerce_core.base.ids import NOUNS, Entropy, Kind, looks_like, mint, parse
from commerce_core.base.paging import (
    DEFAULT_LIMIT,
    Page,
    Position,
    check_limit,
    every,
    read_cursor,
    write_cursor,
)
from commerce_core.catalog.export import Columns, no_columns
from commerce_core.feeds.feed import Feed
from commerce_core.feeds.place import S3Place, SftpPlace
from commerce_core.feeds.pull import FETCHES_PER_HOST
from commerce_core.feeds.source import Source
from commerce_core.orders.order import OrderTerms
from commerce_core.parsing.reference import ReferenceEngine
from commerce_core.partners.access import OPERATOR, Principal
from commerce_core.partners.partner import Partner
from commerce_core.ports.activity import ActivityUnit
from commerce_core.ports.engine import FeedEngine
from commerce_core.ports.feeds import FeedsUnit
from commerce_core.ports.fetcher import Fetcher, Nowhere
from commerce_core.ports.files import Files
from commerce_core.ports.listing import Listing
from commerce_core.ports.mail import Mail, NoMail
from commerce_core.ports.messages import Messages, NoMessages
from commerce_core.ports.partners import PartnersUnit
from commerce_core.ports.runtime import Apart, Clock, Effort, Here, KeepLease
from commerce_core.ports.store import Store, UnitOfWork
from commerce_core.ports.vault import Closed, Vault
from commerce_core.ports.web import Offline, Web
from commerce_core.usecases.known_prices import KnownPrices
from commerce_core.work.attempt import LEASE

MOST_UPLOAD_BYTES: Final = 5 * 1024**3
"""Default maximum size of a raw file."""
LONGEST_IDEMPOTENCY_KEY: Final = 255

T = TypeVar("T")
Q = TypeVar("Q")


class _OfPartner(AttrsInstance, Protocol):
    """What belongs to one partner, or a query that can be limited to one."""

    @property
    def partner_id(self) -> str | None: ...


W = TypeVar("W", bound=_OfPartner)


@define
class IdempotencyKey:
    """A key with which a request takes effect once, however often it is sent.

    Afterwards, `replayed` is True if the answer is the stored one of the first such request.
    """

    text: str
    replayed: bool = False


@frozen
class Listed(Generic[T]):
    """A page of a list as clients see it; `next_cursor` is None at the end."""

    items: tuple[T, ...]
    next_cursor: str | None
    count: int | None = None


def _not_counted(_alert: Alert) -> None:
    """A platform that keeps no metrics of alerts."""


@frozen
class Context:
    """A store, files, a clock, randomness, a way to keep leases; and the acting principal.

    For a principal that is a partner, what belongs to others doesn't exist. `scratch` makes an
    empty, temporary store; without it nothing can be replayed. `history_kept` is how long versions
    are kept after they are superseded; None means forever. `apart` examines files of callers.
    `vault` seals secrets, `web` calls the servers of others, `sftp` and `s3` fetch files from them,
    `messages` receives from queues, and `columns` writes Parquet. From one host, at most
    `fetches_per_host` fetches run at once. `orders` are the operator's rules for orders, and
    `known_prices` belong to the store. `mail` sends mail, `link` returns the
    address of the page about a cause, and `after_alert` is called after each try to send an alert.
    """

    store: Store
    files: Files
    clock: Clock
    entropy: Entropy
    keep_lease: KeepLease
    open_path: Callable[[str], AbstractContextManager[BinaryIO]]
    engine: FeedEngine = field(factory=ReferenceEngine)
    principal: Principal = OPERATOR
    most_upload_bytes: int = MOST_UPLOAD_BYTES
    lease: timedelta = LEASE
    scratch: Callable[[], Store] | None = None
    history_kept: timedelta | None = None
    apart: Apart = field(factory=Here)
    vault: Vault = field(factory=Closed)
    web: Web = field(factory=Offline)
    sftp: Fetcher[SftpPlace] = field(factory=Nowhere)
    s3: Fetcher[S3Place] = field(factory=Nowhere)
    messages: Messages = field(factory=NoMessages)
    fetches_per_host: int = FETCHES_PER_HOST
    columns: Columns = no_columns
    orders: OrderTerms = field(factory=OrderTerms)
    known_prices: KnownPrices = field(factory=KnownPrices, eq=False, repr=False)
    mail: Mail = field(factory=NoMail)
    link: Link = no_link
    after_alert: Callable[[Alert], None] = _not_counted

    def acting_as(self, principal: Principal) -> "Context":
        """The same context for another principal."""
        return evolve(self, principal=principal)

    def within(self, effort: Effort) -> "Context":
        """The same context for one effort: what it begins ends when that is over."""
        return evolve(self, store=self.store.bounded(effort), apart=self.apart.bounded(effort))

    @contextmanager
    def writing(self) -> Generator[UnitOfWork]:
        """A unit in which this principal changes something.

        Its key is judged again, since a body may have taken long to arrive: Unauthenticated if it
        was revoked or expired since.
        """
        with self.store.begin() as unit:
            if self.principal.key_id is not None:
                unit.keys.get(self.principal.key_id).check_valid(self.clock())
            yield unit

    def opened(self, file: str | BinaryIO) -> AbstractContextManager[BinaryIO]:
        """The file as a stream, opened if it is a path; a stream that was passed stays open."""
        return self.open_path(file) if isinstance(file, str) else nullcontext(file)

    def mint(self, kind: Kind) -> str:
        """A new identifier."""
        return mint(kind, self.clock(), self.entropy)

    def new_event(self) -> NewEvent:
        """The id and time of a new event; its methods make the event itself."""
        return NewEvent(self.mint("evt"), self.clock())

    def note(
        self,
        unit: ActivityUnit,
        action: Action,
        *subjects: str,
        partner_id: str | None = None,
        note: str | None = None,
        before: AttrsInstance | None = None,
        after: AttrsInstance | None = None,
    ) -> None:
        """Records in the audit log what this principal does, and what it changes."""
        one, other = difference(before, after)
        entry = AuditEntry(
            self.mint("aud"), self.clock(), self.principal.name, action, partner_id, subjects,
            note, one, other,
        )  # fmt: skip
        unit.audit.add(entry)

    def seen(self, kind: Kind, named: str, get: Callable[[str], W]) -> W:
        """The thing with that id, which `get` looks up or locks.

        NotFound, in the same words, if there is none and if this principal may not see it.
        """
        id_ = parse(kind, named)
        found = get(id_)
        if not self.principal.may_see(found.partner_id):
            raise no_such(NOUNS[kind], id_)
        return found

    def partner(self, unit: PartnersUnit, name_or_id: str) -> Partner:
        """The partner with that id or name; NotFound as in `seen`."""
        if looks_like("ptn", name_or_id):
            return self.seen("ptn", name_or_id, unit.partners.get)
        found = unit.partners.find(name_or_id)
        if found is None or not self.principal.may_see(found.partner_id):
            raise NotFound(f"There is no partner {name_or_id[:80]!r}.")
        return found

    def partner_id(self, name_or_id: str | None) -> str | None:
        """The id, if it is that of a partner, whom this principal may see if there is one."""
        if name_or_id is None or not looks_like("ptn", name_or_id):
            return None
        id_ = parse("ptn", name_or_id)
        return id_ if self.principal.may_see(id_) else None

    def source(self, unit: PartnersUnit, name_or_id: str, owner: Partner | None) -> Source:
        """The source with that id, or the owner's with that name; NotFound as in `seen`."""
        if looks_like("src", name_or_id):
            found = self.seen("src", name_or_id, unit.sources.get)
        else:
            found = unit.sources.find(owner.partner_id, name_or_id) if owner else None
        if found is None or (owner and found.partner_id != owner.partner_id):
            whose = f"Partner {owner.partner_name!r} has" if owner else "There is"
            raise NotFound(f"{whose} no source {name_or_id[:80]!r}.")
        return found

    def partner_filter(self, unit: PartnersUnit, name_or_id: str | None) -> str | None:
        """The partner to filter by: the one named, else the principal's own, else None for all."""
        if name_or_id is not None:
            return self.partner(unit, name_or_id).partner_id
        return self.principal.partner_id

    def own(self, query: W, partner: str | None) -> W:
        """The query, limited to what this principal may see, and to the named partner, if any."""
        with self.store.read_only() as unit:
            return self.own_in(unit, query, partner)

    def own_in(self, unit: PartnersUnit, query: W, partner: str | None) -> W:
        """The same as `own`, within an open unit."""
        named = query.partner_id if partner is None else partner
        return evolve(query, partner_id=self.partner_filter(unit, named))

    def feed(self, unit: FeedsUnit, feed_id: str) -> Feed:
        """The feed; NotFound as in `seen`."""
        return self.seen("feed", feed_id, unit.feeds.get)

    def listed(
        self,
        collection: Listing[Q, T],
        query: Q,
        cursor: str | None,
        limit: int,
        *,
        count: bool,
    ) -> Listed[T]:
        """One page of a collection, as clients see it."""
        page = collection.page(query, read_cursor(query, cursor), check_limit(limit))
        counted = collection.count(query) if count else None
        return Listed(page.items, write_cursor(query, page.after), counted)

    def walk(self, listing: Callable[[UnitOfWork], Listing[Q, T]], query: Q) -> Iterator[T]:
        """All items of a collection; each page is read in a unit of its own."""

        def fetch(after: Position | None) -> Page[T]:
            with self.store.begin() as unit:
                return listing(unit).page(query, after, DEFAULT_LIMIT)

        return every(fetch)

    def once(
        self,
        unit: ActivityUnit,
        key: IdempotencyKey | str | None,
        request: Sequence[object],
        make: Callable[[], T],
        keep: Callable[[T], T] = lambda value: value,
        *,
        answer: type[T],
    ) -> T:
        """Makes something once: the same request with the same key returns what was made before.

        `keep` returns the answer to store. Conflict if the key was used for another request.
        """
        kept, remember = self.claimed(unit, key, request, answer=answer)
        if kept is not None:
            return kept
        value = make()
        remember(keep(value))
        return value

    def claimed(
        self,
        unit: ActivityUnit,
        key: IdempotencyKey | str | None,
        request: Sequence[object],
        *,
        answer: type[T],
    ) -> tuple[T | None, Callable[[T], None]]:
        """The answer that was stored for the key, if any; and what stores a new one in this unit.

        Conflict if the key was used for another request.
        """
        if key is None:
            return None, lambda _: None
        if isinstance(key, str):
            key = IdempotencyKey(key)
        text = key.text
        refuse_if(
            "The idempotency key can't be used.",
            (
                not (1 <= len(text) <= LONGEST_IDEMPOTENCY_KEY and text.isprintable()),
                Fault("/Idempotency-Key", "bad_idempotency_key", "Use 1 to 255 characters."),
            ),
        )
        owner = self.principal.partner_id or "operator"
        digest = hashlib.sha256(json.dumps(request, default=identity_or_text).encode()).hexdigest()
        kept = unit.idempotency.claim(owner, text, digest, answer)
        key.replayed = kept is not None
        return kept, lambda value: unit.idempotency.keep(owner, text, value)
