"""What exports really look like, and declared styles, that were once read in a wrong way."""

from io import BytesIO
from zoneinfo import ZoneInfo

import pytest

from commerce_core.parsing.reader import open_feed
from commerce_core.parsing.record_reader import Terms
from commerce_core.profiles.profile import PRESETS, Preset, Profile
from commerce_core.schema.fields import Mode
from commerce_core.schema.record import Record

GERMAN = (
    "ID,Typ,Artikelnummer,Name,Übergeordnetes Produkt,Bestand,Attribut 1 Name,Attribut 1 Wert(e),"
    "Attribut 2 Name,Attribut 2 Wert(e)"
)
FRENCH = (
    "ID,Type,UGS,Nom,Parent,Stock,Nom de l’attribut 1,Valeur(s) de l’attribut 1 ,"
    "Nom de l’attribut 2,Valeur(s) de l’attribut 2 "
)
SPANISH = (
    "ID,Tipo,SKU,Nombre,Superior,Inventario,Nombre del atributo 1,Valor(es) del atributo 1,"
    "Nombre del atributo 2,Valor(es) del atributo 2"
)
ENGLISH = (
    "ID,Type,SKU,Name,Parent,Stock,Attribute 1 name,Attribute 1 value(s),"
    "Attribute 2 name,Attribute 2 value(s)"
)


def read(text: str, profile: Profile, mode: Mode = "full") -> list[Record]:
    return list(open_feed(BytesIO(text.encode()), Terms(mode, "EUR", ZoneInfo("UTC"), profile)))


@pytest.mark.parametrize("header", [GERMAN, FRENCH, SPANISH, ENGLISH])
def test_variations_without_sku_differ_by_their_attributes_in_any_language(header: str):
    rows = (
        "7,variation,,Cup,CUP,4,Colour,Blue,Size,M",
        "8,variation,,Cup,CUP,0,Colour,Blue,Size,L",
    )
    medium, large = read("\n".join((header, *rows)), Profile(preset="woocommerce"))
    assert [medium.sku, large.sku] == ["CUP/Blue/M", "CUP/Blue/L"]
    assert medium.values["options"] == "Colour: Blue; Size: M"
    assert medium.values["quantity"] == 4


@pytest.mark.parametrize("price", ["12.50", "12.50 EUR", "€ 12.50", "0.5"])
def test_a_point_before_decimals_is_refused_where_a_comma_is_declared(price: str):
    text = f'sku,product_name,price\nA-1,Tea,{price}\nA-2,Tea,1.250\nA-3,Tea,"1.250,5"\n'
    refused, thousands, both = read(text, Profile(decimal=","))
    assert [problem.code for problem in refused.problems] == ["not_a_number"]
    assert "comma" in refused.problems[0].hint
    assert str(thousands.values["price"]) == "1250.00"
    assert str(both.values["price"]) == "1250.50"


@pytest.mark.parametrize(("managed", "quantity"), [("true", 4), ("false", None), ("", None)])
def test_stock_that_medusa_does_not_manage_is_untracked(managed: str, quantity: int | None):
    header = "Variant Sku,Product Title,Variant Manage Inventory,Variant Inventory Quantity"
    (record,) = read(f"{header}\nA-1,Stool,{managed},4\n", Profile(preset="medusa"))
    assert record.values["quantity"] == quantity


def test_a_quantity_counts_where_the_file_has_no_column_of_who_tracks_it():
    (record,) = read("Variant SKU,Title,Variant Inventory Qty\nA-1,Stool,4\n", Profile("shopify"))
    assert record.values["quantity"] == 4


@pytest.mark.parametrize("preset", PRESETS)
def test_a_source_of_any_preset_takes_stock_alone_and_prices_alone(preset: Preset):
    profile = Profile(preset=preset)
    (stock,) = read("sku,quantity\nA-1,4\n", profile, "delta")
    (price,) = read("sku,price\nA-1,4.50\n", profile, "delta")
    assert (stock.sku, stock.values) == ("A-1", {"quantity": 4})
    assert (price.sku, str(price.values["price"])) == ("A-1", "4.50")


@pytest.mark.parametrize(
    "price", ["1 490,- €", "1 490,\u2013 €", "EUR 1.490,\u2014", "1490,\u2013"]
)
def test_a_dash_stands_for_no_decimals(price: str):
    text = f"sku;product_name;price\nA-1;Shelf;{price}\n"
    (record,) = read(text, Profile(decimal=","))
    assert str(record.values["price"]) == "1490.00"


@pytest.mark.parametrize(
    ("price", "read_as"),
    [
        ("Rs.500", "500.00 INR"),
        ("Rs. 500", "500.00 INR"),
        ("500 Rs.", "500.00 INR"),
        ("₹.50", "0.50 INR"),
        ("kr. 12.50", None),
        ("12.50.", None),
    ],
)
def test_the_point_of_an_abbreviation_is_none_of_decimals(price: str, read_as: str | None):
    profile = Profile(currency="INR")
    (record,) = read(f"sku,product_name,price\nA-1,Kurta,{price}\n", profile)
    said = f"{record.values['price']} {record.values['currency']}" if not record.rejected else None
    assert said == read_as
