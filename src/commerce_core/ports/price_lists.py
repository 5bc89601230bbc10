"""Port: price lists with their versions."""

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Protocol

from attrs import frozen

from commerce_core.base.errors import Conflict
from commerce_core.ports.listing import Listing
from commerce_core.pricing.price_list import (
    ListDifference,
    ListPrices,
    ListQuery,
    ListSpell,
    ListVersion,
    PackedEntries,
    PriceList,
)


@frozen
class Repeated:
    """An entry of a file whose sku and minimum quantity an earlier line has."""

    line: int
    sku: str
    minimum_quantity: int
    first_line: int


class PriceLists(Listing[ListQuery, PriceList], Protocol):
    """Price lists, oldest first. All versions of their entries are kept."""

    def add(self, price_list: PriceList) -> None:
        """Stores an empty list; Conflict `list_name_taken` if another one has its name."""
        ...

    def get(self, list_id: str) -> PriceList:
        """The list, or NotFound."""
        ...

    def find(self, name: str) -> PriceList | None:
        """The list with that name."""
        ...

    def lock(self, list_id: str) -> PriceList:
        """The list, or NotFound. No other unit changes it until this one ends."""
        ...

    def stage(self, entries: PackedEntries, limit: int) -> Sequence[Repeated]:
        """Keeps entries in this unit, for `compare`; returns the first repeated ones, by line."""
        ...

    def stage_version(self, list_id: str, version: int) -> None:
        """Keeps the entries of a version in this unit, for `compare`; NotFound if it never was."""
        ...

    def compare(self, list_id: str) -> ListDifference:
        """What the staged entries, none of them repeated, would change in a list."""
        ...

    def apply(self, version: ListVersion) -> None:
        """Makes the staged entries the next version of the list, which was locked before."""
        ...

    def versions(self, list_id: str) -> Sequence[ListVersion]:
        """All versions of a list, the newest first; NotFound if there is no such list."""
        ...

    def prices(
        self,
        list_ids: Collection[str],
        skus: Collection[str],
        currency: str,
        as_of: datetime | None = None,
    ) -> ListPrices:
        """The entries of these skus in the lists in that currency, now or as of a moment."""
        ...

    def spells(
        self, list_ids: Collection[str], skus: Collection[str], since: datetime
    ) -> Sequence[ListSpell]:
        """What one unit of these skus has cost on these lists since that moment, in any order."""
        ...


class PriceListsUnit(Protocol):
    """The part of a unit of work for price lists."""

    @property
    def price_lists(self) -> PriceLists:
        """The price lists."""
        ...


def list_name_taken(name: str) -> Conflict:
    """The refusal of a list whose name is another's."""
    return Conflict(
        f"There already is a price list named {name!r}.",
        "Choose another name, or send that list's content.",
        code="list_name_taken",
    )
