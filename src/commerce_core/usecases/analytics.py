"""Analytics: reports of sales, and the entries of the ledger behind them."""

from collections.abc import Generator, Iterator
from contextlib import contextmanager
from typing import Final

from attrs import evolve, frozen

from commerce_core.analytics.entries_file import write_entries
from commerce_core.analytics.ledger import EntryQuery, SalesEntry
from commerce_core.analytics.reconciliation import Reconciliation, complete
from commerce_core.analytics.rollup import MOST_ROLLED
from commerce_core.base.errors import Forbidden
from commerce_core.base.paging import DEFAULT_LIMIT, Page, Position, every
from commerce_core.usecases.context import Listed
from commerce_core.usecases.reports import Reports

ENTRIES_AT_ONCE: Final = 1_000
"""Entries that are read at once, when all are."""
_ANY_ENTRY: Final = EntryQuery()


@frozen
class Analytics(Reports):
    """Figures computed from the sales ledger, per currency and never converted."""

    def entries(
        self, query: EntryQuery = _ANY_ENTRY, *, partner: str | None = None
    ) -> Iterator[SalesEntry]:
        """All matching entries of the ledger, newest first; their figures add up."""
        own = self._context.own(query, partner)

        def fetch(after: Position | None) -> Page[SalesEntry]:
            with self._context.store.read_only() as unit:
                return unit.sales.page(own, after, ENTRIES_AT_ONCE)

        return (entry.signed for entry in every(fetch))

    def page_entries(
        self,
        query: EntryQuery = _ANY_ENTRY,
        cursor: str | None = None,
        limit: int = DEFAULT_LIMIT,
        *,
        partner: str | None = None,
        count: bool = False,
    ) -> Listed[SalesEntry]:
        """A page of the matching entries, newest first; their figures add up."""
        own = self._context.own(query, partner)
        with self._context.store.read_only() as unit:
            page = self._context.listed(unit.sales, own, cursor, limit, count=count)
        return evolve(page, items=tuple(entry.signed for entry in page.items))

    @contextmanager
    def export_entries(
        self, query: EntryQuery = _ANY_ENTRY, *, partner: str | None = None
    ) -> Generator[Iterator[bytes]]:
        """The matching entries as CSV, in blocks of bytes."""
        yield write_entries(self.entries(query, partner=partner))

    def reconciliation(self) -> Reconciliation:
        """Compares what is kept in different places, all as of one moment; the operator's alone."""
        if self._context.principal.partner_id is not None:
            raise Forbidden("Only the operator can reconcile the books.", code="operators_only")
        at = self._context.clock()
        with self._context.store.begin() as unit:
            return complete(unit.books.checks(), at)

    def roll_up(self) -> int:
        """Prepares the entries written meanwhile for faster reports, and returns how many."""
        rolled, more = 0, MOST_ROLLED
        while more >= MOST_ROLLED:
            with self._context.store.begin() as unit:
                more = unit.sales.roll_up(MOST_ROLLED)
            rolled += more
        return rolled
