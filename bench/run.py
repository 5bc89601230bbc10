"""Measures the platform and its rivals side by side, and writes down how they compare.

    make bench                     three rounds of a million rows; some twenty minutes
    make bench ROWS=100000 ROUNDS=5 RIVALS="floor,expert by join"

Everybody gets the same files and a fresh database on the same server, in turn, round after round:
these are ratios of one run on one machine, and no times of their own mean anything elsewhere. Times
of the platform are those of its job. Keeping the raw file comes before and is told apart, since no
rival keeps one.
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

RIVALS: Final[tuple[Rival, ...]] = get_args(Rival)
FLOORS: Final = ("bare floor", "floor")
DAYS: Final[tuple[Kind | None, ...]] = (
    "second", None, "shuffled", "ten", None, "added_removed",
)  # fmt: skip
"""The days after the first, in turn; None goes back to the first day's file, unmeasured."""
RESULTS: Final = Path("bench/results.json")

Times = dict[str, dict[str, list[float]]]
"""Seconds, by contender and day, one for each round."""


def main() -> None:
    """Does what the command line asks for."""
    asked = argparse.ArgumentParser(description="Measures the platform and its rivals.")
    asked.add_argument("--rows", type=int, default=1_000_000)
    asked.add_argument("--rounds", type=int, default=3)
    asked.add_argument("--rivals", default=",".join(RIVALS))
    asked.add_argument("--results", type=Path, default=RESULTS)
    told = asked.parse_args()
    rivals = [rival for rival in RIVALS if rival in told.rivals.split(",")]
    with house(told.rows) as server:
        for kind in get_args(Kind):
            server.file(kind)
        times, peaks = measured(server, rivals, told.rounds)
    kept = json.loads(told.results.read_text()) if told.results.exists() else {}
    kept[str(told.rows)] = {"machine": machine(), "seconds": times, "peak_bytes": peaks}
    told.results.write_text(json.dumps(kept, indent=1, sort_keys=True) + "\n")
    write_down(kept)


def measured(server: House, rivals: Sequence[Rival], rounds: int) -> tuple[Times, dict[str, int]]:
    """The times of everybody in so many rounds, and the most memory that the platform had."""
    times: Times = defaultdict(lambda: defaultdict(list))
    peaks: dict[str, int] = {}
    for number in range(1, rounds + 1):
        for rival in rivals:
            for day, seconds in days_of(server, rival):
                times[rival][day].append(seconds)
                say(number, rival, day, seconds)
        for day, told in own_days(server):
            times["us"][day].append(told["seconds"])
            times["keeping the raw file"][day].append(told["keeping"])
            peaks[day] = max(peaks.get(day, 0), told["peak_bytes"])
            say(number, "us", day, told["seconds"])
    return {who: dict(days) for who, days in times.items()}, peaks


def days_of(server: House, rival: Rival) -> Iterator[tuple[str, float]]:
    """The days of a rival: of the floors the first, of dlt, which takes long, the first two."""
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
    """The seconds that loading a file takes."""
    begun = time.perf_counter()
    load(file)
    return time.perf_counter() - begun


def own_days(server: House) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """The days of the platform, in one process after another as they come."""
    second = server.file("second")
    asked: list[tuple[str | None, str]] = [
        ("first", str(server.file("first"))),
        ("plan", f"plan:{second}"),
        ("second", str(second)),
        ("same bytes", str(second)),
    ]
    asked += [(day, str(server.file(day or "first"))) for day in DAYS[1:]]
    yield from ours(server, asked)
    yield from ours(server, [("bad", str(server.file("bad")))])


def ours(
    server: House, asked: Sequence[tuple[str | None, str]]
) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """What the platform tells of these files, loaded one after another into a fresh database."""
    url, folder = server.fresh("ours"), server.folder / "raw"
    script = Path(__file__).with_name("load_with_us.py")
    command = [sys.executable, str(script), url, str(folder), *(file for _, file in asked)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as run:  # noqa: S603
        for (day, _), line in zip(asked, run.stdout or (), strict=True):
            told = json.loads(line)
            if told["status"] != "completed":
                raise RuntimeError(f"{day}: {told}")
            if day is not None:
                yield day, told
    subprocess.run(["rm", "-rf", str(folder)], check=True)  # noqa: S603, S607


def machine() -> dict[str, object]:
    """Where this was measured, and with what."""
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
        "postgresql": MAJOR,
        "polars": version("polars"),
        "psycopg": version("psycopg"),
    }


def say(number: int, who: str, day: str, seconds: float) -> None:
    """Shows how far it is."""
    print(f"round {number}  {who:<20} {day:<14} {seconds:8.2f} s", flush=True)


if __name__ == "__main__":
    main()
