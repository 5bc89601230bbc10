"""Parquet: the rows of a file as the text of a sheet, for the engines to read like any other."""

import json
import re
import tempfile
from collections.abc import Iterator
from datetime import date, datetime, time
from typing import IO, Any, Final

import polars as pl
from polars.exceptions import PolarsError

from commerce_core.base.errors import FileRefused
from commerce_core.parsing.library_formats import Read
from commerce_core.parsing.objects import cell
from commerce_core.parsing.raw_records import CELL_END
from commerce_core.parsing.sheet_rows import LINE_WITHIN, MARK

ROWS_AT_A_TIME: Final = 20_000
_BLOCK: Final = 1 << 20
_ENDS: Final = b"PAR1"
_LINE_END: Final = "\r\n|\r|\n"
_SEPARATORS: Final = f"[{MARK}{CELL_END}{LINE_WITHIN}]"


def parquet_rows(read: Read) -> Iterator[str]:
    """The names of the columns, and then the rows; FileRefused if the file is damaged.

    A null is a blank cell. Lists and structs are cells as those of JSON are.
    """
    with tempfile.TemporaryFile() as file:
        while block := read(_BLOCK):
            file.write(block)
        file.seek(0)
        try:
            yield from _rows(pl.scan_parquet(file))
        except (PolarsError, OSError) as error:
            if _lacks_its_end(file):
                detail = "The Parquet file is cut off: it ends before its footer does."
                raise FileRefused("truncated", detail, "Send the whole file again.") from error
            detail = f"The Parquet file is damaged, or can't be read: {_first_line(error)}"
            remedy = "Write it again, or send it as CSV."
            raise FileRefused("undecodable", detail, remedy) from error


def _rows(table: pl.LazyFrame) -> Iterator[str]:
    schema = table.collect_schema()
    yield _line(_as_text(name) for name in schema)
    columns = [_shown(name, kind) for name, kind in schema.items()]
    row = pl.concat_str(pl.lit(MARK), pl.concat_str(columns, separator=CELL_END), pl.lit("\n"))
    for start in range(0, table.select(pl.len()).collect().item(), ROWS_AT_A_TIME):
        some = table.slice(start, ROWS_AT_A_TIME).select(row.alias("row")).collect()
        yield "".join(some["row"])


def _line(cells: Iterator[str]) -> str:
    return f"{MARK}{CELL_END.join(cells)}\n"


def _shown(name: str, kind: pl.DataType) -> pl.Expr:
    """The text of a column's values, as feeds write them."""
    column = pl.col(name)
    if isinstance(kind, pl.Datetime):
        zone = "%:z" if kind.time_zone else ""
        text = column.dt.strftime(f"%Y-%m-%dT%H:%M:%S%.f{zone}")
    elif isinstance(kind, pl.Binary):
        text = column.cast(pl.String)
    elif kind.is_nested() or isinstance(kind, pl.Object):
        text = column.map_elements(_nested, pl.String)
    elif kind.is_float():
        # Whole numbers become floats wherever one of their column is missing: a sku of 42.0 is 42.
        text = column.cast(pl.String).str.strip_suffix(".0")
    else:
        text = column.cast(pl.String)
    clean = text.str.replace_all(_LINE_END, "\n").str.replace_all(_SEPARATORS, " ")
    return clean.str.replace_all("\n", LINE_WITHIN, literal=True).fill_null("")


def _nested(value: object) -> str:
    if isinstance(value, pl.Series):
        value = value.to_list()
    return cell(json.loads(json.dumps(value, default=_text, ensure_ascii=False)))


def _text(value: Any) -> str | list[Any]:  # noqa: ANN401 - what JSON has no word for
    if isinstance(value, date | datetime | time):
        return value.isoformat()
    return value.decode(errors="replace") if isinstance(value, bytes) else str(value)


def _as_text(name: str) -> str:
    return re.sub(_SEPARATORS, " ", re.sub(_LINE_END, " ", name))


def _lacks_its_end(file: IO[bytes]) -> bool:
    """Whether the file doesn't end as it begins; only what begins like Parquet is read as it."""
    size = file.seek(0, 2)
    file.seek(max(0, size - len(_ENDS)))
    return file.read() != _ENDS


def _first_line(error: Exception) -> str:
    return str(error).partition("\n")[0][:200]
