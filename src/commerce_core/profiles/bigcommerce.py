"""BigCommerce: the export of products (v3), with a row for each product, variant and picture.

Written from https://support.bigcommerce.com/s/article/Supported-Product-Fields. The currency is the
shop's, and not in the file; nor is the unit of weights, so that none is read. The options of a
variant are one text in a form of its own, and aren't read either.
"""

from typing import Final

from commerce_core.profiles.profile import Column, Group, Profile, Skip

BIGCOMMERCE: Final = Profile(
    preset="bigcommerce",
    aliases=False,
    columns={
        "sku": Column(("SKU",)),
        "product_name": Column(("Name", "product_name")),
        "group_id": Column(("Name",)),
        "description": Column(("Description",)),
        "condition": Column(("Product Condition",)),
        "gtin": Column(("UPC/EAN", "Global Trade Number")),
        "mpn": Column(("Manufacturer Part Number",)),
        "price": Column(("Price",)),
        "sale_price": Column(
            ("Sale Price",), values={"0": "", "0.0": "", "0.00": "", "0.0000": ""}
        ),
        "quantity": Column(("Current Stock", "quantity"), needs=("Inventory Tracking",)),
        "image_url": Column(("Variant Image URL",), pattern="(https?://.+)", otherwise="blank"),
    },
    identity=("{Name}",),
    skip=(Skip("Is Visible", ("false", "no", "n", "0"), "not visible", withdraws=True),),
    group=Group(
        key="Item",
        carry=(
            "Name",
            "Description",
            "Product Condition",
            "Price",
            "Inventory Tracking",
            "Is Visible",
            "Manufacturer Part Number",
        ),
        offer=("SKU", "Options"),
        append="Internal Image URL (Export)",
        heads=("Product",),
    ),
)
