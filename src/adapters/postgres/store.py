"""The store: a pool of connections, and units of work that are one transaction each."""

import select
from collections.abc import Callable, Generator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext
from functools import partial
from threading import BoundedSemaphore, Lock
from time import monotonic
from typing import Any, Final, Self

import psycopg
from attrs import frozen
from psycopg import sql
from psycopg.conninfo import conninfo_to_dict, make_conninfo
from psycopg.rows import TupleRow
from psycopg_pool import ConnectionPool, PoolTimeout

from adapters.postgres.catalog.export import CatalogSnapshot
from adapters.postgres.catalog.products import Products
from adapters.postgres.catalog.publications import Publications
from adapters.postgres.catalog.revert import Reverts
from adapters.postgres.catalog.versions import FeedProducts, PastProducts, Versions
from adapters.postgres.collections.alerts import Alerts, Channels
from adapters.postgres.collections.audit import Audit
from adapters.postgres.collections.bulk_acts import BulkActs
from adapters.postgres.collections.deliveries import Deliveries
from adapters.postgres.collections.events import Events
from adapters.postgres.collections.feeds import Feeds
from adapters.postgres.collections.freshness import Arrivals, Standings
from adapters.postgres.collections.idempotency import Idempotency
from adapters.postgres.collections.inbox import Causes
from adapters.postgres.collections.jobs import Jobs
from adapters.postgres.collections.ledger import Sales
from adapters.postgres.collections.orders import Orders
from adapters.postgres.collections.partners import Keys, Partners
from adapters.postgres.collections.price_lists import PriceLists
from adapters.postgres.collections.pulls import Fetches, PulledFiles, Pulls
from adapters.postgres.collections.rates import Rates
from adapters.postgres.collections.reconciliation import Books
from adapters.postgres.collections.rules import Rules
from adapters.postgres.collections.saved_views import SavedViews
from adapters.postgres.collections.secrets import Secrets
from adapters.postgres.collections.sessions import Sessions
from adapters.postgres.collections.sources import Sources
from adapters.postgres.collections.statements import Statements, Terms
from adapters.postgres.collections.stock import Stock
from adapters.postgres.collections.tasks import Tasks
from adapters.postgres.collections.webhooks import Webhooks
from adapters.postgres.collections.what_ifs import WhatIfs
from adapters.postgres.connection.bounds import bounded, cancelled, take_slot
from adapters.postgres.connection.errors import outage, severed, translated
from adapters.postgres.connection.notifications import subscribe
from adapters.postgres.connection.rows import Connection
from adapters.postgres.connection.timeouts import bear_as_before
from adapters.postgres.migrations import migrate
from commerce_core.base.errors import Unavailable
from commerce_core.catalog.export import Snapshot
from commerce_core.catalog.product import ProductQuery
from commerce_core.ports.runtime import Effort
from commerce_core.ports.store import UnitOfWork

MOST_CONNECTIONS: Final = 10
"""Units that can be open at once in one process; the next one waits."""
WAIT_FOR_CONNECTION: Final = 2.5
"""Seconds that it waits. With the timeout below, every answer takes at most five seconds."""
CONNECT_TIMEOUT: Final = 2

MOST_SNAPSHOTS: Final = 8
"""Snapshots that can be taken at once in one process; the next one is refused."""
SNAPSHOT_SECONDS: Final = 15 * 60
"""How long one may take, however slowly its products are taken."""

_SNAPSHOT_LIMITS: Final = """
    SELECT set_config('statement_timeout', %(limit)s, TRUE),
           set_config('idle_in_transaction_session_timeout', %(limit)s, TRUE)"""

CONNECTING: Final[Mapping[str, Any]] = {
    "application_name": "commerce",
    "client_encoding": "UTF8",
    "connect_timeout": CONNECT_TIMEOUT,
    # A server that is cut off rather than down doesn't answer at all: notice that within seconds.
    # Work on a feed waits longer.
    "tcp_user_timeout": 4_000,
    "keepalives_idle": 10,
    "keepalives_interval": 3,
    "keepalives_count": 3,
}
"""Defaults for what the connection string doesn't specify."""

