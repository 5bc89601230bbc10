"""The written form of rules: read back as it was written, and each fault reported where it is."""

from collections.abc import Callable
from copy import deepcopy
from typing import Any

import pytest

from commerce_core.base.errors import Fault, InvalidInput
from commerce_core.pricing import form_reference
from commerce_core.pricing.form import (
    RULE_FIELDS,
    form_difference,
    read_rule,
    rule_form,
    whole_form,
)
from commerce_core.pricing.form_benefits import BENEFIT_NAMES
from commerce_core.pricing.form_conditions import CONDITION_NAMES

TEN: dict[str, Any] = {"percent": "10"}
LONG = "x" * 501
MEMBERS: list[dict[str, Any]] = [
    {},
    {"applies_to": "order"},
    {"priority": -3},
    {"group": {"name": "sales", "mode": "best"}},
    {"group": {"name": "sales", "mode": "first"}},
    {"final": True},
    {"on": "list"},
    {"currency": "EUR"},
    {"limits": {"max_amount": "5.00"}},
    {"limits": {"most_uses": 7, "per_customer": 1, "budget": "1000"}},
    {"funded_by": "partner"},
    {"funded_by": {"partner_percent": "12.5"}},
    *({"condition": {name: member.example}} for name, member in form_reference.CONDITIONS.items()
      if name != "attribute"),
    {"condition": {"attribute": {"name": "size", "in": ["M", "L"]}}},
    {"condition": {"attribute": {"name": "size", "in": "M"}}},
    {"condition": {"sku": "A"}},
    {"condition": {"list_price": {"min": "1", "max": "2.5"}}},
    {"condition": {"running_price": {"min": "0.01", "max": "2.5000"}}},
    {"condition": {"quantity": {"min": 1, "max": 2}}},
    {"condition": {"quantity": {"max": 2, "of": "order"}}},
    {"condition": {"total": {"min": "1", "max": "2"}}},
    {"condition": {"total": {"max": "2", "of": "line"}}},
    {"condition": {"window": {"tz": "UTC", "days": ["mon"]}}},
    {"condition": {"window": {"tz": "UTC", "hours": {"from": "09:30", "until": "17:05"}}}},
    {
        "condition": {
            "window": {"tz": "UTC", "from": "2026-03-01T18:00:00", "until": "2026-03-01T18:00:01"}
        }
    },
    *({"benefit": {name: member.example}} for name, member in form_reference.BENEFITS.items()
      if name not in ("tiers", "percent")),
    {"benefit": {"percent": "0"}},
    {"benefit": {"percent": "100"}},
    {"benefit": {"markup_percent": "1000"}},
    {"benefit": {"tiers": {"steps": [
        {"from": 1, "percent": "5"}, {"from": 2, "amount": "1.50"}, {"from": 9, "fixed_price": "3"},
    ]}}},
    {"benefit": {"tiers": {
        "mode": "graduated", "of": "match", "steps": [{"from": 2, "percent": "5"}]}}},
    {"benefit": {"n_for_m": {
        "buy": 3, "get": 2, "amount": "1.00", "qualifiers": {"sku": "A"}, "targets": {"sku": "B"},
        "most": 4, "favours": "shop"}}},
    {"benefit": {"n_for_m": {"buy": 3, "get": 2, "fixed_price": "1.00"}}},
    {"benefit": {"sets": {"min_total": "149.00", "percent": "10", "most": 2}}},
    {"benefit": {"bundle": {
        "items": [{"sku": "A", "quantity": 3}, {"brand": "B", "quantity": 1}], "price": "9.99",
        "most": 5}}},
    {"benefit": {"ending": {"to": "5", "mode": "up"}}},
    {"benefit": {"ending": {"to": ".50", "mode": "nearest"}}},
    {"benefit": {"ending": {"to": "0.50", "mode": "down"}}},
    {"benefit": {"floor": {"price": "5.00", "percent_of_list": "50"}}},
    {"benefit": {"floor": {"margin_percent": "1000", "cost_list": "Costs"}}},
]  # fmt: skip


