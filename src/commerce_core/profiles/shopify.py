"""Shopify: the export of products in its present and its older template, and that of inventory."""

from typing import Final

from commerce_core.profiles.profile import Column, Group, Locations, Profile, Skip, Totals

_TRACKED: Final = ("Variant Inventory Tracker",)
_INVENTORY: Final = (
    "Handle",
    "Title",
    "Option1 Name",
    "Option1 Value",
    "Option2 Name",
    "Option2 Value",
    "Option3 Name",
    "Option3 Value",
    "Variant SKU",
)
"""How the header of an inventory export begins that has a column for each location."""

SHOPIFY: Final = Profile(
    preset="shopify",
    aliases=False,
    columns={
        "sku": Column(("Variant SKU",)),
        "product_name": Column(("Title",)),
        "group_id": Column(("Handle",)),
        "options": Column(
            pairs=(
                ("Option1 Name", "Option1 Value"),
                ("Option2 Name", "Option2 Value"),
                ("Option3 Name", "Option3 Value"),
            ),
            values={"Title: Default Title": ""},
        ),
        "description": Column(("Body (HTML)",)),
        "brand": Column(("Vendor",)),
        "condition": Column(("Google Shopping / Condition",)),
        "category": Column(("Product Category", "Type")),
        "gtin": Column(("Variant Barcode",)),
        "mpn": Column(("Google Shopping / MPN",)),
        "price": Column(("Variant Price",)),
        "sale_price": Column(("Variant Compare At Price",), compare_at=True),
        "availability": Column(
            ("Variant Inventory Policy",),
            values={"deny": "", "false": "", "continue": "backorder", "true": "backorder"},
            needs=_TRACKED,
            unless_positive=("Variant Inventory Qty",),
        ),
        "quantity": Column(
            ("Variant Inventory Qty", "Available", "quantity"),
            values={"not stocked": "0"},
            needs=_TRACKED,
        ),
        "weight": Column(("Variant Grams",), unit="g"),
        "image_url": Column(("Variant Image", "Image Src")),
    },
    names={
        "Handle": ("URL handle",),
        "Body (HTML)": ("Description",),
        "Published": ("Published on online store",),
        "Variant SKU": ("SKU",),
        "Variant Barcode": ("Barcode",),
        "Variant Price": ("Price",),
        "Variant Compare At Price": ("Compare-at price",),
        "Variant Inventory Tracker": ("Inventory tracker",),
        "Variant Inventory Qty": ("Inventory quantity",),
        "Variant Inventory Policy": ("Continue selling when out of stock",),
        "Variant Grams": ("Weight value (grams)",),
        "Variant Image": ("Variant image URL",),
        "Image Src": ("Product image URL",),
        "Available": ("Available (not editable)",),
    },
    identity=("{Handle}/{Option1 Value}/{Option2 Value}/{Option3 Value}", "{Handle}"),
    skip=(
        Skip("Status", ("draft", "archived"), "a draft or archived", withdraws=True),
        Skip("Published", ("false",), "not published in the online store", withdraws=True),
    ),
    group=Group(
        key="Handle",
        carry=(
            "Title",
            "Body (HTML)",
            "Vendor",
            "Product Category",
            "Type",
            "Published",
            "Status",
            "Option1 Name",
            "Option2 Name",
            "Option3 Name",
            "Image Src",
            "Google Shopping / Condition",
        ),
        offer=("Variant SKU", "Variant Price", "Option1 Value", "Variant Barcode"),
        append="Image Src",
    ),
    locations=Locations(
        behind=((*_INVENTORY, "HS Code", "COO"), _INVENTORY), zero=("not stocked",)
    ),
    totals=Totals(column="Available", over="Location", zero=("not stocked",)),
)
