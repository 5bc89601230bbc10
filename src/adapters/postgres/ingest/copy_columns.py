r"""Batches of records as rows of text, as COPY takes them: from columns where a batch has some.

A batch with `__arrow_c_stream__` is encoded without a Python object for any record. It is COPY's
own format, in which a tab ends a cell, \N is NULL, and a backslash guards what would be taken for
one of these; the server reads it faster than CSV.
"""

import io
import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from typing import Final

import polars as pl

from commerce_core.ports.engine import Batch
from commerce_core.schema.fields import Value, bits_of
from commerce_core.schema.record import Record

FIXED: Final = ("line", "shape", "rejected", "deletes", "sku", "upper", "lower")
"""The columns of a staged record beside its fields."""

ROWS_OF_BLOCK: Final = 50_000
"""Rows that are sent at a time: a batch of tiny records has far more of them than bytes tell."""


Sift = Callable[[pl.DataFrame], pl.DataFrame]
"""Leaves those of some offers that are to be staged."""


def all_of_them(offers: pl.DataFrame) -> pl.DataFrame:
    """Leaves all offers."""
    return offers


class Shapes:
    """Numbers the sets of fields that records set, as they come.

    Number 0 is also that of records that aren't applied: it doesn't matter what they leave alone.
    """

    def __init__(self, fields: Iterable[str]) -> None:
        self._fields = {*fields, "deleted"}
        self.numbers: dict[tuple[str, ...], int] = {}

    def number(self, names: tuple[str, ...]) -> int:
        """The number of a set."""
        known = self.numbers.get(names)
        if known is not None:
            return known
        if not self._fields.issuperset(names):
            raise ValueError(f"a record sets more than {self._fields}: {names}")
        return self.numbers.setdefault(names, len(self.numbers))


def rows_of(
    batches: Iterable[Batch | pl.DataFrame],
    names: Sequence[str],
    shapes: Shapes,
    sift: Sift,
    *,
    sets_currency: bool,
) -> Iterator[bytes]:
    """The rows of the batches' offers, with the fixed columns and these fields, in blocks.

    Of offers that come as columns only those that `sift` leaves; of some batches there are only the
    columns. `sets_currency`: the file has a column of currencies, so a blank one is set too.
    """
    for batch in batches:
        frame = batch if isinstance(batch, pl.DataFrame) else frame_of(batch)
        if frame is not None:
            for part in sift(frame).iter_slices(ROWS_OF_BLOCK) if len(frame) else ():
                yield text_of(staged(part, names, shapes, sets_currency=sets_currency))
        elif not isinstance(batch, pl.DataFrame) and batch.records_read != len(batch.matched):
            yield "".join(_lines(batch, names, shapes)).encode()


def frame_of(batch: Batch) -> pl.DataFrame | None:
    """The columns of a batch, as `ports.engine.Batch` defines them; None where it has none."""
    return pl.DataFrame(batch) if hasattr(batch, "__arrow_c_stream__") else None


def staged(
    frame: pl.DataFrame, names: Sequence[str], shapes: Shapes, *, sets_currency: bool
) -> pl.DataFrame:
    """The columns of staged records; fields that no record sets are NULL."""
    fixed = tuple(name for name in names if name in frame.columns and name != "currency")
    number = _shape_of(frame, fixed, shapes, sets_currency=sets_currency)
    fields = (pl.col(name) if name in frame.columns else pl.lit(None).alias(name) for name in names)
    return frame.select(
        "line", number.alias("shape"), "rejected", "deletes", "sku", "upper", "lower", *fields
    )


def _shape_of(
    frame: pl.DataFrame, fixed: Sequence[str], shapes: Shapes, *, sets_currency: bool
) -> pl.Expr:
    """The number of the set of fields that each record sets."""
    bare: tuple[str, ...] = (*fixed, "currency") if sets_currency else tuple(fixed)
    priced = pl.col("currency").is_not_null()
    lacking = pl.lit(0, pl.Int64)
    if "lacking" in frame.columns:
        lacking = pl.when(~pl.col("rejected")).then("lacking").fill_null(0)
    key = lacking * 2 + priced.cast(pl.Int64)
    keys = frame.select(key.alias("key").unique(maintain_order=True))["key"].to_list()
    numbers: list[int] = []
    for bits, has_currency in (divmod(each, 2) for each in keys):
        left_alone = bits & ~bits_of(["currency"]) if has_currency else bits
        names = dict.fromkeys((*bare, "currency") if has_currency else bare)
        numbers.append(shapes.number(tuple(n for n in names if not left_alone & bits_of([n]))))
    if len(keys) == 1:
        return pl.lit(numbers[0], pl.Int64)
    return key.replace_strict(keys, numbers, return_dtype=pl.Int64)


def text_of(frame: pl.DataFrame) -> bytes:
    """The rows of a frame; a list of addresses becomes an array."""
    lists = [name for name, kind in frame.schema.items() if isinstance(kind, pl.List)]
    # Addresses have neither quotes nor backslashes: reading percent-encodes them.
    arrays = (pl.lit('{"') + pl.col(n).list.join('","') + pl.lit('"}') for n in lists)
    named = dict(zip(lists, arrays, strict=True))
    block = io.BytesIO()
    _guarded(frame.with_columns(**named)).write_csv(
        block, include_header=False, separator="\t", quote_style="never", null_value="\\N"
    )
    return block.getvalue()


def _guarded(frame: pl.DataFrame) -> pl.DataFrame:
    """The frame, with a backslash before what would end a cell; hardly any text has that."""
    texts = [name for name, kind in frame.schema.items() if kind == pl.String]
    found = frame.select(pl.col(texts).str.contains(_SPECIAL).any())
    odd = [name for name in texts if found[name].item()]
    return frame.with_columns(
        pl.col(name).str.replace_many(list(_GUARDED), list(_GUARDED.values())) for name in odd
    )


_GUARDED: Final[Mapping[str, str]] = {"\\": "\\\\", "\t": "\\t", "\n": "\\n", "\r": "\\r"}
_SPECIAL: Final = r"[\\\t\n\r]"
_TABLE: Final = str.maketrans(dict(_GUARDED))


def _lines(records: Iterable[Record], names: Sequence[str], shapes: Shapes) -> Iterator[str]:
    for record in records:
        rejected = bool(record.problems) and record.rejected
        shape = 0 if rejected else shapes.number(tuple(record.values))
        upper, lower = record.fingerprint or (None, None)
        values = map(record.values.get, names)
        row = (record.line, shape, rejected, record.deletes, record.sku, upper, lower, *values)
        yield "\t".join(map(_cell, row)) + "\n"


def _cell(value: Value) -> str:
    match value:
        case None:
            return "\\N"
        case bool():
            return "t" if value else "f"
        case int():
            return str(value)
        case str():
            text = value
        case Decimal():
            text = f"{value:f}"
        case datetime():
            text = value.isoformat()
        case tuple():
            text = "{" + ",".join(map(_member, value)) + "}"
        case Mapping():
            text = json.dumps(value, ensure_ascii=False)
    return text.translate(_TABLE)


def _member(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'
