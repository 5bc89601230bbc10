"""Formulas: cells that a spreadsheet would run are escaped by an apostrophe, and unescaped."""

import re
from functools import cache
from typing import Final

_RUN: Final = "=+\\-@\uff1d\uff0b\uff0d\uff20"
"""What formulas begin with; some languages write it full-width."""
_RUN_ANYWHERE: Final = rf"{_RUN}\t\r\n"
"""Spreadsheets drop the others in front of a formula."""
_NUMBER: Final = r"[+-]\.?[0-9][0-9.,]*+(?:[eE][+-]?[0-9]{1,3})?"
_BROKEN_NUMBER: Final = _NUMBER.replace(",", "")
"""In broken text a comma may be the end of the cell."""
_TO_ESCAPE: Final = re.compile(rf"\A(?!{_NUMBER}\Z)(?='*[{_RUN_ANYWHERE}])", re.ASCII)
_ESCAPED: Final = re.compile(rf"\A'(?='*[{_RUN_ANYWHERE}])", re.ASCII)
_RARE: Final = "=+@\uff1d\uff0b\uff0d\uff20\t'"
BEGINNINGS: Final = "=+-@\uff1d\uff0b\uff0d\uff20\t\r\n'"
"""What cells to escape begin with. Nearly none does, and looking at one character costs little."""
_FIRST: Final = frozenset(BEGINNINGS)


def escape_formula(cell: str) -> str:
    """The cell in a form that no spreadsheet takes for a formula; numbers stay as they are.

    A cell that already has an apostrophe gets another, since unescaping removes exactly one.
    """
    return _TO_ESCAPE.sub("'", cell) if cell[:1] in _FIRST else cell


def unescape_formula(cell: str) -> str:
    """The cell as it was before it was escaped."""
    return _ESCAPED.sub("", cell)


def escape_formulas(text: str, delimiter: str) -> str:
    """The text of a record whose quoting is broken, escaped wherever a cell may begin."""
    return _broken(delimiter)[0].sub(r"\1'", text)


def unescape_formulas(text: str, delimiter: str) -> str:
    """The broken text as it was before it was escaped."""
    return _broken(delimiter)[1].sub(r"\1", text)


@cache
def _broken(delimiter: str) -> tuple[re.Pattern[str], re.Pattern[str]]:
    """Where an apostrophe belongs in broken text, and where there is one."""
    d = re.escape(delimiter)
    plain = _RUN if delimiter == "\t" else rf"{_RUN}\t"
    begins = rf"(?:\A|[{d}\r\n])"
    bare = rf"""({begins}(?:"(?='*[{_RUN_ANYWHERE}])|(?='*[{plain}])))"""
    held = rf"""({begins}(?:"(?='+[{_RUN_ANYWHERE}])|(?='+[{plain}])))'"""
    number = rf"(?!{_BROKEN_NUMBER}(?:[{d}\"\r\n]|\Z))"
    return re.compile(bare + number, re.ASCII), re.compile(held, re.ASCII)


def needs_escaping(text: str, delimiter: str) -> bool:
    """Whether a cell of this text may need escaping; if not, certainly none does."""
    # Of these characters only hyphens are common, and looking for one character costs little.
    begins = ("-", '"-')
    return (
        any(map(text.__contains__, _RARE))
        or text.startswith(begins)
        or f"{delimiter}-" in text
        or f'{delimiter}"-' in text
        or "\n" in text
        or "\r" in text
    ) and _needs_escaping(delimiter).search(text) is not None


@cache
def _needs_escaping(delimiter: str) -> re.Pattern[str]:
    return re.compile(needs_escaping_pattern(delimiter))


def needs_escaping_pattern(delimiter: str) -> str:
    """A regular expression: where a cell may begin, quoted or not, in a way that needs escaping."""
    plain = "".join(c for c in BEGINNINGS if c not in "\r\n" and c != delimiter)
    begins = rf"(?:\A|[{re.escape(delimiter)}\r\n])"
    return rf"{begins}(?:[{re.escape(plain)}]|\"[{re.escape(BEGINNINGS)}])"
