"""Presets: small exports in the form of each system become the products that its user sees."""

import io
import re
from collections.abc import Mapping
from decimal import Decimal

import pytest
from attrs import evolve

from commerce_core.base.errors import FileRefused
from commerce_core.parsing.reader import open_feed
from commerce_core.parsing.record_reader import Terms
from commerce_core.profiles.presets import PRESET_PROFILES, in_full
from commerce_core.profiles.profile import Preset, Profile, Skip
from commerce_core.profiles.recognition import recognised_preset
from commerce_core.schema.fields import Mode
from commerce_core.schema.record import Record
from tests.unit.core.parsing.test_reader import UTC_ZONE


def read(
    preset: Preset, text: str, currency: str = "EUR", mode: Mode = "full", **said: object
) -> list[Record]:
    profile = evolve(Profile(preset=preset), **said)
    stream = io.BytesIO(text.encode())
    return list(open_feed(stream, Terms(mode, currency, UTC_ZONE, profile)))


def offers(records: list[Record]) -> Mapping[str | None, Record]:
    found = [record for record in records if record.fate is None]
    assert {p.code for record in found for p in record.problems} <= {"negative_quantity"}
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
jug,,,,,Huge,JUG-H,shopify,-2,continue,24.00,,
jug,,,,,Tiny,JUG-T,shopify,2,CONTINUE,6.00,,
jug,,,,,,,,,,,,https://a.example/2.png
bowl,Bowl,Clay,draft,Title,Default Title,BOWL,shopify,1,deny,5,,
cup,Cup,Clay,active,Title,Default Title,,shopify,1,deny,5,,
"""


def test_variants_take_what_they_leave_blank_from_the_first_of_their_handle():
    records = read("shopify", SHOPIFY)
    assert fates(records) == ["offer"] * 4 + ["folded", "skipped", "offer"]
    small, large, _, _, cup = offers(records).values()
    assert (small.sku, large.sku) == ("jug/Small", "JUG-L")
    assert large.values["product_name"] == "Jug"
    assert large.values["options"] == "Size: Large"
    assert large.values["group_id"] == "jug"
    assert small.values["gtin"] == "4006381333931"
    assert cup.values["options"] is None


def test_a_row_of_nothing_but_a_picture_adds_it_to_the_record_before():
    large = offers(read("shopify", SHOPIFY))["JUG-T"]
    assert large.values["additional_image_urls"] == ("https://a.example/2.png",)


def test_stock_that_is_not_tracked_is_no_stock_of_nothing():
    found = offers(read("shopify", SHOPIFY))
    assert found["jug/Small"].values["quantity"] == 4
    assert found["JUG-L"].values["quantity"] is None


def test_continue_selling_is_a_backorder_once_the_tracked_stock_is_gone():
    found = offers(read("shopify", SHOPIFY))
    stock = {sku: (r.values["availability"], r.values["quantity"]) for sku, r in found.items()}
    assert stock["JUG-H"] == ("backorder", 0)
    assert stock["JUG-T"] == (None, 2)
    assert stock["JUG-L"] == (None, None)
    assert stock["jug/Small"] == (None, 4)


SHOPIFY_PRESENT = """\
Title,URL handle,Description,Vendor,Product category,Type,Status,SKU,Barcode,Option1 name,\
Option1 value,Price,Compare-at price,Inventory tracker,Inventory quantity,\
Continue selling when out of stock,Weight value (grams),Product image URL,Variant image URL
Shirt,shirt,<p>Soft</p>,Tide,Apparel > Shirts,Shirts,Active,SH-S,,Size,S,19.00,25.00,shopify,5,\
DENY,200,https://a.example/1.jpg,
,shirt,,,,,,,,,M,19.00,19.00,shopify,0,CONTINUE,210,https://a.example/2.jpg,https://a.example/m.jpg
,shirt,,,,,,,,,,,,,,,,https://a.example/3.jpg,
Scarf,scarf,,Tide,,,Draft,SC-1,,Title,Default Title,9.00,,,,DENY,,,
"""


def test_shopifys_present_template_is_read_as_its_older_one():
    """Its names count in every place: columns, identity, groups, carried cells and pictures."""
    records = read("shopify", SHOPIFY_PRESENT)
    assert fates(records) == ["offer", "offer", "folded", "skipped"]
    small, medium = offers(records).values()
    assert (small.sku, medium.sku) == ("SH-S", "shirt/M")
    assert (small.values["price"], small.values["sale_price"]) == (Decimal(25), Decimal(19))
    assert (medium.values["price"], medium.values["sale_price"]) == (Decimal(19), None)
    assert medium.values["product_name"] == "Shirt"
    assert medium.values["description"] == "<p>Soft</p>"
    assert medium.values["options"] == "Size: M"
    assert medium.values["image_url"] == "https://a.example/m.jpg"
    assert medium.values["additional_image_urls"] == ("https://a.example/3.jpg",)
    assert (medium.values["availability"], medium.values["quantity"]) == ("backorder", 0)
    assert medium.values["weight"] == Decimal(210)


INVENTORY = """\
Handle,Title,Option1 Name,Option1 Value,SKU,HS Code,COO,Location,Incoming,Available,On hand
mug,Mug,Colour,White,MUG-W,,,Berlin,0,2,9
mug,Mug,Colour,White,MUG-W,,,Paris,0,3,9
mug,Mug,Colour,Green,,,,Berlin,0,-1,9
mug,Mug,Colour,Green,,,,Paris,not stocked,not stocked,not stocked
cup,Cup,Title,Default Title,CUP,,,Berlin,0,Not stocked,0
pot,Pot,Title,Default Title,POT,,,Berlin,0,4,4
pot,Pot,Title,Default Title,POT,,,Paris,0,many,4
"""


@pytest.mark.parametrize("available", ["Available", "Available (not editable)"])
def test_shopifys_inventory_by_location_is_added_up(available: str):
    text = INVENTORY.replace("Available", available)
    records = read("shopify", text)
    assert fates(records) == ["offer", "folded", "offer", "folded", "offer", "offer", "offer"]
    found = [(r.sku, r.values.get("quantity")) for r in records if r.fate is None]
    assert found == [("MUG-W", 5), ("mug/Green", 0), ("CUP", 0), ("POT", 4), ("POT", None)]
    assert [p.code for p in records[-1].problems] == ["not_a_whole_number"]


WIDE = """\
Handle,Title,Option1 Name,Option1 Value,Option2 Name,Option2 Value,Option3 Name,Option3 Value,\
SKU,HS Code,COO,"12 Mill St, Leeds",Paris
mug,Mug,Colour,White,,,,,MUG-W,-,-,2,3
mug,Mug,Colour,Green,,,,,,-,-,-1,not stocked
cup,Cup,Title,Default Title,,,,,CUP,-,-,Not stocked,
pot,Pot,Title,Default Title,,,,,POT,-,-,4,many
pan,Pan,Title,Default Title,,,,,PAN,-,-,,
"""


@pytest.mark.parametrize("has_codes", [True, False])
def test_shopifys_inventory_with_a_column_for_each_location_is_added_up(has_codes: bool):
    text = WIDE if has_codes else WIDE.replace("HS Code,COO,", "").replace("-,-,", "")
    records = read("shopify", text, mode="delta")
    found = [(r.sku, r.values.get("quantity"), [p.code for p in r.problems]) for r in records]
    assert found == [
        ("MUG-W", 5, []),
        ("mug/Green", 0, ["negative_quantity"]),
        ("CUP", 0, []),
        ("POT", None, ["not_a_whole_number"]),
        ("PAN", None, []),
    ]
    assert records[3].problems[0].value == "4 + many"


def test_other_columns_behind_a_shopify_sku_are_no_locations():
    head = WIDE.partition(",HS Code")[0]
    for more in ("Variant Price,Rate", "Inventory quantity,Cost"):
        (record,) = read("shopify", f"{head},{more}\nmug,Mug,,,,,,,MUG,7,9\n", mode="delta")
        assert record.values.get("quantity") in (None, 7)
    (record,) = read("shopify", "Handle,Title,SKU,Cost\nmug,Mug,MUG,9\n", mode="delta")
    assert "quantity" not in record.values


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


WOO_ESCAPES = """\
ID,Type,SKU,Name,Published,"In stock?",Stock,"Regular price",Description,Categories,Images,Brands,\
Parent,"Attribute 1 name","Attribute 1 value(s)"
10,variable,,Shirt,1,1,9,,"Soft\\nand warm","Clothes\\, new > Shirts, Sale",\
"https://a.example/f_jpg,q/1.jpg, https://a.example/2.jpg",Tide,,Size,"S, M"
11,simple,CAP,'+5 cap,1,1,'-3,9.00,,,,,,,
12,variation,SH-S,Shirt - S,1,1,parent,19.00,,,,,id:10,Size,"S\\, wide"
13,variation,SH-M,,1,1,2,19.00,Own,Own,,,id:10,Size,M
20,variable,HAT,Hat,0,1,,,,,,,,,
21,variation,HAT-1,Hat - 1,1,1,,9.00,,,,,HAT,Size,1
30,simple,BAG,Draft,'-1,1,1,9.00,,,,,,,
31,external,EXT,Elsewhere,1,1,,9.00,,,,,,,
"""


def test_woocommerces_escapes_are_undone_before_anything_is_judged():
    found = offers(read("woocommerce", WOO_ESCAPES))
    assert list(found) == ["CAP", "SH-S", "SH-M"]
    assert (found["CAP"].values["product_name"], found["CAP"].values["quantity"]) == ("+5 cap", 0)
    assert found["SH-S"].values["options"] == "Size: S, wide"
    assert found["SH-S"].values["category"] == "Clothes, new > Shirts"
    assert found["SH-S"].values["description"] == "Soft\nand warm"


def test_a_variation_inherits_what_it_leaves_blank_from_its_parent_wherever_that_stands():
    found = offers(read("woocommerce", WOO_ESCAPES))
    small, medium = found["SH-S"].values, found["SH-M"].values
    assert (small["brand"], small["quantity"], small["product_name"]) == ("Tide", 9, "Shirt - S")
    assert (medium["brand"], medium["quantity"], medium["product_name"]) == ("Tide", 2, "Shirt")
    assert (medium["category"], medium["description"]) == ("Own", "Own")
    assert small["image_url"] == medium["image_url"] == "https://a.example/f_jpg,q/1.jpg"
    assert small["additional_image_urls"] == ("https://a.example/2.jpg",)


def test_variations_of_what_is_not_published_and_external_products_are_no_offers():
    reasons = [record.reason for record in read("woocommerce", WOO_ESCAPES) if record.reason]
    assert reasons[1:] == [
        "a parent of variations", "not published", "not published", "sold on another site",
    ]  # fmt: skip


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
    assert (second.values["availability"], second.values["quantity"]) == (None, None)


def test_a_price_of_a_region_counts_where_there_is_none_of_the_currency():
    text = (
        "Product Handle,Product Title,Product Status,Variant Id,{},Variant Price Asia [USD]\n"
        "chair,Chair,published,variant_1,30.5,40\nbed,Bed,draft,variant_2,9,9\n"
    )
    for header in ("Variant Price Europe [EUR]", "Price Europe [EUR]", "Price EUR"):
        records = read("medusa", text.format(header))
        assert fates(records) == ["offer", "skipped"]
        assert records[0].values["price"] == Decimal("30.50")
        assert records[0].values["currency"] == "EUR"
    two = text.format("Variant Price Europe [EUR],Variant Price France [EUR]").replace(
        ",40", ",4,4"
    )
    with pytest.raises(FileRefused, match="could each be price"):
        read("medusa", two)


@pytest.mark.parametrize(
    ("tracked", "allowed", "quantity", "availability"),
    [("true", "true", "0", "backorder"), ("true", "true", "2", None), ("true", "false", "0", None)],
)
def test_medusas_backorder_counts_once_the_stock_is_gone(
    tracked: str, allowed: str, quantity: str, availability: str | None
):
    text = (
        "Product Handle,Product Title,Variant Id,Variant Manage Inventory,Variant Allow Backorder,"
        f"Variant Inventory Quantity,Price EUR\nc,C,v,{tracked},{allowed},{quantity},1\n"
    )
    (found,) = offers(read("medusa", text)).values()
    assert (found.values["availability"], found.values["quantity"]) == (availability, int(quantity))


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


def test_a_merchant_feed_may_have_the_prefix_of_its_xml_before_its_names():
    text = (
        "g:id\tg:title\tg:price\tg:availability\tg:gtin\tg:color\tg:brand\n"
        "T1\tTent\t15.00 USD\tout of stock\t4006381333931\tRed\tTide\n"
    )
    (found,) = offers(read("google-merchant", text)).values()
    assert (found.sku, found.values["brand"], found.values["options"]) == (
        "T1",
        "Tide",
        "Color: Red",
    )
    assert found.values["availability"] == "out_of_stock"


@pytest.mark.parametrize(
    ("types", "category"),
    [
        ("Home > Cups, Gifts > Mugs", "Home > Cups"),
        ("Home > Cups", "Home > Cups"),
        ("Food, Beverages & Tobacco > Tea", "Food, Beverages & Tobacco > Tea"),
        ("Shoes, Bags", "Shoes, Bags"),
    ],
)
def test_of_several_product_types_the_first_is_the_category(types: str, category: str):
    text = f"id\ttitle\tprice\tproduct_type\nT1\tTent\t15.00 USD\t{types}\n"
    (found,) = offers(read("google-merchant", text)).values()
    assert found.values["category"] == category


# --- a source's own -------------------------------------------------------------------------------


def test_skips_of_ones_own_join_those_of_the_preset():
    own = Profile(preset="shopify", skip=(Skip("Vendor", ("Clay",), "a test"),))
    assert in_full(own).skip == (*PRESET_PROFILES["shopify"].skip, *own.skip)
    assert in_full(in_full(own)) == in_full(own)


def test_a_price_of_0_stays_so_beside_what_it_was_before():
    """Nothing is sold for the higher price, which nobody asks for now."""
    head = "Handle,Title,Variant SKU,Variant Price,Variant Compare At Price\n"
    record = offers(read("shopify", f"{head}jug,Jug,J,0.00,9.00\n"))["J"]
    assert (record.values["price"], record.values["sale_price"]) == (Decimal("0.00"), None)


@pytest.mark.parametrize(
    ("preset", "text"),
    [
        ("woocommerce", "ID,Type,SKU,Name,Published,Regular price\n1,simple,A,Cup,-1,x\n"),
        ("shopify", "Handle,Title,Variant SKU,Variant Price,Status\ncup,Cup,A,x,archived\n"),
        (
            "shopify",
            "Handle,Title,Variant SKU,Variant Price,Status,Published\ncup,Cup,A,9,active,FALSE\n",
        ),
        ("medusa", "Variant Sku,Product Title,Product Status\nA,Cup,draft\n"),
    ],
)
def test_what_a_delta_takes_offline_is_sold_no_longer(preset: Preset, text: str):
    """Its other cells don't matter; in a full feed it is as good as absent."""
    (record,) = read(preset, text, mode="delta")
    assert (record.sku, record.deletes, record.problems) == ("A", True, ())
    (record,) = read(preset, text)
    assert record.fate == "skipped"


