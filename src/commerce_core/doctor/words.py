"""Headers and words in other languages that suggest a field or its value.

Loading uses none of these. They only make suggestions, which a person accepts by saving the
profile.
"""

import re
from collections.abc import Mapping
from typing import Final

from commerce_core.base.money import find_currency
from commerce_core.base.text import squash
from commerce_core.profiles.normalise import currencies_meant


def _table(rows: Mapping[str, str]) -> dict[str, str]:
    return {squash(word): field for field, words in rows.items() for word in words.split(", ")}


HEADERS: Final[Mapping[str, str]] = _table({
    "sku": "artikelnummer, artikelnr, art.nr., artnr, artikel-nr., bestellnummer, bestelnummer, "
    "référence, reference, réf, ref, codice, codice articolo, código, codigo, article number, "
    "articlenumber, item number, item no, item code, product code, productcode, stock code, "
    "indeks, kod, varenummer, artikelkod, артикул, uniq_id, unique id, handle id, "
    "varunummer, stok kodu, ürün kodu, código do produto, codigo do produto, custom label, "
    "custom label (sku), customlabel, offer id, aid, 商品コード, 商品番号",
    "product_name": "bezeichnung, artikelbezeichnung, artikelname, produktname, titel, naam, "
    "productnaam, omschrijving kort, nom, nom du produit, désignation, désignation produit, "
    "libellé, nombre, nombre del producto, título, nome, nome prodotto, titolo, nazwa, "
    "nazwa produktu, název, navn, produktnavn, namn, produktnamn, nome do produto, наименование, "
    "название, item name, item, product, article, "
    "benämning, benævnelse, \u00fcr\u00fcn ad\u0131, produto, 商品名",
    "description": "beschreibung, artikelbeschreibung, produktbeschreibung, langtext, "
    "beschrijving, omschrijving, description longue, descripción, descripcion, descrizione, "
    "opis, popis, beskrivelse, beskrivning, descrição, описание, body html, long text",
    "brand": "marke, hersteller, merk, fabrikant, marque, fabricant, marca, fabricante, "
    "produttore, marka, producent, výrobce, mærke, märke, бренд, производитель, maker, make, "
    "producer, label",
    "category": "kategorie, warengruppe, produktgruppe, produkttyp, produktkategorie, categorie, "
    "rubriek, catégorie, famille, rayon, categoría, categoria, kategoria, kategori, категория, "
    "type, department, product group, category name, categories",
    "gtin": "ean-code, eancode, ean code, ean nummer, streepjescode, strichcode, code-barres, "
    "code barre, código de barras, codice a barre, kod ean, штрихкод, bar code, isbn",
    "mpn": "herstellernummer, herstellerartikelnummer, teilenummer, référence fabricant, "
    "fabrikantcode, model number, modelnummer, modellnummer",
    "price": "preis, vk, vk-preis, verkaufspreis, bruttopreis, prijs, verkoopprijs, adviesprijs, "
    "prix, prix ttc, prix de vente, tarif, precio, pvp, prezzo, prezzo di vendita, cena, "
    "cena brutto, pris, preço, preco, fiyat, sat\u0131\u015f fiyat\u0131, 価格, 販売価格, "
    "salgspris, цена, selling price, retail price, sales price, price incl vat",
    "currency": "währung, waehrung, valuta, munt, devise, monnaie, moneda, divisa, waluta, měna, "
    "moeda, валюта, curr",
    "sale_price": "angebotspreis, aktionspreis, sonderpreis, actieprijs, aanbiedingsprijs, "
    "prix promo, prix promotionnel, prix soldé, precio de oferta, precio oferta, "
    "prezzo scontato, prezzo promo, cena promocyjna, offer price, promo price, discount price",
    "availability": "verfügbarkeit, verfuegbarkeit, lieferbarkeit, beschikbaarheid, "
    "disponibilité, disponibilidad, disponibilità, dostępność, dostupnost, tilgængelighed, "
    "наличие, stock state, in stock",
    "quantity": "menge, bestand, lagerbestand, lager, anzahl, voorraad, aantal, stock dispo, "
    "quantité, cantidad, existencias, inventario, quantità, giacenza, magazzino, ilość, stan, "
    "množství, sklad, antal, lagersaldo, beholdning, quantidade, estoque, miktar, stok, "
    "在庫, 在庫数, количество, остаток, on hand, "
    "onhand, stock on hand, available, available quantity, units in stock",
    "weight": "gewicht, poids, peso, waga, hmotnost, vægt, vikt, вес",
    "product_url": "produktlink, produkt-url, deeplink, deep link, lien, url produit, enlace, "
    "href, webpage, page, ссылка, affiliate link, landing page",
    "image_url": "bild, bild-url, bildlink, produktbild, afbeelding, foto, photo, image src, "
    "imagen, immagine, zdjęcie, obrázek, billede, bild url, картинка, изображение, main image, "
    "img, thumbnail, images",
    "group_id": "parent, parent id, parentid, variantengruppe, style, style number, model id",
})  # fmt: skip
"""Headers in other languages or words, squashed, with the field they most likely are."""

