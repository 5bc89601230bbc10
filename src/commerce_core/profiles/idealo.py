"""Idealo: the offers of a shop, as they are imported into the comparison of prices."""

from typing import Final

from commerce_core.profiles.profile import Column, Profile

IDEALO: Final = Profile(
    preset="idealo",
    aliases=False,
    columns={
        "sku": Column(("sku",)),
        "product_name": Column(("title", "product_name")),
        "options": Column(
            pairs=(("=Colour", "colour"), ("=Size", "size"), ("=Material", "material"))
        ),
        "description": Column(("description",)),
        "brand": Column(("brand",)),
        "category": Column(("categoryPath",)),
        "gtin": Column(("eans",), pattern="([0-9]{8,14})(?:[^0-9].*)?", otherwise="blank"),
        "mpn": Column(("hans",), separator=";", part="first"),
        "price": Column(("price",)),
        "sale_price": Column(("formerPrice",), compare_at=True),
        "quantity": Column(("quantity",)),
        "product_url": Column(("url",), pattern="(https?://.+)", otherwise="blank"),
        "image_url": Column(("imageUrls",), separator=";", part="first"),
        "additional_image_urls": Column(("imageUrls",), separator=";", part="rest"),
    },
    names={"imageUrls": ("imageUrl",), "eans": ("ean",), "hans": ("han",)},
)
