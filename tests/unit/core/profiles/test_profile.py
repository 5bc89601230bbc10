"""Profiles: what makes one usable, and that no pattern in one can keep a worker busy."""

import re

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from commerce_core.base.errors import InvalidInput
from commerce_core.profiles.profile import LONGEST_MATCHED, Column, Profile, Skip, why_unsafe
from tests.support.effort import assert_effort
from tests.support.examples import scaled

HOSTILE_CELLS = tuple(
    (part * LONGEST_MATCHED)[: LONGEST_MATCHED - 1] + end
    for part in ("a", "1", " ", "a1", "ab ", "aaaaaaaaaaab")
    for end in ("!", "\0", "a")
)
FAMOUS = (
    "(a+)+", "((a+)+)", "(a|aa)+", "(a|a?)+", "(.*a){20}", "([a-z]+)*", "(?:a+)+(b)", "(a*)*",
    "(x+x+)+y", "(.*)(?=a)", r"(a)\1", "(?P<n>a+)+", "(a{1,2000}){1,2000}",
    "(?:a?){30}a{30}(b)", "(a?a?a?a?a?a?a?a?a?a?a?a?a?aaaaaaaaaaaaa)",
    "(a*)a*a*b", "((?:a|b|ab)*)c", "([a-z]*)[a-z]*[a-z]*!", "(a{0,900}a{0,900}a{0,900})!",
    "(.{0,2000}.{0,2000}.{0,2000})!", "((?:a|a){40})!", "(?:(?:a|a)(?:a|a)(?:a|a)){15}(b)",
    "(a" + "|a" * 60 + ")!", "(" + "(?:a|a)" * 26 + ")!", "(" + "a?" * 40 + "a" * 40 + ")!",
    "(" + ".?" * 60 + ")!", "((?:a{1,3}){1,600})!", "(" + "a{0,9}" * 12 + ")!",
)  # fmt: skip


def assert_quick(pattern: str) -> None:
    compiled = re.compile(pattern, re.ASCII)
    assert_effort(lambda: [compiled.fullmatch(cell) for cell in HOSTILE_CELLS], 1_000)


@pytest.mark.parametrize("pattern", FAMOUS)
def test_a_hostile_pattern_is_refused(pattern: str):
    if why_unsafe(pattern) is None:
        assert_quick(pattern)


@pytest.mark.parametrize(
    "pattern",
    [
        "([0-9]+) .*", r"([0-9]+)\D[a-z]*", "(https?://.+)", "([^/]+)/.+", "[^/]+/(.+)",
        "(?:EUR|USD) ([0-9.,]+)", "([A-Z]{2}-[0-9]{1,6})", r"\+([0-9]+)", r"(\*+)",
    ],
)  # fmt: skip
def test_patterns_that_people_write_are_taken_and_quick(pattern: str):
    assert why_unsafe(pattern) is None
    assert_quick(pattern)


parts = st.sampled_from(
    ("a", ".", "[a-z]", "a?", "a*", "a+", ".*", "a{1,9}", "a{0,2000}", "(?:a|b)", "(?:a|aa)",
     "(?:a?)", ")", "(?:", "|", "*", "+", "?", "{3}", r"\1", r"\\", "(?=a)")
)  # fmt: skip


@settings(max_examples=scaled(150))
@given(st.lists(parts, max_size=7), st.lists(parts, max_size=3))
@example([], ["a{0,2000}"] * 3)
def test_whatever_is_taken_is_quick(inside: list[str], after: list[str]):
    pattern = f"({''.join(inside)}){''.join(after)}"
    if why_unsafe(pattern) is None:
        assert_quick(pattern)


@pytest.mark.parametrize(
    ("pattern", "why"),
    [("[0-9]+", "parentheses"), ("(a)(b)", "parentheses"), ("(a", "not a regular"),
     ("(" + "a" * 200 + ")", "at most")],
)  # fmt: skip
def test_a_pattern_has_one_group_and_an_end(pattern: str, why: str):
    assert why in (why_unsafe(pattern) or "")


def test_every_fault_of_a_profile_is_listed_with_its_pointer():
    with pytest.raises(InvalidInput) as refused:
        Profile(
            encoding="klingon",
            currency="XYZW",
            identity=("Handle",),
            columns={"price": Column(("P",), pattern="(a+)+"), "colour": Column(("C",))},
            constants={"nonsense": "1"},
        )
    assert {fault.pointer for fault in refused.value.faults} == {
        "/encoding", "/currency", "/identity/0", "/columns/price/pattern", "/columns/colour",
        "/constants/nonsense",
    }  # fmt: skip


def test_a_profile_inherits_the_rest_from_its_preset():
    preset = Profile(encoding="cp1252", skip=(Skip("Status", ("draft",), "a draft"),),
                     columns={"sku": Column(("SKU",)), "price": Column(("Price",))})  # fmt: skip
    own = Profile(decimal=",", columns={"price": Column(("Preis",))})
    merged = own.over(preset)
    assert (merged.encoding, merged.decimal, merged.skip) == ("cp1252", ",", preset.skip)
    assert merged.columns == {"sku": Column(("SKU",)), "price": Column(("Preis",))}
