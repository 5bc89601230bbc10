"""Pulled sources: where and when files are fetched, and what became of each fetch."""

from collections.abc import Iterator
from datetime import datetime
from typing import Final

from attrs import astuple, evolve, frozen

from commerce_core.base.errors import Conflict, InvalidInput, NotFound, Unreachable
from commerce_core.base.paging import DEFAULT_LIMIT
from commerce_core.feeds.backfill import Backfill, BackfillPlan
from commerce_core.feeds.job import JobError
from commerce_core.feeds.place import Place, S3Place, host_keys_of, place_of, secrets_for
from commerce_core.feeds.pull import Cause, Fetch, FetchQuery, Pull
from commerce_core.feeds.schedule import Schedule, zone_of
from commerce_core.feeds.source import Source
from commerce_core.partners.partner import Partner
from commerce_core.ports.fetcher import Access, FetchFailed
from commerce_core.ports.secrets import vault_name
from commerce_core.ports.store import UnitOfWork
from commerce_core.ports.vault import LONGEST_SECRET
from commerce_core.usecases.context import Context, IdempotencyKey, Listed
from commerce_core.usecases.fetching.backfilling import plan_backfill
from commerce_core.usecases.fetching.folders import Folders
from commerce_core.usecases.fetching.places import judge
from commerce_core.usecases.fetching.rehearsal import Rehearsal, rehearse

MOST_DUE: Final = 200
"""How many ticks are taken in one transaction."""
SWEEP: Final = "*/5 * * * *"
"""When a bucket is listed whose queue reports new keys, since it may lose some."""
_ANY: Final = FetchQuery()
_EVERYTHING: Final = Backfill()


