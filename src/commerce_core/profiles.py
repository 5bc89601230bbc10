"""How a source's file maps to the schema: which of its columns feeds which field."""

from collections.abc import Mapping, Sequence
from typing import Final

from attrs import frozen

from commerce_core.errors import FileRefused
from commerce_core.feed_schema import FIELDS, squash
from commerce_core.partners import Mode

_MOST_HEADERS_SHOWN: Final = 20
MOST_COLUMNS: Final = 1_000
"""Columns that a file may have; a header with more is refused."""


@frozen
class Layout:
    """The header of a file, understood: for each field its column, and the columns nobody asked for."""

    header: tuple[str, ...]
    columns: Mapping[str, int]
    unused: tuple[str, ...]

    def column_of(self, field: str) -> str | None:
        """What the partner calls the field; None where the file doesn't have it."""
        index = self.columns.get(field)
        return None if index is None else self.header[index]


def lay_out(header: Sequence[str], mode: Mode) -> Layout:
    """Finds each field's column: by the field's own name, else by one of its aliases.

    Raises FileRefused where two columns could be one field (never a guess), where a column that
    the mode requires is missing, and where no cell names a field at all.
    """
    if len(header) > MOST_COLUMNS:
        raise FileRefused(
            "too_large", f"The header has {len(header):,} columns; at most {MOST_COLUMNS:,} are read.", line=1
        )
    by_spelling: dict[str, list[int]] = {}
    for index, name in enumerate(header):
        by_spelling.setdefault(squash(name), []).append(index)
    columns: dict[str, int] = {}
    for field in FIELDS:
        candidates = by_spelling.get(squash(field.name)) or [
            index for alias in field.aliases for index in by_spelling.get(squash(alias), [])
        ]
        if len(candidates) > 1:
            raise _ambiguous(field.name, [header[index] for index in candidates])
        if candidates:
            columns[field.name] = candidates[0]
    _check_required(header, columns, mode)
    used = set(columns.values())
    unused = tuple(name for index, name in enumerate(header) if index not in used and name.strip())
    return Layout(tuple(header), columns, unused)


def _check_required(header: Sequence[str], columns: Mapping[str, int], mode: Mode) -> None:
    if not columns:
        raise FileRefused(
            "no_header",
            f"The first record names no field that we know. It reads: {_shown(header)}.",
            "Put a header first, with at least a sku column.",
            line=1,
        )
    required = ("sku", "product_name") if mode == "full" else ("sku",)
    missing = [name for name in required if name not in columns]
    if missing:
        raise FileRefused(
            "missing_column",
            f"There is no column for {' and '.join(missing)}. The header has: {_shown(header)}.",
            "Add the column, or name it as the field or one of its aliases.",
            line=1,
        )


def _ambiguous(field: str, names: Sequence[str]) -> FileRefused:
    return FileRefused(
        "ambiguous_column",
        f"{' and '.join(repr(name) for name in names)} could each be {field}.",
        f"Name the right one {field}, or send only one of them.",
        line=1,
    )


def _shown(header: Sequence[str]) -> str:
    names = ", ".join(name[:60] or "(blank)" for name in header[:_MOST_HEADERS_SHOWN])
    rest = len(header) - _MOST_HEADERS_SHOWN
    return f"{names} and {rest} more" if rest > 0 else names
