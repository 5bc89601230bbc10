"""Measures webhooks: from commit to first byte, deliveries a second, and what a queue costs others.

    python -m bench.webhooks --deliveries 5000 --queued 100000

The receiver is a process of its own on this machine, so the figures are of two processes that share
its processors, with PostgreSQL as a third.
"""

import argparse
import io
import json
import os
import secrets
import socket
import statistics
import subprocess
import sys
import threading
import time
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final, TextIO, cast

from commerce_core.activity.events import Event, EventKind
from commerce_core.commerce import Commerce
from commerce_core.webhooks.delivery import DeliveryQuery
from entrypoints.compose import open_platform
from entrypoints.settings import load_settings

ENDPOINTS: Final = 50
ORDERS: Final = 300
_RECEIVER: Final = """
import socket, sys, threading, time
server = socket.create_server(("127.0.0.1", 0), backlog=512)
print(server.getsockname()[1], flush=True)
def serve(connection):
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    with connection:
        while data := connection.recv(1):
            at = time.time()
            data += connection.recv(65536)
            while b"\\r\\n\\r\\n" not in data:
                data += connection.recv(65536)
            head, _, body = data.partition(b"\\r\\n\\r\\n")
            length = int(head.lower().partition(b"content-length:")[2].split()[0])
            while len(body) < length:
                body += connection.recv(65536)
            name = head.lower().partition(b"webhook-id:")[2].split()[0].decode()
            connection.sendall(b"HTTP/1.1 204 OK\\r\\n\\r\\n")
            sys.stdout.write(f"{name} {at}\\n"); sys.stdout.flush()
while True:
    threading.Thread(target=serve, args=(server.accept()[0],), daemon=True).start()
"""


class Receiver:
    """A receiver in a process of its own, and when it got the first byte of each message."""

    def __init__(self) -> None:
        self.process = subprocess.Popen(  # noqa: S603 our own text
            [sys.executable, "-c", _RECEIVER], stdout=subprocess.PIPE, text=True
        )
        self.lines = cast("TextIO", self.process.stdout)
        self.port = int(self.lines.readline())
        self.arrivals: list[tuple[str, float]] = []
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self) -> None:
        for line in self.lines:
            name, at = line.split()
            self.arrivals.append((name, float(at)))

    def wait_for(self, number: int) -> None:
        """Returns when it has that many messages."""
        while len(self.arrivals) < number:
            time.sleep(0.01)


@contextmanager
def platform() -> Generator[tuple[Commerce, "subprocess.Popen[bytes]"]]:
    """A platform of its own, which may call this machine, and a worker that is a process."""
    with TemporaryDirectory() as folder:
        os.environ |= {
            "COMMERCE_DATA_DIR": folder,
            "COMMERCE_OUTBOUND_NETWORKS": "127.0.0.0/8",
            "COMMERCE_OUTBOUND_PORTS": "1-65535",
            "COMMERCE_LOG_LEVEL": "error",
        }
        with open_platform(load_settings()) as commerce:
            worker = subprocess.Popen([Path(sys.executable).with_name("commerce"), "worker"])  # noqa: S603 our own command
            yield commerce, worker
            worker.terminate()
            worker.wait()


def busy(worker: "subprocess.Popen[bytes]") -> float:
    """Seconds of a processor that the worker has used."""
    cells = Path(f"/proc/{worker.pid}/stat").read_text().rpartition(")")[2].split()
    return (int(cells[11]) + int(cells[12])) / os.sysconf("SC_CLK_TCK")


def announce(commerce: Commerce, number: int, kind: EventKind = "order.created") -> list[str]:
    """Events in one transaction; returns their ids."""
    context = commerce.context
    events = [
        Event(context.mint("evt"), kind, context.clock(), (), {"order_id": f"ord_{n}"})
        for n in range(number)
    ]
    with context.store.begin() as unit:
        unit.events.add(events)
    return [event.event_id for event in events]


