"""Presets: ready-made profiles for the exports of well-known systems.

A source names a preset and overrides what differs. Headers are compared as everywhere, ignoring
case, blanks, underscores and hyphens; if a column has several names, the ones that a file has
count. They include our own names for sku, price and quantity, so that a source can send just its
stock and prices between its exports.
"""

from collections.abc import Mapping
from typing import Final

from commerce_core.profiles.profile import CANONICAL, Column, Group, Preset, Profile, Skip

_GOOGLE: Final = Profile(
    preset="google-merchant",
    columns={
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
        "category": Column(("product_type", "google_product_category")),
        "sale_starts_at": Column(("sale_price_effective_date",), pattern="([^/]+)/.+"),
        "sale_ends_at": Column(("sale_price_effective_date",), pattern="[^/]+/(.+)"),
        "weight": Column(("shipping_weight", "product_weight")),
        "product_url": Column(("link",)),
        "image_url": Column(("image_link",)),
        "additional_image_urls": Column(("additional_image_link",), separator=","),
    },
)

_SHOPIFY: Final = Profile(
    preset="shopify",
    aliases=False,
    columns={
        "sku": Column(("Variant SKU", "SKU")),
        "product_name": Column(("Title",)),
        "group_id": Column(("Handle", "URL handle")),
        "options": Column(
            pairs=(
                ("Option1 Name", "Option1 Value"),
                ("Option2 Name", "Option2 Value"),
                ("Option3 Name", "Option3 Value"),
            ),
            values={"Title: Default Title": ""},
        ),
        "description": Column(("Body (HTML)", "Description")),
        "brand": Column(("Vendor",)),
        "condition": Column(("Google Shopping / Condition",)),
        "category": Column(("Product Category", "Type")),
        "gtin": Column(("Variant Barcode", "Barcode")),
        "mpn": Column(("Google Shopping / MPN",)),
        "price": Column(("Variant Price", "Price")),
        "availability": Column(
            ("Variant Inventory Policy", "Continue selling when out of stock"),
            values={"deny": "", "false": "", "continue": "backorder", "true": "backorder"},
        ),
        "quantity": Column(
            ("Variant Inventory Qty", "Inventory quantity", "quantity"),
            needs=("Variant Inventory Tracker", "Inventory tracker"),
        ),
        "weight": Column(("Variant Grams", "Weight value (grams)"), unit="g"),
        "image_url": Column(
            ("Variant Image", "Variant image URL", "Image Src", "Product image URL")
        ),
    },
    identity=("{Handle}/{Option1 Value}/{Option2 Value}/{Option3 Value}", "{Handle}"),
    skip=(Skip("Status", ("draft", "archived"), "a draft or archived"),),
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
)

_WOO_ATTRIBUTES: Final = (1, 2, 3, 4)
_WOO_OPTIONS: Final = (
    ("Attribute {} name", "Attribute {} value(s)"),
    ("Attribut {} Name", "Attribut {} Wert(e)"),
    ("Nom de l\u2019attribut {}", "Valeur(s) de l\u2019attribut {}"),
    ("Nombre del atributo {}", "Valor(es) del atributo {}"),
)


def _woo_identity(parent: str, *values: str) -> str:
    """The parent and the attributes of a variation; columns that a file lacks are left out."""
    parts = (f"{{{value.format(n)}}}" for n in _WOO_ATTRIBUTES for value in values)
    return "/".join((f"{{{parent}}}", *parts))


