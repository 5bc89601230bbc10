"""Presets of Wix, Ecwid and eBay, each on a file with the columns of its maker."""

import io
from decimal import Decimal

import pytest

from commerce_core.base.errors import FileRefused
from commerce_core.parsing.needed_presets import check_preset
from commerce_core.parsing.reader import open_feed
from commerce_core.parsing.record_reader import Terms
from commerce_core.profiles.profile import Column, Preset, Profile
from commerce_core.profiles.recognition import recognised_preset
from tests.unit.core.parsing.test_reader import UTC_ZONE
from tests.unit.core.profiles.test_presets import fates, read

WIX_BEFORE = """\
handleId,fieldType,name,description,productImageUrl,collection,sku,ribbon,price,surcharge,visible,\
discountMode,discountValue,inventory,weight,cost,\
productOptionName1,productOptionType1,productOptionDescription1
tee,Product,Blue Tee,<p>Soft</p>,https://a.example/a.jpg;https://a.example/b.jpg,Shirts,,,20,,true,\
PERCENT,0,InStock,0.2,,Size,DROP_DOWN,S;L
tee,Variant,,,,,TEE-S,,,0,true,,,4,,,Size,DROP_DOWN,S
tee,Variant,,,,,,,,0.0,true,,,OutOfStock,,,Size,DROP_DOWN,L
tee,Variant,,,,,TEE-XL,,,4,true,,,2,,,Size,DROP_DOWN,XL
mug,Product,Mug,,m.jpg,Cups,MUG,,9,,true,PERCENT,10,5,,,,,
hidden,Product,Hidden,,,Cups,HID,,9,,false,PERCENT,0,5,,,,,
bowl,Product,Bowl,,,Cups,BOWL,,9,,true,AMOUNT,0.00,3,,,Size,DROP_DOWN,S;L
"""
WIX = """\
handle,fieldType,name,visible,plainDescription,media,brand,price,strikethroughPrice,inventory,sku,\
barcode,productOptionName1,productOptionType1,productOptionChoices1
tee,PRODUCT,Tee,TRUE,Soft,https://a.example/a.jpg,Tide,20,,,,,Size,TEXT_CHOICES,S;M
tee,MEDIA,,,,https://a.example/b.jpg,,,,,,,,,
tee,VARIANT,,,,,,20.00,25.00,IN_STOCK,TEE-S,,Size,TEXT_CHOICES,S
tee,VARIANT,,,,,,22.00,,0,TEE-M,,Size,TEXT_CHOICES,M
mug,PRODUCT,Mug,TRUE,,,,9,,7,MUG,4006381333931,,,
"""


def test_what_a_wix_variant_leaves_blank_is_its_products():
    records = read("wix", WIX_BEFORE)
    assert fates(records) == ["skipped", "offer", "offer", "offer", "offer", "skipped", "offer"]
    small, large = records[1:3]
    assert (small.sku, small.values["product_name"]) == ("TEE-S", "Blue Tee")
    assert (small.values["price"], small.values["quantity"]) == (Decimal(20), 4)
    assert small.values["options"] == "Size: S"
    assert small.values["image_url"] == "https://a.example/a.jpg"
    assert (large.sku, large.values["availability"]) == ("tee/L", "out_of_stock")


def test_what_wix_adds_to_a_price_or_takes_from_it_is_never_left_out_in_silence():
    extra, discounted = read("wix", WIX_BEFORE)[3:5]
    for record in (extra, discounted):
        assert [(p.code, p.field) for p in record.problems] == [("pattern_mismatch", "price")]
    (several,) = read("wix", WIX_BEFORE)[6].problems
    assert several.field == "options"


def test_wixs_present_template_has_a_price_for_each_variant():
    records = read("wix", WIX)
    assert fates(records) == ["skipped", "folded", "offer", "offer", "offer"]
    small, medium, mug = records[2:]
    assert (small.values["price"], small.values["sale_price"]) == (Decimal(25), Decimal(20))
    assert small.values["availability"] == "in_stock"
    assert (medium.values["price"], medium.values["quantity"]) == (Decimal(22), 0)
    assert (mug.sku, mug.values["gtin"]) == ("MUG", "4006381333931")


