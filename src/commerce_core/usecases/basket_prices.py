"""Prices of baskets as the store has rules and limits: what quotes and orders share."""

from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Protocol

from attrs import frozen

from commerce_core.base.errors import Fault
from commerce_core.ports.orders import OrdersUnit
from commerce_core.ports.price_lists import PriceListsUnit
from commerce_core.ports.rules import BasketReach, RulesUnit, Taking
from commerce_core.pricing.basket import NO_USES, price_basket
from commerce_core.pricing.benefits import lists_of
from commerce_core.pricing.explanation import Outcome
from commerce_core.pricing.index import RuleIndex, keys_of_product
from commerce_core.pricing.lines import canonical_code
from commerce_core.pricing.price_list import NO_LISTS, ListPrices
from commerce_core.pricing.priced import Basket, PricedBasket, basket_keys
from commerce_core.pricing.rules import PriceRule
from commerce_core.usecases.acts import MOST_EXPIRED


class _Unit(RulesUnit, PriceListsUnit, OrdersUnit, Protocol):
    """The part of a unit of work that prices are read from."""


class StillHeld(Exception):
    """Orders that have expired still hold limits that a basket lacks; write it, and ask again."""

    def __init__(self, order_ids: Sequence[str]) -> None:
        """The orders whose expiry is to be written."""
        super().__init__()
        self.order_ids = order_ids


def listed_prices(
    unit: PriceListsUnit, rules: Sequence[PriceRule], basket: Basket, as_of: datetime | None = None
) -> ListPrices:
    """The entries of the price lists that rules name, for the products of a basket."""
    benefits = (rule.rule.benefit for rule in rules)
    named = {each.list_id for benefit in benefits for each in lists_of(benefit)}
    if not named:
        return NO_LISTS
    skus = {item.product.sku for item in basket.items}
    return unit.price_lists.prices(sorted(named), sorted(skus), basket.currency, as_of)


@frozen
class Prices:
    """Prices baskets by the rules of a unit of work."""

    _unit: "_Unit"

    def rules(
        self, basket: Basket, at: datetime, as_of: datetime | None = None
    ) -> Sequence[PriceRule]:
        """The active rules that may match the basket."""
        own = basket_keys(basket)
        products = (keys_of_product(item.product) for item in basket.items)
        return self._unit.rules.matching(BasketReach(own.union(*products), own), at, as_of)

    def price(
        self,
        basket: Basket,
        at: datetime,
        rules: Sequence[PriceRule],
        *,
        as_of: datetime | None = None,
        explain: bool = False,
        why_not: str | None = None,
    ) -> PricedBasket:
        """The price by these rules, with what their limits have left."""
        limited = [rule.rule_id for rule in rules if rule.rule.limits.counted]
        usage = (
            self._unit.rules.usage(limited, basket.customer, basket.currency, as_of)
            if limited
            else NO_USES
        )
        index = RuleIndex.of(rules)
        lists = listed_prices(self._unit, rules, basket, as_of)
        return price_basket(basket, index, at, usage, lists=lists, explain=explain, why_not=why_not)

    def taken(
        self, order_id: str, basket: Basket, at: datetime, rules: Sequence[PriceRule]
    ) -> PricedBasket:
        """The price of an order, which takes from the limits of the rules that it uses.

        If others took what was left in the meantime, it is priced again, without those rules.
        """
        limits = {rule.rule_id: rule.rule.limits for rule in rules}
        # Each try that fails locks a rule that wasn't locked before, so there are few.
        while True:
            priced = self.price(basket, at, rules)
            takings = [
                Taking(use.rule_id, limits[use.rule_id], use.amount, priced.currency)
                for use in priced.uses
            ]
            short = self._unit.rules.take(order_id, basket.customer, takings, at)
            if not short:
                return priced

    def check_held(self, priced: PricedBasket, now: datetime) -> None:
        """StillHeld if orders that have expired hold limits that are used up."""
        used_up = [o.rule_id for o in priced.outcomes if o.outcome == "used_up"]
        if used_up:
            due = self._unit.orders.expired(now, MOST_EXPIRED, rule_ids=used_up)
            if due:
                raise StillHeld(due)

    def code_faults(
        self, basket: Basket, rules: Sequence[PriceRule], priced: PricedBasket
    ) -> Iterator[Fault]:
        """The codes that no active rule names, and those whose limits keep them from applying."""
        codes = [canonical_code(code) for code in basket.codes]
        known = self._unit.rules.known_codes(codes) if codes else frozenset[str]()
        for number, code in enumerate(codes):
            shown = basket.codes[number][:80]
            if code not in known:
                detail = f"There is no code {shown!r}."
                yield Fault(f"/codes/{number}", "unknown_code", detail)
                continue
            outcomes = _outcomes(code, rules, priced)
            if "applied" in outcomes:
                continue
            if "used_up" in outcomes:
                detail = f"The code {shown!r} has been used up, or has too little budget left."
                yield Fault(f"/codes/{number}", "used_up_code", detail)
            elif "needs_customer" in outcomes:
                detail = f"The code {shown!r} is limited per customer; name the customer."
                yield Fault(f"/codes/{number}", "code_needs_customer", detail)


def _outcomes(code: str, rules: Sequence[PriceRule], priced: PricedBasket) -> set[Outcome]:
    """What became of the rules that name a code."""
    naming = {rule.rule_id for rule in rules if code in map(canonical_code, rule.rule.codes)}
    return {o.outcome for o in priced.outcomes if o.rule_id in naming}
