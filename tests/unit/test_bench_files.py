"""The made-up feeds that measurements are made with are what they say."""

import io
from collections import Counter
from zoneinfo import ZoneInfo

from bench.generate import KINDS, Kind, feed
from commerce_core.parsing.reader import open_feed
from commerce_core.parsing.record_reader import Terms

ROWS = 5_000


def lines(kind: Kind, day: int = 2) -> list[str]:
    return list(feed(ROWS, kind, day))


def test_the_same_words_give_the_same_lines():
    for kind in KINDS:
        assert lines(kind) == lines(kind)


def test_the_first_day_has_nothing_wrong():
    body = io.BytesIO("".join(lines("first")).encode())
    records = list(open_feed(body, Terms("full", "EUR", ZoneInfo("UTC"))))
    assert len(records) == ROWS
    assert not any(record.problems for record in records)
    assert len({record.sku for record in records}) == ROWS


def test_other_days_change_as_much_as_they_say():
    first = lines("first")
    wanted: dict[Kind, range] = {
        "second": range(20, 80),
        "ten": range(400, 600),
        "added_removed": range(50, 150),
    }
    for kind, changes in wanted.items():
        changed = sum(a != b for a, b in zip(first, lines(kind), strict=True))
        assert changed in changes
        assert lines(kind) != lines(kind, day=3)


def test_shuffled_lines_are_the_same_in_another_order():
    first, shuffled = lines("first"), lines("shuffled")
    assert sorted(first) == sorted(shuffled)
    assert sum(a == b for a, b in zip(first[1:], shuffled[1:], strict=True)) < 10


def test_bad_records_are_a_third_or_so_and_bad_in_five_ways():
    body = io.BytesIO("".join(lines("bad")).encode())
    records = list(open_feed(body, Terms("full", "EUR", ZoneInfo("UTC"))))
    codes = Counter(problem.code for record in records for problem in record.problems)
    wanted = {"not_a_number", "unknown_word", "missing_value", "ragged_record", "not_a_gtin"}
    assert codes.keys() == wanted
    assert 0.28 * ROWS < sum(record.rejected for record in records) < 0.32 * ROWS
