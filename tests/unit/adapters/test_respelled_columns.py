"""Records whose columns were added or moved are recognised by the texts that they had before."""

import codecs
import csv
import io
from collections.abc import Iterator, Sequence
from zoneinfo import ZoneInfo

import polars as pl
import pytest
from attrs import evolve, frozen
from hypothesis import given
from hypothesis import strategies as st

from adapters.polars_feeds import PolarsEngine
from adapters.polars_feeds.unchanged import former_texts
from commerce_core.parsing.fingerprints import Fingerprint, IndexedFingerprints
from commerce_core.parsing.new_workbook import workbook
from commerce_core.parsing.raw_records import CELL_END
from commerce_core.parsing.reader import open_feed
from commerce_core.parsing.record_reader import Terms
from commerce_core.parsing.reference import ReferenceEngine
from commerce_core.parsing.respelling import respelling_of
from commerce_core.ports.engine import Batch, FeedEngine
from commerce_core.profiles.profile import CANONICAL, Profile

TERMS = Terms("full", "EUR", ZoneInfo("UTC"))
ENGINES: tuple[FeedEngine, ...] = (ReferenceEngine(), PolarsEngine(), PolarsEngine(chunk=64))
NAMES = ("sku", "product_name", "description", "price", "quantity")
FORMER = ",".join(NAMES)
NOW = {
    "one more": ("sku", "product_name", "note", "description", "price", "quantity"),
    "two more": ("note", "sku", "product_name", "description", "price", "quantity", "remark"),
    "moved": ("sku", "price", "product_name", "description", "quantity"),
    "the other way round": NAMES[::-1],
    "one more, and moved": ("quantity", "sku", "note", "price", "description", "product_name"),
}
Row = Sequence[str]
ROWS: Sequence[Row] = (
    ("A", "Lamp", "plain", "1.50", "3"),
    ("B", "Desk, tall", 'with "quotes", and so on', "2.00", "-1"),
    ("C", "Chair", "two\nlines; or\tthree\nof them", "3.00", ""),
    ("D", "Möbel", "", "4.00", "4"),
    ("E", "Tie|Bow", '"', "5.00", "0"),
)


@frozen
class Form:
    """How a file is written."""

    delimiter: str = ","
    end: str = "\n"
    quoting: int = csv.QUOTE_MINIMAL
    encoding: str = "utf-8"
    mark: bytes = b""
    profile: Profile = CANONICAL

    def file(self, columns: Sequence[str], rows: Sequence[Row]) -> bytes:
        """The file with these records, and something in all other columns."""
        text = io.StringIO()
        writer = csv.writer(
            text,
            delimiter=self.delimiter,
            quoting=self.quoting,  # type: ignore[arg-type]
            lineterminator="\r\n",
        )
        writer.writerow(columns)
        for row in rows:
            cells = dict[str, str](zip(NAMES, row, strict=True))
            writer.writerow([cells.get(name, f"x{self.delimiter} y") for name in columns])
        return self.mark + text.getvalue().replace("\r\n", self.end).encode(self.encoding)


FORMS = {
    "as usual": Form(),
    "semicolons": Form(";"),
    "tabs": Form("\t"),
    "bars": Form("|"),
    "CRLF": Form(end="\r\n"),
    "CR": Form(end="\r"),
    "all quoted": Form(quoting=csv.QUOTE_ALL),
    "texts quoted": Form(quoting=csv.QUOTE_NONNUMERIC),
    "a mark": Form(mark=codecs.BOM_UTF8),
    "UTF-16": Form(encoding="utf-16"),
    "Windows": Form(encoding="cp1252", profile=Profile(encoding="cp1252")),
}


def header_of(body: bytes, profile: Profile) -> tuple[str, ...]:
    return open_feed(io.BytesIO(body), evolve(TERMS, profile=profile)).header.mapping.header


def prints_of(engine: FeedEngine, body: bytes, profile: Profile) -> list[Fingerprint | None]:
    """The fingerprints of a file's records, in order."""
    reading = engine.open(io.BytesIO(body), evolve(TERMS, profile=profile))
    return [record.fingerprint for batch in reading.batches() for record in batch]


def batches(
    engine: FeedEngine, body: bytes, prints: list[Fingerprint | None], profile: Profile,
    former: Sequence[str] = NAMES,
) -> Iterator[Batch]:  # fmt: skip
    reading = engine.open(io.BytesIO(body), evolve(TERMS, profile=profile))
    yield from reading.batches(IndexedFingerprints.of(prints), former)