def test_variations_of_what_a_delta_takes_offline_go_with_it():
    head = "ID,Type,SKU,Name,Published,Parent,Regular price\n"
    rows = "1,variable,P,Cup,-1,,\n2,variation,A,Cup - S,1,P,9\n3,variation,B,Cup,1,Q,9\n"
    records = read("woocommerce", head + rows, mode="delta")
    assert [(r.sku, r.fate, r.deletes) for r in records] == [
        (None, "skipped", False), ("A", None, True), ("B", None, False),
    ]  # fmt: skip


def test_what_is_taken_offline_without_a_sku_is_a_problem():
    (record,) = read(
        "medusa", "Variant Sku,Product Title,Product Status\n,Cup,draft\n", mode="delta"
    )
    assert [problem.code for problem in record.problems] == ["missing_value"]


def test_a_star_is_any_text_of_a_cell():
    own = Profile(skip=(Skip("view", ("*",), "a view"),))
    stream = io.BytesIO(b"sku,product_name,view\nA,Cup, \nA,Tasse,de\n")
    records = list(open_feed(stream, Terms("full", "EUR", UTC_ZONE, own)))
    assert [record.fate for record in records] == [None, "skipped"]


# --- Magento --------------------------------------------------------------------------------------

MAGENTO = """\
sku,store_view_code,attribute_set_code,product_type,categories,name,product_online,price,\
special_price,special_price_from_date,special_price_to_date,base_image,additional_images,qty,\
is_in_stock,configurable_variations
WT-S,,Top,simple,"Default Category/Women/Tops,Default Category/New",Tee - S,1,34.0000,29.00,\
2030-01-01,2030-01-31,/w/t/wt-s.jpg,"/w/t/1.jpg,/w/t/2.jpg",100.0000,1,
WT-S,de,,,,Hemd - S,,,,,,,,,,
WT-M,,Top,simple,Default Category/Women,Tee - M,2,34,,,,,,5,1,
WT-L,,Top,simple,,Tee - L,1,34,,,,https://a.example/l.jpg,\
"https://a.example/1.jpg,https://a.example/2.jpg",0.0000,0,
WT,,Top,configurable,Default Category/Women,Tee,1,,,,,,,0,1,"sku=WT-S,size=S|sku=WT-M,size=M"
KIT,,Set,bundle,,Kit,1,,,,,,,0,1,
GIFT,,Default,virtual,,Voucher,1,20,,,,,,,1,
"""


