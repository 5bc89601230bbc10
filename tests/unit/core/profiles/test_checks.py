"""Checks of a profile: a word that doesn't apply is refused, with the one that was meant."""

import pytest

from commerce_core.base.errors import InvalidInput
from commerce_core.profiles.checks import check
from commerce_core.profiles.presets import PRESET_PROFILES
from commerce_core.profiles.profile import Column, Profile


def faults(profile: Profile) -> list[tuple[str, str]]:
    with pytest.raises(InvalidInput) as refused:
        check(profile)
    return [(fault.pointer, fault.code) for fault in refused.value.faults]


@pytest.mark.parametrize(
    ("name", "column", "pointer", "code"),
    [
        ("price", Column(("p",), unit="kg"), "unit", "bad_unit"),
        ("weight", Column(("w",), unit="minor"), "unit", "bad_unit"),
        ("brand", Column(("b",), unit="g"), "unit", "bad_unit"),
        ("weight", Column(("w",), currency="EUR"), "currency", "does_not_apply"),
        ("brand", Column(("b",), decimal=","), "decimal", "does_not_apply"),
        ("price", Column(("p",), dates="DD.MM.YYYY"), "dates", "does_not_apply"),
        ("category", Column(pairs=(("=A", "b"),)), "pairs", "does_not_apply"),
        ("price", Column(("p",), compare_at=True), "compare_at", "does_not_apply"),
        ("price", Column(("p",), currency="GBp"), "currency", "minor_currency"),
        ("category", Column(("c",), part="first"), "part", "needs_separator"),
        ("availability", Column(("a",), values={"ja": "instok"}), "values/ja", "bad_value"),
        ("deleted", Column(("d",), values={"ja": "ye"}), "values/ja", "bad_value"),
    ],
)
def test_what_does_not_apply_to_a_field_is_a_fault(
    name: str, column: Column, pointer: str, code: str
):
    assert faults(Profile(columns={name: column})) == [(f"/columns/{name}/{pointer}", code)]


@pytest.mark.parametrize(
    ("name", "text"), [("availability", "perhaps"), ("price", "free"), ("currency", "EURO")]
)
def test_a_constant_that_its_field_cannot_have_is_a_fault(name: str, text: str):
    assert faults(Profile(constants={name: text})) == [(f"/constants/{name}", "bad_constant")]


def test_pence_in_the_place_of_a_currency_are_a_fault():
    """Read as pounds, each price would be a hundred times as high."""
    assert faults(Profile(currency="GBp")) == [("/currency", "minor_currency")]
    check(Profile(currency="gbp"))


def test_a_fault_names_the_word_that_was_probably_meant():
    with pytest.raises(InvalidInput) as refused:
        check(Profile(columns={"availability": Column(("a",), values={"ja": "in_stok"})}))
    assert "Did you mean in_stock?" in refused.value.faults[0].detail
    with pytest.raises(InvalidInput) as unknown:
        Profile(columns={"qantity": Column(("q",))})
    assert "Did you mean quantity?" in unknown.value.faults[0].detail


@pytest.mark.parametrize("profile", PRESET_PROFILES.values(), ids=lambda profile: profile.preset)
def test_presets_pass(profile: Profile):
    check(profile)
