"""PrestaShop: files with the columns of its import, and the list of products of its back office."""

from typing import Final

from commerce_core.profiles.profile import Column, Profile, Skip

_IMAGES: Final = ("Image URLs (x,y,z...)",)

PRESTASHOP: Final = Profile(
    preset="prestashop",
    aliases=False,
    columns={
        "sku": Column(("Reference #", "sku")),
        "product_name": Column(("Name *",)),
        "description": Column(("Description", "Summary")),
        "brand": Column(("Manufacturer",)),
        "condition": Column(("Condition",)),
        "category": Column(("Categories (x,y,z...)",), separator=",", part="first"),
        "gtin": Column(("EAN13", "UPC")),
        "mpn": Column(("MPN",)),
        "price": Column(("Price tax included", "price")),
        "availability": Column(
            ("Action when out of stock",),
            values={"0": "", "1": "backorder", "2": ""},
            unless_positive=("Quantity",),
        ),
        "quantity": Column(("Quantity",)),
        "image_url": Column(_IMAGES, separator=",", part="first"),
        "additional_image_urls": Column(_IMAGES, separator=",", part="rest"),
    },
    names={
        "Active (0/1)": ("Active", "Status"),
        "Name *": ("Name",),
        "Summary": ("Short description",),
        "Manufacturer": ("Brand",),
        "Reference #": ("Reference",),
        "Categories (x,y,z...)": ("Categories", "Category"),
        "Price tax included": ("Price (tax incl.)", "Price tax incl."),
        "Image URLs (x,y,z...)": ("Image URLs",),
        "Product ID": ("ID",),
        "Action when out of stock": ("When out of stock", "Out of stock action"),
        "Available for order (0 = No, 1 = Yes)": ("Available for order",),
    },
    identity=("{Product ID}",),
    skip=(
        Skip("Active (0/1)", ("0",), "not enabled", withdraws=True),
        Skip("Available for order (0 = No, 1 = Yes)", ("0",), "not for order", withdraws=True),
    ),
)
