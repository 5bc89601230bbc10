"""The fingerprints of a source's products, as columns of numbers and packed into bytes."""

from typing import Any, Final

import numpy as np
import polars as pl
from attrs import field, frozen
from numpy.typing import NDArray

ID: Final = np.dtype([("high", np.int64), ("low", np.int64)])
ENTRY: Final = np.dtype([("id", ID), ("upper", ">i8"), ("lower", ">i8"), ("state", "u1")])
WITHOUT_ID: Final = np.dtype([("upper", ">i8"), ("lower", ">i8"), ("state", "u1")])
MOST_OF_PART: Final = 240
"""Entries that fit into a page of the database beside their keys."""
GONE: Final = 0
SOLD_OUT: Final = 1
IN_STOCK: Final = 2


@frozen(eq=False)
class Entries:
    """Products, by column; a fingerprint of 0 and 0 is none."""

    ids: NDArray[np.void] = field(repr=False)
    upper: NDArray[np.int64] = field(repr=False)
    lower: NDArray[np.int64] = field(repr=False)
    state: NDArray[np.uint8] = field(repr=False)

    @classmethod
    def room_for(cls, count: int) -> "Entries":
        """Allocates `count` uninitialised entries."""
        return cls(
            np.empty(count, ID),
            np.empty(count, np.int64),
            np.empty(count, np.int64),
            np.empty(count, np.uint8),
        )

    @classmethod
    def of(cls, packed: bytes) -> "Entries":
        """The entries packed in these bytes."""
        entries = cls.room_for(len(packed) // ENTRY.itemsize)
        entries.put(0, packed)
        return entries

    def put(self, at: int, packed: bytes) -> None:
        """Writes packed entries, from that place on."""
        read = np.frombuffer(packed, ENTRY)
        here = slice(at, at + len(read))
        self.ids[here], self.state[here] = read["id"], read["state"]
        self.upper[here], self.lower[here] = read["upper"], read["lower"]

    def packed(self) -> bytes:
        """Their bytes."""
        some = np.empty(len(self), ENTRY)
        some["id"], some["state"] = self.ids, self.state
        some["upper"], some["lower"] = self.upper, self.lower
        return some.tobytes()

    def __len__(self) -> int:
        return len(self.ids)

    def __getitem__(self, places: slice | NDArray[Any]) -> "Entries":
        return Entries(self.ids[places], self.upper[places], self.lower[places], self.state[places])

    def with_changes(self, changed: "Entries") -> "Entries":
        """The entries, in their order, once these have changed, are gone, or are new.

        Changed ones are overwritten in place, so this value is no longer what it was.
        """
        if not len(changed):
            return self
        places, of_changed = same_ids(self.ids, changed.ids)
        for column, other in zip(self.columns, changed.columns, strict=True):
            column[places] = other[of_changed]
        is_new = np.ones(len(changed), np.bool_)
        is_new[of_changed] = False
        there = self.state != GONE
        kept = self if there.all() else self[there]
        new = changed[is_new & (changed.state != GONE)]
        if not len(new):
            return kept
        pairs = zip(kept.columns, new.columns, strict=True)
        return Entries(*(np.concatenate(pair) for pair in pairs))

    @property
    def in_stock(self) -> int:
        """How many products aren't sold out."""
        return int(np.count_nonzero(self.state == IN_STOCK))

    @property
    def columns(self) -> tuple[NDArray[Any], ...]:
        """All columns."""
        return self.ids, self.upper, self.lower, self.state


def without_ids(upper: pl.Series, lower: pl.Series, sold_out: pl.Series) -> NDArray[np.void]:
    """What entries of active products have besides their ids, copied.

    Columns that came through the Arrow C stream keep all others of their batch in memory.
    """
    found = np.empty(len(upper), WITHOUT_ID)
    found["upper"], found["lower"] = upper.fill_null(0), lower.fill_null(0)
    found["state"] = np.where(sold_out.to_numpy(), np.uint8(SOLD_OUT), np.uint8(IN_STOCK))
    return found


def packed_with(ids: NDArray[np.void], others: NDArray[np.void]) -> bytes:
    """The packed entries of these ids."""
    entries = np.empty(len(ids), ENTRY)
    entries["id"] = ids
    for name in WITHOUT_ID.names or ():
        entries[name] = others[name]
    return entries.tobytes()


def same_ids(
    many: NDArray[np.void], few: NDArray[np.void]
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Where the same ids stand in two arrays: the places in the one and in the other."""
    lows = pl.Series(_half(few, "low")).implode()
    maybe = np.flatnonzero(pl.Series(_half(many, "low")).is_in(lows))
    one, other = (
        pl.DataFrame({half: _half(ids, half) for half in ("high", "low")}).with_row_index("place")
        for ids in (many[maybe], few)
    )
    both = one.join(other, on=["high", "low"], how="inner")
    return maybe[both["place"].to_numpy()], both["place_right"].to_numpy()


def _half(ids: NDArray[np.void], half: str) -> NDArray[np.int64]:
    return np.ascontiguousarray(ids[half])
