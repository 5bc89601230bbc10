"""Names that look alike, and names that only resemble each other."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from commerce_core.partners.lookalikes import look_alike, skeletons


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Alpha", "Al\u200bpha"),
        ("Alpha", "\u202eAlpha"),
        ("Alpha", "Alpha\ufe0f"),
        ("Alpha", "\u0410lpha"),
        ("ALPHA", "\u0430lpha"),
        ("Alpha", "\u0391\u13de\u0440h\u0251"),
        ("Alpha", "\uff21\uff4c\uff50\uff48\uff41"),
        ("Alpha", "\U0001d400\U0001d425pha"),
        ("PayPal", "PayPaI"),
        ("PayPal", "PayPa1"),
        ("Zoo", "Z00"),
        ("MINI", "M\u0456n\u0456"),
        ("MINI", "M\u0406N\u0406"),
        ("A-B", "A\u2011B"),
        ("O'Neill", "O\u2019Neill"),
        ("Two words", "Two\u2003words"),
        ("Stra\xdfe", "STRASSE"),
        ("caf\xe9", "cafe\u0301"),
    ],
)
def test_names_that_people_take_for_each_other_look_alike(one: str, other: str):
    assert look_alike(one, other)
    assert look_alike(other, one)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Ali", "All"),
        ("Modern", "Modem"),
        ("Store I", "Store L"),
        ("Store I", "Store II"),
        ("Cafe", "Caf\xe9"),
        ("\u041c\u0438\u0440", "\u041c\u0438\u0440\u0430"),
        ("Shop 2", "Shop 3"),
        ("Acme", "Acme Ltd"),
        ("\u682a\u5f0f\u4f1a\u793e", "\u682a\u5f0f\u793e"),
    ],
)
def test_names_that_people_tell_apart_do_not(one: str, other: str):
    assert not look_alike(one, other)


@given(st.text(max_size=20), st.sampled_from(["\u200b", "\u00ad", "\u2060", "\ufe0e", "\u034f"]))
def test_what_is_not_seen_makes_no_difference(name: str, unseen: str):
    typed, lower = skeletons(name)
    assert skeletons(name + unseen) == skeletons(unseen + name) == (typed, lower)
