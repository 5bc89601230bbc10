"""Pricing placed orders again, under rules that are proposed."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from itertools import islice

from attrs import evolve, frozen

from commerce_core.base.errors import InvalidInput
from commerce_core.catalog.product import Product
from commerce_core.orders.line import OrderItem
from commerce_core.orders.order import Order, OrderQuery
from commerce_core.pricing.basket import price_basket
from commerce_core.pricing.benefits import lists_of
from commerce_core.pricing.index import RuleIndex
from commerce_core.pricing.price import SALE_LABEL
from commerce_core.pricing.price_list import NO_LISTS, ListPrices
from commerce_core.pricing.priced import Basket, BasketItem
from commerce_core.pricing.rules import PriceRule
from commerce_core.pricing.what_if import MOST_ORDERS, NO_CATEGORY, Trial, WhatIf, WhatIfLine
from commerce_core.usecases.context import Context

_AT_ONCE = 200
"""Orders whose products are read together."""


@frozen
class Repricing:
    """Prices orders again. What a product was called and where it stood is taken from today."""

    _context: Context
    _rules: Sequence[PriceRule]

    def run(self, since: datetime, until: datetime) -> WhatIf:
        """What the orders placed in the range would have cost; cancelled ones are left out."""
        index = RuleIndex.of(self._rules)
        trial = Trial({rule.rule_id: rule for rule in self._rules})
        orders = self._orders(since, until)
        for start in range(0, len(orders), _AT_ONCE):
            some = orders[start : start + _AT_ONCE]
            products = self._products(some)
            lists = self._lists(some, products)
            for order in some:
                sold = [products.get(item.product_id) for item in order.items]
                _add(trial, index, order, sold, lists[order.currency])
        return trial.result()

    def _orders(self, since: datetime, until: datetime) -> list[Order]:
        """The orders, oldest first."""
        query = OrderQuery(created_from=since, created_to=until)
        placed = (
            order
            for order in self._context.walk(lambda unit: unit.orders, query)
            if order.status != "cancelled"
        )
        found = list(islice(placed, MOST_ORDERS + 1))
        if len(found) > MOST_ORDERS:
            detail = f"The range has more than {MOST_ORDERS:,} orders; choose a shorter one."
            raise InvalidInput.at("/from", "too_many_orders", detail)
        return found[::-1]

    def _products(self, orders: Sequence[Order]) -> dict[str, Product]:
        ids = {item.product_id for order in orders for item in order.items}
        with self._context.store.read_only() as unit:
            return dict(unit.products.get_many(sorted(ids)))

    def _lists(
        self, orders: Sequence[Order], products: Mapping[str, Product]
    ) -> Mapping[str, ListPrices]:
        """The prices of today's lists, by the currency of orders."""
        currencies = sorted({order.currency for order in orders})
        benefits = (rule.rule.benefit for rule in self._rules)
        named = sorted({list_id for each in benefits for _, list_id in lists_of(each)})
        if not named:
            return dict.fromkeys(currencies, NO_LISTS)
        skus = sorted({product.sku for product in products.values()})
        with self._context.store.read_only() as unit:
            return {code: unit.price_lists.prices(named, skus, code) for code in currencies}


def _add(
    trial: Trial,
    index: RuleIndex,
    order: Order,
    products: Sequence[Product | None],
    lists: ListPrices,
) -> None:
    items = tuple(_items(order, products))
    if len(items) < len(order.items):
        trial.skipped += 1
        return
    basket = Basket(items, order.codes, order.customer, order.customer_group, order.channel)
    priced = price_basket(
        basket,
        index,
        order.created_at,
        trial.usage(order.customer, basket.currency),
        lists=lists,
    )
    pairs = zip(order.items, priced.items, items, strict=True)
    lines = [
        WhatIfLine(
            old.partner_id, sold.product.category or NO_CATEGORY, old.line_total, new.line_total
        )
        for old, new, sold in pairs
    ]
    trial.add(priced, lines, order.customer)


def _items(order: Order, products: Sequence[Product | None]) -> Iterator[BasketItem]:
    for item, product in zip(order.items, products, strict=True):
        if product is not None:
            yield BasketItem(_as_sold(product, item, order.currency), item.quantity)


def _as_sold(product: Product, item: OrderItem, code: str) -> Product:
    """The product at the prices at which it was offered to the order."""
    sale = next((step for step in item.adjustments if step.label == SALE_LABEL), None)
    reduced = item.list_price + sale.amount / item.quantity if sale else None
    return evolve(
        product, price=item.list_price, currency=code, sale_price=reduced,
        sale_starts_at=None, sale_ends_at=None,
    )  # fmt: skip