SESSION: Final[Mapping[str, str]] = {
    "TimeZone": "UTC",
    "lock_timeout": "10s",
    "statement_timeout": "30s",
    # A unit whose process was stopped releases its locks. COPY doesn't count as idle.
    "idle_in_transaction_session_timeout": "60s",
}
"""Settings of each session. Work on a feed has no time limit, and lifts two of these."""


AroundEach = Callable[[str], AbstractContextManager[object]]
"""Makes the context in which the statement with that text runs."""


class _Session(psycopg.Connection[TupleRow]):
    """A connection with a name that no other session ever has."""

    session_name: str = ""


class Unit:
    """Implements `ports.store.UnitOfWork`; the ports declare what each collection promises."""

    partners: Partners
    sources: Sources
    keys: Keys
    feeds: Feeds
    jobs: Jobs
    bulk_acts: BulkActs
    tasks: Tasks
    products: Products
    publications: Publications
    versions: Versions
    feed_products: FeedProducts
    past_products: PastProducts
    reverts: Reverts
    orders: Orders
    sales: Sales
    terms: Terms
    statements: Statements
    books: Books
    stock: Stock
    rules: Rules
    price_lists: PriceLists
    what_ifs: WhatIfs
    events: Events
    audit: Audit
    idempotency: Idempotency
    rates: Rates
    sessions: Sessions
    inbox: Causes
    webhooks: Webhooks
    deliveries: Deliveries
    channels: Channels
    alerts: Alerts
    saved_views: SavedViews
    secrets: Secrets
    pulls: Pulls
    fetches: Fetches
    pulled_files: PulledFiles
    arrivals: Arrivals
    standings: Standings

    def __init__(self, db: Connection, session: str) -> None:
        self.session = session
        self.together: Callable[[], AbstractContextManager[object]] = (
            db.pipeline if psycopg.Pipeline.is_supported() else nullcontext
        )
        self._db = db

    def __getattr__(self, name: str) -> object:
        """A collection, made when it is first used: most units use a few of them."""
        kind = Unit.__annotations__.get(name)
        if kind is None:
            raise AttributeError(name)
        made = self.__dict__[name] = kind(self._db)
        return made


