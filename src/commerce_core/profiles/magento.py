"""Magento 2 and Adobe Commerce: the export of products, a row for each and for each store view."""

from typing import Final

from commerce_core.profiles.profile import Column, Profile, Skip

_ADDRESS: Final = "(https?://.+)"
"""The export has paths within the shop, unless an extension writes addresses."""

MAGENTO: Final = Profile(
    preset="magento",
    aliases=False,
    columns={
        "sku": Column(("sku",)),
        "product_name": Column(("name", "product_name")),
        "description": Column(("description", "short_description")),
        "category": Column(
            ("categories",), pattern="(?:Default Category/)?([^,|]+).*", separator="/"
        ),
        "gtin": Column(("gtin", "ean", "barcode")),
        "mpn": Column(("mpn",)),
        "brand": Column(("brand", "manufacturer")),
        "price": Column(("price",)),
        "sale_price": Column(("special_price", "sale_price")),
        "sale_starts_at": Column(("special_price_from_date",)),
        "sale_ends_at": Column(("special_price_to_date",)),
        "quantity": Column(("qty", "quantity")),
        "availability": Column(("is_in_stock",), values={"1": "in_stock", "0": "out_of_stock"}),
        "image_url": Column(("base_image",), pattern=_ADDRESS, otherwise="blank"),
        "additional_image_urls": Column(
            ("additional_images",), pattern=_ADDRESS, otherwise="blank", separator=","
        ),
    },
    skip=(
        Skip("store_view_code", ("*",), "the same product in another store view"),
        Skip("product_type", ("configurable", "grouped", "bundle"), "made of other products"),
        Skip("product_online", ("0", "2"), "not enabled", withdraws=True),
    ),
)
