"""Answers of shops' APIs that no preset reads; like other files, they would be sold wrongly."""

from collections.abc import Sequence
from typing import Final

from attrs import frozen

from commerce_core.base.text import squash
from commerce_core.profiles.profile import Skip

_BY_SKIP: Final = (
    "Save a profile that leaves such records out, such as "
    'skip = [{{ column = "{0}", words = ["{1}"], reason = "not for sale" }}].'
)


@frozen
class ApiAnswer:
    """Records that have all of these `names`: whose they are, and what to do.

    `why` they can't be sold as they are; if there is none, those that fit the rules of `skip`
    aren't for sale there.
    """

    names: frozenset[str]
    maker: str
    remedy: str
    why: str | None = None
    skip: tuple[Skip, ...] = ()


def _of(*names: str) -> frozenset[str]:
    return frozenset(map(squash, names))


_ANSWERS: Final = (
    ApiAnswer(
        _of("priceWithTax", "currencyCode"),
        "Vendure's API",
        'Declare price = { from = "priceWithTax", unit = "minor" } in a profile.',
        why="their amounts are in minor units, such as cents",
    ),
    ApiAnswer(
        _of("inventoryQuantity", "product"),
        "Shopify's API",
        'Declare record_path = "data/productVariants/edges[]/node" in a profile, product_name = '
        '"product/title", and leave out what isn\'t for sale by product/status.',
        why="the status of their products is in objects of their own",
    ),
    ApiAnswer(
        _of("stock_status", "regular_price", "type", "status"),
        "WooCommerce's API",
        _BY_SKIP.format("status", "draft"),
        skip=(
            Skip("status", ("draft", "pending", "private"), ""),
            Skip("type", ("variable", "grouped", "external"), ""),
        ),
    ),
    ApiAnswer(
        _of("type_id", "extension_attributes"),
        "Magento's API",
        _BY_SKIP.format("status", "2"),
        skip=(
            Skip("status", ("2",), ""),
            Skip("type_id", ("configurable", "grouped", "bundle"), ""),
        ),
    ),
    ApiAnswer(
        _of("inventory_level", "is_visible"),
        "BigCommerce's API",
        _BY_SKIP.format("is_visible", "false"),
        skip=(Skip("is_visible", ("false",), ""),),
    ),
)


def api_answer(header: Sequence[str]) -> ApiAnswer | None:
    """The one whose names a header has."""
    names = set(map(squash, header))
    return next((answer for answer in _ANSWERS if answer.names <= names), None)
