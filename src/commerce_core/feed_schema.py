"""What a feed may say: its fields, the kind of each, and the problems a record can have.

All of it is data. `cells` reads one cell by it, a vectorised engine can be compiled from it, the
documentation lists it. The union of kinds is closed: whoever reads kinds matches them all.
"""

from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal
from typing import Final, Literal

from attrs import field, frozen

from commerce_core.partners import UNSTORABLE

LONGEST_CELL: Final = 100_000
"""Characters in one cell; a longer one is a problem of its record."""
LONGEST_SKU: Final = 255
LONGEST_SHORT_TEXT: Final = 1_000
LONGEST_URL: Final = 2_048
MOST_URLS: Final = 20
LARGEST_WHOLE: Final = 2**63 - 1
LONGEST_SHOWN_VALUE: Final = 200

Value = str | int | bool | Decimal | datetime | tuple[str, ...] | Mapping[str, str] | None
"""What a cell means: None where it is blank."""


@frozen
class Text:
    """Characters, kept as sent but for the blanks around them."""

    longest: int


@frozen
class Word:
    """One of a few values; each is understood in several spellings (`squash` makes them equal)."""

    spellings: Mapping[str, str] = field(hash=False)


@frozen
class Amount:
    """A price: a decimal in major units, zero or more, with no more decimals than its currency."""


@frozen
class Whole:
    """A whole number; a negative one reads as 0, with a warning."""


@frozen
class Grams:
    """A weight; a unit in the cell (g, kg, lb, oz) is converted."""


@frozen
class CurrencyCode:
    """An ISO 4217 code, current or historic."""


@frozen
class Gtin:
    """8, 12, 13 or 14 digits with a check digit, as text."""


@frozen
class Category:
    """A path from the general to the special, `A > B > C`."""


@frozen
class Options:
    """What tells a variant from its siblings, in order: `Colour: Red; Size: 42`."""


@frozen
class Instant:
    """A moment: ISO 8601, a date alone being its first moment; the partner's time zone if none."""


@frozen
class Url:
    """One http or https address."""


@frozen
class Urls:
    """Up to twenty addresses, separated by commas or blanks."""


@frozen
class YesNo:
    """yes or no, true or false, 1 or 0."""


@frozen
class Attributes:
    """What a profile keeps by the partner's own names: a JSON object of texts."""


Kind = (
    Text | Word | Amount | Whole | Grams | CurrencyCode | Gtin | Category | Options | Instant | Url
    | Urls | YesNo | Attributes
)  # fmt: skip


@frozen
class Field:
    """A field of the canonical feed: its name, how its cells read, what partners also call it."""

    name: str
    kind: Kind
    meaning: str
    aliases: tuple[str, ...] = ()


def squash(text: str) -> str:
    """A header or word without what partners vary: case, blanks, underscores and hyphens."""
    return text.strip(BLANKS).lower().translate(_DROPPED)


BLANKS: Final = (
    "\t\n\v\f\r \x85\xa0\u1680\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200a"
    "\u200b\u2028\u2029\u202f\u205f\u3000\ufeff"
)
"""The characters that are trimmed around a cell; one of nothing else is blank, that is missing."""
_DROPPED: Final = str.maketrans("", "", BLANKS + "_-")

CONDITIONS: Final = {
    "new": "new",
    "used": "used",
    "secondhand": "used",
    "preowned": "used",
    "refurbished": "refurbished",
    "renewed": "refurbished",
}
AVAILABILITIES: Final = {
    "instock": "in_stock",
    "available": "in_stock",
    "outofstock": "out_of_stock",
    "soldout": "out_of_stock",
    "unavailable": "out_of_stock",
    "preorder": "preorder",
    "backorder": "backorder",
    "onbackorder": "backorder",
    "discontinued": "discontinued",
    "endoflife": "discontinued",
}

