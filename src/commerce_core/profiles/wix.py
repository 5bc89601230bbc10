"""Wix: the export of products, in the template of today and in that of stores before it.

Both have a row for each product and rows for its variants behind it. Today's has pictures in rows
of their own, and each variant has its price. In the older one a variant has what is added to the
price of its product, and discounts are parts of prices; neither can be computed from one cell, so
that such records are rejected.
"""

from typing import Final

from commerce_core.profiles.profile import Column, Group, Profile, Skip

_OPTIONS: Final = range(1, 7)
_BEFORE: Final = (
    "The file has a surcharge or a discount, not the price with it. Send that as the price; or map "
    "price to the column price alone, if neither should count."
)
_SEVERAL: Final = "The product has options, but no variants. Send a row for each variant."

WIX: Final = Profile(
    preset="wix",
    aliases=False,
    columns={
        "sku": Column(("sku",)),
        "product_name": Column(("name", "product_name")),
        "group_id": Column(("handleId",)),
        "options": Column(
            pairs=tuple((f"productOptionName{n}", f"productOptionChoices{n}") for n in _OPTIONS),
            pattern="([^;]*(?:; [^;:]+: [^;]*)*)",
            hint=_SEVERAL,
        ),
        "description": Column(("plainDescription", "description")),
        "brand": Column(("brand",)),
        "gtin": Column(("barcode",)),
        "price": Column(
            ("price", "fieldType", "surcharge", "discountValue"),
            join=" + ",
            pattern=r"([^+A-Za-z]*)(?: \+ [A-Za-z]+(?: \+ 0(?:[.,]0+)?)*)?",
            hint=_BEFORE,
        ),
        "sale_price": Column(("strikethroughPrice",), compare_at=True),
        "quantity": Column(("inventory", "quantity"), pattern="(-?[0-9.,]+)", otherwise="blank"),
        "availability": Column(("inventory",), pattern="([A-Za-z_ ]+)", otherwise="blank"),
        "image_url": Column(
            ("productImageUrl",),
            pattern="(https?://[^;]+).*",
            otherwise="blank",
        ),
    },
    names={
        "handleId": ("handle",),
        "productImageUrl": ("media",),
        **{f"productOptionChoices{n}": (f"productOptionDescription{n}",) for n in _OPTIONS},
    },
    identity=(
        "/".join(("{handleId}", *(f"{{productOptionChoices{n}}}" for n in _OPTIONS))),
        "{handleId}",
    ),
    skip=(Skip("visible", ("false", "0", "no"), "not visible", withdraws=True),),
    group=Group(
        key="fieldType",
        carry=(
            "name",
            "plainDescription",
            "description",
            "brand",
            "price",
            "discountValue",
            "productImageUrl",
            "visible",
            *(f"productOptionName{n}" for n in _OPTIONS),
        ),
        offer=("sku", "price", "surcharge", "inventory", "productOptionChoices1"),
        heads=("Product",),
    ),
)
