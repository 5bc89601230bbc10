"""How a source's file maps to the schema: which of its columns feeds which field."""

from collections.abc import Mapping, Sequence
from typing import Final

from attrs import frozen

from commerce_core.errors import FileRefused
from commerce_core.feed_schema import BLANKS, FIELDS, squash
from commerce_core.partners import Mode

_MOST_HEADERS_SHOWN: Final = 20
_LONGEST_HEADER: Final = 200
MOST_COLUMNS: Final = 1_000
"""Columns that a file may have; a header with more is refused."""


@frozen
class Layout:
    """The header of a file, understood: each field's column, and the columns nobody asked for."""

    header: tuple[str, ...]
    columns: Mapping[str, int]
    unused: tuple[str, ...]

    def column_of(self, field: str) -> str | None:
        """What the partner calls the field; None where the file doesn't have it."""
        index = self.columns.get(field)
        return None if index is None else self.header[index]


def lay_out(cells: Sequence[str], mode: Mode, line: int = 1) -> Layout:
    """Finds each field's column: by the field's own name, else by one of its aliases.

    Raises FileRefused, which names the header's line, where two columns could be one field (never
    a guess), where a column that the mode requires is missing, where no cell names a field at all.
    """
    if len(cells) > MOST_COLUMNS:
        detail = f"The header has {len(cells):,} columns; at most {MOST_COLUMNS:,} are read."
        raise FileRefused("too_large", detail, "Send fewer columns.", line=line)
    header = tuple(_tidy(cell) for cell in cells)
    columns = _find_columns(header, line)
    _check_required(header, columns, mode, line)
    used = set(columns.values())
    unused = tuple(name for index, name in enumerate(header) if index not in used and name)
    return Layout(header, columns, unused)


def _tidy(cell: str) -> str:
    """The name as we show and store it: trimmed, cut, without the NUL that no database takes."""
    return cell.strip(BLANKS)[:_LONGEST_HEADER].replace("\0", "\ufffd")


def _find_columns(header: Sequence[str], line: int) -> dict[str, int]:
    by_spelling: dict[str, list[int]] = {}
    for index, name in enumerate(header):
        by_spelling.setdefault(squash(name), []).append(index)
    columns: dict[str, int] = {}
    for field in FIELDS:
        candidates = by_spelling.get(squash(field.name)) or [
            index for alias in field.aliases for index in by_spelling.get(squash(alias), [])
        ]
        if len(candidates) > 1:
            raise _ambiguous(field.name, [header[index] for index in candidates], line)
        if candidates:
            columns[field.name] = candidates[0]
    return columns


def _check_required(
    header: Sequence[str], columns: Mapping[str, int], mode: Mode, line: int
) -> None:
    if not columns:
        raise FileRefused(
            "no_header",
            f"The first record names no field that we know. It reads: {_shown(header)}.",
            "Put a header first, with at least a sku column.",
            line=line,
        )
    required = ("sku", "product_name") if mode == "full" else ("sku",)
    missing = [name for name in required if name not in columns]
    if missing:
        raise FileRefused(
            "missing_column",
            f"There is no column for {' and '.join(missing)}. The header has: {_shown(header)}.",
            "Add the column, or name it as the field or one of its aliases.",
            line=line,
        )


def _ambiguous(field: str, names: Sequence[str], line: int) -> FileRefused:
    shown = " and ".join(repr(name) for name in names[:_MOST_HEADERS_SHOWN])
    return FileRefused(
        "ambiguous_column",
        f"{shown} could each be {field}.",
        f"Name the right one {field}, or send only one of them.",
        line=line,
    )


def _shown(header: Sequence[str]) -> str:
    names = ", ".join(name[:60] or "(blank)" for name in header[:_MOST_HEADERS_SHOWN])
    rest = len(header) - _MOST_HEADERS_SHOWN
    return f"{names} and {rest} more" if rest > 0 else names
