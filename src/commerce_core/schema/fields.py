"""The fields a feed may contain, and the kind of each.

All of it is data: `cells` reads a cell by it, a vectorised engine can be compiled from it, the
documentation lists it. The union of kinds is closed, so code that reads kinds matches all of them.
"""

from collections.abc import Iterable, Mapping
from datetime import datetime
from decimal import Decimal
from typing import Final, Literal

from attrs import field, frozen

Mode = Literal["full", "delta"]
"""Whether a feed is the whole assortment or contains only what changed."""

LONGEST_CELL: Final = 100_000
"""Maximum number of characters in a cell; a longer one is a problem of its record."""
DEEPEST_JSON: Final = 100
"""How deep the values of a JSON record may be nested; a deeper record is a problem."""
MOST_JSON_VALUES: Final = 100_000
"""Maximum number of values in a JSON record, those within lists and objects included."""
LONGEST_SKU: Final = 255
LONGEST_SHORT_TEXT: Final = 1_000
LONGEST_URL: Final = 2_048
MOST_URLS: Final = 20
LARGEST_WHOLE: Final = 2**63 - 1
Value = str | int | bool | Decimal | datetime | tuple[str, ...] | Mapping[str, str] | None
"""What a cell means; None if it is blank."""


@frozen
class Text:
    """Text, kept exactly as sent, without spaces around it."""

    longest: int


@frozen
class Word:
    """One of a few words, in any of its spellings.

    Case, blanks, hyphens and underscores don't matter.
    """

    spellings: Mapping[str, str] = field(hash=False)


@frozen
class Amount:
    """A price in major units: a decimal, zero or more, with at most its currency's decimals."""


@frozen
class Whole:
    """A whole number; a negative one counts as 0, with a warning."""


@frozen
class Grams:
    """A weight in grams, or with its own unit (g, kg, lb or oz), which is converted."""


@frozen
class CurrencyCode:
    """An ISO 4217 code, current or historic; `GBX` and `GBp` are pence."""


@frozen
class Gtin:
    """8, 12, 13 or 14 digits with a check digit, as text."""


@frozen
class Category:
    """A path from the general to the specific, `A > B > C`."""


@frozen
class Options:
    """The options that distinguish a variant, in order: `Colour: Red; Size: 42`."""


@frozen
class Instant:
    """A time in ISO 8601; without an offset, it is in the partner's time zone.

    A date alone means its first moment or, if something `ends` then, the end of that day.
    """

    ends: bool = False


@frozen
class Url:
    """A complete http or https URL; what may not stand in its path is percent-encoded."""


@frozen
class Urls:
    """Up to twenty URLs, separated by commas, spaces, semicolons or bars."""


@frozen
class YesNo:
    """yes or no, y or n, true or false, 1 or 0."""


@frozen
class Attributes:
    """Columns kept under the partner's own names: a JSON object of strings."""


Kind = (
    Text | Word | Amount | Whole | Grams | CurrencyCode | Gtin | Category | Options | Instant | Url
    | Urls | YesNo | Attributes
)  # fmt: skip


@frozen
class Field:
    """A field of the canonical feed: its name, how its cells are read, its other names."""

    name: str
    kind: Kind
    meaning: str
    aliases: tuple[str, ...] = ()


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
    Field("sku", Text(LONGEST_SKU), "the partner's permanent key for the product",
          ("id", "item_id", "offer_id", "product_id", "product_sku", "seller_sku")),
    Field("product_name", Text(LONGEST_SHORT_TEXT), "the product's name",
          ("title", "name", "product_title")),
    Field("group_id", Text(LONGEST_SKU), "the group of variants it belongs to",
          ("item_group_id", "parent_sku")),
    Field("options", Options(), "what distinguishes the variant within its group, in order"),
    Field("description", Text(LONGEST_CELL), "text or HTML, kept as sent and escaped where shown",
          ("product_description", "long_description", "body")),
    Field("brand", Text(LONGEST_SHORT_TEXT), "the manufacturer or brand",
          ("manufacturer", "brand_name", "vendor")),
    Field("condition", Word(CONDITIONS), "new, used or refurbished"),
    Field("category", Category(), "a path, `A > B > C`",
          ("product_type", "product_category", "category_path")),
    Field("gtin", Gtin(), "8, 12, 13 or 14 digits", ("ean", "upc", "barcode", "ean13", "gtin13")),
    Field("mpn", Text(LONGEST_SHORT_TEXT), "the manufacturer's part number",
          ("manufacturer_part_number", "part_number")),
    Field("price", Amount(), "the regular price, in major units",
          ("regular_price", "list_price", "unit_price")),
    Field("currency", CurrencyCode(), "the currency of the prices, as an ISO 4217 code",
          ("currency_code", "price_currency")),
    Field("sale_price", Amount(), "the price during the sale",
          ("special_price", "discounted_price")),
    Field("sale_starts_at", Instant(), "when the sale begins; blank means it has already begun",
          ("sale_start", "sale_start_date", "special_price_from_date", "special_from_date")),
    Field("sale_ends_at", Instant(ends=True),
          "when the sale ends; a date alone is included, blank means it has no end",
          ("sale_end", "sale_end_date", "special_price_to_date", "special_to_date")),
    Field("availability", Word(AVAILABILITIES),
          "in_stock, out_of_stock, preorder, backorder or discontinued", ("stock_status",)),
    Field("quantity", Whole(), "units in stock; blank means stock isn't tracked",
          ("stock", "qty", "stock_quantity", "inventory", "inventory_quantity")),
    Field("weight", Grams(), "the weight, in grams or with its unit",
          ("shipping_weight", "weight_grams")),
    Field("product_url", Url(), "the address of the product's page",
          ("link", "url", "product_link")),
    Field("image_url", Url(), "the address of the main picture",
          ("image_link", "image", "picture")),
    Field("additional_image_urls", Urls(), "the addresses of up to twenty more pictures",
          ("additional_image_link", "additional_images")),
    Field("attributes", Attributes(), "columns that the profile keeps under their own names"),
    Field("deleted", YesNo(), "yes removes the product", ("delete", "is_deleted")),
)  # fmt: skip
BY_NAME: Final[Mapping[str, Field]] = {field.name: field for field in FIELDS}
_PLACES: Final = {name: place for place, name in enumerate(BY_NAME)}
PRODUCT_FIELDS: Final = tuple(f.name for f in FIELDS if f.name not in ("sku", "deleted"))
"""The fields a product keeps, in order; `sku` is its key, and `deleted` an instruction."""
AMOUNTS: Final = tuple(f.name for f in FIELDS if isinstance(f.kind, Amount))
"""The fields whose decimals are those of the record's currency."""


def bits_of(names: Iterable[str]) -> int:
    """A set of fields as bits, in the order of the schema."""
    return sum(1 << _PLACES[name] for name in names)


def product_fields_of(*kinds: type[Kind]) -> tuple[str, ...]:
    """The fields that a product keeps and that are of one of these kinds, in order."""
    return tuple(name for name in PRODUCT_FIELDS if isinstance(BY_NAME[name].kind, kinds))


FREE_TEXTS: Final = product_fields_of(Text, Options, Category)
"""The fields in which a partner writes any text, so possibly a formula; the sku is one more."""
LISTS: Final = product_fields_of(Urls)
"""The fields whose values are tuples of texts."""
