"""From bytes to records: what was written is read, with its lines, whatever the blocks."""

import csv
import gzip
import io
import random
import tracemalloc
import zipfile
from collections.abc import Iterator, Sequence
from typing import BinaryIO

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from commerce_core.base.errors import FileRefused
from commerce_core.parsing import decoding, delimited, raw_records
from commerce_core.parsing.decoding import read_text
from commerce_core.parsing.delimited import read_delimited
from commerce_core.parsing.raw_records import LONGEST_RECORD, RawRecord
from tests.support.effort import assert_effort
from tests.support.examples import ONE_FIXTURE, scaled


def limit_records(patch: pytest.MonkeyPatch, characters: int) -> None:
    for module in (raw_records, delimited):
        patch.setattr(module, "LONGEST_RECORD", characters)


def read_records(stream: BinaryIO) -> Iterator[RawRecord]:
    return read_delimited(read_text(stream))


LINE_ENDS = ("\n", "\r\n", "\r")
BLOCKS = (1, 2, 3, 4, 5, 6, 7, 64, 1 << 18)


@pytest.fixture
def block(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> int:
    monkeypatch.setattr(decoding, "BLOCK", request.param)
    return request.param


blocks = pytest.mark.parametrize("block", BLOCKS, indirect=True)


def read(data: bytes | str) -> list[RawRecord]:
    return list(read_records(io.BytesIO(data if isinstance(data, bytes) else data.encode())))


def cells(data: bytes | str) -> list[list[str] | None]:
    return [record.cells for record in read(data)]


def lines(data: bytes | str) -> list[int]:
    return [record.line for record in read(data)]


def refusal(data: bytes | str) -> FileRefused:
    with pytest.raises(FileRefused) as refused:
        read(data)
    return refused.value


def outcome(data: bytes | str) -> list[RawRecord] | tuple[str, int | None]:
    """The records, or the code and line of the refusal."""
    try:
        return read(data)
    except FileRefused as refused:
        return refused.code, refused.line


# --- what is written is read ----------------------------------------------------------------------

texts = st.text(
    st.sampled_from(',"\r\n \0\ufeff\x85\u2028\x0b\x0c\x1caü€📦')
    | st.characters(exclude_categories=["Cs"]),
    max_size=8,
)
STYLES = (*((end, csv.QUOTE_ALL) for end in LINE_ENDS), ("\r\n", csv.QUOTE_MINIMAL))
"""Line ends and quoting of a writer; of line ends it quotes no others than its own."""
tables = st.lists(st.lists(texts, max_size=4), max_size=6)


def written(rows: Sequence[Sequence[str]], end: str, quoting: int) -> str:
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator=end, quoting=quoting)  # type: ignore[arg-type]
    writer.writerows(rows)
    return text.getvalue()


def line_ends(text: str) -> int:
    return text.count("\n") + text.count("\r") - text.count("\r\n")


def places(rows: Sequence[Sequence[str]], end: str, quoting: int) -> Iterator[tuple[int, int]]:
    """The line on which each record begins, and how many it covers."""
    line = 1
    for row in rows:
        covers = line_ends(written([row], end, quoting))
        yield line, covers
        line += covers


@blocks
@settings(suppress_health_check=ONE_FIXTURE, max_examples=scaled(60))
@given(
    rows=tables, style=st.sampled_from(STYLES), bom=st.booleans(),
)  # fmt: skip
def test_what_a_csv_writer_wrote_is_read_back_with_its_lines(
    block: int, rows: list[list[str]], style: tuple[str, int], bom: bool
):
    end, quoting = style
    rows = [["x" * 2_000], *rows]  # However odd the cells are, the file as a whole is text.
    data = (b"\xef\xbb\xbf" if bom else b"") + written(rows, end, quoting).encode()
    found = read(data)
    assert [record.cells for record in found] == rows
    assert [(record.line, record.lines) for record in found] == list(places(rows, end, quoting))


@blocks
@pytest.mark.parametrize("end", LINE_ENDS, ids=["LF", "CRLF", "CR"])
@pytest.mark.parametrize("last", [True, False], ids=["ended", "open"])
def test_lines_end_in_lf_crlf_or_cr_the_last_one_perhaps_not_at_all(
    block: int, end: str, last: bool
):
    text = end.join(["sku,name", "A,1", "", '"B",2', 'C,"x' + end + end + 'y"', "D,4"])
    found = read(text + (end if last else ""))
    assert [(record.line, record.cells) for record in found] == [
        (1, ["sku", "name"]),
        (2, ["A", "1"]),
        (3, []),
        (4, ["B", "2"]),
        (5, ["C", f"x{end}{end}y"]),
        (8, ["D", "4"]),
    ]


