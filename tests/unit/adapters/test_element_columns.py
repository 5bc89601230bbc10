"""Simple records of XML read as columns: the same as the reference reads, whatever is in them."""

import io
from typing import Any, Final
from zoneinfo import ZoneInfo

from hypothesis import example, given
from hypothesis import strategies as st

from adapters.polars_feeds.engine import PolarsEngine
from adapters.polars_feeds.tables import Table
from commerce_core.parsing.fingerprints import IndexedFingerprints
from commerce_core.parsing.record_reader import Terms
from commerce_core.profiles.profile import Profile, Skip
from commerce_core.schema.fields import Mode
from tests.support.engines import assert_alike

FIRST: Final = (
    "<p><sku>A0</sku><product_name>n</product_name><price>1</price><x:brand>b</x:brand></p>"
)
FIELDS: Final = st.sampled_from(
    ["<sku>A</sku>", "<sku>B</sku>", "<sku> C\n</sku>", "<sku/>", "<product_name>n</product_name>",
     "<product_name>a &amp; b&#10;</product_name>", "<product_name><![CDATA[<b>]]></product_name>",
     "<product_name>draft</product_name>", "<product_name>\n <![CDATA[]]> </product_name>",
     "<price>9.99</price>", "<price>9,99</price>", "<price></price>", "<x:brand>></x:brand>",
     "<x:brand>/></x:brand>", "<x:brand >c</x:brand>", "<late>1</late>", "<quantity>1</quantity>",
     "<sku><b>A</b></sku>", "<!-- c -->", "text", '<price currency="EUR">5</price>', "<p></p>",
     "<sku>sku</sku>", "<sku>Fatal error: </sku>", "<product_name>\u200bx\u00a0</product_name>"]
)  # fmt: skip
IN_ORDER: Final = st.tuples(
    st.sampled_from(["<sku>A</sku>", "<sku>B</sku>", "<sku/>", ""]),
    st.sampled_from(
        ["<product_name>n &lt;</product_name>", "<product_name>draft</product_name>", ""]
    ),
    st.sampled_from(["<price>1.5</price>", "<price>x</price>", "<price />", "<price/>", ""]),
    st.sampled_from(["<x:brand><![CDATA[ c ]]></x:brand>", "<x:brand>\r\nd</x:brand>", ""]),
)
RECORDS: Final = st.lists(st.one_of(IN_ORDER, IN_ORDER, st.lists(FIELDS, max_size=6)), max_size=10)
CHUNKS: Final = st.sampled_from([1, 200, 1 << 23])


def as_text(records: list[Any], end: str = "\n") -> bytes:
    rows = end.join(f"<p>{end}{end.join(fields)}{end}</p>" for fields in records)
    return f'<l xmlns:x="http://x">{end}{FIRST}{end}{rows}{end}</l>'.encode()


@given(
    RECORDS,
    CHUNKS,
    st.sampled_from(["full", "delta"]),
    st.sampled_from(["\n", "", " ", "\r\n", "\n\n"]),
)
@example([("<sku>A</sku>", "", "", "")] * 4, 1, "delta", "\n")
def test_any_records_read_alike(records: list[Any], chunk: int, mode: Mode, end: str):
    profile = Profile(skip=(Skip("product_name", ("draft",), "a draft"),), record_path="l/p")
    terms = Terms(mode, "EUR", ZoneInfo("UTC"), profile)
    body = as_text(records, end)
    assert_alike(body, terms, chunk)


@given(RECORDS, CHUNKS)
def test_records_that_are_found_read_alike(records: list[Any], chunk: int):
    terms = Terms("full", "EUR", ZoneInfo("UTC"))
    body = as_text(records)
    assert_alike(body, terms, chunk)


def test_records_are_read_as_columns_and_known_again():
    body = as_text([[f"<sku>A{n}</sku>", "<product_name>n</product_name>"] for n in range(2_000)])
    terms = Terms("full", "EUR", ZoneInfo("UTC"))
    first: list[Any] = list(PolarsEngine(500).open(io.BytesIO(body), terms).batches())
    parts = [part for batch in first for part in batch.parts]
    assert sum(len(part) for part in parts if isinstance(part, Table)) > 1_990
    known = IndexedFingerprints.of(record.fingerprint for batch in first for record in batch)
    again = list(PolarsEngine(500).open(io.BytesIO(body), terms).batches(known))
    assert [number for batch in again for number in batch.matched] == list(range(2_001))
