r"""Rows of whole columns in COPY's binary format, without a Python object for any of them.

    row    number of fields, then for each: length (-1 is NULL), value     as the server's own
    cell   its text as it is, or as many NULs as its value has bytes       written by polars
    put    lengths, and values that are no text, in their places           over them, by numpy

The server reads it a sixth faster than text: it looks for no ends of cells, and nothing has to be
parsed. Which bytes make a value is what its type's `recv` function in PostgreSQL reads.
"""

import io
from collections.abc import Callable, Mapping, Sequence
from itertools import chain
from typing import Any, Final

import numpy as np
import polars as pl
from attrs import frozen
from numpy.typing import NDArray

BEGINS: Final = b"PGCOPY\n\xff\r\n\0" + bytes(8)
"""What stands before the first row, and behind the last."""
ENDS: Final = b"\xff\xff"

Buffer = NDArray[np.uint8]
Places = NDArray[np.int64]
_LENGTH: Final = np.dtype(">i4")
_NULS: Final = "\0" * _LENGTH.itemsize
_TEXT_OID: Final = 25
_ARRAY: Final = np.dtype([(name, ">i4") for name in ("dims", "nulls", "oid", "count", "first")])
_GROUP: Final = 4
"""Decimal digits of which a numeric keeps one group each."""
_EPOCH: Final = 946_684_800_000_000
"""Microseconds from 1970 to 2000, from which PostgreSQL counts."""

_INSTANT: Final = "%Y-%m-%dT%H:%M:%S%.f%:z"


class NotPlain(Exception):
    """A text isn't in the form in which all others of its type are."""


@frozen
class Cells:
    """A column on its way: the texts of its cells, and what writes the others over them.

    `put` is given the block, and the places of the cells that aren't NULL.
    """

    texts: pl.Series
    put: Callable[[Buffer, Places], None] | None = None


def block_of(heads: Mapping[str, NDArray[Any]], columns: Sequence[Cells]) -> bytes:
    """Rows: of columns that are never NULL and as wide in each row, and then of others."""
    head = _head(heads, len(heads) + len(columns))
    texts = pl.DataFrame({f"{n}": cells.texts for n, cells in enumerate(columns)})
    sizes = texts.select(pl.all().str.len_bytes().cast(pl.Int64).fill_null(-1))
    row_sizes = sizes.select(pl.sum_horizontal(_LENGTH.itemsize + pl.all().clip(0))).to_series()
    row_sizes += head.itemsize
    block = _with_nuls(texts, head.itemsize)
    buffer = np.frombuffer(block.getbuffer(), np.uint8)
    at = (row_sizes.cum_sum() - row_sizes).to_numpy(writable=True)
    _at(buffer, head.dtype)[at] = head
    at += head.itemsize
    for cells, lengths in zip(columns, map(pl.Series.to_numpy, sizes), strict=True):
        _at(buffer, _LENGTH)[at] = lengths
        at += _LENGTH.itemsize
        if cells.put is not None:
            cells.put(buffer, at[lengths >= 0])
        at += np.maximum(lengths, 0)
    return block.getvalue()


def _with_nuls(texts: pl.DataFrame, head: int) -> io.BytesIO:
    """Each row's texts after `head` NULs, each text preceded by the four of its length.

    Cells are separated by one NUL, so a column of two between them makes four.
    """
    first = pl.lit("\0" * (head + 3)).alias("head")
    between = (pl.lit("\0\0").alias(f"before {name}") for name in texts.columns[1:])
    others = (column for pair in zip(between, texts.columns[1:], strict=True) for column in pair)
    return _joined(texts.select(first, texts.columns[0], *others))


def _head(columns: Mapping[str, NDArray[Any]], fields: int) -> NDArray[np.void]:
    """How rows begin: with the number of their fields, and these."""
    pairs = [((f"{n} length", _LENGTH), (n, values.dtype)) for n, values in columns.items()]
    rows = len(next(iter(columns.values())))
    head = np.empty(rows, [("fields", ">i2"), *chain.from_iterable(pairs)])
    head["fields"] = fields
    for name, values in columns.items():
        head[f"{name} length"], head[name] = values.dtype.itemsize, values
    return head


def _at(buffer: Buffer, kind: Any) -> NDArray[Any]:  # noqa: ANN401 - whatever names a dtype
    """The buffer as values of that type, one from each byte on."""
    dtype = np.dtype(kind)
    return np.ndarray(max(0, len(buffer) - dtype.itemsize + 1), dtype, buffer, strides=(1,))


