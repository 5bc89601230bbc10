"""Whole records: the rules that span cells, and records that aren't as they should be."""

import io
from datetime import UTC, datetime
from decimal import Decimal
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings

from adapters.polars_feeds import PolarsEngine
from commerce_core.base.errors import FileRefused
from commerce_core.parsing.objects import OBJECTS_LOOKED_AT
from commerce_core.parsing.reader import open_feed
from commerce_core.parsing.record_reader import Terms
from commerce_core.parsing.reference import ReferenceEngine
from commerce_core.profiles.profile import CANONICAL, Column, Profile
from commerce_core.schema.fields import LONGEST_CELL, Mode
from commerce_core.schema.problems import LONGEST_SHOWN_VALUE, PROBLEMS, Problem
from commerce_core.schema.record import Record
from tests.support.effort import assert_effort
from tests.support.examples import scaled
from tests.support.strategies import FeedFile, feed_files

UTC_ZONE = ZoneInfo("UTC")


def read(text: str, mode: Mode = "delta", currency: str | None = "EUR") -> list[Record]:
    stream = io.BytesIO(text.encode())
    return list(open_feed(stream, Terms(mode, currency, UTC_ZONE)))


def one(text: str, mode: Mode = "delta", currency: str | None = "EUR") -> Record:
    (record,) = read(text, mode, currency)
    return record


def codes(record: Record) -> list[str]:
    return [problem.code for problem in record.problems]


def refusal(text: str, mode: Mode = "delta") -> FileRefused:
    with pytest.raises(FileRefused) as refused:
        read(text, mode)
    return refused.value


# --- the header -----------------------------------------------------------------------------------


def test_a_header_may_follow_blank_lines_and_keeps_its_line():
    assert one("\n , \nsku,quantity\nA,1\n") == Record(4, "A", {"quantity": 1})
    refused = refusal("\n\nprice\n1\n")
    assert (refused.code, refused.line) == ("missing_column", 3)


@pytest.mark.parametrize("text", ["", "\n", " \n\xa0\n,,\n", "\ufeff", '""\n'])
def test_a_file_of_blank_lines_is_empty(text: str):
    assert refusal(text).code == "empty"


def test_a_header_alone_has_no_records():
    assert read("sku,product_name\n", "full") == []


def test_a_header_with_broken_quotes_is_none():
    refused = refusal('\n"sku"x,name\nA,1\n')
    assert (refused.code, refused.line) == ("no_header", 2)


def test_a_refusal_comes_when_its_line_is_reached():
    records = iter(open_feed(io.BytesIO(b'sku\nA\n"B\n'), Terms("delta", None, UTC_ZONE)))
    assert next(records).sku == "A"
    with pytest.raises(FileRefused):
        next(records)


# --- values ---------------------------------------------------------------------------------------


def test_a_record_has_the_fields_whose_columns_the_file_has():
    record = one("SKU,Title,Qty,whatever\n 'A-1 , Chair ,5,x\n")
    assert record == Record(2, "A-1", {"product_name": "Chair", "quantity": 5})


def test_a_blank_cell_is_missing_and_a_column_that_is_not_there_says_nothing():
    record = one("sku,product_name,brand,quantity\nA,Chair,\u200b ,\n")
    assert record.values == {"product_name": "Chair", "brand": None, "quantity": None}


def test_each_unreadable_cell_is_one_problem_in_the_order_of_the_schema():
    record = one("quantity,GTIN code,gtin,sku,image_url\n1.5,x,12,A,ftp://x\n")
    assert [(p.field, p.column, p.code, p.value) for p in record.problems] == [
        ("gtin", "gtin", "not_a_gtin", "12"),
        ("quantity", "quantity", "not_a_whole_number", "1.5"),
        ("image_url", "image_url", "not_a_url", "ftp://x"),
    ]
    assert record.rejected
    assert record.values == {}


def test_a_warning_rejects_nothing():
    record = one("sku,quantity,gtin\nA,-3,4006381333930\n")
    assert codes(record) == ["gtin_check_digit", "negative_quantity"]
    assert not record.rejected
    assert record.values == {"quantity": 0, "gtin": "4006381333930"}


