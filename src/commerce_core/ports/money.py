"""Ports: what is agreed with partners, and the statements of what they are owed."""

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from typing import Protocol

from commerce_core.analytics.reconciliation import Check, Identity, StatementDifference
from commerce_core.analytics.statement import Account, Statement, StatementLine, StatementQuery
from commerce_core.partners.terms import PartnerTerms
from commerce_core.ports.listing import Listing


class Terms(Protocol):
    """The terms of partners; every version is kept."""

    def of(self, partner_ids: Collection[str]) -> Mapping[str, PartnerTerms]:
        """The latest version of each of these partners that has terms."""
        ...

    def put(self, terms: PartnerTerms) -> None:
        """Stores the next version; Conflict `terms_changed` if it was stored already."""
        ...

    def versions(self, partner_id: str) -> Sequence[PartnerTerms]:
        """All versions, newest first."""
        ...


class Statements(Listing[StatementQuery, Statement], Protocol):
    """Closed statements, newest first, and which entries each has taken."""

    def accounts(self, partner_id: str | None = None) -> Sequence[Account]:
        """The series of statements (of that partner, if given), by partner and currency.

        A partner has one in each currency in which it has entries, and in its own currency since
        it was added.
        """
        ...

    def take(self, statement_id: str, partner_id: str, code: str, until: datetime) -> None:
        """Gives the statement every entry before `until` that no statement has."""
        ...

    def add(self, statement: Statement) -> None:
        """Stores a closed statement, which never changes.

        Conflict `statement_closed` if one of that number exists.
        """
        ...

    def get(self, statement_id: str) -> Statement:
        """The statement, or NotFound."""
        ...

    def lines(self, statement_id: str, after: str | None, limit: int) -> Sequence[StatementLine]:
        """Its lines, by the id of their entries, beyond that entry."""
        ...

    def open_lines(
        self, partner_id: str, code: str, until: datetime, after: str | None, limit: int
    ) -> Sequence[StatementLine]:
        """The same for the entries before `until` that no statement has."""
        ...

    def owed(self, partner_id: str, code: str) -> Decimal:
        """What the partner is owed now: its latest closing, and all entries since."""
        ...

    def of_entry(self, entry_id: str) -> str | None:
        """The statement that has taken the entry."""
        ...


class Books(Protocol):
    """What is kept in different places, compared."""

    def checks(self) -> Mapping[Identity, Check]:
        """Every identity that has something to compare, all as of one moment."""
        ...

    def note_differences(self, at: datetime) -> int:
        """Compares all statements, keeps which of them differ, and returns how many differences.

        They replace those that were kept before; one that was kept already has its first time from
        then. At most `MOST_DIFFERENCES` are kept.
        """
        ...

    def differences(self, partner_id: str | None) -> Sequence[StatementDifference]:
        """The kept differences, by statement and identity."""
        ...


class MoneyUnit(Protocol):
    """The part of a unit of work for what partners are owed."""

    @property
    def terms(self) -> Terms:
        """The terms of partners."""
        ...

    @property
    def statements(self) -> Statements:
        """The statements of what they are owed."""
        ...

    @property
    def books(self) -> Books:
        """What reconciliation compares."""
        ...
