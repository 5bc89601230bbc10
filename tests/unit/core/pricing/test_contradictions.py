"""Which conditions exclude each other, and where a rule with both is at fault."""

from typing import Any

import pytest

from commerce_core.pricing.contradictions import contradictions
from commerce_core.pricing.lint import lint
from tests.unit.core.pricing.shop import NOW, price, product, rule, taken

SHOES = {"category": "Shoes"}
MARCH = {"window": {"from": "2026-03-01", "until": "2026-03-31", "tz": "Europe/Rome"}}
APRIL = {"window": {"from": "2026-04-01", "tz": "Europe/Rome"}}


def size(*values: str) -> dict[str, Any]:
    return {"attribute": {"name": "size", "in": list(values)}}


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ({"sku": "A"}, {"not": {"sku": ["A", "B"]}}),
        ({"code": "spring"}, {"not": {"code": "SPRING"}}),
        ({"category": "Shoes > Boots"}, {"not": SHOES}),
        (SHOES, {"not": SHOES}),
        (size("M"), size("L", "S")),
        (size("M"), {"not": size("M", "L")}),
        (size("M", "L"), {"not": size("L", "M")}),
        ({"quantity": {"min": 5}}, {"quantity": {"max": 4}}),
        ({"total": {"min": "5.01"}}, {"total": {"max": "5"}}),
        ({"list_price": {"min": "9"}}, {"list_price": {"max": "8.99"}}),
        (MARCH, APRIL),
        (MARCH, {"not": MARCH}),
    ],
)
def test_conditions_that_exclude_each_other_are_a_fault_in_either_order(
    one: dict[str, Any], other: dict[str, Any]
):
    for both in ([one, other], [other, one]):
        found = list(contradictions(rule({"percent": "10"}, condition={"all": both}).rule))
        assert [(f.pointer, f.code) for f in found] == [("/condition/all/1", "contradiction")]
        deeper = {"all": [both[0], {"all": [{"brand": "Acme"}, both[1]]}]}
        (fault,) = contradictions(rule({"percent": "10"}, condition=deeper).rule)
        assert fault.pointer == "/condition/all/1/all/1"
        assert "/condition/all/0" in fault.detail


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ({"sku": ["A", "B"]}, {"not": {"sku": "A"}}),
        ({"sku": "A"}, {"not": {"brand": "A"}}),
        ({"code": "A"}, {"code": "B"}),
        ({"category": "Shoes"}, {"not": {"category": "Shoes > Boots"}}),
        ({"category": "Shoestrings"}, {"not": SHOES}),
        (size("M", "L"), size("L")),
        ({"attribute": {"name": "colour", "in": ["M"]}}, size("L")),
        ({"attribute": {"name": "colour", "in": ["M"]}}, {"not": size("M")}),
        ({"quantity": {"min": 5}}, {"quantity": {"max": 5}}),
        ({"quantity": {"min": 5}}, {"quantity": {"max": 4, "of": "partner"}}),
        ({"list_price": {"min": "9"}}, {"running_price": {"max": "8"}}),
        ({"not": {"sku": "A"}}, {"not": {"sku": "B"}}),
        (MARCH, {"window": {"from": "2026-03-31", "tz": "Europe/Rome"}}),
        (MARCH, {"not": APRIL}),
    ],
)
def test_conditions_that_something_fulfils_are_none(one: dict[str, Any], other: dict[str, Any]):
    made = rule({"percent": "10"}, condition={"all": [one, other]})
    assert list(contradictions(made.rule)) == []
    assert "never_matches" not in {finding.code for finding in lint([made], NOW)}


def test_a_way_of_any_and_conditions_of_benefits_are_looked_at_too():
    apart = {"all": [{"sku": "A"}, {"not": {"sku": "A"}}]}
    within = {"any": [{"brand": "Acme"}, {"not": apart}, apart]}
    deal = {"buy": 1, "get": 1, "percent": "50", "targets": apart}
    made = rule({"n_for_m": deal}, condition=within)
    assert [fault.pointer for fault in contradictions(made.rule)] == [
        "/condition/any/1/not/all/1", "/condition/any/2/all/1", "/benefit/n_for_m/targets/all/1",
    ]  # fmt: skip
    assert list(contradictions(rule({"percent": "10"}).rule)) == []


def test_what_contradicts_itself_within_something_that_holds_together_is_found_too():
    apart = {"all": [{"sku": "A"}, {"not": {"sku": "A"}}]}
    within = {"all": [{"brand": "Acme"}, {"any": [{"brand": "Acme"}, apart]}]}
    (fault,) = contradictions(rule({"percent": "10"}, condition=within).rule)
    assert fault.pointer == "/condition/all/1/any/1/all/1"
    targets = {"n_for_m": {"buy": 1, "get": 1, "percent": "50", "targets": apart}}
    (fault,) = contradictions(rule(targets).rule)
    assert fault.pointer == "/benefit/n_for_m/targets/all/1"


def test_a_code_is_the_same_however_its_accents_are_written():
    off = rule({"percent": "50"}, condition={"code": "\u00c9T\u00c9"})
    lamp = [(product("A", "10.00"), 1)]
    assert taken(price(lamp, off, codes=(" e\u0301te\u0301 ",))) == 5