def test_what_is_shown_of_a_cell_is_cut_and_has_no_nul():
    (problem,) = one(f"sku,price\nA,{'x' * 500}\n").problems
    assert problem.value == "x" * LONGEST_SHOWN_VALUE
    (problem,) = one("sku,product_name\nA," + "B" * 60 + "\0\n").problems
    assert (problem.code, problem.value) == ("nul_character", "B" * 60 + "\ufffd")


def test_a_cell_has_a_length():
    assert one(f"sku,description\nA,{'x' * LONGEST_CELL}\n").problems == ()
    assert codes(one(f"sku,description\nA,{'x' * (LONGEST_CELL + 1)}\n")) == ["oversized_cell"]
    assert one(f"sku,other\nA,{'x' * (LONGEST_CELL + 1)}\n").problems == ()


# --- skus -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("cell", "code", "value"),
    [
        ("", "missing_value", None),
        (" \xa0", "missing_value", None),
        ("'", "missing_value", "'"),
        ("x" * 256, "too_long", "x" * 200),
        ("A" * 60 + "\0", "nul_character", "A" * 60 + "\ufffd"),
    ],
)
def test_a_sku_that_cannot_be_read_rejects_its_record(cell: str, code: str, value: str | None):
    record = one(f"sku,product_name\n{cell},Chair\n")
    assert record.sku is None
    assert record.rejected
    (problem,) = record.problems
    assert (problem.code, problem.field, problem.column) == (code, "sku", "sku")
    assert problem.value == value


def test_a_leading_apostrophe_is_the_spreadsheets():
    assert [r.sku for r in read("sku,x\n'007,\n007,\n''7,\n")] == ["007", "007", "'7"]


# --- keys that come late --------------------------------------------------------------------------

FIRST = '{"sku": "A", "product_name": "Cup", "price": 5}\n' * OBJECTS_LOOKED_AT


def late(key: str, value: str, mode: Mode = "delta") -> list[Problem]:
    """The problems of a record behind those that the header is made of, with one more key."""
    record = f'{{"sku": "Z", "product_name": "Pot", "{key}": {value}}}\n'
    *_, last = read(FIRST + record, mode)
    assert last.sku == "Z"
    assert codes(read(record + FIRST, mode)[0]) == []
    return list(last.problems)


@pytest.mark.parametrize("key", ["sale_price", "Sale-Price", "special_price", "Sale price (EUR)"])
def test_a_value_whose_key_comes_after_the_header_is_made_is_not_lost_in_silence(key: str):
    (problem,) = late(key, "4")
    assert (problem.code, problem.severity) == ("late_key", "error")
    assert (problem.line, problem.column, problem.value) == (OBJECTS_LOOKED_AT + 1, key, "4")


@pytest.mark.parametrize("key", ["colour", "list_price"])
def test_a_late_key_that_nothing_uses_is_no_loss(key: str):
    """An alias isn't used beside a column with the field's own name."""
    assert late(key, "4") == []


def test_a_late_key_without_a_value_is_a_loss_only_where_it_would_clear_the_field():
    assert [problem.code for problem in late("quantity", "null")] == ["late_key"]
    assert late("quantity", "null", "full") == []


def test_a_late_alias_beside_another_one_is_as_unclear_as_an_early_one():
    (problem,) = [
        problem
        for record in read(FIRST.replace("price", "unit_price") + '{"sku":"Z","list_price":4}')
        for problem in record.problems
    ]
    assert problem.code == "late_key"


# --- the end of the file --------------------------------------------------------------------------


@pytest.mark.parametrize("last", ["A-2", "A-2,", "A-2,Cu", '"A-2"', '"A-2",Cup'])
def test_a_short_record_with_which_the_file_ends_was_cut_off_and_has_no_sku(last: str):
    """Its last cell may be half of one; with the end of a line it is merely too short."""
    head = "sku,product_name,price\nA-1,Cup,5\n"
    assert [codes(record) for record in read(head + last)] == [[], ["truncated_record"]]
    assert read(head + last)[-1].sku is None
    for end in ("\n", "\r\n", "\r"):
        record = read(head + last + end)[-1]
        assert (record.sku, codes(record)) == ("A-2", ["ragged_record"])


