"""Measures a fleet of partners that each send an hourly feed, with several workers.

    make bench-fleet                          200 partners of 5,000 to 50,000 products
    make bench-fleet PARTNERS=50 POSTGRES=15

All first loads come before. Then each partner sends a full file in which 1 % of the prices changed,
twice: first all at once, which gives the feeds a minute that the workers can take; then one by one,
at half that rate, which gives the time from upload to visible. The server's share is its processor
time, as the kernel counts it.
"""

import argparse
import json
import os
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from datetime import datetime
from pathlib import Path
from statistics import median, quantiles
from typing import Any, Final

from bench.generate import mixed, write
from bench.house import MAJOR, House, house
from bench.run import machine
from bench.summing_up import PAGE, machine_line, replace_section
from commerce_core.commerce import Commerce
from tests.support.servers.platform import Platform, finished
from tests.support.servers.postgres import BINARIES, children

RESULTS: Final = Path("bench/fleet.json")
BEGINS: Final = "<!-- measured: a fleet -->\n"
FEWEST, MOST = 5_000, 50_000
"""Products of the smallest and the largest partner."""
WORKERS: Final = 2


def main() -> None:
    """Runs the benchmark with the options of the command line."""
    parser = argparse.ArgumentParser(description="Measure a fleet of partners.")
    parser.add_argument("--partners", type=int, default=200)
    parser.add_argument("--postgres", type=int, default=MAJOR, choices=tuple(BINARIES))
    parser.add_argument("--results", type=Path, default=RESULTS)
    options = parser.parse_args()
    with house(0, options.postgres) as server:
        figures = measured(server, options.partners)
    name = f"{options.partners} on {options.postgres}"
    results = json.loads(options.results.read_text()) if options.results.exists() else {}
    results[name] = {"machine": machine(options.postgres), **figures}
    options.results.write_text(json.dumps(results, indent=1, sort_keys=True) + "\n")
    write_down(results)


def measured(server: House, partners: int) -> dict[str, Any]:
    """The figures of the fleet."""
    url = server.migrated("fleet")
    sizes = [FEWEST + mixed(number) % (MOST - FEWEST + 1) for number in range(partners)]
    with tempfile.TemporaryDirectory() as home, ExitStack() as running:
        platform = Platform(url, Path(home))
        commerce = running.enter_context(platform.opened())
        for number, file in files(Path(home), sizes, day=1):
            commerce.partners.add(f"Partner {number}", currency="EUR")
            commerce.jobs.run(send(commerce, number, file))
            progress(f"first load {number + 1} of {partners}")
        for _ in range(WORKERS):
            running.enter_context(platform.worker())
        _, again = next(files(Path(home), sizes, day=1))
        waits(commerce, [send(commerce, 0, again)])  # the workers have started
        ready = list(files(Path(home), sizes, day=2))
        begun, busy = time.perf_counter(), processor_seconds(server)
        waits(commerce, [send(commerce, number, file) for number, file in ready])
        rate = partners / (time.perf_counter() - begun)
        busy = (processor_seconds(server) - busy) / partners
        progress(f"{rate * 60:.0f} feeds a minute")
        return {
            "products": sum(sizes),
            "feeds_a_minute": rate * 60,
            "server_seconds_a_feed": busy,
            "visible_after": paced(commerce, list(files(Path(home), sizes, day=3)), rate / 2),
        }


def files(home: Path, sizes: Sequence[int], *, day: int) -> Iterator[tuple[int, Path]]:
    """Each partner's file of a day, by the partner's number."""
    for number, rows in enumerate(sizes):
        file = home / f"feed-{number}.csv"
        write(file, rows, "first" if day == 1 else "second", day)
        yield number, file


def paced(commerce: Commerce, ready: Sequence[tuple[int, Path]], rate: float) -> list[float]:
    """The seconds from upload to visible, of feeds that come one by one at this rate a second."""
    begun = time.perf_counter()
    jobs: list[str] = []
    for number, file in ready:
        time.sleep(max(0.0, begun + number / rate - time.perf_counter()))
        jobs.append(send(commerce, number, file))
    return waits(commerce, jobs)


def send(commerce: Commerce, number: int, file: Path) -> str:
    """Uploads a partner's file, and returns its job, which a worker may take."""
    with file.open("rb") as stream:
        receipt = commerce.feeds.upload(stream, partner=f"Partner {number}", mode="full", run=True)
    return receipt.job_id


def waits(commerce: Commerce, jobs: Sequence[str]) -> list[float]:
    """The seconds from upload to visible of each job's feed, once all are applied."""
    found: list[float] = []
    for job_id in jobs:
        job = finished(commerce, job_id)
        if job.outcome not in ("clean", "nothing_changed") or job.feed_id is None:
            raise RuntimeError(f"{job_id}: {job.status} {job.outcome} {job.error}")
        received = commerce.feeds.get(job.feed_id).received_at
        found.append(seconds(received, job.finished_at))
    return found


def seconds(begun: datetime, ended: datetime | None) -> float:
    """The seconds between two instants."""
    return (ended - begun).total_seconds() if ended else 0.0


def processor_seconds(server: House) -> float:
    """Processor time that the server has used so far, by all its processes."""
    process = server.server.process
    if process is None:
        raise RuntimeError("the server isn't running")
    return sum(map(used, family(process.pid)))


def family(pid: int) -> Iterator[int]:
    """A process and all that descend from it."""
    yield pid
    for child in children(pid):
        yield from family(child)


def used(pid: int) -> float:
    """Processor time of a process and of its children that have ended; 0 once it is gone."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except FileNotFoundError:
        return 0.0
    return sum(map(int, fields[11:15])) / os.sysconf("SC_CLK_TCK")


def write_down(kept: dict[str, Any]) -> None:
    """Prints the figures, and writes them into the documentation."""
    text = "\n".join(_lines(kept))
    print(text)
    replace_section(PAGE, BEGINS, text)


def _lines(kept: dict[str, Any]) -> Iterator[str]:
    for name in sorted(kept):
        partners, _, major = name.partition(" on ")
        run = kept[name]
        after = run["visible_after"]
        yield f"### {partners} partners on PostgreSQL {major}\n"
        yield f"{machine_line(run['machine'])} {run['products']:,} products in all.\n"
        yield f"| {WORKERS} workers | |\n|---|--:|"
        yield f"| feeds a minute, all sent at once | {run['feeds_a_minute']:.0f} |"
        yield f"| the server's processor time a feed | {run['server_seconds_a_feed']:.2f} s |"
        yield f"| upload to visible at half that rate, median | {median(after):.2f} s |"
        yield f"| 99 of 100 within | {quantiles(after, n=100)[98]:.2f} s |\n"


def progress(text: str) -> None:
    """Prints how far it is."""
    print(text, file=sys.stderr, flush=True)


if __name__ == "__main__":
    main()
