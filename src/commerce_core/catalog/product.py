"""Products: what partners offer for sale, by sku, and whether it can be bought."""

from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal
from typing import ClassVar, Literal

from attrs import frozen

from commerce_core.schema.fields import PRODUCT_FIELDS, Value

ProductStatus = Literal["active", "removed"]
Availability = Literal["in_stock", "out_of_stock", "preorder", "backorder", "discontinued"]
NotSellable = Literal[
    "partner_gone",
    "removed",
    "discontinued",
    "stale",
    "unpriced",
    "zero_price",
    "out_of_stock",
    "no_stock",
]


@frozen
class Oversold:
    """A product with more units reserved by open orders than its partner has in stock."""

    product_id: str
    sku: str
    quantity: int
    reserved: int


@frozen(kw_only=True, slots=False)
class Product:
    """A product as it is now, with the latest values from its partner's feeds.

    Its `product_id` never changes, even if it is removed and restored. `version` counts its changes
    from 1. `feed_id` and `line` are where its values came from; `origin_id` is the publication that
    first had them, if a revert brought them back. `reserved` is the number of units that orders
    deduct, `partner_gone` whether its partner is offboarded, and `net_of_orders` whether its source
    leaves out of quantities what was ordered, and `stale` whether that source's last fresh file is
    too old to sell by; a product of the past has none of these. Amounts are
    in major units of `currency`, weight is in grams.
    """

    product_id: str
    partner_id: str
    partner_name: str
    source_id: str
    sku: str
    product_name: str
    group_id: str | None = None
    options: str | None = None
    description: str | None = None
    brand: str | None = None
    condition: str | None = None
    category: str | None = None
    gtin: str | None = None
    mpn: str | None = None
    price: Decimal | None = None
    currency: str | None = None
    sale_price: Decimal | None = None
    sale_starts_at: datetime | None = None
    sale_ends_at: datetime | None = None
    availability: Availability | None = None
    quantity: int | None = None
    weight: Decimal | None = None
    product_url: str | None = None
    image_url: str | None = None
    additional_image_urls: tuple[str, ...] | None = None
    attributes: Mapping[str, str] | None = None
    status: ProductStatus = "active"
    feed_id: str
    line: int
    version: int = 1
    publication_id: str
    ordinal: int = 0
    origin_id: str | None = None
    created_at: datetime
    updated_at: datetime
    reserved: int = 0
    partner_gone: bool = False
    net_of_orders: bool = False
    stale: bool = False

    def values(self) -> dict[str, Value]:
        """Its values from feeds, by field."""
        return {name: getattr(self, name) for name in PRODUCT_FIELDS}

    @property
    def available(self) -> int | None:
        """The units that can still be sold; None if stock isn't tracked."""
        return None if self.quantity is None else max(0, self.quantity - self.reserved)

    @property
    def sells_without_stock(self) -> bool:
        """Whether it can be sold before it is in stock."""
        return self.availability in ("preorder", "backorder")

    @property
    def not_sellable_reason(self) -> NotSellable | None:
        """Why it can't be bought now: the first reason that applies; None if it can."""
        if self.partner_gone or self.status == "removed":
            return "partner_gone" if self.partner_gone else "removed"
        if self.stale and self.availability != "discontinued":
            return "stale"
        return reason_by_values(self.availability, self.price, self.quantity, self.reserved)

    @property
    def sellable(self) -> bool:
        """Whether an order for one unit would be accepted."""
        return self.not_sellable_reason is None

    def can_supply(self, units: int) -> bool:
        """Whether that many more units can be sold, beside the ones reserved already."""
        return self.sells_without_stock or self.available is None or units <= self.available


def reason_by_values(
    availability: object, price: Decimal | None, quantity: int | None, reserved: int = 0
) -> NotSellable | None:
    """Why a product with these values can't be bought, if its partner and its source are fine."""
    if availability == "discontinued":
        return "discontinued"
    if not price:
        return "unpriced" if price is None else "zero_price"
    if availability == "out_of_stock" or (availability is None and quantity == 0):
        return "out_of_stock"
    if quantity is None or quantity > reserved or availability in ("preorder", "backorder"):
        return None
    return "no_stock"


def is_sold_out(availability: object, quantity: object) -> bool:
    """Whether a feed has a product as sold out; preorder, backorder and discontinued aren't."""
    return availability == "out_of_stock" or (availability in (None, "in_stock") and quantity == 0)


SortBy = Literal[
    "product_id", "price", "product_name", "brand", "category", "created_at", "updated_at"
]


@frozen
class ProductQuery:
    """Selects the products that match every given filter, in an order; ties are broken by id.

    Empty `skus` match any sku. `category` is a path, and also matches everything below it. `q` is
    a list of words, which must all occur in a product's searched fields. Products without the
    value sorted by come last in both orders. `catalog.query` implements the filters.
    """

    IDENTITY: ClassVar = (
        "ProductQuery(partner_id={0.partner_id!r}, source_id={0.source_id!r}, "
        "feed_id={0.feed_id!r}, skus={0.skus!r}, currency={0.currency!r}, "
        "status={0.status!r}, sort_by={0.sort_by!r}, order={0.order!r}, brand={0.brand!r}, "
        "category={0.category!r}, availability={0.availability!r}, "
        "sellable={0.sellable!r}, price_min={0.price_min!r}, price_max={0.price_max!r}, "
        "updated_since={0.updated_since!r}, q={0.q!r})"
    )
    partner_id: str | None = None
    source_id: str | None = None
    feed_id: str | None = None
    skus: tuple[str, ...] = ()
    currency: str | None = None
    status: Literal["active", "removed", "all"] = "active"
    sort_by: SortBy = "product_id"
    order: Literal["asc", "desc"] = "asc"
    brand: str | None = None
    category: str | None = None
    availability: Availability | None = None
    sellable: bool | None = None
    price_min: Decimal | None = None
    price_max: Decimal | None = None
    updated_since: datetime | None = None
    q: str | None = None
