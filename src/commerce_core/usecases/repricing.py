"""Pricing placed orders again, under rules that are proposed."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from decimal import Decimal

from attrs import evolve, frozen

from commerce_core.base.errors import InvalidInput
from commerce_core.catalog.product import Product
from commerce_core.orders.line import OrderItem
from commerce_core.orders.order import Order, OrderQuery
from commerce_core.pricing.basket import price_basket
from commerce_core.pricing.benefits import lists_of
from commerce_core.pricing.index import RuleIndex
from commerce_core.pricing.price import SALE_LABEL
from commerce_core.pricing.price_list import NO_LISTS, ListPrices, price_for
from commerce_core.pricing.priced import Basket, BasketItem, PricedItem
from commerce_core.pricing.rules import PriceRule
from commerce_core.pricing.what_if import NO_CATEGORY, Paid, Trial, WhatIf, WhatIfLine
from commerce_core.usecases.context import Context

_AT_ONCE = 200
"""Orders whose products are read together."""


@frozen
class Repricing:
    """Prices orders again. What a product was called and where it stood is taken from today."""

    _context: Context
    _rules: Sequence[PriceRule]

    def run(self, since: datetime, until: datetime, most: int) -> WhatIf:
        """What the orders placed in the range would have cost, without cancelled and expired ones.

        InvalidInput `too_many_orders` if there are more than `most`, cancelled ones among them.
        """
        check_size(self._context, since, until, most)
        index = RuleIndex.of(self._rules)
        costs = _cost_lists(self._rules)
        trial = Trial({rule.rule_id: rule for rule in self._rules})
        for some in self._placed(since, until):
            products = self._products(some)
            lists = self._lists(some, products)
            for order in some:
                _add(trial, index, order, _Known(products, lists[order.currency], costs))
        return trial.result()

    def _placed(self, since: datetime, until: datetime) -> Iterator[Sequence[Order]]:
        """The orders, oldest first, so that limits are used up as they would have been."""
        after, now = None, self._context.clock()
        while True:
            with self._context.store.read_only() as unit:
                some = unit.orders.placed(since, until, after, _AT_ONCE)
            yield [o for o in some if o.status != "cancelled" and not o.has_expired(now)]
            if len(some) < _AT_ONCE:
                return
            after = some[-1].order_id

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
        named = sorted({each.list_id for benefit in benefits for each in lists_of(benefit)})
        if not named:
            return dict.fromkeys(currencies, NO_LISTS)
        skus = sorted({product.sku for product in products.values()})
        with self._context.store.read_only() as unit:
            return {code: unit.price_lists.prices(named, skus, code) for code in currencies}


@frozen
class _Known:
    """What is known today about the products of orders in one currency."""

    products: Mapping[str, Product]
    lists: ListPrices
    cost_lists: Sequence[str]

    def cost(self, item: BasketItem) -> Decimal | None:
        """What the units of a line cost, by the list that has the highest cost; None: unknown."""
        found = (self.lists.get(each, {}).get(item.product.sku, ()) for each in self.cost_lists)
        known = [cost for each in found if (cost := price_for(each, item.quantity)) is not None]
        return max(known) * item.quantity if known else None


def _add(trial: Trial, index: RuleIndex, order: Order, known: _Known) -> None:
    items = tuple(_items(order, known.products))
    if len(items) < len(order.items):
        trial.skipped += 1
        return
    basket = Basket(items, order.codes, order.customer, order.customer_group, order.channel)
    usage = trial.usage(order.customer, basket.currency)
    priced = price_basket(basket, index, order.created_at, usage, lists=known.lists)
    pairs = zip(order.items, priced.items, items, strict=True)
    lines = [_line(old, new, sold.product, known.cost(sold)) for old, new, sold in pairs]
    trial.add(priced, lines, order.customer)


def _line(old: OrderItem, new: PricedItem, product: Product, cost: Decimal | None) -> WhatIfLine:
    return WhatIfLine(
        old.partner_id,
        product.category or NO_CATEGORY,
        Paid.of(old.line_total, old.adjustments, cost),
        Paid.of(new.line_total, new.adjustments, cost),
        cost is not None,
    )


def _cost_lists(rules: Iterable[PriceRule]) -> Sequence[str]:
    """The price lists that rules take costs from."""
    named = (each for rule in rules for each in lists_of(rule.rule.benefit))
    return sorted({each.list_id for each in named if each.has_costs})


def check_size(context: Context, since: datetime, until: datetime, most: int) -> None:
    """InvalidInput `too_many_orders` if more orders than that were placed in the range."""
    with context.store.read_only() as unit:
        placed = unit.orders.count(OrderQuery(created_from=since, created_to=until))
    if placed > most:
        detail = f"The range has more than {most:,} orders; choose a shorter one."
        raise InvalidInput.at("/from", "too_many_orders", detail)


def _items(order: Order, products: Mapping[str, Product]) -> Iterator[BasketItem]:
    for item in order.items:
        product = products.get(item.product_id)
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