@pytest.mark.parametrize("members", MEMBERS)
def test_a_rule_is_written_as_it_was_read(members: dict[str, Any]):
    form = deepcopy({"name": "Rule", "benefit": TEN, **members})
    for item in form["benefit"].get("bundle", {"items": ()})["items"]:
        item.setdefault("quantity", 1)
    rule = read_rule(form)
    assert rule_form(rule) == form
    whole = whole_form(rule)
    assert tuple(whole) == RULE_FIELDS
    assert read_rule(whole) == rule
    assert {name: value for name, value in whole.items() if name in form} == form


def test_what_is_at_its_default_may_be_written_and_is_left_out():
    spelled: dict[str, Any] = {
        "name": "Rule", "applies_to": "line", "priority": 0, "group": None, "final": False,
        "on": "running", "currency": None, "limits": {}, "funded_by": "platform",
        "condition": {"all": [
            {"quantity": {"min": 1, "max": None, "of": "line"}},
            {"total": {"min": "1", "of": "match"}},
            {"category": ["Shoes>Boots"]},
        ]},
        "benefit": {"tiers": {"mode": "each", "of": "line", "steps": [
            {"from": 1, "percent": "5", "amount": None}]}},
    }  # fmt: skip
    rule = read_rule(spelled)
    assert rule_form(rule) == {
        "name": "Rule",
        "condition": {"all": [
            {"quantity": {"min": 1}}, {"total": {"min": "1"}}, {"category": "Shoes > Boots"},
        ]},
        "benefit": {"tiers": {"steps": [{"from": 1, "percent": "5"}]}},
    }  # fmt: skip
    assert whole_form(rule) == {
        "applies_to": "line", "priority": 0, "group": None, "final": False, "on": "running",
        "currency": None, "limits": {}, "funded_by": "platform", **rule_form(rule),
    }  # fmt: skip
    plain = {"name": "Rule", "benefit": {"n_for_m": {"buy": 2, "get": 1, "percent": "100"}}}
    favoured = {**plain["benefit"]["n_for_m"], "favours": "customer", "most": None}
    assert rule_form(read_rule({**plain, "benefit": {"n_for_m": favoured}})) == plain
    assert rule_form(read_rule({**plain, "benefit": {"ending": {"to": ".5"}}}))["benefit"] == {
        "ending": {"to": ".5", "mode": "nearest"}
    }
    hours = {"window": {"tz": "UTC", "hours": {"from": "18:00", "until": "24:00"}}}
    written = rule_form(read_rule({**plain, "condition": hours}))["condition"]
    assert written["window"]["hours"] == {"from": "18:00", "until": "00:00"}
    funded = read_rule({**plain, "funded_by": {"partner_percent": "100"}})
    assert rule_form(funded)["funded_by"] == "partner"
    assert "funded_by" not in rule_form(read_rule({**plain, "funded_by": {"partner_percent": "0"}}))


def test_a_difference_names_each_member_that_differs_as_it_was_and_becomes():
    before, after = (
        {"name": "A", "priority": 1, "final": True},
        {"name": "A", "priority": 2, "on": 3},
    )
    assert form_difference(before, after) == {
        "priority": (1, 2), "final": (True, None), "on": (None, 3),
    }  # fmt: skip
    assert list(form_difference(before, after)) == ["priority", "final", "on"]


AMOUNT = ("not_an_amount", 'An amount such as "79.90" is expected, as text.')
BOUNDS = ("required", "Use min, max, or both.")
CHARACTERS = ("bad_text", "Use 1 to 500 characters, without NUL.")
COUNT = ("out_of_range", "Use a number from 1 to 1,000,000,000.")
FLAG = ("not_a_boolean", "true or false is expected.")
HOUR = ("not_a_time", "A time of day such as 18:30 is expected; until may be 24:00.")
LIST = ("not_a_list", "A list is expected.")
MULTIPLE = ("out_of_range", "A multiple is above 0.")
OBJECT = ("not_an_object", "An object is expected.")
ONE_CONDITION = ("not_one_condition", "A condition has one member; combine them with all.")
ONE_SIMPLE = ("not_one_benefit", "Use one of percent, amount, fixed_price.")
PERCENT = ("not_a_percentage", 'A percentage such as "12.5" is expected, as text.')
REQUIRED = ("required", "A value is required.")
TEXT = ("not_a_text", "A text is expected.")
TO_100 = ("out_of_range", "Use a percentage from 0 to 100.")
TO_1000 = ("out_of_range", "Use a percentage from 0 to 1000.")
VALUES = ("bad_length", "Name 1 to 1,000 values.")
WHOLE = ("not_a_whole_number", "A whole number is expected.")
WINDOW = ("required", "Use from, until, days or hours.")
YEAR = ("not_a_time", "The year must be 1900 to 2999.")
ZONE = ("unknown_time_zone", "Use an IANA name, such as Europe/Rome.")
ONE_BENEFIT = ("not_one_benefit", f"A rule has one benefit; use one of {', '.join(BENEFIT_NAMES)}.")
TIME = (
    "not_a_time",
    "Use a local day or time, such as 2026-03-31 or 2026-03-31T18:00, without an offset.",
)