def test_of_magentos_rows_those_are_offers_that_can_be_bought():
    records = read("magento", MAGENTO)
    assert fates(records) == ["offer", "skipped", "skipped", "offer", *["skipped"] * 2, "offer"]
    found = offers(records)
    small, large = found["WT-S"].values, found["WT-L"].values
    assert (small["product_name"], small["category"]) == ("Tee - S", "Women > Tops")
    assert (str(small["price"]), str(small["sale_price"])) == ("34.00", "29.00")
    assert (small["quantity"], small["availability"]) == (100, "in_stock")
    assert (small["image_url"], small["additional_image_urls"]) == (None, None)
    assert (large["quantity"], large["availability"]) == (0, "out_of_stock")
    assert large["additional_image_urls"] == (
        "https://a.example/1.jpg", "https://a.example/2.jpg",
    )  # fmt: skip
    assert found["GIFT"].values["quantity"] is None


def test_a_delta_of_magento_removes_what_is_disabled_and_keeps_its_store_views_apart():
    records = read("magento", MAGENTO, mode="delta")
    assert [record.sku for record in records if record.deletes] == ["WT-M"]
    assert [record.fate for record in records][1] == "skipped"


# --- PrestaShop, Shopware -------------------------------------------------------------------------

PRESTASHOP = """\
Product ID;Active (0/1);Name *;Categories (x,y,z...);Price tax excluded;Price tax included;\
Reference #;Manufacturer;EAN13;Quantity;Action when out of stock;Image URLs (x,y,z...);Condition
1;1;Mug;"Home,Kitchen";10.000000;12.00;MUG;Clay;4006381333931;7;0;\
"https://a.example/1.jpg,https://a.example/2.jpg";new
2;1;Jar;Home;10;12.00;;;;0;1;;new
3;0;Pot;Home;10;12.00;POT;;;3;0;;new
"""


