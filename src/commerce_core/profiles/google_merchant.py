"""Google Merchant Center: product data as tab-separated text, with or without `g:` before names."""

from typing import Final

from commerce_core.profiles.profile import Column, Profile
from commerce_core.schema.fields import FIELDS

_COLUMNS: Final = {
    "sku": Column(("id", "sku")),
    "product_name": Column(("title",)),
    "group_id": Column(("item_group_id",)),
    "options": Column(
        pairs=(
            ("=Color", "color"),
            ("=Size", "size"),
            ("=Material", "material"),
            ("=Pattern", "pattern"),
        )
    ),
    "category": Column(
        ("product_type", "google_product_category"), separator=",", part="first_path"
    ),
    "sale_starts_at": Column(("sale_price_effective_date",), pattern="([^/]+)/.+"),
    "sale_ends_at": Column(("sale_price_effective_date",), pattern="[^/]+/(.+)"),
    "weight": Column(("shipping_weight", "product_weight")),
    "product_url": Column(("link",)),
    "image_url": Column(("image_link",)),
    "additional_image_urls": Column(("additional_image_link",), separator=","),
}


def _with_prefix() -> dict[str, tuple[str, ...]]:
    """Each name with the prefix that it has in the maker's XML, and so in what is made of it."""
    own = (name for field in FIELDS for name in (field.name, *field.aliases))
    mapped = (name for column in _COLUMNS.values() for name in column.from_)
    paired = (name for column in _COLUMNS.values() for _, name in column.pairs)
    return {name: (f"g:{name}",) for name in (*own, *mapped, *paired)}


GOOGLE_MERCHANT: Final = Profile(preset="google-merchant", columns=_COLUMNS, names=_with_prefix())
