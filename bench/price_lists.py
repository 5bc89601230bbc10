"""Measures a price list of a million entries in PostgreSQL: its first content, and a change of it.

PYTHONPATH=. .venv/bin/python -m bench.price_lists
"""

import argparse
import io
import tempfile
import time

import commerce_core


def content(entries: int, step: int) -> bytes:
    """A list with two minimum quantities for each sku; every `step`-th price differs."""
    lines = ["sku,minimum_quantity,price"]
    for number in range(entries):
        cents = 1_000 + number % 977 + (number % step == 0)
        lines.append(f"SKU-{number // 2},{1 if number % 2 else 10},{cents // 100}.{cents % 100:02}")
    return "\n".join(lines).encode()


def main() -> None:
    """Loads three contents, and prints how long each took."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--entries", type=int, default=1_000_000)
    entries = parser.parse_args().entries
    with (
        tempfile.TemporaryDirectory() as folder,
        commerce_core.connect(f"embedded:{folder}/db", f"file:{folder}/files") as commerce,
    ):
        commerce.price_lists.add("Trade", currency="EUR")
        for name, step in (("first", entries + 1), ("a tenth changed", 10), ("unchanged", 10)):
            file = io.BytesIO(content(entries, step))
            begun, used = time.perf_counter(), time.process_time()
            report = commerce.price_lists.load("Trade", file)
            took, busy = time.perf_counter() - begun, time.process_time() - used
            print(f"{name}: {took:.1f} s (this process {busy:.1f} s), {report.difference}")


if __name__ == "__main__":
    main()
