"""Damage: how the bytes of a good file become those of a bad one, the same for the same seed."""

import codecs
import gzip
import io
import random
import zipfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final

LONGEST: Final = 1 << 16
"""Bytes of an input; what only shows in longer ones has tests of its own."""
CORPUS: Final = Path(__file__).with_name("corpus")

_TOKENS: Final = (
    b"", b",", b";", b"\t", b"|", b'"', b'""', b'"x', b"'", b"\r", b"\n", b"\r\n", b"\n\n", b" ",
    b"\0", b"\x1b", b"\x85", b"\xa0", "\u00a0".encode(), "\u2028".encode(), "\u202f".encode(),
    "\ufeff".encode(), "\u0661".encode(), "\uff11".encode(), "📦".encode(), b"\xff", b"\xc0\xaf",
    b"\xed\xa0\x80", b"\xe2\x82", codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE, codecs.BOM_UTF32_LE,
    b"\x1f\x8b", b"PK\x03\x04", b"PK\x01\x02", b"PK\x07\x08", b"{", b"}", b"[", b"]", b"null",
    b'{"sku": "A"}\n', b"\\", b"\\ud800", b"\\u0000", b"%", b"=1+1", b"-", b"+", b"@", b"1e99",
    b"1e400", b"NaN", b"-inf", b"9" * 400, b"0" * 50, b".", b"1.", b"1,", b"1.299,00",
    b"1,299.00 USD", b"15 000 Fcfa", b"0001-01-01", b"9999-12-31T23:59:59-14:00", b"24:00",
    b"9.90EUR", b"1250p", b"GBp", b"1.250", b"NULL", b"N/A", b"#N/A", b"#DIV/0!", b"T24:00", b",5Z",
    b"+02", b"2030-W05-4", b"20300131T0000Z",
    b"sku", b"SKU", b"id", b"price", b"Price (INR)", b"product_name", b"deleted", b"yes", b"Handle",
    b"Variant Price EUR", b"_feed", b"_line", b"_code", b"goes_along", b"x" * 1000, b"a,b," * 300,
    b"https://a.example/ ", b"{Handle}", b"(", b")", b"(.*)", b"([a-z]+)+", b"pattern",
    b' "', b'" ,', b', "', b'"sep=;"\n', b"<html>", b"<?xml", b'{"error": 1}', b"quotes = 'none'\n",
    b"[columns]", b"YYYY-MM-DD", b" = ", b"true",
)  # fmt: skip
_ENCODINGS: Final = ("utf-16", "utf-8-sig", "cp1252", "utf-16-le", "latin-1", "utf-32", "cp037")

Mutation = Callable[[random.Random, bytes, bytes], bytes]


def mutated(chance: random.Random, data: bytes, other: bytes) -> bytes:
    """The bytes after some damage, into which parts of others may have been put."""
    for _ in range(1 << chance.choice((0, 0, 1, 1, 2, 4))):
        data = chance.choice(_MUTATIONS)(chance, data, other)
    if chance.random() < _SELDOM:
        data = chance.choice(_WRAPPINGS)(chance, data, other)
        if chance.random() < 0.5:
            data = chance.choice(_MUTATIONS)(chance, data, other)
    return data[:LONGEST]


_SELDOM: Final = 0.08


def _span(chance: random.Random, data: bytes) -> tuple[int, int]:
    """Where a part begins and ends; most are short."""
    begin = chance.randint(0, len(data))
    return begin, min(len(data), begin + int(2 ** chance.uniform(0, 10)))


def _put_token(chance: random.Random, data: bytes, _: bytes) -> bytes:
    at = chance.randint(0, len(data))
    return data[:at] + chance.choice(_TOKENS) + data[at:]


def _replace_part(chance: random.Random, data: bytes, _: bytes) -> bytes:
    begin, end = _span(chance, data)
    return data[:begin] + chance.choice(_TOKENS) + data[end:]


def _replace_cell(chance: random.Random, data: bytes, _: bytes) -> bytes:
    """One cell of the file, as far as it is split by one of the usual delimiters."""
    delimiter = chance.choice((b",", b";", b"\t", b"\n"))
    cells = data.split(delimiter)
    cells[chance.randrange(len(cells))] = chance.choice(_TOKENS)
    return delimiter.join(cells)


def _drop_part(chance: random.Random, data: bytes, _: bytes) -> bytes:
    begin, end = _span(chance, data)
    return data[:begin] + data[end:]


def _repeat_part(chance: random.Random, data: bytes, _: bytes) -> bytes:
    begin, end = _span(chance, data)
    return data[:begin] + data[begin:end] * chance.choice((2, 2, 3, 50)) + data[end:]


def _flip_bit(chance: random.Random, data: bytes, _: bytes) -> bytes:
    if not data:
        return data
    at = chance.randrange(len(data))
    return data[:at] + bytes([data[at] ^ (1 << chance.randrange(8))]) + data[at + 1 :]


def _random_bytes(chance: random.Random, data: bytes, _: bytes) -> bytes:
    begin, end = _span(chance, data)
    return data[:begin] + chance.randbytes(chance.randint(1, 20)) + data[end:]


def _cut(chance: random.Random, data: bytes, _: bytes) -> bytes:
    return data[: chance.randint(0, len(data))]


def _crossed(chance: random.Random, data: bytes, other: bytes) -> bytes:
    begin, end = _span(chance, other)
    at = chance.randint(0, len(data))
    return data[:at] + other[begin:end] + data[at:]


def _shuffled_lines(chance: random.Random, data: bytes, _: bytes) -> bytes:
    lines = data.splitlines(keepends=True)
    chance.shuffle(lines)
    return b"".join(lines)


def _recoded(chance: random.Random, data: bytes, _: bytes) -> bytes:
    return data.decode("utf-8", "replace").encode(chance.choice(_ENCODINGS), "replace")


def _gzipped(chance: random.Random, data: bytes, other: bytes) -> bytes:
    packed = gzip.compress(data, 1, mtime=0)
    return packed + gzip.compress(other, 1, mtime=0) * chance.choice((0, 0, 1))


def _zipped(chance: random.Random, data: bytes, other: bytes) -> bytes:
    stream = io.BytesIO()
    method = chance.choice((zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED))
    with zipfile.ZipFile(stream, "w", method) as archive:
        for name, content in (("a.csv", data), ("b.csv", other))[: chance.choice((1, 1, 1, 2))]:
            archive.writestr(zipfile.ZipInfo(name, (2026, 1, 1, 0, 0, 0)), content, method)
    return stream.getvalue()


_MUTATIONS: Final[Sequence[Mutation]] = (
    _put_token, _put_token, _put_token, _replace_part, _replace_part, _replace_cell, _replace_cell,
    _replace_cell, _drop_part, _repeat_part, _flip_bit, _flip_bit, _random_bytes, _cut, _crossed,
    _shuffled_lines, _recoded,
)  # fmt: skip
_WRAPPINGS: Final[Sequence[Mutation]] = (_gzipped, _zipped)
