"""The results of the load benchmark: tables and a chart for the documentation."""

from collections.abc import Iterator, Mapping, Sequence
from html import escape
from pathlib import Path
from statistics import median
from typing import Any, Final

PAGE: Final = Path("docs/concepts/ingest-at-the-speed-of-copy.md")
CHART: Final = Path("docs/assets/speed.svg")
BEGINS: Final = "<!-- measured -->\n"
ENDS: Final = "<!-- end -->"

EXPERTS: Final = ("expert by join", "expert on conflict")
BARS: Final = (
    ("first load", "first", "floor", "first", 1.25),
    ("first load", "first", "bare floor", "first", 2.0),
    ("first load", "first", "expert", "first", 0.8),
    ("first load", "first", "dlt", "first", 0.25),
    ("second day, 1 % changed", "second", "expert", "second", 0.4),
    ("second day, 1 % changed", "second", "dlt", "second", 1 / 12),
    ("10 % changed", "ten", "expert", "ten", 0.7),
    ("the same lines shuffled", "shuffled", "expert", "shuffled", 0.7),
    ("2 % added, 2 % removed", "added_removed", "expert", "added_removed", 0.7),
    ("the same bytes again", "same bytes", "us", "second", 0.1),
    ("30 % of the rows bad", "bad", "us", "first", 2.0),
    ("second day, a warning in each row", "warned_second", "us", "second", 1.3),
    ("second day, a column renamed", "renamed", "expert", "second", 0.4),
    ("second day, a column more", "wider", "expert", "second", 1.2),
    ("plan of the second day", "plan", "us", "second", 1.0),
)
"""The comparisons: our time for a day, a contender's time for a day, and the highest ratio."""

Seconds = Mapping[str, Mapping[str, Sequence[float]]]


def write_down(kept: Mapping[str, Any]) -> None:
    """Prints a table for each run, and writes the tables and the chart into the documentation."""
    parts: list[str] = []
    for name in sorted(kept, key=_run):
        run, (rows, major) = kept[name], _run(name)
        parts.append(
            f"### {rows:,} rows on PostgreSQL {major}\n\n{machine_line(run['machine'])}\n\n"
        )
        parts.append(_table(run["seconds"]) + "\n" + _memory(run["peak_bytes"]) + "\n")
    parts.append(_growth(kept))
    text = "\n".join(filter(None, parts))
    print(text)
    replace_section(PAGE, BEGINS, text)
    largest = max(kept, key=lambda name: (len(kept[name]["seconds"]), _run(name)))
    CHART.write_text(_chart(kept[largest]["seconds"], _run(largest)[0]), "utf-8")


def replace_section(page: Path, begins: str, text: str) -> None:
    """Writes the text into the page, between this mark and the next end."""
    before, _, rest = page.read_text("utf-8").partition(begins)
    after = rest.partition(ENDS)[2]
    page.write_text(f"{before}{begins}\n{text}\n{ENDS}{after}", "utf-8")


def _run(name: str) -> tuple[int, int]:
    """Rows and version of PostgreSQL of a run, from its name such as `1000000 on 18`."""
    rows, _, major = name.partition(" on ")
    return int(rows), int(major)


def times(seconds: Seconds, who: str, day: str) -> Sequence[float]:
    """The times of a contender; for `expert`, those of the faster one in each round."""
    if who != "expert":
        return seconds.get(who, {}).get(day, ())
    both = [seconds[name][day] for name in EXPERTS if day in seconds.get(name, {})]
    return [min(pair) for pair in zip(*both, strict=True)]


def _table(seconds: Seconds) -> str:
    lines = [
        "| benchmark | compared with | ratio | spread | at most | target |\n",
        "|---|---|--:|--:|--:|---|\n",
    ]
    for what, day, rival, other, bar in BARS:
        own, theirs = times(seconds, "us", day), times(seconds, rival, other)
        ratios = [mine / other for mine, other in zip(own, theirs, strict=False)]
        if not ratios:
            continue
        against = rival if rival != "us" else f"our {other.replace('first', 'first load')}"
        verdict = "met" if median(ratios) <= bar else "missed"
        spread = f"{min(ratios):.3g} to {max(ratios):.3g}"
        figures = f"{median(ratios):.3g} | {spread} | {bar:.3g}"
        lines.append(f"| {what} | {against} | {figures} | {verdict} |\n")
    return "".join(lines)


def _memory(peaks: Mapping[str, int]) -> str:
    most = max(peaks.values(), default=0)
    return f"Peak memory of the worker: {most / 1e6:,.0f} MB.\n"


def machine_line(machine: Mapping[str, object]) -> str:
    """The date, the machine and the versions of a measurement."""
    return (
        f"{machine['at']}, {machine['cores']} cores of {machine['cpu']}, "
        f"Python {machine['python']}, PostgreSQL {machine['postgresql']}, "
        f"polars {machine['polars']}."
    )


def _growth(kept: Mapping[str, Any]) -> str:
    """How times grow with ten times the rows, if both were measured on the same machine and day."""
    lines: list[str] = []
    for run in sorted(kept, key=_run):
        rows, major = _run(run)
        larger = f"{rows * 10} on {major}"
        if kept.get(larger, {}).get("machine") != kept[run]["machine"]:
            continue
        for day, name in (("first", "first load"), ("second", "second day")):
            small = times(kept[run]["seconds"], "us", day)
            large = times(kept[larger]["seconds"], "us", day)
            if small and large:
                ratio = median(large) / median(small)
                lines.append(
                    f"- {name}, {rows * 10:,} rows compared with {rows:,}: {ratio:.1f} x\n"
                )
    return "### Growth\n\n" + "".join(lines) if lines else ""


_WIDTH: Final = 720
_LEFT: Final = 190
_BAR: Final = 20
_SHOWN: Final = (("first", "first load"), ("second", "second day, 1 % changed"))
_ORDER: Final = ("us", "floor", "bare floor", "expert", "dlt")


def _chart(seconds: Seconds, rows: int) -> str:
    """Bars of the median times, as a self-contained SVG."""
    bars = [(title, who, median(t)) for day, title in _SHOWN for who in _ORDER
            if (t := times(seconds, who, day))]  # fmt: skip
    longest = max((value for *_, value in bars), default=1.0)
    parts = list(_bars(bars, longest))
    height = 40 + len(bars) * (_BAR + 6) + 40
    head = (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {height}" role="img" '
        f'font-family="sans-serif" font-size="13">\n<title>Seconds for {rows:,} rows</title>\n'
    )
    return head + "".join(parts) + "</svg>\n"


def _bars(bars: Sequence[tuple[str, str, float]], longest: float) -> Iterator[str]:
    top, shown = 16, ""
    for title, who, value in bars:
        if title != shown:
            shown = title
            yield _text(0, top + 6, title, 'font-weight="bold"')
            top += 16
        width = max(2.0, (_WIDTH - _LEFT - 80) * value / longest)
        colour = "#3f51b5" if who == "us" else "#b0b4c8"
        middle = top + _BAR - 6
        yield _text(_LEFT - 8, middle, who, 'text-anchor="end"')
        size = f'width="{width:.1f}" height="{_BAR}"'
        yield f'<rect x="{_LEFT}" y="{top}" {size} fill="{colour}"/>\n'
        yield _text(_LEFT + width + 6, middle, f"{value:.1f} s")
        top += _BAR + 6


def _text(x: float, y: float, text: str, how: str = "") -> str:
    return f'<text x="{x:.1f}" y="{y}" fill="#888" {how}>{escape(text)}</text>\n'
