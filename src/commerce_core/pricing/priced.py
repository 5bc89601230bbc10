"""Baskets, and what they cost: the values that `basket` takes and returns."""

from datetime import datetime
from decimal import Decimal

from attrs import frozen

from commerce_core.catalog.product import Product
from commerce_core.pricing.explanation import Adjustment, RuleOutcome, sentence
from commerce_core.pricing.index import key
from commerce_core.pricing.lines import TextField, canonical_code


@frozen
class BasketItem:
    """A number of units of a product that has a price."""

    product: Product
    quantity: int


@frozen
class Basket:
    """What is to be priced. `customer` is the client's own id, needed for limits per customer."""

    items: tuple[BasketItem, ...]
    codes: tuple[str, ...] = ()
    customer: str | None = None
    customer_group: str | None = None
    channel: str | None = None

    @property
    def currency(self) -> str:
        """The currency of its products."""
        return next(item.product.currency for item in self.items if item.product.currency)

    def texts(self) -> dict[TextField, frozenset[str]]:
        """Its own texts that conditions compare."""
        one = {
            "customer": self.customer,
            "customer_group": self.customer_group,
            "channel": self.channel,
            "currency": self.currency,
        }
        known = {name: frozenset({text} if text else ()) for name, text in one.items()}
        return {"code": frozenset(map(canonical_code, self.codes)), **known}  # type: ignore[dict-item]


@frozen
class Usage:
    """A rule's uses, what it has taken in the basket's currency, and its uses by this customer."""

    uses: int = 0
    spent: Decimal = Decimal(0)
    by_customer: int = 0


@frozen
class PricedItem:
    """The price of an item: `list_price` per unit plus its adjustments make `line_total`.

    `unit_price` is what a unit costs on average, rounded.
    """

    product_id: str
    product_version: int
    partner_id: str
    sku: str
    product_name: str
    quantity: int
    list_price: Decimal
    unit_price: Decimal
    line_total: Decimal
    adjustments: tuple[Adjustment, ...]

    @property
    def explanation(self) -> tuple[str, ...]:
        """Each step of the price in words."""
        return tuple(map(sentence, self.adjustments))


@frozen
class RuleUse:
    """What a rule with limits took off a basket."""

    rule_id: str
    amount: Decimal


@frozen
class PricedBasket:
    """The price of a basket. `valid_until` is the next moment at which it can change by itself."""

    currency: str
    list_total: Decimal
    total_amount: Decimal
    items: tuple[PricedItem, ...]
    unallocated: Decimal
    outcomes: tuple[RuleOutcome, ...]
    uses: tuple[RuleUse, ...]
    rules_considered: int
    valid_until: datetime | None


def basket_keys(basket: Basket) -> frozenset[str]:
    """The keys of the basket itself, as `index` compares them."""
    return frozenset(key(name, text) for name, texts in basket.texts().items() for text in texts)