@blocks
def test_ends_of_lines_may_be_mixed(block: int):
    assert cells("a\nb\r\nc\rd\n\re\r\r\nf") == [["a"], ["b"], ["c"], ["d"], [], ["e"], [], ["f"]]
    assert lines("a\nb\r\nc\rd\n\re\r\r\nf") == [1, 2, 3, 4, 5, 6, 7, 8]


@blocks
def test_other_separators_of_lines_are_text(block: int):
    odd = "a\x0bb\x0cc\x1cd\x1de\x1ef\x85g\u2028h\u2029i" + "x" * 80
    assert cells(f"{odd},1\n2,3\n") == [[odd, "1"], ["2", "3"]]


@blocks
@pytest.mark.parametrize("data", [b"", b"\xef\xbb\xbf"])
def test_nothing_has_no_records(block: int, data: bytes):
    assert read(data) == []


@blocks
def test_a_byte_order_mark_is_no_part_of_the_first_cell(block: int):
    assert cells(b'\xef\xbb\xbf"sku",b\n1,2') == [["sku", "b"], ["1", "2"]]


@blocks
def test_blank_lines_are_records_too(block: int):
    assert [(record.line, record.cells) for record in read("\n \n,\n\n")] == [
        (1, []), (2, [" "]), (3, ["", ""]), (4, []),
    ]  # fmt: skip


@blocks
def test_a_nul_is_a_character_of_its_cell(block: int):
    assert cells("sku,product_name\nA\0B,x\n") == [["sku", "product_name"], ["A\0B", "x"]]


def test_a_stream_that_gives_less_than_was_asked_for_is_read_to_its_end():
    class Trickle(io.BytesIO):
        def read(self, size: int | None = -1, /) -> bytes:
            return super().read(min(3, size or 0) if size and size > 0 else size)

    text = "sku,name\r\n" + "".join(f"A{n},€{n}\r\n" for n in range(3_000))
    found = list(read_records(Trickle(text.encode())))
    assert len(found) == 3_001
    assert found[-1] == RawRecord(3_001, ["A2999", "€2999"])


# --- quotes ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "broken",
    ['"A"x,1', 'A,"12" TV"', 'A,"x"y"z",1', '"A" x,1', 'A,"b"\0', '""A,1', 'A,"""x" y'],
)
@pytest.mark.parametrize("end", LINE_ENDS, ids=["LF", "CRLF", "CR"])
def test_a_record_with_broken_quotes_is_reported_and_the_next_is_read(broken: str, end: str):
    found = read(f"sku,name{end}{broken}{end}B,2{end}")
    assert found == [
        RawRecord(1, ["sku", "name"]),
        RawRecord(2, None, broken + end),
        RawRecord(3, ["B", "2"]),
    ]


def test_quotes_inside_an_unquoted_cell_are_characters():
    assert cells('A,12" TV\nB,a"b"c\n') == [["A", '12" TV'], ["B", 'a"b"c']]


def test_a_broken_record_tells_how_many_lines_it_covers():
    found = read('sku,name\nA,"x\ny\nz"w\nB,2\n')
    assert found[1] == RawRecord(2, None, 'A,"x\ny\nz"w\n', 3)
    assert found[2] == RawRecord(5, ["B", "2"])


def test_the_text_of_a_broken_record_is_cut():
    (found,) = read('"A"x' + "y" * 5_000)
    assert found.text == ('"A"x' + "y" * 5_000)[:1000]


@blocks
@pytest.mark.parametrize(
    ("text", "line"),
    [
        ('sku,name\nA,"x', 2),
        ('sku,name\nA,1\n"B,2\nC,3\nD,4\n', 3),
        ('"', 1),
        ('a\n"', 2),
        ('a,"b\n\n\n', 1),
        ('a,"b\r\n\r\nc","d\r\ne', 3),
        ('a,"b\rc","d ""e""\rf', 2),
        ('a,"b\nc","d ""e"" \n""\n""""', 2),
        ('a,"open ""\n""x""\n', 1),
        ('5" pipe,"open\nx', 1),
        ('ok,"fine"\n5" pipe,7",x,"y\nz', 2),
        ('a,"b\nc",5" x,"\n', 2),
        ('"A"x,"open\nB,2\nC,"never\nD', 3),
        ('"","","\n\n', 1),
        ('"a\nb\nc",,"""', 3),
    ],
)
def test_a_quote_that_is_never_closed_is_named_by_the_line_it_opens_on(
    block: int, text: str, line: int
):
    refused = refusal(text)
    assert (refused.code, refused.line) == ("unterminated_quote", line)
    assert f"line {line} " in refused.detail


