"""Measures the platform and its rivals side by side, and records how they compare.

    make bench                     three rounds of a million rows; about twenty minutes
    make bench ROWS=100000 ROUNDS=5 RIVALS="floor,expert by join"
    make bench POSTGRES=15         on Debian's PostgreSQL, where it is installed

All contenders get the same files and a fresh database on the same server, in turn, round after
round: the results are ratios from one run on one machine, and absolute times mean nothing
elsewhere. The platform's times are those of its job. Storing the raw file comes before and is
reported separately, since no rival stores one.
"""

import argparse
import json
import os
import platform
import subprocess
import sys
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any, Final, get_args

from bench.generate import Kind
from bench.house import MAJOR, House, house
from bench.rivals import Rival, prepared
from bench.summing_up import write_down
from tests.support.servers.postgres import BINARIES

RIVALS: Final[tuple[Rival, ...]] = get_args(Rival)
FLOORS: Final = ("bare floor", "floor")
DAYS: Final[tuple[Kind | None, ...]] = (
    "second", None, "shuffled", "ten", None, "added_removed",
)  # fmt: skip
"""The days after the first, in order; None loads the first day's file again, unmeasured."""
RESULTS: Final = Path("bench/results.json")

Times = dict[str, dict[str, list[float]]]
"""Seconds by contender and day, one value per round."""


def main() -> None:
    """Runs the benchmark with the options of the command line."""
    parser = argparse.ArgumentParser(description="Measure the platform and its rivals.")
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--rivals", default=",".join(RIVALS))
    parser.add_argument("--postgres", type=int, default=MAJOR, choices=tuple(BINARIES))
    parser.add_argument("--results", type=Path, default=RESULTS)
    options = parser.parse_args()
    rivals = [rival for rival in RIVALS if rival in options.rivals.split(",")]
    with house(options.rows, options.postgres) as server:
        for kind in get_args(Kind):
            server.file(kind)
        times, peaks = measured(server, rivals, options.rounds)
    results = json.loads(options.results.read_text()) if options.results.exists() else {}
    results[f"{options.rows} on {options.postgres}"] = {
        "machine": machine(options.postgres),
        "seconds": times,
        "peak_bytes": peaks,
    }
    options.results.write_text(json.dumps(results, indent=1, sort_keys=True) + "\n")
    write_down(results)


def measured(server: House, rivals: Sequence[Rival], rounds: int) -> tuple[Times, dict[str, int]]:
    """The times of all contenders in each round, and the platform's peak memory."""
    times: Times = defaultdict(lambda: defaultdict(list))
    peaks: dict[str, int] = {}
    for number in range(1, rounds + 1):
        for rival in rivals:
            for day, seconds in days_of(server, rival):
                times[rival][day].append(seconds)
                show_progress(number, rival, day, seconds)
        for day, load in own_days(server):
            times["us"][day].append(load["seconds"])
            times["keeping the raw file"][day].append(load["keeping"])
            peaks[day] = max(peaks.get(day, 0), load["peak_bytes"])
            show_progress(number, "us", day, load["seconds"])
    return {who: dict(days) for who, days in times.items()}, peaks


def days_of(server: House, rival: Rival) -> Iterator[tuple[str, float]]:
    """A rival's days: for the floors only the first, for dlt, which takes long, the first two."""
    server.migrated("rival")
    load = prepared(server, rival, "rival")
    yield "first", timed(load, server.file("first"))
    if rival in FLOORS:
        return
    for day in DAYS[:1] if rival == "dlt" else DAYS:
        seconds = timed(load, server.file(day or "first"))
        if day is not None:
            yield day, seconds


def timed(load: Callable[[Path], None], file: Path) -> float:
    """The time that loading a file takes, in seconds."""
    begun = time.perf_counter()
    load(file)
    return time.perf_counter() - begun


def own_days(server: House) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """The platform's days: most in order, and three kinds of files each in a fresh database."""
    second = server.file("second")
    files: list[tuple[str | None, str]] = [
        ("first", str(server.file("first"))),
        ("plan", f"plan:{second}"),
        ("second", str(second)),
        ("same bytes", str(second)),
    ]
    files += [(day, str(server.file(day or "first"))) for day in DAYS[1:]]
    yield from ours(server, files)
    yield from ours(server, [("bad", str(server.file("bad")))])
    others: tuple[Kind, ...] = ("renamed", "wider")
    for day in others:
        yield from ours(server, [(None, str(server.file("first"))), (day, str(server.file(day)))])
    warned: tuple[Kind, ...] = ("warned", "warned_second")
    yield from ours(server, [(day, str(server.file(day))) for day in warned])


def ours(
    server: House, files: Sequence[tuple[str | None, str]]
) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """The platform's measurements for these files, loaded in order into a fresh database."""
    url, folder = server.fresh("ours"), server.folder / "raw"
    script = Path(__file__).with_name("load_with_us.py")
    command = [sys.executable, str(script), url, str(folder), *(file for _, file in files)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as run:  # noqa: S603
        for (day, _), line in zip(files, run.stdout or (), strict=True):
            load = json.loads(line)
            if load["status"] != "completed":
                raise RuntimeError(f"{day}: {load}")
            if day is not None:
                yield day, load
    subprocess.run(["rm", "-rf", str(folder)], check=True)  # noqa: S603, S607


def machine(major: int = MAJOR) -> dict[str, object]:
    """The machine, the date and the versions of this measurement."""
    cpu = next(
        (line.partition(": ")[2] for line in Path("/proc/cpuinfo").read_text().splitlines()
         if line.startswith("model name")),
        platform.machine(),
    )  # fmt: skip
    return {
        "at": datetime.now(UTC).date().isoformat(),
        "cpu": cpu,
        "cores": os.cpu_count(),
        "python": platform.python_version(),
        "postgresql": major,
        "polars": version("polars"),
        "psycopg": version("psycopg"),
    }


def show_progress(number: int, who: str, day: str, seconds: float) -> None:
    """Prints one measurement."""
    print(f"round {number}  {who:<20} {day:<14} {seconds:8.2f} s", flush=True)


if __name__ == "__main__":
    main()