def test_prestashops_price_is_the_one_with_tax_and_what_is_disabled_is_no_offer():
    records = read("prestashop", PRESTASHOP)
    assert fates(records) == ["offer", "offer", "skipped"]
    mug, jar = offers(records).values()
    assert (mug.sku, jar.sku) == ("MUG", "2")
    assert (str(mug.values["price"]), mug.values["category"]) == ("12.00", "Home")
    assert (mug.values["quantity"], mug.values["availability"]) == (7, None)
    assert (jar.values["quantity"], jar.values["availability"]) == (0, "backorder")
    assert mug.values["additional_image_urls"] == ("https://a.example/2.jpg",)


def test_the_list_of_prestashops_back_office_is_read_too():
    text = 'Product ID;Image;Name;Reference;Category;"Price (tax excl.)";"Price (tax incl.)";'
    text += "Quantity;Status\n1;;Mug;MUG;Home;10;12.00;7;1\n2;;Pot;POT;Home;10;12.00;7;0\n"
    records = read("prestashop", text)
    assert fates(records) == ["offer", "skipped"]
    assert str(offers(records)["MUG"].values["price"]) == "12.00"


def test_prestashops_sample_file_and_its_older_names_are_read():
    """The header of the sample that PrestaShop offers for its import, and of its older versions."""
    sample = (
        "Product ID;Active (0/1);Name *;Categories (x,y,z...);Price tax excluded;Reference #;"
        "Manufacturer;EAN13;MPN;Quantity;Summary;Available for order (0 = No, 1 = Yes);"
        "Image URLs (x,y,z...);Condition;Out of stock action\n"
        "1;1;Mug;Cups;10;M-1;Clay;4006381333931;M1;0;<p>New</p>;1;"
        "https://a.example/1.jpg,https://a.example/2.jpg;new;1\n"
    )
    mug = offers(read("prestashop", sample))["M-1"].values
    assert "price" not in mug
    assert (mug["availability"], mug["quantity"], mug["brand"]) == ("backorder", 0, "Clay")
    assert (mug["description"], mug["condition"]) == ("<p>New</p>", "new")
    older = "ID;Name;Price tax included;Reference #;Brand;Short description\n1;Mug;12;;Clay;New\n"
    mug = offers(read("prestashop", older))["1"].values
    assert (mug["brand"], mug["description"], mug["price"]) == ("Clay", "New", Decimal(12))


