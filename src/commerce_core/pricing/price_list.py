"""Price lists: prices by sku and minimum quantity, sent as files, with every version kept.

    sku,minimum_quantity,price          a unit costs 9.00, and each of ten or more 8.50
    A-1,1,9.00
    A-1,10,8.50

A file is the whole list: what isn't in it is no longer on the list. A file with a record that can't
be read changes nothing.
"""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from itertools import islice
from typing import ClassVar, Final

from attrs import field, frozen

from commerce_core.base.errors import Fault, InvalidInput
from commerce_core.base.ids import looks_like
from commerce_core.base.money import find_currency
from commerce_core.base.text import UNSTORABLE, tidy_name

MOST_ENTRIES: Final = 2_000_000
"""The most entries of a list."""
MOST_LIST_BYTES: Final = 1024**3
"""The largest file of a list."""
MOST_PROBLEMS: Final = 1_000
"""Problems of a file that are reported; the others are counted."""
LONGEST_LIST_NAME: Final = 200
LARGEST_MINIMUM: Final = 1_000_000_000

_PACKED_AT_ONCE: Final = 10_000
_ESCAPES: Final = str.maketrans({"\\": "\\\\", "\t": "\\t", "\n": "\\n", "\r": "\\r"})
_TO_ESCAPE: Final = re.compile(r"[\\\t\n\r]")
_ESCAPED: Final = re.compile(r"\\(.)")
_PLAIN: Final = {"\\": "\\", "t": "\t", "n": "\n", "r": "\r"}

ListPrices = Mapping[str, Mapping[str, tuple[tuple[int, Decimal], ...]]]
"""By list and sku: minimum quantities, ascending, and the price of a unit from there on."""
NO_LISTS: Final[ListPrices] = {}


def price_for(steps: Sequence[tuple[int, Decimal]], quantity: int) -> Decimal | None:
    """The price of the largest minimum that a quantity reaches; None if it reaches none."""
    reached = (price for least, price in reversed(steps) if least <= quantity)
    return next(reached, None)


@frozen
class ListEntry:
    """A price of a unit, in major units, from that many units on; and the line that has it."""

    sku: str
    minimum_quantity: int
    price: Decimal
    line: int = field(default=0, eq=False)


@frozen
class PackedEntries:
    """Entries as text, for sending many of them to another process or to a store.

    A line is the number of its line, the sku, the minimum quantity and the price, with tabs between
    them; in skus, a backslash stands before itself, and before t, n and r for tab and line breaks.
    """

    blocks: tuple[bytes, ...]

    @classmethod
    def of(cls, entries: Iterable[ListEntry]) -> "PackedEntries":
        """These entries."""
        left, blocks = iter(entries), list[bytes]()
        while some := list(islice(left, _PACKED_AT_ONCE)):
            columns = ((e.line, e.sku, e.minimum_quantity, e.price) for e in some)
            blocks.append(packed(*zip(*columns, strict=True)))
        return cls(tuple(blocks))

    def __iter__(self) -> Iterator[ListEntry]:
        """The entries, one by one."""
        for block in self.blocks:
            for text in block.decode().split("\n")[:-1]:
                line, sku, minimum, price = text.split("\t")
                plain = _ESCAPED.sub(lambda found: _PLAIN[found[1]], sku)
                yield ListEntry(plain, int(minimum), Decimal(price), int(line))


def packed(
    lines: Iterable[int],
    skus: Sequence[str],
    minimums: Iterable[int],
    prices: Iterable[Decimal | str],
) -> bytes:
    """Entries as a block of text, from their columns."""
    if _TO_ESCAPE.search("".join(skus)):
        skus = [sku.translate(_ESCAPES) for sku in skus]
    entries = zip(lines, skus, minimums, prices, strict=True)
    return "".join([f"{n}\t{sku}\t{least}\t{price}\n" for n, sku, least, price in entries]).encode()


@frozen
class ListSpell:
    """What one unit cost on a list from a moment on, and until when; None: it still does."""

    list_id: str
    currency: str
    sku: str
    price: Decimal
    since: datetime
    until: datetime | None

    def in_force(self, at: datetime) -> bool:
        """Whether the list had this price at that moment."""
        return self.since <= at and (self.until is None or at < self.until)


@frozen(kw_only=True)
class PriceList:
    """A list as it is: its current version, and how many entries that has. It begins empty."""

    list_id: str
    name: str
    currency: str
    version: int = 0
    entries: int = 0
    created_at: datetime
    updated_at: datetime

    def __attrs_post_init__(self) -> None:
        """InvalidInput lists what is wrong with the name or the currency."""
        faults: list[Fault] = []
        fits = 1 <= len(self.name) <= LONGEST_LIST_NAME and not UNSTORABLE.search(self.name)
        if not fits or self.name != tidy_name(self.name) or looks_like("list", self.name):
            detail = f"Use 1 to {LONGEST_LIST_NAME} characters without blanks around them, no id."
            faults.append(Fault("/name", "bad_name", detail))
        if find_currency(self.currency) is None:
            detail = "Use an ISO 4217 code, such as EUR."
            faults.append(Fault("/currency", "unknown_currency", detail))
        if faults:
            raise InvalidInput("The price list isn't valid.", faults=faults, code="bad_price_list")


@frozen
class ListDifference:
    """What another content changes: entries that it has in all, by what becomes of them."""

    entries: int
    added: int
    changed: int
    removed: int
    unchanged: int

    @property
    def changes(self) -> bool:
        """Whether anything changes."""
        return bool(self.added or self.changed or self.removed)


@frozen(kw_only=True)
class ListVersion:
    """A version of a list: when it began, who made it, what it changed.

    `sha256` is that of the file; `reverted_to` is the version whose content it brought back.
    """

    list_id: str
    version: int
    published_at: datetime
    actor: str
    difference: ListDifference
    sha256: str | None = None
    reverted_to: int | None = None


@frozen
class ListProblem:
    """What is wrong with a record of a list's file; a `column` of None means the whole record."""

    line: int
    column: str | None
    code: str
    value: str | None
    hint: str


@frozen
class ListReport:
    """What became of a file, or would become of it.

    Without problems it was (or would be) taken as `version`, which is the current one if nothing
    changes. With problems nothing changes; `rejected` records have one, and the first are listed.
    """

    list_id: str
    version: int
    records: int
    rejected: int
    difference: ListDifference | None
    problems: tuple[ListProblem, ...] = ()


@frozen
class ListQuery:
    """Selects price lists, oldest first: all of them."""

    IDENTITY: ClassVar = "ListQuery()"
