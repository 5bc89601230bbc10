"""A feed's raw file while a job works on it: its header understood once, its records read from it.

Nearly always the file is read once. What has to begin anew (a first load that turned out to be
none, records that no fingerprint can decide) opens it again, and nothing counted before remains.
"""

from collections.abc import Generator, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from typing import Self

from attrs import define, field

from commerce_core.ingestion.late import without_overtaken
from commerce_core.ingestion.progress import RunProgress, Tell, ignore_progress
from commerce_core.parsing.decoding import OpenRaw
from commerce_core.parsing.fingerprints import NO_FINGERPRINTS, FingerprintIndex
from commerce_core.parsing.reader import Header, knowing_parents
from commerce_core.parsing.record_reader import Terms
from commerce_core.ports.engine import Batch, FeedEngine, Reading
from commerce_core.ports.runtime import Clock


@define
class FeedFile:
    """The file of a feed, and what is counted while it is read."""

    open_raw: OpenRaw
    _engine: FeedEngine
    terms: Terms
    _clock: Clock
    _bytes: int
    _tell: Tell
    _opened: ExitStack
    reading: Reading = field(init=False)
    progress: RunProgress = field(init=False)
    _is_taken: bool = field(default=False, init=False)

    @classmethod
    @contextmanager
    def opened(
        cls,
        open_raw: OpenRaw,
        engine: FeedEngine,
        terms: Terms,
        clock: Clock,
        size: int,
        *,
        tell: Tell = ignore_progress,
    ) -> Generator[Self]:
        """Opens the file and reads its header; FileRefused if there is no usable one.

        `tell` takes the progress until the records are read.
        """
        with ExitStack() as stack:
            file = cls(open_raw, engine, terms, clock, size, tell, stack)
            file._open()
            yield file

    def _open(self) -> None:
        self.progress = RunProgress(self._clock, self._bytes, self._tell)
        raw = self._opened.enter_context(self.open_raw())
        self.terms = knowing_parents(raw, self.terms)
        self.reading = self._engine.open(self.progress.metered(raw), self.terms)
        self._is_taken = False

    def read_again(self, terms: Terms) -> None:
        """Begins anew, under other terms."""
        self.terms = terms
        self._opened.close()
        self._open()

    @property
    def header(self) -> Header:
        """What its header says."""
        return self.reading.header

    def batches(
        self,
        known: FingerprintIndex = NO_FINGERPRINTS,
        overtaken: frozenset[str] = frozenset(),
        tell: Tell = ignore_progress,
        former: Sequence[str] = (),
    ) -> Iterator[Batch]:
        """All its records, from the first one; they are counted, and `tell` shows the progress.

        Records whose fingerprint is known are matched, also by what they would have been under
        `former` columns, and offers of `overtaken` skus marked.
        """
        if self._is_taken:
            self._opened.close()
            self._open()
        self._is_taken = True
        batches = without_overtaken(self.reading.batches(known, former), overtaken)
        yield from self.progress.counted(batches, tell)