class PostgresStore:
    """Implements `commerce_core.ports.store.Store`. Safe to share between threads."""

    def __init__(
        self,
        conninfo: str,
        *,
        most_connections: int = MOST_CONNECTIONS,
        before_each: Callable[[], None] | None = None,
        around_each: AroundEach | None = None,
    ) -> None:
        """Connects when first used, to a database that is migrated already; close it afterwards.

        `before_each`, for tests, is called before each statement; `around_each` is entered with the
        text of each.
        """
        self._conninfo = _address(conninfo)
        self._snapshots = BoundedSemaphore(MOST_SNAPSHOTS)
        self._held = (0, 0.0)
        self._counting = Lock()
        self._pool = ConnectionPool(
            self._conninfo,
            connection_class=_Session,
            kwargs={"autocommit": True},
            min_size=0,
            max_size=most_connections,
            open=True,
            configure=partial(_configure, before_each=before_each, around_each=around_each),
            check=self._check_idle,
            timeout=WAIT_FOR_CONNECTION,
            # A failed connection is tried again on request, not on a schedule that backs off.
            reconnect_timeout=CONNECT_TIMEOUT,
        )

    @classmethod
    @contextmanager
    def open(
        cls,
        conninfo: str,
        *,
        most_connections: int = MOST_CONNECTIONS,
        before_each: Callable[[], None] | None = None,
        around_each: AroundEach | None = None,
    ) -> Generator["PostgresStore"]:
        """A store on that database, after bringing its schema up to date."""
        with translated():
            migrate(_address(conninfo))
        store = cls(
            conninfo, most_connections=most_connections, before_each=before_each,
            around_each=around_each,
        )  # fmt: skip
        try:
            yield store
        finally:
            store.close()

    def close(self) -> None:
        """Closes all connections."""
        self._pool.close()

    def begin(self, *, dry_run: bool = False) -> AbstractContextManager[UnitOfWork]:
        """A new unit; it sees what was committed before each of its statements."""
        return self.begin_for(None, dry_run=dry_run)

    @contextmanager
    def begin_for(self, effort: Effort | None, *, dry_run: bool) -> Generator[UnitOfWork]:
        """A unit whose statements end with the effort, if there is one; so below."""
        with self._connected(effort) as db, db.transaction(force_rollback=dry_run):
            yield Unit(db, db.session_name)

    def read_only(self) -> AbstractContextManager[UnitOfWork]:
        """Each statement is its own transaction, which saves the round trips around it."""
        return self.read_for(None)

    @contextmanager
    def read_for(self, effort: Effort | None) -> Generator[UnitOfWork]:
        """A unit that writes nothing."""
        with self._connected(effort) as db:
            yield Unit(db, db.session_name)

    @contextmanager
    def _connected(self, effort: Effort | None) -> Generator[_Session]:
        usual = SESSION["statement_timeout"]
        with (
            translated(),
            self._connection() as db,
            severed(db),
            bounded(db, effort, usual) if effort else nullcontext(),
        ):
            yield db

    def snapshot(self, query: ProductQuery) -> AbstractContextManager[Snapshot]:
        """The products that match, over a connection of its own.

        They may be taken slowly, and no unit should wait for a connection in the meantime.
        """
        return self.snapshot_for(query, None)

    @contextmanager
    def snapshot_for(self, query: ProductQuery, effort: Effort | None) -> Generator[Snapshot]:
        """A snapshot, which counts as one of the effort's caller."""
        if not self._snapshots.acquire(blocking=False):
            raise Unavailable(
                f"{MOST_SNAPSHOTS} exports are under way in this process.", "Try again in a moment."
            )
        try:
            with translated(), psycopg.connect(self._conninfo) as db:
                db.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY")
                db.execute(_SNAPSHOT_LIMITS, {"limit": f"{SNAPSHOT_SECONDS}s"})
                if effort is not None:
                    take_slot(db, effort)
                with cancelled(db, effort) if effort else nullcontext():
                    yield CatalogSnapshot(db, query, SNAPSHOT_SECONDS)
        finally:
            self._snapshots.release()

    @contextmanager
    def _connection(self) -> Generator[_Session]:
        try:
            db = self._pool.getconn()
        except PoolTimeout as error:
            self.check()
            raise Unavailable(
                f"All {self._pool.max_size} connections of this process to the database are busy.",
                "Try again in a moment; if this continues, run more processes.",
            ) from error
        begun = monotonic()
        try:
            yield db
        finally:
            bear_as_before(db)
            self._pool.putconn(db)
            with self._counting:
                self._held = self._held[0] + 1, self._held[1] + monotonic() - begun

    def held(self) -> tuple[int, float]:
        """How many units have had a connection, and for how many seconds in all."""
        return self._held

    def bounded(self, effort: Effort) -> "BoundedStore":
        """The same connections, for one effort."""
        return BoundedStore(self, effort)

    def check(self) -> None:
        """Opens a new connection, which tests everything that a server has to be able to do."""
        with translated(), psycopg.connect(self._conninfo, connect_timeout=CONNECT_TIMEOUT) as db:
            if db.info.parameter_status("in_hot_standby") == "on":
                raise outage("25006")

    def connections(self) -> Mapping[str, int]:
        """The pool's limit, its open connections, those in use, and the units that wait for one."""
        stats = self._pool.get_stats()
        size = stats.get("pool_size", 0)
        return {
            "most": self._pool.max_size,
            "open": size,
            "in_use": size - stats.get("pool_available", 0),
            "waiting": stats.get("requests_waiting", 0),
        }

    def subscribe(self, wake: Callable[[], None]) -> AbstractContextManager[None]:
        """Calls `wake` when a job is released, given back or finished; uses one more connection."""
        return subscribe(self._conninfo, wake)

    def _check_idle(self, db: _Session) -> None:
        """Refuses a connection whose server has gone while it was idle in the pool.

        An idle connection has nothing to read, so a look at its socket is enough: no round trip.
        """
        if select.select([db], [], [], 0)[0]:
            self._pool.check()  # The others are as old.
            ConnectionPool.check_connection(db)


