"""Adding public prices to products: what a page of products needs is read in a few statements.

Prices that were computed before are taken as they are while nothing changed that they depend on:
the version of the product, the revision of rules and lists, and the moments at which they change.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from itertools import islice
from typing import Final, Protocol

from attrs import evolve, frozen

from commerce_core.catalog.product import Product
from commerce_core.ports.catalog import CatalogUnit
from commerce_core.ports.price_lists import PriceListsUnit
from commerce_core.ports.rules import RulesUnit
from commerce_core.ports.store import Store
from commerce_core.pricing.benefits import lists_of
from commerce_core.pricing.price_list import ListSpell
from commerce_core.pricing.priced_product import Include, PricedProduct
from commerce_core.pricing.public_price import (
    LOOKED_BACK,
    Lasting,
    PriceFacts,
    PublicPrice,
    PublicPrices,
    RuleSpell,
    keys_over_time,
)
from commerce_core.usecases.known_prices import KnownPrices

PRODUCTS_AT_ONCE: Final = 200
"""Products whose prices are read together."""
_SETTLED: Final = timedelta(hours=1)
"""No transaction that changes a rule lasts longer."""
_NO_FACTS: Final[Mapping[str, Sequence[PriceFacts]]] = {}


class _Unit(CatalogUnit, RulesUnit, PriceListsUnit, Protocol):
    """The part of a unit of work that prices are read from."""


@frozen
class Including:
    """Adds to products what is to be included, at one moment."""

    included: tuple[Include, ...]
    at: datetime
    known: KnownPrices | None = None

    def added(self, unit: _Unit, products: Sequence[Product]) -> tuple[Product, ...]:
        """The products with their prices; as they are if nothing is to be included."""
        if not self.included or not products:
            return tuple(products)
        prices = self._prices(unit, products)
        return tuple(
            PricedProduct.of(product, price, self.included)
            for product, price in zip(products, prices, strict=True)
        )

    def walked(self, store: Store, products: Iterable[Product]) -> Iterator[Product]:
        """The same for any number of products, which are read with them bit by bit.

        Their prices aren't kept: they would take the place of all others.
        """
        left, alone = iter(products), evolve(self, known=None)
        while batch := list(islice(left, PRODUCTS_AT_ONCE)):
            with store.read_only() as unit:
                priced = alone.added(unit, batch)
            yield from priced

    @property
    def _looks_back(self) -> bool:
        return "prior_price" in self.included

    def _prices(self, unit: _Unit, products: Sequence[Product]) -> list[PublicPrice]:
        """The prices of the products, as known or computed."""
        if self.known is None:
            return [lasting.price for lasting in self._computed(unit, products)]
        revision = unit.rules.revision(_hour(self.at) - _SETTLED)
        kept = self.known.of(revision, prior=self._looks_back)
        keys = [(p.product_id, p.version, p.partner_name) for p in products]
        prices = [kept.get(key, self.at) for key in keys]
        missing = [n for n, price in enumerate(prices) if price is None]
        if missing:
            computed = self._computed(unit, [products[n] for n in missing])
            for n, lasting in zip(missing, computed, strict=True):
                prices[n] = lasting.price
                kept.put(keys[n], self.at, lasting)
        return [price for price in prices if price is not None]

    def _computed(self, unit: _Unit, products: Sequence[Product]) -> list[Lasting]:
        facts = unit.versions.price_facts(products) if self._looks_back else _NO_FACTS
        keys = {
            key
            for product in products
            for key in keys_over_time(product, facts.get(product.product_id, ()))
        }
        since = self.at - LOOKED_BACK if self._looks_back else self.at
        spells = unit.rules.spells(keys, since)
        listed = _listed(unit, spells, products, since)
        prices = PublicPrices.under(spells, self.at, listed)
        return [
            prices.of(product, facts.get(product.product_id, ()))
            if self._looks_back
            else prices.selling_price(product)
            for product in products
        ]


def _listed(
    unit: PriceListsUnit,
    spells: Iterable[RuleSpell],
    products: Iterable[Product],
    since: datetime,
) -> Sequence[ListSpell]:
    """What the products have cost since then on the lists that rules name."""
    benefits = (spell.rule.rule.benefit for spell in spells)
    named = sorted({each.list_id for benefit in benefits for each in lists_of(benefit)})
    skus = sorted({product.sku for product in products})
    return unit.price_lists.spells(named, skus, since) if named else ()


def _hour(at: datetime) -> datetime:
    """The beginning of the hour, so that revisions of the same hour are compared."""
    return at.replace(minute=0, second=0, microsecond=0)
