"""What is odd about rules, found without a basket."""

from typing import Any

from commerce_core.pricing.lint import MOST_FINDINGS, Finding, lint
from commerce_core.pricing.rules import PriceRule
from tests.unit.core.pricing.shop import NOW, rule

BEST, FIRST = ({"name": mode, "mode": mode} for mode in ("best", "first"))
TEN: dict[str, Any] = {"percent": "10"}


def found(*rules: PriceRule) -> list[tuple[str, str, str | None]]:
    return [_short(finding) for finding in lint(rules, NOW)]


def _short(finding: Finding) -> tuple[str, str, str | None]:
    return finding.code, finding.name, finding.other_rule_id


def test_rules_that_are_over_or_do_nothing_are_found():
    over = rule(TEN, 1, condition={"window": {"until": "2026-03-30", "tz": "UTC"}})
    nothing = rule({"percent": "0"}, 2, condition={"brand": "Acme"})
    assert ("over", "Rule 1", None) in found(over, nothing)
    assert ("does_nothing", "Rule 2", None) in found(over, nothing)


def test_conditions_that_exclude_each_other_are_found_however_deep():
    deep = {"all": [{"sku": "A"}, {"all": [{"sku": ["B", "C"]}]}]}
    assert found(rule(TEN, condition=deep)) == [("never_matches", "Rule 1", None)]
    assert found(rule(TEN, condition={"all": [{"sku": ["A", "B"]}, {"sku": ["B"]}]})) == []


def test_amounts_without_a_currency_are_found():
    assert found(rule({"amount": "5.00"})) == [("any_currency", "Rule 1", None)]
    assert found(rule({"amount": "5.00"}, currency="EUR")) == []


def test_a_rule_that_another_of_its_group_always_beats_is_found():
    shoes = {"all": [{"brand": "Acme"}, {"category": "Shoes"}]}
    general = rule(TEN, 1, group=FIRST, priority=1, condition={"brand": "Acme"})
    narrower = rule({"percent": "50"}, 2, group=FIRST, condition=shoes)
    assert found(general, narrower) == [("always_beaten", "Rule 2", "rule_01")]
    limited = rule(TEN, 1, group=FIRST, priority=1, limits={"most_uses": 1})
    assert found(limited, narrower) == []
    less, more = rule(TEN, 1, group=BEST), rule({"percent": "20"}, 2, group=BEST)
    assert found(less, more) == [("always_beaten", "Rule 1", "rule_02")]


def test_rules_that_add_up_are_found_unless_they_exclude_each_other():
    one = rule(TEN, 1, condition={"brand": "Acme"})
    other = rule(TEN, 2, condition={"category": "Shoes"})
    nord = rule(TEN, 3, condition={"brand": "Nord"})
    everywhere = rule(TEN, 4)
    assert found(one, nord) == []
    assert found(one, everywhere) == [("adds_up", "Rule 4", "rule_01")]
    both = rule(TEN, 5, condition={"all": [{"brand": "Acme"}, {"sku": "A"}]})
    assert found(one, other, both) == []
    same = rule(TEN, 6, condition={"all": [{"brand": ["Acme", "Nord"]}, {"channel": "web"}]})
    assert found(one, nord, same) == [
        ("adds_up", "Rule 6", "rule_01"), ("adds_up", "Rule 6", "rule_03"),
    ]  # fmt: skip


def test_rules_that_reach_a_floor_are_found():
    floor = rule({"floor": {"percent_of_list": "80"}}, 1)
    assert found(floor, rule({"percent": "20"}, 2)) == []
    assert found(floor, rule({"percent": "21"}, 2)) == [("reaches_floor", "Rule 2", "rule_01")]


