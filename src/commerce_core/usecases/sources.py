"""Sources: partners' recurring feeds, and the profiles by which their files are read."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from datetime import timedelta
from itertools import islice
from typing import Any, BinaryIO, Final

from attrs import frozen

from commerce_core.activity.audit import Action
from commerce_core.base.errors import Conflict
from commerce_core.base.paging import DEFAULT_LIMIT
from commerce_core.base.text import given_name
from commerce_core.catalog.product import ProductQuery
from commerce_core.feeds.feed import FeedQuery
from commerce_core.feeds.freshness_settings import NOTHING_DECLARED, Expected
from commerce_core.feeds.guards import DEFAULT_GUARDS, GuardSettings
from commerce_core.feeds.source import MAIN_SOURCE, REJECT_RECORDS, OnError, Source
from commerce_core.parsing.reader import open_feed
from commerce_core.parsing.record_reader import Terms
from commerce_core.ports.activity import ActivityUnit
from commerce_core.ports.partners import PartnersUnit
from commerce_core.ports.store import UnitOfWork
from commerce_core.profiles import checks
from commerce_core.profiles.profile import Profile, SavedProfile
from commerce_core.schema.fields import Mode, Value
from commerce_core.schema.problems import Problem
from commerce_core.schema.record import Record
from commerce_core.usecases.context import Context, IdempotencyKey, Listed
from commerce_core.usecases.freshness import FreshSources, fresh_sources

MOST_TRIED: Final = 10_000
"""Maximum number of records that are read when a profile is tried on a file."""
_SHOWN: Final = 20


@frozen
class Trial:
    """The result of trying a profile on a file's first records; nothing is stored.

    `mapping` is each field's column as the partner names it. `samples` are the values of the first
    offers, `problems` the first problems, `notes` what a person should know about the mapping.
    `complete` is whether the whole file was read.
    """

    records_read: int
    offers: int
    rejected: int
    folded: int
    skipped: int
    blank: int
    complete: bool
    mapping: Mapping[str, str | None]
    unused_columns: tuple[str, ...]
    problems_by_code: Mapping[str, int]
    problems: tuple[Problem, ...]
    notes: tuple[str, ...]
    samples: tuple[Mapping[str, Value], ...]


@frozen
class Sources:
    """Sources and their profiles."""

    _context: Context

    def add(
        self,
        partner: str,
        source_name: str,
        *,
        mode: Mode = "delta",
        run: bool = False,
        on_error: OnError = REJECT_RECORDS,
        guards: GuardSettings | Mapping[str, Any] = DEFAULT_GUARDS,
        snapshot_pattern: str | None = None,
        net_of_orders: bool = False,
        expected: Expected = NOTHING_DECLARED,
        stop_selling_after: timedelta | None = None,
        key: IdempotencyKey | str | None = None,
    ) -> Source:
        """A new source of the partner; Conflict if it already has one with that name.

        Guards other than the default ones, `expected` and `stop_selling_after` need the scope
        `feeds:decide`.
        """
        with self._context.writing() as unit:
            source = Source(
                source_id=self._context.mint("src"),
                partner_id=self._context.partner(unit, partner).partner_id,
                source_name=given_name(source_name),
                mode=mode,
                created_at=self._context.clock(),
                run=run,
                on_error=on_error,
                snapshot_pattern=snapshot_pattern,
                net_of_orders=net_of_orders,
                expected=expected,
                stop_selling_after=stop_selling_after,
            ).changed(guards=guards)
            self._check_judged(None, source)

            def make() -> Source:
                unit.sources.add(source)
                self._note(unit, "source.added", None, source)
                return source

            request = (
                "add_source", source.partner_id, source.source_name, mode, run, on_error,
                source.guards, snapshot_pattern, *(["net_of_orders"] if net_of_orders else []),
                *([expected] if expected != NOTHING_DECLARED else []),
                *([("stop_selling_after", stop_selling_after)] if stop_selling_after else []),
            )  # fmt: skip
            made = self._context.once(unit, key, request, make, answer=Source)
            return self._fresh(unit, made)

    def change(self, source: str, *, partner: str | None = None, **changes: Any) -> Source:  # noqa: ANN401 - each setting has its own type
        """Changes a source's name or settings, named as in `add`.

        Conflict if the name is taken, or the source is `main`, which keeps its name. To change its
        guards, `expected` or `stop_selling_after` needs the scope `feeds:decide`.
        """
        with self._context.writing() as unit:
            found = self._get(unit, source, partner)
            new = found.changed(**changes)
            self._check_judged(found, new)
            if found.source_name == MAIN_SOURCE != new.source_name:
                raise _stays("keeps its name")
            if new != found:
                unit.sources.put(new)
                self._expect(unit, found, new)
                self._note(unit, "source.changed", found, new)
            return self._fresh(unit, new)

    def _expect(self, unit: UnitOfWork, before: Source, after: Source) -> None:
        """What is expected of the source is computed again if that has changed."""
        expects = (after.expected, after.stop_selling_after)
        if expects != (before.expected, before.stop_selling_after):
            unit.standings.rejudge(source_id=after.source_id)

    def _fresh(self, unit: UnitOfWork, source: Source) -> Source:
        return fresh_sources(unit, [source], self._context.clock())[0]

    def _check_judged(self, before: Source | None, after: Source) -> None:
        """Forbidden to a principal who would change what feeds are judged by, and may not decide.

        That are the guards, and when files are expected and are too old to sell by.
        """
        default = (DEFAULT_GUARDS, NOTHING_DECLARED, None)
        if _judged_by(after) != (default if before is None else _judged_by(before)):
            self._context.principal.require("feeds:decide")

    def remove(self, source: str, *, partner: str | None = None) -> Source:
        """Removes a source; Conflict while it owns active products or has an unfinished feed.

        Its feeds can still be listed. `main` can't be removed.
        """
        with self._context.writing() as unit:
            found = unit.sources.lock(self._get(unit, source, partner).source_id)
            if found.source_name == MAIN_SOURCE:
                raise _stays("can't be removed")
            _check_unused(unit, found)
            removed = self._fresh(unit, found)
            unit.sources.remove(found.source_id)
            unit.pulls.remove(found.source_id)
            unit.pulled_files.forget(found.source_id)
            unit.standings.remove(found.source_id)
            self._note(unit, "source.removed", found, None)
            return removed

    def _note(
        self, unit: ActivityUnit, action: Action, before: Source | None, after: Source | None
    ) -> None:
        source = after or before
        if source is not None:
            self._context.note(
                unit, action, source.source_id, partner_id=source.partner_id, before=before,
                after=after,
            )  # fmt: skip

    def list(self, partner: str | None = None) -> Iterator[Source]:
        """All visible sources, oldest first, optionally of one partner."""
        return self._context.walk(self._listing, self._owner(partner))

    def _listing(self, unit: UnitOfWork) -> FreshSources:
        return FreshSources(unit.sources, unit, self._context.clock())

    def page(
        self,
        cursor: str | None = None,
        limit: int = DEFAULT_LIMIT,
        *,
        partner: str | None = None,
        count: bool = False,
    ) -> Listed[Source]:
        """A page of the sources, oldest first."""
        owner = self._owner(partner)
        with self._context.store.read_only() as unit:
            listing = self._listing(unit)
            return self._context.listed(listing, owner, cursor, limit, count=count)

    def _owner(self, partner: str | None) -> str | None:
        with self._context.store.begin() as unit:
            return self._context.partner_filter(unit, partner)

    def get(self, source: str, *, partner: str | None = None) -> Source:
        """The source with that id, or the partner's source with that name."""
        with self._context.store.begin() as unit:
            return self._fresh(unit, self._get(unit, source, partner))

    def of(self, partner: str) -> Sequence[Source]:
        """All sources of a partner, by name."""
        with self._context.store.begin() as unit:
            own = unit.sources.of(self._context.partner(unit, partner).partner_id)
            return fresh_sources(unit, own, self._context.clock())

    def profile(self, source: str = MAIN_SOURCE, *, partner: str | None = None) -> SavedProfile:
        """The current profile, by which the source's files are read."""
        with self._context.store.begin() as unit:
            return unit.sources.profile(self._get(unit, source, partner).source_id)

    def set_profile(
        self, profile: Profile, source: str = MAIN_SOURCE, *, partner: str | None = None
    ) -> SavedProfile:
        """Sets the source's profile, as a new version; an identical profile changes nothing.

        InvalidInput lists everything in it that is beyond a limit, or doesn't apply.
        """
        checks.check(profile)
        with self._context.writing() as unit:
            found = self._get(unit, source, partner)
            old = unit.sources.profile(found.source_id)
            if old.profile == profile:
                return old
            author, now = self._context.principal.name, self._context.clock()
            saved = SavedProfile(old.version + 1, profile, author, now)
            unit.sources.save_profile(found.source_id, saved)
            note = f"Version {saved.version} of the profile replaced version {old.version}."
            self._context.note(
                unit, "profile.saved", found.source_id, partner_id=found.partner_id, note=note
            )
            return saved

    def try_profile(
        self,
        file: str | BinaryIO,
        *,
        partner: str,
        source: str = MAIN_SOURCE,
        profile: Profile | None = None,
        mode: Mode | None = None,
    ) -> Trial:
        """Tries the source's profile, or the given one, on a file's first records; stores nothing.

        FileRefused if the file can't be read as a whole, InvalidInput for a given profile that
        couldn't be saved.
        """
        if profile is not None:
            checks.check(profile)
        with self._context.store.begin() as unit:
            owner = self._context.partner(unit, partner)
            origin = self._get(unit, source, partner)
            tried = profile or unit.sources.profile(origin.source_id).profile
        with self._context.opened(file) as stream:
            terms = Terms.of(owner, mode or origin.mode, tried)
            return self._context.apart.run(try_file, stream, terms)

    def _get(self, unit: PartnersUnit, source: str, partner: str | None) -> Source:
        owner = None if partner is None else self._context.partner(unit, partner)
        return self._context.source(unit, source, owner)


