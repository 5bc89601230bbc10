"""JSON documents and XML: the same records as the same table in any other form, by both engines."""

import bz2
import gzip
import io
import json
import lzma
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC
from typing import Final, get_args
from xml.sax.saxutils import escape

import pytest
from hypothesis import given
from hypothesis import strategies as st

import commerce_core
from adapters.polars_feeds import PolarsEngine
from commerce_core.base.errors import FileRefused
from commerce_core.parsing.decoding import BLOCK
from commerce_core.parsing.delimited import Delimited
from commerce_core.parsing.formats import Format, detect
from commerce_core.parsing.record_reader import Terms
from commerce_core.parsing.reference import ReferenceEngine
from commerce_core.parsing.sheets import Sheet
from commerce_core.parsing.xml_elements import DEEPEST_ELEMENT
from commerce_core.profiles.profile import CANONICAL, Profile
from commerce_core.schema.record import Record

Table = Sequence[Mapping[str, str]]
NAMES: Final = ("sku", "product_name", "price", "currency", "brand", "quantity")
XML = '<?xml version="1.0" encoding="UTF-8"?>\n'


def read(body: bytes, profile: Profile = CANONICAL) -> list[Record]:
    """What both engines read, which has to be the same."""
    found = [list(_by(engine, body, profile)) for engine in (ReferenceEngine(), PolarsEngine())]
    assert _shown(found[0]) == _shown(found[1])
    return found[0]


def _by(engine: ReferenceEngine | PolarsEngine, body: bytes, profile: Profile) -> list[Record]:
    reading = engine.open(io.BytesIO(body), Terms("full", "EUR", UTC, profile))
    return [record for batch in reading.batches() for record in batch]


def _shown(records: Sequence[Record]) -> list[object]:
    return [(r.line, r.sku, dict(r.values), r.problems) for r in records]


def values(records: Sequence[Record]) -> list[object]:
    return [
        (r.sku, dict(r.values), [(p.column, p.code, p.value) for p in r.problems]) for r in records
    ]


def as_lines(table: Table) -> str:
    return "".join(json.dumps(row) + "\n" for row in table)


def as_list(table: Table) -> str:
    return json.dumps(list(table), ensure_ascii=False)


def as_pretty(table: Table) -> str:
    return json.dumps({"count": len(table), "data": {"items": list(table)}, "next": None}, indent=2)


def as_objects(table: Table) -> str:
    return "\n".join(json.dumps(row, indent=1) for row in table)


def as_xml(table: Table) -> str:
    rows = (
        "<offer>" + "".join(f"<{k}>{escape(v)}</{k}>" for k, v in row.items()) + "</offer>"
        for row in table
    )
    return f"{XML}<shop><made>now</made><offers>{''.join(rows)}</offers></shop>"


def as_attributes(table: Table) -> str:
    rows = (
        "<offer "
        + " ".join(f'{k}="{escape(v, {chr(34): "&quot;"})}"' for k, v in row.items())
        + "/>"
        for row in table
    )
    return f"<offers>\n{chr(10).join(rows)}\n</offers>\n"


FORMS: Final[Mapping[str, Callable[[Table], str]]] = {
    "a list": as_list, "a document": as_pretty, "objects": as_objects, "elements": as_xml,
}  # fmt: skip


def test_every_format_is_read_here():
    """But delimited text and workbooks, which have tests of their own."""
    table: Table = [dict[str, str].fromkeys(NAMES, "1")]
    texts = [form(table) for form in (*FORMS.values(), as_lines)]
    made = {type(detect(text, None, lambda _: True)) for text in texts}
    assert made | {Delimited, Sheet} == set(get_args(Format))


CELLS = st.text(
    st.characters(codec="utf-8", exclude_categories=("Cc", "Cs", "Cn")), max_size=12
).map(str.strip)
ROWS = st.fixed_dictionaries(
    {
        "sku": st.from_regex(r"[A-Z]{1,4}-[1-9]{1,4}", fullmatch=True),
        "product_name": CELLS,
        "price": st.sampled_from(["", "5", "4.20", "4,20", "x", "-1"]),
        "brand": CELLS,
        "quantity": st.sampled_from(["", "0", "7", "7.5", "many"]),
    }
)


@pytest.mark.slow
@pytest.mark.parametrize("form", FORMS)
@given(table=st.lists(ROWS, min_size=2, max_size=8))
def test_the_same_table_in_any_form_gives_the_same_records(form: str, table: Table):
    assert values(read(FORMS[form](table).encode())) == values(read(as_lines(table).encode()))


