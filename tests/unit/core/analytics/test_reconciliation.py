"""What reconciliation says of identities: all of them, and the first of those that fail."""

from decimal import Decimal
from pathlib import Path
from typing import get_args

from commerce_core.analytics.reconciliation import (
    IDENTITIES,
    MOST_FAILURES,
    Compared,
    Identity,
    complete,
    judged,
)
from tests.contracts.samples import T0

PAGE = Path(__file__).parents[4] / "docs/reference/statements.md"


def compared(number: int, left: str, right: str) -> Compared:
    return Compared("lines_make_orders", f"ord_{number:032x}", Decimal(left), Decimal(right))


def test_every_identity_is_reported_those_with_nothing_to_compare_too():
    found = complete(judged([compared(1, "2.50", "2.50")]), T0)
    assert [check.identity for check in found.checks] == list(get_args(Identity))
    assert found.ok
    assert [check.compared for check in found.checks if check.compared] == [1]


def test_one_subject_that_differs_is_enough_and_is_named_with_both_figures():
    """Also if the sums of both sides are equal, since one fault makes up for the other."""
    rows = [compared(1, "2.50", "3.50"), compared(2, "3.50", "2.50"), compared(3, "1", "1.00")]
    found = complete(judged(rows), T0)
    check = found.checks[0]
    assert not found.ok
    assert (check.compared, check.failed, check.left_sum) == (3, 2, check.right_sum)
    assert [(row.subject[-1], str(row.left)) for row in check.failures] == [
        ("1", "2.50"),
        ("2", "3.50"),
    ]


def test_the_first_failures_by_subject_are_listed_and_all_are_counted():
    rows = [compared(number, "1", "2") for number in reversed(range(MOST_FAILURES + 1))]
    check = judged(rows)["lines_make_orders"]
    assert (check.failed, len(check.failures)) == (MOST_FAILURES + 1, MOST_FAILURES)
    assert check.failures[0].subject == f"ord_{0:032x}"


def test_the_reference_lists_each_identity_with_what_it_compares():
    text = PAGE.read_text("utf-8")
    for identity, (left, right) in IDENTITIES.items():
        assert f"| `{identity}` | {left} | {right} |" in text
