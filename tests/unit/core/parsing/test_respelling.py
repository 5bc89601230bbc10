"""A record's former text is what it would have been under the header before, or there is none."""

import io
from collections.abc import Sequence

import pytest
from attrs import evolve
from hypothesis import given, settings
from hypothesis import strategies as st

from commerce_core.base.errors import FileRefused, InvalidInput
from commerce_core.parsing.meaning import meaning_of
from commerce_core.parsing.new_workbook import workbook
from commerce_core.parsing.raw_records import CELL_END
from commerce_core.parsing.reader import Header, open_feed
from commerce_core.parsing.record_reader import Terms
from commerce_core.parsing.respelling import MOST_RUNS, Respelling, respelling_of
from commerce_core.profiles.profile import CANONICAL, Column, Group, Profile, Skip
from commerce_core.schema.fields import Mode
from commerce_core.schema.record import Record
from tests.support.engines import csv_text
from tests.support.examples import scaled
from tests.unit.core.parsing.test_meaning import FULL, UTC, headers, may_be_known, name_of, profiles

FORMER = "sku,title,price"
WIDER = "sku,title,colour,price"


def header(text: str | bytes, profile: Profile = CANONICAL, terms: Terms = FULL) -> Header:
    body = text.encode() if isinstance(text, str) else text
    return open_feed(io.BytesIO(body), evolve(terms, profile=profile)).header


def respelling(
    now: str, before: str = FORMER, profile: Profile = CANONICAL, terms: Terms = FULL
) -> Respelling | None:
    return respelling_of(header(f"{now}\n", profile, terms), before.split(","))


def former(text: str, now: str = WIDER, before: str = FORMER) -> str | None:
    found = respelling(now, before)
    assert found is not None
    return found(text)


@pytest.mark.parametrize(
    ("now", "before", "text", "wanted"),
    [
        (WIDER, FORMER, "1,Lamp,red,9", "1,Lamp,9"),
        (WIDER, FORMER, '1,"Lamp, tall","r""e""d, \n or so",9', '1,"Lamp, tall",9'),
        (WIDER, FORMER, "1,,,", "1,,"),
        (WIDER, FORMER, '1,Lamp,red,9" or so', '1,Lamp,9" or so'),
        ("sku,title,price,colour", FORMER, '1,Lamp,"9",red', '1,Lamp,"9"'),
        ("colour,sku,title,price", FORMER, "red,1,Lamp,9", "1,Lamp,9"),
        ("colour,size,sku,title,price", FORMER, "red,,1,Lamp,9", "1,Lamp,9"),
        ("sku,colour,title,size,price,fit", FORMER, "1,red,Lamp,L,9,x", "1,Lamp,9"),
        ("title,sku,price", FORMER, "Lamp,1,9", "1,Lamp,9"),
        ("price,title,sku", FORMER, "9,Lamp,1", "1,Lamp,9"),
        ("price,colour,sku,title", FORMER, "9,red,1,Lamp", "1,Lamp,9"),
        ("sku,x,title,x", "sku,title,x", "1,2,Lamp,3", "1,Lamp,2"),
        ("sku,,title,,price", "sku,title,,price", "1,2,Lamp,3,9", "1,Lamp,2,9"),
    ],
)
def test_cells_are_put_as_they_were_sent_where_they_stood(
    now: str, before: str, text: str, wanted: str
):
    assert former(text, now, before) == wanted


@pytest.mark.parametrize(
    "text",
    ["1,Lamp,red", '1,Lamp,"red,9', '1,La"m"p,red,9', '1, "Lamp" ,red,9', '"1"x,Lamp,red,9', ""],
)
def test_a_record_that_isnt_so_many_cells_has_none(text: str):
    assert former(text) is None


def test_where_both_headers_go_on_alike_a_record_of_any_length_has_one():
    """It is broken before and after, or neither."""
    assert former("1,Lamp,red,9,,") == "1,Lamp,9,,"
    assert former("1,Lamp,red,9,,", "sku,title,price,colour") is None


@pytest.mark.parametrize(
    "first",
    ["Total", ",, total:,", '"Summe"', "\ufeff\xa0Subtotal ", "<b>Warning</b>: x", '"Warning: x"'],
)
def test_a_record_that_may_be_a_sum_or_an_error_has_none(first: str):
    """Which cell comes first decides that."""
    assert former(f"{first},Lamp,red,9") is None
    assert former("Totally,Lamp,red,9") == "Totally,Lamp,9"


