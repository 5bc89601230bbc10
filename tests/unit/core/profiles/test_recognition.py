"""Recognition of platforms' exports by their headers."""

import io
from zoneinfo import ZoneInfo

import pytest

from commerce_core.base.errors import FileRefused
from commerce_core.catalog.export import HEADER
from commerce_core.commerce import Commerce
from commerce_core.parsing.reader import open_feed
from commerce_core.parsing.record_reader import Terms
from commerce_core.profiles.profile import Column, Profile
from commerce_core.profiles.recognition import recognised_preset
from commerce_core.schema.fields import FIELDS
from entrypoints.compose import open_platform
from entrypoints.settings import Settings

SHOPIFY = "Handle,Title,Vendor,Option1 Name,Option1 Value,Variant SKU,Variant Price,Status"
WOOCOMMERCE = "ID,Type,SKU,Name,Published,In stock?,Regular price,Categories"
MEDUSA = "Product Id,Product Handle,Product Title,Variant Id,Variant Title,Variant Sku,Price EUR"


@pytest.mark.parametrize(
    ("header", "preset"),
    [(SHOPIFY, "shopify"), (WOOCOMMERCE, "woocommerce"), (MEDUSA, "medusa"), ("a,b,c", None)],
)
def test_an_export_is_recognised_by_names_that_only_it_has(header: str, preset: str | None):
    assert recognised_preset(header.split(",")) == preset


def test_no_file_of_the_schemas_own_names_is_taken_for_an_export():
    names = [name for field in FIELDS for name in (field.name, *field.aliases)]
    assert recognised_preset(names) is None
    assert recognised_preset(HEADER) is None


def test_a_refusal_names_the_preset_that_would_read_the_file():
    terms = Terms("full", "EUR", ZoneInfo("UTC"))
    with pytest.raises(FileRefused, match=r"a Shopify export; the preset shopify reads it"):
        open_feed(io.BytesIO(f"{SHOPIFY}\n".encode()), terms)


def test_a_job_says_what_its_file_looks_like_unless_the_profile_maps_it():
    rows = f"{WOOCOMMERCE}\n1,simple,CUP,Cup,1,1,9.00,Cups\n"
    with open_platform(Settings(database_url="memory:")) as commerce:
        commerce.partners.add("Acme", currency="EUR")
        assert "a WooCommerce export" in notes_of(commerce, rows)
        columns = {"price": Column(("Regular price",))}
        commerce.sources.set_profile(Profile(columns=columns), partner="Acme")
        assert "a WooCommerce export" not in notes_of(commerce, rows + "2,simple,B,B,1,1,9,C\n")


def notes_of(commerce: Commerce, rows: str) -> str:
    job = commerce.feeds.load(io.BytesIO(rows.encode()), partner="Acme", mode="delta")
    assert job.summary, job
    return " ".join(job.summary.notes)