@frozen
class Pulls:
    """Where sources are fetched from, when, and their fetches. SOURCE is as in `Sources`."""

    _context: Context

    def set(
        self,
        source: str,
        url: str,
        *,
        partner: str | None = None,
        username: str | None = None,
        secret: str | None = None,
        keeps_secret: bool = True,
        cron: str | None = None,
        time_zone: str = "UTC",
        host_key: str | None = None,
        pattern: str | None = None,
        marker: str | None = None,
        endpoint: str | None = None,
        region: str | None = None,
        queue_url: str | None = None,
    ) -> Pull:
        """Fetches the source from that URL from now on; on a schedule, if there is one.

        `secret` is the password of `username`, a private key, or a bearer token; without one the
        stored one stays (for the same server only), unless not `keeps_secret`. The settings from
        `host_key` on are those of `feeds.place`. InvalidInput names what can't be used: the URL,
        also by what its name resolves to, the schedule, or the zone. Conflict if the partner is
        offboarded. With a queue, the bucket is
        listed every five minutes by default. Uploads to the source stay possible.
        """
        context = self._context
        with context.store.begin() as unit:  # a stranger causes no lookup of a name
            found = self._source(unit, source, partner)
            before = unit.pulls.get(found.source_id) if keeps_secret else None
        place = place_of(
            url, host_keys=host_keys_of(host_key), pattern=pattern, marker=marker,
            endpoint=endpoint, region=region, queue_url=queue_url,
        )  # fmt: skip
        if queue_url is not None and cron is None:
            cron = SWEEP
        if secret is not None and not 1 <= len(secret) <= LONGEST_SECRET:
            detail = f"Use 1 to {LONGEST_SECRET:,} characters."
            raise InvalidInput.at("/secret", "bad_secret", detail)
        self._judge(found, place, username, secret, before)
        zone_of(time_zone, "/time_zone")
        schedule = None if cron is None else Schedule(cron, time_zone)
        with context.writing() as unit:
            found = self._source(unit, source, partner)
            owner = unit.partners.lock_shared(found.partner_id)
            owner.check_not_offboarded("nothing is fetched from it")
            before = unit.pulls.lock(found.source_id)
            now = context.clock()
            new = Pull(
                found.source_id, found.partner_id, place, now, username,
                self._sealed(found, place, secret, before if keeps_secret else None), cron,
                time_zone, next(schedule.after(now), None) if schedule else None,
            )  # fmt: skip
            if before is not None and before.url == place.url:
                new = evolve(
                    new,
                    etag=before.etag,
                    last_modified=before.last_modified,
                    sha256=before.sha256,
                )
            if before is not None and secrets_for(before.place) != secrets_for(place):
                # Paths are those of a server: on another one they are other files.
                unit.pulled_files.forget(found.source_id)
            unit.pulls.put(new)
            context.note(
                unit, "pull.set", found.source_id, partner_id=found.partner_id, before=before,
                after=new,
            )  # fmt: skip
            return new

    def _judge(
        self,
        source: Source,
        place: Place,
        username: str | None,
        secret: str | None,
        before: Pull | None,
    ) -> None:
        """InvalidInput if the place can't be opened like this, by what is known without calling."""
        context = self._context
        if secret is None and before is not None and before.sealed is not None:
            _check_same(before.place, place)
            secret = context.vault.open(before.sealed, vault_name("pull", source.source_id))
        judge(context, place, Access(username, secret))
        if isinstance(place, S3Place) and place.queue_url is not None:
            context.messages.judge(place)
        is_partner = context.principal.partner_id is not None
        if is_partner and secret is None and place.traits.needs_own_secret:
            detail = "Send the id and the secret of an access key for the bucket."
            raise InvalidInput.at("/secret", "secret_needed", detail)

    def _sealed(
        self, source: Source, place: Place, secret: str | None, before: Pull | None
    ) -> str | None:
        if secret is not None:
            return self._context.vault.seal(secret, vault_name("pull", source.source_id))
        if before is None or before.sealed is None:
            return None
        _check_same(before.place, place)
        return before.sealed

    def get(self, source: str, *, partner: str | None = None) -> Pull:
        """Where the source is fetched from; NotFound `not_pulled` if it isn't."""
        with self._context.store.begin() as unit:
            found = self._source(unit, source, partner)
            return _pulled(found, unit.pulls.get(found.source_id))

    def remove(self, source: str, *, partner: str | None = None) -> Pull:
        """Stops fetching the source, whose files are uploaded from now on."""
        with self._context.writing() as unit:
            found = self._source(unit, source, partner)
            pull = _pulled(found, unit.pulls.lock(found.source_id))
            unit.pulls.remove(found.source_id)
            self._context.note(
                unit, "pull.removed", found.source_id, partner_id=found.partner_id, before=pull
            )
            return pull

    def fetch(
        self,
        source: str,
        *,
        partner: str | None = None,
        key: IdempotencyKey | str | None = None,
    ) -> Fetch:
        """Adds a fetch that a worker runs at once; Conflict if one is under way."""
        context = self._context
        with context.writing() as unit:
            found = self._source(unit, source, partner)

            def make() -> Fetch:
                pull = _pulled(found, unit.pulls.lock(found.source_id))
                _check_idle(unit, found.source_id)
                fetch = self._new(pull, "request", context.clock())
                unit.fetches.add([fetch])
                context.note(
                    unit, "fetch.requested", fetch.fetch_id, found.source_id,
                    partner_id=found.partner_id,
                )  # fmt: skip
                return fetch

            return context.once(unit, key, ("fetch", found.source_id), make, answer=Fetch)

    def plan_backfill(
        self, source: str, backfill: Backfill = _EVERYTHING, *, partner: str | None = None
    ) -> BackfillPlan:
        """What a backfill would take now, in which order and why; keeps nothing.

        Conflict if the server can't be listed, or has more files than one backfill takes.
        """
        with self._context.store.begin() as unit:
            found = self._source(unit, source, partner)
            pull = _pulled(found, unit.pulls.get(found.source_id))
        try:
            return plan_backfill(self._context, pull, backfill)
        except (FetchFailed, Unreachable) as failure:
            raise Conflict(
                f"The files of the source can't be listed: {failure}", code=failure.code
            ) from failure

    def backfill(
        self,
        source: str,
        backfill: Backfill = _EVERYTHING,
        *,
        partner: str | None = None,
        key: IdempotencyKey | str | None = None,
    ) -> Fetch:
        """Adds a fetch that takes the files a folder or prefix has, in the order of snapshots.

        Each becomes a feed with its snapshot; those that were taken before are left out. Conflict
        if a fetch of the source is under way. InvalidInput for a place that can't be listed.
        """
        context = self._context
        with context.writing() as unit:
            found = self._source(unit, source, partner)

            def make() -> Fetch:
                pull = _pulled(found, unit.pulls.lock(found.source_id))
                backfill.place(pull.place)
                _check_idle(unit, found.source_id)
                fetch = evolve(self._new(pull, "backfill", context.clock()), backfill=backfill)
                unit.fetches.add([fetch])
                context.note(
                    unit, "backfill.requested", fetch.fetch_id, found.source_id,
                    partner_id=found.partner_id, after=backfill,
                )  # fmt: skip
                return fetch

            asked = ("backfill", found.source_id, *map(str, astuple(backfill)))
            return context.once(unit, key, asked, make, answer=Fetch)

    def cancel(self, fetch_id: str) -> Fetch:
        """Ends a fetch or backfill; the files that it took stay. Conflict if it has finished."""
        context = self._context
        with context.writing() as unit:
            before = context.seen("ftch", fetch_id, unit.fetches.get)
            if before.outcome is not None:
                raise _finished(before)
            ended = _cancelled(context, unit, before)
            if not unit.tasks.drop(ended.task_kind, fetch_id):
                raise _finished(before)
            return ended

    def test(self, source: str, *, partner: str | None = None) -> Rehearsal:
        """Rehearses a fetch: what it would take now and why not the others; keeps nothing."""
        with self._context.store.begin() as unit:
            found = self._source(unit, source, partner)
            pull = _pulled(found, unit.pulls.get(found.source_id))
        return rehearse(self._context, pull)

    def _new(self, pull: Pull, cause: Cause, due_at: datetime, missed: int = 0) -> Fetch:
        return Fetch(
            self._context.mint("ftch"), pull.source_id, pull.partner_id, cause, due_at,
            self._context.clock(), missed,
        )  # fmt: skip

    def look(self) -> int:
        """Adds a fetch for each schedule that is due, and returns how many: workers do this.

        Any number of them may look at once. Ticks that were missed while none looked are one.
        """
        added = 0
        while True:
            with self._context.store.begin() as unit:
                now, due = unit.pulls.due(MOST_DUE)
                if not due:
                    return added
                passed = {pull.source_id: pull.passed(now) for pull in due}
                fetches = [
                    self._new(pull, "schedule", tick.tick, tick.missed)
                    for pull in due
                    if (tick := passed[pull.source_id]) is not None
                ]
                added += len(unit.fetches.add(fetches))
                unit.pulls.advance({s: tick and tick.next_due for s, tick in passed.items()})
            if len(due) < MOST_DUE:
                return added

    def get_fetch(self, fetch_id: str) -> Fetch:
        """The fetch with that id."""
        with self._context.store.begin() as unit:
            return self._context.seen("ftch", fetch_id, unit.fetches.get)

    def fetches(self, source: str | None = None, *, partner: str | None = None) -> Iterator[Fetch]:
        """All visible fetches, newest first, optionally of a source or a partner."""
        return self._context.walk(lambda unit: unit.fetches, self._query(source, partner))

    def page(
        self,
        cursor: str | None = None,
        limit: int = DEFAULT_LIMIT,
        *,
        source: str | None = None,
        partner: str | None = None,
        count: bool = False,
    ) -> Listed[Fetch]:
        """A page of the fetches, newest first."""
        query = self._query(source, partner)
        with self._context.store.read_only() as unit:
            return self._context.listed(unit.fetches, query, cursor, limit, count=count)

    def _query(self, source: str | None, partner: str | None) -> FetchQuery:
        query = self._context.own(_ANY, partner)
        if source is None:
            return query
        with self._context.store.begin() as unit:
            return evolve(query, source_id=self._source(unit, source, partner).source_id)

    def _source(self, unit: UnitOfWork, source: str, partner: str | None) -> Source:
        owner = None if partner is None else self._context.partner(unit, partner)
        return self._context.source(unit, source, owner)


