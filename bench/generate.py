"""Made-up feeds of any size for measuring: what a partner sends on the first day and on others.

    python bench/generate.py ROWS KIND [FILE] [--day N]

Kinds of days: `first`; `second`, 1 % of the prices changed; `ten`, 10 % changed; `shuffled`, the
first day's lines in another order; `added_removed`, 2 % of the products gone and 2 % new; `bad`,
30 % of the first day's records spoiled, in five ways; `warned` and `warned_second`, the first and
second day with a warning in each record; `renamed`, the second day with a column called
differently; `wider`, the second day with a column more in the middle. The same words give the same
bytes, on any machine. Every line is computed from its number alone, so memory
stays flat. `--day` chooses which products change; the first day is the same for all.
"""

import argparse
import sys
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Final, Literal, get_args

Kind = Literal[
    "first",
    "second",
    "ten",
    "shuffled",
    "added_removed",
    "bad",
    "warned",
    "warned_second",
    "renamed",
    "wider",
]
KINDS: Final[tuple[Kind, ...]] = get_args(Kind)
HEADER: Final = (
    "sku,product_name,description,brand,category,price,currency,availability,quantity,gtin,"
    "image_url\n"
)
CHANGED: Final = {
    "second": 100, "renamed": 100, "wider": 100, "warned": 0, "warned_second": 100, "ten": 1_000,
}  # fmt: skip
"""How many of ten thousand products change their price."""
ADDED_REMOVED: Final = 200
"""How many of ten thousand products are removed, and how many are added."""
SPOILED: Final = 3_000
"""How many of ten thousand records are rejected."""
_OF: Final = 10_000
_LINES_AT_ONCE: Final = 4_096

_BRANDS: Final = (
    "Acme", "Bosch & Sons", "Casa Verde", "Dovetail", "Elmwood", "Ferro", "Gaia", "Halden",
    "Iris", "Juniper", "Kestrel", "Lumen", "Möbelhaus", "Nordlys", "Orchard", "Pelikan",
)  # fmt: skip
_KINDS_OF_THINGS: Final = (
    "Lamp", "Chair", "Table", "Kettle", "Jacket", "Backpack", "Drill", "Notebook", "Mug",
    "Blanket", "Shelf", "Bottle", "Tent", "Clock", "Mirror", "Scarf",
)  # fmt: skip
_QUALITIES: Final = (
    "Classic", "Compact", "Heavy Duty", "Foldable", "Soft", "Vintage", "Slim", "Outdoor",
)  # fmt: skip
_COLOURS: Final = ("black", "white", "red", "oak", "slate", "navy", "olive", "sand")
_CATEGORIES: Final = (
    "Home > Kitchen", "Home > Living Room", "Garden > Tools", "Sports > Outdoor > Camping",
    "Clothing > Women > Accessories", "Office > Supplies", "Home > Lighting > Lamps", "Travel",
)  # fmt: skip
_AVAILABILITIES: Final = ("in_stock", "in_stock", "in_stock", "out_of_stock", "preorder")


def feed(rows: int, kind: Kind, day: int = 2) -> Iterator[str]:
    """The lines of a file, the header first."""
    yield _header(kind)
    match kind:
        case "first":
            yield from map(line, range(rows))
        case "second" | "renamed" | "ten":
            yield from (line(n, _repriced(n, day, CHANGED[kind])) for n in range(rows))
        case "wider":
            yield from (_wider(n, _repriced(n, day, CHANGED[kind])) for n in range(rows))
        case "warned" | "warned_second":
            yield from (_warned(n, _repriced(n, day, CHANGED[kind])) for n in range(rows))
        case "shuffled":
            yield from map(line, _shuffled(rows, day))
        case "added_removed":
            yield from (line(_replaced(n, rows, day)) for n in range(rows))
        case "bad":
            yield from (_spoiled(n, day) for n in range(rows))


def _header(kind: Kind) -> str:
    match kind:
        case "renamed":
            return HEADER.replace("product_name", "title")
        case "wider":
            return HEADER.replace(",price,", ",material,price,")
        case _:
            return HEADER


def line(number: int, raised: int = 0) -> str:
    """The record of a product, with its price raised by some cents."""
    return _record(number, _price(number, raised))


def _wider(number: int, raised: int) -> str:
    """The record of a product with a cell before its price that nothing reads."""
    material = _COLOURS[mixed(number) >> 20 & 7]
    return _record(number, f"{material},{_price(number, raised)}")


def _warned(number: int, raised: int) -> str:
    """The record of a product whose GTIN has a wrong check digit."""
    gtin = _gtin(number)
    wrong = f"{gtin[:-1]}{(int(gtin[-1]) + 1) % 10}"
    return _record(number, _price(number, raised), gtin=wrong)


