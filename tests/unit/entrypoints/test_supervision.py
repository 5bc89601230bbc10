"""Processes that are kept alive: how long the pauses between their starts are."""

from hypothesis import given
from hypothesis import strategies as st

from entrypoints.supervision import FIRST_PAUSE, LIVED_LONG, LONGEST_PAUSE, Pauses


def test_pauses_double_up_to_the_longest():
    pauses = Pauses()
    found = [pauses.after(1.0) for _ in range(9)]
    assert found == [0.5, 1.0, 2.0, 4.0, 8.0, 8.0, 8.0, 8.0, 8.0]


def test_who_lived_long_begins_with_the_first_pause_again():
    pauses = Pauses()
    for _ in range(5):
        pauses.after(1.0)
    assert [pauses.after(LIVED_LONG), pauses.after(1.0)] == [FIRST_PAUSE, 2 * FIRST_PAUSE]


@given(st.lists(st.floats(0, 1e6)))
def test_no_pause_is_shorter_than_the_first_or_longer_than_the_longest(lives: list[float]):
    pauses = Pauses()
    for lived in lives:
        assert FIRST_PAUSE <= pauses.after(lived) <= LONGEST_PAUSE
