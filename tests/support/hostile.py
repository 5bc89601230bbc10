"""Files and profiles that are made to hurt a reader, each in any size."""

import gzip
import io
import json
import struct
import zipfile
import zlib
from collections.abc import Callable, Mapping
from typing import Final

from commerce_core.profiles.profile import CANONICAL, Column, Group, Profile

Hostile = tuple[Profile, bytes]
HEADER: Final = b"sku,product_name\n"
_GROUPED: Final = Profile(
    columns={"additional_image_urls": Column(("Picture",))},
    group=Group("Handle", carry=("Title",), offer=("sku",), append="Picture"),
)


def plain(size: int) -> Hostile:
    """What all others are compared with: `size` records of a usual feed."""
    rows = b"".join(b"SKU-%d,Product number %d,12.50,EUR,7\n" % (n, n) for n in range(size))
    return CANONICAL, b"sku,product_name,price,currency,quantity\n" + rows


def long_records(size: int) -> Hostile:
    """Few records, as long as they may be; `size` of a thousand characters in all."""
    some = max(1, size // 15_000)
    lines = (
        json.dumps(
            {"sku": f"A{n}", "product_name": "n", "description": "x" * (size * 1000 // some)}
        )
        for n in range(some)
    )
    return CANONICAL, "\n".join(lines).encode()


def long_grouped(size: int) -> Hostile:
    """The same as delimited text whose records belong together."""
    some = max(1, size // 15_000)
    cell = b"x" * (size * 1000 // some)
    rows = b"".join(b"h%d,T,s%d,,%s\n" % (n, n, cell) for n in range(some))
    return _GROUPED, b"Handle,Title,sku,Picture,description\n" + rows


def folded(size: int) -> Hostile:
    """A record with many pictures, each in a record of its own."""
    rows = b"".join(b"h,,,http://a/%d,\n" % n for n in range(size))
    return _GROUPED, b"Handle,Title,sku,Picture,product_name\nh,T,A,,n\n" + rows


def carried(size: int) -> Hostile:
    """A long title that all records of the group take from the first."""
    profile = Profile(group=Group("Handle", carry=("product_name",)))
    rows = b"".join(b"h,%d,\n" % n for n in range(size))
    return profile, b"Handle,sku,product_name\nh,A," + b"x" * 1000 + b"\n" + rows


def open_quote(size: int) -> Hostile:
    """Short lines behind a quote that is never closed."""
    return CANONICAL, HEADER + b'A,"' + b"x y,\n" * size


def one_line(size: int) -> Hostile:
    """A quote that is never closed, and no line either."""
    return CANONICAL, HEADER + b'A,"' + b"xxxxx" * size


def late_quotes(size: int) -> Hostile:
    """Quotes that aren't around a cell, so that no record has a proper end."""
    return CANONICAL, HEADER + b'a"b,"c\n' * size


def lone_returns(size: int) -> Hostile:
    """Lines that end with CR alone, as on machines long gone."""
    return CANONICAL, b"sku,product_name\r" + b"".join(b"A%d,n\r" % n for n in range(size))


def blank_lines(size: int) -> Hostile:
    """Nothing but ends of lines."""
    return CANONICAL, HEADER + b"\n" * size


def empty_members(size: int) -> Hostile:
    """A gzip file with many members of nothing."""
    return CANONICAL, gzip.compress(HEADER + b"A,n\n") + gzip.compress(b"", mtime=0) * size


def empty_folders(size: int) -> Hostile:
    """A zip archive of packed folders, and a file behind them."""
    packer = zlib.compressobj(9, zlib.DEFLATED, -zlib.MAX_WBITS)
    packed = packer.compress(b"") + packer.flush()
    head = struct.Struct("<4sHHHHHIIIHH")
    folders = b"".join(
        head.pack(b"PK\3\4", 20, 0, 8, 0, 0, 0, len(packed), 0, 9, 0) + b"%08d/" % n + packed
        for n in range(size)
    )
    last = io.BytesIO()
    with zipfile.ZipFile(last, "w") as archive:
        archive.writestr("feed.csv", HEADER + b"A,n\n")
    return CANONICAL, folders + last.getvalue()


def short_records(size: int) -> Hostile:
    """Records of one cell under a header of a thousand."""
    names = b",".join(b"c%d" % n for n in range(998))
    return CANONICAL, b"sku,product_name," + names + b"\n" + b"a\n" * size


def wide_records(size: int) -> Hostile:
    """Records of a thousand cells."""
    names, cells = (b",".join(b"%s%d" % (w, n) for n in range(998)) for w in (b"c", b"v"))
    rows = b"".join(b"A%d,n,%s\n" % (n, cells) for n in range(max(1, size // 100)))
    return CANONICAL, b"sku,product_name," + names + b"\n" + rows


def many_cells(size: int) -> Hostile:
    """A record of many cells more than the header."""
    return CANONICAL, HEADER + b"A,n" + b",x" * size + b"\nB,n\n"


def nested(size: int) -> Hostile:
    """Lists within lists; the records before and behind them are good."""
    good = b'{"sku": "%s", "product_name": "n"}\n'
    deep = b'{"sku": "B", "product_name": ' + b"[" * size + b"]" * size + b"}\n"
    return CANONICAL, good % b"A" + deep + good % b"C"


def many_values(size: int) -> Hostile:
    """A record of many objects, each of which takes far more memory than text."""
    first = b'{"sku": "A", "product_name": "n"}\n'
    return CANONICAL, first + b'{"sku": "B", "x": [' + b"{}," * size + b"1]}\n"


def many_keys(size: int) -> Hostile:
    """Objects each of which has keys of its own."""
    keys = (b",".join(b'"k%d_%d":1' % (n, k) for k in range(100)) for n in range(size // 100 + 1))
    return CANONICAL, b"".join(b'{"sku":"A","product_name":"n",' + some + b"}\n" for some in keys)


def pattern_cells(size: int) -> Hostile:
    """Cells that a matcher would try in many ways: each a little different."""
    column = Column(("product_name",), pattern=r"(\w*\w*\w?\w?\w?)b")
    rows = b"".join(b"A%d,%s%d\n" % (n, b"a" * 1900, n) for n in range(max(1, size // 100)))
    return Profile(columns={"product_name": column}), HEADER + rows


def long_amounts(size: int) -> Hostile:
    """Prices that are nearly prices, for as long as a cell may be."""
    cells = (b"1" + b" -" * 900 + b"%d!" % n for n in range(max(1, size // 100)))
    rows = b"".join(b"A%d,n,%s\n" % (n, cell) for n, cell in enumerate(cells))
    return CANONICAL, b"sku,product_name,price\n" + rows


def templates(size: int) -> Hostile:
    """A profile with many templates for a missing sku, none of which fits."""
    many = tuple(f"{{x{n}}}/{{y}}" for n in range(size))
    return Profile(identity=many), b"sku,product_name,y\n" + b",n,q\n" * 500


def joined(size: int) -> Hostile:
    """A profile that joins one column again and again."""
    column = Column(("d",) * size, join=" ")
    rows = b"".join(b"A%d,n,%s\n" % (n, b"w" * 1000) for n in range(50))
    return Profile(columns={"description": column}), b"sku,product_name,d\n" + rows


FAMILY: Final[Mapping[str, Callable[[int], Hostile]]] = {
    make.__name__: make
    for make in (
        plain, long_records, long_grouped, folded, carried, open_quote, one_line, late_quotes,
        lone_returns, blank_lines, empty_members, empty_folders, short_records, wide_records,
        many_cells, nested, many_values, many_keys, pattern_cells, long_amounts, templates, joined,
    )
}  # fmt: skip
