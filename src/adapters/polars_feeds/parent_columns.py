"""Parents for many records at once: `commerce_core.parsing.parents.Relatives` as columns.

Parents may stand anywhere before, so which record takes cells from which is found row by row, by
names that are made of columns; the cells themselves are taken in columns.
"""

import io
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Final

import polars as pl
from attrs import define, evolve, field

from adapters.polars_feeds.completing import (
    Completed,
    characters_taken,
    lengths,
    raw_at,
)
from adapters.polars_feeds.extractors import templated
from adapters.polars_feeds.parsing import cell
from adapters.polars_feeds.texts import holds
from commerce_core.base.text import BLANKS
from commerce_core.parsing.groups import WITH_VARIANTS, without_parent
from commerce_core.parsing.parents import (
    Parent,
    Relatives,
    are_too_many,
    too_many_parents,
)
from commerce_core.parsing.raw_records import RawRecord
from commerce_core.parsing.skipping import Skipping

_NONE: Final = -1
"""The place of a parent that isn't known."""
_MOST_LONGER: Final = 4
"""How many times the bytes of a word may be those of the same in other letters."""


@define
class KnownParents:
    """Implements `Known`: rows of a table, with nothing but the cells that others may take.

    Parents that were noted one by one are `added` behind it.
    """

    _columns: Sequence[str]
    _width: int
    places: dict[str, int] = field(factory=dict[str, int])
    rules: list[Skipping | None] = field(factory=list["Skipping | None"])
    _table: pl.DataFrame = field(init=False)
    _in_table: int = 0
    _added: list[Parent] = field(factory=list[Parent])

    def __attrs_post_init__(self) -> None:
        """Begins with none."""
        self._table = pl.DataFrame(schema=self._schema)

    @property
    def _schema(self) -> dict[str, type[pl.String]]:
        return dict.fromkeys(self._columns, pl.String)

    def __len__(self) -> int:
        """How many names there are."""
        return len(self.places)

    def get(self, name: str, /) -> Parent | None:
        """The parent of that name, of which all but the cells that are taken is forgotten."""
        place = self.places.get(name)
        if place is None:
            return None
        if place >= self._in_table:
            return self._added[place - self._in_table]
        cells = [""] * self._width
        for column in self._columns:
            cells[int(column[1:])] = self._table[column][place]
        return Parent(RawRecord(0, cells), self.rules[place])

    def __setitem__(self, name: str, parent: Parent, /) -> None:
        """Remembers a parent that was noted by itself; under another name, if it is the last."""
        if not self._added or self._added[-1] is not parent:
            self._added.append(parent)
            self.rules.append(parent.rule)
        self.places[name] = len(self.rules) - 1

    def beside(self, cells: pl.DataFrame) -> pl.DataFrame:
        """The cells of all parents, and behind them those of some in a piece."""
        indexes = [int(column[1:]) for column in self._columns]
        rows = [[(parent.raw.cells or ())[i] for i in indexes] for parent in self._added]
        added = pl.DataFrame(rows, self._schema, orient="row")
        return pl.concat([self._table, added, cells.select(self._columns)], rechunk=True)

    def take(
        self, parents: pl.DataFrame, names: Mapping[str, int], rules: Sequence[Skipping | None]
    ) -> None:
        """Remembers what is `beside` these, with the names and rules of those in the piece."""
        # A piece's own columns would keep all of its text.
        copy = io.BytesIO()
        newest = parents.slice(len(self._table))
        newest.write_ipc_stream(copy, compat_level=pl.CompatLevel.oldest())
        self._table = pl.concat([self._table, pl.read_ipc_stream(copy.getvalue())], rechunk=True)
        self._added, self._in_table = [], self._in_table + len(self._added) + len(rules)
        self.places.update(names)
        self.rules += rules