def json(texts: pl.Series) -> Cells:
    """Cells of the type `jsonb`: a version, and the text."""
    return Cells("\1" + texts)


def fixed(values: NDArray[Any], there: pl.Series) -> Cells:
    """Cells of as many bytes each as the values have, NULL where they aren't there."""
    nuls = pl.select(pl.when(there).then(pl.lit("\0" * values.dtype.itemsize))).to_series()
    if not there.all():
        values = values[there.to_numpy()]

    def put(buffer: Buffer, places: Places) -> None:
        _at(buffer, values.dtype)[places] = values

    return Cells(nuls, put)


def whole(numbers: pl.Series) -> Cells:
    """Cells of the type `int8`."""
    return fixed(numbers.fill_null(0).to_numpy().astype(">i8"), numbers.is_not_null())


def instant(texts: pl.Series) -> Cells:
    """Cells of the type `timestamptz`, from texts with an offset."""
    moments = texts.str.to_datetime(_INSTANT, time_unit="us", time_zone="UTC", strict=False)
    if moments.null_count() != texts.null_count():
        raise NotPlain
    return whole(moments.dt.epoch("us") - _EPOCH)


def numeric(texts: pl.Series) -> Cells:
    """Cells of the type `numeric`, from plain decimals that aren't negative."""
    if not texts.str.contains(r"^[0-9]+(\.[0-9]+)?$").all():
        raise NotPlain
    parts = texts.fill_null("0").str.split_exact(".", 1).struct
    before, behind = parts.field("field_0"), parts.field("field_1").fill_null("")
    groups = [-(-int(part.str.len_bytes().max() or 0) // _GROUP) for part in (before, behind)]  # type: ignore[arg-type]
    digits = pl.DataFrame({"before": before, "behind": behind}).select(
        pl.concat_str(
            pl.col("before").str.pad_start(groups[0] * _GROUP, "0"),
            pl.col("behind").str.pad_end(groups[1] * _GROUP, "0"),
        )
    )
    rows = np.frombuffer(_joined(digits).getbuffer(), np.uint8).reshape(len(texts), -1, _GROUP)
    count = rows.shape[1]
    values = np.empty(len(texts), [
        ("count", ">i2"), ("weight", ">i2"), ("sign", ">i2"), ("decimals", ">i2"),
        ("digits", ">i2", (count,)),
    ])  # fmt: skip
    values["count"], values["weight"], values["sign"] = count, groups[0] - 1, 0
    values["decimals"] = behind.str.len_bytes().to_numpy()
    values["digits"] = (rows - ord("0")).astype(np.int16) @ np.array([1000, 100, 10, 1], np.int16)
    return fixed(values, texts.is_not_null())


def texts(lists: pl.Series) -> Cells:
    """Cells of the type `text[]`, of lists that have something."""
    joined = lists.to_frame("l").select(
        pl.concat_str(
            pl.lit("\0" * _ARRAY.itemsize),
            pl.col("l").list.eval(pl.concat_str(pl.lit(_NULS), pl.element())).list.join(""),
        )
    )
    some = lists.drop_nulls()
    members, counts = some.explode(), some.list.len().to_numpy().astype(np.int64)
    if not counts.all():
        raise NotPlain
    lengths = members.str.len_bytes().to_numpy().astype(np.int64)

    def put(buffer: Buffer, places: Places) -> None:
        heads = np.empty(len(places), _ARRAY)
        heads["dims"], heads["nulls"], heads["oid"] = 1, 0, _TEXT_OID
        heads["count"], heads["first"] = counts, 1
        _at(buffer, _ARRAY)[places] = heads
        sizes = lengths + _LENGTH.itemsize
        begun = np.cumsum(sizes) - sizes
        firsts = np.cumsum(counts) - counts
        own = np.repeat(places + _ARRAY.itemsize - begun[firsts], counts)
        _at(buffer, _LENGTH)[own + begun] = lengths

    return Cells(joined.to_series(), put)


CELLS: Final[Mapping[str, Callable[[pl.Series], Cells]]] = {
    "text": Cells,
    "int8": whole,
    "numeric": numeric,
    "timestamptz": instant,
    "text[]": texts,
    "jsonb": json,
}
"""How a column becomes cells, by the type that it has in the database."""


def _joined(columns: pl.DataFrame) -> io.BytesIO:
    """The texts of each row with a NUL between them, one row behind the other."""
    block = io.BytesIO()
    columns.write_csv(
        block, include_header=False, separator="\0", quote_style="never", line_terminator=""
    )
    return block