ECWID = """\
type,product_internal_id,product_sku,product_name,product_price,product_compare_to_price,\
product_is_inventory_tracked,product_quantity,product_quantity_out_of_stock_behaviour,\
product_is_available,product_media_main_image_url,product_brand,product_option_name,\
product_option_value,product_variation_sku,product_variation_option_Size,category_path
category,,,,,,,,,,,,,,,,Shirts
product,1,TEE,Tee,20,25,true,10,SHOW,true,https://a.example/a.jpg,Tide,,,,,
product_option,1,TEE,,,,,,,,,,Size,S,,,
product_variation,1,TEE,,20,,true,4,,,,,,,TEE-S,S,
product_variation,1,TEE,,22,,true,0,,,,,,,,M,
product,2,CAP,Cap,12,15,true,0,ALLOW_PREORDER,true,,,,,,,
product_option,2,CAP,,,,,,,,,,Note,,,,
product,3,OLD,Old,12,,false,0,SHOW,false,,,,,,,
"""


def test_ecwids_products_are_sold_in_their_variations():
    records = read("ecwid", ECWID)
    assert fates(records) == [
        "skipped", "skipped", "folded", "offer", "offer", "offer", "folded", "skipped",
    ]  # fmt: skip
    small, medium, cap = (record for record in records if record.fate is None)
    assert (small.sku, small.values["options"]) == ("TEE-S", "Size: S")
    assert (small.values["product_name"], small.values["quantity"]) == ("Tee", 4)
    assert [(p.code, p.field) for p in medium.problems] == [("pattern_mismatch", "sku")]
    assert (cap.sku, cap.values["price"], cap.values["sale_price"]) == ("CAP", 15, 12)
    assert (cap.values["quantity"], cap.values["availability"]) == (0, "preorder")


EBAY = """\
Item number,Title,Variation details,Custom label (SKU),Available quantity,Format,Currency,\
Start price,Current price,Sold quantity,eBay category 1 name,Condition,Listing site,P:UPC,P:EAN
318,"Paint, 15ml",Color=Red;Blue,PAINT,4,FIXED_PRICE,USD,19.99,19.99,1,Paint,New,US,,
318,"Paint, 15ml",Color=Red,PAINT-RED,2,FIXED_PRICE,USD,19.99,18.99,1,Paint,New,US,,4006381333931
319,Watch,,WATCH,1,AUCTION,USD,0.99,5.50,0,Watches,Used,US,,
"""
EBAY_ACTIONS = """\
*Action(SiteID=US|Country=US|Currency=USD|Version=745),ItemID,CustomLabel,*Title,*Quantity,\
*StartPrice,Relationship,RelationshipDetails
Revise,110,TEE,Tee,4,20,,
End,111,MUG,Mug,1,9,,
Revise,112,PAINT,Paint,,,,Color=Red;Blue
,,PAINT-RED,,2,19.99,Variation,Color=Red
"""


def test_ebays_listings_are_known_by_the_sellers_label():
    records = read("ebay", EBAY)
    assert fates(records) == ["skipped", "offer", "skipped"]
    red = records[1]
    assert (red.sku, red.values["group_id"]) == ("PAINT-RED", "318")
    assert (red.values["price"], red.values["currency"]) == (Decimal("18.99"), "USD")
    assert (red.values["quantity"], red.values["gtin"]) == (2, "4006381333931")


def test_ebays_actions_have_the_currency_of_their_site_and_end_listings():
    records = read("ebay", EBAY_ACTIONS, mode="delta")
    assert fates(records) == ["offer", "offer", "skipped", "offer"]
    tee, mug, _, red = records
    assert (tee.sku, tee.values["price"], tee.values["currency"]) == ("TEE", Decimal(20), "USD")
    assert mug.deletes
    assert (red.sku, red.values["quantity"]) == ("PAINT-RED", 2)


@pytest.mark.parametrize(
    ("preset", "text"),
    [("wix", WIX), ("wix", WIX_BEFORE), ("ecwid", ECWID), ("ebay", EBAY), ("ebay", EBAY_ACTIONS)],
)
def test_they_are_recognised(preset: Preset, text: str):
    assert recognised_preset(text.partition("\n")[0].split(",")) == preset


