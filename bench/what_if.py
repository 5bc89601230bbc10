"""Measures a what-if over 100,000 orders in PostgreSQL: processor time of the worker.

    PYTHONPATH=. .venv/bin/python -m bench.what_if

Orders have one to four lines of 20,000 products. They are priced again under 20 and 1,000 rules.
Prints the seconds of processor time of this process, and those of the clock.
"""

import argparse
import io
import random
import tempfile
import time
from datetime import datetime, timedelta

from attrs import evolve

import commerce_core
from bench.prior_price import feed, rules
from commerce_core.base.ids import mint
from commerce_core.commerce import Commerce
from commerce_core.orders.order import Order
from commerce_core.work.task import Task

PRODUCTS, DAYS, AT_ONCE = 20_000, 28, 1_000
ENOUGH = 10
GOAL = 60.0
"""Seconds for 100,000 orders."""


def place(commerce: Commerce, number: int, chance: random.Random) -> None:
    """Stores orders like ones that were placed over four weeks."""
    found = (p for p in commerce.products.list() if (p.available or 0) >= ENOUGH)
    products = [product.product_id for product in found]
    samples = [
        commerce.orders.place([(p, 1) for p in chance.sample(products, n % 4 + 1)])
        for n in range(200)
    ]
    context, now = commerce.context, commerce.context.clock()
    for start in range(0, number, AT_ONCE):
        with context.store.begin() as unit:
            for each in range(start, min(start + AT_ONCE, number)):
                at = now - timedelta(days=DAYS) * (number - each) / number
                unit.orders.add(_again(commerce, samples[each % len(samples)], at))


def _again(commerce: Commerce, order: Order, at: datetime) -> Order:
    entropy = commerce.context.entropy
    items = tuple(evolve(item, item_id=mint("item", at, entropy)) for item in order.items)
    order_id = mint("ord", at, entropy)
    return evolve(order, order_id=order_id, items=items, created_at=at, updated_at=at)


def main() -> None:
    """Loads, measures and prints."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--orders", type=int, default=100_000)
    orders: int = parser.parse_args().orders
    with (
        tempfile.TemporaryDirectory() as folder,
        commerce_core.connect(f"embedded:{folder}/db", f"file:{folder}/files") as commerce,
    ):
        chance = random.Random(7)
        commerce.partners.add("Acme", currency="EUR")
        commerce.feeds.load(io.BytesIO(feed(PRODUCTS, chance)), partner="Acme")
        since = commerce.context.clock() - timedelta(days=DAYS + 1)
        place(commerce, orders, chance)
        for number in (20, 1_000):
            made = rules(number)
            for start in range(0, number, 100):
                commerce.pricing.save(made[start : start + 100])
            report(commerce, since, number)


def report(commerce: Commerce, since: datetime, number: int) -> None:
    """Prints a row."""
    run = commerce.what_ifs.start([{"name": "New", "benefit": {"percent": "10"}}], since=since)
    task = commerce.queue.claim("what_ifs")
    if not isinstance(task, Task):
        raise TypeError(task)
    begun, used = time.perf_counter(), time.process_time()
    orders = commerce.queue.perform(task) or 0
    used, begun = time.process_time() - used, time.perf_counter() - begun
    status = commerce.what_ifs.get(run.what_if_id).status
    print(
        f"{orders:,} orders, {number:,} rules: {status}, {used:.1f} s of processor time, "
        f"{begun:.1f} s; for 100,000 {used / orders * 100_000:.1f} s, the goal is {GOAL:g} s",
        flush=True,
    )


if __name__ == "__main__":
    main()
