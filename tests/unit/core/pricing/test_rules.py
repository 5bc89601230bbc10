"""What rules refuse, each fault at the member that is wrong, and what they bring into one form."""

from decimal import Decimal
from typing import Any, get_args

import pytest

from commerce_core.base.errors import Fault, InvalidInput
from commerce_core.pricing import form_reference
from commerce_core.pricing.benefits import Amount, Benefit
from commerce_core.pricing.conditions import Condition
from commerce_core.pricing.form import read_rule, rule_form
from commerce_core.pricing.form_benefits import BENEFIT_NAMES, read_benefit
from commerce_core.pricing.form_conditions import CONDITION_NAMES, read_condition
from commerce_core.pricing.form_reader import Reader
from commerce_core.pricing.rules import Rule, conflicts, group_conflict
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


def test_every_condition_and_benefit_can_be_written():
    """The examples of the reference are read, and make a value of every class."""
    reader = Reader()
    made = {
        type(read_condition(reader, {name: described.example}, ""))
        for name, described in form_reference.CONDITIONS.items()
    }
    assert made == set(get_args(Condition))
    assert {
        type(read_benefit(reader, {name: described.example}, ""))
        for name, described in form_reference.BENEFITS.items()
    } == set(get_args(Benefit))
    assert not reader.faults


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


NAME = ("bad_name", "Use 1 to 200 characters, without blanks around them.")
WINDOW = {"from": "2026-03-31", "until": "2026-03-01", "tz": "UTC"}
STEPS = [{"from": 2, "amount": "1"}, {"from": 2, "amount": "1.234"}, {"from": 1, "percent": "1"}]


@pytest.mark.parametrize(
    ("members", "faults"),
    [
        ({"name": " R"}, [Fault("/name", *NAME)]),
        ({"name": "R" * 201}, [Fault("/name", *NAME)]),
        (
            {"group": {"name": "g ", "mode": "best"}},
            [Fault("/group/name", "bad_name", "Use 1 to 200 characters.")],
        ),
        (
            {"priority": -1_000_001},
            [Fault("/priority", "out_of_range", "Use a priority from -1,000,000 to 1,000,000.")],
        ),
        (
            {"benefit": {"ending": {"to": ".99"}}, "applies_to": "order", "on": "list"},
            [
                Fault("/applies_to", "contradiction",
                      "This benefit changes the prices of units; use it with applies_to line."),
                Fault("/on", "contradiction",
                      "This benefit isn't a share of a price; leave on out."),
            ],
        ),
        (
            {"currency": "EURO"},
            [Fault("/currency", "unknown_currency", "Use an ISO 4217 code, such as EUR.")],
        ),
        *(
            (
                {"benefit": {"floor": {"price": "5"}}, **more},
                [Fault("/benefit/floor", "contradiction", "A floor has no limits and no group.")],
            )
            for more in (
                {"final": True}, {"limits": {"most_uses": 1}},
                {"group": {"name": "g", "mode": "all"}},
            )
        ),
        (
            {"benefit": {"floor": {}}},
            [Fault("/benefit/floor", "required",
                   "Name a price, a percent_of_list, or a margin_percent.")],
        ),
        *(
            (
                {"benefit": {"floor": given}},
                [Fault(f"/benefit/floor/{lacking}", "required",
                       "A margin needs both margin_percent and cost_list.")],
            )
            for given, lacking in (
                ({"margin_percent": "5"}, "cost_list"), ({"cost_list": "L"}, "margin_percent"),
            )
        ),
        (
            {"benefit": {"tiers": {"steps": STEPS}}, "currency": "EUR",
             "limits": {"max_amount": "0.001", "budget": "999999999999.9"}},
            [
                *(Fault(f"/benefit/tiers/steps/{n}/from", "contradiction",
                        "Each step begins at more units than the one before it.") for n in (1, 2)),
                Fault("/benefit/tiers/steps/1/amount", "not_an_amount",
                      "1.234 has more decimals than EUR, which has 2."),
                Fault("/limits/max_amount", "not_an_amount",
                      "0.001 has more decimals than EUR, which has 2."),
            ],
        ),
        (
            {"condition": {"any": [{"currency": ["EUR", "QQQ"]}, {"all": [
                {"brand": "A"}, {"brand": "B"}, {"quantity": {"min": 2, "max": 1}}]}]}},
            [
                Fault("/condition/any/0/currency", "unknown_currency",
                      "'QQQ' is not an ISO 4217 code, such as EUR."),
                Fault("/condition/any/1/all/2/quantity/max", "contradiction",
                      "min is above max, so nothing matches."),
                Fault("/condition/any/1/all/1/brand", "contradiction",
                      "Nothing has this brand and the one before, so nothing matches."),
            ],
        ),
        (
            {"benefit": {"n_for_m": {"buy": 1, "get": 1, "percent": "5",
                                     "targets": {"not": {"window": WINDOW}}}}},
            [Fault("/benefit/n_for_m/targets/not/window/until", "contradiction",
                   "The window ends before it begins.")],
        ),
        (
            {"condition": {"any": [{"all": [{"sku": "A"}] * 99}] * 5}},
            [Fault("/condition", "too_many", "A rule has at most 500 conditions.")],
        ),
    ],
)  # fmt: skip
def test_what_cannot_be_computed_is_refused_with_the_reason(
    members: dict[str, Any], faults: list[Fault]
):
    with pytest.raises(InvalidInput) as refusal:
        read_rule({"name": "R", "benefit": TEN, **members})
    assert list(refusal.value.faults) == faults


