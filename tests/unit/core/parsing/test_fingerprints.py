"""Fingerprints stand in databases, so they stay what they are from version to version."""

import io
from zoneinfo import ZoneInfo

import pytest

from commerce_core.parsing.fingerprints import Fingerprint
from commerce_core.parsing.record_reader import Terms
from commerce_core.parsing.reference import ReferenceEngine
from commerce_core.profiles.profile import Column, Profile, Skip

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
            (4081892129119590272, -929241654608473619),
        ),
        (FILE, Terms("delta", None, ZoneInfo("UTC")), (-733603228949273323, 9205502036308773829)),
        (
            SHOP_FILE,
            Terms("full", "EUR", ZoneInfo("UTC"), SHOP),
            (-4308843022562238462, -7999882282417560123),
        ),
    ],
    ids=["canonical", "delta without a currency", "by a profile"],
)
def test_a_record_is_recognised_by_what_an_earlier_version_kept(
    file: bytes, terms: Terms, known: Fingerprint
):
    """Whatever is renamed or moved meanwhile. These change only together with `ALGORITHM`."""
    assert fingerprint(file, terms) == known
