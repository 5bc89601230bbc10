"""The warnings of matched records: counted by codes in fingerprints, listed by reading some."""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence

import polars as pl
from attrs import frozen

from commerce_core.parsing.fingerprints import warnings_of
from commerce_core.schema.listed_problems import MOST_ALIKE
from commerce_core.schema.problems import Noted, Problem


@frozen
class KnownWarnings:
    """The records of a batch that were matched and have warnings, in the order of the file.

    `rows` says where they stand among all, `counts` how many have each code; `read` gives the
    problems of the records in some rows. For the codes in `full`, the batches before have listed as
    many records as are shown.
    """

    rows: pl.Series
    lines: pl.Series
    codes: pl.Series
    counts: Mapping[int, int]
    full: Sequence[int]
    read: Callable[[pl.Series], Iterable[Problem]]

    @classmethod
    def among(
        cls,
        marked: pl.DataFrame,
        before: Counter[int],
        read: Callable[[pl.Series], Iterable[Problem]],
    ) -> "KnownWarnings":
        """Those among records that a `Matcher` has marked.

        `before` counts the records with each code in the batches before; these are added to it.
        """
        rows = (marked["warnings"] > 0).arg_true()
        if rows.is_empty():
            return NO_WARNINGS
        codes = marked["warnings"].gather(rows)
        counts = dict(codes.value_counts().iter_rows())
        full = [code for code in counts if before[code] >= MOST_ALIKE]
        before.update(counts)
        return cls(rows, marked["line"].gather(rows), codes, counts, full, read)

    def noted(self) -> Counter[Noted]:
        """Their warnings, counted, without columns."""
        counted: Counter[Noted] = Counter()
        for code, records in self.counts.items():
            for warning, times in warnings_of(code).items():
                counted[warning, None, "warning"] += times * records
        return counted

    def problems(self, limit: int, before: int | None) -> Iterable[Problem]:
        """The warnings of the first of them: at least `limit`, if there are as many."""
        rows = self.rows if before is None else self.rows.filter(self.lines < before)
        first = rows.head(limit)
        return self.read(first) if len(first) else ()

    def listing(self, limit: int, before: int | None) -> Iterable[Problem]:  # noqa: ARG002 - all are warnings
        """The warnings of the first in the file that have the same codes."""
        if len(self.full) == len(self.counts):
            return ()
        some = pl.DataFrame({"row": self.rows, "line": self.lines, "codes": self.codes})
        some = some.filter(~pl.col("codes").is_in(self.full))
        if before is not None:
            some = some.filter(pl.col("line") < before)
        first = some.group_by("codes", maintain_order=True).head(MOST_ALIKE)["row"].sort()
        return self.read(first) if len(first) else ()


NO_WARNINGS = KnownWarnings(
    pl.Series(dtype=pl.UInt32),
    pl.Series(dtype=pl.Int64),
    pl.Series(dtype=pl.Int64),
    {},
    (),
    lambda _: (),
)
