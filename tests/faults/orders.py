"""Orders while the server or its database is killed, cut off, or told to end."""

import contextlib
import random
import signal
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal
from pathlib import Path
from typing import Any, Final

import httpx

from commerce_core.base.errors import CommerceError, Unavailable
from commerce_core.commerce import Commerce
from commerce_core.orders.order import Order
from entrypoints.compose import connect
from tests.faults.house import Clients, House, check_orders, feed_of, house, load, product_ids
from tests.support.books import check_books
from tests.support.ports import free_port
from tests.support.servers.platform import kill_all
from tests.support.servers.proxy import Proxy, proxy_before
from tests.support.waiting import until


def _stocked(home: House, port: int, count: int = 20, quantity: int = 1_000_000) -> Clients:
    """Clients of a server at that port, and something for them to order."""
    with home.platform.opened() as commerce:
        load(commerce, "Shop", feed_of(count, quantity=quantity))
        secret = commerce.keys.add().secret or ""
        return Clients(f"http://127.0.0.1:{port}", secret, product_ids(commerce, "Shop"))


def server_killed(folder: Path, times: int = 20) -> str:
    """Acknowledged orders and acts = rows = distinct keys; books agree; replays to the byte."""
    port = free_port()
    with house(folder) as home:
        clients = _stocked(home, port)
        clients.acting = True
        with clients.ordering():
            for _ in range(times):
                with home.platform.server(port) as server:
                    time.sleep(random.uniform(0.3, 1.2))
                    kill_all(server.process)
            with home.platform.server(port):
                clients.stop_when_answered()
                orders = check_orders(home, clients)
    acts = len(clients.paths)
    return f"{times} kills, {orders} orders, {acts} acts on them, 0 lost, 0 double"


def database_killed(folder: Path, times: int = 10) -> str:
    """No acknowledged write is lost; the server is ready within 5 s of the database."""
    port = free_port()
    slowest = 0.0
    with house(folder) as home:
        clients = _stocked(home, port)
        clients.acting = True
        with home.platform.server(port), clients.ordering():
            for number in range(times):
                time.sleep(random.uniform(0.3, 1.0))
                if number % 3 == 2:
                    home.postgres.terminate_backends()
                else:
                    home.postgres.stop((signal.SIGQUIT, signal.SIGKILL)[number % 3])
                    time.sleep(0.3)
                    home.postgres.start()
                slowest = max(slowest, until(lambda: _status(clients, "/health/ready") == 200))
            clients.stop_when_answered()
            orders = check_orders(home, clients)
    assert slowest < 5, slowest
    acts = len(clients.paths)
    return (
        f"{times} ends, {orders} orders, {acts} acts, 0 lost, ready after {slowest:.2f} s at most"
    )


def _status(clients: Clients, path: str) -> int:
    try:
        return clients.http.get(clients.address + path, timeout=10).status_code
    except httpx.TransportError:
        return 0


COMMIT_ANSWER: Final = 18
"""The bytes of the answer to COMMIT: what it was, and that the server is ready."""
EARLIER: Final = range(0, 2_000, 100)
"""After how many bytes of answers an act is cut elsewhere, mostly before its COMMIT."""
_ACTS: Final[Mapping[str, Callable[[Commerce, Order, str], Order]]] = {
    "confirm": lambda to, order, key: to.orders.confirm(order.order_id, key=key),
    "fulfil": lambda to, order, key: to.orders.fulfil(order.order_id, _one_of(order), key=key),
    "cancel": lambda to, order, key: to.orders.cancel(order.order_id, _one_of(order), key=key),
    "refund": lambda to, order, key: to.orders.refund(
        order.order_id, _one_of(order), reason="damaged", key=key
    ),
}


def _one_of(order: Order) -> list[tuple[str, int | None]]:
    return [(order.items[0].item_id, 1)]


def answer_to_commit_cut(folder: Path) -> str:
    """A retry with the key gives the same result, and has one effect, of orders and of acts."""
    with house(folder) as home, proxy_before(home.postgres.port) as wire:
        files = f"file:{folder / 'files'}"
        with (
            connect(home.platform.database_url, files) as direct,
            connect(home.postgres.url(wire.port), files) as commerce,
        ):
            load(direct, "Shop", feed_of(3))
            product = product_ids(direct, "Shop")[0]

            def place(to: Commerce, name: str) -> Order:
                return to.orders.place([(product, 2)], reference=name, key=name)

            def sent(kind: str, name: str) -> Callable[[], Order]:
                if kind == "place":
                    return lambda: place(commerce, name)
                order = place(direct, name)
                return lambda: _ACTS[kind](commerce, order, f"{name} {kind}")

            for kind in ("place", *_ACTS):
                _cut(home, wire, lambda name, k=kind: sent(k, name), kind)
            check_books(direct)
    kinds = ", ".join(("place", *_ACTS))
    cuts = f"{COMMIT_ANSWER} cuts after the commit and {len(EARLIER)} others"
    return f"{cuts} of each: {kinds}; one effect"


