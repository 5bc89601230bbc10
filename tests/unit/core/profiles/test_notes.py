"""Notes about a header: no column that a profile names vanishes in silence."""

import io

from commerce_core.parsing.reader import open_feed
from commerce_core.parsing.record_reader import Terms
from commerce_core.profiles.profile import Column, Group, Profile, Skip
from tests.unit.core.parsing.test_reader import UTC_ZONE


def notes(header: str, profile: Profile) -> tuple[str, ...]:
    stream = io.BytesIO(f"{header}\n".encode())
    return open_feed(stream, Terms("delta", "EUR", UTC_ZONE, profile)).header.notes


def test_a_column_that_the_file_lacks_is_named_with_the_one_that_was_probably_meant():
    profile = Profile(columns={"price": Column(("Pries",)), "quantity": Column(("Bestand",))})
    (note,) = notes("sku,Preis,Bestand", profile)
    assert note.startswith("The profile names the column 'Pries' for price, and the file lacks it.")
    assert note.endswith("Did you mean 'Preis'?")


def test_of_several_columns_for_one_field_one_is_enough_unless_they_are_joined():
    assert notes("sku,A", Profile(columns={"brand": Column(("A", "B"))})) == ()
    (note,) = notes("sku,A", Profile(columns={"brand": Column(("A", "B"), join=" ")}))
    assert "'B' for brand" in note


def test_columns_in_every_place_of_a_profile_are_named():
    profile = Profile(
        columns={
            "options": Column(pairs=(("=Size", "Gr"),)),
            "mpn": Column(("sku",), needs=("N",)),
        },
        identity=("{Id}",),
        attributes=("Fit",),
        skip=(Skip("State", ("off",), "off"),),
        group=Group("Parent", carry=("Name",)),
    )
    named = [note.split("'")[1] for note in notes("sku", profile)]
    assert named == ["Gr", "N", "State", "Fit", "Id", "Parent", "Name"]


def test_a_column_that_the_profile_takes_from_its_own_field_is_named():
    profile = Profile(columns={"availability": Column(("stock",), values={"0": "out_of_stock"})})
    (note,) = notes("sku,stock", profile)
    assert note.startswith("The column 'stock' feeds availability, as the profile has it, and not ")
    assert note.endswith("Map quantity too if it should feed both.")


def test_what_a_preset_names_and_a_file_lacks_is_no_news():
    assert notes("Handle,Title,Variant SKU,Variant Price", Profile(preset="shopify")) == ()


def test_a_column_that_may_limit_a_sale_price_in_time_is_named_if_nothing_reads_it():
    """A sale price without its times would apply at any time."""
    (note,) = notes("sku,price,sale_price,sale_price_effective_date", Profile())
    assert note.startswith("The column 'sale_price_effective_date' may say when the sale price")
    assert notes("sku,price,sale_price,sale_start,offer_date", Profile()) == ()
    assert notes("sku,price,sale_price_effective_date", Profile()) == ()
    assert notes("sku,price,sale_price,updated_date,date", Profile()) == ()
