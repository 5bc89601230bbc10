"""Prepared records: what a raw record is within its file, before any of its cells is read."""

from typing import Final

from attrs import frozen

from commerce_core.parsing.raw_records import RawRecord
from commerce_core.schema.record import Fate

_NO_PICTURES: Final[tuple[str, ...]] = ()


@frozen
class Prepared:
    """A record ready to be read: its cells completed, or its fate where it is no offer.

    `pictures` are taken from the records that were folded into it; `reason` is why it was skipped;
    `head` is the record that it takes cells from, if there is one. A `withdrawn` record removes its
    product.
    """

    raw: RawRecord
    fate: Fate | None = None
    reason: str | None = None
    pictures: tuple[str, ...] = _NO_PICTURES
    head: RawRecord | None = None
    withdrawn: bool = False
