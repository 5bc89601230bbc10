"""Drift: how the file of a source differs in form from the one that was applied before it."""

from collections.abc import Iterator
from typing import Final

from commerce_core.feeds.summary import Drift, Summary

_MANY: Final = 5
"""One of so many records has to be unreadable in a column for that to be drift ..."""
_FEW: Final = 100
"""... where before it was less than one of so many."""


def drift_between(before: Summary, now: Summary) -> tuple[Drift, ...]:
    """Columns that came, went, or could be read before and can't now, in the order of the file."""
    return (*_came(before, now), *_went(before, now), *_unreadable(before, now))


def _came(before: Summary, now: Summary) -> Iterator[Drift]:
    fields = {column: name for name, column in now.mapping.items()}
    for column in now.columns:
        if column not in before.columns:
            use = f"feeds {fields[column]}" if column in fields else "is not used"
            yield Drift("column_added", column, fields.get(column), f"New; it {use}.")


def _went(before: Summary, now: Summary) -> Iterator[Drift]:
    fields = {column: name for name, column in before.mapping.items()}
    for column in before.columns:
        if column not in now.columns:
            name = fields.get(column)
            lost = name is not None and name not in now.mapping
            detail = f"Gone; {name} stays as it was." if lost else "Gone."
            yield Drift("column_gone", column, name, detail)


def _unreadable(before: Summary, now: Summary) -> Iterator[Drift]:
    fields = {column: name for name, column in now.mapping.items()}
    for column, errors in now.errors_by_column.items():
        often = errors * _MANY >= now.records_read
        rarely = before.errors_by_column.get(column, 0) * _FEW <= before.records_read
        if often and rarely and column in before.columns:
            detail = (
                f"{errors} of {now.records_read} records can't be read in it; before, they could."
            )
            yield Drift("column_unreadable", column, fields.get(column), detail)
