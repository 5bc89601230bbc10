"""Summaries as lists of jobs show them."""

import pytest

from commerce_core.feeds.summary import CHARACTERS_SHOWN, MOST_SHOWN, Drift, Summary


def test_a_summary_of_usual_size_is_shown_whole():
    columns = tuple(f"column {n}" for n in range(MOST_SHOWN))
    whole = Summary(columns=columns, mapping={"sku": "column 0"}, made_of={"sku": ("column 0",)})
    assert whole.brief() is whole


def test_of_many_columns_a_list_shows_the_first_and_counts_the_others():
    columns = tuple(f"c{n}" for n in range(MOST_SHOWN + 2))
    brief = Summary(columns=columns, unused_columns=columns[1:], records_read=7).brief()
    assert brief.columns == columns[:MOST_SHOWN]
    assert brief.unused_columns == columns[1 : MOST_SHOWN + 1]
    assert (brief.left_out, brief.records_read) == (3, 7)
    assert brief.brief() is brief


@pytest.mark.parametrize(("length", "shown"), [(CHARACTERS_SHOWN // 2, 2), (1001, 1)])
def test_of_long_names_it_shows_as_many_as_have_room(length: int, shown: int):
    names = [f"{n}{'x' * (length - 1)}" for n in range(2)]
    drift = tuple(Drift("column_added", name, None, "") for name in names)
    brief = Summary(
        columns=tuple(names),
        mapping={"": names[0]},
        errors_by_column=dict.fromkeys(names, 1),
        drift=drift,
        made_of={"": (names[0][:-1], "x"), "a": tuple(names[1:])},
    ).brief()
    assert brief.columns == tuple(names[:shown])
    assert brief.errors_by_column == dict.fromkeys(names[:shown], 1)
    assert brief.drift == drift[:shown]
    assert brief.mapping == {"": names[0]}
    assert brief.made_of == {"": (names[0][:-1], "x")}  # "a" is one character more
    assert brief.left_out == (1 if shown == 2 else 4)
