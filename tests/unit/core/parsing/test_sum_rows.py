"""Rows of sums: no product, and nothing that keeps a feed from removing others."""

import io

import pytest

from commerce_core.parsing.reader import open_feed
from commerce_core.parsing.record_reader import Terms
from commerce_core.parsing.sum_rows import SUMS
from commerce_core.profiles.profile import Profile
from tests.unit.core.parsing.test_reader import UTC_ZONE

HEADER = "sku,name,price,quantity"


def fate_of(row: str, header: str = HEADER, profile: Profile | None = None) -> tuple[object, ...]:
    terms = Terms("full", "EUR", UTC_ZONE, profile or Profile())
    (record,) = open_feed(io.BytesIO(f"{header}\n{row}\n".encode()), terms)
    return record.fate, record.reason


@pytest.mark.parametrize(
    "row",
    [
        "Total,,1.00,2",
        ",Grand total,,7",
        '"Summe:",12 Stück,"€ 1.234,50",',
        'Gesamtergebnis,,"1.234,50 €",7',
        ",Total général,1 234,7",
        "Razem,,12 zł,",
        "Genel Toplam,,₺12,3",
        "合計,,¥1200,3",
        "TOTAL,TOTAL,EUR,3",
        "Итого,,1 200 руб.,3",
        "Total,,,",
        "Total,,1.00,2,",
    ],
)
def test_a_word_for_a_sum_with_nothing_but_numbers_is_no_product(row: str):
    assert fate_of(row) == ("skipped", SUMS)


@pytest.mark.parametrize(
    "row",
    [
        "Total,Total Shampoo,1.00,2",
        "T-1,Total,1.00,2",
        "17,Total,1.00,2",
        "Totally,,1.00,2",
        "Total,,1.00,2,3",
        "Total,",
        "A,,1.00,2",
    ],
)
def test_a_product_may_have_such_a_name_and_a_row_may_be_cut_off(row: str):
    assert fate_of(row)[0] is None


def test_a_sku_like_that_is_left_to_the_catalog_where_the_file_has_no_names():
    terms = Terms("delta", "EUR", UTC_ZONE, Profile())
    (record,) = open_feed(io.BytesIO(b"sku,quantity\nTOTAL,5\n"), terms)
    assert (record.fate, record.sku) == (None, "TOTAL")


def test_records_whose_sku_is_made_of_other_cells_are_no_sums():
    header = "Handle,Title,Variant SKU,Option1 Name,Option1 Value,Variant Price"
    rows = "total,Total,,Size,4,10\ntotal,,,,5,11"
    terms = Terms("full", "EUR", UTC_ZONE, Profile(preset="shopify"))
    found = list(open_feed(io.BytesIO(f"{header}\n{rows}\n".encode()), terms))
    assert [record.sku for record in found] == ["total/4", "total/5"]
