"""Patterns: what is one, that it means what Python's `re` means, and that none takes long."""

import re

import pytest
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st

from commerce_core.profiles.matching import matcher
from commerce_core.profiles.patterns import (
    LONGEST_MATCHED,
    MOST_STEPS,
    BadPattern,
    parse_pattern,
    why_refused,
)
from tests.support.effort import assert_effort
from tests.support.examples import scaled

HOSTILE_CELLS = tuple(
    (part * LONGEST_MATCHED)[: LONGEST_MATCHED - 1] + end
    for part in ("a", "1", " ", "a1", "ab ", "aaaaaaaaaaab")
    for end in ("!", "\0", "a")
)
HOSTILE = (
    r"(\w*\w*\w?\w?\w?)b", "(a*)a*a*b", "((?:a|b|ab)*)c", "([a-z]*)[a-z]*[a-z]*!",
    "(a{0,190}a{0,190}a{0,190})!", "(.{0,2000}.{0,2000}.{0,2000})!", "((?:a|a){40})!",
    "(a" + "|a" * 60 + ")!", "(" + "(?:a|a)" * 26 + ")!", "(" + "a?" * 40 + "a" * 40 + ")!",
    "(?:(?:a|a)(?:a|a)(?:a|a)){15}(b)", "(" + ".?" * 60 + ")!", "(" + "a{0,9}" * 12 + ")!",
    r"(\b.*?\b.*?\b.*?\b)!", "((?:a+)+)b", "((?:[a-z]+,?)+)b",
)  # fmt: skip
"""What takes a matcher that tries all ways longer than anybody lives, or seconds at least."""


@pytest.mark.parametrize("pattern", HOSTILE)
def test_no_pattern_takes_long_on_any_cell(pattern: str):
    match = matcher(pattern)
    assert_effort(lambda: [match(cell) for cell in HOSTILE_CELLS], 4_000)


PARTS = (
    "a", "b", "1", "-", " ", ".", "é", r"\d", r"\w", r"\s", r"\S", r"\W", r"\D", "[ab]", "[^a]",
    "[a-c1]", "[]a]", "[^]a-]", r"[\d-]", r"\b", r"\B", "^", "$", r"\A", r"\Z", r"\.", r"\x61",
    r"\u00e9", r"\t", "(?:ab|a)", "(?:a|ab)", "(?:b|)", "(?:a(?:b|1)+)", "|", "{", "{a}", "}", "]",
)  # fmt: skip
COUNTS = ("", "", "", "", "*", "+", "?", "*?", "+?", "??", "{2}", "{1,2}", "{0,3}?", "{,2}", "{2,}")
pieces = st.lists(
    st.tuples(st.sampled_from(PARTS), st.sampled_from(COUNTS)).map("".join), max_size=4
).map("".join)
texts = st.text(st.sampled_from("aab1- .é\n{}]"), max_size=7)


@settings(max_examples=scaled(500))
@given(pieces, pieces, pieces, st.lists(texts, min_size=1, max_size=6))
@example("a|", "b*?", "|.", ["ab", "abb", ""])
@example("", "(?:a|ab)", "(?:c|bcd)?.*", ["abcd"])
def test_a_pattern_means_what_it_means_to_python(
    before: str, kept: str, after: str, cells: list[str]
):
    """No text that is blank or ends with a line end is ever matched: cells are trimmed."""
    pattern = f"{before}({kept}){after}"
    assume(why_refused(pattern) is None)
    match, python = matcher(pattern), re.compile(pattern, re.ASCII)
    for cell in filter(None, (cell.rstrip("\n") for cell in cells)):
        found = python.fullmatch(cell)
        assert match(cell) == (found and (found[1] or ""))


@pytest.mark.parametrize(
    "pattern",
    [
        "([0-9]+) .*", r"([0-9]+)\D[a-z]*", "(https?://.+)", "([^/]+)/.+", "[^/]+/(.+)",
        "(?:EUR|USD) ([0-9.,]+)", "([A-Z]{2}-[0-9]{1,6})", r"\+([0-9]+)", r"(\*+)", "{(.*)}",
        r".*?([0-9]+).*", r"^(?:[A-Z]+-)+(.+)$", r"(.{1,500})",
    ],
)  # fmt: skip
def test_patterns_that_people_write_are_taken(pattern: str):
    assert why_refused(pattern) is None


@pytest.mark.parametrize(
    ("pattern", "why"),
    [
        ("[0-9]+", "one pair of parentheses"), ("(a)(b)", "one pair of parentheses"),
        ("(a", "isn't closed"), ("(a))", "too many"), ("(a)[b", "ends too early"),
        ("(" + "a" * 200 + ")", "at most 200 characters"), ("(.*)(?=a)", "look-around"),
        (r"(a)\1", "back-references"), ("(?P<n>a)", "names"), ("(?i)(a)", "flags"),
        ("(a)+", "can't be repeated"), ("(?:a*)*(b)", "able to be empty"), (r"(\b*a)", "empty"),
        ("(a*+)", "possessive"), ("(*a)", "nothing in front"), (r"(\q)", "There is no"),
        ("([b-a])", "later one"), (r"([\d-z])", "later one"), ("(a{3,2})", "smaller"),
        (r"(\xg0)", "digits"), ("(?:a{1,1999}){1,1999}(b)", "steps"), ("(a{3000})", "characters"),
    ],
)  # fmt: skip
def test_any_other_is_refused_with_what_to_write_instead(pattern: str, why: str):
    assert why in (why_refused(pattern) or "")
    with pytest.raises(BadPattern):
        parse_pattern(pattern)


def test_a_repetition_may_take_as_many_steps_as_are_allowed():
    assert why_refused(f"(a{{{MOST_STEPS - 1}}})") is None
    assert "steps" in (why_refused(f"(aa{{{MOST_STEPS - 1}}})") or "")
