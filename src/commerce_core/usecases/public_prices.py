"""Adding public prices to products: what a page of products needs is read in two statements."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from itertools import islice
from typing import Final, Protocol

from attrs import frozen

from commerce_core.catalog.product import Product
from commerce_core.ports.catalog import CatalogUnit
from commerce_core.ports.rules import RulesUnit
from commerce_core.ports.store import Store
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


class _Unit(CatalogUnit, RulesUnit, Protocol):
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
        return self._priced(products, facts, unit.rules.spells(keys, since))

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
        rules: Sequence[RuleSpell],
    ) -> tuple[Product, ...]:
        prices = PublicPrices.under(rules, self.at)
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
