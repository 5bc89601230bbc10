"""Entries as CSV: one line each, with figures that add up."""

from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from itertools import islice
from typing import Final

from commerce_core.analytics.ledger import SalesEntry
from commerce_core.parsing.delimited import written
from commerce_core.parsing.formulas import escape_formula

ENTRY_COLUMNS: Final = (
    "entry_id", "kind", "at", "partner_id", "order_id", "item_id", "part_id", "refund_id",
    "product_id", "sku", "currency", "quantity", "gross", "discount", "platform_discount",
    "amount", "partner_amount", "platform_amount", "reverses", "reason",
)  # fmt: skip
_LINES_OF_BLOCK: Final = 1_000
_TEXTS: Final = ("sku", "reason")
"""The columns in which a spreadsheet could find a formula."""


def write_entries(entries: Iterable[SalesEntry]) -> Iterator[bytes]:
    """A header and a line for each entry, in blocks of bytes, as they come: signed ones add up."""
    yield f"{written(ENTRY_COLUMNS, ',')}\n".encode()
    left = iter(entries)
    while block := list(islice(left, _LINES_OF_BLOCK)):
        yield "".join(f"{written(entry_cells(entry), ',')}\n" for entry in block).encode()


def entry_cells(entry: SalesEntry) -> list[str]:
    """The cells of an entry, in the order of the columns."""
    return [cell(name, getattr(entry, name)) for name in ENTRY_COLUMNS]


def cell(name: str, value: object) -> str:
    """A value as text; blank if there is none."""
    match value:
        case None:
            return ""
        case datetime():
            return value.astimezone(UTC).isoformat().replace("+00:00", "Z")
        case str():
            return escape_formula(value) if name in _TEXTS else value
        case _:
            return f"{value:f}" if hasattr(value, "quantize") else str(value)
