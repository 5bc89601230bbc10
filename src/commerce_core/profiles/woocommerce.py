"""WooCommerce: its own export of products, in English and in the languages of its translations."""

from typing import Final

from commerce_core.profiles.profile import Column, Parents, Profile, Skip

_ATTRIBUTES: Final = (1, 2, 3, 4)
_ATTRIBUTE_NAMES: Final = (
    "Attribut {} Name",
    "Nom de l\u2019attribut {}",
    "Nombre del atributo {}",
    "Nome attributo {}",
    "Naam eigenschap {}",
)
_ATTRIBUTE_VALUES: Final = (
    "Attribut {} Wert(e)",
    "Valeur(s) de l\u2019attribut {}",
    "Valor(es) del atributo {}",
    "Valore/i attributo {}",
    "Waarde(n) van eigenschap {}",
)
_NAMES: Final[dict[str, tuple[str, ...]]] = {
    "Type": ("Typ", "Tipo"),
    "SKU": ("Artikelnummer", "UGS", "COD", "REF"),
    "Name": ("Nom", "Nombre", "Nome", "Naam", "Navn", "Namn", "Nazwa"),
    "Published": ("Veröffentlicht", "Publié", "Publicado", "Pubblicato", "Gepubliceerd"),
    "Parent": ("Übergeordnetes Produkt", "Superior", "Genitore", "Hoofd", "Nadrzędny"),
    "Description": ("Beschreibung", "Descripción", "Descrizione", "Beschrijving"),
    "Short description": (
        "Kurzbeschreibung",
        "Description courte",
        "Descripción corta",
        "Breve descrizione",
        "Korte beschrijving",
    ),
    "Brands": ("Brand", "Marken", "Marques", "Marcas", "Marche"),
    "Categories": ("Kategorien", "Catégories", "Categorías", "Categorie", "Categorieën"),
    "GTIN, UPC, EAN, or ISBN": ("GTIN, UPC, EAN oder ISBN", "GTIN, UPC, EAN ou ISBN"),
    "Regular price": (
        "Regulärer Preis",
        "Tarif régulier",
        "Precio normal",
        "Prezzo di listino",
        "Reguliere prijs",
    ),
    "Sale price": (
        "Angebotspreis",
        "Tarif promo",
        "Precio rebajado",
        "Prezzo in offerta",
        "Actieprijs",
    ),
    "Date sale price starts": (
        "Datum, an dem Angebotspreis beginnt",
        "Date de début de promo",
        "Día en que empieza el precio rebajado",
    ),
    "Date sale price ends": (
        "Datum, an dem Angebotspreis endet",
        "Date de fin de promo",
        "Día en que termina el precio rebajado",
    ),
    "In stock?": (
        "Vorrätig?",
        "En stock ?",
        "¿En inventario?",
        "¿Existencias?",
        "Op voorraad?",
    ),
    "Stock": ("Lager", "Bestand", "Inventario", "Magazzino", "Voorraad"),
    "Weight": ("Gewicht", "Poids", "Peso"),
    "Images": ("Bilder", "Imágenes", "Immagini", "Afbeeldingen"),
}
_IMAGES: Final = ("Images",)

WOOCOMMERCE: Final = Profile(
    preset="woocommerce",
    aliases=False,
    escapes="woocommerce",
    columns={
        "sku": Column(("SKU",)),
        "product_name": Column(("Name",)),
        "group_id": Column(("Parent",)),
        "options": Column(
            pairs=tuple((f"Attribute {n} name", f"Attribute {n} value(s)") for n in _ATTRIBUTES)
        ),
        "description": Column(("Description", "Short description")),
        "brand": Column(("Brands",)),
        "category": Column(("Categories",), separator=",", part="first"),
        "gtin": Column(("GTIN, UPC, EAN, or ISBN",)),
        "price": Column(("Regular price", "price")),
        "sale_price": Column(("Sale price",)),
        "sale_starts_at": Column(("Date sale price starts",)),
        "sale_ends_at": Column(("Date sale price ends",)),
        "availability": Column(
            ("In stock?",),
            values={"1": "in_stock", "0": "out_of_stock", "backorder": "backorder"},
        ),
        "quantity": Column(("Stock", "quantity"), values={"parent": ""}),
        "weight": Column(("Weight",)),
        "image_url": Column(_IMAGES, separator=",", part="first"),
        "additional_image_urls": Column(_IMAGES, separator=",", part="rest"),
    },
    names=_NAMES
    | {
        name.format(n): tuple(other.format(n) for other in others)
        for n in _ATTRIBUTES
        for name, others in (
            ("Attribute {} name", _ATTRIBUTE_NAMES),
            ("Attribute {} value(s)", _ATTRIBUTE_VALUES),
        )
    },
    identity=(
        "/".join(("{Parent}", *(f"{{Attribute {n} value(s)}}" for n in _ATTRIBUTES))),
        "{ID}",
    ),
    skip=(
        Skip("Type", ("variable", "variable-subscription"), "a parent of variations"),
        Skip("Type", ("grouped",), "a group of products"),
        Skip("Type", ("external",), "sold on another site"),
        Skip("Published", ("0", "-1"), "not published", withdraws=True),
    ),
    parents=Parents(
        reference="Parent",
        keys=("{SKU}", "id:{ID}"),
        carry=(
            "Name",
            "Short description",
            "Description",
            "Brands",
            "Categories",
            "Images",
            "Weight",
            "Stock",
        ),
        inherit=("parent",),
        decide=("Published",),
    ),
)