@pytest.mark.parametrize(
    ("now", "text", "was"),
    [
        ("note,title,sku,price", "Total,9,Total,12.50", "9,Total,12.50"),
        ("note,title,sku,price,end", "Warning: x,Lamp,A,1.50,x on line 5", "Lamp,A,1.50"),
    ],
)
def test_such_a_record_may_be_none_though_it_was_one(now: str, text: str, was: str):
    """Its cells are those of a product, and another one stands before them."""
    before = "title,sku,price"
    (product,) = read(f"{before}\n{was}\n", FULL)[1]
    assert may_be_known(product)
    (record,) = read(f"{now}\n{text}\n", FULL)[1]
    assert not may_be_known(record)
    assert former(text, now, before) is None
    assert former(text.replace("Total,9", "x,9").replace("Warning: ", ""), now, before) == was


OTHERS = {
    "the same header": (FORMER, FORMER, CANONICAL),
    "no header before": (WIDER, "", CANONICAL),
    "a column is gone": ("sku,title,colour", FORMER, CANONICAL),
    "a column has another name": ("sku,name,price", FORMER, CANONICAL),
    "one of two that are called alike is gone": ("sku,title,x,price", "sku,title,x,x", CANONICAL),
    "the new one is a field": ("sku,title,brand,price", FORMER, CANONICAL),
    "the new one is kept": (WIDER, FORMER, Profile(attributes=("colour",))),
    "the new one is an option": (
        WIDER, FORMER, Profile(columns={"options": Column(pairs=(("=Colour", "colour"),))}),
    ),
    "the new one is needed": (
        WIDER, FORMER, Profile(columns={"product_name": Column(("title",), needs=("colour",))}),
    ),
    "the new one leaves records out": (
        WIDER, FORMER, Profile(skip=(Skip("colour", ("red",), "red"),)),
    ),
    "the new one is part of the sku": (WIDER, FORMER, Profile(identity=("{title}/{colour}",))),
    "the new one may be a sale's period": (
        "sku,title,sale until,price,sale_price", "sku,title,price,sale_price", CANONICAL,
    ),
    "records belong together": (WIDER, FORMER, Profile(group=Group("title"))),
    "cells are escaped": (WIDER, FORMER, Profile(escapes="woocommerce")),
}  # fmt: skip
"""Headers now and before, and profiles, with which no record has a former text."""


@pytest.mark.parametrize("what", OTHERS)
def test_there_is_none_where_the_former_header_doesnt_decide(what: str):
    now, before, profile = OTHERS[what]
    assert respelling(now, before, profile) is None


def test_records_that_name_their_cells_have_none():
    text = '{"sku": "1", "title": "A", "colour": "red"}\n'
    assert respelling_of(header(text), ("sku", "title")) is None


def test_rows_of_a_report_have_none():
    report = "_feed,_line,_code,_column,_value,_hint,sku,colour,title\nfeed_x,2,,,,,1,red,A\n"
    assert respelling_of(header(report), ("sku", "title")) is None


def test_the_meaning_is_that_of_the_former_header():
    """By the profile of today, with all that rules and fields take from columns."""
    profile = Profile(
        columns={
            "brand": Column(("brand", "maker")),
            "mpn": Column(("maker", "nr"), join="-"),
            "options": Column(pairs=(("=Size", "size"), ("name", "nr"), ("=Fit", "none"))),
            "description": Column(("text",), needs=("size",), unless_positive=("nr",)),
        },
        identity=("{nr}/{size}", "{none}{maker}"),
        attributes=("nr", "size"),
        skip=(Skip("state", ("x",), "x"),),
    )
    before = "sku,title,price,brand,maker,nr,size,text,name,state,sale until,sale_price"
    columns = before.split(",")
    for now in (["new", *columns[::-1]], [*columns[5:], "new", *columns[:5], "newer"]):
        found = respelling(",".join(now), before, profile)
        assert found is not None
        assert found.meaning == meaning_of(header(f"{before}\n", profile))


def test_rows_of_sheets_have_one():
    rows = [CELL_END.join(names) + "\n" for names in (WIDER.split(","), ("1", "Lamp", "red", "9"))]
    found = respelling_of(header(b"".join(workbook(iter(rows)))), FORMER.split(","))
    assert found is not None
    assert found(CELL_END.join(("1", '"La\nmp', "red", "9"))) == f'1{CELL_END}"La\nmp{CELL_END}9'


