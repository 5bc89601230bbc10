"""Files and profiles that are made to hurt a reader: what each takes, in memory and in time."""

import gzip
import io
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from commerce_core.profiles.profile import CANONICAL
from tests.faults.reading import Reading, measured
from tests.support.hostile import FAMILY, HEADER, Hostile

SIZES: Final[Mapping[str, int]] = {
    "long_records": 300_000, "long_grouped": 300_000, "folded": 1_000_000, "carried": 20_000,
    "open_quote": 4_000_000, "one_line": 4_000_000, "late_quotes": 200_000,
    "lone_returns": 1_000_000, "blank_lines": 10_000_000, "empty_members": 300_000,
    "empty_folders": 100_000, "short_records": 1_000_000, "wide_records": 200_000,
    "many_cells": 4_000_000, "nested": 4_000_000, "many_values": 4_000_000, "many_keys": 500_000,
    "pattern_cells": 500_000, "long_amounts": 500_000, "templates": 20_000, "joined": 50_000,
}  # fmt: skip
"""How large each is made: some ten megabytes."""
PLAIN: Final = 400_000
MOST_MEGABYTES: Final = 600
_SLACK: Final = 1.0
"""Seconds that anything may take."""
_ONE_BY_ONE: Final = ("late_quotes", "long_amounts")
"""Files whose records are read one by one, in plain Python: as long as the reference takes."""


def family(folder: Path) -> str:
    """Within 600 MB, and at most three times as long as as many plain records or bytes."""
    figures = [_family(folder, by) for by in ("polars", "doctor")]
    return "; ".join(figures)


def _family(folder: Path, by: str) -> str:
    plain = FAMILY["plain"](PLAIN) if by == "polars" else _as_many_cells_as_are_examined()
    usual = measured(folder, by, plain)
    most: dict[str, Reading] = {}
    for name, size in SIZES.items():
        file = FAMILY[name](size)
        found = most[name] = measured(folder, by, file)
        assert found.megabytes <= MOST_MEGABYTES, f"{by}, {name}: {found}"
        if name not in _ONE_BY_ONE:
            share = max(len(file[1]) / len(plain[1]), found.records / max(1, usual.records))
            allowed = 3 * max(1.0, share) * usual.seconds + _SLACK
            assert found.seconds <= allowed, f"{by}, {name}: {found}, {allowed:.1f} s allowed"
    largest = max(most, key=lambda name: most[name].megabytes)
    slowest = max(most, key=lambda name: most[name].seconds)
    return (
        f"{by}: {len(most)} files, most memory {most[largest].megabytes} MB ({largest}), "
        f"longest {most[slowest].seconds:.1f} s ({slowest}), plain {usual.seconds:.1f} s"
    )


def _as_many_cells_as_are_examined() -> Hostile:
    """Plain records for the doctor, which takes as long as there are cells."""
    names = b",".join(b"c%d" % n for n in range(18))
    rows = b"".join(b"A%d,n" % n + b",%d" % n * 18 + b"\n" for n in range(20_000))
    return CANONICAL, b"sku,product_name," + names + b"\n" + rows


def bombs(folder: Path) -> str:
    """Refused, or a problem of its record, under 200 MB and 2 s of processor time."""
    taken = {name: measured(folder, "polars", file) for name, file in _bombs().items()}
    for name, found in taken.items():
        assert found.megabytes <= 200, f"{name}: {found}"
        assert found.seconds <= 2, f"{name}: {found}"
    most = max(found.megabytes for found in taken.values())
    longest = max(found.seconds for found in taken.values())
    outcomes = ", ".join(f"{name} {found.outcome}" for name, found in taken.items())
    return f"{outcomes}; at most {most} MB, {longest:.1f} s"


def _bombs() -> dict[str, Hostile]:
    zeros = HEADER + b"0" * (256 << 20)
    zipped = io.BytesIO()
    with zipfile.ZipFile(zipped, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("../../etc/feed.csv", HEADER + b"A,n\n")
    names = b",".join(b"c%d" % n for n in range(100_000))
    bodies = {
        "gzip bomb": gzip.compress(zeros),
        "../": zipped.getvalue(),
        "10 MB cell": HEADER + b"A," + b"x" * 10_000_000 + b"\nB,n\n",
        "100,000 columns": b"sku,product_name," + names + b"\n",
        "NUL": HEADER + b"A,n\0m\nB,n\n",
        "lone surrogate": b'{"sku": "A", "product_name": "\\ud800"}\n',
        "CESU-8": HEADER + b"A,\xed\xa0\x80\n",
    }
    return {name: (CANONICAL, body) for name, body in bodies.items()}
