"""Products with prices: what is included, and everything that the product has."""

from decimal import Decimal

import pytest
from attrs import asdict, evolve

from commerce_core.base.errors import InvalidInput
from commerce_core.pricing.priced_product import INCLUDES, Include, PricedProduct, check_include
from commerce_core.pricing.public_price import PublicPrice
from tests.unit.core.pricing.shop import product

PRICE = PublicPrice(Decimal("8.00"), Decimal("9.00"), 30)
LAMP = product("A", "10.00", brand="Acme", attributes={"Colour": "red"})


def test_a_priced_product_has_all_that_the_product_has() -> None:
    priced = PricedProduct.of(LAMP, PRICE, INCLUDES)
    assert priced == PricedProduct(
        **asdict(LAMP, recurse=False),
        included=INCLUDES,
        selling_price=Decimal("8.00"),
        prior_price=Decimal("9.00"),
        prior_price_days=30,
    )
    assert evolve(priced, brand="Nord").brand == "Nord"
    assert (LAMP.brand, priced.brand, priced.sellable) == ("Acme", "Acme", LAMP.sellable)


def test_what_is_not_included_is_none() -> None:
    def prices(*included: Include) -> tuple[Decimal | None, Decimal | None, int | None]:
        priced = PricedProduct.of(LAMP, PRICE, included)
        return priced.selling_price, priced.prior_price, priced.prior_price_days

    assert prices("selling_price") == (Decimal("8.00"), None, None)
    assert prices("prior_price") == (None, Decimal("9.00"), 30)


def test_what_is_to_be_included_is_put_in_order_or_refused() -> None:
    assert check_include([]) == ()
    assert check_include(["prior_price", "selling_price", "prior_price"]) == INCLUDES
    assert check_include(["prior_price"]) == ("prior_price",)
    with pytest.raises(InvalidInput) as refusal:
        check_include(["prior_price", "x" * 90])
    (fault,) = refusal.value.faults
    assert (fault.pointer, fault.code) == ("/include", "not_one_of")
    assert fault.detail == f"'{'x' * 80}' can't be included; use selling_price or prior_price."