def refusal(text: str) -> FileRefused:
    terms = Terms("full", "EUR", UTC_ZONE, Profile())
    with pytest.raises(FileRefused) as refused:
        check_preset(
            open_feed(io.BytesIO(text.encode()), terms).header, lambda: io.BytesIO(text.encode())
        )
    return refused.value


UNSTARRED = EBAY_ACTIONS.replace("*", "")


@pytest.mark.parametrize(
    ("text", "named"),
    [
        (WIX, "Wix export, and the record on line 2 isn't for sale"),
        (ECWID, "whose skus are in 'type' and 'product_sku'"),
        (UNSTARRED, "whose skus are in 'CustomLabel'"),
    ],
)
def test_without_a_profile_they_are_refused(text: str, named: str):
    assert refusal(text).code == "preset_needed"
    assert named in refusal(text).detail


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ('[{"sku":"A","name":"T","price":1000,"priceWithTax":1200,"currencyCode":"EUR"}]', "minor"),
        (
            '[{"sku":"A","title":"T","price":"1","inventoryQuantity":3,"product":{"status":"DRAFT"}}]',
            "status",
        ),
        (
            '[{"sku":"A","name":"T","type":"x","status":"draft","regular_price":1,"stock_status":""}]',
            "line 1",
        ),
        ('[{"sku":"A","name":"T","price":1,"type_id":"bundle","extension_attributes":{}}]', "Mag"),
        ('[{"sku":"A","name":"T","price":1,"inventory_level":3,"is_visible":false}]', "BigCom"),
    ],
)
def test_answers_of_apis_that_would_be_sold_wrongly_are_refused(text: str, named: str):
    assert refusal(text).code == "preset_needed"
    assert named in refusal(text).detail


def test_answers_of_apis_that_are_for_sale_are_read():
    text = '[{"sku":"A","name":"T","price":1,"inventory_level":3,"is_visible":true}]'
    terms = Terms("full", "EUR", UTC_ZONE, Profile())
    reader = open_feed(io.BytesIO(text.encode()), terms)
    check_preset(reader.header, lambda: io.BytesIO(text.encode()))


def test_a_record_whose_prices_are_a_list_is_refused_unless_a_path_is_declared():
    text = '[{"sku":"A","name":"T","prices":[{"currency_code":"eur","amount":10}]}]'
    with pytest.raises(FileRefused) as refused:
        list(open_feed(io.BytesIO(text.encode()), Terms("full", "EUR", UTC_ZONE, Profile())))
    assert (refused.value.code, refused.value.record_path) == ("nested_records", "[]/prices[]")
    both = text.replace('"prices"', '"price":12,"prices"')
    (record,) = open_feed(io.BytesIO(both.encode()), Terms("full", "EUR", UTC_ZONE, Profile()))
    assert record.values["price"] == Decimal(12)


def test_a_report_of_all_amazons_listings_has_those_that_are_not_active():
    text = "item-name,seller-sku,price,quantity,status\nMug,MUG,9,1,Active\nCup,CUP,9,1,Inactive\n"
    assert fates(read("amazon", text)) == ["offer", "skipped"]


def test_mirakls_files_of_prices_have_another_name_for_the_sku():
    text = (
        "offer-sku;price;discount-price;discount-start-date;discount-end-date\n"
        "MUG;20;18;2024-01-01T23:00:00Z;2024-06-30T23:00:00Z\n"
    )
    (record,) = read("mirakl", text, mode="delta")
    assert (record.sku, record.values["sale_price"]) == ("MUG", Decimal(18))


def test_a_column_whose_name_has_an_asterisk_is_named_with_it_and_without_it():
    text = "*SKU,*Title,Subtitle,Price *\nA,Mug,Blue,9\n"
    for title in ("*Title", "Title"):
        columns = {"product_name": Column((title,)), "description": Column(("Sub*",))}
        (record,) = read("canonical", text, columns=columns)
        assert (record.sku, record.values["price"]) == ("A", Decimal(9))
        assert (record.values["product_name"], record.values["description"]) == ("Mug", "Blue")
