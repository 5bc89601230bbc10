"""The progress of a run: what is measured and counted while a feed is read, and its summary."""

import heapq
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from operator import attrgetter
from typing import BinaryIO, Final

from attrs import Factory, define, evolve

from commerce_core.base.errors import FileRefused
from commerce_core.feeds.job import MOST_PROBLEMS_KEPT, Progress
from commerce_core.feeds.summary import Stage, Summary
from commerce_core.plans.comparison import Plan, removes_absent
from commerce_core.ports.engine import Batch, Reading
from commerce_core.ports.runtime import Clock
from commerce_core.schema.listed_problems import MOST_ALIKE, listed
from commerce_core.schema.problems import PROBLEMS, Problem

MOST_RECORDS: Final = 100_000_000
"""Records that a feed may have."""
RECORDS_BESIDE_BYTES: Final = 100_000
"""Records that a feed may have in any case; beyond them, one for each byte that was sent.

A record that isn't packed has two bytes at least, one of a packed product feed has several. Without
a limit a file of a few bytes could unpack to hours of reading.
"""
Tell = Callable[[Progress], None]
"""Takes the progress of a run; it may raise, which ends the run."""

NO_OFFERS: Final = ("folded", "skipped", "overtaken", "blank")
"""The fates of records that the comparison never sees."""


def ignore_progress(_: Progress) -> None:
    """Drops the progress of work that isn't watched."""


@define
class RunProgress:
    """What is measured and counted while a feed is read once."""

    _clock: Clock
    _bytes_total: int
    _tell: Tell = ignore_progress
    records_read: int = 0
    fates: Counter[str] = Factory(Counter[str])
    _reasons: Counter[str] = Factory(Counter[str])
    _bytes_read: int = 0
    _warnings: int = 0
    _kept: list[Problem] = Factory(list[Problem])
    _by_column: Counter[str] = Factory(Counter[str])
    _by_code: Counter[str] = Factory(Counter[str])
    _stages: list[Stage] = Factory(list[Stage])
    _since: datetime = Factory(lambda self: self._clock(), takes_self=True)

    def metered(self, stream: BinaryIO) -> BinaryIO:
        """The stream; reading from it moves the progress."""
        return _Metered(stream, self._add_bytes)  # type: ignore[return-value]

    def _add_bytes(self, count: int) -> None:
        self._bytes_read += count
        self._tell(self.progress("read"))

    def counted(self, batches: Iterable[Batch], tell: Tell) -> Iterator[Batch]:
        """The batches; their records are counted, and problems noted, as they pass.

        Progress is reported with each batch, and whenever bytes are read: a batch may take long.

        FileRefused `too_large` if there are too many for a feed, or for the bytes that were sent.
        """
        self._since, self._tell = self._clock(), tell
        tell(self.progress("read"))
        for batch in batches:
            self.records_read += batch.records_read
            self._check_number()
            self.fates += batch.fates
            self._reasons += batch.reasons
            self._note(batch)
            tell(self.progress("read"))
            yield batch
        self.stage("read", self.records_read)
        tell(self.progress("compare"))

    def _check_number(self) -> None:
        most = min(MOST_RECORDS, RECORDS_BESIDE_BYTES + self._bytes_total)
        if self.records_read > most:
            detail = f"The file has more than {most:,} records in its {self._bytes_total:,} bytes."
            raise FileRefused("too_large", detail, "Send it in parts, uncompressed.")

    def _note(self, batch: Batch) -> None:
        for (code, column, severity), times in batch.noted.items():
            self._by_code[code] += times
            self._warnings += times if severity == "warning" else 0
            if column is not None and severity == "error":
                self._by_column[column] += times
        self._kept = listed_with(self._kept, batch, MOST_PROBLEMS_KEPT)

    def progress(self, stage: str) -> Progress:
        """How far the run is in that stage."""
        return Progress(stage, self._bytes_read, self._bytes_total, self.records_read)

    def stage(self, name: str, records: int) -> None:
        """Notes that a stage has ended."""
        now = self._clock()
        self._stages.append(Stage(name, (now - self._since).total_seconds(), records))
        self._since = now

    def problems_with(self, plan: Plan) -> list[Problem]:
        """The problems that are listed, of those found in reading and those found in comparing."""
        found = sorted((*self._kept, *plan.problems), key=lambda problem: problem.line)
        return listed(found, MOST_PROBLEMS_KEPT)

    def summary(self, plan: Plan, reading: Reading) -> Summary:
        """What becomes of every record; if none is accepted, nothing is removed either."""
        mapping = reading.header.mapping
        notes = [*reading.header.notes, *_skip_notes(self._reasons)]
        # A corrected report isn't meant to be the whole catalog, so it lacks nothing.
        absence = () if reading.header.corrects else _absence_notes(plan)
        by_code = self._by_code + Counter(plan.problems_by_code)
        notes += _more_than_listed(len(self.problems_with(plan)), by_code.total())
        summary = Summary(
            problems_by_code=dict(sorted(by_code.items())),
            columns=mapping.header,
            mapping={
                name: column
                for name in mapping.field_mappings
                if (column := mapping.column_of(name)) is not None
            },
            made_of=mapping.made_of,
            errors_by_column=dict(self._by_column),
            unused_columns=mapping.unused,
            notes=(*notes, *absence, *reading.notes),
        )
        summary = evolve(summary, **self._counts(plan))
        if summary.accepted:
            return summary
        return evolve(summary, removed=0, notes=(*notes, *reading.notes))

    def _counts(self, plan: Plan) -> Mapping[str, int]:
        """The counts of the plan, and of what was counted while the feed was read."""
        fates = {name: self.fates[name] for name in NO_OFFERS}
        by_code = plan.problems_by_code
        found = sum(n for code, n in by_code.items() if PROBLEMS[code][0] == "warning")
        return {
            **plan.counts,
            **fates,
            "records_read": self.records_read,
            "warnings": self._warnings + found,
        }

    def timed(self, summary: Summary) -> Summary:
        """The summary with the stages of this run."""
        return evolve(summary, stages=tuple(self._stages))