def _judged_by(source: Source) -> tuple[object, ...]:
    return source.guards, source.expected, source.stop_selling_after


def _check_unused(unit: UnitOfWork, source: Source) -> None:
    """Conflict while anything still depends on the source."""
    name = repr(source.source_name)
    under_way = [job.feed_id for job in unit.jobs.under_way(source.source_id)]
    held = unit.feeds.page(FeedQuery(source_id=source.source_id, status="held"), None, 1).items
    if unfinished := [*under_way, *(feed.feed_id for feed in held)]:
        raise Conflict(
            f"Source {name} has an unfinished feed: {unfinished[0]}.",
            "Wait for its job or cancel it; approve or reject it if it is held.",
            code="source_in_use",
        )
    owned = unit.products.count(ProductQuery(source.partner_id, source_id=source.source_id))
    if owned:
        raise Conflict(
            f"Source {name} still owns active products: {owned:,}.",
            "Remove them first, with a feed of this source that sets deleted=yes for each.",
            code="source_owns_products",
        )


def _stays(how: str) -> Conflict:
    return Conflict(
        f"The source {MAIN_SOURCE!r} {how}: every partner has it.",
        "Add another source instead.",
        code="main_source",
    )


def try_file(stream: BinaryIO, terms: Terms) -> Trial:
    """Reads the first records of a file under these terms."""
    reader = open_feed(stream, terms)
    records = iter(reader)
    read = list(islice(records, MOST_TRIED))
    fates = Counter(record.fate or "offer" for record in read)
    problems = [problem for record in read for problem in record.problems]
    rejected = sum(record.rejected for record in read)
    return Trial(
        records_read=len(read),
        offers=fates["offer"] - rejected,
        rejected=rejected,
        folded=fates["folded"],
        skipped=fates["skipped"],
        blank=fates["blank"],
        complete=next(records, None) is None,
        mapping={name: reader.mapping.column_of(name) for name in reader.mapping.field_mappings},
        unused_columns=reader.mapping.unused,
        problems_by_code=dict(Counter(problem.code for problem in problems)),
        problems=tuple(problems[:_SHOWN]),
        notes=reader.header.notes,
        samples=tuple(_sample(r) for r in read if not r.rejected and r.fate is None)[:_SHOWN],
    )


def _sample(record: Record) -> Mapping[str, Value]:
    return {"sku": record.sku, **{k: v for k, v in record.values.items() if v is not None}}
