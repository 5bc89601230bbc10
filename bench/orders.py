"""Measures placing orders over HTTP, beside pgbench running the same statements.

    make bench-orders                        8 clients, 5 rounds of 10 seconds each
    make bench-orders SECONDS=5 ROUNDS=3 WORKERS=2

Each order has three lines, an idempotency key and a commit that waits for the disk. Its products
are drawn from 10,000 (cold), or one of them is the same in every order (hot). The rows take turns
within each round; pgbench runs one transaction of the statements that the server executes for an
order, as the server's log has them, but without dividing hot products. A trigger keeps one hot
product from being divided. Prints orders a second, the ratio to pgbench, and the processor time of
an order, by the HTTP server and by PostgreSQL.
"""

import argparse
import json
import os
import random
import re
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections import defaultdict
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from statistics import median
from typing import Final

import psycopg
from attrs import frozen

from bench.fleet import family, processor_seconds
from bench.fleet import used as used_by
from bench.house import MAJOR, House, house
from bench.order_script import id_of, read_from, script, transaction
from commerce_core.commerce import Commerce
from tests.support.servers.platform import Platform, Server
from tests.support.servers.postgres import BINARIES

PRODUCTS: Final = 10_000
CLIENTS: Final = 8
BARE_HOT, HOT, UNDIVIDED = PRODUCTS + 1, PRODUCTS + 2, PRODUCTS + 3
"""Numbers of the products that are in every order: of pgbench, of ours, and of ours undivided."""
LOGGED: Final = "log_line_prefix = 'bench '\nlog_min_messages = log\nlog_statement = 'none'\n"


@frozen
class Run:
    """Orders in some seconds, and processor seconds of the HTTP server and of PostgreSQL."""

    orders: int
    seconds: float
    server: float
    database: float

    @property
    def rate(self) -> float:
        """Orders a second."""
        return self.orders / self.seconds


def main() -> None:
    """Runs the benchmark with the options of the command line."""
    parser = argparse.ArgumentParser(description="Measure orders of three lines.")
    parser.add_argument("--seconds", type=int, default=10)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--postgres", type=int, default=MAJOR, choices=tuple(BINARIES))
    parser.add_argument("--client", nargs=3, metavar=("URL", "KEY", "HOT"))
    asked = parser.parse_args()
    if asked.client:
        address, secret, hot = asked.client
        print(client(address, secret, int(hot), asked.seconds))
        return
    with house(0, asked.postgres, LOGGED) as server, tempfile.TemporaryDirectory() as home:
        measure(server, Path(home), asked)


def measure(server: House, home: Path, asked: argparse.Namespace) -> None:
    """Prints a row for each way to place orders."""
    platform = Platform(server.migrated("orders"), home)
    with platform.opened() as commerce:
        fill(commerce, platform.database_url)
        secret = commerce.keys.add().secret or ""
        bare = scripts(server, commerce, home)
    with platform.server(workers=asked.workers) as http:
        ways = {
            "pgbench, cold": lambda: by_pgbench(server, bare["cold"], asked.seconds),
            "HTTP, cold": lambda: by_http(server, http, secret, 0, asked.seconds),
            "pgbench, hot": lambda: by_pgbench(server, bare["hot"], asked.seconds),
            "HTTP, hot": lambda: by_http(server, http, secret, HOT, asked.seconds),
            "HTTP, hot, undivided": lambda: by_http(server, http, secret, UNDIVIDED, asked.seconds),
        }
        runs: defaultdict[str, list[Run]] = defaultdict(list)
        for way in ("HTTP, cold", "HTTP, hot", "HTTP, hot, undivided"):
            ways[way]()  # the first requests prepare their statements
        # What was planned for tables that had no rows is planned again, as pgbench plans each time.
        with psycopg.connect(platform.database_url, autocommit=True) as db:
            db.execute("VACUUM ANALYZE")
        for number in range(asked.rounds):
            for way, run in ways.items():
                runs[way].append(run())
            print(f"round {number + 1} of {asked.rounds}", file=sys.stderr, flush=True)
    report(runs)


