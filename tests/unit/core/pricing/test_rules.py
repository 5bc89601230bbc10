"""What rules refuse, each fault at the member that is wrong, and what they bring into one form."""

from typing import Any

import pytest

from commerce_core.base.errors import InvalidInput
from commerce_core.pricing import form_reference
from commerce_core.pricing.form import read_rule, rule_form
from commerce_core.pricing.form_benefits import BENEFIT_NAMES
from commerce_core.pricing.form_conditions import CONDITION_NAMES
from tests.unit.core.pricing.shop import price, product, rule, taken

TEN: dict[str, Any] = {"percent": "10"}


@pytest.mark.parametrize(
    ("condition", "pointer"),
    [
        ({"quantity": {"min": 5, "max": 2}}, "/quantity/max"),
        ({"total": {"min": "5.00", "max": "2.00"}}, "/total/max"),
        ({"list_price": {"min": "5.00", "max": "2.00"}}, "/list_price/max"),
        ({"running_price": {"min": "5.00", "max": "2.00"}}, "/running_price/max"),
        ({"not": {"quantity": {"min": 5, "max": 2}}}, "/not/quantity/max"),
        (
            {"any": [{"window": {"from": "2026-03-31", "until": "2026-03-01", "tz": "UTC"}}]},
            "/any/0/window/until",
        ),
        ({"all": [{"sku": "A"}, {"sku": ["B", "C"]}]}, "/all/1/sku"),
        ({"all": [{"currency": "EUR"}, {"currency": "usd"}]}, "/all/1/currency"),
    ],
)
def test_a_condition_that_contradicts_itself_is_refused_at_the_member(
    condition: dict[str, Any], pointer: str
):
    with pytest.raises(InvalidInput) as refusal:
        read_rule({"name": "Odd", "benefit": TEN, "condition": condition})
    assert [(f.pointer, f.code) for f in refusal.value.faults] == [
        (f"/condition{pointer}", "contradiction")
    ]


@pytest.mark.parametrize("code", ["EUR", "eur", " Eur "])
@pytest.mark.parametrize("member", ["currency", "condition"])
def test_a_currency_means_the_same_in_any_spelling(member: str, code: str):
    own: dict[str, Any] = (
        {"currency": code} if member == "currency" else {"condition": {"currency": [code]}}
    )
    made = rule(TEN, **own)
    assert taken(price([(product("A", "10.00"), 1)], made)) == 1
    assert taken(price([(product("A", "10.00", "USD"), 1)], made)) == 0
    canonical = "EUR" if member == "currency" else {"currency": "EUR"}
    assert rule_form(made.rule)[member] == canonical


def test_a_condition_on_a_currency_that_does_not_exist_is_refused():
    with pytest.raises(InvalidInput) as refusal:
        read_rule({"name": "Odd", "benefit": TEN, "condition": {"not": {"currency": "QQQ"}}})
    assert [(f.pointer, f.code) for f in refusal.value.faults] == [
        ("/condition/not/currency", "unknown_currency")
    ]


def test_every_condition_and_benefit_is_described():
    """Schemas and the reference are made from these descriptions, so none may be missing."""
    assert set(form_reference.CONDITIONS) == set(CONDITION_NAMES)
    assert set(form_reference.BENEFITS) == set(BENEFIT_NAMES)


@pytest.mark.parametrize(
    ("since", "until", "reason"),
    [
        ("2027-03-28T02:30", "2027-03-28T03:00", "The clocks of Europe/Berlin skip all of it;"),
        ("2027-03-28T02:00", "2027-03-28T02:59:59", "The clocks of Europe/Berlin skip all of it;"),
        ("2027-03-28T01:30", "2027-03-28T01:30", "The window ends when it begins;"),
        ("2027-03-28T03:00", "2027-03-28T02:30", "The window ends before it begins."),
        ("2027-03-28", "2027-03-27", "The window ends before it begins."),
        ("2027-03-28T05:00", "2027-03-27", "The window ends before it begins."),
    ],
)
def test_an_empty_window_is_refused_with_the_reason(since: str, until: str, reason: str):
    window = {"from": since, "until": until, "tz": "Europe/Berlin"}
    with pytest.raises(InvalidInput) as refusal:
        read_rule({"name": "Odd", "benefit": TEN, "condition": {"window": window}})
    (fault,) = refusal.value.faults
    assert (fault.pointer, fault.code) == ("/condition/window/until", "contradiction")
    assert fault.detail.startswith(reason)


@pytest.mark.parametrize("until", ["2027-03-28T03:00:01", "2027-03-28"])
def test_a_window_of_which_the_clocks_skip_a_part_is_fine(until: str):
    window = {"from": "2027-03-28T02:30", "until": until, "tz": "Europe/Berlin"}
    read_rule({"name": "Short", "benefit": TEN, "condition": {"window": window}})
