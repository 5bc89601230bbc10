"""Sourcing: the sources that partners send from, and the profiles by which their files are read."""

from collections import Counter
from collections.abc import Mapping, Sequence
from itertools import islice
from typing import BinaryIO, Final

from attrs import frozen

from commerce_core.context import Context
from commerce_core.errors import NotFound
from commerce_core.feed_reader import open_feed
from commerce_core.feed_schema import Problem, Record, Value
from commerce_core.ids import looks_like, parse
from commerce_core.partners import MAIN_SOURCE, Mode, Source
from commerce_core.ports import UnitOfWork
from commerce_core.profiles import Profile, SavedProfile
from commerce_core.records import Terms

MOST_TRIED: Final = 10_000
"""Records that are read when a profile is tried on a file."""
_SHOWN: Final = 20


@frozen
class Trial:
    """What a file looks like read by a profile, without a trace anywhere.

    `mapping` is each field's column as the partner names it; `samples` are the values of the first
    records that are offers, `problems` the first ones; `complete` says whether that was all.
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
    samples: tuple[Mapping[str, Value], ...]


@frozen
class Sourcing:
    """Sources and their profiles."""

    _context: Context

    def get(self, source: str, *, partner: str | None = None) -> Source:
        """The source of that id, or a partner's of that name."""
        with self._context.store.begin() as unit:
            return self._get(unit, source, partner)

    def of(self, partner: str) -> Sequence[Source]:
        """All sources of a partner, by name."""
        with self._context.store.begin() as unit:
            return unit.sources.of(self._context.partner(unit, partner).partner_id)

    def profile(self, source: str = MAIN_SOURCE, *, partner: str | None = None) -> SavedProfile:
        """The profile by which the source's files are read, in its latest version."""
        with self._context.store.begin() as unit:
            return unit.sources.profile(self._get(unit, source, partner).source_id)

    def set_profile(
        self, profile: Profile, source: str = MAIN_SOURCE, *, partner: str | None = None
    ) -> SavedProfile:
        """Reads the source's files by this profile from now on: a new version, if it differs."""
        with self._context.store.begin() as unit:
            source_id = self._get(unit, source, partner).source_id
            old = unit.sources.profile(source_id)
            if old.profile == profile:
                return old
            author, now = self._context.principal.name, self._context.clock()
            saved = SavedProfile(old.version + 1, profile, author, now)
            unit.sources.save_profile(source_id, saved)
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
        """Reads a file's first records by the source's profile, or another; nothing is kept.

        Raises FileRefused where the file as a whole can't be taken.
        """
        with self._context.store.begin() as unit:
            owner = self._context.partner(unit, partner)
            origin = self._get(unit, source, partner)
            tried = profile or unit.sources.profile(origin.source_id).profile
        with self._context.opened(file) as stream:
            return try_file(stream, Terms.of(owner, mode or origin.mode, tried))

    def _get(self, unit: UnitOfWork, source: str, partner: str | None) -> Source:
        owner = None if partner is None else self._context.partner(unit, partner)
        if looks_like("src", source):
            found = unit.sources.get(parse("src", source))
            self._context.check_visible("source", source, found.partner_id)
        else:
            found = unit.sources.find(owner.partner_id, source) if owner else None
        if found is None or (owner and found.partner_id != owner.partner_id):
            whose = f"Partner {owner.partner_name!r} has" if owner else "There is"
            raise NotFound(f"{whose} no source {source[:80]!r}.")
        return found


def try_file(stream: BinaryIO, terms: Terms) -> Trial:
    """What the first records of a file look like under these terms."""
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
        mapping={name: reader.layout.column_of(name) for name in reader.layout.feedings},
        unused_columns=reader.layout.unused,
        problems_by_code=dict(Counter(problem.code for problem in problems)),
        problems=tuple(problems[:_SHOWN]),
        samples=tuple(_sample(r) for r in read if not r.rejected and r.fate is None)[:_SHOWN],
    )


def _sample(record: Record) -> Mapping[str, Value]:
    return {"sku": record.sku, **{k: v for k, v in record.values.items() if v is not None}}
