"""Unchanged records: the fingerprints of many records at once, and which of them are known.

polars' hash has 64 bits, and nothing says that two seeds make two hashes that don't depend on each
other. So the second is of another text: the record behind a salt. The key gives salt and seeds.

    own text    ──> hash ──> known? ┐
    former text ──> hash ──> known? ┴──> number and warnings; after the latter, another fingerprint
"""

from collections.abc import Sequence
from functools import cached_property
from typing import Any, Final

import numpy as np
import polars as pl
from attrs import define, field
from numpy.typing import NDArray

from commerce_core.parsing.fingerprints import (
    CODES,
    NONE_RENEWED,
    FingerprintIndex,
    Fingerprinting,
    Renewed,
)
from commerce_core.parsing.reader import Header
from commerce_core.parsing.reference import fingerprinting
from commerce_core.parsing.respelling import Respelling, respelling_of

ENGINE = f"polars {pl.__version__}"
"""Whose fingerprints they are; another version may hash in another way."""
LONG: Final = 1 << 20
"""Bytes of a record up to which many are read at once."""
_KNOWN = {"upper": pl.Int64, "lower": pl.Int64}
_MATCH = {"number": pl.UInt32, "warnings": pl.Int64}
_UNKNOWN = [
    *(pl.lit(None, kind).alias(name) for name, kind in _MATCH.items()),
    pl.lit(value=False).alias("former"),
]
_SAMPLE: Final = 200
"""Records whose former texts are looked for first; there may be twice as many."""
_WORTH: Final = 4
"""One in this many has to be known, or else all are read, and perhaps compared by their values."""


def is_long() -> pl.Expr:
    """Whether a record is so long that it is read by itself, and never recognised.

    As columns, its text would be copied a dozen times.
    """
    return pl.col("text").str.len_bytes() > LONG


def unmarked(records: pl.DataFrame) -> pl.DataFrame:
    """Records that have no fingerprint, none of which is known."""
    return records.with_columns(
        pl.lit(None, pl.Int64).alias("upper"), pl.lit(None, pl.Int64).alias("lower"), *_UNKNOWN
    )


def renewed_among(marked: pl.DataFrame) -> Renewed:
    """Those of some marked records that were known by their former texts."""
    if not marked["former"].any():
        return NONE_RENEWED
    lower = pl.col("lower") ^ pl.col("warnings")
    found = marked.filter("former").select("number", "upper", lower)
    return Renewed(*(column.to_numpy().data for column in found.iter_columns()))


