"""What a plan shows of changes."""

from decimal import Decimal

import pytest

from commerce_core.plans.changes import Sample, SampledField
from commerce_core.schema.fields import Value


@pytest.mark.parametrize("sent", ["1.5", "1.50", "1.500"])
def test_an_amount_is_shown_with_the_decimals_of_its_currency(sent: str) -> None:
    before: dict[str, Value] = {"product_name": "Cup", "price": Decimal(sent), "currency": "EUR"}
    sample = Sample.of(
        "updated", "A", 2, "prod_1", before=before,
        values={"price": Decimal("900.0"), "currency": "JPY"},
    )  # fmt: skip
    assert sample.fields == (
        SampledField("price", "1.50", "900"),
        SampledField("currency", "EUR", "JPY"),
    )


def test_an_amount_that_its_currency_cannot_have_is_shown_as_it_is() -> None:
    before: dict[str, Value] = {"product_name": "Cup", "price": Decimal("1.505")}
    sample = Sample.of("removed", "A", 2, "prod_1", before=before, values={"price": None})
    assert sample.fields == (SampledField("price", "1.505", None),)
