"""Terms: which one holds for a line, and what is refused."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from attrs import evolve

from commerce_core.base.errors import InvalidInput
from commerce_core.partners.terms import (
    LONGEST_SCOPE,
    MOST_TERMS,
    PartnerTerms,
    Term,
)

T0 = datetime(2026, 3, 1, tzinfo=UTC)
DAY = timedelta(days=1)


def terms(*each: Term) -> PartnerTerms:
    return PartnerTerms("ptn", 1, terms=each)


def percent(agreed: PartnerTerms, sku: str, category: str | None, at: datetime = T0) -> int:
    return int(agreed.of(sku, category, "EUR", at)[0])


def test_the_closest_term_holds():
    """That of the sku, else of the longest category, else the one for everything."""
    agreed = terms(
        Term(Decimal(1)),
        Term(Decimal(2), category="Shoes"),
        Term(Decimal(3), category="Shoes > Boots"),
        Term(Decimal(4), sku="B-1"),
    )
    assert percent(agreed, "A", None) == 1
    assert percent(agreed, "A", "Hats") == 1
    assert percent(agreed, "A", "Shoes") == 2
    assert percent(agreed, "A", "Shoes > Sandals") == 2
    assert percent(agreed, "A", "Shoesandmore") == 1
    assert percent(agreed, "A", "Shoes > Boots > High") == 3
    assert percent(agreed, "B-1", "Shoes > Boots") == 4
    assert percent(terms(), "A", None) == 0


def test_a_term_holds_from_its_start_until_before_its_end():
    agreed = terms(Term(Decimal(1), until=T0), Term(Decimal(2), since=T0, until=T0 + DAY))
    assert [percent(agreed, "A", None, T0 + step) for step in (-DAY, 0 * DAY, DAY)] == [1, 2, 0]
    assert percent(agreed, "A", None, T0 + DAY - timedelta.resolution) == 2


def test_a_fee_is_taken_in_its_currency_only():
    agreed = terms(Term(fee=Decimal("0.30"), currency="EUR"))
    assert agreed.of("A", None, "EUR", T0) == (0, Decimal("0.30"))
    assert agreed.of("A", None, "USD", T0) == (0, 0)


def refused(*each: Term) -> list[tuple[str, str]]:
    with pytest.raises(InvalidInput) as refusal:
        terms(*each).check()
    return [(fault.pointer, fault.code) for fault in refusal.value.faults]


GOOD = Term(Decimal("12.5"), Decimal("0.30"), "EUR", since=T0)


@pytest.mark.parametrize(
    ("term", "fault"),
    [
        (evolve(GOOD, commission_percent=Decimal("-0.01")), ("/commission_percent", "bad_percent")),
        (
            evolve(GOOD, commission_percent=Decimal("100.01")),
            ("/commission_percent", "bad_percent"),
        ),
        (
            evolve(GOOD, commission_percent=Decimal("1.00001")),
            ("/commission_percent", "bad_percent"),
        ),
        (evolve(GOOD, commission_percent=Decimal("NaN")), ("/commission_percent", "bad_percent")),
        (evolve(GOOD, fee=Decimal(-1)), ("/fee", "bad_fee")),
        (evolve(GOOD, fee=Decimal(10) ** 12), ("/fee", "bad_fee")),
        (evolve(GOOD, fee=Decimal("0.301")), ("/fee", "too_many_decimals")),
        (evolve(GOOD, currency=None), ("/currency", "required")),
        (evolve(GOOD, currency="eur"), ("/currency", "unknown_currency")),
        (evolve(GOOD, currency="???"), ("/currency", "unknown_currency")),
        (evolve(GOOD, sku="A", category="B"), ("", "two_scopes")),
        (evolve(GOOD, sku=""), ("/sku", "bad_sku")),
        (evolve(GOOD, sku="a\0"), ("/sku", "bad_sku")),
        (evolve(GOOD, category="x" * (LONGEST_SCOPE + 1)), ("/category", "bad_category")),
        (evolve(GOOD, until=T0), ("/to", "bad_range")),
    ],
)
def test_a_term_that_makes_no_sense_is_refused(term: Term, fault: tuple[str, str]):
    assert refused(GOOD if term.sku == "x" else term) == [(f"/terms/0{fault[0]}", fault[1])]


def test_limits_are_met():
    for percents in ("0", "100", "100.0000", "0.0001"):
        terms(evolve(GOOD, commission_percent=Decimal(percents))).check()
    terms(evolve(GOOD, sku="x" * LONGEST_SCOPE)).check()
    many = [Term(sku=str(number)) for number in range(MOST_TERMS)]
    terms(*many).check()
    assert refused(*many, Term()) == [("/terms", "too_many_terms")]


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (Term(), Term()),
        (Term(since=T0), Term()),
        (Term(since=T0), Term(until=T0 + timedelta.resolution)),
        (Term(sku="A", until=T0), Term(sku="A", since=T0 - DAY)),
        (Term(category="A", since=T0, until=T0 + 2 * DAY), Term(category="A", since=T0 + DAY)),
    ],
)
def test_terms_that_overlap_are_refused(one: Term, other: Term):
    assert refused(one, other) == [("/terms/1", "overlapping_terms")]
    assert refused(other, one) == [("/terms/1", "overlapping_terms")]


def test_terms_that_meet_or_are_for_other_products_do_not_overlap():
    terms(
        Term(until=T0), Term(since=T0), Term(sku="A"), Term(sku="a"), Term(category="A"),
        Term(category="A > B"),
    ).check()  # fmt: skip
