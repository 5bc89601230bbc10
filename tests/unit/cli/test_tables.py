"""Tables fit where they are shown, and what partners wrote can't play tricks on a terminal."""

from collections.abc import Sequence
from datetime import datetime, timedelta, timezone
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from entrypoints.cli.kit.console import Console
from entrypoints.cli.kit.output import Output, duration, moment, money, plural, size
from entrypoints.cli.kit.tables import Column, fitted, text_width, tidy, whole

Row = tuple[str, str, str]
COLUMNS: Sequence[Column[Row]] = [
    Column("id", lambda row: row[0]),
    Column("name", lambda row: row[1], crops=True),
    Column("price", lambda row: row[2], right=True),
]
ROWS = [("a-1", "Lamp", "12.50 EUR"), ("a-22", "A very long name of a lamp", "1,250.00 EUR")]


def test_a_pipe_gets_whole_lines() -> None:
    assert list(whole(ROWS, COLUMNS)) == [
        "id    name                               price",
        "a-1   Lamp                           12.50 EUR",
        "a-22  A very long name of a lamp  1,250.00 EUR",
    ]


def test_a_long_list_is_written_while_it_is_read() -> None:
    endless = (("a", str(n), "") for n in iter(int, 1))
    assert next(whole(endless, COLUMNS)).startswith("id")


def test_ids_stay_whole_and_names_give_way() -> None:
    titles, rule, lines = fitted(ROWS, COLUMNS, 32)
    assert titles == "id    name                 price"
    assert len(rule) == 32
    assert lines == [
        "a-1   Lamp             12.50 EUR",
        "a-22  A very long…  1,250.00 EUR",
    ]


def test_a_column_waits_for_room() -> None:
    columns = [*COLUMNS, Column[Row]("more", lambda row: row[0] * 2, from_width=60)]
    assert "more" not in fitted(ROWS, columns, 59)[0]
    assert "more" in fitted(ROWS, columns, 60)[0]


def test_cells_that_wrap_continue_below() -> None:
    columns = [
        Column[Row]("id", lambda row: row[0]),
        Column[Row]("hint", lambda row: row[1], wraps=True),
    ]
    assert fitted(ROWS, columns, 19)[2] == [
        "a-1   Lamp",
        "a-22  A very long",
        "      name of a",
        "      lamp",
    ]


def test_wide_characters_take_two_columns() -> None:
    rows = [("a", "日本のランプ", "1 JPY"), ("b", "e\u0301te\u0301", "2 JPY")]
    assert {text_width(line) for line in whole(rows, COLUMNS)} == {23}
    cut = fitted([("a", "日本のランプです", "1 JPY")], COLUMNS, 20)[2]
    assert [text_width(line) for line in cut] == [20]


@given(st.lists(st.tuples(st.text(max_size=40), st.text(max_size=90), st.text(max_size=9))))
def test_a_row_is_a_line_whatever_it_holds(rows: list[Row]) -> None:
    lines = list(whole(rows, COLUMNS))
    assert len(lines) == len(rows) + 1
    assert all(len(line.splitlines()) <= 1 for line in lines)


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("plain", "plain"),
        ("\x1b[2J\x07gone", " [2J gone"),
        ("two\r\nlines\u2028three", "two  lines three"),
        ("\u202egnp.exe", " gnp.exe"),
        ("👨\u200d👩", "👨\u200d👩"),
    ],
)
def test_nothing_in_a_text_moves_the_cursor_or_hides_words(text: str, shown: str) -> None:
    assert tidy(text) == shown


@pytest.mark.parametrize(
    ("amount", "currency", "shown"),
    [
        (Decimal("1250.00"), "EUR", "1,250.00 EUR"),
        (Decimal(80), "JPY", "80 JPY"),
        (Decimal("80.000"), "KWD", "80.000 KWD"),
        (Decimal("1E+3"), "JPY", "1,000 JPY"),
        (Decimal(5), None, "5"),
        (None, "EUR", ""),
    ],
)
def test_money_stands_beside_its_currency(
    amount: Decimal | None, currency: str | None, shown: str
) -> None:
    assert money(amount, currency) == shown


def test_figures_are_short_and_clear() -> None:
    assert (
        moment(datetime(2026, 3, 31, 1, 5, tzinfo=timezone(timedelta(hours=2))))
        == "2026-03-30 23:05"
    )
    assert moment(None) == ""
    assert [size(n) for n in (0, 999, 1_000, 97_800, 5_100_000_000_000)] == [
        "0 bytes", "999 bytes", "1.0 kB", "97.8 kB", "5100.0 GB",
    ]  # fmt: skip
    assert [duration(s) for s in (0.0004, 0.25, 1, 61.24)] == ["0 ms", "250 ms", "1.0 s", "61.2 s"]
    assert [plural(n, "order") for n in (0, 1, 1_200)] == ["0 orders", "1 order", "1,200 orders"]


def on_a_terminal(monkeypatch: pytest.MonkeyPatch, columns: int) -> Output:
    monkeypatch.setenv("COLUMNS", str(columns))
    out = Output(as_json=False)
    out.terminal = True
    return out


@pytest.mark.parametrize("columns", [40, 80, 120])
def test_nothing_is_wider_than_the_terminal(
    columns: int, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    out = on_a_terminal(monkeypatch, columns)
    out.many(ROWS * 60, COLUMNS, None, "none")
    out.fields([("name", "word " * 40), ("none", "")])
    console = Console(out, "commerce")
    console.paragraph("word " * 60)
    console.bars(ROWS, lambda row: row[0], lambda row: Decimal(len(row[1])), lambda row: row[2])
    printed, notices = capsys.readouterr()
    assert max(map(len, printed.splitlines())) <= columns
    assert notices == "Only 50 rows shown; use --limit to show more.\n"


def test_bars_are_proportional_to_their_amounts(capsys: pytest.CaptureFixture[str]) -> None:
    rows = [("a", "4"), ("b", "2"), ("c", "0"), ("d", "-1")]
    Console(Output(as_json=False), "commerce").bars(
        rows, lambda row: row[0], lambda row: Decimal(row[1]), lambda row: row[1]
    )
    lengths = [line.count("#") for line in capsys.readouterr().out.splitlines()]
    assert lengths[0] > 20
    assert abs(lengths[0] - 2 * lengths[1]) <= 1
    assert lengths[2:] == [0, 0]