def report(runs: dict[str, list[Run]]) -> None:
    """Prints medians with their spread, and the ratios that have goals."""
    for way, found in runs.items():
        rates = sorted(run.rate for run in found)
        each = [sum(getattr(run, of) for run in found) / sum(run.orders for run in found) * 1000
                for of in ("server", "database")]  # fmt: skip
        print(
            f"{way:22} {median(rates):7.0f} a second ({rates[0]:.0f} to {rates[-1]:.0f});"
            f" {each[0]:.2f} ms of processor time by the server, {each[1]:.2f} by PostgreSQL"
        )
    for one, other in (
        ("HTTP, cold", "pgbench, cold"),
        ("HTTP, hot", "pgbench, hot"),
        ("HTTP, hot", "HTTP, cold"),
        ("HTTP, hot, undivided", "HTTP, cold"),
    ):
        ratios = sorted(a.rate / b.rate for a, b in zip(runs[one], runs[other], strict=True))
        print(f"{one} / {other}: {median(ratios):.2f} ({ratios[0]:.2f} to {ratios[-1]:.2f})")


def fill(commerce: Commerce, url: str) -> None:
    """One partner's products, whose ids are numbers; enough of each for any number of orders."""
    with tempfile.NamedTemporaryFile("w", suffix=".csv") as file:
        file.write("sku,product_name,price,quantity\n")
        for number in range(1, UNDIVIDED + 1):
            file.write(f"S-{number},Thing {number},{5 + number % 90}.50,2000000000\n")
        file.flush()
        commerce.partners.add("Bench", currency="EUR")
        commerce.feeds.load(file.name, partner="Bench")
    with psycopg.connect(url) as db:
        db.execute(
            """
            UPDATE products
            SET product_id = lpad(to_hex(substr(sku, 3)::int), 32, '0')::uuid
            """
        )
        db.execute(
            f"""
            CREATE FUNCTION stays_cool() RETURNS trigger LANGUAGE plpgsql AS $$
                BEGIN new.heat := 0; RETURN new; END
            $$;
            CREATE TRIGGER stays_cool BEFORE UPDATE ON held_units FOR EACH ROW
            WHEN (new.product_id = '{id_of(UNDIVIDED)}') EXECUTE FUNCTION stays_cool();
            """.encode()
        )
    with psycopg.connect(url, autocommit=True) as db:
        db.execute("VACUUM ANALYZE")


def scripts(server: House, commerce: Commerce, home: Path) -> dict[str, Path]:
    """The scripts for pgbench, made from two orders that are placed for it."""
    log = server.folder / "log"
    logged, keys = [], ("key of one", "key of the other")
    as_key = acting_by_key(commerce)
    with logging(server):
        for key in keys:
            position = log.stat().st_size
            as_key.orders.place([(f"prod_{id_of(n)}", 1) for n in (1, 2, 3)], key=key)
            logged.append(transaction(read_from(log, position)))
    found: dict[str, Path] = {}
    drawn = [f"random({n * PRODUCTS // 3 + 1}, {(n + 1) * PRODUCTS // 3})" for n in range(3)]
    for name, numbers in (("cold", drawn), ("hot", [str(BARE_HOT), *drawn[1:]])):
        lines = [f"\\set product_{n} {number}" for n, number in enumerate(numbers, 1)]
        found[name] = home / f"{name}.sql"
        found[name].write_text(script(logged[0], logged[1], keys, lines))
    return found


def acting_by_key(commerce: Commerce) -> Commerce:
    """The platform for a caller with a key, as requests over HTTP have one."""
    principal = commerce.keys.authenticate(commerce.keys.add().secret)
    return Commerce(commerce.context.acting_as(principal))