@settings(max_examples=scaled(150))
@given(st.lists(texts, max_size=3), tables, st.sampled_from(LINE_ENDS))
def test_the_opening_line_is_found_after_any_cells(row: list[str], rows: list[list[str]], end: str):
    before = written(rows, end, csv.QUOTE_ALL) + written([[*row, ""]], ",", csv.QUOTE_MINIMAL)[:-1]
    text = "x" * 100 + end + before + ('"' if before.endswith((",", "\n", "\r")) else ',"')
    if row or not before.endswith('"'):
        refused = refusal(text + "never" + end + "closed")
        assert (refused.code, refused.line) == ("unterminated_quote", line_ends(text) + 1)


# --- what is no text ------------------------------------------------------------------------------


def zipped() -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        archive.writestr("feed.csv", "sku,name\nA,1\n")
    return stream.getvalue()


PNG = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR\0\0\0\x01\0\0\0\x01\x08\x06\0\0\0\x1f\x15\xc4\x89"
NO_TEXTS = {
    "png": PNG,
    "pdf": b"%PDF-1.7\n%\xe2\xe3\xcf\xd3\n1 0 obj\n",
    "jpeg": b"\xff\xd8\xff\xe0\0\x10JFIF\0",
    "xls": b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(500),
    "zeros": bytes(5_000),
    "utf-16 unmarked": "sku,name\nA,1\n".encode("utf-16-le"),
    "utf-32": "sku,name\nA,1\n".encode("utf-32"),
}


PACKED = {
    "zip": zipped(),
    "gzip": gzip.compress(b"sku,name\nA,1\n"),
    "utf-16 little": "sku,name\nA,1\n".encode("utf-16"),
    "utf-16 big": b"\xfe\xff" + "sku,name\nA,1\n".encode("utf-16-be"),
    "utf-8 marked": "sku,name\nA,1\n".encode("utf-8-sig"),
}


@blocks
@pytest.mark.parametrize("data", PACKED.values(), ids=PACKED.keys())
def test_text_is_unpacked_and_decoded_by_its_mark(block: int, data: bytes):
    assert cells(data) == [["sku", "name"], ["A", "1"]]


@blocks
@pytest.mark.parametrize("data", NO_TEXTS.values(), ids=NO_TEXTS.keys())
def test_what_is_no_text_is_refused_as_such(block: int, data: bytes):
    refused = refusal(data)
    assert (refused.code, refused.line) == ("not_text", 1)


@blocks
@pytest.mark.parametrize("end", LINE_ENDS, ids=["LF", "CRLF", "CR"])
@pytest.mark.parametrize(
    ("byte", "bad"),
    [
        (0xFF, b"\xff"),
        (0xE4, b"M\xe4rz"),
        (0xC3, b"\xc3("),
        (0xE2, b"\xe2\x82x"),
        (0xED, b"\xed\xa0\x80"),
        (0xC0, b"\xc0\xaf"),
    ],
)
def test_a_byte_that_is_not_utf8_is_named_with_its_line(
    block: int, end: str, byte: int, bad: bytes
):
    good = end.join(["sku,näme", 'A,"two', 'lines €"', "", "B,📦"]) + end
    refused = refusal(good.encode() + b"C," + bad + end.encode() + b"D,2" + end.encode())
    assert (refused.code, refused.line) == ("undecodable", 6)
    assert f"Line 6 has the byte 0x{byte:02x}" in refused.detail


@blocks
def test_a_file_that_ends_within_a_character_is_cut_off(block: int):
    """One odd byte behind ASCII may also be the last letter of a text in another encoding."""
    for text in ("sku,name\nA,€", "sku,näme\nA,é"):
        refused = refusal(text.encode()[:-1])
        assert (refused.code, refused.line) == ("truncated", 2)
    refused = refusal("sku,name\nA,é".encode("cp1252"))
    assert (refused.code, refused.line) == ("undecodable", 2)


@settings(max_examples=scaled(300))
@given(st.binary(max_size=200))
def test_any_bytes_are_read_or_refused_with_a_known_code(data: bytes):
    match outcome(data):
        case str(code), _:
            assert code in ("not_text", "undecodable", "unterminated_quote", "truncated", "html",
                            "xml", "json")  # fmt: skip
        case found:
            begins = [record.line for record in found]
            assert begins == sorted(set(begins))