@pytest.mark.parametrize(
    "message",
    [
        "<b>Fatal error</b>:  Allowed memory size of 134217728 bytes exhausted on line 5<br />",
        "PHP Warning:  Undefined array key 3, in /export.php on line 12",
        "Traceback (most recent call last):",
        "ERROR 2013 (HY000): Lost connection to server during query",
        "<html><head><title>504 Gateway Time-out</title></head>",
    ],
)
def test_a_record_that_is_an_error_message_cuts_the_file_off_and_has_no_sku(message: str):
    """So nothing that would have followed is taken for absent."""
    (_, record) = read(f"sku,product_name,price\nA-1,Cup,5\n{message}\n")
    assert (record.sku, codes(record)) == (None, ["truncated_record"])
    assert "reports an error" in record.problems[0].hint


@pytest.mark.parametrize("message", ["PHP Warning: a, b, c", "<b>Fatal error</b>: x,y,z"])
def test_a_message_with_the_headers_number_of_cells_cuts_the_file_off_too(message: str):
    """In the sku's place, if that is the first; a name may begin like a message."""
    (_, record) = read(f"sku,product_name,price\nA-1,Cup,5\n{message}\n")
    assert (record.sku, codes(record)) == (None, ["truncated_record"])
    assert codes(one("product_name,sku,price\nWarning: wet floor,A-1,5\n")) == []


def test_a_product_that_is_named_like_an_error_is_none():
    assert codes(one("sku,product_name,price\nA-1,Fatal error: the book,5\n")) == []
    assert codes(one("product_name,sku,price\nFatal error: the book,A-1,5\n")) == []


def test_an_error_message_is_known_by_its_end_too_where_the_sku_is_not_first():
    """By chance it has the header's number of cells, so that its sku would be a piece of it."""
    header = "product_name,sku,price\nLamp,A-1,5\n"
    for message in (
        "<b>Warning</b>:  implode(), bad argument, in /srv/a.php on line <b>12</b><br />",
        "PHP Fatal error: Allowed memory, exhausted, in /srv/a.php on line 5",
    ):
        for engine in (ReferenceEngine(), PolarsEngine()):
            stream = io.BytesIO(f"{header}{message}\n".encode())
            reading = engine.open(stream, Terms("full", "EUR", UTC_ZONE, CANONICAL))
            found = [record for batch in reading.batches() for record in batch]
            assert [(r.sku, codes(r)) for r in found] == [
                ("A-1", []), (None, ["truncated_record"]),
            ]  # fmt: skip
    record = one("sku,product_name,price\nA-1,Warning: sign\n")
    assert (record.sku, codes(record)) == ("A-1", ["ragged_record"])


def test_a_whole_record_needs_no_end_of_a_line():
    assert codes(one("sku,product_name,price\nA-2,Cup,5")) == []
    assert [record.fate for record in read("sku,product_name\nA,Cup\n ")] == [None, "blank"]
    assert codes(one("sku,product_name\nA,Cup,5")) == ["ragged_record"]


def test_an_object_that_is_broken_by_the_end_of_the_file_was_cut_off():
    whole, cut = '{"sku": "A", "quantity": 1}\n', '{"sku": "B", "quant'
    assert [codes(record) for record in read(whole + cut)] == [[], ["truncated_record"]]
    assert [codes(record) for record in read(whole + cut + "\n")] == [[], ["malformed_json"]]


# --- blank, ragged, broken ------------------------------------------------------------------------


@pytest.mark.parametrize("row", ["", " ", ",", " ,\xa0", ",,,,,", '""', '"\n"'])
def test_a_record_of_nothing_is_blank_whatever_its_width(row: str):
    assert one(f"sku,price\n{row}\n") == Record(2, None, {}, fate="blank")


def test_blank_cells_beyond_the_header_are_no_fault():
    assert one("sku,quantity\nA,1,, ,\n") == Record(2, "A", {"quantity": 1})


