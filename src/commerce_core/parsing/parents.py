"""Parents: records that others take cells from, wherever they stand before them in the file.

A shop's export has a row for a product with variations, which can't be bought itself, and rows for
its variations, which leave blank what they share with it.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Final, Protocol

from attrs import define, field, frozen

from commerce_core.base.errors import FileRefused
from commerce_core.base.text import BLANKS
from commerce_core.parsing.carrying import Carrying
from commerce_core.parsing.groups import WITH_VARIANTS, without_parent
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


class Known(Protocol):
    """Parents by their names, as a dict has them."""

    def get(self, name: str, /) -> Parent | None:
        """The parent of that name."""
        ...

    def __setitem__(self, name: str, parent: Parent, /) -> None:
        """Remembers a parent."""
        ...

    def __len__(self) -> int:
        """How many names there are."""
        ...


@define
class Family:
    """The parents of one file so far: those that are `known`, and the `length` of their text."""

    reference: int
    keys: tuple[Template, ...]
    carry: tuple[int, ...]
    inherit: frozenset[str]
    decide: frozenset[int]
    together: tuple[int, ...]
    named: frozenset[str] | None
    known: Known = field(factory=dict[str, Parent])
    length: int = 0

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
        return bool(self.named) and any(key(cells) in (self.named or ()) for key in self.keys)

    def is_lost(self, cells: Sequence[str]) -> bool:
        """Whether a record leaves cells to a parent that doesn't stand before it."""
        if self.named is None or not cells[self.reference].strip(BLANKS):
            return False
        inherited = not all(cells[index].strip(BLANKS) for index in self.carry)
        return inherited or self._leaves_together(cells)

    def _leaves_together(self, cells: Sequence[str]) -> bool:
        """Whether it leaves all the columns blank that go together."""
        return bool(self.together) and not any(cells[i].strip(BLANKS) for i in self.together)

    def note(self, raw: RawRecord, cells: Sequence[str], rules: Mapping[int, Skipping]) -> None:
        """Remembers a record that these rules, by column, leave out, or that others name.

        FileRefused `too_large` if there are too many.
        """
        parent = Parent(raw, self.decisive(rules))
        self.length += len(raw.sent)
        if are_too_many(len(self.known), self.length):
            raise too_many_parents(raw.line)
        for key in self.keys:
            if name := key(cells):
                self.known[name] = parent

    def decisive(self, rules: Mapping[int, Skipping]) -> Skipping | None:
        """The first of these rules that decides about all records of a parent."""
        return next((rule for index, rule in rules.items() if index in self.decide), None)

    def parent_of(self, cells: Sequence[str]) -> Parent | None:
        """The parent that a record names, if it stands before it."""
        return self.known.get(cells[self.reference].strip(BLANKS))

    def complete(self, parent: Parent, raw: RawRecord, cells: Sequence[str]) -> RawRecord:
        """The record, with the cells that it takes from its parent."""
        whole, others = list(cells), parent.raw.cells or ()
        for index in self.carry:
            text = whole[index].strip(BLANKS)
            if not text or text.lower() in self.inherit:
                whole[index] = others[index]
        if self._leaves_together(cells):
            for index in self.together:
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
            return without_parent(raw)
        if parent is None:
            if rules := [rule for rule in self.skips if rule.fits(cells[rule.index])]:
                family.note(raw, cells, {rule.index: rule for rule in rules})
            return self.alone(raw, None)
        if parent.rule is not None:
            return left_out(parent.rule, raw, None)
        completed = family.complete(parent, raw, cells)
        self.carrying.complete(cells, completed.cells or (), raw.line)
        return self.alone(completed, parent.raw)


def are_too_many(names: int, characters: int) -> bool:
    """Whether another parent is one too many, beside these names, and with these characters."""
    return names >= MOST_PARENTS or characters > LONGEST_PARENTS


def too_many_parents(line: int) -> FileRefused:
    """The refusal of a file with more parents than are remembered."""
    detail = f"The file has more than {MOST_PARENTS:,} products with variations."
    return FileRefused("too_large", detail, "Send it in parts.", line=line)
