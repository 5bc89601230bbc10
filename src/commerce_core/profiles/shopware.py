"""Shopware 6: the export of products by its default profile, with gross prices."""

from typing import Final

from commerce_core.profiles.profile import Column, Parents, Profile, Skip

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
    parents=Parents(
        reference="parent_id",
        keys=("{id}",),
        carry=(
            "name",
            "description",
            "active",
            "manufacturer_name",
            "manufacturer_number",
            "cover_media_url",
        ),
        together=("price_gross", "list_price_gross"),
        marked=False,
    ),
    names={"cover_media_url": ("cover_url",)},
    skip=(
        Skip("active", ("0", "false"), "not active", withdraws=True),
        Skip("variants", ("*",), "a product with variants"),
    ),
)