def _cut(home: House, wire: Proxy, sent: Callable[[str], Callable[[], Order]], kind: str) -> None:
    """Cuts the answer to the COMMIT of an act at every byte, and some answers before it."""
    for passed in range(COMMIT_ANSWER):
        name = f"{kind} {passed}"
        act = sent(name)
        wire.commits[:] = [passed]
        try:
            act()
        except CommerceError:
            assert _happened(home, kind, name), "it was cut before COMMIT"
        else:
            raise AssertionError("nothing was cut")
        again = _retried(act)
        assert again == _retried(act), "a retry gives another result"
        assert _happened(home, kind, name), "it has happened twice"
    for passed in EARLIER:
        name = f"{kind} after {passed}"
        act = sent(name)
        wire.cuts[:] = [passed]
        with contextlib.suppress(CommerceError):
            act()
        wire.cuts.clear()
        _retried(act)
        assert _happened(home, kind, name), "it has happened twice, or not at all"


def _happened(home: House, kind: str, name: str) -> bool:
    """Whether the one order of that reference is there and, if it was acted on, was so once."""
    found = home.ask("SELECT version FROM orders WHERE customer_reference = %s", name)
    return found == [(1 if kind == "place" else 2,)]


def _retried(act: Callable[[], Order]) -> Order:
    for _ in range(5):
        try:
            return act()
        except Unavailable:
            time.sleep(0.1)
    raise AssertionError("a retry is refused again and again")


def one_key_at_once(folder: Path, posts: int = 32, refunds: int = 50) -> str:
    """Concurrent posts with one key have one effect and one id; no cent is refunded twice."""
    port = free_port()
    with house(folder) as home:
        with home.platform.opened() as commerce:
            load(commerce, "Dear", feed_of(1, price="100.00"))
            dear = product_ids(commerce, "Dear")[0]
        clients = _stocked(home, port, 3)
        item = {"product_id": clients.products[0], "quantity": 1}
        clients.bodies["one"] = {"items": [item]}
        with home.platform.server(port, workers=2), ThreadPoolExecutor(posts) as pool:
            answers = list(pool.map(lambda _: clients.send("one"), range(posts)))
            clients.bodies["one"] = {"items": [{**item, "quantity": 2}]}
            other = clients.send("one")
            clients.bodies["dear"] = {"items": [{"product_id": dear, "quantity": 1}]}
            path = f"/v1/orders/{clients.send('dear').json()['order_id']}/refund"
            keys = [*["back"] * posts, *(f"back-{number}" for number in range(refunds - 1))]
            for key in keys:
                clients.paths[key] = path
                clients.bodies[key] = {"amount": "3.00", "reason": "late"}
            backs = list(pool.map(clients.send_until_answered, keys))
        assert {answer.status_code for answer in answers} == {201}, Counter(
            answer.status_code for answer in answers
        )
        assert len({answer.json()["order_id"] for answer in answers}) == 1
        assert other.status_code == 409, other.text
        assert home.ask("SELECT count(*) FROM orders") == [(2,)]
        assert home.ask("SELECT count(*), sum(amount) FROM refunds") == [(33, Decimal(99))]
        refused = [answer.json() for answer in backs if answer and answer.status_code == 409]
        assert all(fault["refundable"] == "1.00" for fault in refused[-1:]), refused[-1:]
        with home.platform.opened() as commerce:
            check_books(commerce)
    return (
        f"{posts} posts, 1 order; another body: 409; {len(keys)} refunds of 3.00 of 100.00: 33 done"
    )


def few_products(folder: Path, writers: int = 50, kills: int = 3) -> str:
    """Stock is never negative, and all identities of reconciliation hold, whatever was killed."""
    port = free_port()
    over = threading.Event()
    sold_out = Counter[int]()
    with house(folder) as home:
        clients = _stocked(home, port, 3, quantity=40)

        def write(number: int) -> None:
            turn = 0
            while not over.is_set():
                key = f"{number}-{turn}"
                turn += 1
                clients.bodies[key] = {
                    "customer_reference": key,
                    "items": [
                        {"product_id": product, "quantity": random.randint(1, 3)}
                        for product in random.sample(clients.products, random.randint(1, 3))
                    ],
                }
                answer = clients.send_until_answered(key)
                if answer is None:
                    return
                sold_out[answer.status_code] += 1
                if answer.status_code == 201:
                    for act, body in _some_acts(answer.json()):
                        _attempt(clients, answer.json()["order_id"], act, body)

        with ThreadPoolExecutor(writers) as pool:
            futures = [pool.submit(write, number) for number in range(writers)]
            for _ in range(kills):
                with home.platform.server(port) as server:
                    time.sleep(2)
                    kill_all(server.process)
            with home.platform.server(port):
                time.sleep(2)
                over.set()
                for future in futures:
                    future.result(120)
        acts = _check_stock(home)
        orders = home.ask("SELECT count(*) FROM orders")[0][0]
    assert sold_out.keys() <= {201, 422}, sold_out
    done = f"{orders} orders, {acts} acts, {sold_out[422]} refused"
    return f"{writers} writers, {kills} kills, {done}; 0 oversold, the books agree"


