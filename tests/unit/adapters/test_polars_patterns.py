"""Patterns over whole columns keep of each text what the reference keeps of it."""

import polars as pl
import pytest
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st

from adapters.polars_feeds.patterns import is_odd, kept_of
from commerce_core.base.text import BLANKS
from commerce_core.profiles.matching import matcher
from commerce_core.profiles.patterns import LONGEST_MATCHED, why_refused
from tests.support.effort import assert_effort
from tests.support.examples import scaled
from tests.unit.core.profiles.test_patterns import HOSTILE, HOSTILE_CELLS, pieces, texts


def by_reference(text: str, pattern: str) -> str | None:
    kept = matcher(pattern)(text) if len(text) <= LONGEST_MATCHED else None
    return None if kept is None else kept.strip(BLANKS)


@settings(max_examples=scaled(300))
@given(pieces, pieces, pieces, st.lists(texts, min_size=1, max_size=6))
@example("", "[^a]*", "", ["\ud7ff\ue000\U0010ffff", "a", ""])
@example(r"\B", ".*", "", ["ab", " ", ""])
@example(r"[^\s\S]|", "a|b", r"[\s\S]*", ["ab", "ba"])
def test_they_keep_what_the_reference_keeps(before: str, kept: str, after: str, cells: list[str]):
    pattern = f"{before}({kept}){after}"
    assume(why_refused(pattern) is None)
    found = kept_of(pl.Series(cells, dtype=pl.String), pattern)
    if found is None:
        assert r"\B" in pattern
    else:
        assert found.to_list() == [by_reference(cell, pattern) for cell in cells]


@pytest.mark.parametrize("length", [LONGEST_MATCHED, LONGEST_MATCHED + 1])
def test_a_longer_cell_matches_nothing(length: int):
    cells = ["ä" * length]
    found = kept_of(pl.Series(cells), "(ä*)")
    assert found is not None
    assert found.to_list() == [by_reference(cells[0], "(ä*)")]


@pytest.mark.parametrize("pattern", HOSTILE)
def test_no_pattern_takes_long_on_any_column(pattern: str):
    cells = pl.Series(HOSTILE_CELLS * 10)
    assert_effort(lambda: kept_of(cells, pattern), 4_000)


def test_what_no_pattern_is_asked_about_is_told_apart():
    cells = pl.Series(["a", "a\0", "ä" * LONGEST_MATCHED, "ä" * (LONGEST_MATCHED + 1), ""])
    assert is_odd(cells).to_list() == [False, True, False, True, False]
