"""The results of the reading benchmark: tables for the documentation."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from statistics import median
from typing import Any, Final

from bench.summing_up import BEGINS, machine_line, replace_section

PAGE: Final = Path("docs/concepts/reading-a-large-catalog.md")
STATES: Final = (("without", "right after a load"), ("with", "with statistics"))
BARE_BAR: Final = 0.6
"""The lowest share of the bare handler's requests per second, for lists read along an index."""
COPY_BAR: Final = 0.5
"""The lowest share of the rate of psql's copy."""


def write_down(kept: Mapping[str, Any]) -> None:
    """Prints the tables for each size, and writes them into the documentation."""
    text = "\n".join(_of_size(int(rows), kept[rows]) for rows in sorted(kept, key=int))
    print(text)
    replace_section(PAGE, BEGINS, text)


def _of_size(rows: int, run: Mapping[str, Any]) -> str:
    parts = [
        f"### {rows:,} products\n\n{machine_line(run['machine'])}\n",
        "".join(_pages(run)),
        "".join(_changes(run)),
        "".join(_exports(run)),
    ]
    return "\n".join(parts)


def _pages(run: Mapping[str, Any]) -> Iterator[str]:
    yield "| a page of 100 products | " + " | | | ".join(name for _, name in STATES) + " | | |\n"
    yield "|---|--:|--:|--:|--:|--:|--:|\n"
    yield "| | in process | request | vs bare | in process | request | vs bare |\n"
    for name in run["with"]["pages"]:
        cells: list[str] = []
        for state, _ in STATES:
            request = run[state]["requests"][name]
            cells += [_ms(run[state]["pages"][name]), _ms(request["ours"])]
            cells.append(f"{request['bare'] / request['ours']:.2f}")
        yield f"| {name} | {' | '.join(cells)} |\n"


def _changes(run: Mapping[str, Any]) -> Iterator[str]:
    yield "| a page of 1,000 changes | " + " | ".join(name for _, name in STATES) + " |\n"
    yield "|---|--:|--:|\n"
    for place in ("first", "middle", "last"):
        cells = (_ms(run[state]["changes"][place]) for state, _ in STATES)
        yield f"| {place} | {' | '.join(cells)} |\n"


def _exports(run: Mapping[str, Any]) -> Iterator[str]:
    yield (
        "| an export of all products, from process start | "
        + " | ".join(n for _, n in STATES)
        + " |\n"
    )
    yield "|---|--:|--:|\n"
    for form in ("csv", "ndjson"):
        cells: list[str] = []
        for state, _ in STATES:
            times = run[state]["exports"]
            pairs = zip(times["copy"], times[form], strict=True)
            rate = median(copy / own for copy, own in pairs)
            cells.append(f"{rate:.2f} of `\\copy`, {median(times[form]):.1f} s")
        yield f"| {form} | {' | '.join(cells)} |\n"


def _ms(seconds: float) -> str:
    return f"{seconds * 1000:.1f} ms" if seconds < 0.1 else f"{seconds * 1000:.0f} ms"  # noqa: PLR2004
