"""What is given with a basket, and an order that costs something else than expected."""

from decimal import Decimal

import pytest

from commerce_core.base.errors import Fault, InvalidInput
from commerce_core.pricing.basket_terms import (
    LONGEST_TERM,
    MOST_CODES,
    BasketTerms,
    price_changed,
)
from commerce_core.pricing.priced import BasketItem
from tests.unit.core.pricing.shop import price, product

LAMP = product("A", "10.00")
TEXT = ("bad_text", f"Use 1 to {LONGEST_TERM} characters, without NUL.")
CODES = tuple(f"C{n}" for n in range(MOST_CODES + 1))


@pytest.mark.parametrize(
    ("terms", "faults"),
    [
        (BasketTerms(CODES[1:]), []),
        (BasketTerms(CODES), [Fault("/codes", "too_many", f"Use at most {MOST_CODES} codes.")]),
        (BasketTerms(("a", "b", "A ")), [
            Fault("/codes/2", "duplicate_code", "Name each code once."),
        ]),
        (BasketTerms(("", "x" * (LONGEST_TERM + 1))), [
            Fault("/codes/0", *TEXT), Fault("/codes/1", *TEXT),
        ]),
        (BasketTerms((), "", "g\x00", "c" * LONGEST_TERM), [
            Fault("/customer", *TEXT), Fault("/customer_group", *TEXT),
        ]),
        (BasketTerms((), "c", "g", "x" * (LONGEST_TERM + 1)), [Fault("/channel", *TEXT)]),
    ],
)  # fmt: skip
def test_terms_are_short_texts_and_codes_named_once(terms: BasketTerms, faults: list[Fault]):
    if not faults:
        terms.check()
        return
    with pytest.raises(InvalidInput) as refusal:
        terms.check()
    assert refusal.value.detail == "The terms of the price aren't valid."
    assert list(refusal.value.faults) == faults


def test_a_basket_has_its_terms():
    basket = BasketTerms(("x",), "c", "g", "w").basket((BasketItem(LAMP, 2),))
    assert (basket.codes, basket.customer, basket.customer_group, basket.channel) == (
        ("x",), "c", "g", "w",
    )  # fmt: skip
    assert basket.items == (BasketItem(LAMP, 2),)


def test_a_price_that_changed_is_shown_beside_the_one_expected():
    refused = price_changed(Decimal("19.99"), price([(LAMP, 2)]))
    assert refused.code == "price_changed"
    assert refused.detail == "The order costs 20.00 EUR, but 19.99 EUR was expected."
    assert refused.remedy == "Ask the customer whether to order at the new price."
    assert refused.shown == {
        "expected_total": Decimal("19.99"), "total_amount": Decimal("20.00"), "currency": "EUR",
    }  # fmt: skip