@define
class _Found:
    """What becomes of the records of a piece, by row.

    `places` are those of the parents, behind the known ones for parents in the piece itself, which
    are in the `noted` rows and have `names` and `rules`. `left_out` are rows and reasons, `lost`
    those whose parent doesn't stand before them. At the `stop`, there is a parent too many.
    """

    places: list[int]
    noted: list[int] = field(factory=list[int])
    names: dict[str, int] = field(factory=dict[str, int])
    rules: list[Skipping | None] = field(factory=list["Skipping | None"])
    length: int = 0
    left_out: dict[int, str] = field(factory=dict[int, str])
    lost: list[int] = field(factory=list[int])
    stop: int | None = None
    stop_line: int = 0

    def note(self, row: int, names: Sequence[str], place: int, rule: Skipping | None) -> None:
        """Remembers a parent."""
        self.noted.append(row)
        self.rules.append(rule)
        for name in names:
            if name:
                self.names[name] = place

    def rule_at(self, place: int, known: Sequence[Skipping | None]) -> Skipping | None:
        """The rule by which the variants of that parent are no offers."""
        return known[place] if place < len(known) else self.rules[place - len(known)]


@define
class ParentCompleting:
    """Implements `Completing` for the parents of a file."""

    _relatives: Relatives
    _delimiter: str
    _known: KnownParents = field(init=False)
    _decisive: dict[int, Skipping | None] = field(factory=dict[int, "Skipping | None"])
    """For rules that fit together, as bits, the one that decides about variants."""

    def __attrs_post_init__(self) -> None:
        """Lets the family remember parents as columns."""
        family = self._relatives.family
        taken = dict.fromkeys((*family.carry, *family.together))
        self._known = KnownParents(list(map(cell, taken)), self._relatives.width)
        family.known = self._known

    def __call__(self, cells: pl.DataFrame) -> Completed:
        """All records of a piece, none of which waits."""
        sent = lengths(cells)
        found = self._found(cells, sent)
        if found.stop is not None:
            cells, sent = cells.head(found.stop), sent.head(found.stop)
        places = pl.Series(found.places, dtype=pl.Int64).head(len(cells))
        parents = self._known.beside(cells[found.noted])
        taken = self._taken(cells, places, parents)
        more = characters_taken(cells, taken)
        self._refuse_beyond(cells["line"], places > _NONE, sent, more)
        if found.stop is not None:
            raise too_many_parents(found.stop_line)
        # From here on nothing fails, so that the parents are never those of half a piece.
        self._known.take(parents, found.names, found.rules)
        self._relatives.family.length += found.length
        self._relatives.carrying.read += int(sent.sum())
        self._relatives.carrying.carried += int(more.sum())
        done = self._completed(cells.with_columns(taken), sent + more, found)
        return evolve(done, taken=taken.columns)

    def _found(self, cells: pl.DataFrame, sent: pl.Series) -> _Found:
        """What becomes of each record."""
        family, known = self._relatives.family, self._known
        references = cells[cell(family.reference)].str.strip_chars(BLANKS)
        keys = [templated(key, cells).to_list() for key in family.keys]
        found, named = _Found([_NONE] * len(cells)), family.named or frozenset[str]()
        columns = (references, self._fitting(cells), self._lost(cells, references), sent)
        rows = zip(*(column.to_list() for column in columns), zip(*keys, strict=True), strict=True)
        for row, (reference, rules, is_lost, length, names) in enumerate(rows):
            place = found.names.get(reference)
            if place is None:
                place = known.places.get(reference)
            if place is not None:
                rule = found.rule_at(place, known.rules)
                if rule is None:
                    found.places[row] = place
                else:
                    found.left_out[row] = rule.reason
                continue
            is_named = bool(named) and any(name in named for name in names)
            if is_lost and not is_named:
                found.lost.append(row)
            elif is_named or rules:
                found.length += length
                if self._are_too_many(found):
                    found.stop, found.stop_line = row, int(cells["line"][row])
                    break
                place = len(known.rules) + len(found.rules)
                found.note(row, names, place, None if is_named else self._decisive_of(rules))
                if is_named:
                    found.left_out[row] = WITH_VARIANTS
        return found

    def _are_too_many(self, found: _Found) -> bool:
        """Whether another parent is one too many."""
        known, length = self._known.places, self._relatives.family.length + found.length
        if not are_too_many(len(known) + len(found.names), length):
            return False  # Though some names may be known already.
        new = sum(name not in known for name in found.names)
        return are_too_many(len(known) + new, length)

    def _fitting(self, cells: pl.DataFrame) -> pl.Series:
        """The rules that fit each record, as bits."""
        bits = pl.repeat(0, len(cells), dtype=pl.Int64, eager=True)
        for number, rule in enumerate(self._relatives.skips):
            fits = holds(cells[cell(rule.index)], rule.fits)
            bits += fits.cast(pl.Int64) * (1 << number)
        return bits

    def _decisive_of(self, bits: int) -> Skipping | None:
        if bits not in self._decisive:
            skips = self._relatives.skips
            fitting = [rule for number, rule in enumerate(skips) if bits >> number & 1]
            rules = {rule.index: rule for rule in fitting}
            self._decisive[bits] = self._relatives.family.decisive(rules)
        return self._decisive[bits]

    def _lost(self, cells: pl.DataFrame, references: pl.Series) -> pl.Series:
        """Which records leave cells to a parent that has to stand before them."""
        family = self._relatives.family
        none = references.is_null()
        if family.named is None:
            return none
        blank = none
        for index in family.carry:
            blank |= cells[cell(index)].str.strip_chars(BLANKS) == ""
        return (references != "") & (blank | self._leaves_together(cells))

    def _leaves_together(self, cells: pl.DataFrame) -> pl.Series:
        together = self._relatives.family.together
        blank = cells["line"].is_null() if not together else cells["line"].is_not_null()
        for index in together:
            blank &= cells[cell(index)].str.strip_chars(BLANKS) == ""
        return blank

    def _taken(self, cells: pl.DataFrame, places: pl.Series, parents: pl.DataFrame) -> pl.DataFrame:
        """The columns in which records take cells from the parents in these places."""
        family, has_parent = self._relatives.family, places > _NONE
        if not has_parent.any():
            return pl.DataFrame()
        together, taken = self._leaves_together(cells), list[pl.Series]()
        inherit = sorted(family.inherit - {""})
        longest = _MOST_LONGER * max((len(word.encode()) for word in inherit), default=0)
        for index in dict.fromkeys((*family.carry, *family.together)):
            own = cells[cell(index)]
            takes = together if index in family.together else has_parent.is_null()
            if index in family.carry:
                text = own.str.strip_chars(BLANKS)
                takes = takes | (text == "")
                if inherit:
                    short = text.set(text.str.len_bytes() > longest, "")
                    takes |= short.str.to_lowercase().is_in(inherit)
            if (takes := takes & has_parent).any():
                given = parents[own.name].gather(places.clip(lower_bound=0))
                taken.append(given.zip_with(takes, own))
        return pl.DataFrame(taken)

    def _refuse_beyond(
        self, lines: pl.Series, takes: pl.Series, sent: pl.Series, more: pl.Series
    ) -> None:
        """FileRefused where records take too much."""
        carrying = evolve(self._relatives.carrying)
        if carrying.allows(int(more.clip(lower_bound=0).sum())):
            return
        for line, does, read, characters in zip(lines, takes, sent, more, strict=True):
            carrying.read += read
            if does:
                carrying.take(characters, line)

    def _completed(self, cells: pl.DataFrame, sizes: pl.Series, found: _Found) -> Completed:
        width = self._relatives.width
        lost = [raw_at(cells, row, width, self._delimiter) for row in found.lost]
        reasons = Counter(found.left_out.values())
        if gone := [*found.left_out, *found.lost]:
            keep = ~pl.int_range(len(cells), eager=True).is_in(pl.Series(gone).implode())
            cells, sizes = cells.filter(keep), sizes.filter(keep)
        fates = Counter({"skipped": reasons.total()}) if reasons else Counter[str]()
        return Completed(cells, [*map(without_parent, lost)], fates, reasons, sizes)