@pytest.mark.parametrize("between", [",", "|"])
def test_magentos_categories_are_told_apart_by_commas_or_in_older_versions_bars(between: str):
    paths = f"Default Category/Home/Lamps{between}Default Category/Sale"
    text = f'sku,name,price,product_type,categories\nA,Lamp,5,simple,"{paths}"\n'
    assert offers(read("magento", text))["A"].values["category"] == "Home > Lamps"


def test_prestashops_price_without_tax_is_none_that_is_sold_for():
    record = offers(read("prestashop", "Reference #;Name *;Price tax excluded\nA;Mug;10\n"))["A"]
    assert "price" not in record.values


SHOPWARE = """\
id;parent_id;product_number;active;stock;name;description;price_net;price_gross;tax_rate;\
cover_media_url;manufacturer_name;categories
0a;;SW-1;1;12;Lamp;Warm;42.02;50.00;19;https://a.example/1.jpg;Lux;0b|0c
0d;;SW-2;0;3;Old lamp;;10;11.9;19;;Lux;
"""


def test_shopwares_price_is_the_gross_one_and_what_is_inactive_is_no_offer():
    records = read("shopware", SHOPWARE)
    assert fates(records) == ["offer", "skipped"]
    lamp = offers(records)["SW-1"].values
    assert (str(lamp["price"]), lamp["quantity"], lamp["brand"]) == ("50.00", 12, "Lux")
    assert "category" not in lamp


SHOPWARE_VARIANTS = """\
id;parent_id;product_number;active;stock;name;price_gross;list_price_gross;manufacturer_name;optionIds
0a;;SHIRT;1;7;Shirt;20.00;25.00;Lux;
0b;;HAT;0;7;Hat;9.00;;Lux;
0c;0a;SHIRT.1;;3;;;;;f1
0d;0a;SHIRT.2;1;0;Red shirt;22.00;;Other;f2
0e;0a;SHIRT.3;0;5;;;;;f3
0f;0b;HAT.1;;4;;;;;f4
10;0b;HAT.2;1;4;;;;;f5
11;77;LOST;;4;Lost;5;;Lux;f6
12;;MUG;1;2;Mug;5.00;;Lux;
"""


