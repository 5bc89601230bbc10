"""From raw bytes to text: archives, encodings, and what is refused before a record is read."""

import codecs
import gzip
import io
import resource
import zipfile
import zlib
from collections.abc import Callable

import pytest

from commerce_core.base.errors import FileRefused
from commerce_core.parsing import decoding
from commerce_core.parsing.decoding import HIGHEST_RATIO, read_text
from tests.support.effort import assert_effort

BLOCKS = (1, 2, 3, 5, 64, 1 << 18)
FEED = "sku,name\r\nA,Stuhl\r\n"


@pytest.fixture(params=BLOCKS)
def block(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> int:
    """Blocks of some size, and a look at no more than a few bytes ahead."""
    monkeypatch.setattr(decoding, "BLOCK", request.param)
    monkeypatch.setattr(decoding, "_HEAD", 4)
    return request.param


def text(data: bytes, encoding: str | None = None) -> str:
    return "".join(read_text(io.BytesIO(data), encoding))


def refusal(data: bytes, encoding: str | None = None) -> FileRefused:
    with pytest.raises(FileRefused) as refused:
        text(data, encoding)
    return refused.value


def zipped(
    *files: tuple[str, bytes], method: int = zipfile.ZIP_DEFLATED, streamed: bool = False
) -> bytes:
    """A zip; a streamed one has sizes and checksums behind the data."""

    class Stream(io.BytesIO):
        def seekable(self) -> bool:
            return not streamed

        def tell(self) -> int:
            if streamed:
                raise OSError
            return super().tell()

    stream = Stream()
    with zipfile.ZipFile(stream, "w", method) as archive:
        for name, content in files:
            archive.writestr(zipfile.ZipInfo(name), content, method)
    return stream.getvalue()


# --- archives -------------------------------------------------------------------------------------


def test_the_members_of_a_gzip_are_one_file(block: int):
    members = [gzip.compress(part.encode()) for part in (FEED[:7], "", FEED[7:])]
    assert text(b"".join(members)) == FEED


def test_zeros_behind_a_gzip_are_padding_and_anything_else_is_damage(block: int):
    packed = gzip.compress(FEED.encode())
    assert text(packed + bytes(600)) == FEED
    for rest in (b"x", b"\0x", bytes(600) + packed):
        assert refusal(packed + rest).code == "undecodable"


@pytest.mark.parametrize("streamed", [False, True])
def test_the_one_file_of_a_zip_is_read(block: int, streamed: bool):
    assert text(zipped(("feed.csv", FEED.encode()), streamed=streamed)) == FEED


def test_a_file_that_is_stored_in_a_zip_is_read(block: int):
    assert text(zipped(("feed.csv", FEED.encode()), method=zipfile.ZIP_STORED)) == FEED


@pytest.mark.parametrize("streamed", [False, True])
def test_folders_and_what_macos_adds_are_no_files(block: int, streamed: bool):
    files = [
        ("feeds/", b""),
        ("__MACOSX/._feeds", b"\0\5\x16\7"),
        ("feeds/a.csv", FEED.encode()),
        ("__MACOSX/feeds/._a.csv", b"\0\5\x16\7" * 99),
    ]
    assert text(zipped(*files, streamed=streamed)) == FEED


@pytest.mark.parametrize("streamed", [False, True])
def test_a_zip_of_several_files_is_refused(block: int, streamed: bool):
    several = zipped(("a.csv", FEED.encode()), ("b.csv", b"sku\nB\n"), streamed=streamed)
    refused = refusal(several)
    assert refused.code == "not_text"
    assert "several files" in refused.detail


def test_an_encrypted_zip_is_refused(block: int):
    plain = bytearray(zipped(("feed.csv", FEED.encode())))
    plain[6] |= 1
    refused = refusal(bytes(plain))
    assert refused.code == "not_text"
    assert "encrypted" in refused.detail


def test_a_zip_packed_in_another_way_is_refused():
    refused = refusal(zipped(("feed.csv", FEED.encode()), method=zipfile.ZIP_LZMA))
    assert refused.code == "not_text"


@pytest.mark.parametrize(
    "first",
    ["[Content_Types].xml", "_rels/.rels", "docProps/app.xml", "xl/workbook.xml", "mimetype"],
)
def test_a_spreadsheet_without_its_parts_is_refused_as_one(block: int, first: str):
    refused = refusal(zipped((first, b"<x/>"), ("xl/sheet.xml", b"<y/>")))
    is_workbook = first != "mimetype"
    assert refused.code == ("undecodable" if is_workbook else "not_text")
    assert ("workbook is damaged" if is_workbook else "spreadsheet (.ods)") in refused.detail


@pytest.mark.parametrize("nested", [gzip.compress, lambda data: zipped(("feed.csv", data))])
def test_an_archive_within_an_archive_is_refused_as_one(nested: Callable[[bytes], bytes]):
    refused = refusal(gzip.compress(nested(FEED.encode())))
    assert refused.code == "not_text"
    assert "archive within" in refused.detail


@pytest.mark.parametrize(
    "packed",
    [
        gzip.compress(FEED.encode()),
        zipped(("feed.csv", FEED.encode())),
        zipped(("feed.csv", FEED.encode()), method=zipfile.ZIP_STORED),
        zipped(("feed.csv", FEED.encode()), streamed=True),
    ],
    ids=["gz", "zip", "stored", "streamed"],
)
def test_an_archive_cut_off_anywhere_never_passes_for_a_whole_one(packed: bytes):
    """A zip's list of its files, at the end, isn't needed; all before it is."""
    contents = packed.find(b"PK\x01\x02") + 4 if packed.startswith(b"PK") else len(packed)
    for cut in range(4, contents):
        refused = refusal(packed[:cut])
        assert refused.code == "truncated", cut


def test_a_damaged_archive_never_passes_for_a_whole_one():
    """Of the header only what nobody reads, such as times and names, may differ."""
    for packed in (gzip.compress(FEED.encode(), mtime=0), zipped(("feed.csv", FEED.encode()))):
        for place in range(len(packed)):
            for bit in range(8):
                damaged = bytearray(packed)
                damaged[place] ^= 1 << bit
                try:
                    read = text(bytes(damaged))
                except FileRefused:
                    continue
                assert read == FEED or place < 4, (place, bit, read)


# --- bombs ----------------------------------------------------------------------------------------


def bomb(line: bytes, size: int) -> bytes:
    pack = zlib.compressobj(9, zlib.DEFLATED, zlib.MAX_WBITS | 16)
    block = line * ((1 << 20) // len(line))
    return b"".join(pack.compress(block) for _ in range(size >> 20)) + pack.flush()


@pytest.mark.slow
@pytest.mark.parametrize("line", [b"\n", b"sku,name\n", b'"', b"x"])
def test_a_bomb_is_refused_in_two_seconds_and_200_megabytes(line: bytes):
    packed = bomb(line, 300 << 20)
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    refused = refusal(packed)
    assert_effort(lambda: refusal(packed), 2_000)
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - memory < 200 << 10
    assert refused.code == "too_large"


def test_a_bomb_within_a_bomb_is_refused():
    assert refusal(gzip.compress(bomb(b"x", 100 << 20))).code == "not_text"


def test_what_expands_a_hundredfold_is_taken():
    line = b"A-1000,The same chair in the same colour for the same price,12.50,EUR\n"
    feed = b"".join(line.replace(b"1000", b"%d" % n, 1) for n in range(40_000, 90_000))
    packed = gzip.compress(feed, 9)
    assert len(feed) > 3 << 20
    assert len(feed) < HIGHEST_RATIO * len(packed)
    assert text(packed) == feed.decode()


# --- encodings ------------------------------------------------------------------------------------

WORD = "sku,näme\nA,Größe\nB,grün\n"


@pytest.mark.parametrize("encoding", ["cp1252", "iso-8859-15", "mac-roman", "cp850", "cp437"])
def test_a_declared_encoding_counts_where_the_bytes_are_no_utf8(block: int, encoding: str):
    read = read_text(io.BytesIO(WORD.encode(encoding)), encoding)
    assert "".join(read) == WORD
    assert read.encoding == encoding


def test_an_encoding_of_two_bytes_can_be_declared(block: int):
    assert text("sku,名前\nA,椅子\n".encode("shift_jis"), "shift_jis") == "sku,名前\nA,椅子\n"


@pytest.mark.parametrize("declared", [None, "cp1252", "utf-8", "ascii"])
def test_valid_utf8_is_utf8_whatever_is_declared(block: int, declared: str | None):
    assert text(WORD.encode(), declared) == WORD


@pytest.mark.parametrize("marked", ["utf-8-sig", "utf-16"])
def test_a_mark_counts_more_than_what_is_declared(block: int, marked: str):
    read = read_text(io.BytesIO(WORD.encode(marked)), "cp1252")
    assert "".join(read) == WORD
    assert (read.encoding, bool(read.mark)) == (marked, True)


def test_a_marked_file_never_falls_back(block: int):
    assert refusal(codecs.BOM_UTF8 + WORD.encode("cp1252"), "cp1252").code == "undecodable"


def test_the_declared_encoding_counts_from_the_first_byte_that_is_not_ascii(block: int):
    plain = "sku,name\n" + "A,1\n" * 50
    assert text((plain + WORD).encode("cp1252"), "cp1252") == plain + WORD


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"], ids=["LF", "CRLF", "CR"])
def test_a_file_in_two_encodings_is_refused_at_the_line_that_tells(block: int, end: str):
    good, bad = f"sku,name{end}A,1{end}B,Stühle{end}".encode(), "C,Körbe".encode("cp1252")
    refused = refusal(good + bad, "cp1252")
    assert (refused.code, refused.line) == ("undecodable", 4)
    assert "0xf6" in refused.detail


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"], ids=["LF", "CRLF", "CR"])
def test_a_byte_that_the_declared_encoding_lacks_is_named_with_its_line(block: int, end: str):
    data = f"sku,name{end}A,Größe{end}{end}B,".encode("cp1252") + b"\x81"
    refused = refusal(data + end.encode(), "cp1252")
    assert (refused.code, refused.line) == ("undecodable", 4)
    assert "0x81, which is not cp1252" in refused.detail


def test_without_a_declared_encoding_what_is_no_utf8_is_refused_at_its_line(block: int):
    refused = refusal(("sku,name\r\n" * 3 + "A,Größe\r\n").encode("cp1252"))
    assert (refused.code, refused.line) == ("undecodable", 4)