@settings(max_examples=scaled(100), suppress_health_check=ONE_FIXTURE)
@given(data=st.text('ab,"\r\n', max_size=40), size=st.sampled_from(BLOCKS))
def test_the_size_of_the_blocks_changes_nothing(
    monkeypatch: pytest.MonkeyPatch, data: str, size: int
):
    with monkeypatch.context() as patched:
        patched.setattr(decoding, "BLOCK", size)
        in_blocks = outcome(data)
    assert in_blocks == outcome(data)


# --- limits ---------------------------------------------------------------------------------------


class Endless(io.RawIOBase):
    """So many bytes of the same filling after a head, made as they are read."""

    def __init__(self, head: bytes, filling: bytes, size: int) -> None:
        self._head, self._filling, self._left = head, filling, size

    def readable(self) -> bool:
        return True

    def read(self, size: int = -1, /) -> bytes:
        head, self._head = self._head, b""
        if head:
            return head
        given = (self._filling * (size // len(self._filling) + 1))[: min(size, self._left)]
        self._left -= len(given)
        return given


def peak_of(stream: Endless) -> tuple[FileRefused, int]:
    """How a stream is refused, and how many bytes were in use at most until then."""
    tracemalloc.start()
    try:
        with pytest.raises(FileRefused) as refused:
            for _ in read_records(stream):  # type: ignore[arg-type]
                pass
        return refused.value, tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


def test_a_cell_of_ten_megabytes_is_read_in_time_that_grows_with_its_length():
    big = "x" * 10_000_000
    text = f'sku,name\nA,"{big}"\nB,{big}\n'
    assert cells(text) == [["sku", "name"], ["A", big], ["B", big]]
    assert_effort(lambda: cells(text), 5_000)


def test_a_cell_of_many_lines_is_read_in_time_that_grows_with_its_length():
    big = "x\r\n" * 1_000_000
    text = f'sku,name\nA,"{big}"\nB,1\n'
    assert_effort(lambda: read(text), 5_000)
    assert [(record.line, record.lines) for record in read(text)] == [
        (1, 1),
        (2, 1_000_001),
        (1_000_003, 1),
    ]


def test_records_that_were_read_are_not_kept():
    stream = Endless(b"sku,name\n", b"A,some name or other\n", 6_000_000)
    tracemalloc.start()
    try:
        assert sum(1 for _ in read_records(stream)) > 250_000  # type: ignore[arg-type]
        assert tracemalloc.get_traced_memory()[1] < 4_000_000
    finally:
        tracemalloc.stop()


@pytest.fixture
def two_megabytes(monkeypatch: pytest.MonkeyPatch) -> int:
    """The length of the longest record, which memory is measured by."""
    limit_records(monkeypatch, 2_000_000)
    return 2_000_000


def test_a_quote_left_open_in_a_hundred_megabytes_takes_the_memory_of_a_record(two_megabytes: int):
    refused, peak = peak_of(Endless(b'sku,name\nA,"open\n', b"B,some name\n", 100_000_000))
    assert (refused.code, refused.line) == ("unterminated_quote", 2)
    assert peak < 20 * two_megabytes


def test_a_line_without_end_takes_the_memory_of_a_record(two_megabytes: int):
    refused, peak = peak_of(Endless(b"sku,name\nA,1\n", b"x", 100_000_000))
    assert (refused.code, refused.line) == ("too_large", 3)
    assert peak < 5 * two_megabytes


@pytest.fixture
def short_records(monkeypatch: pytest.MonkeyPatch) -> int:
    limit_records(monkeypatch, 100)
    return 100


@blocks
def test_a_record_has_a_length(block: int, short_records: int):
    fits = "A," + "x" * (short_records - 3)
    assert cells(f"{fits}\nB\n") == [fits.split(","), ["B"]]
    refused = refusal(f"B\n{fits}y\nB\n")
    assert (refused.code, refused.line) == ("too_large", 2)
    two_lines = 'A,"\n' + "x" * (short_records - 6)
    assert cells(f'{two_lines}"\nB\n')[1] == ["B"]
    refused = refusal(f'B\n{two_lines}y"\nB\n')
    assert (refused.code, refused.line) == ("unterminated_quote", 2)


def test_the_limit_on_fields_that_others_set_is_only_ever_widened():
    before = csv.field_size_limit()
    try:
        csv.field_size_limit(10)
        assert cells("x" * 100) == [["x" * 100]]
        csv.field_size_limit(LONGEST_RECORD + 1)
        read("x")
        assert csv.field_size_limit() == LONGEST_RECORD + 1
    finally:
        csv.field_size_limit(before)


def test_random_bytes_are_refused():
    chance = random.Random(7)
    for _ in range(20):
        assert refusal(chance.randbytes(5_000)).code in ("not_text", "undecodable")
