"""Problems are grouped by code, column and shape, and each group shows where it begins."""

import io

import pytest

from commerce_core.schema.problem_groups import LONGEST_SHAPE, SAMPLES, grouped, shape_of
from commerce_core.schema.problems import Problem
from commerce_core.usecases.jobs import LAST_LINE_SHOWN
from entrypoints.compose import open_platform
from entrypoints.settings import Settings


@pytest.mark.parametrize(
    ("value", "shape"),
    [
        ("4,20", "9,99"),
        ("EUR 12", "AAA 99"),
        ("Kaffee", "Aaaa…"),
        ("1234567", "999…"),
        ("a\u202eb\x07", "a a "),
        ("", ""),
        (None, ""),
        ("ß٣Ä", "a9A"),
    ],
)
def test_a_shape_tells_digits_letters_and_signs_apart(value: str | None, shape: str):
    assert shape_of(value) == shape


def test_a_shape_is_never_long():
    assert len(shape_of("a1" * 5_000)) == LONGEST_SHAPE
    assert len(shape_of("a1" * (LONGEST_SHAPE // 2))) == LONGEST_SHAPE


def problem(line: int, value: str, code: str = "not_a_number", column: str = "Preis") -> Problem:
    return Problem.of(code, line=line, column=column, field="price", value=value)


def test_groups_come_with_errors_and_the_largest_first():
    found = grouped(
        [
            problem(2, "x", "gtin_check_digit", "EAN"),
            problem(3, "4,20"),
            problem(4, "kostenlos"),
            *(problem(line, "5,30") for line in range(5, 9)),
        ],
        {"not_a_number": 98, "gtin_check_digit": 2},
    )
    assert [(g.code, g.shape, g.count) for g in found.groups] == [
        ("not_a_number", "9,99", 5),
        ("not_a_number", "aaa…", 1),
        ("gtin_check_digit", "a", 1),
    ]
    assert (found.kept, found.total) == (7, 100)
    assert [sample.line for sample in found.groups[0].samples] == [3, 5, 6]
    assert len(found.groups[0].samples) == SAMPLES


def test_samples_have_their_records_as_they_are_in_the_file():
    rows = [f"A-{n},Lamp {n},5" for n in range(LAST_LINE_SHOWN)]
    rows[1] = 'A-1,"Lamp, red","4,2o"'
    rows[-1] = "A-9,Late,x"
    content = "\n".join(["sku,name,price", *rows]).encode()
    with open_platform(Settings(database_url="memory:")) as commerce:
        commerce.partners.add("Acme", currency="EUR")
        job = commerce.feeds.load(io.BytesIO(content), partner="Acme")
        found = commerce.jobs.problem_groups(job.job_id, raw=True)
        assert commerce.jobs.problem_groups(job.job_id).groups[0].samples[0].raw is None
    by_shape = {group.shape: group.samples[0] for group in found.groups}
    assert by_shape["9,9a"].raw == 'A-1,"Lamp, red","4,2o"'
    assert (by_shape["a"].line, by_shape["a"].raw) == (LAST_LINE_SHOWN + 1, None)
