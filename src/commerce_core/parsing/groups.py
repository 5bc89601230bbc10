"""Groups: records of one product, behind each other, and what they take from the first."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Final

from attrs import define, evolve, field, frozen

from commerce_core.base.errors import FileRefused
from commerce_core.base.text import BLANKS
from commerce_core.parsing.carrying import Carrying
from commerce_core.parsing.prepared import Prepared
from commerce_core.parsing.raw_records import LONGEST_RECORD, RawRecord
from commerce_core.profiles.mapping import HeaderMapping
from commerce_core.profiles.profile import Group
from commerce_core.schema.fields import LONGEST_CELL, MOST_URLS

MOST_FOLDED: Final = 10_000
"""Records that may be folded into one: it waits for them, and they with it."""
MOST_BETWEEN: Final = 100
"""Records of no group that may stand within one: what waits for its next record holds them up."""
LONGEST_BETWEEN: Final = 10_000
"""The characters of such a record."""
MOST_PICTURES: Final = MOST_URLS + 1
"""Pictures that are taken from them: one more than a product may have is too many already."""
WITH_VARIANTS: Final = "a product with variants"


@frozen
class GroupColumns:
    """Where a group's columns are under one header; columns that the file lacks play no part."""

    key: int | None
    carry: tuple[int, ...]
    offer: tuple[int, ...]
    append: int | None
    heads: frozenset[str] = frozenset()

    @classmethod
    def of(cls, mapping: HeaderMapping, group: Group) -> "GroupColumns":
        """Finds the columns of a group."""
        found = [mapping.index_of(name) for name in group.carry]
        offers = [mapping.index_of(name) for name in group.offer]
        return cls(
            mapping.index_of(group.key),
            tuple(index for index in found if index is not None),
            tuple(index for index in offers if index is not None),
            mapping.index_of(group.append) if group.append else None,
            frozenset(word.lower() for word in group.heads),
        )

    def has_key(self, cells: Sequence[str]) -> bool:
        """Whether the record is of any group."""
        return self.key is not None and bool(cells[self.key].strip(BLANKS))

    def begins(self, cells: Sequence[str]) -> bool:
        """Whether the record may be the head of a group."""
        if self.key is None or not self.heads:
            return self.has_key(cells)
        return self.is_head(cells[self.key])

    def is_head(self, key: str) -> bool:
        """Whether a record with that key begins a group, where words say so."""
        return key.strip(BLANKS).lower() in self.heads

    def continues(self, head: Sequence[str], cells: Sequence[str]) -> bool:
        """Whether the record is of the same group as the head, and not a head itself."""
        if self.heads:
            return self.has_key(cells) and not self.begins(cells)
        return self.has_key(cells) and head[self.key or 0] == cells[self.key or 0]

    def offers(self, cells: Sequence[str]) -> bool:
        """Whether the record is a variant; without any such column every one is."""
        return not self.offer or any(cells[index].strip(BLANKS) for index in self.offer)

    def picture(self, cells: Sequence[str]) -> str:
        """The picture that it has, if it is nothing else."""
        return "" if self.append is None else cells[self.append].strip(BLANKS)

    def complete(self, head: Sequence[str], raw: RawRecord, cells: Sequence[str]) -> RawRecord:
        """The record, with blank cells to carry taken from the head of its group."""
        whole = list(cells)
        for index in self.carry:
            if not whole[index].strip(BLANKS):
                whole[index] = head[index]
        return raw.completed(whole)