@pytest.mark.slow
@pytest.mark.parametrize("form", FORMS)
def test_a_file_of_several_blocks_is_read_like_a_short_one(form: str):
    """Records lie across the blocks in which it is read."""
    table = [{"sku": f"A-{n}", "product_name": "Lämp " * 40, "price": "5"} for n in range(3_000)]
    body = FORMS[form](table).encode()
    assert len(body) > 2 * BLOCK
    assert values(read(body)) == values(read(as_lines(table).encode()))


@pytest.mark.parametrize("form", FORMS)
def test_each_record_has_a_line_of_its_own(form: str):
    """Problems are found by it, also where a document has one line."""
    table = [{"sku": f"A-{n}", "product_name": "Lamp", "price": "x"} for n in range(20)]
    lines = [record.line for record in read(FORMS[form](table).encode())]
    assert lines == sorted(set(lines))
    assert len(lines) == len(table)


def test_a_problem_has_the_line_on_which_its_record_begins():
    first, second = "<offer>\n <sku>A</sku>\n<title/></offer>", "<offer><sku>B</sku></offer>"
    body = f"{XML}<offers>\n{first}\n{second}\n</offers>"
    assert [record.line for record in read(body.encode())] == [3, 6]
    body = '[\n {"sku": "A",\n  "title": "n"},\n\n {"sku": "B"}\n]'
    assert [record.line for record in read(body.encode())] == [2, 5]


def test_attributes_are_columns():
    body = (
        '<list><p id="A" lang="en"><title>Lamp</title><price currency="USD">5</price></p>'
        '<p id="B" lang="en"><title>Pot</title><price currency="EUR">6</price></p></list>'
    )
    columns = {"sku": {"from": "@id"}, "currency": {"from": "price@currency"}}
    profile = commerce_core_profile(columns)
    assert [(r.sku, r.values["currency"]) for r in read(body.encode(), profile)] == [
        ("A", "USD"), ("B", "EUR"),
    ]  # fmt: skip
    assert [
        r.sku
        for r in read(as_attributes([{"sku": "A", "x": "1"}, {"sku": "B", "x": "1"}]).encode(), _AT)
    ] == [
        "A",
        "B",
    ]


def commerce_core_profile(columns: Mapping[str, Mapping[str, str]]) -> Profile:
    from entrypoints.reading import read_json

    return read_json(Profile, json.dumps({"columns": columns}).encode())


_AT = commerce_core_profile({"sku": {"from": "@sku"}, "product_name": {"from": "@sku"}})


def test_repeated_elements_are_a_list():
    body = (
        "<a><p><sku>A</sku><product_name>n</product_name><images><additional_image_urls>"
        "https://a/1</additional_image_urls><additional_image_urls>https://a/2"
        "</additional_image_urls></images></p><p><sku>B</sku></p></a>"
    )
    columns = {"additional_image_urls": {"from": "images/additional_image_urls"}}
    found = read(body.encode(), commerce_core_profile(columns))
    assert found[0].values["additional_image_urls"] == ("https://a/1", "https://a/2")


def test_text_beside_elements_is_not_lost():
    """Markup that isn't escaped makes elements; the text is what a reader of the page sees."""
    body = (
        "<a><p><sku>A</sku><product_name>Lamp <b>red<i> big</i></b></product_name></p>\n"
        "<p><sku>B</sku><product_name>\n <b>Pot</b> green</product_name>"
        "<price> <x>5</x> </price></p>"
        "<p><sku>C</sku><product_name>plain</product_name></p></a>"
    )
    found = read(body.encode())
    names = [record.values.get("product_name") for record in found]
    assert names == ["Lamp red big", "Pot green", "plain"]
    assert "price" not in found[1].values


@pytest.mark.parametrize("blanks", ["\n", " \r\n\t"])
def test_a_prolog_behind_blanks_is_read(blanks: str):
    """Lines count as in the file."""
    body = (
        f"{blanks}{XML}<a>\n<p><sku>A</sku><product_name>n</product_name><price>x</price></p></a>"
    )
    (found,) = read(body.encode())
    assert (found.sku, found.line) == ("A", 4)


def test_the_records_are_where_the_profile_says():
    body = '{"a": [{"x": 1}], "b": {"c": [{"sku": "A", "product_name": "n"}]}}'
    assert [r.sku for r in read(body.encode(), Profile(record_path="b/c"))] == ["A"]
    xml = "<r><a><x>1</x><y>2</y></a><a><x>1</x></a><p><sku>A</sku><title>n</title></p></r>"
    assert [r.sku for r in read(xml.encode(), Profile(record_path="p"))] == ["A"]
    with pytest.raises(FileRefused, match="no list at b/d"):
        read(body.encode(), Profile(record_path="b/d"))
    with pytest.raises(FileRefused, match="no records at q"):
        read(xml.encode(), Profile(record_path="q"))


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("share", [0.3, 0.6, 0.95])
def test_a_document_that_is_cut_off_is_refused_as_truncated(form: str, share: float):
    table = [{"sku": f"A-{n}", "product_name": "Lamp", "price": "5"} for n in range(200)]
    whole = FORMS[form](table)
    cut = whole[: whole.rindex("product_name", 0, int(share * len(whole)))]
    with pytest.raises(FileRefused) as refused:
        read(cut.encode())
    assert refused.value.code == "truncated"


