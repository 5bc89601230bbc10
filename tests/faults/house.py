"""A shop for the harness to break: a database of its own, products to order, clients who order."""

import contextlib
import io
import os
import random
import threading
import time
import uuid
from collections import Counter
from collections.abc import Generator
from pathlib import Path
from typing import Any

import httpx
import psycopg
from attrs import define, field, frozen

from commerce_core.catalog.product import ProductQuery
from commerce_core.commerce import Commerce
from commerce_core.feeds.job import Job
from entrypoints.worker import Worker
from tests.support.books import check_books
from tests.support.servers.platform import Platform
from tests.support.servers.postgres import Postgres, running_server

HEADER = b"sku,product_name,price,currency,quantity\n"
PLENTY = 1_000_000
UNITS = 4
"""The units of an order that is acted on."""
_NO_KEEPING = httpx.Limits(max_keepalive_connections=0)
"""A connection for each request, as from many clients, without a client for each."""


@frozen
class House:
    """A platform on a PostgreSQL that can be killed."""

    postgres: Postgres
    platform: Platform

    def ask(self, query: str, *arguments: object) -> list[tuple[object, ...]]:
        """The rows of a query, past the platform."""
        with psycopg.connect(self.postgres.conninfo, autocommit=True) as db:
            return db.execute(query.encode(), arguments).fetchall()


@contextlib.contextmanager
def house(folder: Path, major: int = 18) -> Generator[House]:
    """A new one in that folder, with its tables; all of it is gone afterwards."""
    folder.mkdir(exist_ok=True)
    with running_server(major) as postgres:
        platform = Platform(postgres.url(), folder)
        with platform.opened():
            yield House(postgres, platform)


def feed_of(
    count: int, price: str = "1.00", quantity: int = PLENTY, without_each: int | None = None
) -> bytes:
    """A feed of so many products, those left out whose number that divides."""
    rows = (
        b"P-%d,Lamp %d,%s,USD,%d\n" % (n, n, price.encode(), quantity)
        for n in range(count)
        if without_each is None or n % without_each
    )
    return HEADER + b"".join(rows)


def load(commerce: Commerce, partner: str, feed: bytes, **how: str) -> Job:
    """Applies a feed of that partner here and now."""
    if partner not in {known.partner_name for known in commerce.partners.list()}:
        commerce.partners.add(partner)
    return commerce.feeds.load(io.BytesIO(feed), partner=partner, **how)  # type: ignore[arg-type]


@contextlib.contextmanager
def working(commerce: Commerce) -> Generator[None]:
    """A worker of this process, which nothing disturbs."""
    worker = Worker(commerce)
    worker.start()
    try:
        yield
    finally:
        worker.stop()


