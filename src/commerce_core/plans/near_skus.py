"""Near skus: which product a sku that no product has probably means.

Spreadsheets drop leading zeros and shorten long numbers; people mistake case, hyphens and the
letter O. Each such slip has a few spellings to try, so a store can look them up by its key.
"""

import re
from collections.abc import Iterator
from decimal import Decimal
from typing import Final

from commerce_core.schema.debris import SHORTENED
from commerce_core.schema.fields import LONGEST_SKU

MOST_NAMED: Final = 1_000
"""Unknown skus of one feed, the first by line, for which a near one is looked for."""
LONGEST_PADDED: Final = 14
"""Digits up to which leading zeros are tried, as many as the longest GTIN has."""
_ZEROS_FIRST: Final = re.compile("0+([1-9][0-9]*)", re.ASCII)


def without_zeros(sku: str) -> str | None:
    """What is left of a number with leading zeros if they are dropped; None for all other skus."""
    found = _ZEROS_FIRST.fullmatch(sku)
    return found[1] if found else None


def near_skus(sku: str) -> tuple[str, ...]:
    """The skus that one could have meant by this one, the likeliest first; never itself."""
    spellings = dict.fromkeys(_spellings(sku))
    return tuple(near for near in spellings if near != sku and 1 <= len(near) <= LONGEST_SKU)


def _spellings(sku: str) -> Iterator[str]:
    if sku.isascii() and sku.isdigit():
        yield from (sku.zfill(length) for length in range(len(sku) + 1, LONGEST_PADDED + 1))
        yield sku.lstrip("0")
    if SHORTENED.fullmatch(sku):
        yield f"{Decimal(sku.replace(',', '.')):f}"
    yield sku.removesuffix(".0")
    yield sku.upper()
    yield sku.lower()
    for slip, meant in (("_", "-"), ("-", "_"), (" ", "-"), (" ", ""), ("-", ""), ("O", "0"),
                        ("0", "O")):  # fmt: skip
        yield sku.replace(slip, meant)


def unknown_hint(default: str, near: str | None) -> str | None:
    """The hint about a sku that no product has, if a near one is known."""
    return None if near is None else f"{default} Did you mean {near}?"


def lost_zeros_hint(near: str) -> str:
    """The hint about a new sku that is another product's without its leading zeros."""
    return (
        f"The product {near} isn't in this file: a spreadsheet probably dropped its zeros. Format "
        "the column as text. To create this one beside it, send both."
    )
