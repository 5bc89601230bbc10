"""Reconciliation: identities that hold at any moment between what is kept in different places.

Each compares two figures of many subjects: of every order, line, statement, product. A store
computes them all from one moment; `judged` says what that amounts to.
"""

from collections.abc import Iterable, Mapping
from datetime import datetime
from decimal import Decimal
from typing import Final, Literal, get_args

from attrs import field, frozen

Identity = Literal[
    "lines_make_orders",
    "lines_are_placed",
    "units_are_placed",
    "ledger_makes_orders",
    "lines_went_back",
    "parts_are_placed",
    "parts_make_orders",
    "refunds_make_parts",
    "fulfilments_make_lines",
    "parts_make_entries",
    "reversals_fit",
    "rollups_make_ledger",
    "rollups_count_entries",
    "rollups_count_orders",
    "units_are_held",
    "uses_are_counted",
    "money_is_counted",
    "statements_add_up",
    "statements_follow",
    "statements_join",
    "statements_make_ledger",
    "entries_belong",
    "publications_have_no_gap",
    "publications_make_versions",
    "versions_have_no_gap",
    "catalogs_add_up",
]
IDENTITIES: Final[Mapping[Identity, tuple[str, str]]] = {
    "lines_make_orders": ("the totals of an order's lines", "the order's total"),
    "lines_are_placed": ("a line's total", "what the ledger has as placed"),
    "units_are_placed": ("a line's units", "the units that the ledger has as placed"),
    "ledger_makes_orders": ("what the ledger has of an order", "its total, less what went back"),
    "lines_went_back": ("what went back of a line's money", "what the ledger has of that"),
    "parts_are_placed": ("what a part's lines owe its partner", "what the ledger has as placed"),
    "parts_make_orders": ("what was refunded of an order's parts", "the order's refunded amount"),
    "refunds_make_parts": ("a part's refunds", "what was refunded of its lines"),
    "fulfilments_make_lines": ("the units of a line in fulfilments", "its fulfilled units"),
    "parts_make_entries": ("both parts of an entry", "its amount"),
    "reversals_fit": ("what reverses an entry", "as much of it as there was"),
    "rollups_make_ledger": ("the money in rollups and above the horizon", "that of all entries"),
    "rollups_count_entries": ("the entries in rollups and above the horizon", "all entries"),
    "rollups_count_orders": ("the orders in rollups", "those of the ledger below the horizon"),
    "units_are_held": ("the units held of a product", "the units that orders deduct"),
    "uses_are_counted": ("the uses counted of a price rule", "the orders that used it"),
    "money_is_counted": ("the money counted of a price rule", "what orders took of it"),
    "statements_add_up": ("a statement's closing", "opening + entries - payouts"),
    "statements_follow": ("a statement's opening", "the closing of the one before"),
    "statements_join": ("a statement's start, in seconds", "the end of the one before"),
    "statements_make_ledger": ("entries - payouts of a statement", "the sum of its entries"),
    "entries_belong": ("the entries of a statement", "those of its partner, currency and time"),
    "publications_have_no_gap": ("the number of publications", "the latest number"),
    "publications_make_versions": ("the versions of a publication", "the changes it has counted"),
    "versions_have_no_gap": ("the versions kept of a product", "the numbers they should have"),
    "catalogs_add_up": ("the products of a partner", "created + restored - removed by its jobs"),
}
"""What is compared: the left figure, and the right one."""
MOST_DIFFERENCES: Final = 200
"""The most differences of statements that are kept."""
MOST_FAILURES: Final = 20
"""The most rows that are listed of an identity that fails."""


@frozen
class Compared:
    """The two figures of one subject."""

    identity: Identity
    subject: str
    left: Decimal
    right: Decimal


@frozen
class StatementDifference:
    """An identity that doesn't hold for a closed statement.

    The times are those of the first and the latest comparison that found it.
    """

    statement_id: str
    partner_id: str
    number: int
    currency: str
    identity: Identity
    left: Decimal
    right: Decimal
    first_at: datetime
    latest_at: datetime

    @property
    def sentence(self) -> str:
        """The two figures in words."""
        left, right = IDENTITIES[self.identity]
        return f"{left[0].upper()}{left[1:]}: {self.left:,f}; {right}: {self.right:,f}."


@frozen
class Failure:
    """A subject whose figures differ."""

    subject: str
    left: Decimal
    right: Decimal


@frozen
class Check:
    """An identity: how many subjects were compared, the sums of both figures, and what fails.

    `failures` are the first ones by subject; `failed` is how many there are.
    """

    identity: Identity
    left: str
    right: str
    compared: int
    left_sum: Decimal
    right_sum: Decimal
    failed: int
    failures: tuple[Failure, ...] = field(factory=tuple)

    @classmethod
    def nothing(cls, identity: Identity) -> "Check":
        """One that had nothing to compare."""
        return cls(identity, *IDENTITIES[identity], 0, Decimal(0), Decimal(0), 0)


@frozen
class Reconciliation:
    """All identities, as of one moment."""

    at: datetime
    checks: tuple[Check, ...]

    @property
    def ok(self) -> bool:
        """Whether all of them hold."""
        return not any(check.failed for check in self.checks)


def judged(compared: Iterable[Compared]) -> dict[Identity, Check]:
    """The reference: the identities that had something to compare."""
    groups: dict[Identity, list[Compared]] = {}
    for each in compared:
        groups.setdefault(each.identity, []).append(each)
    return {identity: _check(identity, rows) for identity, rows in groups.items()}


def _check(identity: Identity, rows: list[Compared]) -> Check:
    failing = sorted((r for r in rows if r.left != r.right), key=lambda row: row.subject)
    return Check(
        identity,
        *IDENTITIES[identity],
        compared=len(rows),
        left_sum=sum((row.left for row in rows), Decimal(0)),
        right_sum=sum((row.right for row in rows), Decimal(0)),
        failed=len(failing),
        failures=tuple(Failure(r.subject, r.left, r.right) for r in failing[:MOST_FAILURES]),
    )


def complete(found: Mapping[Identity, Check], at: datetime) -> Reconciliation:
    """Every identity, those with nothing to compare too."""
    names: tuple[Identity, ...] = get_args(Identity)
    return Reconciliation(at, tuple(found.get(name) or Check.nothing(name) for name in names))
