"""The partner's own price of a product: its list price and, within its window, its sale price.

History folds this price, so it depends on nothing but the product and the moment. The operator's
rules start from it: see `basket`.
"""

from datetime import datetime
from decimal import Decimal
from typing import Final, Protocol

from attrs import frozen

from commerce_core.base.money import currency
from commerce_core.catalog.product import Product

SALE_LABEL: Final = "Partner's sale price"


@frozen
class PartnerPrice:
    """What a partner asks for one unit. Amounts have the decimals of the currency."""

    currency: str
    list_price: Decimal
    unit_price: Decimal

    @property
    def on_sale(self) -> bool:
        """Whether it is less than the list price."""
        return self.unit_price < self.list_price


class Offer(Protocol):
    """What the partner's price of a product depends on."""

    @property
    def price(self) -> Decimal | None:
        """The list price, in major units."""
        ...

    @property
    def currency(self) -> str | None:
        """The currency of both prices."""
        ...

    @property
    def sale_price(self) -> Decimal | None:
        """The price while the sale runs."""
        ...

    @property
    def sale_starts_at(self) -> datetime | None:
        """When the sale begins; None: it has begun."""
        ...

    @property
    def sale_ends_at(self) -> datetime | None:
        """When it is over; None: it has no end."""
        ...


def partner_price(product: Offer, at: datetime) -> PartnerPrice:
    """The partner's price of one unit at a moment.

    ValueError if the product has no price; check `sellable` before selling.
    """
    if product.price is None or product.currency is None:
        raise ValueError(f"{getattr(product, 'product_id', 'an offer')} has no price")
    money = currency(product.currency)
    listed = money.round(product.price)
    sale = None if product.sale_price is None else money.round(product.sale_price)
    # Nothing is sold for 0; feeds with such a sale price are warned about, and may be older.
    if not sale or sale >= listed or not _sale_runs(product, at):
        return PartnerPrice(money.code, listed, listed)
    return PartnerPrice(money.code, listed, sale)


def _sale_runs(product: Offer, at: datetime) -> bool:
    starts, ends = product.sale_starts_at, product.sale_ends_at
    return (starts is None or starts <= at) and (ends is None or at < ends)


def next_sale_change(product: Product, at: datetime) -> datetime | None:
    """The next moment at which the partner's own price of this version can change."""
    if product.sale_price is None:
        return None
    changes = (product.sale_starts_at, product.sale_ends_at)
    return min((change for change in changes if change is not None and change > at), default=None)
