"""Reading a column whose profile has a pattern: what it keeps is read as a column without one."""

import polars as pl
from attrs import define, evolve

from adapters.polars_feeds.debris import odd_texts
from adapters.polars_feeds.faults import Faults
from adapters.polars_feeds.kinds import ColumnReader, Readings
from adapters.polars_feeds.patterns import is_odd, kept_of
from adapters.polars_feeds.texts import nulls
from commerce_core.parsing.record_reader import FieldReader, Terms
from commerce_core.profiles.mapping import FieldMapping
from commerce_core.profiles.normalise import unmatched
from commerce_core.schema.cells import Misread


@define
class PatternedReader:
    """Reads one field of many records at once, by what its pattern keeps of each text.

    `_whole` reads texts as they are; `_kept` what the pattern keeps of them.
    """

    _pattern: str
    _mismatch: int | None
    _whole: ColumnReader
    _kept: ColumnReader

    def __call__(self, texts: pl.Series, *, plain: bool = False) -> Readings:
        """The readings of trimmed texts, all of which are `plain` characters if that is known."""
        kept = kept_of(texts, self._pattern)
        if kept is None:
            return self._whole(texts)
        odd, debris = is_odd(texts), odd_texts(texts, plain=plain)
        odd = odd if debris is None else odd | debris
        if odd.any():
            kept = kept.zip_with(~odd, nulls(len(kept)))
        found = self._kept(kept.fill_null(""))
        mismatched = (texts != "") & kept.is_null() & ~odd
        if self._mismatch is not None and mismatched.any():
            found = _with_fault(found, mismatched, self._mismatch)
        if odd.any():
            blank = pl.repeat("", len(texts), dtype=pl.String, eager=True)
            found = _with_odd(found, self._whole(texts.zip_with(odd, blank)), odd)
        return found


def reader_of_field(
    feeding: FieldMapping, terms: Terms, faults: Faults
) -> ColumnReader | PatternedReader:
    """What reads one field of a file."""
    column, decimal = feeding.column, terms.style.decimal
    whole = ColumnReader.of(FieldReader.of(feeding, terms), faults, decimal)
    if column.pattern is None:
        return whole
    unpatterned = evolve(feeding, column=evolve(column, pattern=None))
    # What a pattern keeps is the value, whatever it looks like.
    reader = evolve(FieldReader.of(unpatterned, terms), may_have_debris=False)
    kept = ColumnReader.of(reader, faults, decimal)
    mismatch = unmatched(column)
    number = faults.number(mismatch) if isinstance(mismatch, Misread) else None
    return PatternedReader(column.pattern, number, whole, kept)


def _with_fault(found: Readings, rows: pl.Series, fault: int) -> Readings:
    """The readings, of which these rows, which have no value, have that fault."""
    count = len(found.values)
    wrong = pl.repeat(fault, count, dtype=pl.UInt32, eager=True)
    no_fault = nulls(count, pl.UInt32)
    own = Readings(found.values, wrong.zip_with(rows, no_fault), rows)
    return _merged(found, own)


def _with_odd(found: Readings, other: Readings, odd: pl.Series) -> Readings:
    """The readings, the odd rows as read otherwise."""
    merged = _merged(found, other)
    none = nulls(len(odd))
    stated = found.stated, other.stated
    codes = [none if column is None else column for column in stated]
    return Readings(
        pl.select(pl.when(odd).then(other.values).otherwise(found.values)).to_series(),
        merged.faults,
        merged.misread,
        None if stated == (None, None) else codes[1].zip_with(odd, codes[0]),
    )


def _merged(found: Readings, other: Readings) -> Readings:
    """The readings of both, of which each row has at most one."""
    faults, misread = found.faults, found.misread
    if other.faults is not None:
        wrong = other.faults
        faults = wrong if faults is None else faults.zip_with(wrong.is_null(), wrong)
    if other.misread is not None:
        misread = misread | other.misread if misread is not None else other.misread
    return Readings(found.values, faults, misread, found.stated)
