"""Statements: what a partner is owed after each cycle, as sums of entries that never change again.

    opening + entries - payouts = closing          opening of the next = closing of this one

A partner has a series of statements in each currency, without gaps. Closing one takes every entry
of its time, and of earlier times, that no statement has taken yet; so each entry is in exactly one,
and what is learned later goes to the next.
"""

from collections.abc import Iterable, Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from hashlib import sha256
from itertools import islice
from typing import ClassVar, Final, Literal, Protocol

from attrs import define, field, frozen

from commerce_core.analytics.entries_file import cell
from commerce_core.analytics.ledger import SalesEntry
from commerce_core.base.calendar import check_range, period_start, periods
from commerce_core.base.errors import Conflict
from commerce_core.base.money import currency
from commerce_core.parsing.delimited import written
from commerce_core.partners.terms import Cycle

STATEMENT_COLUMNS: Final = (
    "line", "at", "entry_id", "order_id", "item_id", "part_id", "refund_id", "sku", "currency",
    "quantity", "amount", "platform_amount", "partner_amount", "balance", "reverses",
    "reverses_statement_id", "reason",
)  # fmt: skip
"""The columns of a statement's file. Its digest depends on them, so they never change."""
LINES_AT_ONCE: Final = 2_000
"""Lines that are read, or written, at once."""
_LONGEST_CYCLE: Final = timedelta(days=70)
_SHORTEST_CYCLE: Final = timedelta(hours=20)


@frozen
class Statement:
    """What a partner is owed in one currency, from `since` (inclusive) to `until` (exclusive).

    `entries` are what its entries add to what is owed, payouts aside. `digest` is the SHA-256 of
    its CSV. An open one isn't over yet, and has neither id nor digest; it knows all entries up to
    `complete_to`.
    """

    statement_id: str | None
    partner_id: str
    currency: str
    number: int
    since: datetime
    until: datetime
    tz: str
    cycle: Cycle
    opening: Decimal
    entries: Decimal
    payouts: Decimal
    closing: Decimal
    entry_count: int
    status: Literal["open", "closed"]
    digest: str | None
    complete_to: datetime
    closed_at: datetime | None


def statement_closed(statement: Statement) -> Conflict:
    """The refusal to close a statement twice."""
    return Conflict(
        f"Nothing is left to close up to then: a statement that ends at "
        f"{statement.until.isoformat()} is closed already.",
        "A closed statement never changes. What became known later is in the next one.",
        code="statement_closed",
    )


@frozen
class StatementLine:
    """An entry; `reverses_statement_id` is another statement that has what it reverses."""

    entry: SalesEntry
    reverses_statement_id: str | None = None


@frozen
class StatementQuery:
    """Selects the closed statements that match every given filter, newest first."""

    IDENTITY: ClassVar = (
        "StatementQuery(partner_id={0.partner_id!r}, currency={0.currency!r}, since={0.since!r}, "
        "until={0.until!r})"
    )
    partner_id: str | None = None
    currency: str | None = None
    since: datetime | None = None
    until: datetime | None = None

    def __attrs_post_init__(self) -> None:
        check_range(self.since, self.until)


@frozen
class Account:
    """A partner's series of statements in one currency: its beginning, and its latest statement."""

    partner_id: str
    currency: str
    begins_at: datetime | None
    latest: Statement | None = None

    def may_be_due(self, now: datetime) -> bool:
        """Whether another statement can be over; False is certain."""
        return self.latest is None or now - self.latest.until >= _SHORTEST_CYCLE

    def next(
        self, cycle: Cycle, zone: str, now: datetime | None = None
    ) -> tuple[datetime, datetime]:
        """The span of the next statement; a new cycle or zone begins where the last one ended.

        With `now`, the span of all that isn't closed: to the end of the cycle that is under way.
        """
        if self.latest is not None:
            since = self.latest.until
        elif self.begins_at is not None:
            since = period_start(self.begins_at, cycle, zone)
        else:
            raise AssertionError("an account without statements has a beginning")
        within = since if now is None else max(since, now)
        _, until = islice(periods(within, within + _LONGEST_CYCLE, cycle, zone), 2)
        return since, until


