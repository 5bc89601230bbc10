"""Statements: closing the cycles that are over, payouts and corrections, and what is owed now."""

from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from decimal import Decimal
from typing import Final, Literal

from attrs import evolve, field, frozen

from commerce_core.analytics.ledger import EntryKind, SalesEntry
from commerce_core.analytics.reconciliation import StatementDifference
from commerce_core.analytics.statement import (
    LINES_AT_ONCE,
    Account,
    Statement,
    StatementLine,
    StatementQuery,
    Sums,
    statement_closed,
)
from commerce_core.base.errors import Conflict, Fault, InvalidInput, NotFound, no_such, refuse_if
from commerce_core.base.ids import parse
from commerce_core.base.money import LARGEST_AMOUNT, Currency, currency, find_currency
from commerce_core.base.paging import DEFAULT_LIMIT
from commerce_core.base.text import UNSTORABLE
from commerce_core.history.lineage import Lineage
from commerce_core.orders.line import OrderItem
from commerce_core.orders.order import LineExplanation
from commerce_core.partners.partner import Partner
from commerce_core.partners.terms import PartnerTerms
from commerce_core.ports.store import UnitOfWork
from commerce_core.usecases.context import Context, IdempotencyKey, Listed
from commerce_core.usecases.history import History
from commerce_core.usecases.orders import Orders

MOST_CLOSED: Final = 1_000
"""Statements that are closed by one call; the next call goes on."""
LONGEST_REASON: Final = 500
_ANY: Final = StatementQuery()


@frozen
class Closing:
    """The statements that a call has closed; `more` is whether others are over too."""

    closed: tuple[Statement, ...] = field(factory=tuple)
    more: bool = False


@frozen
class Trace:
    """Where a figure of a statement comes from, down to the line of a file."""

    entry: SalesEntry
    statement_id: str | None
    item: OrderItem | None
    explanation: LineExplanation | None
    lineage: Lineage | None
    note: str | None = None