def stop_fetching(context: Context, unit: UnitOfWork, partner: Partner) -> None:
    """Ends all fetches of a partner that is no longer one, for good; it has to be locked."""
    sources = unit.pulls.remove_of(partner.partner_id)
    error = JobError(
        "partner_offboarded",
        f"Partner {partner.partner_name!r} is {partner.status}, so nothing is fetched from it.",
    )
    for source_id in sources:
        if (fetch := unit.fetches.unfinished(source_id)) is not None:
            _cancelled(context, unit, fetch, error)
            unit.tasks.drop(fetch.task_kind, fetch.fetch_id)
    if sources:
        note = "The partner was offboarded."
        context.note(unit, "pull.removed", *sources, partner_id=partner.partner_id, note=note)


def _cancelled(
    context: Context, unit: UnitOfWork, fetch: Fetch, error: JobError | None = None
) -> Fetch:
    """Ends a fetch. An attempt that runs it finds out once its task is dropped."""
    ended = evolve(
        Folders.counted(unit, fetch), outcome="cancelled", finished_at=context.clock(), error=error
    )
    unit.fetches.finish(ended)
    if ended.backfill is not None:
        unit.events.add([context.new_event().backfilled(ended)])
    context.note(
        unit, "fetch.cancelled", ended.fetch_id, ended.source_id, partner_id=ended.partner_id,
        note=error and error.message,
    )  # fmt: skip
    return ended


def _check_same(before: Place, place: Place) -> None:
    """InvalidInput if a stored secret would be used at another server than the one it is for."""
    if secrets_for(before) != secrets_for(place):
        detail = "The stored secret is for another server. Send it again, or none."
        raise InvalidInput.at("/secret", "other_server", detail)


def _check_idle(unit: UnitOfWork, source_id: str) -> None:
    if (running := unit.fetches.unfinished(source_id)) is not None:
        raise Conflict(
            f"Fetch {running.fetch_id} of this source is under way.",
            "Wait until it has finished, or cancel it.",
            code="fetch_under_way",
        )


def _finished(fetch: Fetch) -> Conflict:
    return Conflict(f"Fetch {fetch.fetch_id} has finished.", code="fetch_finished")


def _pulled(source: Source, pull: Pull | None) -> Pull:
    if pull is None:
        raise NotFound(
            f"The source {source.source_name!r} isn't fetched: its files are uploaded.",
            code="not_pulled",
        )
    return pull
