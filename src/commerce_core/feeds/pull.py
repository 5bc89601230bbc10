"""Pulled sources: where a source's files are fetched from, and what became of each fetch."""

from collections.abc import Iterator
from datetime import datetime, timedelta
from itertools import islice, takewhile
from typing import Any, ClassVar, Final, Literal

from attrs import field, frozen

from commerce_core.base.errors import Fault, refuse_if
from commerce_core.feeds.backfill import Backfill
from commerce_core.feeds.job import JobError
from commerce_core.feeds.place import Place, PlaceKind
from commerce_core.feeds.schedule import Schedule
from commerce_core.work.attempt import Progress

FETCHES_PER_HOST: Final = 2
"""How many fetches from one host run at once, whichever workers run them."""
SHOWN_TICKS: Final = 5
"""How many of the next ticks are shown."""
MOST_MISSED: Final = 1_000
"""How many missed ticks are counted."""
LONGEST_USERNAME: Final = 255
MOST_TRIES: Final = 5
"""How often a fetch is tried while the server can't be reached, or is busy."""
FIRST_PAUSE: Final = timedelta(seconds=20)
LONGEST_PAUSE: Final = timedelta(hours=1)
"""How long the pause between tries becomes, whatever the server asks for."""

Cause = Literal["schedule", "request", "event", "backfill"]
FetchOutcome = Literal["fetched", "unchanged", "skipped", "failed", "cancelled"]


@frozen
class Pull:
    """Where a source's files are fetched from, when, and what was fetched last.

    `sealed` is the password, private key or token, sealed: over HTTPS it is sent as basic
    authentication with a `username`, and as a bearer token without one; for S3 the `username` is
    the id of the access key. `due_at` is the next tick of the schedule. `etag` and `last_modified`
    are those of the one file over HTTPS, `sha256` that of the file fetched last. `queue_error` is
    why the queue couldn't be read the last time.
    """

    source_id: str
    partner_id: str
    place: Place
    updated_at: datetime
    username: str | None = None
    sealed: str | None = field(default=None, repr=False)
    cron: str | None = None
    time_zone: str = "UTC"
    due_at: datetime | None = None
    etag: str | None = None
    last_modified: str | None = None
    sha256: str | None = None
    queue_error: JobError | None = None

    def __attrs_post_init__(self) -> None:
        """Checks the user's name; InvalidInput otherwise."""
        name = self.username
        refuse_if(
            "The source can't be fetched like this.",
            (
                name is not None
                and not (
                    1 <= len(name) <= LONGEST_USERNAME
                    and name.isprintable()
                    and not (":" in name and self.place.traits.joins_user_and_secret)
                ),
                Fault(
                    "/username",
                    "bad_username",
                    f"Use 1 to {LONGEST_USERNAME} characters, without a colon.",
                ),
            ),
        )

    @property
    def kind(self) -> PlaceKind:
        """From what kind of server."""
        return self.place.kind

    @property
    def url(self) -> str:
        """The address of the file, the folder, or the bucket and prefix."""
        return self.place.url

    @property
    def host_key(self) -> str | None:
        """The public keys of the SFTP server, in lines."""
        return "\n".join(self._setting("host_keys") or ()) or None

    @property
    def pattern(self) -> str | None:
        """Which files of a folder or prefix."""
        return self._setting("pattern")

    @property
    def marker(self) -> str | None:
        """The name of the file that shows that another one is complete."""
        return self._setting("marker")

    @property
    def endpoint(self) -> str | None:
        """The URL of a store that isn't Amazon's."""
        return self._setting("endpoint")

    @property
    def region(self) -> str | None:
        """The region of a bucket."""
        return self._setting("region")

    @property
    def queue_url(self) -> str | None:
        """The queue that reports new keys."""
        return self._setting("queue_url")

    def _setting(self, name: str) -> Any:  # noqa: ANN401 - each setting has its own type
        """A setting that only some kinds of places take."""
        return getattr(self.place, name, None)

    @property
    def has_secret(self) -> bool:
        """Whether a password or token is stored."""
        return self.sealed is not None

    @property
    def schedule(self) -> Schedule | None:
        """When it is fetched; None if only on request."""
        return None if self.cron is None else Schedule(self.cron, self.time_zone)

    @property
    def next_at(self) -> tuple[datetime, ...]:
        """The next ticks."""
        return tuple(islice(self._ticks(), SHOWN_TICKS))

    def _ticks(self) -> Iterator[datetime]:
        schedule = self.schedule
        if schedule is not None and self.due_at is not None:
            # It stays a tick even if the rules of the zone have changed since it was stored.
            yield self.due_at
            yield from schedule.after(self.due_at)

    def passed(self, now: datetime) -> "Passed | None":
        """What is due by now, as one tick, and how many were missed; None if nothing is due."""
        until = takewhile(lambda tick: tick <= now, self._ticks())
        ticks = list(islice(until, MOST_MISSED + 1))
        schedule = self.schedule
        if not ticks or schedule is None:
            return None
        return Passed(ticks[-1], len(ticks) - 1, next(schedule.after(now), None))


@frozen
class Passed:
    """A tick that is due, how many before it were missed, and when the next one is."""

    tick: datetime
    missed: int
    next_due: datetime | None


@frozen
class Fetch:
    """One tick of a source: the file was fetched, or why not.

    `due_at` is the tick; two of a source never have the same. `missed` counts the ticks before it
    that passed while no worker ran. `outcome` is None until it is finished: `fetched` (a new feed),
    `unchanged` (the same bytes as last time, or the server says so), `skipped` (the fetch before it
    was still under way), `failed` or `cancelled`. Of a folder it has the number of `feeds` that it
    made, of files that were `refused`, and in `waiting` of those that aren't complete yet, or that
    a backfill still has to take; `feed_id` is the last feed, `bytes` those of all files. `backfill`
    is what a backfill takes.
    """

    fetch_id: str
    source_id: str
    partner_id: str
    cause: Cause
    due_at: datetime
    created_at: datetime
    missed: int = 0
    outcome: FetchOutcome | None = None
    feed_id: str | None = None
    bytes: int | None = None
    error: JobError | None = None
    finished_at: datetime | None = None
    tries: int = 0
    feeds: int = 0
    refused: int = 0
    waiting: int = 0
    progress: Progress = field(factory=Progress)
    backfill: Backfill | None = None

    @property
    def task_kind(self) -> Literal["fetch", "backfill"]:
        """The kind of its task. Versions that don't know backfills leave theirs alone."""
        return "fetch" if self.backfill is None else "backfill"

    @property
    def status(self) -> Literal["queued", "running", "finished"]:
        """How far it is; between two tries it is running."""
        if self.outcome is not None:
            return "finished"
        return "running" if self.tries or self.feeds or self.refused else "queued"


@frozen
class FetchQuery:
    """Selects fetches by partner and source; None: any."""

    IDENTITY: ClassVar = "FetchQuery(partner_id={0.partner_id!r}, source_id={0.source_id!r})"
    partner_id: str | None = None
    source_id: str | None = None


def pause_before(tries: int, asked: float | None, chance: float) -> timedelta:
    """How long to wait after that many tries; `chance`, 0 to 1, spreads callers.

    A server that asks for more is given more, to the limit.
    """
    usual = FIRST_PAUSE * 4 ** min(tries - 1, 6) * (0.5 + chance / 2)
    return min(LONGEST_PAUSE, max(usual, timedelta(seconds=min(asked or 0.0, 86_400.0))))