@frozen
class Statements:
    """What partners are owed. A partner sees its own; acts are the operator's."""

    _context: Context

    def list(
        self, query: StatementQuery = _ANY, *, partner: str | None = None
    ) -> Iterator[Statement]:
        """All matching closed statements, newest first."""
        own = self._context.own(query, partner)
        return self._context.walk(lambda unit: unit.statements, own)

    def page(
        self,
        query: StatementQuery = _ANY,
        cursor: str | None = None,
        limit: int = DEFAULT_LIMIT,
        *,
        partner: str | None = None,
        count: bool = False,
    ) -> Listed[Statement]:
        """A page of the matching closed statements, newest first."""
        own = self._context.own(query, partner)
        with self._context.store.read_only() as unit:
            return self._context.listed(unit.statements, own, cursor, limit, count=count)

    def get(self, statement_id: str) -> Statement:
        """The closed statement with that id."""
        with self._context.store.read_only() as unit:
            return self._context.seen("stmt", statement_id, unit.statements.get)

    @contextmanager
    def file(self, statement_id: str) -> Generator[Iterator[bytes]]:
        """The CSV of a closed statement, in blocks; its digest is that of the statement."""
        statement = self.get(statement_id)
        id_ = parse("stmt", statement_id)

        def fetch(after: str | None) -> Sequence[StatementLine]:
            with self._context.store.read_only() as unit:
                return unit.statements.lines(id_, after, LINES_AT_ONCE)

        sums = Sums(id_, statement.currency, statement.since, statement.until, statement.opening)
        yield sums.written(_all(fetch))

    def open(self, *, partner: str | None = None) -> Sequence[Statement]:
        """What isn't in a closed statement yet, by partner and currency, as one statement each."""
        now = self._context.clock()
        with self._context.store.begin() as unit:
            wanted = self._context.partner_filter(unit, partner)
            return [self._open(unit, account, now) for account in unit.statements.accounts(wanted)]

    def _open(self, unit: UnitOfWork, account: Account, now: datetime) -> Statement:
        owner = unit.partners.get(account.partner_id)
        cycle = _terms(unit, owner).cycle
        since, until = account.next(cycle, owner.time_zone, now)
        sums = _sums(account, "", since, until)

        def fetch(after: str | None) -> Sequence[StatementLine]:
            return unit.statements.open_lines(
                account.partner_id, account.currency, until, after, LINES_AT_ONCE
            )

        return sums.add(_all(fetch)).open(account, cycle, owner.time_zone, now)

    def close(self, *, partner: str | None = None, until: datetime | None = None) -> Closing:
        """Closes every statement that is over (at `until`, if given), oldest first.

        Each is closed in a transaction of its own, so what was interrupted goes on where it was.
        Conflict `statement_closed` if it is given, and all of the partner's are closed up to there.
        """
        now = self._context.clock()
        at = now if until is None else until
        refuse_if(
            "The statements can't be closed yet.",
            (at > now, Fault("/to", "not_over", "`to` must not be in the future.")),
        )
        with self._context.store.begin() as unit:
            accounts = unit.statements.accounts(self._context.partner_filter(unit, partner))
        if until is not None and accounts:
            _check_not_closed(accounts, until)
        closed: list[Statement] = []
        for account in accounts:
            following: Account | None = account
            while following and following.may_be_due(at):
                if len(closed) == MOST_CLOSED:
                    return Closing(tuple(closed), more=True)
                statement = self._close_next(following, at)
                closed += [statement] if statement else []
                following = evolve(following, latest=statement) if statement else None
        return Closing(tuple(closed))

    def check(self) -> int:
        """Compares each closed statement with what it was made of; returns the number that differ.

        It counts once for each identity that doesn't hold. What differs is an item of the
        operator's inbox until a later comparison finds it gone.
        """
        with self._context.store.begin() as unit:
            return unit.books.note_differences(self._context.clock())

    def differences(self, statement_id: str) -> Sequence[StatementDifference]:
        """In what a statement differed when they were last compared; none but for operators."""
        statement = self.get(statement_id)
        if self._context.principal.partner_id is not None:
            return ()
        with self._context.store.read_only() as unit:
            found = unit.books.differences(statement.partner_id)
        return [each for each in found if each.statement_id == statement.statement_id]

    def _close_next(self, account: Account, at: datetime) -> Statement | None:
        """The account's next statement, closed; None if it isn't over."""
        with self._context.writing() as unit:
            owner = unit.partners.lock(account.partner_id)
            account = next(
                known
                for known in unit.statements.accounts(account.partner_id)
                if known.currency == account.currency
            )
            cycle = _terms(unit, owner).cycle
            since, until = account.next(cycle, owner.time_zone)
            if until > at or _is_at_rest(unit, owner, account):
                return None
            return self._closed(unit, account, (since, until), owner)

    def _closed(
        self, unit: UnitOfWork, account: Account, span: tuple[datetime, datetime], owner: Partner
    ) -> Statement:
        id_, now = self._context.mint("stmt"), self._context.clock()
        unit.statements.take(id_, account.partner_id, account.currency, span[1])

        def fetch(after: str | None) -> Sequence[StatementLine]:
            return unit.statements.lines(id_, after, LINES_AT_ONCE)

        sums = _sums(account, id_, *span).add(_all(fetch))
        statement = sums.closed(account, _terms(unit, owner).cycle, owner.time_zone, now)
        unit.statements.add(statement)
        unit.events.add([self._context.new_event().closed(statement)])
        self._context.note(unit, "statement.closed", id_, partner_id=account.partner_id)
        return statement

    def pay_out(
        self,
        partner: str,
        amount: Decimal,
        *,
        currency: str,
        reference: str,
        advance: bool = False,
        key: IdempotencyKey | str | None = None,
    ) -> SalesEntry:
        """Records that the partner was paid; `reference` is that of the bank.

        Conflict `more_than_owed` if that is more than it is owed, unless it is an `advance`.
        """
        money = _checked("payout", amount, currency, ("/reference", reference))
        request = ("pay_out", partner, str(money.round(amount)), currency, reference, advance)

        def make(unit: UnitOfWork, owner: Partner) -> SalesEntry:
            owed = money.round(unit.statements.owed(owner.partner_id, money.code))
            if amount > owed and not advance:
                raise _more_than_owed(owner, owed, money)
            entry = self._entry("payout", owner, money, amount, reference)
            self._context.note(
                unit, "payout.added", entry.entry_id, partner_id=owner.partner_id,
                note=f"{entry.amount} {money.code}, {reference}",
            )  # fmt: skip
            unit.events.add([self._context.new_event().paid_out(entry)])
            return entry

        return self._added(partner, key, request, make)

    def correct(
        self,
        partner: str,
        amount: Decimal,
        *,
        currency: str,
        reason: str,
        reverses: str | None = None,
        key: IdempotencyKey | str | None = None,
    ) -> SalesEntry:
        """Adds to what the partner is owed, or takes from it (an amount below 0).

        Conflict `more_than_reversible` if it takes back more of the entry that it `reverses` than
        is left of it.
        """
        money = _checked("correction", amount, currency, ("/reason", reason))
        request = ("correct", partner, str(money.round(amount)), currency, reason, reverses)

        def make(unit: UnitOfWork, owner: Partner) -> SalesEntry:
            if reverses is not None:
                wrong = unit.sales.get(parse("ent", reverses))
                _check_reversible(wrong, owner, money)
                _check_left([wrong, *unit.sales.reversing(wrong)], amount, money)
            entry = self._entry("correction", owner, money, amount, reason)
            entry = evolve(entry, reverses=reverses and parse("ent", reverses))
            self._context.note(
                unit, "correction.added", entry.entry_id, partner_id=owner.partner_id,
                note=f"{amount} {money.code}: {reason}",
            )  # fmt: skip
            return entry

        return self._added(partner, key, request, make)

    def _added(
        self,
        partner: str,
        key: IdempotencyKey | str | None,
        request: Sequence[object],
        make: Callable[[UnitOfWork, Partner], SalesEntry],
    ) -> SalesEntry:
        with self._context.writing() as unit:

            def once() -> SalesEntry:
                owner = unit.partners.lock(self._context.partner(unit, partner).partner_id)
                entry = make(unit, owner)
                unit.sales.add([entry])
                return entry

            return self._context.once(unit, key, request, once, answer=SalesEntry).signed

    def _entry(
        self, kind: EntryKind, owner: Partner, money: Currency, amount: Decimal, reason: str
    ) -> SalesEntry:
        exact = money.round(amount)
        whole = exact if kind == "payout" else money.zero
        return SalesEntry(
            self._context.mint("ent"), kind, self._context.clock(), None, None, owner.partner_id,
            None, None, money.code, 0, whole, money.zero, whole, exact, money.zero, reason=reason,
        )  # fmt: skip

    def trace(self, entry_id: str) -> Trace:
        """Follows an entry to its order line, the explanation of its price, and the feed's line."""
        with self._context.store.begin() as unit:
            entry = self._context.seen("ent", entry_id, unit.sales.get)
            statement_id = unit.statements.of_entry(entry.entry_id)
        if entry.order_id is None:
            return Trace(entry.signed, statement_id, None, None, None, "It is of no order.")
        orders = Orders(self._context)
        items = {item.item_id: item for item in orders.get(entry.order_id).items}
        lines = {line.item_id: line for line in orders.explain(entry.order_id).items}
        item = items[entry.item_id or ""]
        try:
            lineage = History(self._context).lineage(item.product_id, item.product_version)
        except NotFound as gone:
            return Trace(entry.signed, statement_id, item, lines[item.item_id], None, str(gone))
        return Trace(entry.signed, statement_id, item, lines[item.item_id], lineage)