FIELDS: Final = (
    Field("sku", Text(LONGEST_SKU), "the partner's stable key of the product",
          ("id", "item_id", "offer_id", "product_id", "product_sku", "seller_sku")),
    Field("product_name", Text(LONGEST_SHORT_TEXT), "what it is called",
          ("title", "name", "product_title")),
    Field("group_id", Text(LONGEST_SKU), "the family of variants it belongs to",
          ("item_group_id", "parent_sku")),
    Field("options", Options(), "what tells it from its siblings, in order"),
    Field("description", Text(LONGEST_CELL), "kept as sent, escaped where shown",
          ("product_description", "long_description", "body")),
    Field("brand", Text(LONGEST_SHORT_TEXT), "who makes it",
          ("manufacturer", "brand_name", "vendor")),
    Field("condition", Word(CONDITIONS), "new, used or refurbished"),
    Field("category", Category(), "a path `A > B > C`",
          ("product_type", "product_category", "category_path")),
    Field("gtin", Gtin(), "8, 12, 13 or 14 digits", ("ean", "upc", "barcode", "ean13", "gtin13")),
    Field("mpn", Text(LONGEST_SHORT_TEXT), "the maker's part number",
          ("manufacturer_part_number", "part_number")),
    Field("price", Amount(), "the regular price, in major units",
          ("regular_price", "list_price", "unit_price")),
    Field("currency", CurrencyCode(), "ISO 4217", ("currency_code", "price_currency")),
    Field("sale_price", Amount(), "the price within the sale's window",
          ("special_price", "discounted_price")),
    Field("sale_starts_at", Instant(), "from then on the sale price counts",
          ("sale_start", "sale_start_date")),
    Field("sale_ends_at", Instant(), "from then on it no longer does",
          ("sale_end", "sale_end_date")),
    Field("availability", Word(AVAILABILITIES),
          "in_stock, out_of_stock, preorder, backorder or discontinued", ("stock_status",)),
    Field("quantity", Whole(), "units in stock; blank is untracked",
          ("stock", "qty", "stock_quantity", "inventory", "inventory_quantity")),
    Field("weight", Grams(), "in grams, or with its unit", ("shipping_weight", "weight_grams")),
    Field("product_url", Url(), "the product's page", ("link", "url", "product_link")),
    Field("image_url", Url(), "the main picture", ("image_link", "image", "picture")),
    Field("additional_image_urls", Urls(), "up to twenty more pictures",
          ("additional_image_link", "additional_images")),
    Field("attributes", Attributes(), "columns that the profile keeps by their own names"),
    Field("deleted", YesNo(), "yes removes the product", ("delete", "is_deleted")),
)  # fmt: skip
BY_NAME: Final[Mapping[str, Field]] = {field.name: field for field in FIELDS}
PRODUCT_FIELDS: Final = tuple(f.name for f in FIELDS if f.name not in ("sku", "deleted"))
"""The fields that a product keeps, in order; `sku` is its key and `deleted` an instruction."""
AMOUNTS: Final = tuple(f.name for f in FIELDS if isinstance(f.kind, Amount))
"""The fields that have the decimals of the record's currency."""

Severity = Literal["error", "warning"]


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


Fate = Literal["blank", "folded", "skipped", "overtaken"]
"""What becomes of a record that changes nothing: nothing in it, part of the one before, no offer,
older than what is known already."""


@frozen
class Record:
    """One record of a feed as read: where it stands, what it says, what is wrong with it.

    `values` holds the fields whose column the file has, None where the cell is blank; of a
    rejected record, those that could be read. `sku` is None where it can't be read.
    `fate` says what becomes of a record that is no offer, `reason` why it is left out.
    `fingerprint` is that of its text, None where it has a problem (see `fingerprints`).
    """

    line: int
    sku: str | None
    values: Mapping[str, Value]
    problems: tuple[Problem, ...] = ()
    fate: Fate | None = None
    reason: str | None = None
    fingerprint: tuple[int, int] | None = field(default=None, eq=False)

    @property
    def blank(self) -> bool:
        """Whether no cell of it says anything."""
        return self.fate == "blank"

    @property
    def rejected(self) -> bool:
        """Whether any of its problems is an error."""
        return any(problem.severity == "error" for problem in self.problems)

    @property
    def deletes(self) -> bool:
        """Whether it asks for the product to be removed."""
        return self.values.get("deleted") is True
