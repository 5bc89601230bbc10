"""Profiles: what makes one usable."""

import pytest

from commerce_core.base.errors import InvalidInput
from commerce_core.profiles.profile import Column, Profile, Skip


def test_every_fault_of_a_profile_is_listed_with_its_pointer():
    with pytest.raises(InvalidInput) as refused:
        Profile(
            encoding="klingon",
            currency="XYZW",
            identity=("Handle",),
            columns={"price": Column(("P",), dates="soon"), "colour": Column(("C",))},
            constants={"nonsense": "1"},
        )
    assert {fault.pointer for fault in refused.value.faults} == {
        "/encoding", "/currency", "/identity/0", "/columns/price/dates", "/columns/colour",
        "/constants/nonsense",
    }  # fmt: skip


def test_a_profile_inherits_the_rest_from_its_preset():
    preset = Profile(encoding="cp1252", skip=(Skip("Status", ("draft",), "a draft"),),
                     columns={"sku": Column(("SKU",)), "price": Column(("Price",))})  # fmt: skip
    own = Profile(decimal=",", columns={"price": Column(("Preis",))})
    merged = own.over(preset)
    assert (merged.encoding, merged.decimal, merged.skip) == ("cp1252", ",", preset.skip)
    assert merged.columns == {"sku": Column(("SKU",)), "price": Column(("Preis",))}