def test_a_variant_of_shopware_takes_what_it_leaves_blank_from_its_parent():
    """A list price belongs to its price: a variant with its own price has none of its parent's."""
    records = read("shopware", SHOPWARE_VARIANTS)
    assert fates(records)[:7] == [
        "skipped", "skipped", "offer", "offer", "skipped", "skipped", "offer",
    ]  # fmt: skip
    reasons = [record.reason for record in records if record.fate == "skipped"]
    assert reasons == ["a product with variants"] * 2 + ["not active"] * 2
    found = {record.sku: record.values for record in records if record.fate is None}
    first, second = found["SHIRT.1"], found["SHIRT.2"]
    assert (first["product_name"], first["brand"], first["quantity"]) == ("Shirt", "Lux", 3)
    assert (first["price"], first["sale_price"]) == (Decimal(25), Decimal(20))
    assert (second["product_name"], second["brand"]) == ("Red shirt", "Other")
    assert (second["price"], second["sale_price"]) == (Decimal(22), None)
    assert found["HAT.2"]["product_name"] == "Hat"
    assert found["MUG"]["price"] == Decimal(5)


def test_a_variant_whose_parent_does_not_stand_before_it_is_a_problem():
    (lost,) = [record for record in read("shopware", SHOPWARE_VARIANTS) if record.rejected]
    (problem,) = lost.problems
    assert (lost.sku, problem.line, problem.code) == (None, 9, "no_parent")
    own = "id;parent_id;product_number;active;stock;name;price_gross\n1;0;A;1;2;Own;5\n"
    assert offers(read("shopware", own))["A"].values["price"] == Decimal(5)


def test_a_file_whose_parents_cannot_be_known_is_refused():
    with pytest.raises(FileRefused, match="no column id") as refused:
        read("shopware", "parent_id;product_number;name;price_gross\n;P;Shirt;5\n0a;P.1;;\n")
    assert refused.value.code == "missing_column"


# --- marketplaces and comparisons of prices -------------------------------------------------------


def test_mirakls_offers_change_prices_and_stock_and_delete():
    head = "sku;product-id;product-id-type;price;quantity;state;discount-price;"
    head += "discount-start-date;discount-end-date;update-delete\n"
    rows = "A;4006381333931;EAN;20.00;5;11;15.00;2030-01-01;2030-01-31;update\n"
    rows += "B;X-7;SHOP_SKU;20.00;5;11;;;;\nC;;;;;;;;;delete\n"
    first, second, third = read("mirakl", head + rows, mode="delta")
    assert (first.values["gtin"], str(first.values["sale_price"])) == ("4006381333931", "15.00")
    assert (first.deletes, second.values["gtin"], second.deletes) == (False, None, False)
    assert third.deletes
    with pytest.raises(FileRefused, match="product_name"):
        read("mirakl", head + rows)


AMAZON = """\
TemplateType=fptcustom\tVersion=2030.1\t\t\t\t\t\t\t\t\t
SKU\tProduct ID\tType\tName\tBrand\tPrice\tStock\tMain image\tOther image\tParentage\tColour
item_sku\texternal_product_id\texternal_product_id_type\titem_name\tbrand_name\tstandard_price\t\
quantity\tmain_image_url\tother_image_url1\tparent_child\tcolor_name
CAP\t\t\tCap\tTide\t\t\t\t\tparent\t
CAP-R\t4006381333931\tEAN\tCap red\tTide\t19.00\t4\thttps://a.example/r.jpg\t\
https://a.example/r2.jpg\tchild\tRed
CAP-B\tB00EXAMPLE\tASIN\tCap blue\tTide\t19.00\t0\t\t\tchild\tBlue
"""


def test_an_amazon_flat_file_has_its_header_on_the_third_line():
    records = read("amazon", AMAZON, header_line=3)
    assert fates(records) == ["skipped", "offer", "offer"]
    red, blue = offers(records).values()
    assert (red.values["gtin"], red.values["options"]) == ("4006381333931", "Color: Red")
    assert red.values["additional_image_urls"] == ("https://a.example/r2.jpg",)
    assert (blue.values["gtin"], blue.values["quantity"]) == (None, 0)


@pytest.mark.parametrize(("word", "deletes"), [("a", False), ("d", True), ("x", True), ("", False)])
@pytest.mark.parametrize(("code", "condition"), [("11", "new"), ("2", "used"), ("", None)])
def test_amazons_inventory_loader_adds_and_deletes(
    word: str, deletes: bool, code: str, condition: str | None
):
    head = "sku\tproduct-id\tproduct-id-type\tprice\titem-condition\tquantity\tadd-delete\n"
    (record,) = read("amazon", f"{head}A\t\t\t5.00\t{code}\t3\t{word}\n", mode="delta")
    assert (record.deletes, record.values["condition"]) == (deletes, condition)
    assert record.problems == ()


