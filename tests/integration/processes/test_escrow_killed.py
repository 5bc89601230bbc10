"""Orders that are killed while the units of a product move between its row and its slots."""

from collections.abc import Generator

import psycopg
import pytest

from adapters.postgres.collections.escrow import HOT, MOST_IN_SLOT, SLOTS
from commerce_core.base.errors import InvalidInput
from commerce_core.commerce import Commerce
from tests.faults.house import feed_of, load, product_ids
from tests.integration.processes.test_chores import KILLED
from tests.integration.processes.test_rolling import commerce, platform
from tests.support.books import check_books
from tests.support.servers.platform import Platform
from tests.support.waiting import PATIENCE

__all__ = ["commerce", "platform"]
pytestmark = pytest.mark.processes
QUANTITY = 4 * SLOTS * MOST_IN_SLOT
MORE_THAN_A_SLOT = MOST_IN_SLOT + 1
DIVIDE = ["statement@1", "statement@2", "after", "committed"]
"""The order takes its units, and divides what is left, since the product is hot."""
GATHER = ["statement@2", "statement@3", "statement@4", "statement@5", "after@2", "committed"]
"""No slot has enough, so the order begins again: locks the row, then the slots, returns what is
left in them, and takes its units."""


@pytest.fixture
def product(commerce: Commerce) -> str:
    """The id of a product with many units, of which one is ordered."""
    load(commerce, "Shop", feed_of(1, quantity=QUANTITY))
    (product,) = product_ids(commerce, "Shop")
    commerce.orders.place([(product, 1)])
    return product


@pytest.fixture
def db(database: str) -> Generator[psycopg.Connection[tuple[int]]]:
    with psycopg.connect(database, autocommit=True) as db:
        yield db


def make_hot(db: psycopg.Connection[tuple[int]]) -> None:
    """As if many orders had met, however slowly this machine places them."""
    db.execute("UPDATE held_units SET heat = 1000 * %s", [HOT])


def slots(db: psycopg.Connection[tuple[int]]) -> int:
    return (db.execute("SELECT count(*) FROM escrow_units").fetchone() or (0,))[0]


@pytest.mark.parametrize(
    ("units", "place"), [(1, at) for at in DIVIDE] + [(MORE_THAN_A_SLOT, at) for at in GATHER]
)
def test_no_unit_is_lost_or_sold_twice(
    platform: Platform,
    commerce: Commerce,
    product: str,
    db: psycopg.Connection[tuple[int]],
    units: int,
    place: str,
):
    """Of n units exactly n are sold, wherever an order was killed, and its retry is one order."""
    make_hot(db)
    sold = 1
    if units > 1:
        commerce.orders.place([(product, 1)])
        sold += 1
        assert slots(db) == SLOTS
    words = ("orders", "create", "--item", f"{product}={units}", "--key", "k")
    with platform.running(*words, COMMERCE_FAIL_AT=f"stock.take.{place}:kill") as order:
        assert order.wait(PATIENCE) == KILLED
    happened = place == "committed"
    assert commerce.products.get(product).reserved == sold + (units if happened else 0)
    check_books(commerce)
    placed = commerce.orders.place([(product, units)], key="k")
    assert placed == commerce.orders.place([(product, units)], key="k")
    left = QUANTITY - sold - units
    commerce.orders.place([(product, left)])
    with pytest.raises(InvalidInput, match="can't be accepted"):
        commerce.orders.place([(product, 1)])
    assert commerce.products.get(product).reserved == QUANTITY
    check_books(commerce)
