"""Price lists in memory: the entries of each version as a whole."""

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from itertools import zip_longest

from attrs import define, evolve, field

from adapters.memory.pages import by_id, page_of
from adapters.memory.tables import Tables, found
from commerce_core.base.errors import NotFound
from commerce_core.base.paging import Page, Position
from commerce_core.ports.price_lists import Repeated, list_name_taken
from commerce_core.pricing.price_list import (
    ListDifference,
    ListPrices,
    ListQuery,
    ListSpell,
    ListVersion,
    PackedEntries,
    PriceList,
)

Entries = Mapping[tuple[str, int], Decimal]


@define
class PriceLists:
    """Implements `commerce_core.ports.price_lists.PriceLists`."""

    _kept: Tables
    _staged: Entries = field(factory=dict[tuple[str, int], Decimal])

    def page(self, query: ListQuery, after: Position | None, limit: int) -> Page[PriceList]:
        """Pages of lists."""
        del query
        rows = list(self._kept.price_lists.values())
        return page_of(rows, lambda each: by_id(each.list_id), after, limit, descending=False)

    def count(self, query: ListQuery) -> int:
        """How many lists there are."""
        del query
        return len(self._kept.price_lists)

    def add(self, price_list: PriceList) -> None:
        """Keeps an empty list."""
        if self.find(price_list.name):
            raise list_name_taken(price_list.name)
        self._kept.price_lists[price_list.list_id] = price_list

    def get(self, list_id: str) -> PriceList:
        """The list."""
        return found(self._kept.price_lists, list_id, "price list")

    def find(self, name: str) -> PriceList | None:
        """The list with that name."""
        return next((each for each in self._kept.price_lists.values() if each.name == name), None)

    def lock(self, list_id: str) -> PriceList:
        """The list; units are one after the other anyway."""
        return self.get(list_id)

    def stage(self, entries: PackedEntries, limit: int) -> Sequence[Repeated]:
        """Keeps entries for `compare`."""
        lines: dict[tuple[str, int], int] = {}
        staged: dict[tuple[str, int], Decimal] = {}
        repeated: list[Repeated] = []
        for entry in entries:
            key = entry.sku, entry.minimum_quantity
            if key in lines:
                repeated.append(Repeated(entry.line, *key, lines[key]))
            else:
                lines[key], staged[key] = entry.line, entry.price
        self._staged = staged
        return sorted(repeated, key=lambda each: each.line)[:limit]

    def stage_version(self, list_id: str, version: int) -> None:
        """Keeps the entries of a version for `compare`."""
        self._staged = self._entries(list_id, version)

    def _entries(self, list_id: str, version: int) -> Entries:
        if version == 0:
            return {}
        known = self._kept.list_entries.get((list_id, version))
        if known is None:
            raise NotFound(f"The price list has no version {version}.", code="no_version")
        return known

    def compare(self, list_id: str) -> ListDifference:
        """What would change."""
        before, after = self._entries(list_id, self.get(list_id).version), self._staged
        both = [before[key] == price for key, price in after.items() if key in before]
        return ListDifference(
            len(after), len(after) - len(both), both.count(False), len(before) - len(both),
            both.count(True),
        )  # fmt: skip

    def apply(self, version: ListVersion) -> None:
        """Makes the staged entries the next version."""
        self._kept.list_entries[version.list_id, version.version] = self._staged
        before = self._kept.list_versions.get(version.list_id, ())
        self._kept.list_versions[version.list_id] = (*before, version)
        self._kept.price_lists[version.list_id] = evolve(
            self.get(version.list_id), version=version.version,
            entries=version.difference.entries, updated_at=version.published_at,
        )  # fmt: skip

    def versions(self, list_id: str) -> Sequence[ListVersion]:
        """All versions, the newest first."""
        self.get(list_id)
        return self._kept.list_versions.get(list_id, ())[::-1]

    def prices(
        self,
        list_ids: Collection[str],
        skus: Collection[str],
        currency: str,
        as_of: datetime | None = None,
    ) -> ListPrices:
        """The entries of these skus."""
        known: dict[str, dict[str, tuple[tuple[int, Decimal], ...]]] = {}
        for list_id in list_ids:
            price_list = self._kept.price_lists.get(list_id)
            if price_list is not None and price_list.currency == currency:
                entries = self._entries(list_id, self._version_at(list_id, as_of))
                by_sku: defaultdict[str, list[tuple[int, Decimal]]] = defaultdict(list)
                for (sku, quantity), price in sorted(entries.items()):
                    if sku in skus:
                        by_sku[sku].append((quantity, price))
                known[list_id] = {sku: tuple(steps) for sku, steps in by_sku.items()}
        return known

    def _version_at(self, list_id: str, at: datetime | None) -> int:
        begun = (v.version for v in self.versions(list_id) if at is None or v.published_at <= at)
        return max(begun, default=0)

    def spells(
        self, list_ids: Collection[str], skus: Collection[str], since: datetime
    ) -> Sequence[ListSpell]:
        """The prices of one unit in each version."""
        return [
            ListSpell(list_id, self._kept.price_lists[list_id].currency, sku, price, begun, ended)
            for list_id in list_ids
            if list_id in self._kept.price_lists
            for number, begun, ended in self._times(list_id)
            if ended is None or ended > since
            for (sku, quantity), price in self._entries(list_id, number).items()
            if quantity == 1 and sku in skus
        ]

    def _times(self, list_id: str) -> Iterable[tuple[int, datetime, datetime | None]]:
        """The number of each version, when it began, and when it ended."""
        versions = self._kept.list_versions.get(list_id, ())
        for version, later in zip_longest(versions, versions[1:]):
            yield version.version, version.published_at, later.published_at if later else None
