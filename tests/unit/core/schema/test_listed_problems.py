"""Of a job's problems those are listed that a person needs: errors, and not the same all over."""

from functools import reduce

from hypothesis import given
from hypothesis import strategies as st

from commerce_core.schema.listed_problems import MOST_ALIKE, listed
from commerce_core.schema.problems import Problem

CODES = ("not_a_number", "negative_quantity", "gtin_check_digit")


def problem(line: int, code: str, column: str = "x") -> Problem:
    return Problem.of(code, line=line, column=column)


def test_warnings_that_are_alike_are_listed_up_to_a_number():
    """Alike are those of one code in one column; errors are all listed."""
    for times, left in ((MOST_ALIKE, MOST_ALIKE), (MOST_ALIKE + 1, MOST_ALIKE)):
        same = [problem(line, "exponent_number", "price") for line in range(times)]
        other = [problem(times, "exponent_number", "sale_price")]
        assert listed([*same, *other], 1_000) == [*same[:left], *other]
    errors = [problem(line, "not_a_number") for line in range(MOST_ALIKE + 1)]
    assert listed(errors, 1_000) == errors


def test_errors_come_before_warnings():
    """Where there are as many as can be listed, there are no warnings."""
    some = [problem(line, CODES[line % 2]) for line in range(8)]
    assert [p.line for p in listed(some, 5)] == [0, 1, 2, 4, 6]
    assert [p.line for p in listed(some, 3)] == [0, 2, 4]


MANY = st.lists(st.builds(problem, st.integers(0, 20), st.sampled_from(CODES)), max_size=40)


@given(st.lists(MANY, max_size=4), st.integers(1, 9), st.integers(1, 4))
def test_a_list_can_be_made_bit_by_bit(parts: list[list[Problem]], limit: int, alike: int):
    """What isn't listed of a part isn't listed of the whole, wherever its lines are."""

    def more(kept: list[Problem], part: list[Problem]) -> list[Problem]:
        return listed(sorted((*kept, *part), key=lambda p: p.line), limit, alike)

    at_once = sorted((p for part in parts for p in part), key=lambda p: p.line)
    assert reduce(more, parts, list[Problem]()) == listed(at_once, limit, alike)
