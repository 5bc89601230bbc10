"""Measures a price list of a million entries in PostgreSQL, beside a delta feed of as many records.

    PYTHONPATH=. .venv/bin/python -m bench.price_lists

Each is sent first, and again the next day with 1 % of the prices changed, first as a plan, then
taken; then the change is reverted. Prints the processor time of this process and of PostgreSQL, and
the most memory that this process took meanwhile, each for the list and for the feed.
"""

import argparse
import io
import os
import tempfile
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Final

import commerce_core
from bench.fleet import family, used
from commerce_core.commerce import Commerce

FIRST_DAY, NEXT_DAY = 0, 1
CHANGED: Final = 100
"""One record in a hundred has another price on the next day."""


def prices(entries: int, day: int, header: str, line: str) -> io.BytesIO:
    """A file with that many records, some of whose prices depend on the day."""
    lines = [header]
    for number in range(entries):
        cents = 1_000 + number % 977 + day * (number % CHANGED == 0)
        lines.append(line.format(number, f"{cents // 100}.{cents % 100:02}"))
    return io.BytesIO("\n".join(lines).encode())


def as_list(entries: int, day: int) -> io.BytesIO:
    """A price list."""
    return prices(entries, day, "sku,minimum_quantity,price", "SKU-{0},1,{1}")


def as_feed(entries: int, day: int) -> io.BytesIO:
    """The same prices as a feed of products."""
    return prices(entries, day, "sku,title,price", "SKU-{0},Product {0},{1}")


def measured(name: str, postmaster: int, act: Callable[[], object]) -> None:
    """Runs it, and prints a line with what it took."""
    Path("/proc/self/clear_refs").write_text("5")  # the peak begins anew
    before = used(os.getpid()), sum(map(used, family(postmaster)))
    outcome = act()
    own, database = used(os.getpid()) - before[0], sum(map(used, family(postmaster))) - before[1]
    status = Path("/proc/self/status").read_text()
    peak = int(status.partition("VmHWM:")[2].split()[0]) // 1024
    print(
        f"{name:22} {own + database:6.1f} s ({own:.1f} + {database:.1f}), {peak:5,} MB  {outcome}"
    )


def main() -> None:
    """Sends both, in turns."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--entries", type=int, default=1_000_000)
    entries = parser.parse_args().entries
    with (
        tempfile.TemporaryDirectory() as folder,
        commerce_core.connect(f"embedded:{folder}/db", f"file:{folder}/files") as commerce,
    ):
        lock = next(Path(folder, "db").rglob("postmaster.pid"))
        run(commerce, entries, int(lock.read_text().split()[0]))


def run(commerce: Commerce, entries: int, postmaster: int) -> None:
    """Every step of both, one after the other."""
    commerce.price_lists.add("Trade", currency="EUR")
    commerce.partners.add("Acme", currency="EUR")
    feed_id = ""

    def listed(file: io.BytesIO, *, plan: bool = False) -> object:
        return commerce.price_lists.load("Trade", file, plan=plan).difference

    def fed(file: io.BytesIO, *, plan: bool = False) -> object:
        nonlocal feed_id
        if not plan:
            return commerce.jobs.run(commerce.jobs.start(feed_id).job_id).outcome
        receipt = commerce.feeds.upload(file, partner="Acme", mode="delta", kind="plan")
        feed_id = receipt.feed_id
        return commerce.jobs.run(receipt.job_id).status

    def taken_back() -> object:
        return commerce.jobs.run(commerce.reverts.start(feed_id).job_id).outcome

    for day, name in ((FIRST_DAY, "first"), (NEXT_DAY, "1 % changed")):
        for plan in (True, False):
            title = f"{name}, planned" if plan else name
            for kind, file, send in (
                ("list", as_list(entries, day), listed),
                ("feed", as_feed(entries, day), fed),
            ):
                measured(f"{kind}: {title}", postmaster, partial(send, file, plan=plan))
    measured("list: revert", postmaster, lambda: commerce.price_lists.revert("Trade", 1).difference)
    measured("feed: revert", postmaster, taken_back)


if __name__ == "__main__":
    main()
