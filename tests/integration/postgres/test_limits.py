"""Limits of price rules on PostgreSQL: never overrun by orders at the same moment."""

import io
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal

from attrs import evolve

from adapters.postgres import PostgresStore
from commerce_core.base.errors import Conflict, InvalidInput
from commerce_core.commerce import Commerce
from commerce_core.pricing.basket_terms import BasketTerms
from entrypoints.compose import open_platform
from entrypoints.settings import Settings

CLIENTS = 32
AT_ONCE = 8
"""Orders under way at the same moment; a store has room for ten."""


def at_once(place: Callable[[int], str]) -> list[str]:
    with ThreadPoolExecutor(AT_ONCE) as pool:
        return list(pool.map(place, range(CLIENTS)))


def loaded(commerce: Commerce) -> list[tuple[str, int]]:
    commerce.partners.add("Acme", currency="EUR")
    commerce.feeds.load(io.BytesIO(b"sku,title,price\nA,Lamp,10.00\nB,Chair,20\n"), partner="Acme")
    return [(commerce.products.get(partner="Acme", sku=sku).product_id, 1) for sku in "AB"]


def test_a_code_for_one_use_is_used_once(store: PostgresStore):
    """One of 32 orders has it; the others are told the price without it."""
    with open_platform(Settings(database_url="memory:")) as made:
        commerce = Commerce(evolve(made.context, store=store))
        items = loaded(commerce)
        commerce.pricing.add({
            "name": "Once", "benefit": {"percent": "10"}, "condition": {"code": "ONCE"},
            "limits": {"most_uses": 1},
        })  # fmt: skip

        def place(number: int) -> str:
            expected = None if number % 4 == 3 else Decimal("27.00")
            try:
                terms = BasketTerms(("ONCE",), customer=f"c{number}")
                order = commerce.orders.place(items, terms=terms, expected_total=expected)
            except Conflict as refused:
                return f"{refused.code} to {refused.shown['total_amount']}"
            except InvalidInput as refused:
                return refused.faults[0].code
            assert order.total_amount == 27
            return "placed"

        results = at_once(place)
        assert results.count("placed") == 1
        refused = results.count("price_changed to 30.00") + results.count("used_up_code")
        assert refused == CLIENTS - 1
        assert len(list(commerce.orders.list())) == 1
        assert all(p.reserved == 1 for p in commerce.products.list())


def test_a_budget_is_never_overrun_and_nobody_is_charged_silently(store: PostgresStore):
    """Orders beyond the budget, and beyond the uses of a customer, are placed at the full price."""
    with open_platform(Settings(database_url="memory:")) as made:
        commerce = Commerce(evolve(made.context, store=store))
        items = loaded(commerce)
        budget = commerce.pricing.add({
            "name": "Budget", "benefit": {"percent": "10"}, "limits": {"budget": "20.00"},
        })  # fmt: skip
        per_customer = commerce.pricing.add({
            "name": "Welcome", "benefit": {"amount": "1.00"}, "applies_to": "order",
            "limits": {"per_customer": 1},
        })  # fmt: skip

        def place(number: int) -> str:
            terms = BasketTerms(customer=f"c{number % 4}")
            order = commerce.orders.place(items, terms=terms)
            used = [step.rule_id for item in order.items for step in item.adjustments]
            return " ".join(sorted({str(rule_id) for rule_id in used}))

        results = at_once(place)
        assert sum(budget.rule_id in result for result in results) == 6
        assert sum(per_customer.rule_id in result for result in results) == 4
        orders = list(commerce.orders.list())
        taken = sum(
            -step.amount
            for order in orders
            for item in order.items
            for step in item.adjustments
            if step.rule_id == budget.rule_id
        )
        assert (len(orders), taken) == (CLIENTS, 18)
        for order in orders:
            commerce.orders.cancel(order.order_id)
        quote = commerce.pricing.quote(items, terms=BasketTerms(customer="c0"))
        assert quote.total_amount == 26