@contextmanager
def logging(server: House) -> Generator[None]:
    """All statements are logged."""
    for value in ("all", "none"):
        with psycopg.connect(server.url("postgres"), autocommit=True) as db:
            db.execute(f"ALTER SYSTEM SET log_statement = '{value}'".encode())
            db.execute("SELECT pg_reload_conf()")
        time.sleep(0.3)
        if value == "all":
            yield


def by_pgbench(server: House, file: Path, seconds: int) -> Run:
    """Transactions of a script."""
    command = [
        str(BINARIES[server.major] / "pgbench"), "-n", "-M", "prepared", "-c", str(CLIENTS),
        "-j", "2", "-T", str(seconds), "-f", str(file), server.url("orders"),
    ]  # fmt: skip
    used = processor_seconds(server)
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)  # noqa: S603
    used = processor_seconds(server) - used
    rate = float(re.findall(r"tps = ([\d.]+) \(without", done.stdout)[0])
    orders = int(re.findall(r"actually processed: (\d+)", done.stdout)[0])
    return Run(orders, orders / rate, 0, used)


def by_http(server: House, http: Server, secret: str, hot: int, seconds: int) -> Run:
    """Orders of a process with eight clients."""
    command = [
        sys.executable, "-m", "bench.orders", "--seconds", str(seconds),
        "--client", http.address, secret, str(hot),
    ]  # fmt: skip
    pids = list(family(http.process.pid))
    database, ours = processor_seconds(server), sum(map(used_by, pids))
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)  # noqa: S603
    ours, database = sum(map(used_by, pids)) - ours, processor_seconds(server) - database
    orders, took = done.stdout.split()
    return Run(int(orders), float(took), ours, database)


def client(address: str, secret: str, hot: int, seconds: int) -> str:
    """Places orders for some seconds; returns how many, and how long it took."""
    until = time.perf_counter() + seconds
    counts = [0] * CLIENTS
    connections = [Connection(address, secret) for _ in range(CLIENTS)]
    threads = [
        threading.Thread(target=keep_placing, args=(connection, number, counts, hot, until))
        for number, connection in enumerate(connections)
    ]
    begun = time.perf_counter()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return f"{sum(counts)} {time.perf_counter() - begun}"


def keep_placing(
    connection: "Connection", number: int, counts: list[int], hot: int, until: float
) -> None:
    """One client."""
    while time.perf_counter() < until:
        connection.request(order(hot))
        counts[number] += 1


def order(hot: int) -> bytes:
    """The body of an order of three lines."""
    numbers = random.sample(range(1, PRODUCTS + 1), 3)
    if hot:
        numbers[0] = hot
    items = [{"product_id": f"prod_{id_of(number)}", "quantity": 1} for number in numbers]
    return json.dumps({"items": items}).encode()


class Connection:
    """A connection that is kept, and reads as little of each answer as it can."""

    def __init__(self, address: str, secret: str) -> None:
        self.host, _, port = address.rpartition("//")[2].partition(":")
        self.socket = socket.create_connection((self.host, int(port)))
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.secret = secret

    def request(self, body: bytes) -> None:
        """Places an order; RuntimeError if it wasn't placed."""
        head = (
            f"POST /v1/orders HTTP/1.1\r\nHost: {self.host}\r\nX-API-Key: {self.secret}\r\n"
            f"Content-Type: application/json\r\nIdempotency-Key: {os.urandom(12).hex()}\r\n"
            f"Content-Length: {len(body)}\r\n\r\n"
        )
        self.socket.sendall(head.encode() + body)
        answer = b""
        while b"\r\n\r\n" not in answer:
            answer += self._received()
        top, _, rest = answer.partition(b"\r\n\r\n")
        length = int(top.lower().partition(b"content-length:")[2].split()[0])
        while len(rest) < length:
            rest += self._received()
        if b" 201 " not in top[:20]:
            raise RuntimeError(rest.decode())

    def _received(self) -> bytes:
        block = self.socket.recv(65_536)
        if not block:
            raise RuntimeError("The server has closed the connection.")
        return block


if __name__ == "__main__":
    main()
