"""Terms: what the platform takes from a partner's sales, by category, sku and time, in versions.

The terms as of an order are frozen on its lines, so a change concerns later orders only. For a line
holds the term of its sku, else that of the longest category it lies in, else the one for all.
"""

from collections.abc import Iterator, Sequence
from datetime import datetime
from decimal import Decimal
from itertools import combinations
from typing import Final, Literal

from attrs import field, frozen

from commerce_core.base.errors import Conflict, Fault, refuse_if
from commerce_core.base.money import LARGEST_AMOUNT, find_currency
from commerce_core.base.text import UNSTORABLE

MOST_TERMS: Final = 500
LONGEST_SCOPE: Final = 1_000
"""Maximum length of the sku or category of a term."""
MOST_DECIMALS: Final = 4
"""Maximum number of decimals of a percentage."""
PATH: Final = " > "
"""What separates the steps of a category."""
_ZERO: Final = Decimal(0)

Cycle = Literal["day", "week", "month"]
"""How long a statement covers."""


@frozen
class Term:
    """A commission in percent, and a fee for each order line in that currency.

    It holds for one sku, one category and those below it, or everything; from `since` (inclusive,
    None: always) to `until` (exclusive, None: on and on).
    """

    commission_percent: Decimal = _ZERO
    fee: Decimal = _ZERO
    currency: str | None = None
    category: str | None = None
    sku: str | None = None
    since: datetime | None = None
    until: datetime | None = None

    def holds(self, sku: str, category: str | None, at: datetime) -> bool:
        """Whether it is for such a product, at that moment."""
        within = (self.since is None or self.since <= at) and (
            self.until is None or at < self.until
        )
        return within and self.sku in (None, sku) and self._is_above(category)

    def _is_above(self, category: str | None) -> bool:
        path = self.category
        return path is None or category == path or (category or "").startswith(path + PATH)

    @property
    def closeness(self) -> tuple[bool, int]:
        """How closely it describes a product; the closest term that holds is the one."""
        return self.sku is not None, len(self.category or "")

    def overlaps(self, other: "Term") -> bool:
        """Whether both are for the same products at some moment."""
        if (self.sku, self.category) != (other.sku, other.category):
            return False
        return _begins_before(self, other) and _begins_before(other, self)


def _begins_before(one: Term, other: Term) -> bool:
    return one.since is None or other.until is None or one.since < other.until


@frozen
class PartnerTerms:
    """A version of a partner's terms, and the cycle of its statements.

    Version 0 is that of a partner without terms: no commission, no fee, statements by month.
    """

    partner_id: str
    version: int = 0
    cycle: Cycle = "month"
    terms: tuple[Term, ...] = field(default=(), converter=tuple)
    created_at: datetime | None = None

    def check(self) -> None:
        """InvalidInput with every fault of the terms, unless there is none."""
        faults = (*_count(self.terms), *_each(self.terms), *_overlaps(self.terms))
        refuse_if("The terms aren't valid.", *((True, fault) for fault in faults))

    def of(
        self, sku: str, category: str | None, code: str, at: datetime
    ) -> tuple[Decimal, Decimal]:
        """The commission in percent and the fee for a line in that currency."""
        held = [term for term in self.terms if term.holds(sku, category, at)]
        if not held:
            return _ZERO, _ZERO
        closest = max(held, key=lambda term: term.closeness)
        return closest.commission_percent, closest.fee if closest.currency == code else _ZERO


def terms_changed(terms: PartnerTerms) -> Conflict:
    """The refusal of a version that was stored already."""
    return Conflict(
        f"Somebody else has just changed the terms; there is a version {terms.version} already.",
        "Read them again, and repeat the change if it is still needed.",
        code="terms_changed",
    )


def _count(terms: Sequence[Term]) -> Iterator[Fault]:
    if len(terms) > MOST_TERMS:
        yield Fault("/terms", "too_many_terms", f"A partner has at most {MOST_TERMS} terms.")


def _each(terms: Sequence[Term]) -> Iterator[Fault]:
    for number, term in enumerate(terms[:MOST_TERMS]):
        at = f"/terms/{number}"
        if not _is_percent(term.commission_percent):
            detail = f"Use 0 to 100, with at most {MOST_DECIMALS} decimals."
            yield Fault(f"{at}/commission_percent", "bad_percent", detail)
        yield from _of_fee(at, term)
        if term.category is not None and term.sku is not None:
            yield Fault(at, "two_scopes", "Name a category or a sku, not both.")
        for name in ("category", "sku"):
            text: str | None = getattr(term, name)
            if text is not None and not _is_text(text):
                detail = f"Use 1 to {LONGEST_SCOPE} characters, without NUL."
                yield Fault(f"{at}/{name}", f"bad_{name}", detail)
        if term.since and term.until and term.since >= term.until:
            yield Fault(f"{at}/to", "bad_range", "`to` must be after `from`.")


def _of_fee(at: str, term: Term) -> Iterator[Fault]:
    money = find_currency(term.currency) if term.currency is not None else None
    if term.currency is not None and (money is None or money.code != term.currency):
        yield Fault(f"{at}/currency", "unknown_currency", "Use an ISO 4217 code, such as USD.")
    elif not term.fee.is_finite() or not 0 <= term.fee <= LARGEST_AMOUNT:
        yield Fault(f"{at}/fee", "bad_fee", f"Use 0 to {LARGEST_AMOUNT}.")
    elif money is None and term.fee:
        yield Fault(f"{at}/currency", "required", "A fee needs its currency.")
    elif money is not None and not money.is_exact(term.fee):
        detail = f"{money.code} has {money.exponent} decimals."
        yield Fault(f"{at}/fee", "too_many_decimals", detail)


def _overlaps(terms: Sequence[Term]) -> Iterator[Fault]:
    pairs = combinations(enumerate(terms[:MOST_TERMS]), 2)
    for (one, first), (other, second) in pairs:
        if first.overlaps(second):
            detail = (
                f"It is for the same products and times as term {one + 1}. Let one of them end"
                " before the other begins, or leave it out."
            )
            yield Fault(f"/terms/{other}", "overlapping_terms", detail)
            return


def _is_percent(percent: Decimal) -> bool:
    if not percent.is_finite() or not 0 <= percent <= 100:  # noqa: PLR2004 - percents
        return False
    exponent = percent.normalize().as_tuple().exponent
    return isinstance(exponent, int) and -exponent <= MOST_DECIMALS


def _is_text(text: str) -> bool:
    return 1 <= len(text) <= LONGEST_SCOPE and not UNSTORABLE.search(text)