@pytest.mark.parametrize("row", ["A", "A,1,2", "A,1,,2", "'A,1,2"])
def test_a_ragged_record_keeps_a_sku_in_the_first_column(row: str):
    record = one(f"sku,price\n{row}\n")
    assert (record.sku, codes(record), record.values) == ("A", ["ragged_record"], {})
    (problem,) = record.problems
    assert problem.value == row
    assert "2 cells" in problem.hint
    assert f"{row.count(',') + 1}" in problem.hint


@pytest.mark.parametrize(
    "row", ["1,A,2", "A", ",1,2", "\0" + "x" * 50 + ",1,2"], ids=["shifted", "short", "none", "NUL"]
)
def test_a_ragged_record_has_no_sku_anywhere_else(row: str):
    header = "sku,price" if row.startswith((",", "\0")) else "price,sku"
    record = one(f"{header}\n{row}\n")
    assert (record.sku, codes(record)) == (None, ["ragged_record"])


@pytest.mark.parametrize(
    ("row", "sku"),
    [
        ('A,"12" TV"', "A"),
        ('\'A ,"12" TV"', "A"),
        ('"A"x,1', None),
        ('A"x,"b"c', None),
        (',"b"c', None),
        ("x" * 256 + ',"b"c', None),
    ],
)
def test_broken_quotes_leave_the_sku_where_nothing_before_the_first_comma_is_quoted(
    row: str, sku: str | None
):
    record, following = read(f"sku,product_name\n{row}\nB,Table\n")
    assert (record.sku, codes(record), record.line) == (sku, ["malformed_quotes"], 2)
    assert following.sku == "B"


def test_broken_quotes_leave_no_sku_in_another_column():
    (record,) = read('product_name,sku\nA,"b"c\n')
    assert record.sku is None


@pytest.mark.parametrize(
    "swallowing",
    ['A,"open,1\nB,2,3\nC,"q"\n', 'A,"open\nB,2\nC,closed",4,5\n', 'A,"open\nB,2\n",\'x\'",3,4\n'],
    ids=["broken", "ragged", "ragged too"],
)
def test_a_broken_record_of_several_lines_may_have_swallowed_skus_and_has_none(swallowing: str):
    record = read(f"sku,product_name,price\n{swallowing}")[0]
    assert record.rejected
    assert record.sku is None


# --- currencies -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("mode", "default", "row", "price", "currency", "found"),
    [
        ("full", "EUR", "10,USD", "10.00", "USD", []),
        ("full", "EUR", "10,", "10.00", "EUR", []),
        ("full", "JPY", "10,", "10", "JPY", []),
        ("full", "JPY", "10.5,", "absent", "JPY", ["too_many_decimals"]),
        ("full", "JPY", "10.50,usd", "10.50", "USD", []),
        ("full", "KWD", "10.5,", "10.500", "KWD", []),
        ("full", None, "10,", "10", None, ["missing_currency"]),
        ("full", None, "10,USD", "10.00", "USD", []),
        ("full", "EUR", "10,ZZZ", "10", "absent", ["unknown_currency"]),
        ("full", "EUR", "x,", "absent", None, ["not_a_number"]),
        ("full", None, ",", None, None, []),
        ("full", "EUR", ",USD", None, "USD", []),
        ("delta", "EUR", "10,USD", "10.00", "USD", []),
        ("delta", "EUR", "10,", "10", None, []),
        ("delta", None, "10,", "10", None, []),
        ("delta", "JPY", "10.5,", "10.5", None, []),
        ("delta", "EUR", "10.999,USD", "absent", "USD", ["too_many_decimals"]),
        ("delta", "EUR", "10,ZZZ", "10", "absent", ["unknown_currency"]),
        ("delta", "EUR", "10.0000,JPY", "10", "JPY", []),
        ("delta", "EUR", "10.0000,KWD", "10.000", "KWD", []),
    ],
)
def test_a_price_has_the_currency_of_its_cell_then_in_full_mode_the_partners(
    mode: Mode,
    default: str | None,
    row: str,
    price: str | None,
    currency: str | None,
    found: list[str],
):
    record = one(f"sku,product_name,price,currency\nA,Chair,{row}\n", mode, default)
    assert codes(record) == found
    assert str(record.values.get("price", "absent")) == str(price)
    assert record.values.get("currency", "absent") == currency