@frozen
class BoundedStore:
    """Implements `commerce_core.ports.store.Store` for one effort, on the store's connections."""

    _store: PostgresStore
    _effort: Effort

    def begin(self, *, dry_run: bool = False) -> AbstractContextManager[UnitOfWork]:
        """A new unit."""
        return self._store.begin_for(self._effort, dry_run=dry_run)

    def read_only(self) -> AbstractContextManager[UnitOfWork]:
        """A unit that writes nothing."""
        return self._store.read_for(self._effort)

    def snapshot(self, query: ProductQuery) -> AbstractContextManager[Snapshot]:
        """A snapshot that counts as one of the caller's."""
        return self._store.snapshot_for(query, self._effort)

    def bounded(self, effort: Effort) -> "BoundedStore":
        """The store for another effort."""
        return self._store.bounded(effort)

    def check(self) -> None:
        """Whether the store can be used."""
        self._store.check()

    def subscribe(self, wake: Callable[[], None]) -> AbstractContextManager[None]:
        """Notifications, which cost nothing."""
        return self._store.subscribe(wake)


def _address(conninfo: str) -> str:
    """The connection string, with our defaults for what it doesn't specify."""
    given = conninfo_to_dict(conninfo)
    return make_conninfo(conninfo, **{key: v for key, v in CONNECTING.items() if key not in given})


def _watched(before_each: Callable[[], None]) -> type[psycopg.Cursor[Any]]:
    """A cursor that calls a function before each statement."""

    class Watched(psycopg.Cursor[Any]):
        def execute(self, *arguments: Any, **named: Any) -> Self:  # noqa: ANN401 - as it takes them
            before_each()
            return super().execute(*arguments, **named)

        def copy(self, *arguments: Any, **named: Any) -> Any:  # noqa: ANN401 - the same
            before_each()
            return super().copy(*arguments, **named)

    return Watched


def _traced(around_each: AroundEach) -> type[psycopg.Cursor[Any]]:
    """A cursor that runs each statement within a context."""

    def text(query: Any) -> str:  # noqa: ANN401 - as psycopg takes it
        return query.as_string() if isinstance(query, sql.Composable) else str(query)

    class Traced(psycopg.Cursor[Any]):
        def execute(self, query: Any, *arguments: Any, **named: Any) -> Self:  # noqa: ANN401 - the same
            with around_each(text(query)):
                return super().execute(query, *arguments, **named)

        @contextmanager
        def copy(self, statement: Any, *arguments: Any, **named: Any) -> Any:  # noqa: ANN401 - the same
            with (
                around_each(text(statement)),
                super().copy(statement, *arguments, **named) as copied,
            ):
                yield copied

    return Traced


def _configure(
    db: _Session,
    *,
    before_each: Callable[[], None] | None = None,
    around_each: AroundEach | None = None,
) -> None:
    if around_each is not None:
        db.cursor_factory = _traced(around_each)
    if before_each is not None:
        db.cursor_factory = _watched(before_each)
    settings = [part for setting in SESSION.items() for part in setting]
    calls = sql.SQL(", ").join([sql.SQL("set_config(%s, %s, false)")] * len(SESSION))
    db.execute(sql.SQL("SELECT ") + calls, settings)
    (db.session_name,) = db.execute(
        """
        SELECT pid || ':' || extract(epoch FROM backend_start)
        FROM pg_stat_activity
        WHERE pid = pg_backend_pid()
        """
    ).fetchone() or ("",)
