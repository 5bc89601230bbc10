"""The problems a record can have: public codes, each with its severity and a hint."""

from collections.abc import Mapping
from typing import Final, Literal

from attrs import frozen

from commerce_core.base.text import UNSTORABLE
from commerce_core.schema.fields import (
    DEEPEST_JSON,
    LONGEST_CELL,
    MOST_JSON_VALUES,
    MOST_URLS,
)

LONGEST_SHOWN_VALUE: Final = 200

Severity = Literal["error", "warning"]

Noted = tuple[str, str | None, Severity]
"""What problems are counted by: code, column as the partner names it, and severity."""


@frozen
class Problem:
    """What is wrong with a record: where, in the partner's own terms, why, and how to fix it.

    `line` is the physical line, from 1, on which the record begins; `column` is the header as the
    partner wrote it (None: the whole record); `value` is the cell, cut off at 200 characters. An
    error rejects the record; a warning doesn't.
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
        """A problem with a known code, which supplies the severity and the default hint."""
        severity, default_hint = PROBLEMS[code]
        shown = None if value is None else UNSTORABLE.sub("\ufffd", value[:LONGEST_SHOWN_VALUE])
        return cls(line, column, field, code, shown, hint or default_hint, severity)


PROBLEMS: Final[Mapping[str, tuple[Severity, str]]] = {
    "ragged_record": (
        "error",
        "Every record needs as many cells as the header; quote cells that contain the delimiter.",
    ),
    "truncated_record": (
        "error",
        "The file ends within this record, so it was probably cut off. Send the whole file again.",
    ),
    "no_parent": (
        "error",
        (
            "The record leaves values to its parent, which doesn't stand before it in the file. "
            "Export parents with their variants, each parent before them."
        ),
    ),
    "malformed_quotes": ("error", 'Double each quote inside a quoted cell: "a 12"" single".'),
    "late_key": (
        "error",
        (
            "The key first comes after the first 1,000 objects, too late to be read; "
            "send it in one of those too, if only as null."
        ),
    ),
    "malformed_json": ("error", "Write one JSON object per line, without repeated keys."),
    "oversized_json": (
        "error",
        f"Nest values at most {DEEPEST_JSON} deep, and send at most {MOST_JSON_VALUES:,} values.",
    ),
    "unreadable_record": (
        "error",
        "Look for what is unusual in this record; it stopped the reader. The others were read.",
    ),
    "nul_character": ("error", "Remove the NUL characters; they can't be stored."),
    "half_character": (
        "error",
        "Write both halves of the surrogate pair, or the character itself.",
    ),
    "oversized_cell": ("error", f"Shorten the cell to at most {LONGEST_CELL:,} characters."),
    "invisible_characters": (
        "warning",
        "Characters that can't be seen, such as marks of direction, were removed.",
    ),
    "spreadsheet_text": ("warning", 'A spreadsheet wrapped the text as ="..."; it was unwrapped.'),
    "spreadsheet_error": (
        "error",
        "A spreadsheet couldn't compute the value; correct its formula, or leave the cell blank.",
    ),
    "spreadsheet_error_ignored": (
        "warning",
        "A spreadsheet couldn't compute the value, which is read as blank; correct the formula.",
    ),
    "shortened_sku": (
        "warning",
        "A spreadsheet may have shortened this sku; format the column as text.",
    ),
    "missing_value": ("error", "Fill in this column; it must not be blank."),
    "too_long": ("error", "Shorten the text."),
    "unknown_word": ("error", "Use one of the values allowed for this field."),
    "not_a_number": ("error", "Write digits with a point before the decimals, such as 1299.00."),
    "negative_number": ("error", "Write a price of 0 or more."),
    "too_large_number": ("error", "Check the number; no price, quantity or weight is this large."),
    "too_many_decimals": ("error", "Round the amount to the number of decimals its currency has."),
    "exponent_number": (
        "warning",
        "A spreadsheet wrote the number with an exponent; format the column as a number.",
    ),
    "not_a_whole_number": ("error", "Write a whole number, such as 12."),
    "negative_quantity": ("warning", "A negative quantity counts as 0."),
    "not_a_weight": ("error", "Write grams as a number, or a number with g, kg, lb or oz."),
    "thousands_or_decimals": (
        "warning",
        "The point was read as a decimal point; if it separates thousands, declare that.",
    ),
    "sale_price_of_zero": ("warning", "The sale price is ignored, since nothing is sold for 0."),
    "unknown_currency": ("error", "Write a three-letter ISO 4217 currency code, such as EUR."),
    "ambiguous_currency": (
        "error",
        "Write the three-letter currency code, or declare the currency in the source's profile.",
    ),
    "currency_conflict": ("error", "The record names two different currencies; send only one."),
    "pattern_mismatch": (
        "error",
        "Write the text as the profile's pattern expects, or change the pattern.",
    ),
    "missing_currency": ("error", "Add a currency column, or give the partner a default currency."),
    "not_a_gtin": ("error", "Write all 8, 12, 13 or 14 digits; format the column as text."),
    "gtin_check_digit": ("warning", "The check digit is wrong; a digit was probably mistyped."),
    "not_options": ("error", "Write options as `Name: value; Name: value`."),
    "not_a_time": (
        "error",
        "Write a date or time as ISO 8601, such as 2026-03-31 or 2026-03-31T18:00:00Z.",
    ),
    "not_a_url": (
        "error",
        "Write a complete URL that begins with http:// or https:// and has no spaces.",
    ),
    "several_urls": (
        "warning",
        (
            "The cell has several addresses, and only the first is kept; "
            "send further pictures as additional_image_urls."
        ),
    ),
    "too_many_urls": ("error", f"Send at most {MOST_URLS} URLs."),
    "not_attributes": ("error", 'Write a JSON object of strings, such as {"colour": "red"}.'),
    "not_yes_or_no": ("error", "Write yes or no."),
    "currency_without_price": (
        "error",
        "The product's price is in another currency; send its price together with the new one.",
    ),
    "sale_not_below_price": (
        "warning",
        "The sale price is ignored, since it isn't below the price.",
    ),
    "sale_ends_before_start": (
        "warning",
        "The sale price is ignored, since the sale ends before it starts.",
    ),
    "sale_period_unread": (
        "warning",
        (
            "The sale price is ignored, since this column may say when it applies, and isn't read. "
            "Map sale_starts_at and sale_ends_at in the profile."
        ),
    ),
    "duplicate_sku": ("warning", "Send each sku once; only its last record counts."),
    "unknown_sku": ("error", "No product has this sku. To create one, send a product_name too."),
    "sku_lost_zeros": (
        "error",
        "Another product has this sku with leading zeros, which a spreadsheet probably dropped.",
    ),
    "changed_since": ("warning", "A later publication changed the product, so it stays as it is."),
    "corrected_sku": (
        "error",
        "The row of a corrected report has another sku than the record that it corrects.",
    ),
    "sku_of_other_source": ("error", "Another source of the partner owns this sku."),
    "price_leap": ("warning", "The price changes too much at once, so the old one is kept."),
}  # fmt: skip
"""The public, stable codes: their severity, and what to do."""
