"""Exports: the products of one moment as a file, in the order of their ids.

    Store.snapshot(query) ──> ProductBatch, ProductBatch, ... ──> writer ──> blocks of bytes

A CSV is a feed, which changes nothing when it is loaded again: it has the columns of a feed, behind
some that intake ignores. Removed products are records that delete what is already deleted. A line
of NDJSON is a product as the API shows it.
"""

import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from decimal import Decimal
from itertools import islice
from typing import Final, Literal, Protocol, cast

from attrs import fields_dict, frozen

from commerce_core.base.errors import Unavailable
from commerce_core.catalog.product import Product
from commerce_core.parsing.delimited import written
from commerce_core.parsing.formulas import escape_formula
from commerce_core.parsing.returned_exports import EXPORT_COLUMNS
from commerce_core.schema.fields import FREE_TEXTS, PRODUCT_FIELDS, Value

ExportForm = Literal["csv", "ndjson"]
"""The forms that are text, which stores may write themselves."""
FileForm = Literal["csv", "ndjson", "parquet"]
Columns = Callable[[Iterator[bytes], tuple[str, ...]], Iterator[bytes]]
"""Makes a Parquet file of the lines of NDJSON, whose members are named."""

HEADER: Final = (*EXPORT_COLUMNS, "sku", *PRODUCT_FIELDS, "deleted")
HIDDEN: Final = (
    "publication_id",
    "ordinal",
    "origin_id",
    "reserved",
    "partner_gone",
    "net_of_orders",
    "stale",
)
SHOWN: Final = (
    *(name for name in fields_dict(Product) if name not in HIDDEN),
    "sellable", "not_sellable_reason", "available",
)  # fmt: skip
"""The members of a line of NDJSON, in order."""
PRODUCTS_OF_BATCH: Final = 1_000
"""Products in one batch of a snapshot, at most."""


class ProductBatch(Protocol):
    """Some products of a snapshot.

    A batch that has them as columns offers these by `__arrow_c_stream__`, so that a writer of
    columns makes no object per product: one column for each attribute of a product, by its name
    and in that order; integers as int64, times as timestamps in UTC, `additional_image_urls` as
    lists of texts, `attributes` as JSON, and all else as the text that NDJSON has, null for None.
    """

    def __len__(self) -> int:
        """How many they are."""
        ...

    def __iter__(self) -> Iterator[Product]:
        """The products, in the order of their ids."""
        ...


class Snapshot(Protocol):
    """Products as of one moment, in the order of their ids; they are taken once, in one way."""

    def __iter__(self) -> Iterator[ProductBatch]:
        """The batches, of at most `PRODUCTS_OF_BATCH` products each, none of them empty."""
        ...

    def written(self, form: ExportForm) -> Iterator[bytes] | None:
        """A faster way to exactly the bytes that `write` makes of the batches, if there is one."""
        ...


@frozen
class ProductSnapshot:
    """Implements `Snapshot` for products that are in memory, in order."""

    _products: Sequence[Product]

    def __iter__(self) -> Iterator[Sequence[Product]]:
        left = iter(self._products)
        while batch := list(islice(left, PRODUCTS_OF_BATCH)):
            yield batch

    def written(self, form: ExportForm) -> None:
        """None: the writers of the core are the only way."""


Writer = Callable[[Iterable[ProductBatch], Sequence[str]], Iterator[bytes]]
"""Turns batches into the blocks of a file, without keeping more than one of them.

The products of these batches may have further members, which are named.
"""


def write(snapshot: Snapshot, form: ExportForm) -> Iterator[bytes]:
    """The file in blocks of bytes, by the snapshot's own way if it has a faster one."""
    blocks = snapshot.written(form)
    return WRITERS[form](snapshot, ()) if blocks is None else blocks


def no_columns(lines: Iterator[bytes], names: tuple[str, ...]) -> Iterator[bytes]:  # noqa: ARG001
    """Where nothing writes Parquet: Unavailable."""
    raise Unavailable("Parquet can't be written here. Export CSV or NDJSON.")


def write_csv(batches: Iterable[ProductBatch], more: Sequence[str] = ()) -> Iterator[bytes]:
    """A header, and each product as a record of a feed; in UTF-8."""
    yield csv_header(more)
    for batch in batches:
        yield "".join(csv_line(product, more) for product in batch).encode()


def write_ndjson(batches: Iterable[ProductBatch], more: Sequence[str] = ()) -> Iterator[bytes]:
    """Each product as a JSON object on a line of its own; in UTF-8."""
    for batch in batches:
        yield "".join(json_line(product, more) for product in batch).encode()


WRITERS: Final[Mapping[ExportForm, Writer]] = {"csv": write_csv, "ndjson": write_ndjson}


def csv_header(more: Sequence[str] = ()) -> bytes:
    """The first line of a CSV; further members are columns that intake ignores."""
    ignored = (*EXPORT_COLUMNS, *(f"_{name}" for name in more))
    return f"{written((*ignored, *HEADER[len(EXPORT_COLUMNS) :]), ',')}\n".encode()


def csv_line(product: Product, more: Sequence[str] = ()) -> str:
    """A product as a record of a feed."""
    cells = [
        product.product_id,
        product.partner_id,
        escape_formula(product.partner_name),
        product.source_id,
        str(product.version),
        moment(product.updated_at),
        *(_cell(name, getattr(product, name)) for name in more),
        sku_cell(product.sku),
        *(_cell(name, getattr(product, name)) for name in PRODUCT_FIELDS),
        "yes" if product.status == "removed" else "",
    ]
    return f"{written(cells, ',')}\n"


def sku_cell(sku: str) -> str:
    """A sku as a cell: reading strips one apostrophe, so one of the partner's own is doubled."""
    return escape_formula(f"'{sku}" if sku.startswith("'") else sku)


def _cell(name: str, value: Value) -> str:
    """A value in the form in which its field is read."""
    match value:
        case None:
            return ""
        case str():
            return escape_formula(value) if name in FREE_TEXTS else value
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
    """A time as it is written everywhere: ISO 8601 in UTC."""
    return at.astimezone(UTC).isoformat().replace("+00:00", "Z")


def json_line(product: Product, more: Sequence[str] = ()) -> str:
    """A product as the API shows it."""
    shown = {name: _plain(getattr(product, name)) for name in (*SHOWN, *more)}
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
