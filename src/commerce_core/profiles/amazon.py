"""Amazon: the flat files of sellers, by category and the inventory loader, and active listings."""

from typing import Final

from commerce_core.profiles.profile import Column, Profile, Skip

_GTIN: Final = "([0-9]{8}|[0-9]{12,14})"
"""An identifier that is no GTIN, such as an ASIN, is left out."""
_USED: Final = dict.fromkeys("123456789", "used")

AMAZON: Final = Profile(
    preset="amazon",
    aliases=False,
    columns={
        "sku": Column(("item_sku", "seller-sku", "sku")),
        "product_name": Column(("item_name", "product_name")),
        "group_id": Column(("parent_sku",)),
        "options": Column(pairs=(("=Color", "color_name"), ("=Size", "size_name"))),
        "description": Column(("product_description", "item-description")),
        "brand": Column(("brand_name",)),
        "condition": Column(
            ("condition_type", "item-condition"),
            pattern="([0-9]+|New|Used|Refurbished|Collectible).*",
            values={**_USED, "10": "refurbished", "11": "new", "collectible": "used"},
        ),
        "gtin": Column(("external_product_id", "product-id"), pattern=_GTIN, otherwise="blank"),
        "mpn": Column(("part_number",)),
        "price": Column(("standard_price", "price")),
        "sale_price": Column(("sale_price",)),
        "sale_starts_at": Column(("sale_from_date",)),
        "sale_ends_at": Column(("sale_end_date",)),
        "quantity": Column(("quantity",)),
        "image_url": Column(("main_image_url", "image-url")),
        "additional_image_urls": Column(
            tuple(f"other_image_url{number}" for number in range(1, 9)), join=" "
        ),
        "deleted": Column(
            ("update_delete", "add-delete"),
            values={
                "update": "no",
                "partialupdate": "no",
                "delete": "yes",
                "a": "no",
                "d": "yes",
                "x": "yes",
            },
        ),
    },
    skip=(
        Skip("parent_child", ("parent",), "a parent of variations"),
        Skip("status", ("inactive", "incomplete"), "not active", withdraws=True),
    ),
)
