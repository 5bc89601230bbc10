"""The measurements of reading are told as they were measured."""

from pathlib import Path
from typing import Any

import pytest

from bench import reading_figures
from bench.reading_cases import check

PAGE = "price, no filter, first page"


def state(ours: float) -> dict[str, Any]:
    return {
        "pages": {PAGE: 0.0012},
        "requests": {PAGE: {"ours": ours, "bare": 0.002}},
        "changes": dict.fromkeys(("first", "middle", "last"), 0.0131),
        "exports": {"copy": [2.0, 3.0, 2.5], "csv": [4.0, 4.0, 4.0], "ndjson": [8.0, 6.0, 10.0]},
    }


def test_figures_are_written_between_the_marks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Once and again; what stands around them stays. Ratios are of those who took turns."""
    page = tmp_path / "page.md"
    page.write_text("Before.\n\n<!-- measured -->\n\n<!-- end -->\n\nAfter.\n")
    monkeypatch.setattr(reading_figures, "PAGE", page)
    machine = {"at": "2026-11-26", "cores": 2, "cpu": "X", "python": "3", "postgresql": 18,
               "polars": "2"}  # fmt: skip
    kept = {"1000": {"machine": machine, "without": state(0.004), "with": state(0.0025)}}
    reading_figures.write_down(kept)
    text = page.read_text()
    assert text.startswith("Before.\n\n<!-- measured -->\n\n### 1,000 products\n")
    assert text.endswith("\n<!-- end -->\n\nAfter.\n")
    assert f"| {PAGE} | 1.2 ms | 4.0 ms | 0.50 | 1.2 ms | 2.5 ms | 0.80 |" in text
    assert "| middle | 13.1 ms | 13.1 ms |" in text
    assert "| csv | 0.62 of `\\copy`, 4.0 s |" in text
    reading_figures.write_down(kept)
    assert page.read_text() == text


def test_what_is_not_as_it_is_to_be_is_no_measurement():
    check(100, 100)
    with pytest.raises(RuntimeError, match="99 instead of 100"):
        check(99, 100)
