"""Medusa: the export of products, with prices by currency and by region."""

from typing import Final

from commerce_core.profiles.profile import Column, Profile, Skip

MEDUSA: Final = Profile(
    preset="medusa",
    aliases=False,
    columns={
        "sku": Column(("Variant Sku", "sku")),
        "product_name": Column(("Product Title",)),
        "group_id": Column(("Product Handle", "Product Id")),
        "options": Column(
            pairs=(
                ("Variant Option 1 Name", "Variant Option 1 Value"),
                ("Variant Option 2 Name", "Variant Option 2 Value"),
                ("Variant Option 3 Name", "Variant Option 3 Value"),
            )
        ),
        "description": Column(("Product Description",)),
        "gtin": Column(("Variant Ean", "Variant Upc", "Variant Barcode")),
        "price": Column(
            ("Variant Price {currency}", "price", "Variant Price * [{currency}]"),
        ),
        "availability": Column(
            ("Variant Allow Backorder",),
            values={"false": "", "true": "backorder"},
            needs=("Variant Manage Inventory",),
            unless_positive=("Variant Inventory Quantity",),
        ),
        "quantity": Column(
            ("Variant Inventory Quantity", "quantity"), needs=("Variant Manage Inventory",)
        ),
        "weight": Column(("Variant Weight", "Product Weight"), unit="g"),
        "image_url": Column(
            ("Product Thumbnail", "Product Image 1"), pattern="(https?://.+)", otherwise="blank"
        ),
    },
    names={
        "Variant Price {currency}": ("Price {currency}",),
        "Variant Price * [{currency}]": ("Price * [{currency}]",),
        "Product Image 1": ("Product Image 1 Url", "Image 1 Url"),
    },
    identity=("{Variant Id}",),
    skip=(
        Skip("Product Status", ("draft", "proposed", "rejected"), "not published", withdraws=True),
    ),
)
