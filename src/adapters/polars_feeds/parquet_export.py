"""Exports as Parquet: the lines of NDJSON as columns of their own types, compressed with zstd."""

import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import polars as pl

_BLOCK: Final = 1 << 20
_AMOUNT: Final = pl.Decimal(38, 4)
"""An amount in major units; no currency has more decimals."""
_MOMENT: Final = pl.Datetime("us", "UTC")
_AMOUNTS: Final = ("price", "sale_price", "selling_price")
_MOMENTS: Final = ("sale_starts_at", "sale_ends_at", "created_at", "updated_at", "removed_at")
_NUMBERS: Final = ("quantity", "available", "version", "line")
_PLAIN: Final = pl.String()


def parquet(lines: Iterator[bytes], names: tuple[str, ...]) -> Iterator[bytes]:
    """The bytes of a Parquet file with a row for each line; `names` are the members of each.

    Amounts are decimals, times are in UTC, lists are lists; attributes and options are JSON. It is
    written to a temporary file, a part at a time.
    """
    with tempfile.TemporaryDirectory(prefix="export-") as folder:
        source, target = Path(folder, "lines"), Path(folder, "parquet")
        with source.open("wb") as file:
            file.writelines(lines)
        _write(source, target, names)
        source.unlink()
        with target.open("rb") as file:
            while block := file.read(_BLOCK):
                yield block


def _write(source: Path, target: Path, names: tuple[str, ...]) -> None:
    schema = {name: _sent(name) for name in names}
    if not source.stat().st_size:
        pl.DataFrame(schema=schema).lazy().select(map(_column, names)).sink_parquet(target)
        return
    rows = pl.scan_ndjson(source, schema=schema)
    rows.select(map(_column, names)).sink_parquet(target, compression="zstd")


def _sent(name: str) -> pl.DataType:
    """The type in which NDJSON has a member."""
    if name in _NUMBERS:
        return pl.Int64()
    if name == "sellable":
        return pl.Boolean()
    return pl.List(pl.String()) if name == "additional_image_urls" else _PLAIN


def _column(name: str) -> pl.Expr:
    column = pl.col(name)
    if name in _AMOUNTS:
        return column.cast(_AMOUNT)
    if name in _MOMENTS:
        return column.str.to_datetime(time_unit="us", time_zone="UTC")
    return column.cast(pl.Float64) if name == "weight" else column
