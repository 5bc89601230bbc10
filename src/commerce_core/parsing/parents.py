"""Parents: records that others take cells from, wherever they stand before them in the file.

A shop's export has a row for a product with variations, which can't be bought itself, and rows for
its variations, which leave blank what they share with it.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Final

from attrs import define, evolve, field, frozen

from commerce_core.base.errors import FileRefused
from commerce_core.base.text import BLANKS
from commerce_core.parsing.carrying import Carrying
from commerce_core.parsing.groups import WITH_VARIANTS
from commerce_core.parsing.prepared import Prepared
from commerce_core.parsing.raw_records import RawRecord
from commerce_core.parsing.skipping import Skipping, left_out
from commerce_core.profiles.extractors import Template
from commerce_core.profiles.mapping import HeaderMapping
from commerce_core.profiles.profile import Parents

MOST_PARENTS: Final = 100_000
"""The most parents of one file that are remembered ..."""
LONGEST_PARENTS: Final = 1 << 27
"""... and the most characters of them."""


@frozen
class Parent:
    """A record that others take cells from; by `rule`, if there is one, they are no offers too."""

    raw: RawRecord
    rule: Skipping | None


@define
class Family:
    """The parents of one file so far."""

    _reference: int
    _keys: tuple[Template, ...]
    _carry: tuple[int, ...]
    _inherit: frozenset[str]
    _decide: frozenset[int]
    _together: tuple[int, ...]
    _named: frozenset[str] | None
    _known: dict[str, Parent] = field(factory=dict[str, Parent])
    _length: int = 0

    @classmethod
    def of(
        cls, mapping: HeaderMapping, parents: Parents, named: frozenset[str] | None = None
    ) -> "Family | None":
        """The family of a file; None if it has no column for the reference.

        `named` are the parents that its records name. If that alone makes them parents, there is
        no family before they are known.
        """
        reference = mapping.index_of(parents.reference)
        if reference is None or (named is None and not parents.marked):
            return None
        keys = tuple(Template.of(key, mapping.index_of) for key in parents.keys)
        carry, decide, together = (
            tuple(index for name in names if (index := mapping.index_of(name)) is not None)
            for names in (parents.carry, parents.decide, parents.together)
        )
        inherit = frozenset(word.lower() for word in parents.inherit)
        known = None if parents.marked else named
        return cls(reference, keys, carry, inherit, frozenset(decide), together, known)

    def is_named(self, cells: Sequence[str]) -> bool:
        """Whether another record names this one as its parent, if that makes it one."""
        return bool(self._named) and any(key(cells) in (self._named or ()) for key in self._keys)

    def is_lost(self, cells: Sequence[str]) -> bool:
        """Whether a record leaves cells to a parent that doesn't stand before it."""
        if self._named is None or not cells[self._reference].strip(BLANKS):
            return False
        inherited = not all(cells[index].strip(BLANKS) for index in self._carry)
        return inherited or self._leaves_together(cells)

    def _leaves_together(self, cells: Sequence[str]) -> bool:
        """Whether it leaves all the columns blank that go together."""
        return bool(self._together) and not any(cells[i].strip(BLANKS) for i in self._together)

    def note(self, raw: RawRecord, cells: Sequence[str], rules: Mapping[int, Skipping]) -> None:
        """Remembers a record that these rules, by column, leave out, or that others name.

        FileRefused `too_large` if there are too many.
        """
        decisive = (rule for index, rule in rules.items() if index in self._decide)
        parent = Parent(raw, next(decisive, None))
        self._length += len(raw.sent)
        if len(self._known) >= MOST_PARENTS or self._length > LONGEST_PARENTS:
            raise too_many_parents(raw.line)
        for key in self._keys:
            if name := key(cells):
                self._known[name] = parent

    def parent_of(self, cells: Sequence[str]) -> Parent | None:
        """The parent that a record names, if it stands before it."""
        return self._known.get(cells[self._reference].strip(BLANKS))

    def complete(self, parent: Parent, raw: RawRecord, cells: Sequence[str]) -> RawRecord:
        """The record, with the cells that it takes from its parent."""
        whole, others = list(cells), parent.raw.cells or ()
        for index in self._carry:
            text = whole[index].strip(BLANKS)
            if not text or text.lower() in self._inherit:
                whole[index] = others[index]
        if self._leaves_together(cells):
            for index in self._together:
                whole[index] = others[index]
        return raw.completed(whole)


@define
class Relatives:
    """The records of one file, as far as they have come, with what they take from parents.

    `alone` prepares a record with what it takes from its parent.
    """

    family: Family
    width: int
    skips: Sequence[Skipping]
    alone: Callable[[RawRecord, RawRecord | None], Prepared]
    carrying: Carrying = field(factory=Carrying)

    def __call__(self, records: Iterable[RawRecord]) -> Iterator[Prepared]:
        """Each of them."""
        return map(self._related, records)

    def end(self) -> Iterator[Prepared]:
        """None: no record waits for another."""
        return iter(())

    def _related(self, raw: RawRecord) -> Prepared:
        """A record with what it takes from its parent; a parent is remembered."""
        cells, family = raw.cells, self.family
        self.carrying.read += len(raw.sent)
        if cells is None or len(cells) < self.width:
            return self.alone(raw, None)
        parent = family.parent_of(cells)
        if parent is None and family.is_named(cells):
            family.note(raw, cells, {})
            return Prepared(raw, "skipped", WITH_VARIANTS)
        if parent is None and family.is_lost(cells):
            return Prepared(evolve(raw, cells=None, text=raw.sent, broken="no_parent"))
        if parent is None:
            if rules := [rule for rule in self.skips if rule.fits(cells[rule.index])]:
                family.note(raw, cells, {rule.index: rule for rule in rules})
            return self.alone(raw, None)
        if parent.rule is not None:
            return left_out(parent.rule, raw, None)
        completed = family.complete(parent, raw, cells)
        self.carrying.complete(cells, completed.cells or (), raw.line)
        return self.alone(completed, parent.raw)


def too_many_parents(line: int) -> FileRefused:
    """The refusal of a file with more parents than are remembered."""
    detail = f"The file has more than {MOST_PARENTS:,} products with variations."
    return FileRefused("too_large", detail, "Send it in parts.", line=line)