def test_amounts_under_headers_of_two_currencies_are_a_conflict():
    """Neither keeps its number in the currency of the other."""
    head = "sku,price (EUR),sale price [USD]\n"
    assert codes(one(f"{head}A,5,4\n")) == ["currency_conflict"]
    assert codes(one(f"{head}A,5 USD,4\n")) == []
    assert one(f"{head}A,5,\n").values["currency"] == "EUR"
    assert one(f"{head}A,5,4 EUR\n").values["currency"] == "EUR"


@pytest.mark.parametrize(
    ("price", "sale", "currency", "expected"),
    [
        ("10", "8 USD", "", ["currency_conflict"]),
        ("10 USD", "8 USD", "", []),
        ("10 USD", "8", "", []),
        ("10", "8 EUR", "", []),
        ("10", "8 USD", "USD", []),
        ("", "8 USD", "", []),
    ],
)
def test_a_bare_price_beside_an_amount_in_an_unusual_currency_is_a_conflict(
    price: str, sale: str, currency: str, expected: list[str]
):
    """It is as likely in the usual one."""
    row = f"sku,product_name,price,sale_price,currency\nA,Cup,{price},{sale},{currency}\n"
    assert codes(one(row)) == expected


@pytest.mark.parametrize(("mode", "currency"), [("full", "EUR"), ("delta", None)])
def test_without_a_currency_column_only_full_mode_knows_the_currency(
    mode: Mode, currency: str | None
):
    record = one("sku,product_name,price\nA,Chair,10\n", mode)
    assert record.values.get("currency") == currency


def test_an_amount_with_too_many_decimals_tells_the_currency_and_the_cell():
    (problem,) = one("sku,Sale Price,price,currency\nA, 9.999 ,10,EUR\n").problems
    assert problem.code == "too_many_decimals"
    assert (problem.column, problem.value) == ("Sale Price", " 9.999 ")
    assert "EUR has 2 decimals" in problem.hint


def test_a_price_of_nothing_is_loaded():
    assert one("sku,price,currency\nA,0,EUR\n").values["price"] == Decimal("0.00")


@pytest.mark.parametrize(
    ("header", "cells", "price", "sale_price"),
    [
        ("price,currency,sale_price", "1250,GBp,999", "12.50", "9.99"),
        ("price,currency,sale_price", "1250,GBX,£9.99", "12.50", "9.99"),
        ("price,currency,sale_price", "12.50,GBP,999p", "12.50", "9.99"),
        ("Price (GBp),sale_price", "1250,£9.99", "12.50", "9.99"),
        ("Price (pence),sale_price", "1250p,£9.99", "12.50", "9.99"),
        ("Price (GBX),sale_price (p)", "1250,999", "12.50", "9.99"),
    ],
)
@pytest.mark.parametrize("mode", ["full", "delta"])
def test_pence_are_pence_wherever_they_are_named(
    header: str, cells: str, price: str, sale_price: str, mode: Mode
):
    record = one(f"sku,product_name,{header}\nA,Cup,{cells}\n", mode, currency="EUR")
    found = [str(record.values[name]) for name in ("price", "sale_price", "currency")]
    assert (found, codes(record)) == ([price, sale_price, "GBP"], [])


def test_pence_are_no_whole_pounds():
    assert codes(one("sku,price,currency\nA,1250.5,GBp\n")) == ["too_many_decimals"]


@pytest.mark.parametrize(
    ("price", "currency", "own", "found"),
    [
        ("1.250", "EUR", None, ["thousands_or_decimals"]),
        ("1.250", "", "EUR", ["thousands_or_decimals"]),
        ("1.250", "", None, ["thousands_or_decimals"]),
        ("1.000", "JPY", None, ["thousands_or_decimals"]),
        ("1.250", "KWD", None, []),
        ("1.250", "", "KWD", []),
        ("1.25", "EUR", None, []),
        ("1.2500", "EUR", None, []),
        ("0.000", "EUR", None, []),
        ("1.255", "EUR", None, ["too_many_decimals"]),
    ],
)
def test_a_point_before_three_digits_is_warned_about_unless_the_currency_has_three_decimals(
    price: str, currency: str, own: str | None, found: list[str]
):
    assert codes(one(f"sku,price,currency\nA,{price},{currency}\n", currency=own)) == found


