"""Columns from whose texts a profile keeps a part: the parts are read as a column of their own.

A part is found by a pattern, or as a member of a list.
"""

from collections.abc import Callable
from functools import partial

import polars as pl
from attrs import define, evolve

from adapters.polars_feeds.debris import odd_texts
from adapters.polars_feeds.faults import Faults
from adapters.polars_feeds.kinds import ColumnReader, Readings
from adapters.polars_feeds.members import members_of
from adapters.polars_feeds.patterns import is_odd, kept_of
from adapters.polars_feeds.texts import nulls
from commerce_core.parsing.record_reader import FieldReader, Terms
from commerce_core.profiles.mapping import FieldMapping
from commerce_core.profiles.normalise import unmatched
from commerce_core.profiles.profile import Column
from commerce_core.schema.cells import Misread


@define
class KeepingReader:
    """Reads one field of many records at once, by the part that is kept of each text.

    `_keep` returns the parts, null where there is none, or None if it can't find them. `_is_odd`
    marks the texts whose part may be another one. `_whole` reads whole texts, `_kept` the parts.
    """

    _keep: Callable[[pl.Series], pl.Series | None]
    _is_odd: Callable[[pl.Series], pl.Series]
    _mismatch: int | None
    _whole: ColumnReader
    _kept: "FieldOfTable"

    def __call__(self, texts: pl.Series, *, plain: bool = False) -> Readings:
        """The readings of trimmed texts, all of which are `plain` characters if that is known."""
        kept = self._keep(texts)
        if kept is None:
            return self._whole(texts)
        odd, debris = self._is_odd(texts), odd_texts(texts, plain=plain)
        odd = odd if debris is None else odd | debris
        if odd.any():
            kept = kept.zip_with(~odd, nulls(len(kept)))
        found = self._kept(kept.fill_null(""), plain=plain)
        mismatched = (texts != "") & kept.is_null() & ~odd
        if self._mismatch is not None and mismatched.any():
            found = _with_fault(found, mismatched, self._mismatch)
        if odd.any():
            blank = pl.repeat("", len(texts), dtype=pl.String, eager=True)
            found = _with_odd(found, self._whole(texts.zip_with(odd, blank)), odd)
        return found


FieldOfTable = ColumnReader | KeepingReader


def reader_of_field(feeding: FieldMapping, terms: Terms, faults: Faults) -> FieldOfTable:
    """What reads one field of a file."""
    return _reader_of(FieldReader.of(feeding, terms), terms, faults)


def _reader_of(reader: FieldReader, terms: Terms, faults: Faults) -> FieldOfTable:
    feeding, column = reader.feeding, reader.feeding.column
    whole = ColumnReader.of(reader, faults, terms.style.decimal)

    def of_kept(column: Column) -> FieldOfTable:
        # What is kept is the value, whatever it looks like.
        own = FieldReader.of(evolve(feeding, column=column), terms)
        return _reader_of(evolve(own, may_have_debris=False), terms, faults)

    if column.pattern is not None:
        mismatch = unmatched(column)
        number = faults.number(mismatch) if isinstance(mismatch, Misread) else None
        keep = partial(kept_of, pattern=column.pattern)
        return KeepingReader(keep, is_odd, number, whole, of_kept(evolve(column, pattern=None)))
    members = members_of(column, feeding.field.kind, escaped=terms.style.escaped)
    if members is None:
        return whole
    keep, odd = partial(_made, by=members.kept), partial(_made, by=members.odd)
    return KeepingReader(keep, odd, None, whole, of_kept(members.column))


def _made(texts: pl.Series, by: pl.Expr) -> pl.Series:
    return texts.alias("t").to_frame().select(by).to_series()


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