@define
class Matcher:
    """Marks the records of one file by which product they are known to be, if any.

    Most files come in the order of the one before. So a record is first compared with the product
    behind that of the record before it, and looked up only where it isn't that one.
    """

    _fingerprinting: Fingerprinting
    _known: FingerprintIndex
    _former: tuple[Respelling, Fingerprinting] | None = None
    _is_tried: bool = field(default=False, init=False)
    _columns: pl.DataFrame | None = field(init=False)
    _next: int = field(default=0, init=False)

    def __attrs_post_init__(self) -> None:
        """Takes what is known as columns, if it comes so."""
        self._columns = None
        known: Any = self._known
        if hasattr(known, "__arrow_c_stream__"):
            self._columns = pl.DataFrame(known).select(*_KNOWN)

    @classmethod
    def of(cls, header: Header, known: FingerprintIndex, former: Sequence[str]) -> "Matcher | None":
        """For the records below a header; None if they can't have fingerprints."""
        own = fingerprinting(ENGINE, header)
        respelling = respelling_of(header, former) if own and len(known) else None
        if own is None or respelling is None:
            return None if own is None else cls(own, known)
        return cls(own, known, (respelling, Fingerprinting.of(ENGINE, respelling.meaning)))

    def __call__(self, records: pl.DataFrame) -> pl.DataFrame:
        """The records with the hashes of their texts, and the number of each that is known.

        `warnings` is the code of those that such a record has; `former`, whether it is known by its
        former text.
        """
        has_long = records.select(is_long().any()).item()
        own = pl.when(~is_long()).then("text") if has_long else pl.col("text")
        marked = records.with_columns(_hashes(own, self._fingerprinting, has_none=has_long))
        if not len(self._known):
            return marked.with_columns(_UNKNOWN)
        if self._former is not None and not self._is_tried:
            self._try(records, *self._former)
        if self._former is None:
            return marked.hstack(self._matches(marked)).with_columns(former=pl.lit(value=False))
        matches = self._matches(_respelled(records, *self._former))
        others = matches["number"].is_null().arg_true()
        matches = matches.with_columns(former=pl.col("number").is_not_null())
        if len(others):
            found = self._matches(marked[others])
            matches = matches.with_columns(
                matches[name].scatter(others, found[name]) for name in _MATCH
            )
        return marked.hstack(matches)

    def _try(self, records: pl.DataFrame, respelling: Respelling, by: Fingerprinting) -> None:
        """Forgets the former texts unless some records from all over are known by theirs.

        Lines of which one isn't a whole record show nothing.
        """
        some = records.gather_every(max(1, len(records) // _SAMPLE))
        quotes = some["text"].str.count_matches('"', literal=True)
        if (quotes % 2 == 1).any() or some.is_empty():
            return
        self._is_tried = True
        found = self._matches(_respelled(some, respelling, by))["number"]
        self._next = 0
        if found.count() * _WORTH < len(found):
            self._former = None

    def _matches(self, marked: pl.DataFrame) -> pl.DataFrame:
        if self._columns is None:
            texts = marked.select("upper", "lower").iter_rows()
            rows = [
                (upper is not None and self._known.match((upper, lower))) or (None, None)
                for upper, lower in texts
            ]
            return pl.DataFrame(rows, _MATCH, orient="row")
        matches = self._in_order(marked, self._columns)
        others = matches["number"].is_null().arg_true()
        if len(others):
            found = self._looked_up(marked[others], self._columns)
            matches = matches.select(matches[name].scatter(others, found[name]) for name in _MATCH)
        numbers = matches["number"]
        last = numbers.is_not_null().arg_true().tail(1)
        if len(last):
            self._next = int(numbers[last[0]]) + len(numbers) - last[0]
        return matches

    def _in_order(self, marked: pl.DataFrame, known: pl.DataFrame) -> pl.DataFrame:
        """The matches of the records that come in the same order as before."""
        first = self._next
        expected = known.slice(first, len(marked))
        numbers = pl.int_range(first, first + len(expected), dtype=pl.UInt32, eager=True)
        matches = _same(marked.head(len(expected)), expected.with_columns(number=numbers))
        return pl.concat([matches, _unmatched(len(marked) - len(expected))])

    def _looked_up(self, marked: pl.DataFrame, known: pl.DataFrame) -> pl.DataFrame:
        """The matches of records wherever they stood before."""
        keys = _unsigned(marked["upper"]) & ~self._number_bits
        places = np.searchsorted(self._by_upper, keys).clip(max=len(self._by_upper) - 1)
        numbers = pl.Series((self._by_upper[places] & self._number_bits).astype(np.uint32))
        return _same(marked, known[numbers].with_columns(number=numbers))

    @property
    def _number_bits(self) -> np.uint64:
        """The bits that the numbers of what is known have."""
        return np.uint64((1 << (len(self._known) - 1).bit_length()) - 1)

    @cached_property
    def _by_upper(self) -> NDArray[np.uint64]:
        """The numbers of what is known, each behind the upper bits of its fingerprint, sorted.

        Of several fingerprints that begin with the same bits only one is found. Those bits are 37
        at least, and a record that isn't found is only read.
        """
        known = pl.DataFrame(schema=_KNOWN) if self._columns is None else self._columns
        keys = _unsigned(known["upper"]) & ~self._number_bits
        np.bitwise_or(keys, np.arange(len(keys), dtype=np.uint32), out=keys)
        keys.sort()
        return keys


def _unsigned(halves: pl.Series) -> NDArray[np.uint64]:
    """Halves of fingerprints as bits; zeros for one that isn't there."""
    return halves.fill_null(0).to_numpy().view(np.uint64)


def _same(marked: pl.DataFrame, known: pl.DataFrame) -> pl.DataFrame:
    """The matches of records that are what is known beside them, as far as they are."""
    warnings = marked["lower"] ^ known["lower"]
    same = (marked["upper"] == known["upper"]) & warnings.is_between(0, CODES, closed="left")
    both = pl.DataFrame({"same": same, "number": known["number"], "warnings": warnings})
    return both.select(pl.when("same").then(pl.col(*_MATCH)))


def _unmatched(count: int) -> pl.DataFrame:
    return pl.select(
        pl.repeat(None, count, dtype=kind).alias(name) for name, kind in _MATCH.items()
    )


def former_texts(records: pl.DataFrame, respelling: Respelling) -> pl.DataFrame:
    """The `text` that each record would have had, null for one that has none."""
    text, former = pl.col("text"), pl.col("former")
    groups = respelling.written([f"${{{group}}}" for group in respelling.groups])
    fits = text.str.contains(respelling.pattern)
    if respelling.fewer:  # What has been replaced shows it.
        fits = former.str.len_bytes() < text.str.len_bytes()
    fits &= ~is_long() & ~text.str.contains(respelling.doubtful)
    texts = records.select(text, former=text.str.replace(respelling.pattern, groups))
    return texts.select(text=pl.when(fits).then(former))


def _respelled(records: pl.DataFrame, respelling: Respelling, by: Fingerprinting) -> pl.DataFrame:
    """The hashes of the former texts of records."""
    texts = former_texts(records, respelling)
    return texts.select(_hashes(pl.col("text"), by, has_none=True))


def _hashes(text: pl.Expr, by: Fingerprinting, *, has_none: bool) -> list[pl.Expr]:
    """Both halves of the hash of a text, null for one that is."""
    salted = pl.concat_str(pl.lit(by.key[16:].hex()), text)
    halves = [_signed(text, by.key[:8]), _signed(salted, by.key[8:16])]
    if has_none:
        halves = [pl.when(text.is_not_null()).then(half) for half in halves]
    return [half.alias(name) for half, name in zip(halves, _KNOWN, strict=True)]


def _signed(text: pl.Expr, seed: bytes) -> pl.Expr:
    return text.hash(int.from_bytes(seed)).reinterpret(signed=True)