# --- sales ----------------------------------------------------------------------------------------

SALE = "sku,product_name,price,currency,sale_price,sale_starts_at,sale_ends_at\nA,Chair,"
IN_JANUARY = ("2026-01-01", "2026-02-01")


@pytest.mark.parametrize(
    ("cells", "sale_price", "found"),
    [
        (("10", "EUR", "9.99", *IN_JANUARY), Decimal("9.99"), []),
        (("10", "EUR", "9.99", "", ""), Decimal("9.99"), []),
        (("10", "EUR", "10.00", "", ""), None, ["sale_not_below_price"]),
        (("10", "EUR", "11", *IN_JANUARY), None, ["sale_not_below_price"]),
        (("10", "EUR", "9", "2026-02-01", "2026-01-01"), None, ["sale_ends_before_start"]),
        (("10", "EUR", "9", "2026-02-01", "2026-01-31"), None, ["sale_ends_before_start"]),
        (("10", "EUR", "11", "2026-02-01", "2026-01-01"), None, ["sale_not_below_price"]),
        (("10", "EUR", "9", "2026-02-01", "2026-02-01"), Decimal("9.00"), []),
        (("10", "EUR", "0", "", ""), None, ["sale_price_of_zero"]),
        (("0", "EUR", "0", "", ""), None, ["sale_price_of_zero"]),
        (("", "EUR", "0.00", "", ""), None, ["sale_price_of_zero"]),
        (("10", "EUR", "", "2026-02-01", "2026-01-01"), None, []),
        (("", "EUR", "9", "", ""), Decimal("9.00"), []),
        (("", "EUR", "9", "2026-02-01", ""), Decimal("9.00"), []),
        (("x", "EUR", "9", "", ""), Decimal("9.00"), ["not_a_number"]),
        (("10", "EUR", "9", "soon", "2026-01-01"), Decimal("9.00"), ["not_a_time"]),
    ],
)
def test_a_sale_that_makes_no_sense_is_ignored_with_a_warning(
    cells: tuple[str, ...], sale_price: Decimal | None, found: list[str]
):
    record = one(SALE + ",".join(cells) + "\n")
    assert codes(record) == found
    assert record.values["sale_price"] == sale_price


@pytest.mark.parametrize(
    "column",
    ["sale_price_effective_date", "Special price to", "Sale ends", "Aktion bis", "promo_period"],
)
def test_a_sale_whose_period_is_in_a_column_that_nothing_reads_is_ignored(column: str):
    """It would apply for ever otherwise."""
    text = f"sku,product_name,price,currency,sale_price,{column}\nA,Chair,10,EUR,9,next week\n"
    (problem,) = one(text).problems
    assert (problem.code, problem.column, problem.value) == (
        "sale_period_unread", column, "next week",
    )  # fmt: skip
    assert one(text).values["sale_price"] is None
    assert one(text.replace("next week", " ")).values["sale_price"] == Decimal("9.00")


@pytest.mark.parametrize("column", ["sale_vendor", "offer_photo", "special_buyer", "ends", "date"])
def test_columns_that_only_sound_like_a_period_of_a_sale_take_none_away(column: str):
    text = f"sku,product_name,price,currency,sale_price,{column}\nA,Chair,10,EUR,9,next week\n"
    assert one(text).values["sale_price"] == Decimal("9.00")


def test_a_sale_has_no_unread_period_if_a_time_of_it_is_mapped():
    text = "sku,price,currency,sale_price,sale_ends_at,sale_date\nA,10,EUR,9,2026-01-01,soon\n"
    assert one(text).values["sale_price"] == Decimal("9.00")


def test_a_sale_that_is_ignored_is_reported_in_the_partners_own_words():
    (problem,) = one(SALE + "10,EUR,010.50,,\n").problems
    assert (problem.column, problem.value) == ("sale_price", "010.50")
    (problem,) = one(SALE + "10,EUR,9,2026-02-01,2026-01-01\n").problems
    assert (problem.column, problem.value) == ("sale_ends_at", "2026-01-01")


