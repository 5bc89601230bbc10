"""Near skus: what a sku that no product has probably means."""

import pytest

from commerce_core.plans.near_skus import LONGEST_PADDED, near_skus, without_zeros


@pytest.mark.parametrize(
    ("sku", "meant"),
    [
        ("42", "0042"),
        ("42", "00000000000042"),
        ("0042", "42"),
        ("42.0", "42"),
        ("1E+05", "100000"),
        ("4,00638E+12", "4006380000000"),
        ("a-1", "A-1"),
        ("A_1", "A-1"),
        ("A1-B", "A1B"),
        ("A 1", "A1"),
        ("AO1", "A01"),
    ],
)
def test_what_a_spreadsheet_or_a_person_slips_in_has_its_likely_meanings(sku: str, meant: str):
    assert meant in near_skus(sku)


@pytest.mark.parametrize("sku", ["42", "A", "", "x" * 255, "0", "1E-99", "ß"])
def test_a_sku_is_never_near_itself_and_has_few_neighbours(sku: str):
    assert sku not in near_skus(sku)
    assert len(near_skus(sku)) < LONGEST_PADDED + 10
    assert all(1 <= len(near) <= 255 for near in near_skus(sku))


def test_only_a_number_loses_its_zeros():
    assert [without_zeros(sku) for sku in ("0042", "00", "42", "0A", "042 ")] == [
        "42", None, None, None, None,
    ]  # fmt: skip