TOKENS: Final[Mapping[str, str]] = _table({
    "sku": "sku, id, artikelnummer",
    "product_name": "name, title, titel, naam, bezeichnung",
    "description": "description, desc, beschreibung",
    "brand": "brand, manufacturer, marke, merk",
    "category": "category, categories, kategorie",
    "gtin": "gtin, ean, upc, barcode, isbn",
    "price": "price, preis, prijs, prix, precio, prezzo, cena, amount",
    "currency": "currency, währung",
    "availability": "availability, available",
    "quantity": "stock, quantity, qty, inventory, bestand, voorraad, lager",
    "weight": "weight, gewicht",
    "product_url": "url, link, href",
    "image_url": "image, picture, photo, bild, foto, img, thumbnail",
})  # fmt: skip
"""Parts of headers that suggest a field, unless another part speaks against it."""

_AGAINST: Final[Mapping[str, str]] = {
    "price": "cost purchase einkauf inkoop ek wholesale shipping tax vat old compare unit sale "
    "special promo discount offer rule net netto tier min max was",
    "quantity": "min max low order ordered sold review reviews minimum status policy tracker "
    "location in_transit images",
    "product_name": "dealership file customer variant unit shipping tax category producer user "
    "company store seller option brand attribute display image collection meta seo vendor type",
    "sku": "category parent group type collection seller customer user store shop brand vendor "
    "zip order image media location tax meta",
    "category": "tax shipping google customer age",
    "brand": "id url",
    "description": "short meta seo image kurz",
    "product_url": "image picture img video external media admin",
    "image_url": "alt position count num number text name id variant width height",
    "weight": "unit class",
    "availability": "date from until number",
    "currency": "rate symbol",
    "gtin": "type",
}
_PARTS: Final = re.compile(r"[^\W\d_]?[^\W\d_A-Z]+|[A-Z]+(?![a-z])")

WORDS: Final[Mapping[str, Mapping[str, str]]] = {
    "availability": _table({
        "in_stock": "ja, yes, true, 1, y, lieferbar, sofort lieferbar, auf lager, verfügbar, "
        "vorrätig, op voorraad, leverbaar, en stock, disponible, disponibile, in magazzino, "
        "dostępny, skladem, på lager, i lager, в наличии, есть",
        "out_of_stock": "nein, no, false, 0, n, nicht lieferbar, nicht auf lager, ausverkauft, "
        "nicht verfügbar, niet op voorraad, uitverkocht, rupture, rupture de stock, épuisé, "
        "agotado, sin stock, non disponibile, esaurito, niedostępny, vyprodáno, udsolgt, slut, "
        "нет в наличии, нет, sold out online",
        "preorder": "vorbestellbar, vorbestellung, précommande, preventa, in arrivo, coming soon",
        "backorder": "nachbestellt, auf bestellung, sur commande, bajo pedido, available to order",
        "discontinued": "auslaufartikel, eingestellt, uit assortiment, arrêté, descatalogado",
    }),
    "condition": _table({
        "new": "neu, nieuw, neuf, nuevo, nuovo, nowy, nový, ny, brand new, новый",
        "used": "gebraucht, gebruikt, occasion, usado, usato, używany, použité, brugt, begagnad, "
        "second hand, like new",
        "refurbished": "generalüberholt, reconditionné, reacondicionado, ricondizionato, "
        "odnowiony, reconditioned",
    }),
    "deleted": _table({"yes": "ja, oui, si, sí, sì, tak, x", "no": "nein, nee, non, nie"}),
}  # fmt: skip
"""Words for the values of a field in other languages, squashed, each with ours."""

MINOR: Final = frozenset({"cents", "cent", "pence", "paise", "minor", "centimes", "kopecks", "öre"})
"""Parts of headers that mean an amount is in minor units."""


def parts_of(header: str) -> list[str]:
    """The lower-cased words of a header: `stockOnHand` and `stock_on-hand` have the same three."""
    return [part.lower() for part in _PARTS.findall(header)]


def is_code(word: str) -> bool:
    """Whether a word that is a currency's code is surely meant as one: `Cup` and `top` aren't."""
    return word.isupper() or word.lower() in _FREQUENT_CODES


def currency_in(header: str) -> str | None:
    """The currency that a header names, as in `Price USD`, `price_eur` or `Preis in €`.

    A code counts in capitals or if it is frequent, since `all`, `top` and `try` are codes too.
    """
    words = re.findall(r"[A-Za-z]+|[^\w\s]", header.replace("_", " "))
    codes = {w.upper() for w in words if is_code(w)}
    found = {code for code in codes if len(code) == len("EUR") and find_currency(code)}
    for word in words:
        meant = () if word.isascii() else currencies_meant(word)
        found |= set(meant) if len(meant) == 1 else set()
    return found.pop() if len(found) == 1 else None


_FREQUENT_CODES: Final = frozenset({
    "usd", "eur", "gbp", "chf", "cad", "aud", "nzd", "jpy", "cny", "inr", "sek", "nok", "dkk",
    "pln", "czk", "huf", "ron", "brl", "mxn", "zar", "aed", "sgd", "hkd",
})  # fmt: skip


def speaks_against(name: str, header: str) -> bool:
    """Whether a part of the header means that it isn't that field."""
    return not set(_AGAINST.get(name, "").split()).isdisjoint(parts_of(header))


def field_by_part(header: str) -> str | None:
    """The field that a part of the header suggests, unless another part speaks against it."""
    parts = parts_of(header)
    found = {TOKENS[part] for part in parts if part in TOKENS}
    kept = {name for name in found if not speaks_against(name, header)}
    if len(kept) > 1:
        kept.discard("sku")
    if {"image_url", "product_url"} <= kept:
        kept.discard("product_url")
    return kept.pop() if len(kept) == 1 else None
