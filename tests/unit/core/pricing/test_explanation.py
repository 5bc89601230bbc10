"""What is said about each step of a price, and about each rule."""

from decimal import Decimal
from typing import Any

import pytest

from commerce_core.pricing.conditions import Failure
from commerce_core.pricing.explanation import Adjustment, RuleOutcome, sentence

ONE = Failure("/condition/all/0", "brand Acme", "Nord")
TWO = Failure("/condition/all/1", "a quantity of at least 2", "1")


def step(amount: str, **members: Any) -> Adjustment:  # noqa: ANN401
    known: dict[str, Any] = {
        "reason": "rule",
        "label": "Sale",
        "amount": Decimal(amount),
        **members,
    }
    for name in ("base", "asked", "total"):
        if name in known:
            known[name] = Decimal(known[name])
    return Adjustment(**known)


@pytest.mark.parametrize(
    ("made", "said"),
    [
        (step("-1.00"), "Sale took 1.00."),
        (step("0.00"), "Sale took 0.00."),
        (step("1.50"), "Sale added 1.50."),
        (step("0.50"), "Sale added 0.50."),
        (step("-1.00", total="9.00"), "Sale took 1.00; the line costs 9.00."),
        (
            step("-1.00", units=1, base="10.00"),
            "Sale took 1.00, for 1 unit that cost 10.00 (the price so far).",
        ),
        (
            step("-1.00", units=1200, base="10.00", on="list"),
            "Sale took 1.00, for 1,200 units that cost 10.00 (the list price).",
        ),
        (step("-1.00", units=2), "Sale took 1.00."),
        (step("-1.00", base="10.00"), "Sale took 1.00."),
        (step("-1.00", asked="1.00"), "Sale took 1.00."),
        (step("-2.63", asked="2.625"), "Sale took 2.63, rounded from 2.625."),
        (step("-2.62", asked="2.625"), "Sale took 2.62, rounded from 2.625."),
        (
            step("-3.34", asked="3.333333"),
            "Sale took 3.34, rounded from 3.333333.",
        ),
        (
            step("-3.35", asked="3.34"),
            "Sale took 3.35, more than its share of 3.34, since other lines have no room.",
        ),
        (
            step("-100", asked="99"),
            "Sale took 100, more than its share of 99, since other lines have no room.",
        ),
        (
            step("-1.00", asked="2.00", limited_by="cap"),
            "Sale took 1.00, instead of 2.00, limited by the rule's cap per order.",
        ),
        (
            step("-1.00", asked="2.00", limited_by="zero"),
            "Sale took 1.00, instead of 2.00, limited by what the units cost.",
        ),
        (
            step("-1.00", asked="2.00", limited_by="floor"),
            "Sale took 1.00, instead of 2.00, limited by the floor.",
        ),
        (
            step("-1.00", asked="2.00", limited_by="floor", limit_label="MAP"),
            "Sale took 1.00, instead of 2.00, limited by the floor 'MAP'.",
        ),
    ],
)
def test_a_step_in_words(made: Adjustment, said: str):
    assert sentence(made) == said


def outcome(what: Any, amount: str = "0.00", **members: Any) -> RuleOutcome:  # noqa: ANN401
    return RuleOutcome("rule_1", 1, "Sale", what, Decimal(amount), **members)


@pytest.mark.parametrize(
    ("made", "said"),
    [
        (outcome("applied", "1.00"), ["Sale took 1.00."]),
        (outcome("applied", "0.50"), ["Sale took 0.50."]),
        (outcome("applied", "0.00"), ["Sale took 0.00."]),
        (outcome("applied", "-1.00"), ["Sale added 1.00."]),
        (
            outcome("applied", "1.00", unallocated=Decimal("4.00")),
            ["Sale took 1.00.", "Sale had 4.00 left that no line had room for."],
        ),
        (
            outcome("not_matched", failures=(ONE, TWO)),
            [
                "Sale did not apply: it wants brand Acme, and found Nord.",
                "It also wants a quantity of at least 2, and found 1.",
            ],
        ),
        (
            outcome("not_matched"),
            ["Sale did not apply: it wants lines that this basket doesn't have."],
        ),
        (outcome("no_effect"), ["Sale matched, but changed no price."]),
        (
            outcome("beaten", beaten_by="rule_2"),
            ["Sale did not apply: another rule of its group took its place."],
        ),
        (
            outcome("beaten", beaten_by="rule_2", beaten_by_amount=Decimal("0.50")),
            ["Sale did not apply: another rule of its group took its place, by 0.50."],
        ),
        (
            outcome("used_up"),
            ["Sale did not apply: its limit of uses or its budget is used up."],
        ),
        (
            outcome("needs_customer"),
            ["Sale did not apply: it is limited per customer, and no customer was given."],
        ),
        (
            outcome("closed"),
            ["Sale did not apply: a final rule came before it on every line that matches."],
        ),
        (outcome("not_active"), ["Sale did not apply: it isn't active."]),
        (outcome("floor"), ["Sale keeps prices from falling below it."]),
    ],
)
def test_what_became_of_a_rule_in_words(made: RuleOutcome, said: list[str]):
    assert list(made.sentences) == said


def test_a_partner_pays_its_part():
    assert step("-1.00").partners_part == Decimal("-1.00")
    assert step("-1.00", funded_by="platform").partners_part == 0
    assert step("-1.00", funded_by="both", partner_amount=Decimal("-0.40")).partners_part == (
        Decimal("-0.40")
    )


def test_a_partner_sees_what_was_done_but_not_by_which_rule():
    own = step("-1.00", rule_id="rule_1", rule_version=3, limit_label="MAP", total="9.00")
    assert own.without_rule() == step("-1.00", total="9.00")
