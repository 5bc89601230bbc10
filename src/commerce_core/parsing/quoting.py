"""Quotes around cells: where a quoted cell ends, and lines whose quotes have blanks beside them.

A quote opens a cell if nothing but blanks stands before it, and closes the cell if nothing but
blanks stands behind it. Those blanks belong to neither: `"a" ; "b"` has the cells `a` and `b`.
"""

import re
from functools import cache
from typing import Final

from attrs import frozen

BESIDE_QUOTES: Final = " \t\xa0"
"""The blanks that may stand between a quote and the delimiter, or the end of the line."""
_INSIDE: Final = r'[^"]*+(?:""[^"]*+)*+'


def beside_quotes(delimiter: str) -> str:
    """These blanks with one delimiter, as a regular expression that any engine has."""
    return f"[{BESIDE_QUOTES.replace(delimiter, '')}]"


@cache
def closed_cell(delimiter: str, *, quotes: bool = True) -> re.Pattern[str]:
    """A complete cell, with the delimiter or line end behind it."""
    d, b = re.escape(delimiter), beside_quotes(delimiter)
    plain = rf'(?!{b}*+")[^{d}\r\n]++' if quotes else rf"[^{d}\r\n]++"
    quoted = rf'{b}*+"{_INSIDE}"{b}*+(?={d}|[\r\n])|' if quotes else ""
    return re.compile(rf"(?:{quoted}{plain}|)(?:{d}|\r\n?|\n)")


def tidy_quotes(line: str, delimiter: str, *, within: bool) -> str:
    """The line without blanks beside quotes; `within` if it begins inside a quoted cell."""
    return _Line.of(delimiter).tidy(line, within=within) if '"' in line else line


@frozen
class _Line:
    """What is looked for in lines with one delimiter."""

    delimiter: str
    near: re.Pattern[str]
    closes: re.Pattern[str]
    quoted: re.Pattern[str]
    opens: re.Pattern[str]
    plain: re.Pattern[str]

    @classmethod
    @cache
    def of(cls, delimiter: str) -> "_Line":
        d, b = re.escape(delimiter), beside_quotes(delimiter)
        ends = rf"(?={d}|[\r\n]|\Z)"
        patterns = (
            rf'(?:\A|{d}){b}++"|"{b}++{ends}',
            rf'({_INSIDE}"){b}*+{ends}',
            rf'{b}*+("{_INSIDE}"){b}*+{ends}',
            rf'{b}*+("{_INSIDE})\Z',
            rf"[^{d}\r\n]*+",
        )
        return cls(delimiter, *map(re.compile, patterns))

    def tidy(self, line: str, *, within: bool) -> str:
        if not self.near.search(line):
            return line
        parts: list[str] = []
        at = 0
        if within:
            closed = self.closes.match(line)
            if closed is None:
                return line
            parts.append(closed[1])
            at = closed.end()
        while at < len(line):
            if not within and (found := self.quoted.match(line, at) or self.opens.match(line, at)):
                parts.append(found[1])
                at = found.end()
            elif not within:
                found = self.plain.match(line, at)
                parts.append(found[0] if found else "")
                at = found.end() if found else at
            within = False
            if line[at : at + 1] != self.delimiter:
                break
            parts.append(self.delimiter)
            at += 1
        return "".join((*parts, line[at:]))
