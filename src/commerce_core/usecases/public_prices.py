"""Adding public prices to products: what a page of products needs is read in two statements."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from itertools import islice
from typing import Final, Protocol

from attrs import frozen

from commerce_core.catalog.product import Product
from commerce_core.ports.catalog import CatalogUnit
from commerce_core.ports.price_lists import PriceListsUnit
from commerce_core.ports.rules import RulesUnit
from commerce_core.ports.store import Store
from commerce_core.pricing.benefits import lists_of
from commerce_core.pricing.price_list import ListPrices
from commerce_core.pricing.priced_product import Include, PricedProduct
from commerce_core.pricing.public_price import (
    LOOKED_BACK,
    PriceFacts,
    PublicPrice,
    PublicPrices,
    RuleSpell,
    keys_over_time,
)

PRODUCTS_AT_ONCE: Final = 200
"""Products whose prices are read together."""
_NO_FACTS: Final[Mapping[str, Sequence[PriceFacts]]] = {}


class _Unit(CatalogUnit, RulesUnit, PriceListsUnit, Protocol):
    """The part of a unit of work that prices are read from."""


@frozen
class Including:
    """Adds to products what is to be included, at one moment."""

    included: tuple[Include, ...]
    at: datetime

    def added(self, unit: _Unit, products: Sequence[Product]) -> tuple[Product, ...]:
        """The products with their prices; as they are if nothing is to be included."""
        if not self.included or not products:
            return tuple(products)
        facts = unit.versions.price_facts(products) if self._looks_back else _NO_FACTS
        keys = {
            key
            for product in products
            for key in keys_over_time(product, facts.get(product.product_id, ()))
        }
        since = self.at - LOOKED_BACK if self._looks_back else self.at
        spells = unit.rules.spells(keys, since)
        lists = _lists(unit, spells, products, self.at)
        return self._priced(products, facts, PublicPrices.under(spells, self.at, lists))

    def walked(self, store: Store, products: Iterable[Product]) -> Iterator[Product]:
        """The same for any number of products, which are read with them bit by bit."""
        left = iter(products)
        while batch := list(islice(left, PRODUCTS_AT_ONCE)):
            with store.read_only() as unit:
                priced = self.added(unit, batch)
            yield from priced

    @property
    def _looks_back(self) -> bool:
        return "prior_price" in self.included

    def _priced(
        self,
        products: Sequence[Product],
        facts: Mapping[str, Sequence[PriceFacts]],
        prices: PublicPrices,
    ) -> tuple[Product, ...]:
        return tuple(
            PricedProduct.of(
                product,
                prices.of(product, facts.get(product.product_id, ()))
                if self._looks_back
                else PublicPrice(prices.selling_price(product)),
                self.included,
            )
            for product in products
        )


def _lists(
    unit: PriceListsUnit, spells: Iterable[RuleSpell], products: Sequence[Product], at: datetime
) -> Mapping[str, ListPrices]:
    """The entries of the lists that rules name, for these products, by currency."""
    benefits = (spell.rule.rule.benefit for spell in spells)
    named = sorted({list_id for benefit in benefits for _, list_id in lists_of(benefit)})
    if not named:
        return {}
    skus = sorted({product.sku for product in products})
    currencies = sorted({product.currency for product in products if product.currency})
    return {code: unit.price_lists.prices(named, skus, code, at) for code in currencies}
