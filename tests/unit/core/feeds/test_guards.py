"""Guards: their verdicts at their limits, and on either side of them."""

from decimal import Decimal
from typing import get_args

import pytest
from attrs import evolve

from commerce_core.base.errors import InvalidInput
from commerce_core.feeds.guards import (
    DEFAULT_GUARDS,
    OFF,
    Figures,
    GuardName,
    GuardResult,
    GuardSettings,
    holds,
    judge,
    worse,
)
from tests.contracts.samples import figures

QUIET = figures(before=100, records=100, last_records=100, met=100, in_stock=100)
SMALL = {"before": 10, "last_records": 10, "records": 4, "removed": 6}
SEVERITIES: dict[GuardName, str] = {
    "removals": "hold", "file_size": "hold", "columns_gone": "hold", "rekeyed": "hold",
    "price_median": "hold", "price_leap": "warn", "out_of_stock": "warn", "truncated": "hold",
}  # fmt: skip


def tripped(figures: Figures, settings: GuardSettings = DEFAULT_GUARDS) -> list[str]:
    return [result.guard for result in judge(figures, settings) if result.tripped]


def said(name: str, figures: Figures) -> GuardResult:
    return next(result for result in judge(figures, DEFAULT_GUARDS) if result.guard == name)


def test_a_feed_that_changes_nothing_trips_nothing():
    assert tripped(QUIET) == []
    assert all(not result.value for result in judge(QUIET, DEFAULT_GUARDS))


@pytest.mark.parametrize(
    ("guard", "within", "beyond"),
    [
        ("removals", {"removed": 20}, {"removed": 21}),
        ("removals", {"before": 50, "removed": 10}, {"before": 50, "removed": 11}),
        ("removals", {"before": 49, "removed": 49}, {"before": 50, "removed": 50}),
        ("file_size", {"records": 50}, {"records": 49}),
        ("file_size", {"last_records": 49, "records": 1}, {"last_records": 50, "records": 1}),
        ("file_size", {"last_records": None, "records": 1}, {"last_records": 100, "records": 1}),
        ("file_size", {**SMALL, "records": 5}, {**SMALL, "records": 4}),
        ("file_size", {**SMALL, "removed": 4}, {**SMALL, "removed": 5}),
        ("file_size", {**SMALL, "last_records": 8}, {**SMALL, "last_records": 9}),
        ("columns_gone", {"columns_gone": ()}, {"columns_gone": ("brand",)}),
        ("rekeyed", {"rekeyed": 20}, {"rekeyed": 21}),
        ("rekeyed", {"before": 9, "rekeyed": 9}, {"before": 10, "rekeyed": 10}),
        ("price_median", {"moved": 50, "median_move": 2_000}, {"moved": 50, "median_move": 2_001}),
        ("price_median", {"moved": 49, "median_move": 9_000}, {"moved": 50, "median_move": 9_000}),
        (
            "price_median",
            {"moved": 60, "met": 601, "median_move": 9_000},
            {"moved": 60, "met": 600, "median_move": 9_000},
        ),
        ("price_leap", {"leaps": 0}, {"leaps": 1}),
        ("out_of_stock", {"sold_out": 20}, {"sold_out": 21}),
        ("out_of_stock", {"in_stock": 49, "sold_out": 49}, {"in_stock": 50, "sold_out": 50}),
    ],
)
def test_a_guard_trips_beyond_its_limit_and_not_at_it(
    guard: GuardName, within: dict[str, object], beyond: dict[str, object]
):
    assert tripped(evolve(QUIET, **within)) == []
    assert tripped(evolve(QUIET, **beyond)) == [guard]
    assert tripped(evolve(QUIET, **beyond), OFF) == []
    assert said(guard, evolve(QUIET, **beyond)).severity == SEVERITIES[guard]


def test_every_guard_is_judged_here():
    assert set(SEVERITIES) == set(get_args(GuardName))


def test_a_result_has_the_number_the_limit_and_a_sentence():
    result = said("removals", evolve(QUIET, before=1000, removed=265))
    assert (result.value, result.limit) == (Decimal("26.50"), Decimal(20))
    assert result.detail == "265 of 1,000 products would be removed."


def test_a_file_that_is_cut_off_is_held_if_there_is_anything_to_lose_whatever_is_set():
    cut = evolve(QUIET, cut_off=True)
    for settings in (DEFAULT_GUARDS, OFF):
        (result,) = holds(judge(cut, settings))
        assert (result.guard, result.value) == ("truncated", Decimal(1))
        assert "Send the whole file again" in result.detail
    assert tripped(evolve(cut, before=0)) == []


def test_sold_out_and_leaping_prices_never_hold():
    wild = evolve(QUIET, sold_out=100, leaps=100)
    assert tripped(wild) == ["price_leap", "out_of_stock"]
    assert holds(judge(wild, DEFAULT_GUARDS)) == ()


def judged(**changes: object) -> tuple[GuardResult, ...]:
    return judge(evolve(QUIET, **changes), DEFAULT_GUARDS)


@pytest.mark.parametrize(
    ("now", "is_worse"),
    [
        ({"removed": 30}, False),
        ({"removed": 29}, False),
        ({"removed": 31}, True),
        ({"removed": 0}, False),
        ({"removed": 30, "sold_out": 100}, False),
        ({"removed": 30, "columns_gone": ("brand",)}, True),
        ({"removed": 19, "records": 90}, False),
    ],
)
def test_what_was_approved_covers_as_much_and_no_more(now: dict[str, object], *, is_worse: bool):
    assert worse(judged(**now), judged(removed=30)) is is_worse


@pytest.mark.parametrize(
    "wrong",
    [
        {"removals": -1},
        {"removals": 10_001},
        {"price_leap": 1},
        {"price_leap": 1_001},
        {"judged_from": 0},
    ],
)
def test_settings_that_make_no_sense_are_refused_all_at_once(wrong: dict[str, int]):
    with pytest.raises(InvalidInput) as refused:
        evolve(DEFAULT_GUARDS, **wrong, file_size=-5)
    assert {fault.pointer for fault in refused.value.faults} == {
        f"/{next(iter(wrong))}",
        "/file_size",
    }