@pytest.mark.parametrize("engine", ENGINES, ids=["reference", "columns", "small chunks"])
@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("now", NOW)
def test_all_are_recognised_in_whatever_form(engine: FeedEngine, form: str, now: str):
    """And from then on by what they are now: warnings are part of that too."""
    how, columns = FORMS[form], NOW[now]
    before, after = how.file(NAMES, ROWS), how.file(columns, ROWS)
    prints = prints_of(engine, before, how.profile)
    found = list(batches(engine, after, prints, how.profile))
    assert sorted(n for batch in found for n in batch.matched) == [0, 1, 2, 3, 4]
    assert not [record for batch in found for record in batch]
    (warned,) = [problem for batch in found for problem in batch.problems(9)]
    assert (warned.code, warned.value) == ("negative_quantity", "-1")
    renewed = {
        number: (upper, lower)
        for batch in found
        for number, upper, lower in zip(
            batch.renewed.numbers, batch.renewed.upper, batch.renewed.lower, strict=True
        )
    }
    assert [renewed[n] for n in range(5)] == prints_of(engine, after, how.profile)
    again = list(batches(engine, after, [renewed[n] for n in range(5)], how.profile, columns))
    assert [n for batch in again for n in batch.matched] == [0, 1, 2, 3, 4]
    assert not [n for batch in again for n in batch.renewed.numbers]


@pytest.mark.parametrize("engine", ENGINES[:2], ids=["reference", "columns"])
def test_rows_of_workbooks_are_recognised(engine: FeedEngine):
    files = list[bytes]()
    for columns in (NAMES, NOW["one more, and moved"]):
        cells = (dict(zip(NAMES, row, strict=True)) for row in (NAMES, *ROWS))
        rows = ([row.get(name, "note").replace("\n", " ") for name in columns] for row in cells)
        files.append(b"".join(workbook(f"{CELL_END.join(row)}\n" for row in rows)))
    before, after = files
    prints = prints_of(engine, before, CANONICAL)
    found = list(batches(engine, after, prints, CANONICAL))
    assert sorted(n for batch in found for n in batch.matched) == [0, 1, 2, 3, 4]


@pytest.mark.parametrize("engine", ENGINES, ids=["reference", "columns", "small chunks"])
def test_without_the_former_header_none_is_recognised(engine: FeedEngine):
    how = Form()
    prints = prints_of(engine, how.file(NAMES, ROWS), how.profile)
    after = how.file(NOW["one more"], ROWS)
    for former in ((), NOW["one more"], ("sku", "product_name", "price")):
        assert not [
            n for b in batches(engine, after, prints, how.profile, former) for n in b.matched
        ]


@pytest.mark.parametrize("engine", ENGINES, ids=["reference", "columns", "small chunks"])
def test_what_lacks_or_has_a_cell_more_is_read(engine: FeedEngine):
    """A record that looks like one of the file before is broken in this one."""
    body = Form().file(NAMES, ROWS)
    prints = prints_of(engine, body, CANONICAL)
    after = Form().file(NOW["one more"], ROWS).decode().splitlines(keepends=True)
    after[1] = "A,Lamp,plain,1.50,3\n"
    after[-1] = after[-1].rstrip() + ",\n"
    found = list(batches(engine, "".join(after).encode(), prints, CANONICAL))
    codes = [problem.code for batch in found for r in batch for problem in r.problems]
    assert codes == ["ragged_record"]
    assert sorted(n for batch in found for n in batch.matched) == [1, 2, 3]


@pytest.mark.parametrize(("known", "matched"), [(50, 50), (49, 0)])
def test_former_texts_are_left_alone_unless_some_are_known(known: int, matched: int):
    """A fourth of those that are looked at first, from all over the first part of the file."""
    rows = [(f"S{n}", "Lamp", "", "1.00", "") for n in range(200)]
    prints = prints_of(PolarsEngine(), Form().file(NAMES, rows), CANONICAL)
    some = [one if n % 4 == 0 and n // 4 < known else None for n, one in enumerate(prints)]
    found = batches(PolarsEngine(), Form().file(NOW["one more"], rows), some, CANONICAL)
    assert sum(len(batch.matched) for batch in found) == matched


PIECES = (
    "a", "b", "Lamp", ",", ",", ",", ",", ",", '"', '""', '"x, y"', '"x\n"', '"a ""b"""', " ", "\t",
    "Total", "Summe", ":", "<b>Warning</b>: ", "\xa0", "\u3000", "ü", "\\", "$1", ";", "\x1f",
)  # fmt: skip


@given(
    st.lists(st.lists(st.sampled_from(PIECES), max_size=14).map("".join), min_size=1),
    st.sampled_from([*NOW.values()]),
    st.sampled_from([",", ";", "\t"]),
)
def test_polars_and_python_write_the_same_former_texts(
    texts: list[str], columns: Sequence[str], delimiter: str
):
    header = open_feed(io.BytesIO(f"{delimiter.join(columns)}\n".encode()), TERMS).header
    respelling = respelling_of(header, NAMES)
    assert respelling is not None
    texts = [text.replace(",", delimiter) for text in texts]
    found = former_texts(pl.DataFrame({"text": texts}), respelling)["text"].to_list()
    assert found == [respelling(text) for text in texts]
