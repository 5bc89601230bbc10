"""Fingerprints stand in databases, so they stay what they are from version to version."""

import io
from collections import Counter
from zoneinfo import ZoneInfo

import pytest

from commerce_core.parsing.fingerprints import (
    CODE_OF,
    CODES,
    MOST_REMEMBERED,
    REMEMBERED,
    Fingerprint,
    IndexedFingerprints,
    warnings_of,
    with_warnings,
)
from commerce_core.parsing.record_reader import Terms
from commerce_core.parsing.reference import ReferenceEngine
from commerce_core.profiles.profile import Column, Profile, Skip
from commerce_core.schema.problems import PROBLEMS, Problem

FILE = b"sku,product_name,price\nA-1,Lamp,12.50\n"
SHOP = Profile(
    decimal=",",
    currency="EUR",
    columns={
        "product_name": Column(("Titel", "Farbe"), join=" - "),
        "price": Column(("Preis",), pattern="([0-9,]+) EUR", otherwise="blank"),
        "options": Column(pairs=(("=Farbe", "Farbe"),)),
        "availability": Column(("Lager",), values={"ja": "in_stock"}, needs=("Lager",)),
    },
    constants={"condition": "new"},
    identity=("{sku}/{Farbe}",),
    attributes=("Farbe",),
    skip=(Skip("Status", ("Entwurf",), "drafts"),),
)
SHOP_FILE = b"sku;Titel;Farbe;Preis;Lager;Status\nA-1;Lampe;rot;12,50 EUR;ja;\n"


def fingerprint(file: bytes, terms: Terms) -> Fingerprint | None:
    (batch,) = ReferenceEngine().open(io.BytesIO(file), terms).batches()
    (record,) = batch
    assert not record.problems
    return record.fingerprint


@pytest.mark.parametrize(
    ("file", "terms", "known"),
    [
        (
            FILE,
            Terms("full", "EUR", ZoneInfo("Europe/Rome")),
            (9196905710595707529, 1446962981832002937),
        ),
        (FILE, Terms("delta", None, ZoneInfo("UTC")), (-1810783440889634106, -2183425150182120987)),
        (
            SHOP_FILE,
            Terms("full", "EUR", ZoneInfo("UTC"), SHOP),
            (2823942569285382054, 3226148051693260998),
        ),
    ],
    ids=["canonical", "delta without a currency", "by a profile"],
)
def test_a_record_is_recognised_by_what_an_earlier_version_kept(
    file: bytes, terms: Terms, known: Fingerprint
):
    """Whatever is renamed or moved meanwhile. These change only together with `ALGORITHM`."""
    assert fingerprint(file, terms) == known


def test_codes_of_warnings_stay_what_they_are():
    """They stand in databases too: a new warning takes the next place, at the end."""
    assert REMEMBERED == (
        "exponent_number",
        "negative_quantity",
        "gtin_check_digit",
        "sale_not_below_price",
        "sale_ends_before_start",
        "thousands_or_decimals",
        "sale_price_of_zero",
        "several_urls",
        "invisible_characters",
        "shortened_sku",
        "spreadsheet_error_ignored",
        "spreadsheet_text",
        "sale_period_unread",
    )
    assert list(CODE_OF.values())[:3] == [1, 1 << 4, 1 << 8]
    assert CODES <= 1 << 52, "the hash of a text needs the other bits"


def test_every_warning_that_reading_finds_has_a_place():
    """Or records with it would be read and compared every day."""
    warnings = {code for code, (severity, _) in PROBLEMS.items() if severity == "warning"}
    assert warnings - {"duplicate_sku", "price_leap", "changed_since"} == {*REMEMBERED}


def problems(*codes: str) -> list[Problem]:
    return [Problem.of(code, line=2) for code in codes]


TEXT = (3328283160197763307, -7649776282266767793)


@pytest.mark.parametrize(
    "codes", [(), ("gtin_check_digit",), (*REMEMBERED, "exponent_number"), REMEMBERED[:1] * 15]
)
def test_a_text_matches_its_fingerprint_and_has_the_warnings_of_then(codes: tuple[str, ...]):
    kept = with_warnings(TEXT, problems(*codes))
    number, code = IndexedFingerprints.of([None, kept]).match(TEXT) or (None, 0)
    assert number == 1
    assert warnings_of(code) == Counter(codes)
    assert (kept == TEXT) == (not codes)


@pytest.mark.parametrize(
    "codes",
    [("not_a_number",), ("gtin_check_digit", "not_a_url"), REMEMBERED[:1] * (MOST_REMEMBERED + 1)],
)
def test_a_record_with_an_error_or_too_many_warnings_has_no_fingerprint(codes: tuple[str, ...]):
    assert with_warnings(TEXT, problems(*codes)) is None


def test_a_fingerprint_with_a_warning_of_a_later_version_matches_nothing():
    upper, lower = TEXT
    assert IndexedFingerprints.of([(upper, lower ^ 1 << 4 * len(REMEMBERED))]).match(TEXT) is None