@define
class Clients:
    """Clients who order without end: each request has a key, and is sent until it is answered.

    With `acting` they go on with their orders: each act is a request of its own, at its path.
    """

    address: str
    secret: str
    products: list[str]
    http: httpx.Client = field(factory=lambda: httpx.Client(limits=_NO_KEEPING))
    answers: dict[str, httpx.Response] = field(factory=dict[str, httpx.Response])
    bodies: dict[str, dict[str, object]] = field(factory=dict[str, dict[str, object]])
    paths: dict[str, str] = field(factory=dict[str, str])
    acting: bool = False
    _over: threading.Event = field(factory=threading.Event, init=False)

    @contextlib.contextmanager
    def ordering(self, number: int = 6) -> Generator[None]:
        """So many of them, for as long as the context lasts; then all get their answers."""
        threads = [threading.Thread(target=self._order, daemon=True) for _ in range(number)]
        for thread in threads:
            thread.start()
        try:
            yield
        finally:
            self._over.set()
            for thread in threads:
                thread.join(120)
        assert not any(thread.is_alive() for thread in threads), "a client has got no answer"

    def stop_when_answered(self) -> None:
        """Begins no further order, and returns when all that were begun are answered."""
        self._over.set()
        deadline = time.monotonic() + 90
        while len(self.answers) < len(self.bodies) and time.monotonic() < deadline:
            time.sleep(0.05)
        assert len(self.answers) == len(self.bodies), "a client has got no answer"

    def _order(self) -> None:
        while not self._over.is_set():
            key = uuid.uuid4().hex
            product = random.choice(self.products)
            units = UNITS if self.acting else random.randint(1, 3)
            self.bodies[key] = {
                "customer_reference": key,
                "items": [{"product_id": product, "quantity": units}],
            }
            answer = self.send_until_answered(key)
            if answer is not None:
                self.answers[key] = answer
                if self.acting:
                    self._act(key, answer.json())

    def _act(self, key: str, order: dict[str, Any]) -> None:
        """Some acts on an order, one after the other, as a shop would; none is refused."""
        item_id = order["items"][0]["item_id"]
        for number, (act, body) in enumerate(acts_of(item_id)[: random.randint(0, 5)]):
            if self._over.is_set():
                return
            name = f"{key}-{number}"
            self.paths[name], self.bodies[name] = f"/v1/orders/{order['order_id']}/{act}", body
            answer = self.send_until_answered(name)
            if answer is not None:
                self.answers[name] = answer

    def send_until_answered(self, key: str) -> httpx.Response | None:
        """The answer that is neither 429 nor 503; None if there is none within 90 seconds."""
        deadline = time.monotonic() + 90
        while time.monotonic() < deadline:
            with contextlib.suppress(httpx.TransportError):
                answer = self.send(key)
                if answer.status_code not in (429, 503):
                    return answer
            time.sleep(0.05)
        return None

    def send(self, key: str) -> httpx.Response:
        """One request, sent once."""
        headers = {"X-API-Key": self.secret, "Idempotency-Key": key}
        url = self.address + self.paths.get(key, "/v1/orders")
        return self.http.post(url, json=self.bodies[key], headers=headers, timeout=15)


def acts_of(item_id: str) -> list[tuple[str, dict[str, Any]]]:
    """What becomes of an order of a line with `UNITS` units: acts and their bodies, in turn."""
    return [
        ("confirm", {}),
        ("fulfil", {"items": [{"item_id": item_id, "quantity": 2}]}),
        ("cancel", {"items": [{"item_id": item_id, "quantity": 1}]}),
        (
            "refund",
            {
                "items": [{"item_id": item_id, "quantity": 1}],
                "reason": "damaged",
                "returned": True,
                "restock": True,
            },
        ),
        ("refund", {"amount": "0.01", "reason": "late"}),
    ]


def check_orders(house: House, clients: Clients) -> int:
    """Holds what clients were told against what there is; gives how many orders that is.

    Every answer is an order, every key has one, each act has happened once, the books agree, and
    the same request gets the same bytes.
    """
    refused = [a.text for a in clients.answers.values() if a.status_code not in (200, 201)]
    assert not refused, refused[0]
    rows = house.ask("SELECT customer_reference, replace(order_id::text, '-', '') FROM orders")
    assert len({key for key, _ in rows}) == len(rows), "an order was placed twice"
    kept = {str(key): str(order) for key, order in rows}
    for key, answer in clients.answers.items():
        if key in clients.paths:
            continue
        assert str(answer.json()["order_id"]).endswith(kept[key]), "an order was lost"
    keys = house.ask("SELECT count(*) FROM idempotency_keys WHERE kind = 'Order'")[0][0]
    acted = Counter(clients.paths[key].split("/")[3] for key in clients.paths)
    assert keys == len(rows) + acted.total(), (keys, len(rows), acted.total())
    for order_id, version in house.ask("SELECT order_id::text, version FROM orders"):
        acts = acted[f"ord_{str(order_id).replace('-', '')}"]
        assert version == 1 + acts, f"{acts} acts on {order_id} made version {version}"
    with house.platform.opened() as commerce:
        check_books(commerce)
    for key in random.sample(sorted(clients.answers), min(200, len(clients.answers))):
        again = clients.send(key)
        assert again.content == clients.answers[key].content, "a replay differs"
    return len(rows)


def product_ids(commerce: Commerce, partner: str) -> list[str]:
    """The products of a partner."""
    return [p.product_id for p in commerce.products.page(ProductQuery(), partner=partner).items]


def is_root() -> bool:
    """Whether this may mount a small disk."""
    return os.geteuid() == 0
