"""Shopify: products as its API and each shop's /products.json give them, a record per variant.

Written from https://shopify.dev/docs/api/admin-rest (Product, Product Variant).
"""

from typing import Final

from commerce_core.profiles.profile import Column, Profile, Skip

_TRACKED: Final = ("inventory_management",)

SHOPIFY_API: Final = Profile(
    preset="shopify-api",
    record_path="products[]/variants[]",
    aliases=False,
    columns={
        "sku": Column(("sku",)),
        "product_name": Column(("../title",)),
        "group_id": Column(("../handle",)),
        "options": Column(
            pairs=(("=Option 1", "option1"), ("=Option 2", "option2"), ("=Option 3", "option3")),
            values={"Option 1: Default Title": ""},
        ),
        "description": Column(("../body_html",)),
        "brand": Column(("../vendor",)),
        "category": Column(("../product_type",)),
        "gtin": Column(("barcode",)),
        "price": Column(("price",)),
        "sale_price": Column(("compare_at_price",), compare_at=True),
        "availability": Column(
            ("inventory_policy", "available"),
            values={
                "deny": "",
                "continue": "backorder",
                "true": "in_stock",
                "false": "out_of_stock",
            },
            needs=_TRACKED,
            unless_positive=("inventory_quantity",),
        ),
        "quantity": Column(("inventory_quantity", "quantity"), needs=_TRACKED),
        "weight": Column(("grams",), unit="g"),
        "image_url": Column(("featured_image/src", "../image/src")),
    },
    identity=("{../handle}/{option1}/{option2}/{option3}", "{../handle}"),
    skip=(Skip("../status", ("draft", "archived"), "a draft or archived", withdraws=True),),
)
