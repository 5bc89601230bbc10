"""What a word is, and in which texts it is."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from commerce_core.base.text import BLANKS, fold, spellings, words_of


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", ()),
        (" \u00a0\u3000", ()),
        ("Red  SHOE", ("red", "shoe")),
        ("a\u2028b\u200bc", ("a", "b", "c")),
        ("red Red RED", ("red",)),
        ("half-price, 50%", ("half-price,", "50%")),
    ],
)
def test_words_are_what_stands_between_blanks(text: str, words: tuple[str, ...]):
    assert words_of(text) == words


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("ÄRGER", "ärger"), ("\u1e9e", "ß"), ("\u212a", "k"), ("\u017f", "S"), ("ΣΑΣ", "σας"),
        ("Ж", "ж"), ("\U00010400", "\U00010428"), ("\u01c4", "\u01c5"),
    ],
)  # fmt: skip
def test_case_is_folded_in_every_script(one: str, other: str):
    assert fold(one) == fold(other)


@pytest.mark.parametrize(("one", "other"), [("ß", "ss"), ("İ", "i"), ("ı", "i"), ("é", "e\u0301")])
def test_letters_that_only_look_or_sound_alike_stay_apart(one: str, other: str):
    assert fold(one) != fold(other)


@given(st.text())
def test_folding_keeps_the_length_and_is_done_once(text: str):
    assert len(fold(text)) == len(text)
    assert fold(fold(text)) == fold(text)


@given(st.text())
def test_spellings_are_all_that_fold_to_a_character(text: str):
    for character, all_of_it in zip(text, spellings(fold(text)), strict=True):
        assert character in all_of_it
        assert {fold(spelling) for spelling in all_of_it} == {fold(character)}


def test_no_script_that_has_capitals_is_left_out():
    beyond = map(chr, range(0x1F000, 0x110000))
    assert not [c for c in beyond if c.casefold() != c or c.lower() != c]


def test_no_blank_has_another_spelling():
    assert fold(BLANKS) == BLANKS