@pytest.mark.parametrize(
    ("body", "what"),
    [
        ('<!DOCTYPE a [<!ENTITY x "y">]><a><p><sku>A</sku></p></a>', "DOCTYPE"),
        ("<a><p><sku>A & B</sku><title>n</title></p></a>", "line 1, column"),
        ("<a>\n<p><sku>A</sku><title>&nbsp;</title></p></a>", "line 2, column"),
        ("<a>" * (DEEPEST_ELEMENT + 1), "nested"),
        ("<a></a>", "no records"),
        ("[]", "not one of objects"),
        ('{"products": []}', "no keys"),
    ],
)
def test_what_can_not_be_read_is_refused_with_the_place(body: str, what: str):
    with pytest.raises(FileRefused, match=what):
        read(body.encode())


def test_a_broken_object_in_a_list_is_its_own_problem():
    first, last = '{"sku": "A", "product_name": "n"}', '{"sku": "C", "product_name": "n"}'
    body = f"[{first},\n{{'sku': 'B'}},\n7,\n{last}]"
    found = read(body.encode())
    assert [(r.line, r.sku, [p.code for p in r.problems]) for r in found] == [
        (1, "A", []), (2, None, ["malformed_json"]), (3, None, ["malformed_json"]), (4, "C", []),
    ]  # fmt: skip


def test_the_encoding_of_the_prolog_counts():
    body = (
        '<?xml version="1.0" encoding="ISO-8859-1"?><a><p><sku>A</sku><title>Lämp</title></p></a>'
    )
    assert read(body.encode("latin-1"))[0].values["product_name"] == "Lämp"


@pytest.mark.parametrize(
    "pack", [gzip.compress, bz2.compress, lzma.compress], ids=["gz", "bz2", "xz"]
)
def test_what_is_packed_is_unpacked_first(pack: Callable[[bytes], bytes]):
    table = [{"sku": f"A-{n}", "product_name": "Lamp"} for n in range(10)]
    packed = pack(as_xml(table[:5]).encode())
    assert len(read(packed)) == 5
    lines = pack(as_lines(table).encode()) + pack(as_lines(table).encode())
    assert len(read(lines)) == 20
    with pytest.raises(FileRefused) as refused:
        read(packed[:-20])
    assert refused.value.code == "truncated"
    bomb = pack(b"0" * (64 << 20))
    with pytest.raises(FileRefused) as refused:
        read(bomb)
    assert refused.value.code == "too_large"


@pytest.mark.parametrize("form", ["a list", "elements"])
def test_a_report_comes_back_and_is_read(form: str):
    """In the form that was sent, or as lines of the same objects."""
    table = [
        {"sku": "A", "product_name": "Lamp & shade", "price": "5"},
        {"sku": "B", "product_name": "Pot", "price": "wrong"},
        {"sku": "C", "product_name": "<b>Cup</b>", "price": "also"},
    ]
    with commerce_core.connect("memory:") as commerce:
        commerce.partners.add("Acme", currency="EUR")
        body = FORMS[form](table).encode()
        job = commerce.feeds.load(io.BytesIO(body), partner="Acme", mode="full")
        assert job.summary is not None
        assert (job.summary.created, job.summary.rejected) == (1, 2)
        with commerce.jobs.report(job.job_id) as stream:
            report = stream.read()
        mended = report.replace(b"wrong", b"6").replace(b"also", b"7")
        again = commerce.feeds.load(io.BytesIO(mended), partner="Acme")
        assert again.summary is not None
        assert (again.summary.created, again.summary.rejected) == (2, 0)
        cup = commerce.products.get(partner="Acme", sku="C")
        assert (cup.product_name, str(cup.price)) == ("<b>Cup</b>", "7.00")


def test_a_refusal_says_what_the_records_were_taken_for():
    with pytest.raises(FileRefused, match="Its records are elements of XML"):
        read(b"<rss><channel><item><id>1</id></item></channel></rss>")
    with pytest.raises(FileRefused) as refused:
        read(b"id\n1\n")
    assert "Its records" not in str(refused.value)
