"""Drift: how the form of a source's file differs from the file applied before it."""

from collections.abc import Iterator
from typing import Final

from commerce_core.feeds.summary import Drift, Summary

_MANY: Final = 5
"""A column has drifted if at least one in this many records can't be read in it ..."""
_FEW: Final = 100
"""... and at most one in this many couldn't be read before."""


def drift_between(before: Summary, now: Summary) -> tuple[Drift, ...]:
    """The columns that were added, are gone, or can no longer be read, each in file order."""
    return (*_added(before, now), *_gone(before, now), *_unreadable(before, now))


def lost_columns(before: Summary, now: Summary) -> tuple[str, ...]:
    """What is made of fewer columns than before, with those that are gone: `options (Size)`.

    A column that another one took the place of isn't lost, nor one that the file still has: then
    the profile uses others for a field that is fed as before.
    """
    return tuple(_lost(before, now))


def _lost(before: Summary, now: Summary) -> Iterator[str]:
    for name, columns in before.sources.items():
        left = now.sources.get(name, ())
        gone = [column for column in columns if column not in now.columns]
        if not left and name in before.mapping:
            yield name
        elif len(gone) > sum(column not in columns for column in left):
            yield f"{name} ({', '.join(gone)})"


def _uses(summary: Summary) -> dict[str, str]:
    return {column: name for name, columns in summary.sources.items() for column in columns}


def _added(before: Summary, now: Summary) -> Iterator[Drift]:
    fields = _uses(now)
    for column in now.columns:
        if column not in before.columns:
            use = f"feeds {fields[column]}" if column in fields else "isn't used"
            yield Drift("column_added", column, fields.get(column), f"New column; it {use}.")


def _gone(before: Summary, now: Summary) -> Iterator[Drift]:
    fields = _uses(before)
    for column in before.columns:
        if column not in now.columns:
            name = fields.get(column)
            detail = "The column is gone."
            if name is not None and name not in now.sources:
                detail = f"The column is gone; {name} stays as it was."
            elif name is not None and len(now.sources[name]) < len(before.sources[name]):
                detail = f"The column is gone; {name} is made of the others."
            yield Drift("column_gone", column, name, detail)


def _unreadable(before: Summary, now: Summary) -> Iterator[Drift]:
    fields = {column: name for name, column in now.mapping.items()}
    for column in now.columns:
        errors = now.errors_by_column.get(column, 0)
        often = errors * _MANY >= now.records_read
        rarely = before.errors_by_column.get(column, 0) * _FEW <= before.records_read
        if errors and often and rarely and column in before.columns:
            detail = (
                f"{errors:,} of {now.records_read:,} records have an unreadable value in this "
                "column; before, nearly all could be read."
            )
            yield Drift("column_unreadable", column, fields.get(column), detail)