@pytest.mark.parametrize("amount", ["-0.01", "1000000000000.00"])
def test_a_rule_that_is_made_of_amounts_out_of_range_is_refused(amount: str):
    """Its written form has no such amounts."""
    with pytest.raises(InvalidInput) as refusal:
        Rule(name="R", benefit=Amount(Decimal(amount)))
    assert (refusal.value.detail, refusal.value.code) == (
        "The price rule isn't valid.", "bad_price_rule",
    )  # fmt: skip
    assert [fault.pointer for fault in refusal.value.faults] == ["/benefit/amount"]
    assert [fault.code for fault in refusal.value.faults] == ["out_of_range"]


@pytest.mark.parametrize(
    "members",
    [
        {"name": "R" * 200},
        {"priority": -1_000_000},
        {"priority": 1_000_000},
        {"condition": {"quantity": {"min": 2, "max": 2}}},
        {"condition": {"any": [{"all": [{"sku": "A"}] * 98}] * 5}},
        {"limits": {"max_amount": "0.0001"}},
        {"currency": "EUR", "limits": {"max_amount": "5.10"}},
    ],
)
def test_what_can_just_be_computed_is_accepted(members: dict[str, Any]):
    read_rule({"name": "R", "benefit": TEN, **members})


def test_a_group_is_compared_with_every_other_rule_of_it():
    def grouped(number: int, name: str, mode: str, **members: object) -> Rule:
        return rule(TEN, number, group={"name": name, "mode": mode}, **members).rule

    one = grouped(1, "g", "best")
    others = [rule(TEN, 2).rule, grouped(3, "h", "all"), grouped(4, "g", "best")]
    assert group_conflict(one, others) is None
    assert group_conflict(rule(TEN, 9).rule, others) is None
    assert group_conflict(one, [*others, grouped(5, "g", "first")]) == Fault(
        "/group/mode", "group_mode_differs", "The group's mode is first in the rule 'Rule 5'."
    )
    assert group_conflict(one, [*others, grouped(6, "g", "best", applies_to="order")]) == Fault(
        "/applies_to", "group_stage_differs",
        "The rule 'Rule 6' of this group applies to order.",
    )  # fmt: skip
    both = [grouped(7, "f", "first"), grouped(8, "f", "first", applies_to="order")]
    assert list(conflicts(both)) == []
    assert list(conflicts([*both, grouped(7, "f", "all")], beside=others)) == [
        Fault("/rules/2/name", "duplicate_name", "Another of these rules is named 'Rule 7' too."),
        Fault("/rules/2/group/mode", "group_mode_differs",
              "The group's mode is first in the rule 'Rule 7'."),
    ]  # fmt: skip
