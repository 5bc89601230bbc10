"""Measures what `selling_price` and `prior_price` add to a page of products in PostgreSQL.

    PYTHONPATH=. .venv/bin/python -m bench.prior_price

A catalog of 20,000 products gets a feed a day that changes some prices, under no rules, 20 and
1,000 rules. Prints the median of the processor time that the process of the API takes for a page of
100 products in JSON, with and without: when its prices are computed, and when they are known.
"""

import argparse
import io
import random
import tempfile
import time
from statistics import median
from typing import Any

import commerce_core
from commerce_core.commerce import Commerce
from entrypoints.shapes import encoded

PAGE, DAYS, CHANGED = 100, 20, 0.2
RULES = (0, 20, 1_000)


def feed(rows: int, chance: random.Random) -> bytes:
    """Products, each with a price of ten."""
    lines = ["sku,title,brand,category,price,sale_price,quantity,description"]
    for number in range(rows):
        price = 100 + number % 50 + (chance.randrange(10) if chance.random() < CHANGED else 0)
        sale = f"{price - 5}.50" if number % 7 == 0 else ""
        lines.append(
            f"SKU-{number},Product {number},Brand {number % 300},Shop > Shelf {number % 200},"
            f"{price}.00,{sale},{chance.randrange(50)},{'A fine thing of its kind. ' * 8}"
        )
    return "\n".join(lines).encode()


def rules(number: int) -> list[dict[str, Any]]:
    """Rules for brands, skus and codes, and a few for everything."""
    kinds: list[dict[str, Any]] = [
        {"brand": "Brand {}"}, {"sku": ["SKU-{}", "SKU-1{}"]}, {"code": "CODE-{}"},
    ]  # fmt: skip
    made: list[dict[str, Any]] = []
    for n in range(number):
        kind = kinds[n % len(kinds)]
        condition = {
            name: [v.format(n) for v in value] if isinstance(value, list) else value.format(n)
            for name, value in kind.items()
        }
        own = {"all": [condition, {"window": {"from": "2020-01-01", "tz": "Europe/Rome"}}]}
        made.append({"name": f"Rule {n}", "benefit": {"percent": "5"}, "condition": own})
    if made:
        made[0] = {"name": "All", "benefit": {"percent": "3"}}
    return made


def page(commerce: Commerce, cursor: str | None, include: tuple[Any, ...]) -> tuple[float, str]:
    """The processor time that this process takes for a page, in milliseconds; the next cursor."""
    begun = time.process_time()
    found = commerce.products.page(cursor=cursor, limit=PAGE, include=include)
    encoded(found)
    return (time.process_time() - begun) * 1000, found.next_cursor or ""


def main() -> None:
    """Loads, measures and prints."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=20_000)
    parser.add_argument("--pages", type=int, default=60)
    options = parser.parse_args()
    chance = random.Random(7)
    with (
        tempfile.TemporaryDirectory() as folder,
        commerce_core.connect(f"embedded:{folder}/db", f"file:{folder}/files") as commerce,
    ):
        commerce.partners.add("Acme", currency="EUR")
        for _ in range(DAYS):
            file = io.BytesIO(feed(options.rows, chance))
            print(commerce.feeds.load(file, partner="Acme").status, end=" ", flush=True)
        print()
        for number in RULES:
            if number:
                for start in range(0, number, 100):
                    commerce.pricing.save(rules(number)[start : start + 100])
            report(commerce, number, options.pages)


def report(commerce: Commerce, number: int, pages: int) -> None:
    """Prints a row; each page is read in each shape, one after the other, so that all are alike."""
    shapes: tuple[tuple[Any, ...], ...] = ((), ("selling_price",), ("selling_price", "prior_price"))
    row = f"{number:5,} rules:"
    for known in ("first", "again"):
        found: dict[tuple[Any, ...], list[float]] = {shape: [] for shape in shapes}
        for _ in range(1 if known == "first" else 3):
            cursor = None
            for _ in range(pages):
                taken = {shape: page(commerce, cursor, shape) for shape in shapes}
                cursor = taken[()][1] or None
                for shape, (milliseconds, _) in taken.items():
                    found[shape].append(milliseconds)
        times = [median(found[shape]) for shape in shapes]
        added = [f"{each:.2f} ms ({each / times[0] - 1:+.0%})" for each in times[1:]]
        row += (
            f" {known} a page {times[0]:.2f} ms, with selling_price {added[0]}, "
            f"with prior_price too {added[1]};"
        )
    print(row)


if __name__ == "__main__":
    main()
