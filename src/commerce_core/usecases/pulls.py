"""Pulled sources: where and when files are fetched, and what became of each fetch."""

from collections.abc import Iterator
from datetime import datetime
from typing import Final

from attrs import evolve, frozen

from commerce_core.base.addresses import server_of
from commerce_core.base.errors import Conflict, InvalidInput, NotFound
from commerce_core.base.paging import DEFAULT_LIMIT
from commerce_core.feeds.pull import Cause, Fetch, FetchQuery, Pull
from commerce_core.feeds.schedule import Schedule
from commerce_core.feeds.source import Source
from commerce_core.ports.store import UnitOfWork
from commerce_core.ports.vault import LONGEST_SECRET
from commerce_core.usecases.context import Context, IdempotencyKey, Listed

MOST_DUE: Final = 200
"""How many ticks are taken in one transaction."""
_ANY: Final = FetchQuery()


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
    ) -> Pull:
        """Fetches the source from that URL from now on, by a schedule if there is one.

        `secret` is the password of `username`, or a bearer token; without one the stored one stays
        (for the same server only), unless not `keeps_secret`. InvalidInput names what can't be
        used: the URL, also by what its name resolves to, the schedule, or the zone. Uploads to the
        source stay possible.
        """
        context = self._context
        with context.store.begin() as unit:
            self._source(unit, source, partner)  # a stranger causes no lookup of a name
        context.web.judge(url)
        schedule = None if cron is None else Schedule(cron, time_zone)
        if secret is not None and not 1 <= len(secret) <= LONGEST_SECRET:
            detail = f"Use 1 to {LONGEST_SECRET:,} characters."
            raise InvalidInput.at("/secret", "bad_secret", detail)
        with context.writing() as unit:
            found = self._source(unit, source, partner)
            before = unit.pulls.lock(found.source_id)
            now = context.clock()
            new = Pull(
                found.source_id, found.partner_id, url, now, username,
                self._sealed(found, url, secret, before if keeps_secret else None), cron, time_zone,
                next(schedule.after(now), None) if schedule else None,
            )  # fmt: skip
            if before is not None and before.url == url:
                new = evolve(
                    new,
                    etag=before.etag,
                    last_modified=before.last_modified,
                    sha256=before.sha256,
                )
            unit.pulls.put(new)
            context.note(
                unit, "pull.set", found.source_id, partner_id=found.partner_id, before=before,
                after=new,
            )  # fmt: skip
            return new

    def _sealed(
        self, source: Source, url: str, secret: str | None, before: Pull | None
    ) -> str | None:
        """The secret, sealed; a stored one never goes to another server than it was set for."""
        if secret is not None:
            return self._context.vault.seal(secret, f"pull:{source.source_id}")
        if before is None or before.sealed is None:
            return None
        if server_of(before.url) != server_of(url):
            detail = "The stored secret is for another server. Send it again, or none."
            raise InvalidInput.at("/secret", "other_server", detail)
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
                if (running := unit.fetches.unfinished(found.source_id)) is not None:
                    raise Conflict(
                        f"Fetch {running.fetch_id} of this source is under way.",
                        "Wait until it has finished.",
                        code="fetch_under_way",
                    )
                fetch = self._new(pull, "request", context.clock())
                unit.fetches.add([fetch])
                context.note(
                    unit, "fetch.requested", fetch.fetch_id, found.source_id,
                    partner_id=found.partner_id,
                )  # fmt: skip
                return fetch

            return context.once(unit, key, ("fetch", found.source_id), make, answer=Fetch)

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
        with self._context.store.begin() as unit:
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


def _pulled(source: Source, pull: Pull | None) -> Pull:
    if pull is None:
        raise NotFound(
            f"The source {source.source_name!r} isn't fetched: its files are uploaded.",
            code="not_pulled",
        )
    return pull