def test_an_idealo_file_has_lists_in_its_cells():
    text = (
        "sku,brand,title,categoryPath,url,eans,hans,price,formerPrice,deliveryTime,imageUrls\n"
        "1,Tide,Phone,Phones > Smart,www.a.example/1,4006381333931;4006381333948,T1;T2,"
        "499.99,599.00,1-3 days,https://a.example/1.jpg;https://a.example/2.jpg\n"
    )
    values = offers(read("idealo", text))["1"].values
    assert (values["gtin"], values["mpn"]) == ("4006381333931", "T1")
    assert (str(values["price"]), str(values["sale_price"])) == ("599.00", "499.99")
    assert (values["category"], values["product_url"]) == ("Phones > Smart", None)
    assert values["image_url"] == "https://a.example/1.jpg"


ETSY = """\
TITLE,DESCRIPTION,PRICE,CURRENCY_CODE,QUANTITY,TAGS,MATERIALS,IMAGE1,IMAGE2,IMAGE3,\
VARIATION 1 TYPE,VARIATION 1 NAME,VARIATION 1 VALUES,\
VARIATION 2 TYPE,VARIATION 2 NAME,VARIATION 2 VALUES,SKU
Mug,"Two
lines",18.50,EUR,4,"mug,clay",,https://a.example/1.jpg,https://a.example/2.jpg,,,,,,,,MUG-1
Print,Art,9.00,EUR,1,,,,,,Colour,Colour,Red,,,,PRINT
Shirt,Soft,25.00,EUR,30,,,,,,Size,Size,"S,M,L",,,,"SH-S,SH-M,SH-L"
Cap,Warm,15.00,EUR,9,,,,,,Size,Size,"S,M",Colour,Colour,Blue,CAP
"""


def test_an_etsy_listing_with_variations_is_no_one_product():
    mug, print_, shirt, cap = read("etsy", ETSY)
    assert (mug.sku, str(mug.values["price"]), mug.values["quantity"]) == ("MUG-1", "18.50", 4)
    assert mug.values["additional_image_urls"] == ("https://a.example/2.jpg",)
    assert (print_.sku, print_.values["options"]) == ("PRINT", "Colour: Red")
    assert print_.problems == mug.problems == ()
    assert (shirt.sku, [(p.column, p.code) for p in shirt.problems]) == (
        None,
        [("SKU", "pattern_mismatch"), ("VARIATION 1 NAME", "pattern_mismatch")],
    )
    assert (cap.sku, [p.value for p in cap.problems]) == ("CAP", ["Size: S,M; Colour: Blue"])
    assert all("Send a row for each variation" in p.hint for p in (*shirt.problems, *cap.problems))


@pytest.mark.parametrize(
    ("preset", "text"),
    [
        ("etsy", ETSY),
        ("magento", MAGENTO),
        ("prestashop", PRESTASHOP),
        ("shopware", SHOPWARE),
        ("amazon", AMAZON.split("\n", 2)[2]),
        (
            "mirakl",
            "sku;product-id;price;discount-price;discount-start-date;discount-end-date;update-delete\n",
        ),
        ("idealo", "sku,brand,title,categoryPath,url,eans,hans,price,imageUrls\n"),
    ],
)
def test_a_makers_file_is_recognised_by_its_header(preset: Preset, text: str):
    header = re.split("[,;\t]", text.partition("\n")[0])
    assert recognised_preset(header) == preset


# --- Shopify's API --------------------------------------------------------------------------------

SHOPIFY_API = """\
{"products": [{"id": 1, "title": "Jug", "body_html": "<p>x</p>", "vendor": "Clay",
"product_type": "Jugs", "handle": "jug", "status": "active", "image": {"id": 5, "src": "https://a.example/1.png"},
"options": [{"id": 9, "name": "Size", "values": ["Small", "Large"]}],
"variants": [
{"id": 11, "product_id": 1, "title": "Small", "price": "12.00",
 "compare_at_price": "15.00", "sku": "",
 "option1": "Small", "option2": null, "option3": null, "inventory_policy": "deny", "grams": 500,
 "inventory_management": "shopify", "inventory_quantity": 4, "barcode": "4006381333931"},
{"id": 12, "product_id": 1, "title": "Large", "price": "18.00", "compare_at_price": null,
 "sku": "JUG-L", "option1": "Large", "option2": null, "option3": null,
 "inventory_policy": "continue", "grams": 900,
 "inventory_management": "shopify", "inventory_quantity": 0, "barcode": null},
{"id": 13, "product_id": 1, "title": "Huge", "price": "24.00", "compare_at_price": "",
 "sku": "JUG-H", "option1": "Huge", "option2": null, "option3": null, "inventory_policy": "deny",
 "grams": 0, "inventory_management": null, "inventory_quantity": -3, "barcode": ""}]},
{"id": 2, "title": "Bowl", "handle": "bowl", "status": "draft", "variants": [
{"id": 21, "title": "Default Title", "price": "5.00", "sku": "BOWL", "option1": "Default Title"}]}]}
"""
SHOP_LIST = """\
{"products":[{"id":3,"title":"Cup","handle":"cup","body_html":"",
"vendor":"Clay","product_type":"","variants":[{"id":31,"title":"Default Title",
"option1":"Default Title","option2":null,"option3":null,"sku":"CUP","featured_image":{"id":1,"src":"https://a.example/c.png"},"available":false,
"price":"3.00","grams":120,"compare_at_price":"3.00","position":1,"product_id":3}],"images":[],"options":[]}]}
"""


