"""Timelines: what a product cost, and whether it could be bought, from when to when.

A version applies from its publication until the next version's, and the start and end of a sale cut
that time into parts. Adjacent parts with equal values are one period.
"""

from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime, timedelta
from decimal import Decimal
from itertools import pairwise
from typing import Final, TypeVar

from attrs import evolve, frozen

from commerce_core.base.errors import Malformed
from commerce_core.catalog.product import Availability, NotSellable, Product, ProductStatus
from commerce_core.pricing.price import partner_price

USUAL_DAYS: Final = 30
MOST_DAYS: Final = 366
"""The longest time before a moment for which prices are looked up."""

T = TypeVar("T", "PricePeriod", "AvailabilityPeriod")


@frozen
class PricePeriod:
    """A period in which a product's price didn't change; `until` is None while it applies.

    `unit_price` is the partner's price for one unit, including a current sale, before any rule of
    the operator; None while the product wasn't in the catalog, or had no price or a price of 0.
    """

    since: datetime
    until: datetime | None
    unit_price: Decimal | None
    list_price: Decimal | None
    currency: str | None
    on_sale: bool


@frozen
class LowestPrice:
    """The lowest price at which a product was offered in a period, and when it first was."""

    unit_price: Decimal
    currency: str
    since: datetime


@frozen
class PriceHistory:
    """The periods of a product's price in the days before a moment, newest first.

    `lowest` is the lowest price that applied at any time in these days, in the currency that the
    product has at the moment. A price that began earlier counts, in stock or not; a price that
    begins at the moment itself doesn't. By default, the moment is the one at which the current
    price began, so that a reduction is compared with the prices before it.
    """

    product_id: str
    before: datetime
    days: int
    lowest: LowestPrice | None
    periods: tuple[PricePeriod, ...]


@frozen
class AvailabilityPeriod:
    """A period in which the feeds' values about a product's availability didn't change.

    History doesn't include units reserved by open orders, nor what became of the partner, so
    `no_stock`, `partner_gone` and `stale` are never the reason here.
    """

    since: datetime
    until: datetime | None
    status: ProductStatus
    sellable: bool
    not_sellable_reason: NotSellable | None
    availability: Availability | None
    tracked: bool


def check_days(days: int) -> int:
    """Returns the number of days if prices can be looked up that far back; Malformed otherwise."""
    if not 1 <= days <= MOST_DAYS:
        raise Malformed.at(
            "/days", "bad_days", f"The days are {days}; they must be between 1 and {MOST_DAYS}."
        )
    return days


def prices(versions: Sequence[Product]) -> list[PricePeriod]:
    """The periods of a product's price, oldest first, from its versions in order."""
    return _joined(part for product, until in _spells(versions) for part in _parts(product, until))


def availabilities(versions: Sequence[Product]) -> list[AvailabilityPeriod]:
    """The periods of a product's availability, oldest first, from its versions in order."""
    return _joined(_availability(product, until) for product, until in _spells(versions))


def price_history(
    product_id: str,
    periods: Sequence[PricePeriod],
    before: datetime | None,
    days: int,
    now: datetime,
) -> PriceHistory:
    """The periods that overlap the days before a moment, and the lowest price in these days."""
    begun = [period for period in periods if period.since <= now]
    before = before or (begun[-1].since if begun else now)
    since = before - timedelta(days=days)
    within = [p for p in periods if p.since < before and (p.until is None or p.until > since)]
    at_moment = [period for period in periods if period.since <= before]
    currency = at_moment[-1].currency if at_moment else None
    offered = [
        LowestPrice(p.unit_price, currency, max(p.since, since))
        for p in within
        if currency is not None and p.currency == currency and p.unit_price is not None
    ]
    lowest = min(offered, key=lambda offer: offer.unit_price, default=None)
    return PriceHistory(product_id, before, days, lowest, tuple(reversed(within)))


def _spells(versions: Sequence[Product]) -> Iterator[tuple[Product, datetime | None]]:
    for product, follower in pairwise([*versions, None]):
        if product is not None:
            yield product, follower.updated_at if follower else None


def _parts(product: Product, until: datetime | None) -> Iterator[PricePeriod]:
    """The version's time, cut at the start and end of its sale."""
    begins = product.updated_at
    cuts = [
        cut
        for cut in (product.sale_starts_at, product.sale_ends_at)
        if cut is not None and product.sale_price is not None
        if begins < cut and (until is None or cut < until)
    ]
    for since, end in pairwise([begins, *sorted(cuts), until]):
        if since is not None:
            yield _price_from(product, since, end)


def _price_from(product: Product, since: datetime, until: datetime | None) -> PricePeriod:
    if product.status == "removed" or not product.price or product.currency is None:
        return PricePeriod(since, until, None, None, product.currency, on_sale=False)
    found = partner_price(product, since)
    return PricePeriod(
        since, until, found.unit_price, found.list_price, found.currency, found.on_sale
    )


def _availability(product: Product, until: datetime | None) -> AvailabilityPeriod:
    product = evolve(product, reserved=0, partner_gone=False, net_of_orders=False, stale=False)
    return AvailabilityPeriod(
        product.updated_at,
        until,
        product.status,
        product.sellable,
        product.not_sellable_reason,
        product.availability,
        product.quantity is not None,
    )


def _joined(periods: Iterable[T]) -> list[T]:
    """The periods, with adjacent equal ones joined."""
    joined: list[T] = []
    for period in periods:
        last = joined[-1] if joined else None
        if last is not None and evolve(period, since=last.since, until=last.until) == last:
            joined[-1] = evolve(last, until=period.until)
        else:
            joined.append(period)
    return joined
