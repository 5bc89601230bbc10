"""Every Python example in README.md and docs/ runs as printed, from the top of its page down."""

from pathlib import Path

import pytest
from sybil import Sybil
from sybil.parsers.markdown import PythonCodeBlockParser, SkipParser

HOUSE = Path(__file__).parents[1]
DOCUMENTS = [HOUSE / "README.md", *sorted((HOUSE / "docs").rglob("*.md"))]
READER = Sybil(parsers=[PythonCodeBlockParser(), SkipParser()])


# One test per page: its examples build on one another, and tests run in any order and in two
# processes.
@pytest.mark.parametrize("page", DOCUMENTS, ids=lambda page: str(page.relative_to(HOUSE)))
def test_examples_run_as_printed(
    page: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for example in READER.parse(page):
        example.evaluate()
