"""The problems that a record can have: public codes, each with its severity and its hint."""

from collections.abc import Mapping
from typing import Final, Literal

from attrs import frozen

from commerce_core.base.text import UNSTORABLE
from commerce_core.schema.fields import LONGEST_CELL, MOST_URLS

LONGEST_SHOWN_VALUE: Final = 200

Severity = Literal["error", "warning"]

Noted = tuple[str, str | None, Severity]
"""What is counted of a problem: its code, its column as the partner names it, its severity."""


@frozen
class Problem:
    """What is wrong with a record: where, in the partner's own words, why, and what to do.

    `line` is the physical line, from 1, on which the record begins; `column` the header as the
    partner wrote it (None: the whole record); `value` the cell, cut at 200 characters. An error
    rejects the record, a warning doesn't.
    """

    line: int
    column: str | None
    field: str | None
    code: str
    value: str | None
    hint: str
    severity: Severity

    @classmethod
    def of(
        cls, code: str, *, line: int, column: str | None = None, field: str | None = None,
        value: str | None = None, hint: str | None = None,
    ) -> "Problem":  # fmt: skip
        """A problem of a known code, with the severity and (unless given) the hint of that code."""
        severity, usual_hint = PROBLEMS[code]
        shown = None if value is None else UNSTORABLE.sub("\ufffd", value[:LONGEST_SHOWN_VALUE])
        return cls(line, column, field, code, shown, hint or usual_hint, severity)


PROBLEMS: Final[Mapping[str, tuple[Severity, str]]] = {
    "ragged_record": (
        "error",
        "Quote cells that contain the delimiter; every record has as many cells as the header.",
    ),
    "malformed_quotes": ("error", 'Double the quotes inside a quoted cell: "a 12"" single".'),
    "malformed_json": ("error", "Write one JSON object on each line, with no key twice."),
    "nul_character": ("error", "Remove the NUL characters; no database stores them."),
    "half_character": ("error", "JSON spells half a character here; send it whole."),
    "oversized_cell": ("error", f"A cell has at most {LONGEST_CELL:,} characters."),
    "missing_value": ("error", "This column must not be blank."),
    "too_long": ("error", "Shorten the text."),
    "unknown_word": ("error", "Use one of the values listed for this field."),
    "not_a_number": ("error", "Write digits with a point before the decimals, such as 1299.00."),
    "negative_number": ("error", "A price is 0 or more."),
    "too_large_number": ("error", "The number is beyond what a price, quantity or weight can be."),
    "too_many_decimals": ("error", "Round the amount to the decimals that its currency has."),
    "exponent_number": (
        "warning",
        "Read exactly, but a spreadsheet wrote this; format the column as a number.",
    ),
    "not_a_whole_number": ("error", "Write a whole number, such as 12."),
    "negative_quantity": ("warning", "Read as 0."),
    "not_a_weight": ("error", "Write grams as a number, or a number with g, kg, lb or oz."),
    "unknown_currency": ("error", "Write the three letters of an ISO 4217 currency, such as EUR."),
    "ambiguous_currency": (
        "error",
        "Write the three letters of the currency, or name it in the source's profile.",
    ),
    "currency_conflict": ("error", "The record names two currencies; send one."),
    "pattern_mismatch": ("error", "The text isn't what the source's profile expects."),
    "missing_currency": ("error", "Add a currency column, or give the partner a default currency."),
    "not_a_gtin": ("error", "A GTIN has 8, 12, 13 or 14 digits; format the column as text."),
    "gtin_check_digit": ("warning", "The check digit doesn't fit; a digit is probably mistyped."),
    "not_options": ("error", "Write options as `Name: value; Name: value`."),
    "not_a_time": (
        "error",
        "Write a date or time as ISO 8601, such as 2026-03-31 or 2026-03-31T18:00:00Z.",
    ),
    "not_a_url": (
        "error",
        "Write a whole address that begins with http:// or https://, without blanks.",
    ),
    "too_many_urls": ("error", f"At most {MOST_URLS} addresses fit."),
    "not_attributes": ("error", 'Write a JSON object of texts, such as {"colour": "red"}.'),
    "not_yes_or_no": ("error", "Write yes or no."),
    "sale_not_below_price": ("warning", "The sale price is ignored; it must be below the price."),
    "sale_ends_before_start": (
        "warning",
        "The sale price is ignored; its window ends before it starts.",
    ),
    "duplicate_sku": ("warning", "Send each sku once; the last one counts."),
    "unknown_sku": ("error", "No product has this sku. To create it, send its product_name too."),
    "changed_since": ("warning", "A later publication has changed the product; it stays as it is."),
    "sku_of_other_source": ("error", "Another source of the partner owns this sku."),
    "price_leap": ("warning", "The price moves too far at once, so the old one is kept."),
}  # fmt: skip
"""The public, stable codes: severity, and what to do."""
