"""Ecwid: the export of the catalog, a row for each product, option, variation and category."""

from typing import Final

from commerce_core.profiles.profile import Column, Group, Profile, Skip

_TRACKED: Final = ("product_is_inventory_tracked",)

ECWID: Final = Profile(
    preset="ecwid",
    aliases=False,
    columns={
        "sku": Column(
            ("type", "product_sku", "product_variation_sku", "sku"),
            join="|",
            pattern=r"(?:product\||product_variation\|[^|]*\|)?([^|]+)",
            hint="Give each variation a sku of its own.",
        ),
        "product_name": Column(("product_name",)),
        "group_id": Column(("product_internal_id", "product_sku")),
        "options": Column(pairs=(("=*", "product_variation_option_*"),)),
        "description": Column(("product_description",)),
        "brand": Column(("product_brand",)),
        "category": Column(("product_category_1",), separator="/"),
        "gtin": Column(("product_upc",)),
        "price": Column(("product_price", "price")),
        "sale_price": Column(("product_compare_to_price",), compare_at=True),
        "quantity": Column(("product_quantity", "quantity"), needs=_TRACKED),
        "availability": Column(
            ("product_quantity_out_of_stock_behaviour",),
            values={"show": "", "hide": "", "allow_preorder": "preorder"},
            needs=_TRACKED,
            unless_positive=("product_quantity",),
        ),
        "image_url": Column(("product_media_main_image_url",)),
        "additional_image_urls": Column(
            tuple(f"product_media_gallery_image_url_{n}" for n in range(1, 11)), join=" "
        ),
    },
    skip=(
        Skip("type", ("category",), "a category"),
        Skip("product_is_available", ("false",), "not available", withdraws=True),
    ),
    group=Group(
        key="type",
        carry=(
            "product_sku",
            "product_is_inventory_tracked",
            "product_quantity_out_of_stock_behaviour",
            "product_name",
            "product_description",
            "product_brand",
            "product_category_1",
            "product_is_available",
            "product_price",
            "product_media_main_image_url",
            "product_internal_id",
        ),
        offer=("product_variation_sku", "product_price", "product_quantity", *_TRACKED),
        heads=("product",),
    ),
)