def _price(number: int, raised: int = 0) -> str:
    cents = 99 + mixed(number) % 250_000 + raised
    return f"{cents // 100}.{cents % 100:02d}"


def _record(
    number: int, price: str, *, name: str | None = None, availability: str | None = None,
    gtin: str | None = None,
) -> str:  # fmt: skip
    dice = mixed(number)
    brand, thing = _BRANDS[dice & 15], _KINDS_OF_THINGS[dice >> 4 & 15]
    quality, colour = _QUALITIES[dice >> 8 & 7], _COLOURS[dice >> 11 & 7]
    if name is None:
        name = f"{quality} {brand} {thing} {number % 977} {colour}"
    description = (
        f'"{quality} {thing.lower()} by {brand}, in {colour}, {10 + (dice >> 14) % 190} cm wide, '
        f'made for every day, easy to clean, with {1 + (dice >> 22) % 9} years of warranty"'
    )
    return (
        f"SKU-{number:08d},{name},{description},{brand},{_CATEGORIES[dice >> 26 & 7]},{price},EUR,"
        f"{availability or _AVAILABILITIES[(dice >> 29) % 5]},{(dice >> 32) % 500},"
        f"{gtin or _gtin(number)},https://cdn.example.com/images/{dice >> 40:06x}/{number}.jpg\n"
    )


def _gtin(number: int) -> str:
    digits = f"40{number % 10**10:010d}"
    weighed = sum(map(int, digits[0::2])) + 3 * sum(map(int, digits[1::2]))
    return f"{digits}{-weighed % 10}"


def mixed(number: int) -> int:
    """64 bits that look random, the same for a number each time (splitmix64)."""
    mask = 0xFFFFFFFFFFFFFFFF
    mixed = (number + 1) * 0x9E3779B97F4A7C15 & mask
    mixed = (mixed ^ mixed >> 30) * 0xBF58476D1CE4E5B9 & mask
    mixed = (mixed ^ mixed >> 27) * 0x94D049BB133111EB & mask
    return mixed ^ mixed >> 31


def _drawn(number: int, day: int) -> int:
    """A pseudo-random number below ten thousand for a product on a day."""
    return mixed(number ^ day << 40) % _OF


def _repriced(number: int, day: int, changed: int) -> int:
    """The rise of a product's price on a day, in cents; 0 for most products."""
    return day if _drawn(number, day) < changed else 0


def _replaced(number: int, rows: int, day: int) -> int:
    """The product, or a new one that replaces it."""
    return number + rows * day if _drawn(number, day) < ADDED_REMOVED else number


def _shuffled(rows: int, day: int) -> Iterator[int]:
    """All numbers below a limit, each once, in a pseudo-random order."""
    bits = max(2, (rows - 1).bit_length())
    mask = (1 << bits) - 1
    for number in range(1 << bits):
        place = number
        # Each step can be undone within so many bits, so no number comes twice.
        for turn in range(3):
            place = (place * 0x9E3779B97F4A7C15 + mixed(day + turn)) & mask
            place ^= place >> (bits // 2)
        if place < rows:
            yield place


def _spoiled(number: int, day: int) -> str:
    drawn = _drawn(number, day)
    return _WAYS[drawn % len(_WAYS)](number) if drawn < SPOILED else line(number)


_WAYS: Final[tuple[Callable[[int], str], ...]] = (
    lambda number: _record(number, f"{number % 5_000}.50.1"),
    lambda number: _record(number, _price(number), availability=f"maybe {number % 50}"),
    lambda number: _record(number, _price(number), name=" "),
    lambda number: line(number).replace(",EUR,", ","),
    lambda number: _record(number, _price(number), gtin=f"{number % 10**6}"),
)


def blocks(lines: Iterable[str]) -> Iterator[bytes]:
    """The lines as bytes, in blocks of several thousand."""
    some: list[str] = []
    for text in lines:
        some.append(text)
        if len(some) == _LINES_AT_ONCE:
            yield "".join(some).encode()
            some.clear()
    yield "".join(some).encode()


def write(file: Path, rows: int, kind: Kind, day: int = 2) -> int:
    """Writes a file, and returns its size in bytes."""
    with file.open("wb") as out:
        return sum(map(out.write, blocks(feed(rows, kind, day))))


def main() -> None:
    """Writes the feed that the command line specifies, to a file or to stdout."""
    parser = argparse.ArgumentParser(description="Generate a feed.")
    parser.add_argument("rows", type=int)
    parser.add_argument("kind", choices=KINDS)
    parser.add_argument("file", nargs="?", type=Path)
    parser.add_argument("--day", type=int, default=2)
    options = parser.parse_args()
    if options.file:
        write(options.file, options.rows, options.kind, options.day)
        return
    for block in blocks(feed(options.rows, options.kind, options.day)):
        sys.stdout.buffer.write(block)


if __name__ == "__main__":
    main()