_WOOCOMMERCE: Final = Profile(
    preset="woocommerce",
    aliases=False,
    columns={
        "sku": Column(("SKU", "Artikelnummer", "UGS", "COD", "REF")),
        "product_name": Column(("Name", "Nom", "Nombre", "Nome", "Naam", "Navn", "Namn", "Nazwa")),
        "group_id": Column(
            ("Parent", "Übergeordnetes Produkt", "Superior", "Genitore", "Hoofd", "Nadrzędny")
        ),
        "options": Column(
            pairs=tuple(
                (name.format(n), value.format(n))
                for n in _WOO_ATTRIBUTES
                for name, value in _WOO_OPTIONS
            )
        ),
        "description": Column(
            (
                "Description",
                "Beschreibung",
                "Descripción",
                "Descrizione",
                "Beschrijving",
                "Short description",
                "Kurzbeschreibung",
                "Description courte",
                "Descripción corta",
                "Breve descrizione",
                "Korte beschrijving",
            )
        ),
        "brand": Column(("Brands", "Brand", "Marken", "Marques", "Marcas", "Marche")),
        "category": Column(
            ("Categories", "Kategorien", "Catégories", "Categorías", "Categorie", "Categorieën"),
            separator=",",
            part="first",
        ),
        "gtin": Column(
            ("GTIN, UPC, EAN, or ISBN", "GTIN, UPC, EAN oder ISBN", "GTIN, UPC, EAN ou ISBN")
        ),
        "price": Column(
            (
                "Regular price",
                "Regulärer Preis",
                "Tarif régulier",
                "Precio normal",
                "Prezzo di listino",
                "Reguliere prijs",
                "price",
            )
        ),
        "sale_price": Column(
            (
                "Sale price",
                "Angebotspreis",
                "Tarif promo",
                "Precio rebajado",
                "Prezzo in offerta",
                "Actieprijs",
            )
        ),
        "sale_starts_at": Column(
            (
                "Date sale price starts",
                "Datum, an dem Angebotspreis beginnt",
                "Date de début de promo",
                "Día en que empieza el precio rebajado",
            )
        ),
        "sale_ends_at": Column(
            (
                "Date sale price ends",
                "Datum, an dem Angebotspreis endet",
                "Date de fin de promo",
                "Día en que termina el precio rebajado",
            )
        ),
        "availability": Column(
            (
                "In stock?",
                "Vorrätig?",
                "En stock ?",
                "¿En inventario?",
                "¿Existencias?",
                "Op voorraad?",
            ),
            values={"1": "in_stock", "0": "out_of_stock", "backorder": "backorder"},
        ),
        "quantity": Column(
            ("Stock", "Lager", "Bestand", "Inventario", "Magazzino", "Voorraad", "quantity")
        ),
        "weight": Column(("Weight", "Gewicht", "Poids", "Peso")),
        "image_url": Column(
            ("Images", "Bilder", "Imágenes", "Immagini", "Afbeeldingen"),
            separator=",",
            part="first",
        ),
        "additional_image_urls": Column(
            ("Images", "Bilder", "Imágenes", "Immagini", "Afbeeldingen"), separator=",", part="rest"
        ),
    },
    identity=(
        _woo_identity("Parent", "Attribute {} value(s)", "Valeur(s) de l\u2019attribut {}"),
        _woo_identity("Übergeordnetes Produkt", "Attribut {} Wert(e)"),
        _woo_identity("Superior", "Valor(es) del atributo {}"),
        "{ID}",
    ),
    skip=(
        Skip("Type", ("variable", "variable-subscription"), "a parent of variations"),
        Skip("Typ", ("variable", "variable-subscription"), "a parent of variations"),
        Skip("Tipo", ("variable", "variable-subscription"), "a parent of variations"),
        Skip("Type", ("grouped",), "a group of products"),
        Skip("Typ", ("grouped",), "a group of products"),
        Skip("Tipo", ("grouped",), "a group of products"),
        Skip("Published", ("0", "-1"), "not published"),
        Skip("Veröffentlicht", ("0", "-1"), "not published"),
        Skip("Publié", ("0", "-1"), "not published"),
        Skip("Publicado", ("0", "-1"), "not published"),
        Skip("Gepubliceerd", ("0", "-1"), "not published"),
        Skip("Pubblicato", ("0", "-1"), "not published"),
    ),
)

_MEDUSA: Final = Profile(
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
        "price": Column(("Variant Price {currency}", "Price {currency}", "price")),
        "availability": Column(
            ("Variant Allow Backorder",), values={"false": "", "true": "backorder"}
        ),
        "quantity": Column(
            ("Variant Inventory Quantity", "quantity"), needs=("Variant Manage Inventory",)
        ),
        "weight": Column(("Variant Weight", "Product Weight"), unit="g"),
        "image_url": Column(
            ("Product Thumbnail", "Product Image 1"), pattern="(https?://.+)", otherwise="blank"
        ),
    },
    identity=("{Variant Id}",),
)

PRESET_PROFILES: Final[Mapping[Preset, Profile]] = {
    "canonical": CANONICAL,
    "google-merchant": _GOOGLE,
    "shopify": _SHOPIFY,
    "woocommerce": _WOOCOMMERCE,
    "medusa": _MEDUSA,
}


def in_full(profile: Profile) -> Profile:
    """The profile, with its preset's values for everything that it doesn't set itself."""
    return profile.over(PRESET_PROFILES[profile.preset])