def required(pointer: str) -> Fault:
    return Fault(pointer, "required", f"{pointer.rpartition('/')[2]} is required.")


def unknown(pointer: str, name: str, *known: str) -> Fault:
    detail = f"{name!r} is not a known name; known are {', '.join(known)}."
    return Fault(pointer, "unknown_field", detail)


def one_of(pointer: str, words: str) -> Fault:
    return Fault(pointer, "not_one_of", f"One of {words} is expected.")


def members(pointer: str, most: int) -> Fault:
    return Fault(pointer, "bad_length", f"Use 1 to {most} members.")


FAULTY: list[tuple[Any, list[Fault]]] = [
    (
        {"condition": {"window": {"tz": "UTC", "hours": {"from": 900, "until": "18:00:30"}}}},
        [
            Fault("/condition/window/hours/from", *HOUR),
            Fault("/condition/window/hours/until", *HOUR),
        ],
    ),
    (
        {"limits": {"\ud800": 1}},
        [
            unknown(
                "/limits/\\ud800", "\ud800", "max_amount", "most_uses", "per_customer", "budget"
            ),
        ],
    ),
    ([], [Fault("", *OBJECT)]),
    ("text", [Fault("", *OBJECT)]),
    (None, [Fault("", *REQUIRED)]),
    ({}, [required("/name"), required("/benefit")]),
    ({"name": None, "benefit": None}, [required("/name"), required("/benefit")]),
    ({"name": "R", "benefit": {}}, [Fault("/benefit", *ONE_BENEFIT)]),
    (
        {"name": "R", "benefit": TEN, "color": 1, "a/b~c": 2},
        [unknown("/color", "color", *RULE_FIELDS), unknown("/a~1b~0c", "a/b~c", *RULE_FIELDS)],
    ),
    ({"name": 5, "benefit": []}, [Fault("/name", *TEXT), Fault("/benefit", *OBJECT)]),
    (
        {"name": "", "benefit": {"percent": 10, "amount": "1"}},
        [Fault("/name", *CHARACTERS), Fault("/benefit", *ONE_BENEFIT)],
    ),
    (
        {"name": LONG, "benefit": {"discount": "10"}},
        [Fault("/name", *CHARACTERS), unknown("/benefit/discount", "discount", *BENEFIT_NAMES)],
    ),
    (
        {"name": "R\x00", "benefit": {"percent": 10}},
        [Fault("/name", *CHARACTERS), Fault("/benefit/percent", *PERCENT)],
    ),
    ({"name": " R", "benefit": {"percent": 0.1}}, [Fault("/benefit/percent", *PERCENT)]),
    ({"benefit": {"percent": "100.01"}}, [Fault("/benefit/percent", *TO_100)]),
    ({"benefit": {"percent": "ten"}}, [Fault("/benefit/percent", *PERCENT)]),
    ({"benefit": {"percent": None}}, [Fault("/benefit/percent", *REQUIRED)]),
    ({"benefit": {"markup_percent": "1000.1"}}, [Fault("/benefit/markup_percent", *TO_1000)]),
    ({"benefit": {"amount": "1,50"}}, [Fault("/benefit/amount", *AMOUNT)]),
    ({"benefit": {"fixed_price": "1.23456"}}, [Fault("/benefit/fixed_price", *AMOUNT)]),
    ({"benefit": {"markup_amount": True}}, [Fault("/benefit/markup_amount", *AMOUNT)]),
    ({"benefit": {"price_list": 5}}, [Fault("/benefit/price_list", *TEXT)]),
    ({"benefit": {"tiers": 5}}, [Fault("/benefit/tiers", *OBJECT)]),
    (
        {"benefit": {"tiers": {"steps": [], "mode": "both", "of": "basket"}}},
        [
            members("/benefit/tiers/steps", 100),
            one_of("/benefit/tiers/mode", "each, graduated"),
            one_of("/benefit/tiers/of", "line, product, group, partner, match, order"),
        ],
    ),
    ({"benefit": {"tiers": {}}}, [required("/benefit/tiers/steps")]),
    (
        {
            "benefit": {
                "tiers": {
                    "steps": [
                        {"from": 0, "percent": "5"},
                        {"from": 2},
                        {"percent": "5"},
                        5,
                        {"from": 3, "percent": "5", "amount": "5"},
                        {"from": 4, "percent": "x", "until": 5},
                    ]
                }
            }
        },
        [
            Fault("/benefit/tiers/steps/0/from", *COUNT),
            Fault("/benefit/tiers/steps/1", *ONE_SIMPLE),
            required("/benefit/tiers/steps/2/from"),
            Fault("/benefit/tiers/steps/3", *OBJECT),
            Fault("/benefit/tiers/steps/4", *ONE_SIMPLE),
            unknown(
                "/benefit/tiers/steps/5/until", "until", "from", "percent", "amount", "fixed_price"
            ),
            Fault("/benefit/tiers/steps/5/percent", *PERCENT),
        ],
    ),
    (
        {"benefit": {"tiers": {"steps": [{"from": n, "percent": "5"} for n in range(1, 102)]}}},
        [members("/benefit/tiers/steps", 100)],
    ),
    ({"benefit": {"n_for_m": 5}}, [Fault("/benefit/n_for_m", *OBJECT)]),
    (
        {"benefit": {"n_for_m": {"percent": "5"}}},
        [required("/benefit/n_for_m/buy"), required("/benefit/n_for_m/get")],
    ),
    (
        {
            "benefit": {
                "n_for_m": {
                    "buy": 0,
                    "get": "1",
                    "most": 0,
                    "favours": "me",
                    "qualifiers": 5,
                    "targets": {"color": "red"},
                }
            }
        },
        [
            one_of("/benefit/n_for_m/favours", "customer, shop"),
            Fault("/benefit/n_for_m/buy", *COUNT),
            Fault("/benefit/n_for_m/get", *WHOLE),
            Fault("/benefit/n_for_m", *ONE_SIMPLE),
            Fault("/benefit/n_for_m/qualifiers", *OBJECT),
            unknown("/benefit/n_for_m/targets/color", "color", *CONDITION_NAMES),
            Fault("/benefit/n_for_m/most", *COUNT),
        ],
    ),
    ({"benefit": {"sets": 5}}, [Fault("/benefit/sets", *OBJECT)]),
    (
        {"benefit": {"sets": {"most": 1}}},
        [required("/benefit/sets/min_total"), required("/benefit/sets/percent")],
    ),
    (
        {"benefit": {"sets": {"min_total": 5, "percent": "101", "most": "2"}}},
        [
            Fault("/benefit/sets/min_total", *AMOUNT),
            Fault("/benefit/sets/percent", *TO_100),
            Fault("/benefit/sets/most", *WHOLE),
        ],
    ),
    ({"benefit": {"bundle": 5}}, [Fault("/benefit/bundle", *OBJECT)]),
    (
        {"benefit": {"bundle": {"most": 1}}},
        [required("/benefit/bundle/items"), required("/benefit/bundle/price")],
    ),
    (
        {"benefit": {"bundle": {"items": [], "price": 5, "most": 0}}},
        [
            members("/benefit/bundle/items", 20),
            Fault("/benefit/bundle/price", *AMOUNT),
            Fault("/benefit/bundle/most", *COUNT),
        ],
    ),
    (
        {
            "benefit": {
                "bundle": {"items": [5, {"sku": "A", "quantity": 0}, {"quantity": 1}], "price": "5"}
            }
        },
        [
            Fault("/benefit/bundle/items/0", *OBJECT),
            Fault("/benefit/bundle/items/1/quantity", *COUNT),
            Fault("/benefit/bundle/items/2", *ONE_CONDITION),
        ],
    ),
    (
        {"benefit": {"bundle": {"items": [{"sku": "A"}] * 21, "price": "5"}}},
        [members("/benefit/bundle/items", 20)],
    ),
    ({"benefit": {"ending": 5}}, [Fault("/benefit/ending", *OBJECT)]),
    ({"benefit": {"ending": {}}}, [required("/benefit/ending/to")]),
    (
        {"benefit": {"ending": {"to": "0", "mode": "round"}}},
        [
            Fault("/benefit/ending/to", *MULTIPLE),
            one_of("/benefit/ending/mode", "down, up, nearest"),
        ],
    ),
    ({"benefit": {"ending": {"to": ".x"}}}, [Fault("/benefit/ending/to", *AMOUNT)]),
    ({"benefit": {"ending": {"to": 5}}}, [Fault("/benefit/ending/to", *AMOUNT)]),
    ({"benefit": {"floor": 5}}, [Fault("/benefit/floor", *OBJECT)]),
    (
        {
            "benefit": {
                "floor": {
                    "price": 5,
                    "percent_of_list": "101",
                    "margin_percent": "1001",
                    "cost_list": 5,
                    "least": 1,
                }
            }
        },
        [
            unknown(
                "/benefit/floor/least",
                "least",
                "price",
                "percent_of_list",
                "margin_percent",
                "cost_list",
            ),
            Fault("/benefit/floor/price", *AMOUNT),
            Fault("/benefit/floor/percent_of_list", *TO_100),
            Fault("/benefit/floor/margin_percent", *TO_1000),
            Fault("/benefit/floor/cost_list", *TEXT),
        ],
    ),
    ({"condition": 5}, [Fault("/condition", *OBJECT)]),
    ({"condition": {}}, [Fault("/condition", *ONE_CONDITION)]),
    ({"condition": {"sku": "A", "brand": "B"}}, [Fault("/condition", *ONE_CONDITION)]),
    ({"condition": {"color": "red"}}, [unknown("/condition/color", "color", *CONDITION_NAMES)]),
    ({"condition": {"all": []}}, [members("/condition/all", 200)]),
    ({"condition": {"all": {}}}, [Fault("/condition/all", *LIST)]),
    ({"condition": {"any": [{"sku": "A"}] * 201}}, [members("/condition/any", 200)]),
    (
        {"condition": {"any": [{"sku": []}, {"sku": ["A", 5, ""]}, {"sku": 5}, {"sku": {}}]}},
        [
            Fault("/condition/any/0/sku", *VALUES),
            Fault("/condition/any/1/sku/1", *TEXT),
            Fault("/condition/any/1/sku/2", *CHARACTERS),
            Fault("/condition/any/2/sku", *TEXT),
            Fault("/condition/any/3/sku", *TEXT),
        ],
    ),
    ({"condition": {"sku": ["A"] * 1001}}, [Fault("/condition/sku", *VALUES)]),
    ({"condition": {"not": {"sku": None}}}, [Fault("/condition/not/sku", *REQUIRED)]),
    ({"condition": {"attribute": "size"}}, [Fault("/condition/attribute", *OBJECT)]),
    (
        {"condition": {"attribute": {"name": 5, "in": [5]}}},
        [Fault("/condition/attribute/name", *TEXT), Fault("/condition/attribute/in/0", *TEXT)],
    ),
    (
        {"condition": {"attribute": {}}},
        [required("/condition/attribute/name"), required("/condition/attribute/in")],
    ),
    ({"condition": {"list_price": "5"}}, [Fault("/condition/list_price", *OBJECT)]),
    (
        {"condition": {"list_price": {"of": "x", "min": 5}}},
        [
            unknown("/condition/list_price/of", "of", "min", "max"),
            Fault("/condition/list_price/min", *AMOUNT),
        ],
    ),
    ({"condition": {"running_price": {}}}, [Fault("/condition/running_price", *BOUNDS)]),
    ({"condition": {"quantity": 5}}, [Fault("/condition/quantity", *OBJECT)]),
    (
        {"condition": {"quantity": {"min": "5", "max": 0, "of": "basket"}}},
        [
            Fault("/condition/quantity/min", *WHOLE),
            Fault("/condition/quantity/max", *COUNT),
            one_of("/condition/quantity/of", "line, product, group, partner, match, order"),
        ],
    ),
    ({"condition": {"quantity": {"of": "order"}}}, [Fault("/condition/quantity", *BOUNDS)]),
    ({"condition": {"quantity": {"min": 1000000001}}}, [Fault("/condition/quantity/min", *COUNT)]),
    ({"condition": {"quantity": {"min": True}}}, [Fault("/condition/quantity/min", *WHOLE)]),
    ({"condition": {"total": "5"}}, [Fault("/condition/total", *OBJECT)]),
    (
        {"condition": {"total": {"min": 5, "of": "basket"}}},
        [
            Fault("/condition/total/min", *AMOUNT),
            one_of("/condition/total/of", "line, product, group, partner, match, order"),
        ],
    ),
    ({"condition": {"window": "2026"}}, [Fault("/condition/window", *OBJECT)]),
    ({"condition": {"window": {}}}, [required("/condition/window/tz")]),
    (
        {"condition": {"window": {"tz": "Mars/Base"}}},
        [Fault("/condition/window/tz", *ZONE), Fault("/condition/window", *WINDOW)],
    ),
    (
        {"condition": {"window": {"tz": "../etc/passwd", "days": ["mon"]}}},
        [Fault("/condition/window/tz", *ZONE)],
    ),
    (
        {
            "condition": {
                "window": {
                    "tz": 5,
                    "from": 2026,
                    "until": "2026-3-1",
                    "days": ["Mon", 5],
                    "hours": {"from": "9:00", "until": "25:00"},
                }
            }
        },
        [
            Fault("/condition/window/tz", *TEXT),
            Fault("/condition/window/from", *TIME),
            Fault("/condition/window/until", *TIME),
            one_of("/condition/window/days/0", "mon, tue, wed, thu, fri, sat, sun"),
            one_of("/condition/window/days/1", "mon, tue, wed, thu, fri, sat, sun"),
            Fault("/condition/window/hours/from", *HOUR),
            Fault("/condition/window/hours/until", *HOUR),
        ],
    ),
    (
        {"condition": {"window": {"tz": "UTC", "from": "2026-02-30", "until": "2026-03-01T25:00"}}},
        [
            Fault(
                "/condition/window/from",
                "not_a_time",
                "There is no such time: day is out of range for month.",
            ),
            Fault(
                "/condition/window/until",
                "not_a_time",
                "There is no such time: hour must be in 0..23.",
            ),
        ],
    ),
    (
        {"condition": {"window": {"tz": "UTC", "from": "1899-12-31", "until": "3000-01-01"}}},
        [Fault("/condition/window/from", *YEAR), Fault("/condition/window/until", *YEAR)],
    ),
    (
        {"condition": {"window": {"tz": "UTC", "from": "2026-03-01T10:00Z"}}},
        [Fault("/condition/window/from", *TIME)],
    ),
    (
        {"condition": {"window": {"tz": "UTC", "days": [], "hours": "9-5"}}},
        [members("/condition/window/days", 7), Fault("/condition/window/hours", *OBJECT)],
    ),
    (
        {
            "condition": {
                "window": {
                    "tz": "UTC",
                    "days": ["mon", "mon", "mon", "mon", "mon", "mon", "mon", "mon"],
                }
            }
        },
        [members("/condition/window/days", 7)],
    ),
    (
        {"condition": {"window": {"tz": "UTC", "hours": {"from": "24:00"}}}},
        [required("/condition/window/hours/until")],
    ),
    (
        {"condition": {"window": {"tz": "UTC", "hours": {"from": "24:00", "until": "24:01"}}}},
        [
            Fault("/condition/window/hours/from", *HOUR),
            Fault("/condition/window/hours/until", *HOUR),
        ],
    ),
    (
        {
            "applies_to": "basket",
            "priority": "1",
            "group": "sales",
            "final": "yes",
            "on": "total",
            "currency": 5,
            "limits": 5,
            "funded_by": "me",
        },
        [
            one_of("/applies_to", "line, order"),
            Fault("/priority", *WHOLE),
            Fault("/group", *OBJECT),
            Fault("/final", *FLAG),
            one_of("/on", "running, list"),
            Fault("/currency", *TEXT),
            Fault("/limits", *OBJECT),
            one_of("/funded_by", "platform, partner"),
        ],
    ),
    (
        {"group": {"name": 5, "mode": "worst", "x": 1}, "funded_by": {}, "limits": {"uses": 1}},
        [
            unknown("/group/x", "x", "name", "mode"),
            Fault("/group/name", *TEXT),
            one_of("/group/mode", "all, first, best"),
            unknown("/limits/uses", "uses", "max_amount", "most_uses", "per_customer", "budget"),
            required("/funded_by/partner_percent"),
        ],
    ),
    (
        {"group": {}, "funded_by": {"partner_percent": "101"}, "priority": 1.0},
        [
            Fault("/priority", *WHOLE),
            required("/group/name"),
            required("/group/mode"),
            Fault("/funded_by/partner_percent", *TO_100),
        ],
    ),
    (
        {"limits": {"max_amount": 5, "most_uses": "5", "per_customer": 0, "budget": "x"}},
        [
            Fault("/limits/max_amount", *AMOUNT),
            Fault("/limits/most_uses", *WHOLE),
            Fault("/limits/per_customer", *COUNT),
            Fault("/limits/budget", *AMOUNT),
        ],
    ),
    (
        {"funded_by": {"partner_percent": 5, "x": 1}, "currency": "EURO"},
        [
            unknown("/funded_by/x", "x", "partner_percent"),
            Fault("/funded_by/partner_percent", *PERCENT),
        ],
    ),
]


