"""Exports: products as a file, one after the other in the order of ids.

As CSV it is a feed, which changes nothing where it comes back: the columns of a feed, and before
them such as intake ignores. Removed products are in it as records that delete what is deleted. As
NDJSON each line is what the API shows of a product.
"""

import json
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from decimal import Decimal
from itertools import islice
from typing import Final, Literal, cast

from attrs import fields_dict

from commerce_core.catalog.product import Product
from commerce_core.parsing.returned_exports import EXPORT_COLUMNS
from commerce_core.parsing.returned_reports import escape_formula, written
from commerce_core.schema.fields import PRODUCT_FIELDS, Value

ExportForm = Literal["csv", "ndjson"]

HEADER: Final = (*EXPORT_COLUMNS, "sku", *PRODUCT_FIELDS, "deleted")
HIDDEN: Final = ("publication_id", "ordinal", "origin_id", "reserved")
SHOWN: Final = (
    *(name for name in fields_dict(Product) if name not in HIDDEN),
    "sellable", "not_sellable_reason", "available",
)  # fmt: skip
"""What a line of NDJSON tells, in order."""
GUARDED: Final = (
    "product_name", "group_id", "options", "description", "brand", "category", "mpn",
)  # fmt: skip
"""The fields that a partner writes freely, so that a formula may be in them; the sku is too."""
_PRODUCTS_OF_BLOCK: Final = 500


def blocks_of(products: Iterable[Product], form: ExportForm) -> Iterator[bytes]:
    """The file in blocks of bytes, UTF-8."""
    left = iter(products)
    line = csv_line if form == "csv" else json_line
    if form == "csv":
        yield f"{written(HEADER, ',')}\n".encode()
    while block := list(islice(left, _PRODUCTS_OF_BLOCK)):
        yield "".join(map(line, block)).encode()


def csv_line(product: Product) -> str:
    """A product as a record of a feed."""
    cells = [
        product.product_id,
        product.partner_id,
        escape_formula(product.partner_name),
        product.source_id,
        str(product.version),
        moment(product.updated_at),
        sku_cell(product.sku),
        *(_cell(name, getattr(product, name)) for name in PRODUCT_FIELDS),
        "yes" if product.status == "removed" else "",
    ]
    return f"{written(cells, ',')}\n"


def sku_cell(sku: str) -> str:
    """A sku as a cell: reading takes off one apostrophe, whosever it is."""
    return escape_formula(f"'{sku}" if sku.startswith("'") else sku)


def _cell(name: str, value: Value) -> str:
    """A value as the reading of its field takes it."""
    match value:
        case None:
            return ""
        case str():
            return escape_formula(value) if name in GUARDED else value
        case Decimal():
            return f"{value:f}"
        case datetime():
            return moment(value)
        case tuple():
            return " ".join(value)
        case int():
            return str(value)
        case _:
            return json.dumps(value, ensure_ascii=False)


def moment(at: datetime) -> str:
    """A time as it is told everywhere."""
    return at.astimezone(UTC).isoformat().replace("+00:00", "Z")


def json_line(product: Product) -> str:
    """A product as the API shows it."""
    shown = {name: _plain(getattr(product, name)) for name in SHOWN}
    return f"{json.dumps(shown, ensure_ascii=False)}\n"


def _plain(value: object) -> object:
    match value:
        case Decimal():
            return f"{value:f}"
        case datetime():
            return moment(value)
        case tuple():
            return list(cast("tuple[object, ...]", value))
        case _:
            return value