def test_a_window_without_a_sale_price_leaves_the_sale_price_alone():
    record = one("sku,sale_starts_at,sale_ends_at\nA,2026-02-01,2026-01-01\n")
    assert record == Record(
        2,
        "A",
        {
            "sale_starts_at": datetime(2026, 2, 1, tzinfo=UTC),
            "sale_ends_at": datetime(2026, 1, 2, tzinfo=UTC),
        },
    )


# --- names and deletes ----------------------------------------------------------------------------


@pytest.mark.parametrize("mode", ["full", "delta"])
def test_a_blank_name_is_an_error_but_for_a_delete(mode: Mode):
    kept, gone, left = read("sku,product_name,deleted\nA,,\nB,,yes\nC,,no\n", mode)
    assert codes(kept) == ["missing_value"]
    assert (kept.rejected, gone.rejected, left.rejected) == (True, False, True)
    (problem,) = kept.problems
    assert (problem.column, problem.value) == ("product_name", None)


def test_without_a_name_column_a_delta_record_needs_none():
    assert one("sku,quantity\nA,1\n").problems == ()


def test_a_delete_is_distinguished_from_its_opposite():
    records = read("sku,deleted\nA,yes\nB,no\nC,\nD,perhaps\n")
    assert [record.deletes for record in records] == [True, False, False, False]
    assert [record.rejected for record in records] == [False, False, False, True]


def test_of_a_delete_only_its_key_and_its_instruction_matter():
    """Whatever else stands in the row: nobody will read it again."""
    text = (
        "sku,product_name,price,gtin,currency,deleted\nA,,x,12,EURO,yes\n,Lamp,x,,,yes\nC,,x,,,no\n"
    )
    gone, nameless, kept = read(text)
    assert (gone.deletes, gone.problems) == (True, ())
    assert [(p.field, p.code) for p in nameless.problems] == [("sku", "missing_value")]
    assert codes(kept) == ["not_a_number", "missing_value"]


@pytest.mark.parametrize(
    ("column", "cell", "right"),
    [
        ("price", '"6,90"', "Write 6.90."),
        ("price", '"1.299,00"', "Write 1299.00."),
        ("price", '"1,299.00"', "Write 1299.00."),
        ("currency", "EURO", "Write EUR."),
        ("currency", "€", "Write EUR."),
        ("currency", "kr", None),
        ("currency", "EURX", None),
        ("gtin", "36000291452", "write 036000291452."),
        ("gtin", "36000291453", None),
        ("gtin", "1234", None),
    ],
)
def test_where_the_right_value_is_certain_the_hint_has_it(
    column: str, cell: str, right: str | None
):
    (problem,) = one(f"sku,{column}\nA,{cell}\n").problems
    usual = PROBLEMS[problem.code][1]
    assert problem.hint == usual if right is None else problem.hint.endswith(right)


# --- properties -----------------------------------------------------------------------------------


@settings(max_examples=scaled(200))
@given(feed_files())
def test_any_file_reads_to_records_that_hold_together(file: FeedFile):
    columns, records = file.read()
    begins = [record.line for record in records]
    assert begins == sorted(set(begins))
    for record in records:
        assert record.sku is not None or record.fate is not None or record.rejected
        assert not (record.fate is not None and (record.values or record.problems))
        assert record.values.keys() <= {*columns, "currency", "deleted"}
        for problem in record.problems:
            assert problem.line == record.line
            assert problem.severity == PROBLEMS[problem.code][0]
            assert problem.hint


def test_five_thousand_records_of_eleven_columns_take_a_second_or_two():
    header = "sku,product_name,description,brand,category,gtin,price,currency,quantity,link,image"
    row = (
        'S-{0},Name {0},"long, quoted {0}",Brand,A > B,4006381333931,9.99,EUR,5,'
        "https://example.com/{0},https://example.com/{0}.jpg"
    )
    text = "\n".join([header, *(row.format(number) for number in range(5_000))])
    assert not any(record.problems for record in read(text, "full"))
    assert_effort(lambda: read(text, "full"), 3_000)