def listed_with(kept: Sequence[Problem], batch: Batch, limit: int) -> list[Problem]:
    """The problems that are listed, of those listed so far and those of a batch.

    A batch may have records that stand in front of those of earlier ones. Once there are errors
    enough, only errors on earlier lines matter.
    """
    full = len(kept) >= limit and all(problem.severity == "error" for problem in kept)
    found = batch.listing(limit, kept[-1].line if full else None)
    return listed(heapq.merge(kept, found, key=attrgetter("line")), limit)


def _skip_notes(reasons: Counter[str]) -> Iterator[str]:
    """Why records were skipped, the most frequent reason first."""
    counts = sorted(reasons.items(), key=lambda each: (-each[1], each[0]))
    return (f"{times} records were skipped: {reason}." for reason, times in counts)


def _more_than_listed(shown: int, problems: int) -> list[str]:
    """A note that not all problems are listed, if so."""
    if problems <= shown:
        return []
    which = f"errors first, and the first {MOST_ALIKE} warnings that are alike"
    rest = "all are counted, and the report has the rejected records"
    return [f"{shown:,} of {problems:,} problems are listed: {which}; {rest}."]


def _absence_notes(plan: Plan) -> tuple[str, ...]:
    """What a partner should know about the products that aren't in the file."""
    if plan.feed_context.without_removals:
        stay = plan.withheld + (plan.absent if plan.feed_context.mode == "full" else 0)
        return (f"{stay} products would be removed and stay: approved without removals.",)
    if not plan.absent or removes_absent(plan.feed_context, plan.skus_unreadable):
        return ()
    if plan.feed_context.mode == "full":
        records = f"{plan.skus_unreadable} records have no readable sku"
        return (f"{plan.absent} products are not in this file and stay, because {records}.",)
    stay = f"{plan.absent} products are not in this file and stay"
    return (f"{stay}; send mode=full if it is the whole catalog.",)


class _Metered:
    """A stream that counts the bytes read from it."""

    def __init__(self, stream: BinaryIO, add: Callable[[int], None]) -> None:
        self._stream = stream
        self._add = add

    def read(self, size: int = -1) -> bytes:
        block = self._stream.read(size)
        self._add(len(block))
        return block
