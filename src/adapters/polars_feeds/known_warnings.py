"""The warnings of matched records: counted by codes in fingerprints, listed by reading some."""

from collections import Counter
from collections.abc import Callable, Iterable

import polars as pl
from attrs import frozen

from commerce_core.parsing.fingerprints import warnings_of
from commerce_core.schema.listed_problems import MOST_ALIKE
from commerce_core.schema.problems import Noted, Problem


@frozen
class KnownWarnings:
    """The records of a batch that were matched and have warnings, in the order of the file.

    `rows` says where they stand among all; `read` gives the problems of the records in some rows.
    """

    rows: pl.Series
    lines: pl.Series
    codes: pl.Series
    read: Callable[[pl.Series], Iterable[Problem]]

    @classmethod
    def among(
        cls, marked: pl.DataFrame, read: Callable[[pl.Series], Iterable[Problem]]
    ) -> "KnownWarnings":
        """Those among records that a `Matcher` has marked."""
        rows = (marked["warnings"] > 0).arg_true()
        return cls(rows, marked["line"].gather(rows), marked["warnings"].gather(rows), read)

    def noted(self) -> Counter[Noted]:
        """Their warnings, counted, without columns."""
        counted: Counter[Noted] = Counter()
        for code, records in self.codes.value_counts().iter_rows():
            for warning, times in warnings_of(code).items():
                counted[warning, None, "warning"] += times * records
        return counted

    def problems(self, limit: int, before: int | None) -> Iterable[Problem]:
        """The warnings of the first of them: at least `limit`, if there are as many."""
        rows = self.rows if before is None else self.rows.filter(self.lines < before)
        first = rows.head(limit)
        return self.read(first) if len(first) else ()

    def listing(self, limit: int, before: int | None) -> Iterable[Problem]:  # noqa: ARG002 - all are warnings
        """The warnings of the first that have the same codes."""
        some = pl.DataFrame({"row": self.rows, "line": self.lines, "codes": self.codes})
        if before is not None:
            some = some.filter(pl.col("line") < before)
        first = some.group_by("codes", maintain_order=True).head(MOST_ALIKE)["row"].sort()
        return self.read(first) if len(first) else ()


NO_WARNINGS = KnownWarnings(
    pl.Series(dtype=pl.UInt32), pl.Series(dtype=pl.Int64), pl.Series(dtype=pl.Int64), lambda _: ()
)
