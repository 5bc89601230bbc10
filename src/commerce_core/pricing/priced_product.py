"""Products with prices that aren't in feeds: what a unit costs anyone, and cost before."""

from collections.abc import Mapping, Sequence
from decimal import Decimal
from functools import cache
from typing import Final, Literal, get_args

from attrs import frozen

from commerce_core.base.errors import InvalidInput
from commerce_core.catalog.product import Product
from commerce_core.pricing.public_price import PublicPrice

Include = Literal["selling_price", "prior_price"]
INCLUDES: Final[tuple[Include, ...]] = get_args(Include)
"""What can be included in products."""
MEMBERS: Final[Mapping[Include, tuple[str, ...]]] = {
    "selling_price": ("selling_price",),
    "prior_price": ("prior_price", "prior_price_days"),
}
"""The members that each of them adds to a product."""
_MEMBERS: Final = tuple(member for members in MEMBERS.values() for member in members)


@frozen(kw_only=True, slots=False)
class PricedProduct(Product):
    """A product with the prices that are `included`; the others are None.

    `selling_price` is what one unit costs anyone, and `prior_price` the lowest such price in the 30
    days before the running reduction began, of which `prior_price_days` are known.
    """

    included: tuple[Include, ...]
    selling_price: Decimal | None = None
    prior_price: Decimal | None = None
    prior_price_days: int | None = None

    @classmethod
    def of(
        cls, product: Product, price: PublicPrice, included: tuple[Include, ...]
    ) -> "PricedProduct":
        """The product with these of its prices."""
        shown = members_of(included)
        prices = {name: getattr(price, name) if name in shown else None for name in _MEMBERS}
        made = cls.__new__(cls)
        # As a whole: to set its forty attributes one by one takes longer than to find its price.
        vars(made).update(vars(product), included=included, **prices)
        return made


def check_include(included: Sequence[str]) -> tuple[Include, ...]:
    """What is to be included, in the usual order; InvalidInput if one is unknown."""
    for each in included:
        if each not in INCLUDES:
            detail = f"{each[:80]!r} can't be included; use {' or '.join(INCLUDES)}."
            raise InvalidInput.at("/include", "not_one_of", detail)
    return tuple(name for name in INCLUDES if name in included)


@cache
def members_of(included: tuple[Include, ...]) -> tuple[str, ...]:
    """The members that are added."""
    return tuple(member for name in included for member in MEMBERS[name])