def test_findings_say_in_words_what_is_odd():
    ended = {"window": {"until": "2026-03-31T12:00", "tz": "UTC"}}
    over = rule({"amount": "0"}, 1, condition=ended)
    assert lint([over], NOW) == [
        Finding("over", "rule_01", "Rule 1", "Its window ended at 2026-03-31T12:00:00+00:00."),
        Finding("does_nothing", "rule_01", "Rule 1", "Its benefit is 0."),
        Finding(
            "any_currency", "rule_01", "Rule 1",
            "Its amounts are in whatever currency a basket has; name a currency.",
        ),
    ]  # fmt: skip
    deep = {"all": [{"sku": "A"}, {"all": [{"sku": "B"}]}]}
    assert lint([rule(TEN, condition=deep)], NOW) == [
        Finding("never_matches", "rule_01", "Rule 1", "Two of its conditions exclude each other.")
    ]
    grouped = [rule(TEN, n, group=FIRST) for n in (1, 2)]
    beaten = "The rule 'Rule 1' of its group always takes its place."
    assert lint(grouped, NOW) == [Finding("always_beaten", "rule_02", "Rule 2", beaten, "rule_01")]
    both = "It and 'Rule 1' both apply to lines that match both."
    assert lint([rule(TEN, 1), rule(TEN, 2)], NOW) == [
        Finding("adds_up", "rule_02", "Rule 2", both, "rule_01")
    ]
    floor = rule({"floor": {"price": "5.00"}}, 1, currency="EUR")
    below = rule({"fixed_price": "4.99"}, 2, currency="EUR")
    reaches = "By itself it takes products below the floor 'Rule 1'."
    assert lint([floor, below], NOW) == [
        Finding("reaches_floor", "rule_02", "Rule 2", reaches, "rule_01")
    ]


def test_only_rules_that_can_take_a_unit_below_a_floor_reach_it():
    price = rule({"floor": {"price": "5.00"}}, 1, currency="EUR")
    share = rule({"floor": {"percent_of_list": "80"}}, 1)
    at_floor = rule({"fixed_price": "5.00"}, 2, currency="EUR")
    other_floor = rule({"floor": {"price": "4.00"}}, 2, currency="EUR")
    dearer = rule({"markup_amount": "1.00"}, 2, currency="EUR")
    for rules in ((price, at_floor), (price, other_floor), (price, rule({"percent": "99"}, 2)),
                  (share, at_floor), (price, dearer)):  # fmt: skip
        assert found(*rules) == []


def test_only_reductions_that_meet_add_up():
    dearer = rule({"markup_percent": "10"}, 2)
    for rules in ((rule(TEN, 1), dearer), (dearer, rule(TEN, 3)), (dearer, dearer)):
        assert found(*rules) == []
    acme, nord = ({"all": [{"channel": "web"}, {"brand": name}]} for name in ("Acme", "Nord"))
    assert found(rule(TEN, 1, condition=acme), rule(TEN, 2, condition=nord)) == []
    few, many = ({"quantity": bounds} for bounds in ({"max": 4}, {"min": 5}))
    assert found(rule(TEN, 1, condition=few), rule(TEN, 2, condition=many)) == []
    assert found(rule(TEN, 1, condition=few), rule(TEN, 2, condition={"quantity": {"min": 4}})) == [
        ("adds_up", "Rule 2", "rule_01")
    ]


def test_a_rule_without_effect_or_of_another_mode_beats_none():
    every = {"name": "g", "mode": "all"}
    assert found(rule(TEN, 1, group=every), rule({"percent": "20"}, 2, group=every)) == []
    assert found(rule(TEN, 1, group=BEST), rule(TEN, 2, group=BEST)) == []
    nothing = rule({"percent": "0"}, 1, group=FIRST)
    assert found(nothing, rule(TEN, 2, group=FIRST)) == [("does_nothing", "Rule 1", None)]
    narrow = rule(TEN, 1, group=FIRST, condition={"brand": "Acme"})
    assert found(narrow, rule(TEN, 2, group=FIRST)) == []
    mixed = rule({"amount": "1.00"}, 2, group=BEST, currency="EUR")
    assert found(rule({"percent": "99"}, 1, group=BEST), mixed) == []
    of_list = rule({"percent": "50"}, 2, group=BEST, on="list")
    assert found(rule(TEN, 1, group=BEST), of_list) == []


def test_there_is_a_limit_to_what_is_found():
    many = [rule(TEN, number) for number in range(60)]
    assert len(lint(many, NOW)) == MOST_FINDINGS
