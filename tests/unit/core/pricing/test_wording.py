"""What a rule does to prices, in words."""

import pytest

from commerce_core.pricing.form import read_rule
from commerce_core.pricing.wording import benefit_words


@pytest.mark.parametrize(
    ("form", "words"),
    [
        ({"benefit": {"percent": "12.5"}}, "12.5 % off"),
        ({"benefit": {"amount": "5.00"}}, "5.00 off each unit"),
        ({"benefit": {"amount": "5"}, "applies_to": "order"}, "5 off the order"),
        ({"benefit": {"fixed_price": "9.99"}, "currency": "EUR"}, "9.99 EUR for each unit"),
        ({"benefit": {"fixed_price": "9"}, "applies_to": "order"}, "9 for all of it"),
        ({"benefit": {"markup_percent": "8"}}, "8 % more"),
        ({"benefit": {"markup_amount": "1.5"}}, "1.5 more for each unit"),
        (
            {"benefit": {"tiers": {"steps": [{"from": n, "percent": "5"} for n in range(2, 8)]}}},
            f"{', '.join(f'from {n} units 5 % off' for n in range(2, 6))}, 2 more steps",
        ),
        (
            {"benefit": {"tiers": {"steps": [{"from": n, "percent": "5"} for n in range(2, 7)]}}},
            f"{', '.join(f'from {n} units 5 % off' for n in range(2, 6))}, 1 more step",
        ),
        (
            {"benefit": {"tiers": {"steps": [{"from": n, "amount": "1"} for n in range(2, 6)]}}},
            ", ".join(f"from {n} units 1 off each unit" for n in range(2, 6)),
        ),
        ({"benefit": {"n_for_m": {"buy": 2, "get": 1, "percent": "100"}}}, "buy 2, get 1 free"),
        (
            {"benefit": {"n_for_m": {"buy": 2, "get": 1, "percent": "50", "most": 3}}},
            "buy 2, get 1 at 50 % off, at most 3 times",
        ),
        (
            {"benefit": {"sets": {"min_total": "100", "percent": "10"}}},
            "10 % off sets of at least 100",
        ),
        (
            {"benefit": {"bundle": {"items": [{"brand": "A", "quantity": 2}, {"brand": "B",
             "quantity": 1}], "price": "30"}}},
            "3 units together for 30",
        ),
        (
            {"benefit": {"sets": {"min_total": "100", "percent": "10", "most": 1}}},
            "10 % off sets of at least 100, at most once",
        ),
        (
            {"benefit": {"bundle": {"items": [{"sku": "A"}], "price": "30", "most": 2000}}},
            "1 unit for 30, at most 2,000 times",
        ),
        ({"benefit": {"floor": {"percent_of_list": "60"}}}, "never below 60 % of the list price"),
        ({"benefit": {"floor": {"price": "5"}}, "currency": "EUR"}, "never below 5 EUR"),
        ({"benefit": {"ending": {"to": ".99", "mode": "down"}}}, "prices rounded down to .99"),
        ({"benefit": {"ending": {"to": ".5", "mode": "up"}}}, "prices rounded up to .5"),
        ({"benefit": {"ending": {"to": "5", "mode": "nearest"}}},
         "prices rounded to multiples of 5"),
        ({"benefit": {"price_list": "Trade"}}, "prices of a price list"),
        (
            {"benefit": {"floor": {"price": "5", "percent_of_list": "60", "margin_percent": "10",
             "cost_list": "Costs"}}},
            "never below 5 and 60 % of the list price and the cost plus 10 %",
        ),
    ],
)  # fmt: skip
def test_each_benefit_is_a_short_phrase(form: dict[str, object], words: str):
    assert benefit_words(read_rule({"name": "A rule", **form})) == words
