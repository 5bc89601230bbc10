"""Which rules are looked at: what a rule requires, and what a product has."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from commerce_core.pricing.index import MOST_KEYS, Reach, keys_of_product, reach_of
from tests.unit.core.pricing.shop import product, rule

TEN: dict[str, Any] = {"percent": "10"}
ENDS = datetime(2026, 4, 1, tzinfo=UTC)
SUMMER: dict[str, Any] = {"window": {"until": "2026-08-31", "tz": "UTC"}}
MARCH: dict[str, Any] = {"window": {"until": "2026-03-31", "tz": "UTC"}}
SKUS = [f"S{n}" for n in range(MOST_KEYS)]
MANY = [{"sku": SKUS[start : start + 500]} for start in range(0, MOST_KEYS, 500)]


@pytest.mark.parametrize(
    ("condition", "keys", "basket_keys", "ends"),
    [
        ({"sku": ["A", "B"]}, {"sku=A", "sku=B"}, None, None),
        ({"code": " Spring "}, {"code=spring"}, {"code=spring"}, None),
        ({"attribute": {"name": "size", "in": ["M"]}}, {"attribute=size=M"}, None, None),
        ({"quantity": {"min": 2}}, None, None, None),
        ({"not": {"sku": "A"}}, None, None, None),
        ({"all": [{"brand": "A"}, {"sku": ["A", "B"]}]}, {"sku=A", "sku=B"}, None, None),
        ({"all": [{"brand": ["A", "B"]}, {"brand": ["B"]}]}, {"brand=B"}, None, None),
        ({"any": [{"brand": "A"}, {"sku": "B"}]}, {"brand=A", "sku=B"}, None, None),
        ({"any": [{"brand": "A"}, {"total": {"min": "2"}}]}, None, None, None),
        (
            {"all": [{"any": [{"sku": "A"}, {"brand": "B"}]}, {"source": "S"}]},
            {"sku=A", "brand=B"}, None, None,
        ),
        (
            {"all": [{"any": [{"sku": "A"}, {"channel": "web"}]}, {"source": "S"}]},
            {"source=S"}, None, None,
        ),
        (
            {"all": [{"sku": "A"}, {"all": [{"channel": "web"}, {"code": ["x", "y"]}, MARCH]}]},
            {"code=x", "code=y"}, {"code=x", "code=y"}, ENDS,
        ),
        ({"all": [SUMMER, MARCH, {"window": {"from": "2026-01-01", "tz": "UTC"}}]},
         None, None, ENDS),
        ({"any": [MARCH, {"customer": "c"}]}, None, None, None),
        ({"any": MANY}, {f"sku={sku}" for sku in SKUS}, None, None),
        ({"any": [*MANY, {"sku": "another"}]}, None, None, None),
    ],
)  # fmt: skip
def test_what_a_condition_requires(
    condition: dict[str, Any],
    keys: set[str] | None,
    basket_keys: set[str] | None,
    ends: datetime | None,
):
    assert reach_of(rule(TEN, condition=condition).rule) == Reach(keys, basket_keys, ends)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("benefit", "keys"),
    [
        (TEN, None),
        ({"n_for_m": {"buy": 1, "get": 1, "percent": "5"}}, None),
        ({"n_for_m": {"buy": 1, "get": 1, "percent": "5", "targets": {"sku": "A"}}}, None),
        (
            {"n_for_m": {"buy": 1, "get": 1, "percent": "5", "qualifiers": {"brand": "A"}}},
            {"brand=A"},
        ),
        (
            {"n_for_m": {"buy": 1, "get": 1, "percent": "5", "qualifiers": {"brand": "A"},
                         "targets": {"sku": "B"}}},
            {"brand=A", "sku=B"},
        ),
        (
            {"bundle": {"items": [{"sku": "A"}, {"sku": "B"}], "price": "5"}},
            {"sku=A", "sku=B"},
        ),
    ],
)  # fmt: skip
def test_what_a_benefit_requires(benefit: dict[str, Any], keys: set[str] | None):
    assert reach_of(rule(benefit).rule) == Reach(keys, None, None)  # type: ignore[arg-type]
    beside = rule(benefit, condition={"source": "S"}).rule
    assert reach_of(beside).keys == (keys or {"source=S"})


def test_a_basket_is_reached_until_the_end_if_it_has_a_key():
    until, coded = Reach(None, None, ENDS), Reach(None, frozenset({"code=x", "code=y"}), None)
    nothing = Reach(None, None, None)
    assert until.includes(frozenset(), ENDS - timedelta(microseconds=1))
    assert not until.includes(frozenset(), ENDS)
    assert coded.includes(frozenset({"code=y", "channel=web"}), ENDS)
    assert not coded.includes(frozenset({"channel=web"}), ENDS)
    assert nothing.includes(frozenset(), ENDS)
    assert [each.is_limited for each in (until, coded, nothing)] == [True, True, False]


def test_the_keys_of_a_product():
    made = product(
        "A", "1.00", brand="Acme", category="Shoes > Boots", group_id="g",
        attributes={"size": "M", "colour": "red"},
    )  # fmt: skip
    assert keys_of_product(made) == {
        "partner=p1", "partner=Partner", "source=main", "category=Shoes",
        "category=Shoes > Boots", "brand=Acme", "sku=A", "group_id=g", "attribute=size=M",
        "attribute=colour=red",
    }  # fmt: skip
    assert keys_of_product(product("A", "1.00")) == {
        "partner=p1", "partner=Partner", "source=main", "sku=A",
    }  # fmt: skip
