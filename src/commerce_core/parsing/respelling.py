"""Respelling: the text that a record would have had under the header of the file before.

A partner adds a column that nothing reads, or moves some: then no text is as it was, though nearly
all records say what they said. The cells of each are put into the former order, without those that
are new. If that text is known under the meaning of the former header, the record needn't be read.

    S-1,Lamp,black,9.90  under  sku,title,colour,price
    S-1,Lamp,9.90        under  sku,title,price         known: it changes nothing

Nothing has to be certain about the former file but the names of its columns, in their order. Where
it was read in another way, or wrote its cells otherwise, its fingerprints match no such text.
"""

import re
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property
from typing import Final

from attrs import evolve, frozen

from commerce_core.base.text import BLANKS
from commerce_core.parsing.delimited import Delimited
from commerce_core.parsing.meaning import meaning_of
from commerce_core.parsing.other_files import ERROR_BEGINS
from commerce_core.parsing.raw_records import CELL_END
from commerce_core.parsing.reader import Header
from commerce_core.parsing.sheets import Sheet
from commerce_core.parsing.sum_rows import SPELLINGS
from commerce_core.profiles.sale_periods import unread_periods

MOST_RUNS: Final = 16
"""Runs of columns that may be put into another order; with more, matching a text gets slow."""
_WORDS: Final = "|".join(map(re.escape, sorted(SPELLINGS)))


@frozen(slots=False)
class Respelling:
    """How the texts of a file's records are written under a former header.

    `pattern` matches the beginning of a text, up to where both headers go on alike; it means the
    same to Python and to polars. The `groups` of the match, by number, come first in the former
    text, with the `delimiter` between them and, if `goes_on`, behind the last one; then what is
    behind the match. Of a record whose beginning matches `doubtful`, the cells alone don't decide
    what it is. `meaning` is that of the former texts. With `fewer` cells, they are always shorter.
    """

    pattern: str
    groups: tuple[int, ...]
    delimiter: str
    goes_on: bool
    doubtful: str
    meaning: str
    fewer: bool

    def __call__(self, text: str) -> str | None:
        """The former text of a record, the end of its last line not included.

        None if it isn't clear, or if it hasn't that many cells.
        """
        pattern, doubtful = self._compiled
        found = pattern.match(text)
        if found is None or doubtful.match(text):
            return None
        return self.written([found[group] for group in self.groups]) + text[found.end() :]

    def written(self, groups: Sequence[str]) -> str:
        """The beginning of a former text, made of these groups."""
        end = self.delimiter if self.goes_on and groups else ""
        return self.delimiter.join(groups) + end

    @cached_property
    def _compiled(self) -> tuple[re.Pattern[str], re.Pattern[str]]:
        return re.compile(self.pattern), re.compile(self.doubtful)


def respelling_of(header: Header, former: Sequence[str]) -> Respelling | None:
    """How records are written under a former header with columns of these names.

    None if there is no other way than their own: if the columns are the same, if some are gone, if
    a new one is used, if records aren't cells as they were sent, or mean something only together.
    """
    cell = _cell_of(header)
    places = _places(header.mapping.header, former)
    if cell is None or places is None or not places.keys() >= {*unread_periods(header.mapping)}:
        return None
    try:
        meaning = meaning_of(evolve(header, mapping=header.mapping.moved(former, places)))
    except KeyError:
        return None
    (own, delimiter), width = cell, len(header.mapping.header)
    order = sorted(places, key=places.__getitem__)
    alike = _alike_at_end(order, width)
    runs = list(_runs(order[: len(order) - alike]))
    if len(runs) > MOST_RUNS:
        return None
    between = re.escape(delimiter)
    parts = _parts(runs, width - alike, own, between)
    numbers = {run: number for number, run in enumerate(sorted(runs), start=1)}
    blank = f'[{re.escape(BLANKS)}{between}"]'
    return Respelling(
        f"^{between.join(parts)}{between if alike else '$'}",
        tuple(numbers[run] for run in runs),
        delimiter,
        alike > 0,
        f"^{blank}*(?:(?:{_WORDS})(?:{blank}|$)|{ERROR_BEGINS})",
        meaning,
        width > len(order),
    )


def _cell_of(header: Header) -> tuple[str, str] | None:
    """What matches one cell as it is written, and what stands between two; None without cells."""
    profile = header.terms.profile
    if profile.joins_records or profile.escapes or header.returned:
        return None
    match header.format:
        case Delimited(delimiter, quotes=True):
            return rf'(?:[^"{re.escape(delimiter)}]*|(?:"[^"]*")+)', delimiter
        case Delimited(delimiter):
            return f"[^{re.escape(delimiter)}]*", delimiter
        case Sheet():
            return f"[^{CELL_END}]*", CELL_END
        case _:
            return None


def _places(header: Sequence[str], former: Sequence[str]) -> Mapping[int, int] | None:
    """The place of each column in the former header; None if that lost one, or is the same."""
    if tuple(header) == tuple(former) or not former:
        return None
    named = defaultdict[str, list[int]](list)
    for index in reversed(range(len(header))):
        named[header[index]].append(index)
    places = {named[name].pop(): place for place, name in enumerate(former) if named[name]}
    return places if len(places) == len(former) else None


def _alike_at_end(order: Sequence[int], width: int) -> int:
    """How many columns at the end of a header of that width are those of the former one."""
    pairs = zip(reversed(order), reversed(range(width)), strict=False)
    return next((n for n, (old, new) in enumerate(pairs) if old != new), len(order))


def _runs(order: Sequence[int]) -> Iterator[tuple[int, int]]:
    """Columns that follow each other under both headers, in the former order: first, and behind."""
    first = 0
    for at in range(1, len(order) + 1):
        if at == len(order) or order[at] != order[at - 1] + 1:
            yield order[first], order[at - 1] + 1
            first = at


def _parts(runs: Sequence[tuple[int, int]], width: int, cell: str, delimiter: str) -> Iterator[str]:
    """What matches the first columns, each of the runs as a group."""

    def several(count: int) -> str:
        return f"(?:{cell}{delimiter}){{{count - 1}}}{cell}"

    at = 0
    for first, behind in sorted(runs):
        if first > at:
            yield several(first - at)
        yield f"({several(behind - first)})"
        at = behind
    if width > at:
        yield several(width - at)
