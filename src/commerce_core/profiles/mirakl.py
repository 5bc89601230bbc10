"""Mirakl: a seller's offers, as they are imported into a marketplace; products are apart."""

from typing import Final

from commerce_core.profiles.profile import Column, Profile

MIRAKL: Final = Profile(
    preset="mirakl",
    aliases=False,
    columns={
        "sku": Column(("sku", "offer-sku")),
        "product_name": Column(("product_name", "title")),
        "description": Column(("description",)),
        "gtin": Column(("product-id",), pattern="([0-9]{8}|[0-9]{12,14})", otherwise="blank"),
        "price": Column(("price",)),
        "sale_price": Column(("discount-price",)),
        "sale_starts_at": Column(("discount-start-date",)),
        "sale_ends_at": Column(("discount-end-date",)),
        "quantity": Column(("quantity",)),
        "deleted": Column(("update-delete",), values={"update": "no", "delete": "yes"}),
    },
)
