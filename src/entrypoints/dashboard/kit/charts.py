"""Small charts as SVG, drawn on the server: they need no script, and every one has its table.

Shapes stretch to the width that they get, so an SVG has no text; labels stand around it as HTML.
Colours come from the stylesheet, by class.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from typing import Final, TypeVar

from markupsafe import Markup

from commerce_core.feeds.summary import Stage

_T = TypeVar("_T")

WIDTH: Final = 1000
HEIGHT: Final = 200
_PAD: Final = 8
_GAP: Final = 0.25
"""Part of a bar's place that is left free."""
MOST_POINTS: Final = 400
"""The most points of a chart; a longer series is thinned out, and its table has all."""
DOT: Final = 5
_SVG: Final = Markup(
    '<svg class="{}" viewBox="0 0 {} {}" preserveAspectRatio="none" role="img" aria-label="{}">'
    "{}</svg>"
)


def line_chart(points: Sequence[tuple[datetime, Decimal | None]], label: str) -> Markup:
    """A value that holds from each point to the next, as steps; None is a gap."""
    shown = _thinned(points)
    known = [value for _, value in shown if value is not None]
    if len(shown) <= 1 or not known:
        return Markup()
    first, last = shown[0][0].timestamp(), shown[-1][0].timestamp()
    low, high = float(min(known)), float(max(known))
    span = max(last - first, 1.0)
    parts: list[str] = []
    before: float | None = None
    for at, value in shown:
        x = (at.timestamp() - first) / span * WIDTH
        if value is None:
            if before is not None:
                parts.append(f"H{x:.1f}")
            before = None
            continue
        y = _height(float(value), low, high)
        parts.append(f"M{x:.1f} {y:.1f}" if before is None else f"H{x:.1f}V{y:.1f}")
        before = y
    path = Markup('<path class="line" d="{}"/>').format("".join(parts))
    return _SVG.format("chart", WIDTH, HEIGHT, label, path)


def _height(value: float, low: float, high: float) -> float:
    if high == low:
        return HEIGHT / 2
    return _PAD + (high - value) / (high - low) * (HEIGHT - 2 * _PAD)


def bar_chart(values: Sequence[Decimal], label: str) -> Markup:
    """One bar per value, from zero; values below it hang down."""
    shown = _thinned(values)
    if not shown:
        return Markup()
    low, high = min(0.0, *map(float, shown)), max(0.0, *map(float, shown))
    span = (high - low) or 1.0
    step = WIDTH / len(shown)
    zero = _PAD + high / span * (HEIGHT - 2 * _PAD)
    bars = Markup().join(
        Markup('<rect class="{}" x="{}" y="{}" width="{}" height="{}"/>').format(
            "bar" if value >= 0 else "bar below",
            f"{step * (n + _GAP / 2):.1f}",
            f"{min(zero, zero - float(value) / span * (HEIGHT - 2 * _PAD)):.1f}",
            f"{step * (1 - _GAP):.1f}",
            f"{max(1.0 if value else 0.0, abs(float(value)) / span * (HEIGHT - 2 * _PAD)):.1f}",
        )
        for n, value in enumerate(shown)
    )
    axis = Markup('<path class="axis" d="M0 {}H{}"/>').format(f"{zero:.1f}", WIDTH)
    return _SVG.format("chart", WIDTH, HEIGHT, label, axis + bars)


def share_chart(share: Decimal | float, label: str) -> Markup:
    """A part of a whole, as a horizontal bar; `share` is 0 to 100."""
    part = min(100.0, max(0.0, float(share)))
    return Markup(
        '<svg class="share" viewBox="0 0 100 4" preserveAspectRatio="none" role="img" '
        'aria-label="{}"><rect class="whole" width="100" height="4"/>'
        '<rect class="bar" width="{}" height="4"/></svg>'
    ).format(label, f"{part:.2f}")


def meter(done: int, total: int, label: str) -> Markup:
    """How far something is."""
    return share_chart(done * 100 / total if total else 0, label)


def dot_plot(percents: Sequence[Decimal], label: str) -> Markup:
    """Changes in percent as dots on one line; the middle is no change, the edges are 100 %."""
    dots = Markup().join(
        Markup('<circle class="{}" cx="{}" cy="{}" r="{}"/>').format(
            "dot down" if percent < 0 else "dot up",
            f"{(max(-100.0, min(100.0, float(percent))) + 100) / 200 * (WIDTH - 20) + 10:.1f}",
            20 + n * 13 % 40,
            DOT,
        )
        for n, percent in enumerate(percents[:MOST_POINTS])
    )
    middle = Markup('<path class="axis" d="M{0} 4V76"/>').format(WIDTH // 2)
    return Markup(
        '<svg class="dots" viewBox="0 0 {} 80" role="img" aria-label="{}">{}</svg>'
    ).format(WIDTH, label, middle + dots)


def spans(parts: Sequence[tuple[float, float]], label: str) -> Markup:
    """Spans one after another, each with its usual length as a line above it."""
    total = sum(max(own, 0.0) for own, _ in parts) or 1.0
    longest = max([total, sum(max(usual, 0.0) for _, usual in parts)])
    made, x = Markup(), 0.0
    for n, (own, usual) in enumerate(parts):
        width, expected = own / longest * WIDTH, usual / longest * WIDTH
        made += Markup('<rect class="span n{}" x="{}" y="8" width="{}" height="16"/>').format(
            n % 6, f"{x:.1f}", f"{max(width, 1.0):.1f}"
        )
        if expected:
            made += Markup('<path class="usual" d="M{} 4h{}"/>').format(
                f"{x:.1f}", f"{max(expected, 1.0):.1f}"
            )
        x += max(width, 1.0)
    return Markup(
        '<svg class="spans" viewBox="0 0 {} 28" preserveAspectRatio="none" role="img" '
        'aria-label="{}">{}</svg>'
    ).format(WIDTH, label, made)


def stage_spans(stages: Sequence[Stage], usual: Mapping[str, float]) -> Markup:
    """The stages of a job beside what is usual."""
    parts = [(stage.seconds, usual.get(stage.name, 0.0)) for stage in stages]
    return spans(parts, "Stages by their seconds")


def _thinned(series: Sequence[_T]) -> Sequence[_T]:
    if len(series) <= MOST_POINTS:
        return series
    step = len(series) / MOST_POINTS
    return [series[int(n * step)] for n in range(MOST_POINTS - 1)] + [series[-1]]
