"""What rules refer to: found wherever it stands, and replaced there and nowhere else."""

import json
from typing import Any

import pytest

from commerce_core.pricing.form import read_rule, rule_form
from commerce_core.pricing.references import references, with_references

TEN: dict[str, Any] = {"percent": "10"}
A: dict[str, Any] = {"partner": "A"}
B: dict[str, Any] = {"source": "B"}
CASES: list[tuple[dict[str, Any], dict[str, tuple[str, str]]]] = [
    ({"benefit": TEN}, {}),
    ({"benefit": TEN, "condition": {"brand": "A"}}, {}),
    ({"benefit": TEN, "condition": A}, {"/condition/partner": ("partner", "A")}),
    ({"benefit": TEN, "condition": B}, {"/condition/source": ("source", "B")}),
    (
        {"benefit": TEN, "condition": {"partner": ["A", "B"]}},
        {"/condition/partner/0": ("partner", "A"), "/condition/partner/1": ("partner", "B")},
    ),
    (
        {"benefit": TEN, "condition": {"all": [{"sku": "A"}, {"any": [A, {"not": B}]}, A]}},
        {
            "/condition/all/1/any/0/partner": ("partner", "A"),
            "/condition/all/1/any/1/not/source": ("source", "B"),
            "/condition/all/2/partner": ("partner", "A"),
        },
    ),
    ({"benefit": {"price_list": "L"}}, {"/benefit/price_list": ("price list", "L")}),
    (
        {"benefit": {"floor": {"margin_percent": "5", "cost_list": "L"}}, "condition": A},
        {
            "/condition/partner": ("partner", "A"),
            "/benefit/floor/cost_list": ("price list", "L"),
        },
    ),
    ({"benefit": {"floor": {"price": "5.00"}}}, {}),
    (
        {"benefit": {"n_for_m": {"buy": 1, "get": 1, "percent": "50", "qualifiers": A}}},
        {"/benefit/n_for_m/qualifiers/partner": ("partner", "A")},
    ),
    (
        {
            "benefit": {
                "n_for_m": {
                    "buy": 1, "get": 1, "percent": "50", "qualifiers": {"not": A}, "targets": B,
                    "most": 3, "favours": "shop",
                }
            }
        },
        {
            "/benefit/n_for_m/qualifiers/not/partner": ("partner", "A"),
            "/benefit/n_for_m/targets/source": ("source", "B"),
        },
    ),
    (
        {
            "benefit": {
                "bundle": {
                    "items": [{"sku": "X", "quantity": 2}, {**A, "quantity": 3}],
                    "price": "9.00", "most": 4,
                }
            }
        },
        {"/benefit/bundle/items/1/partner": ("partner", "A")},
    ),
]  # fmt: skip


@pytest.mark.parametrize(("form", "wanted"), CASES)
def test_references_are_found_with_their_pointers(
    form: dict[str, Any], wanted: dict[str, tuple[str, str]]
):
    found = list(references(read_rule({"name": "Rule", **form})))
    assert {each.pointer: (each.noun, each.text) for each in found} == wanted
    assert len(found) == len(wanted)


@pytest.mark.parametrize(("form", "wanted"), CASES)
def test_replacing_references_changes_them_and_nothing_else(
    form: dict[str, Any], wanted: dict[str, tuple[str, str]]
):
    rule = read_rule({"name": "Rule", **form})
    replaced = rule_form(with_references(rule, lambda noun, text: f"{noun} {text}"))
    expected = json.loads(json.dumps(rule_form(rule)))
    for pointer, (noun, text) in wanted.items():
        *path, last = pointer.strip("/").split("/")
        holder: Any = expected
        for step in path:
            holder = holder[int(step) if isinstance(holder, list) else step]
        holder[int(last) if isinstance(holder, list) else last] = f"{noun} {text}"
    assert replaced == expected
