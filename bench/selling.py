"""Measures prices: baskets of 1 to 400 lines under 1,000 and 10,000 active rules.

    make bench-selling

One rule of a hundred is for all products and over, and 400 are for a brand or a category; the
others are for twenty products, a code, or a brand and a customer group. Prints the median of the
rounds, in milliseconds of processor time.
"""

import argparse
import random
from datetime import UTC, datetime
from decimal import Decimal
from statistics import median
from time import process_time
from typing import Any

from commerce_core.catalog.product import Product
from commerce_core.pricing.basket import price_basket
from commerce_core.pricing.form import read_rule
from commerce_core.pricing.index import RuleIndex
from commerce_core.pricing.priced import Basket, BasketItem, PricedBasket
from commerce_core.pricing.rules import PriceRule

NOW = datetime(2026, 6, 1, 12, tzinfo=UTC)
BRANDS, CATEGORIES, PRODUCTS = 500, 300, 100_000
CAMPAIGNS = 400
GOALS = {(100, 1_000): 5.0, (100, 10_000): 15.0}
"""Milliseconds, by lines and rules."""


def product(number: int, chance: random.Random) -> Product:
    """A product of the shop."""
    category = chance.randrange(CATEGORIES)
    return Product(
        product_id=f"prod_{number:032x}",
        partner_id=f"ptn_{number % 20:032x}",
        partner_name=f"Partner {number % 20}",
        source_id="src",
        sku=f"SKU-{number}",
        product_name=f"Product {number}",
        brand=f"Brand {chance.randrange(BRANDS)}",
        category=f"Shop > Area {category % 12} > Shelf {category}",
        price=Decimal(chance.randrange(100, 50_000)).scaleb(-2),
        currency="EUR",
        feed_id="feed",
        line=1,
        publication_id="pub",
        created_at=NOW,
        updated_at=NOW,
    )


def condition(number: int, chance: random.Random) -> dict[str, Any]:
    """What a campaign is for, or something narrower."""
    shelf = chance.randrange(CATEGORIES)
    if number < CAMPAIGNS:
        area = {"category": f"Shop > Area {shelf % 12} > Shelf {shelf}"}
        return area if number % 2 else {"brand": f"Brand {chance.randrange(BRANDS)}"}
    kinds: list[dict[str, Any]] = [
        {"sku": [f"SKU-{chance.randrange(PRODUCTS)}" for _ in range(20)]},
        {"all": [{"code": f"CODE-{number}"}, {"quantity": {"min": 2, "of": "match"}}]},
        {"all": [{"customer_group": f"group-{number % 50}"}, {"brand": f"Brand {shelf}"}]},
    ]
    return kinds[number % len(kinds)]


def rule(number: int, chance: random.Random, rules: int) -> PriceRule:
    """A rule of a shop that has this many."""
    benefits: list[dict[str, Any]] = [
        {"percent": str(chance.randrange(1, 40))},
        {"amount": "1.00"},
        {"n_for_m": {"buy": 2, "get": 1, "percent": "100"}},
        {"tiers": {"steps": [{"from": 2, "percent": "3"}, {"from": 5, "percent": "6"}]}},
    ]
    form: dict[str, Any] = {
        "name": f"Rule {number}",
        "priority": number % 7,
        "benefit": benefits[number % len(benefits)],
    }
    if number * 100 < rules:
        form["condition"] = {"window": {"until": "2025-12-31", "tz": "Europe/Rome"}}
    else:
        form["condition"] = condition(number, chance)
    return PriceRule(
        rule_id=f"rule_{number:032x}", version=1, status="active", rule=read_rule(form),
        created_at=NOW, updated_at=NOW,
    )  # fmt: skip


def main() -> None:
    """Measures, and prints a row for each size of basket."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=15)
    rounds = parser.parse_args().rounds
    chance = random.Random(7)
    for rules in (1_000, 10_000):
        index = RuleIndex.of([rule(number, chance, rules) for number in range(rules)])
        for lines in (1, 25, 50, 100, 200, 400):
            report(index, lines, rules, rounds, chance)


def report(index: RuleIndex, lines: int, rules: int, rounds: int, chance: random.Random) -> None:
    """Prints one row."""
    times: list[float] = []
    priced: PricedBasket | None = None
    for _ in range(rounds):
        numbers = chance.sample(range(PRODUCTS), lines)
        items = [BasketItem(product(n, chance), chance.randrange(1, 6)) for n in numbers]
        basket = Basket(tuple(items), codes=("CODE-3",), customer_group="group-4")
        begun = process_time()
        priced = price_basket(basket, index, NOW)
        times.append((process_time() - begun) * 1000)
    goal = GOALS.get((lines, rules))
    applied = sum(len(item.adjustments) for item in priced.items) if priced else 0
    considered = priced.rules_considered if priced else 0
    print(
        f"{lines:4} lines, {rules:6,} rules: {median(times):7.2f} ms"
        f" ({considered:,} rules considered, {applied:,} adjustments)"
        + (f"; the goal is {goal:g} ms" if goal else "")
    )


if __name__ == "__main__":
    main()