def _some_acts(order: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    """What becomes of an order at random: sent, given up or paid back, in part or as a whole."""
    line = random.choice(order["items"])
    one = {"items": [{"item_id": line["item_id"], "quantity": 1}]}
    back = {"reason": "damaged", "returned": True, "restock": random.random() < 0.5}
    yield random.choice(
        [("confirm", {}), ("fulfil", one), ("fulfil", {}), ("cancel", one), ("cancel", {})]
    )
    if random.random() < 0.7:
        yield random.choice(
            [("refund", one | back), ("refund", {"reason": "lost"}), ("cancel", {})]
        )


def _attempt(clients: Clients, order_id: str, act: str, body: dict[str, Any]) -> None:
    url = f"{clients.address}/v1/orders/{order_id}/{act}"
    # Without an answer it may be done or not: the sums have to hold either way.
    with contextlib.suppress(httpx.TransportError):
        clients.http.post(url, json=body, headers={"X-API-Key": clients.secret}, timeout=15)


def _check_stock(home: House) -> int:
    """The books agree, and no product has sold more than there was; returns the acts done."""
    with home.platform.opened() as commerce:
        check_books(commerce)
    held = home.ask(
        """
        SELECT p.sku, p.quantity, coalesce(h.units, 0)
        FROM products p
        LEFT JOIN held_units h USING (partner_id, product_id)
        """
    )
    for sku, quantity, units in held:
        assert 0 <= int(str(units)) <= int(str(quantity)), f"{sku}: {units} of {quantity} sold"
    return int(str(home.ask("SELECT coalesce(sum(version - 1), 0) FROM orders")[0][0]))


def ended_under_load(folder: Path, times: int = 5) -> str:
    """No request that was accepted fails: every order that was placed was acknowledged."""
    port = free_port()
    slowest = 0.0
    with house(folder) as home:
        clients = _stocked(home, port)
        placed: dict[str, int] = {}
        over = threading.Event()

        def order(number: int) -> None:
            turn = 0
            while not over.is_set():
                key = f"{number}-{turn}"
                turn += 1
                item = {"product_id": clients.products[0], "quantity": 1}
                clients.bodies[key] = {"customer_reference": key, "items": [item]}
                try:
                    placed[key] = clients.send(key).status_code
                except httpx.TransportError:
                    time.sleep(0.01)

        with ThreadPoolExecutor(6) as pool:
            futures = [pool.submit(order, number) for number in range(6)]
            for _ in range(times):
                with home.platform.server(port) as server:
                    time.sleep(1)
                    server.process.send_signal(signal.SIGTERM)
                    slowest = max(slowest, until(lambda: server.process.poll() is not None))
                    assert server.process.returncode == 0
            over.set()
            for future in futures:
                future.result(60)
        kept = {key for (key,) in home.ask("SELECT customer_reference FROM orders")}
        acknowledged = {key for key, status in placed.items() if status == 201}
        assert set(placed.values()) <= {201, 503}, Counter(placed.values())
        assert kept == acknowledged, f"{len(kept - acknowledged)} placed and not acknowledged"
    return f"{times} ends, {len(kept)} orders, 0 failed; ended after {slowest:.1f} s at most"


def unreachable(folder: Path) -> str:
    """503 within 5 s while the database can't be reached, unready; back within 10 s."""
    port = free_port()
    slowest, back = 0.0, 0.0
    with house(folder) as home, proxy_before(home.postgres.port) as wire:
        clients = _stocked(home, port)
        away = home.postgres.url(wire.port)
        with home.platform.server(port, COMMERCE_DATABASE_URL=away):
            for fault in ("refused", "silent"):
                _break(wire, fault)
                for _ in range(3):
                    begun = time.monotonic()
                    answer = clients.http.get(
                        f"{clients.address}/v1/products",
                        headers={"X-API-Key": clients.secret},
                        timeout=30,
                    )
                    slowest = max(slowest, time.monotonic() - begun)
                    assert answer.status_code == 503, answer.text
                    assert answer.headers["Retry-After"]
                assert _status(clients, "/health/ready") == 503
                assert _status(clients, "/health/live") == 200
                _break(wire, "")
                back = max(back, until(lambda: _status(clients, "/health/ready") == 200))
    assert slowest < 5.5, slowest
    assert back < 10, back
    return f"refused and silent: 503 after {slowest:.1f} s at most, back after {back:.1f} s"


def _break(wire: Proxy, fault: str) -> None:
    wire.refuses = fault == "refused"
    wire.stall = 60.0 if fault == "silent" else 0.0
    if fault != "silent":
        wire.reset_all()
