"""Shopware 6: the export of products by its default profile, with gross prices."""

from typing import Final

from commerce_core.profiles.profile import Column, Profile, Skip

SHOPWARE: Final = Profile(
    preset="shopware",
    aliases=False,
    columns={
        "sku": Column(("product_number", "sku")),
        "product_name": Column(("name", "product_name")),
        "group_id": Column(("parent_id",)),
        "description": Column(("description",)),
        "brand": Column(("manufacturer_name",)),
        "gtin": Column(("ean",)),
        "mpn": Column(("manufacturer_number",)),
        "price": Column(("price_gross", "price")),
        "sale_price": Column(("list_price_gross",), compare_at=True),
        "quantity": Column(("stock", "quantity")),
        "image_url": Column(("cover_media_url",), pattern="(https?://.+)", otherwise="blank"),
    },
    names={"cover_media_url": ("cover_url",)},
    skip=(Skip("active", ("0", "false"), "not active", withdraws=True),),
)
