"""Terms and statements in memory."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime
from decimal import Decimal

from attrs import frozen

from adapters.memory.pages import agrees, by_id, page_of, within
from adapters.memory.tables import Tables, found
from commerce_core.analytics.ledger import SalesEntry
from commerce_core.analytics.statement import (
    Account,
    Statement,
    StatementLine,
    StatementQuery,
    statement_closed,
)
from commerce_core.base.paging import Page, Position
from commerce_core.partners.terms import PartnerTerms, terms_changed

_ZERO = Decimal(0)


@frozen
class Terms:
    """Implements `commerce_core.ports.money.Terms`."""

    _kept: Tables

    def of(self, partner_ids: Collection[str]) -> Mapping[str, PartnerTerms]:
        """The latest versions."""
        kept = self._kept.terms
        return {id_: kept[id_][0] for id_ in partner_ids if id_ in kept}

    def put(self, terms: PartnerTerms) -> None:
        """Keeps the next version."""
        former = self._kept.terms.get(terms.partner_id, ())
        if former and former[0].version >= terms.version:
            raise terms_changed(terms)
        self._kept.terms[terms.partner_id] = (terms, *former)

    def versions(self, partner_id: str) -> Sequence[PartnerTerms]:
        """All versions, newest first."""
        return self._kept.terms.get(partner_id, ())


@frozen
class Statements:
    """Implements `commerce_core.ports.money.Statements`."""

    _kept: Tables

    def page(self, query: StatementQuery, after: Position | None, limit: int) -> Page[Statement]:
        """Pages of statements."""
        return page_of(
            self._fitting(query), lambda one: by_id(one.statement_id or ""), after, limit
        )

    def count(self, query: StatementQuery) -> int:
        """How many statements fit."""
        return len(self._fitting(query))

    def _fitting(self, query: StatementQuery) -> list[Statement]:
        return [
            statement
            for statement in self._kept.statements.values()
            if agrees(query, statement, "partner_id", "currency")
            and within(statement.until, query.since, query.until)
        ]

    def accounts(self, partner_id: str | None = None) -> Sequence[Account]:
        """All series of statements."""
        begins: dict[tuple[str, str], datetime] = {}
        for partner in self._kept.partners.values():
            if partner.currency is not None:
                begins[partner.partner_id, partner.currency] = partner.created_at
        for entry in self._kept.entries.values():
            key = (entry.partner_id, entry.currency)
            begins[key] = min(begins.get(key, entry.at), entry.at)
        latest = self._latest()
        return [
            Account(*key, begins.get(key), latest.get(key))
            for key in sorted(begins.keys() | latest.keys())
            if partner_id in (None, key[0])
        ]

    def _latest(self) -> dict[tuple[str, str], Statement]:
        ordered = sorted(self._kept.statements.values(), key=lambda one: one.number)
        return {(one.partner_id, one.currency): one for one in ordered}

    def take(self, statement_id: str, partner_id: str, code: str, until: datetime) -> None:
        """Gives the statement what none has."""
        for entry in list(self._open(partner_id, code)):
            if entry.at < until:
                self._kept.taken[entry.entry_id] = statement_id

    def _open(self, partner_id: str, code: str) -> Iterable[SalesEntry]:
        return (
            entry
            for entry in self._kept.entries.values()
            if (entry.partner_id, entry.currency) == (partner_id, code)
            and entry.entry_id not in self._kept.taken
        )

    def add(self, statement: Statement) -> None:
        """Keeps a statement."""
        names = ("partner_id", "currency", "number")
        for other in self._kept.statements.values():
            if agrees(statement, other, *names):
                raise statement_closed(other)
        self._kept.statements[statement.statement_id or ""] = statement

    def get(self, statement_id: str) -> Statement:
        """The statement."""
        return found(self._kept.statements, statement_id, "statement")

    def lines(self, statement_id: str, after: str | None, limit: int) -> Sequence[StatementLine]:
        """What the statement has taken."""
        taken = [
            self._kept.entries[entry_id]
            for entry_id, by in self._kept.taken.items()
            if by == statement_id
        ]
        return self._lines(taken, statement_id, after, limit)

    def open_lines(
        self, partner_id: str, code: str, until: datetime, after: str | None, limit: int
    ) -> Sequence[StatementLine]:
        """What no statement has taken."""
        entries = (entry for entry in self._open(partner_id, code) if entry.at < until)
        return self._lines(entries, None, after, limit)

    def _lines(
        self, entries: Iterable[SalesEntry], own: str | None, after: str | None, limit: int
    ) -> Sequence[StatementLine]:
        beyond = [entry for entry in entries if after is None or entry.entry_id > after]
        beyond.sort(key=lambda entry: entry.entry_id)
        return [StatementLine(entry, self._elsewhere(entry, own)) for entry in beyond[:limit]]

    def _elsewhere(self, entry: SalesEntry, own: str | None) -> str | None:
        """The other statement that has what the entry reverses."""
        taken = self.of_entry(entry.reverses) if entry.reverses else None
        return None if taken == own else taken

    def owed(self, partner_id: str, code: str) -> Decimal:
        """The latest closing, and what came since."""
        latest = self._latest().get((partner_id, code))
        since = (entry.signed.partner_amount for entry in self._open(partner_id, code))
        return sum(since, latest.closing if latest else _ZERO)

    def of_entry(self, entry_id: str) -> str | None:
        """The statement that has taken the entry."""
        return self._kept.taken.get(entry_id)
