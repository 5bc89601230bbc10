"""Etsy: the download of listings, a row for each, whose variations have no price of their own."""

from typing import Final

from commerce_core.profiles.profile import Column, Profile

_SEVERAL: Final = (
    "The listing has variations, but one price and one quantity for all of them. Send a row for "
    "each variation, with its own SKU, PRICE and QUANTITY."
)

ETSY: Final = Profile(
    preset="etsy",
    aliases=False,
    columns={
        "sku": Column(("SKU",), pattern="([^,]*)", hint=_SEVERAL),
        "product_name": Column(("TITLE", "product_name")),
        "options": Column(
            pairs=(
                ("VARIATION 1 NAME", "VARIATION 1 VALUES"),
                ("VARIATION 2 NAME", "VARIATION 2 VALUES"),
            ),
            pattern="([^,]*)",
            hint=_SEVERAL,
        ),
        "description": Column(("DESCRIPTION",)),
        "price": Column(("PRICE",)),
        "currency": Column(("CURRENCY_CODE", "currency")),
        "quantity": Column(("QUANTITY",)),
        "image_url": Column(("IMAGE1",)),
        "additional_image_urls": Column(
            tuple(f"IMAGE{number}" for number in range(2, 11)), join=" "
        ),
    },
)
