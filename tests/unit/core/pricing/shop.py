"""A small shop for tests of prices: products, rules in their written form, and baskets."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from attrs import evolve

from commerce_core.catalog.product import Product
from commerce_core.pricing.basket import price_basket
from commerce_core.pricing.form import read_rule
from commerce_core.pricing.priced import Basket, BasketItem, PricedBasket, Usage
from commerce_core.pricing.rules import PriceRule

NOW = datetime(2026, 3, 31, 12, tzinfo=UTC)


def product(sku: str, price: str, currency: str = "EUR", **changes: object) -> Product:
    made = Product(
        product_id=f"prod_{changes.get('partner_id', 'p1')}_{sku}",
        partner_id="p1",
        partner_name="Partner",
        source_id="main",
        sku=sku,
        product_name=f"Product {sku}",
        price=Decimal(price),
        currency=currency,
        feed_id="feed",
        line=2,
        publication_id="pub",
        created_at=NOW,
        updated_at=NOW,
    )
    return evolve(made, **changes)


def rule(benefit: Mapping[str, Any], number: int = 1, **members: object) -> PriceRule:
    """An active rule; `number` makes its id, and by default its name."""
    form = {"name": f"Rule {number}", "benefit": benefit, **members}
    return PriceRule(
        rule_id=f"rule_{number:02}",
        version=1,
        status="active",
        rule=read_rule(form),
        created_at=NOW,
        updated_at=NOW,
    )


def price(
    items: Sequence[tuple[Product, int]],
    *rules: PriceRule,
    at: datetime = NOW,
    usage: Mapping[str, Usage] | None = None,
    explain: bool = False,
    codes: tuple[str, ...] = (),
    customer: str | None = None,
    channel: str | None = None,
) -> PricedBasket:
    lines = tuple(BasketItem(each, quantity) for each, quantity in items)
    return price_basket(
        Basket(lines, codes, customer, None, channel), rules, at, usage or {}, explain=explain
    )


def totals(priced: PricedBasket) -> dict[str, str]:
    """What each line costs, by sku."""
    return {item.sku: str(item.line_total) for item in priced.items}


def taken(priced: PricedBasket) -> Decimal:
    """What all rules and sales took off."""
    return priced.list_total - priced.total_amount