@pytest.mark.parametrize(("form", "faults"), FAULTY)
def test_every_fault_is_reported_at_once_where_it_is(form: Any, faults: list[Fault]):  # noqa: ANN401
    if isinstance(form, dict) and form and "name" not in form:
        form = {"name": "R", "benefit": TEN, **form}
    with pytest.raises(InvalidInput) as refusal:
        read_rule(form)
    assert list(refusal.value.faults) == faults
    assert (refusal.value.code, refusal.value.detail) == (
        "bad_price_rule",
        "The price rule isn't valid.",
    )


@pytest.mark.parametrize("depth", [8, 9])
def test_conditions_are_nested_at_most_eight_deep(depth: int):
    condition: Any = {"sku": "A"}
    for n in range(depth):
        condition = ({"not": condition}, {"all": [condition]}, {"any": [condition]})[n % 3]
    form = {"name": "R", "benefit": TEN, "condition": condition}
    if depth == 8:
        assert rule_form(read_rule(form)) == form
        return
    with pytest.raises(InvalidInput) as refusal:
        read_rule(form)
    (fault,) = refusal.value.faults
    assert (fault.code, fault.detail) == ("too_deep", "Conditions are nested at most 8 deep.")


@pytest.mark.parametrize(
    ("most", "at"),
    [
        (500, lambda n: {"name": "R", "benefit": TEN, "condition": {"sku": "x" * n}}),
        (1000, lambda n: {"name": "R", "benefit": TEN, "condition": {"sku": ["x"] * n}}),
        (200, lambda n: {"name": "R", "benefit": TEN, "condition": {"any": [{"sku": "x"}] * n}}),
        (
            20,
            lambda n: {
                "name": "R",
                "benefit": {"bundle": {"items": [{"sku": "A"}] * n, "price": "5"}},
            },
        ),
        (
            100,
            lambda n: {
                "name": "R",
                "benefit": {
                    "tiers": {"steps": [{"from": m, "percent": "5"} for m in range(1, n + 1)]}
                },
            },
        ),
        (10**9, lambda n: {"name": "R", "benefit": TEN, "limits": {"most_uses": n}}),
    ],
)
def test_each_limit_holds_exactly(most: int, at: Callable[[int], Any]):
    read_rule(at(most))
    with pytest.raises(InvalidInput):
        read_rule(at(most + 1))
