"""Product queries: which products they match, and which queries are refused."""

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest

from commerce_core.base.errors import InvalidInput
from commerce_core.catalog.product import Product, ProductQuery
from commerce_core.catalog.query import (
    LONGEST_SEARCH,
    MOST_SKUS,
    MOST_WORDS,
    fitting,
    tidied,
    too_broad,
)
from tests.contracts.samples import SECOND, T0


def product(**values: object) -> Product:
    made: dict[str, Any] = {
        "product_id": "prod_1", "partner_id": "ptn_1", "partner_name": "Acme", "source_id": "src_1",
        "sku": "A-1", "product_name": "Trail Shoe", "feed_id": "feed_1", "line": 2,
        "publication_id": "pub_1", "created_at": T0, "updated_at": T0,
        "price": Decimal("10.00"), "currency": "EUR",
    }  # fmt: skip
    made.update(values)
    return Product(**made)


def fits(query: dict[str, Any], **values: object) -> bool:
    return fitting(ProductQuery(**query))(product(**values))


@pytest.mark.parametrize(
    ("category", "below"),
    [("A > B", True), ("A > B > C", True), ("A > Bx", False), ("A", False), (None, False),
     ("a > b", False), ("X > A > B", False)],
)  # fmt: skip
def test_a_category_stands_for_all_below_it(category: str | None, below: bool):
    assert fits({"category": "A > B"}, category=category) is below


@pytest.mark.parametrize(
    ("price", "inside"),
    [
        ("4.99", False),
        ("5.00", True),
        ("9.99", True),
        ("10", True),
        ("10.01", False),
        (None, False),
    ],
)
def test_a_range_of_prices_has_its_ends(price: str | None, inside: bool):
    query = {"currency": "EUR", "price_min": Decimal(5), "price_max": Decimal(10)}
    assert fits(query, price=price and Decimal(price)) is inside


def test_what_can_be_sold_depends_on_units_held():
    assert fits({"sellable": True}, quantity=2, reserved=1)
    assert not fits({"sellable": True}, quantity=2, reserved=2)
    assert fits({"sellable": False}, quantity=2, reserved=2)
    assert fits({"sellable": True}, quantity=2, reserved=2, availability="backorder")
    assert not fits({"sellable": True, "status": "all"}, status="removed")


def test_a_time_counts_from_its_moment_on():
    assert fits({"updated_since": T0})
    assert not fits({"updated_since": T0 + SECOND})


@pytest.mark.parametrize(
    "q", ["shoe", "SHOE trail", "hoe", "a-1 TRAIL", "nike", "outdoor shoe", "42"]
)
def test_every_word_is_in_what_is_searched(q: str):
    assert fits({"q": q}, brand="Nike", category="Outdoor", options="Size: 42")


@pytest.mark.parametrize("q", ["shoes", "trailshoe", "shoe boot", "nikeoutdoor", "cosy"])
def test_a_product_lacks_a_word(q: str):
    """Words go from no field into the next, and descriptions aren't searched."""
    assert not fits({"q": q}, brand="Nike", category="Outdoor", description="cosy")


def test_a_query_is_tidied():
    query = ProductQuery(currency=" eur ", brand=" Nike ", category="A>B  > C>", q="Red shoe")
    tidy = ProductQuery(currency="EUR", brand="Nike", category="A > B > C", q="Red shoe")
    assert tidied(query) == tidied(tidy) == tidy


@pytest.mark.parametrize(
    ("query", "faults"),
    [
        ({"price_min": Decimal(1)}, [("/price_min", "needs_currency")]),
        ({"price_max": Decimal(1)}, [("/price_max", "needs_currency")]),
        ({"price_max": Decimal("NaN"), "price_min": Decimal(1), "currency": "EUR"},
         [("/price_max", "not_an_amount")]),
        ({"price_min": Decimal(-1), "currency": "EUR"}, [("/price_min", "not_an_amount")]),
        ({"price_min": Decimal(2), "price_max": Decimal(1), "currency": "EUR"},
         [("/price_max", "bad_range")]),
        ({"sort_by": "price"}, [("/sort_by", "needs_currency")]),
        ({"q": " "}, [("/q", "bad_words")]),
        ({"q": ""}, [("/q", "bad_length")]),
        ({"q": "x" * (LONGEST_SEARCH + 1)}, [("/q", "bad_length")]),
        ({"q": " ".join(map(str, range(MOST_WORDS + 1)))}, [("/q", "bad_words")]),
        ({"q": "a\0"}, [("/q", "bad_text")]),
        ({"brand": " "}, [("/brand", "bad_length")]),
        ({"brand": "\ud800"}, [("/brand", "bad_text")]),
        ({"category": " > "}, [("/category", "bad_length")]),
        ({"skus": ("A",) * (MOST_SKUS + 1)}, [("/sku", "too_many")]),
        ({"skus": ("A", "")}, [("/sku", "bad_length")]),
        ({"skus": ("A\0",)}, [("/sku", "bad_text")]),
        ({"updated_since": datetime(2026, 1, 1)}, [("/updated_since", "not_a_time")]),  # noqa: DTZ001
    ],
)  # fmt: skip
def test_what_means_nothing_is_refused(query: dict[str, Any], faults: list[tuple[str, str]]):
    with pytest.raises(InvalidInput) as refused:
        tidied(ProductQuery(**query))
    assert [(fault.pointer, fault.code) for fault in refused.value.faults] == faults


@pytest.mark.parametrize(
    "query",
    [
        {"q": "x" * LONGEST_SEARCH},
        {"q": " ".join(map(str, range(MOST_WORDS)))},
        {"skus": ("A",) * MOST_SKUS},
        {"price_min": Decimal(1), "price_max": Decimal(1), "currency": "EUR"},
        {"sort_by": "price", "partner_id": "ptn_1"},
        {"sort_by": "price", "currency": "EUR"},
        {"updated_since": datetime(2026, 1, 1, tzinfo=UTC)},
    ],
)
def test_what_is_just_within_a_limit_is_asked(query: dict[str, Any]):
    assert tidied(ProductQuery(**query)) == ProductQuery(**query)


@pytest.mark.parametrize(
    ("query", "what", "pointer"),
    [
        ({"q": "x"}, "list", "/q"),
        ({"sort_by": "brand"}, "list", "/sort_by"),
        ({}, "count", "/count"),
    ],
)
def test_a_query_that_is_too_broad_is_refused_with_ways_to_narrow_it(
    query: dict[str, Any], what: str, pointer: str
):
    refusal = too_broad(ProductQuery(**query), what)
    assert refusal.code == "too_broad"
    assert [fault.pointer for fault in refusal.faults] == [pointer]
    assert "Filter by partner" in str(refusal)
