"""Orders while the server or its database is killed, cut off, or told to end."""

import contextlib
import random
import signal
import threading
import time
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx

from commerce_core.base.errors import CommerceError, Unavailable
from entrypoints.compose import connect
from tests.faults.house import Clients, House, check_orders, feed_of, house, load, product_ids
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
    """Acknowledged orders = rows = distinct keys; replays identical to the byte."""
    port = free_port()
    with house(folder) as home:
        clients = _stocked(home, port)
        with clients.ordering():
            for _ in range(times):
                with home.platform.server(port) as server:
                    time.sleep(random.uniform(0.3, 1.2))
                    kill_all(server.process)
            with home.platform.server(port):
                clients.stop_when_answered()
                orders = check_orders(home, clients)
    return f"{times} kills, {orders} orders, {len(clients.answers)} acknowledged, 0 lost, 0 double"


def database_killed(folder: Path, times: int = 10) -> str:
    """No acknowledged write is lost; the server is ready within 5 s of the database."""
    port = free_port()
    slowest = 0.0
    with house(folder) as home:
        clients = _stocked(home, port)
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
    return f"{times} ends, {orders} orders, 0 lost, ready again after {slowest:.2f} s at most"


def _status(clients: Clients, path: str) -> int:
    try:
        return clients.http.get(clients.address + path, timeout=10).status_code
    except httpx.TransportError:
        return 0


def answer_to_commit_cut(folder: Path, cuts: int = 120) -> str:
    """A retry with the key gives the same result, and has one effect."""
    committed = 0
    with house(folder) as home, proxy_before(home.postgres.port) as wire:
        files = f"file:{folder / 'files'}"
        with (
            connect(home.platform.database_url, files) as direct,
            connect(home.postgres.url(wire.port), files) as commerce,
        ):
            load(direct, "Shop", feed_of(3))
            product = product_ids(direct, "Shop")[0]

            def order(key: str) -> str:
                return commerce.orders.place([(product, 1)], reference=key, key=key).order_id

            order("warm")
            before = wire.answered
            order("measured")
            size = wire.answered - before
            for number in range(cuts):
                key = f"cut-{number}"
                # Every byte of the last answers, which COMMIT's is one of; and some before them.
                wire.cuts[:] = [max(1, size - number)]
                try:
                    first = order(key)
                except CommerceError:
                    first = None
                    query = "SELECT count(*) FROM orders WHERE customer_reference = %s"
                    committed += int(str(home.ask(query, key)[0][0]))
                wire.cuts.clear()
                assert _retried(order, key) in ([first] if first else _ids(home, key))
        rows = home.ask("SELECT count(*), count(DISTINCT customer_reference) FROM orders")
        assert rows == [(cuts + 2, cuts + 2)], rows
    assert committed > 0, "no cut hit the answer to COMMIT"
    return f"{cuts} cuts, {committed} of them after the commit; one order for each key"


def _retried(order: Callable[[str], str], key: str) -> str:
    for _ in range(5):
        try:
            return order(key)
        except Unavailable:
            time.sleep(0.1)
    raise AssertionError("a retry is refused again and again")


def _ids(home: House, key: str) -> list[str]:
    query = """
        SELECT 'ord_' || replace(order_id::text, '-', '') FROM orders WHERE customer_reference = %s
    """
    return [str(row[0]) for row in home.ask(query, key)]


def one_key_at_once(folder: Path, posts: int = 32) -> str:
    """Concurrent posts with one key have one effect and one id; another body is a conflict."""
    port = free_port()
    with house(folder) as home:
        clients = _stocked(home, port, 3)
        item = {"product_id": clients.products[0], "quantity": 1}
        clients.bodies["one"] = {"items": [item]}
        with home.platform.server(port, workers=2), ThreadPoolExecutor(posts) as pool:
            answers = list(pool.map(lambda _: clients.send("one"), range(posts)))
            clients.bodies["one"] = {"items": [{**item, "quantity": 2}]}
            other = clients.send("one")
        assert {answer.status_code for answer in answers} == {201}, Counter(
            answer.status_code for answer in answers
        )
        assert len({answer.json()["order_id"] for answer in answers}) == 1
        assert other.status_code == 409, other.text
        assert home.ask("SELECT count(*) FROM orders") == [(1,)]
    return f"{posts} posts, 1 order; another body: 409"


def few_products(folder: Path, writers: int = 50, kills: int = 3) -> str:
    """Stock is never negative, units on open orders = their lines, ledger = orders."""
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
                if answer.status_code == 201 and random.random() < 0.7:
                    _cancel(clients, answer.json()["order_id"])

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
        _check_stock(home)
        orders = home.ask("SELECT count(*) FROM orders")[0][0]
    assert sold_out.keys() <= {201, 422}, sold_out
    return f"{writers} writers, {kills} kills, {orders} orders, {sold_out[422]} refused; 0 oversold"


def _cancel(clients: Clients, order_id: str) -> None:
    url = f"{clients.address}/v1/orders/{order_id}/cancel"
    # Without an answer it may be cancelled or not: the sums have to hold either way.
    with contextlib.suppress(httpx.TransportError):
        clients.http.post(url, headers={"X-API-Key": clients.secret}, timeout=15)


def _check_stock(home: House) -> None:
    held = home.ask(
        """
        SELECT p.sku, p.quantity, coalesce(h.units, 0), coalesce(sum(i.quantity), 0)
        FROM products p
        LEFT JOIN held_units h USING (partner_id, product_id)
        LEFT JOIN (
            order_items i JOIN orders o ON o.order_id = i.order_id AND o.status <> 'cancelled'
        ) ON i.product_id = p.product_id
        GROUP BY 1, 2, 3
        """
    )
    for sku, quantity, units, ordered in held:
        assert units == ordered, f"{sku}: {units} held, {ordered} ordered"
        assert 0 <= int(str(units)) <= int(str(quantity)), f"{sku}: {units} of {quantity} sold"
    placed = "SELECT count(*), sum(amount) FROM sales_entries WHERE kind = 'placed'"
    assert home.ask(placed) == home.ask("SELECT count(*), sum(line_total) FROM order_items")
    cancelled = "SELECT count(*), sum(amount) FROM sales_entries WHERE kind = 'cancelled'"
    lines = "FROM order_items JOIN orders USING (order_id) WHERE status = 'cancelled'"
    assert home.ask(cancelled) == home.ask(f"SELECT count(*), sum(line_total) {lines}")


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