def latency(commerce: Commerce, receiver: Receiver, times: int = 60) -> float:
    """The median of milliseconds from a commit to the first byte at the receiver."""
    taken: list[float] = []
    for _ in range(times):
        before = len(receiver.arrivals)
        announce(commerce, 1)
        committed = time.time()
        receiver.wait_for(before + 1)
        taken.append((receiver.arrivals[before][1] - committed) * 1_000)
        time.sleep(secrets.randbelow(150) / 1_000)
    return statistics.median(taken)


def throughput(commerce: Commerce, receiver: Receiver, number: int) -> float:
    """Deliveries a second of one worker, to fifty endpoints."""
    before = len(receiver.arrivals)
    begun = time.monotonic()
    announce(commerce, number // ENDPOINTS)
    receiver.wait_for(before + number // ENDPOINTS * ENDPOINTS)
    return number / (time.monotonic() - begun)


def orders_and_feed(commerce: Commerce, name: str) -> tuple[float, float]:
    """Seconds of some hundred orders, and of a feed."""
    rows = "".join(f"S-{n},Thing {n},9.50,1000000\n" for n in range(20_000))
    feed = f"sku,product_name,price,quantity\n{rows}".encode()
    commerce.partners.add(name, currency="EUR")
    begun = time.monotonic()
    commerce.feeds.load(io.BytesIO(feed), partner=name)
    fed = time.monotonic() - begun
    product = commerce.products.get(partner=name, sku="S-1").product_id
    begun = time.monotonic()
    for _ in range(ORDERS):
        commerce.orders.place([(product, 1)])
    return time.monotonic() - begun, fed


def queue(commerce: Commerce, number: int) -> None:
    """That many deliveries to a receiver that is dead, due for days."""
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        port = closed.getsockname()[1]
    for dead in range(10):
        commerce.webhooks.add(f"http://127.0.0.1:{port}/{dead}", kinds=["order.cancelled"])
    for _ in range(number // 10_000):
        announce(commerce, 1_000, "order.cancelled")
    while count(commerce) < number:
        time.sleep(0.5)


def count(commerce: Commerce) -> int:
    """How many deliveries wait to be sent."""
    query = DeliveryQuery(status="pending")
    return commerce.webhooks.delivery_page(query, count=True).count or 0


def main() -> None:
    """Measures, and prints figures as JSON."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--deliveries", type=int, default=5_000)
    options.add_argument("--queued", type=int, default=100_000)
    given = options.parse_args()
    figures: dict[str, Any] = {}
    receiver = Receiver()
    with platform() as (commerce, worker):
        commerce.webhooks.add(f"http://127.0.0.1:{receiver.port}/")
        figures["commit_to_first_byte_ms"] = round(latency(commerce, receiver), 1)
        for _ in range(ENDPOINTS - 1):
            commerce.webhooks.add(f"http://127.0.0.1:{receiver.port}/")
        throughput(commerce, receiver, 500)
        used = busy(worker)
        figures["deliveries_a_second"] = round(throughput(commerce, receiver, given.deliveries))
        figures["worker_ms_a_delivery"] = round((busy(worker) - used) / given.deliveries * 1e3, 2)
        print(json.dumps(figures), flush=True)
        for webhook in commerce.webhooks.list():
            commerce.webhooks.remove(webhook.webhook_id)
        plain = [orders_and_feed(commerce, f"Plain {n}") for n in range(5)]
        queue(commerce, given.queued)
        figures["queued"] = count(commerce)
        waiting = [orders_and_feed(commerce, f"Queued {n}") for n in range(5)]
        for place, what in enumerate(("orders", "feed")):
            with_queue = min(seconds[place] for seconds in waiting)
            without = min(seconds[place] for seconds in plain)
            figures[f"{what}_beside_the_queue"] = round(with_queue / without, 2)
        print(json.dumps(figures), flush=True)
    receiver.process.kill()


if __name__ == "__main__":
    main()
