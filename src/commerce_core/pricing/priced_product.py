"""Products with prices that aren't in feeds: what a unit costs anyone, and cost before."""

from collections.abc import Mapping, Sequence
from decimal import Decimal
from functools import cache
from operator import attrgetter
from typing import Any, Final, Literal, get_args

from attrs import fields, frozen

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
_OF_PRODUCT: Final = tuple(attribute.name for attribute in fields(Product))
_VALUES_OF_PRODUCT: Final = attrgetter(*_OF_PRODUCT)


@frozen(kw_only=True)
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
        members: dict[str, Any] = dict(zip(_OF_PRODUCT, _VALUES_OF_PRODUCT(product), strict=False))
        for name in members_of(included):
            members[name] = getattr(price, name)
        return cls(included=included, **members)


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
