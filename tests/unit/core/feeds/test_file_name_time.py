"""The moment that a file's name tells by a pattern."""

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from commerce_core.feeds.file_name_time import LONGEST_PATTERN, moment_named, pattern_fault

JUNE = datetime(2026, 6, 17, 14, 30, tzinfo=UTC)


@pytest.mark.parametrize(
    ("pattern", "name", "zone"),
    [
        ("catalog-{YYYY}{MM}{DD}-{hh}{mm}.csv", "catalog-20260617-1430.csv", "UTC"),
        ("catalog-{YYYY}{MM}{DD}-{hh}{mm}.csv", "catalog-20260617-1630.csv", "Europe/Rome"),
        ("catalog-{YYYY}{MM}{DD}-{hh}{mm}.csv", "CATALOG-20260617-1430.CSV.gz", "UTC"),
        ("*_{DD}.{MM}.{YY} {hh}h{mm}.csv.zip", "a [1]_17.06.26 14h30.csv.zip", "UTC"),
        (
            "*{YYYY}-{MM}-{DD}T{hh}-{mm}-{ss}{zone}*",
            "x2026-06-17T16-30-00+0200.jsonl",
            "Asia/Tokyo",
        ),
        ("*{YYYY}-{MM}-{DD}T{hh}-{mm}-{ss}{zone}*", "2026-06-17T14-30-00Z", "Asia/Tokyo"),
        ("export_{unix}.csv", "export_1781706600.csv", "Asia/Tokyo"),
        ("export_{unix}.csv", "export_1781706600000.csv", "Asia/Tokyo"),
    ],
)
def test_the_time_in_a_name_is_in_the_partners_time_zone(pattern: str, name: str, zone: str):
    assert pattern_fault(pattern) is None
    assert moment_named(pattern, name, zone) == JUNE


def test_a_day_alone_is_its_first_moment():
    moment = moment_named("{YYYY}{MM}{DD}.csv", "20260617.csv", "America/New_York")
    assert moment == datetime(2026, 6, 17, 4, tzinfo=UTC)


def test_a_time_that_the_clocks_pass_twice_is_the_first():
    moment = moment_named("{YYYY}{MM}{DD}{hh}{mm}", "202610250230", "Europe/Rome")
    assert moment == datetime(2026, 10, 25, 0, 30, tzinfo=UTC)


@pytest.mark.parametrize(
    "name",
    ["stock-20260617.csv", "catalog-2026061.csv", "catalog-20261317.csv", "catalog-00000101.csv",
     "catalog-20260617.csv.bak", "catalog-２０２６0617.csv"],
)  # fmt: skip
def test_a_name_that_does_not_match_has_no_time(name: str):
    assert moment_named("catalog-{YYYY}{MM}{DD}.csv", name, "UTC") is None


@pytest.mark.parametrize(
    ("pattern", "why"),
    [
        ("", "1 to"),
        ("x" * (LONGEST_PATTERN + 1), "1 to"),
        ("a\n{YYYY}{MM}{DD}", "printable"),
        ("catalog.csv", "a day by"),
        ("{YYYY}{MM}.csv", "a day by"),
        ("{YYYY}{YY}{MM}{DD}", "a day by"),
        ("{YYYY}{MM}{DD}{mm}", "a day by"),
        ("{unix}{hh}", "a day by"),
        ("{YYYY}{MM}{DD}{DD}", "once"),
        ("{YYYY}{MM}{DD}{day}", "no part {day}"),
        ("{YYYY}{MM}{DD}{", "brace"),
        ("{YYYY}{MM}{DD}}", "brace"),
        ("{YYYY}{MM}{DD}{}", "brace"),
        ("*a*b*{YYYY}{MM}{DD}", "stars"),
    ],
)
def test_a_pattern_without_a_moment_is_refused_with_the_reason(pattern: str, why: str):
    fault = pattern_fault(pattern)
    assert fault is not None
    assert why in fault.detail


@given(st.text(max_size=40) | st.sampled_from(["*{YYYY}{MM}{DD}*", "{unix}*"]), st.text())
def test_whatever_pattern_is_allowed_answers_about_any_name(pattern: str, name: str):
    if pattern_fault(pattern) is None:
        told = moment_named(pattern, name, "Europe/Rome")
        assert told is None or told.tzinfo is UTC


def test_no_name_keeps_a_pattern_busy_for_long():
    """The work grows with the square of a name's length, of which there are 255 characters."""
    assert moment_named("*0*0{YYYY}{MM}{DD}", "0" * 254 + "x", "UTC") is None
