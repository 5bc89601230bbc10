"""Prices: the partner's price comes from the feed, and rules turn it into the selling price.

One function computes and explains every price, of orders and of a product's past alike. So far the
only rule is the partner's own sale, in `FEED_RULES`, which apply to all products. Callers pass none
of their own yet.
"""

from collections.abc import Callable, Sequence
from datetime import datetime
from decimal import Decimal
from typing import Final

from attrs import frozen

from commerce_core.base.money import currency
from commerce_core.catalog.product import Product


@frozen
class Adjustment:
    """One step from list price to unit price: the `amount` per unit, negative for a discount."""

    reason: str
    label: str
    amount: Decimal


@frozen
class Price:
    """The price of one unit and its explanation. Amounts have the decimals of the currency."""

    currency: str
    list_price: Decimal
    unit_price: Decimal
    adjustments: tuple[Adjustment, ...] = ()


@frozen
class Rule:
    """Changes the price of a unit if it applies: returns the new price, or None to leave it."""

    reason: str
    label: str
    benefit: Callable[[Product, Decimal, datetime], Decimal | None]


def _sale(product: Product, price: Decimal, at: datetime) -> Decimal | None:
    sale, starts, ends = product.sale_price, product.sale_starts_at, product.sale_ends_at
    runs = (starts is None or starts <= at) and (ends is None or at < ends)
    # Nothing is sold for 0; feeds with such a sale price are warned about, and may be older.
    return sale if runs and sale and sale < price else None


FEED_RULES: Final = (Rule("sale", "Partner's sale price", _sale),)


def price(product: Product, at: datetime, rules: Sequence[Rule] = FEED_RULES) -> Price:
    """The price of one unit at a moment, with the rules applied in turn.

    ValueError if the product has no price; check `sellable` before selling.
    """
    if product.price is None or product.currency is None:
        raise ValueError(f"{product.product_id} has no price")
    money = currency(product.currency)
    listed = unit = money.round(product.price)
    adjustments: list[Adjustment] = []
    for rule in rules:
        changed = rule.benefit(product, unit, at)
        if changed is not None:
            adjustments.append(Adjustment(rule.reason, rule.label, money.round(changed) - unit))
            unit = money.round(changed)
    return Price(money.code, listed, unit, tuple(adjustments))
