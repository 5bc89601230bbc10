"""eBay: the report of active listings, and files of actions for File Exchange and Seller Hub.

The number of an item is eBay's, and of all its variations; the seller's sku is its custom label. A
listing with variations has a row before theirs, with all values of each option.
"""

from typing import Final

from commerce_core.profiles.profile import Column, Profile, Skip

EBAY: Final = Profile(
    preset="ebay",
    aliases=False,
    columns={
        "sku": Column(("Custom label (SKU)", "CustomLabel", "sku")),
        "product_name": Column(("Title", "product_name")),
        "group_id": Column(("Item number",)),
        "description": Column(("Description",)),
        "category": Column(("eBay category 1 name",)),
        "gtin": Column(
            ("P:EAN", "P:UPC", "P:ISBN"), pattern="([0-9]{8}|[0-9]{12,14})", otherwise="blank"
        ),
        "brand": Column(("C:Brand",)),
        "price": Column(("Current price", "Start price")),
        "currency": Column(("Currency",)),
        "quantity": Column(("Available quantity",)),
        "image_url": Column(("PicURL",), pattern="(https?://[^|]+).*", otherwise="blank"),
    },
    names={
        "Item number": ("ItemID", "Item ID"),
        "Start price": ("StartPrice", "Price"),
        "Available quantity": ("Quantity",),
        "PicURL": ("Item photo URL",),
    },
    skip=(
        Skip("Action(*)", ("end", "delete", "draft"), "not listed", withdraws=True),
        Skip("Action(*)", ("verifyadd",), "a trial"),
        Skip("Format", ("auction", "chinese"), "an auction"),
        Skip("Variation details", ("*;*",), "a listing of variations"),
        Skip("Relationship details", ("*;*",), "a listing of variations"),
    ),
)