def test_the_products_of_shopifys_api_are_a_record_per_variant():
    records = read("shopify-api", SHOPIFY_API)
    found = offers(records)
    assert list(found) == ["jug/Small", "JUG-L", "JUG-H"]
    assert fates(records)[3:] == ["skipped"]
    small, large, huge = (record.values for record in found.values())
    assert (small["product_name"], small["group_id"], small["brand"]) == ("Jug", "jug", "Clay")
    assert (small["price"], small["sale_price"]) == (Decimal("15.00"), Decimal("12.00"))
    assert (small["quantity"], small.get("availability")) == (4, None)
    assert (large["quantity"], large["availability"]) == (0, "backorder")
    assert (huge["quantity"], huge["availability"]) == (None, None)
    assert (small["options"], small["gtin"]) == ("Option 1: Small", "4006381333931")
    assert small["image_url"] == "https://a.example/1.png"


def test_a_shops_own_list_of_products_says_what_is_available():
    (cup,) = offers(read("shopify-api", SHOP_LIST)).values()
    assert (cup.sku, cup.values["availability"]) == ("CUP", "out_of_stock")
    assert (cup.values["price"], cup.values["sale_price"]) == (Decimal("3.00"), None)
    assert (cup.values["options"], cup.values["image_url"]) == (None, "https://a.example/c.png")


# --- BigCommerce ----------------------------------------------------------------------------------

BIGCOMMERCE = """\
Item,ID,Name,Type,SKU,Options,Inventory Tracking,Current Stock,Low Stock,Price,Cost Price,\
Retail Price,Sale Price,Brand ID,Channels,Categories,Description,UPC/EAN,Weight,Is Visible,\
Product Condition,Variant Image URL,Internal Image URL (Export)
Product,111,Tee,Physical,TEE,,variant,0,0,20.00,5,0,0.00,38,1,24;25,Nice,,0.2,TRUE,New,,
Image,,,,,,,,,,,,,,,,,,,,,,https://a.example/1.jpg
Variant,201,,,TEE-S,Type=Dropdown|Name=Size|Value=S,,4,0,,,,,,,,,4006381333931,,,,,
Variant,202,,,TEE-M,Type=Dropdown|Name=Size|Value=M,,0,0,22.00,,,18.00,,,,,,,,,\
https://a.example/m.jpg,
Image,,,,,,,,,,,,,,,,,,,,,,https://a.example/2.jpg
Product,112,Mug,Physical,MUG,,product,5,0,10.00,5,0,8.00,38,1,24,Nice,,0.3,TRUE,Used,,
Image,,,,,,,,,,,,,,,,,,,,,,https://a.example/3.jpg
Product,113,Gift,Digital,,,none,0,0,9.00,5,0,0,38,1,24,Nice,,0,TRUE,New,,
Product,114,Old,Physical,OLD,,variant,0,0,5.00,5,0,0,38,1,24,Nice,,0.3,FALSE,New,,
Variant,203,,,OLD-S,Type=Dropdown|Name=Size|Value=S,,4,0,,,,,,,,,,,,,,
"""


def test_bigcommerces_variants_belong_to_the_product_before_them():
    records = read("bigcommerce", BIGCOMMERCE)
    found = offers(records)
    assert list(found) == ["TEE-S", "TEE-M", "MUG", "Gift"]
    small, large, mug, gift = (record.values for record in found.values())
    assert (small["product_name"], small["price"], small["sale_price"]) == (
        "Tee", Decimal("20.00"), None,
    )  # fmt: skip
    assert (large["price"], large["sale_price"]) == (Decimal("22.00"), Decimal("18.00"))
    assert [v["quantity"] for v in (small, large, mug, gift)] == [4, 0, 5, None]
    assert (small["gtin"], small["condition"], mug["condition"]) == ("4006381333931", "new", "used")
    assert large["image_url"] == "https://a.example/m.jpg"
    pictures = [v["additional_image_urls"] for v in (small, large, mug)]
    assert pictures == [
        ("https://a.example/1.jpg",),
        ("https://a.example/1.jpg", "https://a.example/2.jpg"),
        ("https://a.example/3.jpg",),
    ]
    reasons = [record.reason for record in records if record.fate == "skipped"]
    assert reasons == ["a product with variants", "not visible", "not visible"]


def test_bigcommerces_export_is_recognised():
    assert recognised_preset(BIGCOMMERCE.splitlines()[0].split(",")) == "bigcommerce"