def test_without_quotes_they_are_characters_like_others():
    found = respelling(WIDER, profile=Profile(quotes="none"))
    assert found is not None
    assert found('1,"Lamp,red,9') == '1,"Lamp,9'


@pytest.mark.parametrize(("runs", "are_few"), [(MOST_RUNS, True), (MOST_RUNS + 1, False)])
def test_columns_may_be_moved_in_so_many_runs(runs: int, are_few: bool):
    names = [f"x{n}" for n in range(runs - 1)]
    found = respelling(",".join(["sku,title", *names]), ",".join([*names[::-1], "sku,title"]))
    assert (found is not None) is are_few
    if found is not None:
        assert found(",".join(["1,Lamp", *names])) == ",".join([*names[::-1], "1,Lamp"])


def test_a_thousand_columns_are_respelled():
    names = [f"x{n}" for n in range(997)]
    found = respelling(",".join(["sku,title,new", *names]), ",".join(["sku,title", *names]))
    assert found is not None
    assert found(",".join(["1,Lamp,red", *names])) == ",".join(["1,Lamp", *names])


@pytest.mark.parametrize("text", ['1,"Lamp' + '""' * 50_000, "1," + '"a"' * 50_000, "a" * 10**6])
def test_a_long_text_takes_no_longer_than_its_length(text: str):
    assert former(text) is None


def read(text: str, terms: Terms) -> tuple[Header, list[Record]]:
    reader = open_feed(io.BytesIO(text.encode()), terms)
    return reader.header, list(reader)


CELLS = st.sampled_from(
    ["7", "7", "", "", "12.50", "One", "new", "Total", "total:", "3", "a, b", 'a "b"', "two\nlines",
     "Warning: x", "x on line 5", "Traceback (most recent call last):", "yes", "sku", "title",
     "\xa0", '"Total"']
)  # fmt: skip


USUAL = {
    "sku": st.sampled_from(["A-1", "Total", "Warning: x"]),
    "title": st.sampled_from(["Lamp", "Total", "9", "Warning: x"]),
    "price": st.just("12.50"),
    "sale_price": st.just("7"),
    "note": st.sampled_from(["", "Total", "Warning: x", "red"]),
    "sale until": st.sampled_from(["", "May"]),
}
"""Cells that nearly always make a record without an error."""


@st.composite
def headers_now(draw: st.DrawFn, before: Sequence[str]) -> list[str]:
    """The header after columns were added or moved."""
    names = draw(st.permutations(before)) if draw(st.booleans()) else list(before)
    for name in draw(st.lists(st.sampled_from(["note", "sale until"]) | name_of, max_size=2)):
        at = draw(st.just(0) | st.integers(0, len(names)))
        names = [*names[:at], name, *names[at:]]
    return names


@settings(max_examples=scaled(1_000))
@given(
    data=st.data(),
    before=headers | headers.map(lambda names: list(dict.fromkeys([*names, "sale_price"]))),
    profile=profiles,
    mode=st.sampled_from(["full", "full", "delta"]),
)
def test_a_record_is_what_its_former_text_was(
    data: st.DataObject, before: list[str], profile: Profile, mode: Mode
):
    """Of texts that were records without an error, by which alone others are ever matched."""
    now = data.draw(headers_now(before))
    usual = st.tuples(*(USUAL.get(name, CELLS) for name in now)).map(list)
    width = st.integers(len(now) - 1, len(now) + 1)
    any_row = width.flatmap(lambda n: st.lists(CELLS, min_size=n, max_size=n))
    rows = [*data.draw(st.lists(usual | any_row, min_size=1, max_size=4)), now, before]
    terms = Terms(mode, "EUR", UTC, profile)
    try:
        header_before, _ = read(csv_text(before), terms)
        header_now, _ = read(csv_text(now), terms)
    except (FileRefused, InvalidInput):
        return
    found = respelling_of(header_now, header_before.mapping.header)
    if found is None or found.meaning != meaning_of(header_before):
        return
    for row in rows:
        text = csv_text(row).removesuffix("\n")
        was = found(text)
        if was is not None:
            _, records = read(f"{csv_text(now)}{text}\n", terms)
            _, former_records = read(f"{csv_text(before)}{was}\n", terms)
            assert spelled(former_records) in ([], spelled(records))


def spelled(records: Sequence[Record]) -> list[object]:
    """What the one record says if it may be known."""
    (record,) = records
    if not may_be_known(record):
        return []
    return [record.sku, record.values, [problem.code for problem in record.problems]]