def test_half_a_character_that_json_spells_is_a_problem_of_its_record():
    lines = b'{"sku": "A", "title": "x\\ud800y"}\n{"sku": "\\udfff", "title": "z"}\n'
    terms = Terms("delta", None, ZoneInfo("UTC"))
    first, second = open_feed(io.BytesIO(lines), terms)
    assert [problem.code for problem in first.problems] == ["half_character"]
    assert (second.sku, [problem.code for problem in second.problems]) == (None, ["half_character"])
    assert all(p.value and p.value.encode() for p in (*first.problems, *second.problems))


@pytest.mark.parametrize("line", ["{nothing}", "[1]", '{"sku": "B", "sku": "C"}', '{"sku": "B"'])
def test_a_line_that_is_no_object_is_a_problem_of_json(line: str):
    lines = f'{{"sku": "A", "title": "Lamp"}}\n{line}\n{{"sku": "D", "title": "Chair"}}\n'
    first, broken, last = open_feed(
        io.BytesIO(lines.encode()), Terms("delta", None, ZoneInfo("UTC"))
    )
    (problem,) = broken.problems
    assert (problem.code, problem.line, problem.value) == ("malformed_json", 2, line)
    assert (first.sku, broken.sku, last.sku) == ("A", None, "D")


def test_minor_units_are_read_in_a_currency_that_is_given_and_never_in_a_guessed_one():
    profile = Profile(columns={"price": Column(("price",), unit="minor")})
    header, record = b"sku,product_name,price,currency\n", b"A,Lamp,1999,%b\n"

    def read(code: bytes, mode: Mode) -> Record:
        terms = Terms(mode, "JPY", ZoneInfo("UTC"), profile)
        return next(iter(open_feed(io.BytesIO(header + record % code), terms)))

    assert str(read(b"USD", "delta").values["price"]) == "19.99"
    assert str(read(b"KWD", "full").values["price"]) == "1.999"
    assert str(read(b"", "full").values["price"]) == "1999"
    assert [problem.code for problem in read(b"", "delta").problems] == ["missing_currency"]


@pytest.mark.parametrize("mark", [",", ";", "\t", "|"])
def test_a_spreadsheets_line_that_names_the_delimiter_is_no_record(mark: str):
    text = f"sep={mark}\r\nsku{mark}price\r\nA{mark}5\r\n"
    reader = open_feed(io.BytesIO(text.encode()), Terms("delta", None, ZoneInfo("UTC")))
    (record,) = reader
    assert (reader.delimiter, record.line, record.sku) == (mark, 3, "A")
    assert str(record.values["price"]) == "5"


def objects(*lines: str, mode: Mode = "delta") -> list[Record]:
    body = "".join(f"{line}\n" for line in lines).encode()
    return list(open_feed(io.BytesIO(body), Terms(mode, "EUR", ZoneInfo("UTC"))))


def test_a_key_that_an_object_lacks_leaves_its_field_alone_in_a_delta():
    first, second = objects('{"sku":"A","quantity":3,"brand":null}', '{"sku":"B","price":"5"}')
    assert first.values == {"quantity": 3, "brand": None}
    assert second.values == {"price": Decimal(5)}


def test_in_a_full_file_a_key_that_an_object_lacks_is_a_blank_cell():
    _, second = objects(
        '{"sku":"A","product_name":"Cup","brand":"x"}', '{"sku":"B","product_name":"Pot"}',
        mode="full",
    )  # fmt: skip
    assert second.values == {"product_name": "Pot", "brand": None}


def test_a_field_that_needs_a_key_is_left_alone_without_it():
    profile = Profile(columns={"quantity": Column(("stock",), needs=("tracked",))})
    body = b'{"sku":"A","stock":3,"tracked":"yes"}\n{"sku":"B","stock":4}\n'
    terms = Terms("delta", "EUR", ZoneInfo("UTC"), profile)
    assert [r.values for r in open_feed(io.BytesIO(body), terms)] == [{"quantity": 3}, {}]
