"""Blanks beside quotes belong to no cell; whatever else stands there is part of the text."""

import csv
import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from commerce_core.base.errors import FileRefused
from commerce_core.parsing.delimited import cells_of, read_delimited, unquoted
from commerce_core.parsing.quoting import closed_cell, tidy_quotes
from commerce_core.profiles.profile import DELIMITERS
from tests.support.effort import assert_effort


def rows(text: str, delimiter: str = ",") -> list[list[str] | None]:
    return [record.cells for record in read_delimited(iter((text,)), delimiter)]


@pytest.mark.parametrize(
    ("text", "cells"),
    [
        ('A,"Tea pot" ,5', ["A", "Tea pot", "5"]),
        ('A, "Tea cup",5', ["A", "Tea cup", "5"]),
        (' "A" , "Tea, green"\t,\xa0"5" ', ["A", "Tea, green", "5"]),
        ('A, "a ""b"" , c" ,5', ["A", 'a "b" , c', "5"]),
        ('A, "two\nlines" ,5', ["A", "two\nlines", "5"]),
        ('A, "",5', ["A", "", "5"]),
        ('A, "x" y,5', ["A", ' "x" y', "5"]),
        ('A, 5" pipe ,5', ["A", ' 5" pipe ', "5"]),
        (
            'A,"he said, ""so"" , and\nleft"" , then",5',
            ["A", 'he said, "so" , and\nleft" , then', "5"],
        ),
    ],
)
def test_a_quote_after_a_blank_opens_a_cell_and_a_blank_after_one_ends_nothing(
    text: str, cells: list[str]
):
    assert rows(text) == [cells]
    assert rows(f"{text}\r\nB,1,2") == [cells, ["B", "1", "2"]]


def test_a_tab_that_separates_is_no_blank():
    assert rows('A\t"x"\t \t "y" ', "\t") == [["A", "x", " ", "y"]]


def test_a_quote_that_opens_after_a_blank_and_is_never_closed_is_named():
    with pytest.raises(FileRefused) as refused:
        rows('A,"x\ny", "z\nB,1,2\n')
    assert (refused.value.code, refused.value.line) == ("unterminated_quote", 2)


CELL = st.text(st.sampled_from('a" ,;\n\t'), max_size=5)


@given(st.lists(st.lists(CELL, min_size=2, max_size=3), min_size=1, max_size=3),
       st.sampled_from(DELIMITERS), st.data())  # fmt: skip
def test_blanks_put_beside_quotes_change_no_cell(
    records: list[list[str]], delimiter: str, data: st.DataObject
):
    text = io.StringIO()
    blanks = st.sampled_from(["", " ", "  \xa0"])
    for record in records:
        quoted = ('"' + cell.replace('"', '""') + '"' for cell in record)
        text.write(delimiter.join(f"{data.draw(blanks)}{q}{data.draw(blanks)}" for q in quoted))
        text.write("\n")
    assert rows(text.getvalue(), delimiter) == records


@given(st.lists(CELL, min_size=2, max_size=3), st.sampled_from(DELIMITERS))
def test_well_quoted_lines_stay_as_they_are(record: list[str], delimiter: str):
    text = io.StringIO()
    csv.writer(text, delimiter=delimiter, quoting=csv.QUOTE_ALL).writerow(record)
    within = False
    for line in text.getvalue().splitlines(keepends=True):
        assert tidy_quotes(line, delimiter, within=within) == line
        within ^= line.count('"') % 2 == 1


def test_without_quotes_a_line_is_a_record_and_a_quote_a_character():
    records = read_delimited(iter(('"A;5" pipe\nB;"x;y"\n',)), ";", quotes=False)
    assert [record.cells for record in records] == [['"A', '5" pipe'], ["B", '"x', 'y"']]
    assert cells_of('"A;5" pipe\n', ";", quotes=False) == ['"A', '5" pipe']
    assert unquoted(['a "b"', "c;d\r\ne"], ";") == 'a "b";c d  e'
    matched = closed_cell(";", quotes=False).match('"A;5"')
    assert matched
    assert matched[0] == '"A;'


def test_quotes_without_end_take_time_by_their_length_alone():
    for part in (' """"', ', "a""', ', """",', ' "x"",'):
        assert_effort(lambda part=part: tidy_quotes(part * 20_000, ",", within=False), 200)
