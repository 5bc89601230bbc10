"""What is counted while a feed is read, and when there is too much of it."""

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from io import BytesIO
from itertools import islice

import pytest
from attrs import field, frozen

from commerce_core.base.errors import FileRefused
from commerce_core.feeds.job import MOST_PROBLEMS_KEPT, Progress
from commerce_core.ingestion import progress
from commerce_core.ingestion.progress import RECORDS_BESIDE_BYTES, RunProgress
from commerce_core.parsing.fingerprints import NONE_RENEWED, Renewed
from commerce_core.schema.problems import Noted, Problem
from commerce_core.schema.record import Record

T0 = datetime(2026, 11, 25, tzinfo=UTC)
WARNED: Noted = ("negative_quantity", "stock", "warning")
BAD: Noted = ("not_a_number", "price", "error")


@frozen
class Pieces:
    """A batch of which only the numbers count."""

    records_read: int
    noted: Counter[Noted] = field(factory=Counter)
    matched: Sequence[int] = ()
    renewed: Renewed = NONE_RENEWED
    fates: Counter[str] = field(factory=Counter)
    reasons: Counter[str] = field(factory=Counter)
    rejected: int = 0
    skus: Sequence[str] = ()
    skus_unreadable: int = 0

    first_line: int = 0

    def problems(self, limit: int, before: int | None = None) -> list[Problem]:
        """Its errors, and behind them its warnings."""
        bad, warned = self.noted[BAD], self.noted[WARNED]
        lines = range(self.first_line, self.first_line + bad + warned)
        codes = ["not_a_number"] * bad + ["negative_quantity"] * warned
        found = (Problem.of(code, line=n) for code, n in zip(codes, lines, strict=True))
        return list(islice((p for p in found if before is None or p.line < before), limit))

    def listing(self, limit: int, before: int | None = None) -> list[Problem]:
        return self.problems(self.records_read, before)

    def in_columns(self, fields: Sequence[str]) -> None:
        """None: it has no records."""
        del fields

    def __iter__(self) -> Iterator[Record]:
        return iter(())


def clock() -> Callable[[], datetime]:
    """A clock that moves a second at each look."""
    seconds = iter(range(1_000_000))
    return lambda: T0 + timedelta(seconds=next(seconds))


def count(run: RunProgress, *batches: Pieces) -> list[Progress]:
    """Counts them; gives all progress that was told."""
    told: list[Progress] = []
    assert list(run.counted(batches, told.append)) == list(batches)
    return told


def test_progress_is_reported_with_every_batch():
    """How many bytes and records were read, and of how many bytes."""
    run = RunProgress(clock(), 10)
    stream = run.metered(BytesIO(b"0123456789"))
    assert stream.read(4) == b"0123"
    told = count(run, Pieces(3), Pieces(2))
    assert told == [
        Progress("read", 4, 10, 0),
        Progress("read", 4, 10, 3),
        Progress("read", 4, 10, 5),
        Progress("compare", 4, 10, 5),
    ]


def test_all_problems_are_counted_and_the_first_kept():
    """However many a feed has, so many can be listed."""
    run = RunProgress(clock(), 10)
    count(run, Pieces(800, Counter({BAD: 800, WARNED: 5})), Pieces(700, Counter({BAD: 700})))
    assert len(run._kept) == MOST_PROBLEMS_KEPT
    assert run._by_code == {"not_a_number": 1500, "negative_quantity": 5}
    assert run._by_column == {"price": 1500}


def test_the_first_problems_are_those_of_the_first_lines():
    """Also if a batch has records that stand in front of those of earlier batches."""
    run = RunProgress(clock(), 10)
    batches = [
        Pieces(600, Counter({BAD: 600}), first_line=1_000),
        Pieces(600, Counter({BAD: 600}), first_line=1_800),
        Pieces(300, Counter({BAD: 300}), first_line=100),
        Pieces(300, Counter({BAD: 300}), first_line=400),
    ]
    count(run, *batches)
    assert [p.line for p in run._kept] == [*range(100, 700), *range(1_000, 1_400)]


def test_errors_are_listed_before_warnings_whatever_their_lines():
    """A thousand warnings at the top of a file hide no error below them."""
    run = RunProgress(clock(), 10)
    warned = Pieces(5_000, Counter({WARNED: 5_000}))
    count(run, warned, Pieces(950, Counter({BAD: 950}), first_line=6_000))
    codes = Counter(problem.code for problem in run._kept)
    assert codes == {"not_a_number": 950, "negative_quantity": 50}
    count(run, Pieces(100, Counter({BAD: 100}), first_line=5_000))
    assert {problem.code for problem in run._kept} == {"not_a_number"}
    assert [p.line for p in run._kept] == [*range(5_000, 5_100), *range(6_000, 6_900)]


def test_reasons_for_skipping_are_noted_in_the_same_order_whichever_is_found_first():
    """The most frequent first, then by name: engines find them in orders of their own."""
    wanted = [
        "3 records were skipped: sold elsewhere.",
        "2 records were skipped: a draft.",
        "2 records were skipped: not published.",
    ]
    found = {"not published": 2, "sold elsewhere": 3, "a draft": 2}
    assert list(progress._skip_notes(Counter(found))) == wanted
    assert list(progress._skip_notes(Counter(dict(reversed(found.items()))))) == wanted


def test_a_feed_has_as_many_records_as_bytes_and_some():
    """A file that is packed so that next to nothing becomes millions of records is refused."""
    allowed = RECORDS_BESIDE_BYTES + 1000
    count(RunProgress(clock(), 1000), Pieces(allowed - 5), Pieces(5))
    with pytest.raises(FileRefused, match="more than 101,000 records in its 1,000 bytes") as told:
        count(RunProgress(clock(), 1000), Pieces(allowed), Pieces(1))
    assert told.value.code == "too_large"


def test_a_feed_has_no_more_records_than_the_limit(monkeypatch: pytest.MonkeyPatch):
    """However many bytes it has."""
    monkeypatch.setattr(progress, "MOST_RECORDS", 50)
    count(RunProgress(clock(), 10**9), Pieces(50))
    with pytest.raises(FileRefused, match="more than 50 records"):
        count(RunProgress(clock(), 10**9), Pieces(51))


def test_stages_follow_one_another():
    """Each takes from the end of the one before it."""
    run = RunProgress(clock(), 10)
    count(run, Pieces(7))
    run.stage("compare", 7)
    assert [(stage.name, stage.records) for stage in run._stages] == [("read", 7), ("compare", 7)]
    assert all(stage.seconds == 1.0 for stage in run._stages)