def _sums(account: Account, id_: str, since: datetime, until: datetime) -> Sums:
    latest = account.latest
    opening = latest.closing if latest else currency(account.currency).zero
    return Sums(id_, account.currency, since, until, opening)


def _all(fetch: Callable[[str | None], Sequence[StatementLine]]) -> Iterator[StatementLine]:
    """All lines, which are fetched some at a time."""
    some = fetch(None)
    while some:
        yield from some
        some = fetch(some[-1].entry.entry_id) if len(some) == LINES_AT_ONCE else ()


def _terms(unit: UnitOfWork, owner: Partner) -> PartnerTerms:
    id_ = owner.partner_id
    return unit.terms.of([id_]).get(id_) or PartnerTerms(id_)


def _is_at_rest(unit: UnitOfWork, owner: Partner, account: Account) -> bool:
    """Whether the partner is gone, and nothing is left to be settled with it."""
    if owner.status != "offboarded" or (account.latest and account.latest.closing):
        return False
    known = (account.partner_id, account.currency)
    return not unit.statements.open_lines(*known, datetime.max.replace(tzinfo=UTC), None, 1)


def _check_not_closed(accounts: Sequence[Account], until: datetime) -> None:
    latest = [account.latest for account in accounts]
    if all(one is not None and one.until >= until for one in latest) and latest[0] is not None:
        raise statement_closed(latest[0])


