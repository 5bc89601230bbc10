"""What is wrong with the cells of many records: numbered faults, and where each was found."""

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from typing import Final

import polars as pl
from attrs import define, evolve, field, frozen

from commerce_core.parsing.fingerprints import CODE_OF, MOST_REMEMBERED
from commerce_core.schema.cells import Misread, Warned
from commerce_core.schema.listed_problems import MOST_ALIKE
from commerce_core.schema.problems import PROBLEMS, Noted

ROW: Final = pl.UInt32
_NOWHERE: Final = pl.DataFrame(schema={"row": ROW, "fault": pl.UInt32})


@define
class Faults:
    """Every fault found so far: its code and its hint, numbered as they come."""

    _numbers: dict[tuple[str, str | None], int] = field(factory=dict[tuple[str, str | None], int])
    _errors: list[int] = field(factory=list[int])
    listed: list[tuple[str, str | None]] = field(factory=list[tuple[str, str | None]])

    def number(self, reading: Misread | Warned) -> int:
        """The number of what was found wrong."""
        hint = reading.hint if isinstance(reading, Misread) else None
        return self.number_of(reading.code, hint)

    def number_of(self, code: str, hint: str | None = None) -> int:
        """The number of a fault by its code, and a hint that is better than the usual one."""
        number = self._numbers.get((code, hint))
        if number is None:
            number = self._numbers[code, hint] = len(self.listed)
            self.listed.append((code, hint))
            if PROBLEMS[code][0] == "error":
                self._errors.append(number)
        return number

    def errors(self) -> pl.Series:
        """The numbers of the faults that reject a record."""
        return pl.Series(self._errors, dtype=pl.UInt32)

    def described(self, numbers: pl.Series) -> pl.DataFrame:
        """The code and the hint of each of these faults."""
        described = pl.DataFrame(
            [(number, *self._described(number)) for number in numbers.unique()],
            {"fault": ROW, "code": pl.String, "hint": pl.String},
            orient="row",
        )
        faults = numbers.to_frame("fault")
        return faults.join(described, on="fault", how="left", maintain_order="left")

    def _described(self, number: int) -> tuple[str, str]:
        code, hint = self.listed[number]
        return code, hint or PROBLEMS[code][1]

    def codes_of_warnings(self) -> pl.Series:
        """By number, the code that a fingerprint has for the fault; null where there is none."""
        return pl.Series([CODE_OF.get(code) for code, _ in self.listed], dtype=pl.Int64)

    def codes(self, numbers: pl.Series) -> Counter[str]:
        """How often each code is among them."""
        counted: Counter[str] = Counter()
        for number, times in numbers.value_counts().iter_rows():
            counted[self.listed[number][0]] += times
        return counted


@frozen
class Slot:
    """One thing that can be wrong with a record, and the rows in which it is.

    `name` is the field whose cell is shown; if texts are to be `shown` that stand in no one cell,
    the `column`, if any, is theirs. `places` has the columns `row` and `fault`.
    """

    name: str
    places: pl.DataFrame = _NOWHERE
    shown: pl.Series | None = None
    column: str | None = None

    @classmethod
    def where(cls, name: str, mask: pl.Series, fault: int) -> "Slot":
        """The same fault in all rows of a mask."""
        rows = mask.arg_true().cast(ROW)
        return cls(
            name,
            pl.DataFrame(
                {"row": rows, "fault": pl.repeat(fault, len(rows), dtype=ROW, eager=True)}
            ),
        )

    @classmethod
    def of(cls, name: str, faults: pl.Series) -> "Slot":
        """A fault or none for each row."""
        rows = faults.is_not_null().arg_true().cast(ROW)
        return cls(name, pl.DataFrame({"row": rows, "fault": faults.gather(rows)}))

    def without(self, rows: pl.Series) -> "Slot":
        """The slot without these rows."""
        return evolve(self, places=self.places.filter(~pl.col("row").is_in(rows.implode())))

    def errors(self, faults: Faults) -> pl.DataFrame:
        """Its places where it rejects a record."""
        return self.places.filter(pl.col("fault").is_in(faults.errors().implode()))

    def within(self, rows: pl.Series) -> "Slot":
        """The slot with these rows alone."""
        return evolve(self, places=self.places.filter(pl.col("row").is_in(rows.implode())))


def noted(
    slots: Iterable[Slot], faults: Faults, column_of: Callable[[Slot], str | None]
) -> Counter[Noted]:
    """The problems, counted by code and column."""
    counted: Counter[Noted] = Counter()
    for slot in slots:
        for code, times in faults.codes(slot.places["fault"]).items():
            counted[code, column_of(slot), PROBLEMS[code][0]] += times
    return counted


def rejected_rows(slots: Sequence[Slot], faults: Faults) -> pl.Series:
    """The rows that have an error."""
    wrong = pl.concat([_NOWHERE, *(slot.errors(faults) for slot in slots)])
    return wrong["row"].unique().sort()


def remembered(slots: Sequence[Slot], faults: Faults) -> pl.DataFrame:
    """Each row that has any fault, and the code of its warnings; null if it has no fingerprint."""
    places = pl.concat([_NOWHERE, *(slot.places for slot in slots)])
    code = pl.col("code")
    has_print = code.is_not_null().all() & (pl.len() <= MOST_REMEMBERED)
    return (
        places.with_columns(code=faults.codes_of_warnings().gather(places["fault"]))
        .group_by("row")
        .agg(pl.when(has_print).then(code.sum()))
    )


def listed_rows(slots: Sequence[Slot], faults: Faults, limit: int) -> pl.Series:
    """The rows that have one of the first errors, or one of the first warnings of their kind.

    Two slots may be of one column, and two faults of one code; then these are more than are listed.
    """
    first = [rejected_rows(slots, faults).head(limit)]
    errors = pl.col("fault").is_in(faults.errors().implode())
    for slot in slots:
        warnings = slot.places.filter(~errors).sort("row").group_by("fault", maintain_order=True)
        first.append(warnings.head(MOST_ALIKE)["row"])
    return pl.concat(first).unique().sort()


def faulty_rows(slots: Sequence[Slot]) -> pl.Series:
    """The rows that have any fault."""
    return pl.concat([_NOWHERE, *(slot.places for slot in slots)])["row"].unique().sort()
