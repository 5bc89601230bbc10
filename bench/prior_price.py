"""Measures what `selling_price` and `prior_price` add to a page of products in PostgreSQL.

    PYTHONPATH=. .venv/bin/python -m bench.prior_price

A catalog of 20,000 products gets a feed a day that changes some prices, under no rules, 20 and
1,000 rules. Prints the median time of a page of 100 products in JSON, with and without.
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


def page(commerce: Commerce, rounds: int, include: tuple[Any, ...]) -> float:
    """The median time of a page, in milliseconds of the clock."""
    cursor, times = None, list[float]()
    for _ in range(rounds):
        begun = time.perf_counter()
        found = commerce.products.page(cursor=cursor, limit=PAGE, include=include)
        encoded(found)
        times.append((time.perf_counter() - begun) * 1000)
        cursor = found.next_cursor
    return median(times)


def main() -> None:
    """Loads, measures and prints."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=20_000)
    parser.add_argument("--rounds", type=int, default=60)
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
            report(commerce, number, options.rounds)


def report(commerce: Commerce, number: int, rounds: int) -> None:
    """Prints a row; each kind of page is measured in turns."""
    shapes: tuple[tuple[Any, ...], ...] = ((), ("selling_price",), ("selling_price", "prior_price"))
    found: dict[tuple[Any, ...], list[float]] = {shape: [] for shape in shapes}
    for _ in range(3):
        for shape in shapes:
            found[shape].append(page(commerce, rounds, shape))
    times = [min(found[shape]) for shape in shapes]
    print(
        f"{number:5,} rules: a page {times[0]:.1f} ms, with selling_price {times[1]:.1f} ms, "
        f"with prior_price too {times[2]:.1f} ms ({times[2] / times[0] - 1:+.0%})"
    )


if __name__ == "__main__":
    main()
