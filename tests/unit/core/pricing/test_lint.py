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


def test_there_is_a_limit_to_what_is_found():
    many = [rule(TEN, number) for number in range(60)]
    assert len(lint(many, NOW)) == MOST_FINDINGS
