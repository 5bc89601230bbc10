"""What can be declared about a source's files, and its limits."""

from datetime import date, timedelta
from typing import Any

import pytest
from attrs import evolve

from commerce_core.base.errors import InvalidInput
from commerce_core.feeds.freshness_settings import (
    LONGEST_EVERY,
    LONGEST_GRACE,
    LONGEST_SELLING,
    MOST_DAYS_OFF,
    SHORTEST_EVERY,
    SHORTEST_SELLING,
    WEEKDAYS,
    Expected,
)
from tests.contracts import samples

SECOND, DAY = timedelta(seconds=1), timedelta(days=1)
SOURCE = samples.source(samples.partner())


@pytest.mark.parametrize(
    "declared",
    [
        {"every": SHORTEST_EVERY}, {"every": LONGEST_EVERY}, {"grace": 0 * DAY},
        {"grace": LONGEST_GRACE}, {"weekdays_off": WEEKDAYS[:6]}, {"cron": "0 6 * * *"},
        {"dates_off": tuple(date(2026, 1, 1) + n * DAY for n in range(MOST_DAYS_OFF))},
        {"time_zone": "Asia/Kathmandu"}, {"cron": "0 6 * * *", "time_zone": "Asia/Kathmandu"},
    ],
)  # fmt: skip
def test_what_is_within_the_limits_is_expected(declared: dict[str, Any]):
    assert evolve(SOURCE, expected=Expected(**declared)).expected == Expected(**declared)


@pytest.mark.parametrize(
    ("declared", "pointer", "code"),
    [
        ({"every": SHORTEST_EVERY - SECOND}, "/expected/every", "bad_every"),
        ({"every": LONGEST_EVERY + SECOND}, "/expected/every", "bad_every"),
        ({"every": timedelta(hours=1, microseconds=1)}, "/expected/every", "bad_every"),
        ({"every": DAY, "cron": "0 6 * * *"}, "/expected/every", "bad_every"),
        ({"grace": -SECOND}, "/expected/grace", "bad_grace"),
        ({"grace": LONGEST_GRACE + SECOND}, "/expected/grace", "bad_grace"),
        ({"weekdays_off": WEEKDAYS}, "/expected/weekdays_off", "bad_weekdays"),
        ({"weekdays_off": ("mon", "mon")}, "/expected/weekdays_off", "bad_weekdays"),
        ({"weekdays_off": ("monday",)}, "/expected/weekdays_off", "bad_weekdays"),
        (
            {"dates_off": (date(2026, 1, 1),) * (MOST_DAYS_OFF + 1)},
            "/expected/dates_off",
            "too_many",
        ),
        ({"cron": "0 6 * *"}, "/expected/cron", "bad_cron"),
        ({"cron": "0 6 * * *", "time_zone": "Mars"}, "/expected/time_zone", "bad_time_zone"),
        ({"time_zone": "Mars"}, "/expected/time_zone", "bad_time_zone"),
        ({"time_zone": ""}, "/expected/time_zone", "bad_time_zone"),
    ],
)
def test_what_is_beyond_them_is_refused_where_it_stands(
    declared: dict[str, Any], pointer: str, code: str
):
    with pytest.raises(InvalidInput) as refused:
        Expected(**declared)
    assert [(fault.pointer, fault.code) for fault in refused.value.faults] == [(pointer, code)]


@pytest.mark.parametrize("limit", [SHORTEST_SELLING, LONGEST_SELLING, None])
def test_a_source_may_limit_how_old_its_products_become(limit: timedelta | None):
    assert evolve(SOURCE, stop_selling_after=limit).stop_selling_after == limit


@pytest.mark.parametrize("limit", [SHORTEST_SELLING - SECOND, LONGEST_SELLING + SECOND])
def test_but_not_to_less_or_more_than_makes_sense(limit: timedelta):
    with pytest.raises(InvalidInput) as refused:
        evolve(SOURCE, stop_selling_after=limit)
    assert [fault.pointer for fault in refused.value.faults] == ["/stop_selling_after"]