class Digest(Protocol):
    """A SHA-256 under way."""

    def update(self, data: bytes, /) -> None:
        """Takes more bytes."""
        ...

    def hexdigest(self) -> str:
        """That of the bytes so far."""
        ...


@define
class Sums:
    """The file of a statement while it is written, and afterwards what it adds up to."""

    statement_id: str
    currency: str
    since: datetime
    until: datetime
    opening: Decimal
    entries: Decimal = Decimal(0)
    payouts: Decimal = Decimal(0)
    entry_count: int = 0
    _digest: "Digest" = field(factory=sha256, init=False)

    @property
    def closing(self) -> Decimal:
        """What is owed at the end."""
        return self._shown(self.opening + self.entries - self.payouts)

    @property
    def digest(self) -> str:
        """The SHA-256 of what was written so far."""
        return self._digest.hexdigest()

    def written(self, lines: Iterable[StatementLine]) -> Iterator[bytes]:
        """The CSV in blocks: the opening, each line with the balance after it, and the closing."""
        yield self._block([list(STATEMENT_COLUMNS), self._bounds("opening", self.since)])
        left = iter(lines)
        while some := list(islice(left, LINES_AT_ONCE)):
            yield self._block([self._cells(line) for line in some])
        yield self._block([self._bounds("closing", self.until)])

    def add(self, lines: Iterable[StatementLine]) -> "Sums":
        """Takes all lines, and is itself with their sums."""
        for _ in self.written(lines):
            pass
        return self

    def _block(self, rows: list[list[str]]) -> bytes:
        block = "".join(f"{written(row, ',')}\n" for row in rows).encode()
        self._digest.update(block)
        return block

    def _cells(self, line: StatementLine) -> list[str]:
        entry = line.entry.signed
        if entry.kind == "payout":
            self.payouts -= entry.partner_amount
        else:
            self.entries += entry.partner_amount
        self.entry_count += 1
        known = {
            "line": entry.kind,
            "balance": self.closing,
            "reverses_statement_id": line.reverses_statement_id,
        }
        return [
            cell(name, known[name] if name in known else getattr(entry, name))
            for name in STATEMENT_COLUMNS
        ]

    def _bounds(self, name: str, at: datetime) -> list[str]:
        known = {"line": name, "at": at, "currency": self.currency, "balance": self.closing}
        return [cell(column, known.get(column)) for column in STATEMENT_COLUMNS]

    def _shown(self, amount: Decimal) -> Decimal:
        return currency(self.currency).round(amount)

    def closed(self, account: Account, cycle: Cycle, zone: str, at: datetime) -> Statement:
        """The statement, closed."""
        return self._statement(account, (cycle, zone), self.statement_id, at)

    def open(self, account: Account, cycle: Cycle, zone: str, at: datetime) -> Statement:
        """The statement as it would be now."""
        return self._statement(account, (cycle, zone), None, at)

    def _statement(
        self, account: Account, terms: tuple[Cycle, str], id_: str | None, at: datetime
    ) -> Statement:
        cycle, zone = terms
        return Statement(
            statement_id=id_,
            partner_id=account.partner_id,
            currency=self.currency,
            number=account.latest.number + 1 if account.latest else 1,
            since=self.since,
            until=self.until,
            tz=zone,
            cycle=cycle,
            opening=self._shown(self.opening),
            entries=self._shown(self.entries),
            payouts=self._shown(self.payouts),
            closing=self.closing,
            entry_count=self.entry_count,
            status="open" if id_ is None else "closed",
            digest=None if id_ is None else self.digest,
            complete_to=min(at, self.until).astimezone(UTC),
            closed_at=None if id_ is None else at,
        )
