"""Durations: what ISO 8601 writes is read, and written the same."""

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from commerce_core.base.durations import duration_text, duration_words, read_duration

MOST = 9_999 * 86_400


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("P3D", 259_200), ("PT36H", 129_600), ("P1DT12H", 129_600), ("P2W", 1_209_600),
        ("PT90M", 5_400), ("PT1H30M", 5_400), ("PT0S", 0), ("P1W1DT1H1M1S", 694_861),
    ],
)  # fmt: skip
def test_durations_are_read(text: str, seconds: int):
    assert read_duration(text) == timedelta(seconds=seconds)


@pytest.mark.parametrize(
    "text",
    ["", "P", "PT", "3D", "P3", "P1Y", "P1M", "P1DT", "PT1D", "P-1D", "P1.5D", "p3d", "P99999D"],
)
def test_what_is_no_duration_isnt_read(text: str):
    assert read_duration(text) is None


@given(st.integers(0, MOST))
def test_a_duration_is_read_as_it_was_written(seconds: int):
    duration = timedelta(seconds=seconds)
    assert read_duration(duration_text(duration)) == duration


@pytest.mark.parametrize(
    ("seconds", "text", "words"),
    [
        (0, "PT0S", "0 seconds"), (1, "PT1S", "1 second"), (5_400, "PT1H30M", "1 hour 30 minutes"),
        (259_200, "P3D", "3 days"), (90_061, "P1DT1H1M1S", "1 day 1 hour"),
        (86_401, "P1DT1S", "1 day"),
    ],
)  # fmt: skip
def test_durations_are_written_in_short_and_in_words(seconds: int, text: str, words: str):
    duration = timedelta(seconds=seconds)
    assert (duration_text(duration), duration_words(duration)) == (text, words)