@define
class Groups:
    """The groups of one file, as far as its records have come.

    `alone` prepares a record with what it takes from its `head`, which is the last one that was
    found. The last record is `waiting`, with those `folded` into it and their `characters`, since
    the next one may be folded into it too. Among those are as many that stand `between`: records of
    no group. `pictures` are those of a head that is no offer: its variants have them.
    """

    columns: GroupColumns
    width: int
    alone: Callable[[RawRecord, RawRecord | None], Prepared]
    head: RawRecord | None = None
    waiting: Prepared | None = None
    folded: list[Prepared] = field(factory=list[Prepared])
    characters: int = 0
    between: int = 0
    carrying: Carrying = field(factory=Carrying)
    pictures: tuple[str, ...] = ()

    def __call__(self, records: Iterable[RawRecord]) -> Iterator[Prepared]:
        """Those before the last one, in the order of the file, and what was waiting."""
        for raw in records:
            self.carrying.read += len(raw.sent)
            cells, first = raw.cells, self.head.cells if self.head else None
            if cells is None or len(cells) < self.width or not self.columns.has_key(cells):
                if not self.follow(raw):
                    yield from self.end()
                    yield self.alone(raw, None)
                continue
            ready = None
            if first and self.columns.continues(first, cells):
                if not self.columns.offers(cells):
                    if self.waiting is None:
                        yield without_parent(raw)
                    self.fold(raw)
                    continue
                completed = self.columns.complete(first, raw, cells)
                self.carrying.complete(cells, completed.cells or (), raw.line)
                ready = self.alone(completed, self.head)
                if self.columns.heads:
                    self.part()
                    ready = evolve(ready, pictures=self.pictures)
            elif self.columns.begins(cells):
                self.head, self.pictures = raw, ()
            yield from self.end()
            self.wait(ready or self.alone(raw, None))

    def end(self) -> Iterator[Prepared]:
        """The last record, which nothing follows, and those folded into it."""
        waiting, folded = self.waiting, self.folded
        self.waiting, self.folded, self.characters, self.between = None, [], 0, 0
        return iter(() if waiting is None else (waiting, *folded))

    def wait(self, record: Prepared) -> None:
        """Lets a record wait for those that are folded into it."""
        self.waiting, self.folded, self.between = record, [], 0
        self.characters = len(record.raw.sent)

    def follow(self, raw: RawRecord) -> bool:
        """Lets a record of no group stand behind the one that waits; False if it can't.

        So a blank line or a broken record doesn't part a product from its pictures.
        """
        if self.waiting is None or not may_stand_between(self.between + 1, len(raw.sent)):
            return False
        self.folded.append(self.alone(raw, None))
        self.characters += len(raw.sent)
        self.between += 1
        return True

    def fold(self, raw: RawRecord) -> None:
        """Folds a record into the one that waits; FileRefused if those are too many."""
        waiting, cells = self.waiting, raw.cells
        if waiting is None or cells is None:
            return
        self.waiting = with_picture(waiting, self.columns.picture(cells))
        self.folded.append(Prepared(raw, "folded"))
        self.characters += len(raw.sent)
        if are_too_many(len(self.folded), self.characters):
            raise too_long(waiting.raw.line, raw.line)

    def part(self) -> None:
        """If a variant follows its head, that is no offer, and all of them have its pictures."""
        waiting = self.waiting
        if waiting is None or waiting.raw is not self.head:
            return
        self.pictures = waiting.pictures
        self.waiting = as_head(waiting)


def without_parent(raw: RawRecord) -> Prepared:
    """A record that leaves cells to one that doesn't stand before it, or no longer waits."""
    return Prepared(evolve(raw, cells=None, text=raw.sent, broken="no_parent"))


def as_head(record: Prepared) -> Prepared:
    """A head that has variants, which is no offer."""
    return record if record.fate else Prepared(record.raw, "skipped", WITH_VARIANTS)


def with_picture(record: Prepared, picture: str) -> Prepared:
    """The record with the picture of one that is folded into it."""
    if not picture or len(record.pictures) >= MOST_PICTURES:
        return record
    return evolve(record, pictures=(*record.pictures, picture[: LONGEST_CELL + 1]))


def may_stand_between(records: int, characters: int) -> bool:
    """Whether that many records may stand within a group, the last one with these characters."""
    return records <= MOST_BETWEEN and characters <= LONGEST_BETWEEN


def are_too_many(folded: int, characters: int) -> bool:
    """Whether these are more records, or with more characters, than may be folded into one."""
    return folded > MOST_FOLDED or characters > LONGEST_RECORD


def too_long(begins: int, line: int) -> FileRefused:
    """The refusal of a group whose records without a variant of their own don't end."""
    detail = (
        f"More than {MOST_FOLDED:,} records, or {LONGEST_RECORD:,} characters, continue "
        f"the record on line {begins}."
    )
    return FileRefused("too_large", detail, "End each group, or send it in parts.", line=line)
