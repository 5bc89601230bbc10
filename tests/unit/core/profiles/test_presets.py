"""Presets: small exports in the form of each system become the products that its user sees."""

import io
from collections.abc import Mapping
from decimal import Decimal

from attrs import evolve

from commerce_core.parsing.reader import open_feed
from commerce_core.parsing.record_reader import Terms
from commerce_core.profiles.presets import PRESET_PROFILES
from commerce_core.profiles.profile import Preset, Profile
from commerce_core.schema.record import Record
from tests.unit.core.parsing.test_reader import UTC_ZONE


def read(preset: Preset, text: str, currency: str = "EUR", **said: object) -> list[Record]:
    profile = evolve(Profile(preset=preset), **said)
    stream = io.BytesIO(text.encode())
    return list(open_feed(stream, Terms("full", currency, UTC_ZONE, profile)))


def offers(records: list[Record]) -> Mapping[str | None, Record]:
    found = [record for record in records if record.fate is None]
    assert [record.problems for record in found if record.problems] == []
    return {record.sku: record for record in found}


def fates(records: list[Record]) -> list[str]:
    return [record.fate or "offer" for record in records]


def test_every_preset_is_a_profile_of_its_own_name():
    assert {name: profile.preset for name, profile in PRESET_PROFILES.items()} == {
        name: name for name in PRESET_PROFILES
    }


# --- Shopify --------------------------------------------------------------------------------------

SHOPIFY = """\
Handle,Title,Vendor,Status,Option1 Name,Option1 Value,Variant SKU,Variant Inventory Tracker,\
Variant Inventory Qty,Variant Inventory Policy,Variant Price,Variant Barcode,Image Src
jug,Jug,Clay,active,Size,Small,,shopify,4,deny,12.00,'4006381333931,https://a.example/1.png
jug,,,,,Large,JUG-L,,0,continue,18.00,,
jug,,,,,,,,,,,,https://a.example/2.png
bowl,Bowl,Clay,draft,Title,Default Title,BOWL,shopify,1,deny,5,,
cup,Cup,Clay,active,Title,Default Title,,shopify,1,deny,5,,
"""


def test_variants_take_what_they_leave_blank_from_the_first_of_their_handle():
    records = read("shopify", SHOPIFY)
    assert fates(records) == ["offer", "offer", "folded", "skipped", "offer"]
    small, large, cup = offers(records).values()
    assert (small.sku, large.sku) == ("jug/Small", "JUG-L")
    assert large.values["product_name"] == "Jug"
    assert large.values["options"] == "Size: Large"
    assert large.values["group_id"] == "jug"
    assert small.values["gtin"] == "4006381333931"
    assert cup.values["options"] is None


def test_a_row_of_nothing_but_a_picture_adds_it_to_the_record_before():
    large = offers(read("shopify", SHOPIFY))["JUG-L"]
    assert large.values["additional_image_urls"] == ("https://a.example/2.png",)


def test_stock_that_is_not_tracked_is_no_stock_of_nothing():
    found = offers(read("shopify", SHOPIFY))
    assert found["jug/Small"].values["quantity"] == 4
    assert found["JUG-L"].values["quantity"] is None


def test_continue_selling_is_a_backorder():
    found = offers(read("shopify", SHOPIFY))
    assert found["JUG-L"].values["availability"] == "backorder"
    assert found["jug/Small"].values["availability"] is None


# --- WooCommerce ----------------------------------------------------------------------------------

WOO = """\
ID,Typ,Artikelnummer,Name,Veröffentlicht,Vorrätig?,Lager,Gewicht\u00a0(kg),Regulärer\u00a0Preis,\
Angebotspreis,Kategorien,Bilder,Übergeordnetes\u00a0Produkt,Attribut 1 Name,Attribut 1 Wert(e)
1,variable,TEE,Hemd,1,1,,,,,"Kleidung > Hemden, Neu",,,Größe,"S, M"
2,variation,,Hemd - S,1,1,3,"0,2","19,90",,,,TEE,Größe,S
3,simple,CAP,Mütze,1,backorder,0,,12,9,Kleidung,"https://a.example/2.png, https://a.example/3.png",,,
4,"simple, virtual",GIFT,Gutschein,0,1,,,25,,,,,,
5,grouped,SET,Satz,1,1,,,,,,,,,
"""


def test_parents_groups_and_what_is_not_published_are_no_offers():
    records = read("woocommerce", WOO, decimal=",")
    assert fates(records) == ["skipped", "offer", "offer", "skipped", "skipped"]
    assert [record.reason for record in records if record.reason] == [
        "a parent of variations", "not published", "a group of products",
    ]  # fmt: skip


def test_localised_headers_are_found_with_no_break_spaces_in_them():
    shirt, cap = offers(read("woocommerce", WOO, decimal=",")).values()
    assert shirt.values["price"] == Decimal("19.90")
    assert shirt.values["weight"] == Decimal(200)
    assert (shirt.values["group_id"], shirt.values["options"]) == ("TEE", "Größe: S")
    assert (cap.values["price"], cap.values["sale_price"]) == (Decimal(12), Decimal(9))
    assert cap.values["availability"] == "backorder"
    assert cap.values["image_url"] == "https://a.example/2.png"
    assert cap.values["additional_image_urls"] == ("https://a.example/3.png",)


def test_a_variation_without_a_sku_is_its_parent_and_attributes():
    assert list(offers(read("woocommerce", WOO, decimal=","))) == ["TEE/S", "CAP"]


# --- Medusa ---------------------------------------------------------------------------------------

MEDUSA = """\
Product Handle;Product Title;Product Thumbnail;Variant Id;Variant Sku;Variant Manage Inventory;\
Variant Allow Backorder;Variant Inventory Quantity;Variant Price EUR;Variant Price JPY
chair;Chair;picture.png;variant_1;;true;false;3;30.50;4500
chair;Chair;https://a.example/1.png;variant_2;CH-2;;true;9;50;6500
"""


def test_a_price_is_that_of_the_partners_currency():
    for currency, prices in (("EUR", ["30.50", "50.00"]), ("JPY", ["4500", "6500"])):
        found = offers(read("medusa", MEDUSA, currency)).values()
        assert [record.values["price"] for record in found] == [Decimal(p) for p in prices]
        assert [record.values["currency"] for record in found] == [currency] * 2


def test_a_medusa_variant_without_a_sku_is_its_id():
    first, second = offers(read("medusa", MEDUSA)).values()
    assert (first.sku, second.sku) == ("variant_1", "CH-2")
    assert (first.values["image_url"], first.values["quantity"]) == (None, 3)
    assert (second.values["availability"], second.values["quantity"]) == ("backorder", None)


# --- Google Merchant ------------------------------------------------------------------------------


def test_a_merchant_feed_has_its_window_options_and_currency_in_their_cells():
    text = (
        "id\ttitle\tcolor\tsize\tprice\tsale_price\tsale_price_effective_date\tproduct_type\n"
        "T1\tTent\tRed\tL\t15.00 USD\t12.00 USD\t2026-01-01T00:00Z/2026-02-01T00:00Z\tA > B\n"
        "T2\tTent\t\t\t15.00 USD\t\t\t\n"
    )
    first, second = offers(read("google-merchant", text)).values()
    assert first.values["options"] == "Color: Red; Size: L"
    assert (first.values["price"], first.values["currency"]) == (Decimal(15), "USD")
    assert str(first.values["sale_ends_at"]) == "2026-02-01 00:00:00+00:00"
    assert second.values["options"] is None