def _checked(
    kind: Literal["payout", "correction"], amount: Decimal, code: str, named: tuple[str, str]
) -> Currency:
    """The currency; InvalidInput with all that is wrong with the amount, its currency or the text.

    `named` is the text, after its place.
    """
    money, (place, text) = find_currency(code), named
    is_exact = (
        amount.is_finite()
        and abs(amount) <= LARGEST_AMOUNT
        and (money is None or money.is_exact(amount))
    )
    is_possible = is_exact and (amount > 0 if kind == "payout" else amount != 0)
    other = "above 0" if kind == "payout" else "other than 0"
    decimals = f", with {money.exponent} decimals" if money else ""
    detail = f"Use an amount {other}, at most {LARGEST_AMOUNT}{decimals}."
    unknown = f"{code[:20]!r} is not an ISO 4217 currency code."
    refuse_if(
        f"The {kind} isn't valid.",
        (not is_possible, Fault("/amount", "bad_amount", detail)),
        (money is None, Fault("/currency", "unknown_currency", unknown)),
        (
            not 1 <= len(text.strip()) <= LONGEST_REASON or bool(UNSTORABLE.search(text)),
            Fault(place, "bad_text", f"Use 1 to {LONGEST_REASON} characters, without NUL."),
        ),
    )
    return currency(code)


def _check_reversible(entry: SalesEntry, owner: Partner, money: Currency) -> None:
    if entry.partner_id != owner.partner_id:
        raise no_such("ledger entry", entry.entry_id)
    if entry.currency != money.code:
        detail = f"The entry is in {entry.currency}, not in {money.code}."
        raise InvalidInput.at("/currency", "other_currency", detail)


def _check_left(entries: Sequence[SalesEntry], amount: Decimal, money: Currency) -> None:
    """Conflict unless the amount takes back what is left of an entry, or less of it.

    The others reverse the first.
    """
    left = sum((entry.signed.partner_amount for entry in entries), money.zero)
    if not min(-left, money.zero) <= amount <= max(-left, money.zero):
        raise Conflict(
            f"The entry can be put right by {-left} {money.code} at most.",
            "Check the amount; if it corrects something else, leave `reverses` out.",
            code="more_than_reversible",
            shown={"reversible": -left},
        )


def _more_than_owed(owner: Partner, owed: Decimal, money: Currency) -> Conflict:
    return Conflict(
        f"{owner.partner_name} is owed {owed} {money.code}, which is less than that.",
        "Check the amount, or record it as an advance.",
        code="more_than_owed",
    )
