"""Records that belong together, and records that are no offers, before any cell is read.

A platform's export may spread a product over several records: the first one has the title, the
next ones their variant alone, others nothing but one more picture.
"""

from collections.abc import Iterable, Iterator, Sequence
from typing import Final

from attrs import evolve, frozen

from commerce_core.base.errors import FileRefused
from commerce_core.base.text import BLANKS
from commerce_core.parsing.carrying import Carrying
from commerce_core.parsing.escapes import Unescaping
from commerce_core.parsing.parents import Family
from commerce_core.parsing.prepared import Prepared
from commerce_core.parsing.raw_records import LONGEST_RECORD, RawRecord
from commerce_core.parsing.skipping import Skipping, left_out
from commerce_core.parsing.sum_rows import SUMS, Sums
from commerce_core.parsing.totals import Adding
from commerce_core.profiles.mapping import AROUND, HeaderMapping, tidy_header
from commerce_core.profiles.profile import Group, Profile
from commerce_core.schema.fields import LONGEST_CELL, MOST_URLS, Mode

MOST_FOLDED: Final = 10_000
"""Records that may be folded into one: it waits for them, and they with it."""
_MOST_PICTURES: Final = MOST_URLS + 1
"""Pictures that are taken from them: one more than a product may have is too many already."""
HEADER_AGAIN: Final = "the header, which comes again"
WITH_VARIANTS: Final = "a product with variants"
_NOTHING_WITHIN: Final = "without a record in it"
_ASIDE: Final = "there for the records after it"


class Grouping:
    """Prepares the records under one header, by a profile in full."""

    def __init__(
        self,
        mapping: HeaderMapping,
        profile: Profile,
        mode: Mode = "full",
        named: frozenset[str] | None = None,
    ) -> None:
        """Looks the columns up once; `named` are the parents that the records name, if known."""
        self._header = mapping.header
        self._width = len(mapping.header)
        self.skips = tuple(
            Skipping.of(index, rule, mode)
            for rule in profile.skip
            if (index := mapping.index_of(rule.column)) is not None
        )
        self.sums = Sums.of(mapping, profile)
        self._group = _GroupColumns.of(mapping, profile.group) if profile.group else None
        self._family = Family.of(mapping, profile.parents, named) if profile.parents else None
        self._adding = Adding.of(mapping, profile.totals)
        self._own = _own_columns(mapping, profile)
        self._unescaping = Unescaping.of(mapping, profile)

    def __call__(self, records: Iterable[RawRecord]) -> Iterator[Prepared]:
        """The records in the order of the file, each with what it takes from others."""
        if self._unescaping is not None:
            records = map(self._unescaping, records)
        prepared = self._prepared(records)
        return prepared if self._adding is None else self._adding(prepared)

    def _prepared(self, records: Iterable[RawRecord]) -> Iterator[Prepared]:
        if self._group is not None:
            return self._grouped(records, self._group)
        if self._family is not None:
            family, carrying = self._family, Carrying()
            return (self._related(raw, family, carrying) for raw in records)
        return map(self.alone, records)

    def alone(self, raw: RawRecord, head: RawRecord | None = None) -> Prepared:
        """A record by itself, whatever its neighbours are; it has what it takes from its head."""
        cells = raw.cells
        if cells is None:
            return Prepared(raw, head=head)
        # Nearly all have something in the first cell.
        if not ((cells and cells[0].strip(BLANKS)) or any(cell.strip(BLANKS) for cell in cells)):
            return Prepared(raw, "blank", head=head)
        if is_header(cells, self._header):
            return Prepared(raw, "skipped", HEADER_AGAIN, head=head)
        if self.sums is not None and self.sums(cells):
            return Prepared(raw, "skipped", SUMS, head=head)
        if raw.context_only:
            return Prepared(raw, "skipped", _ASIDE, head=head)
        if self._own and not raw.delimiter and not any(cells[i].strip(BLANKS) for i in self._own):
            return Prepared(raw, "skipped", _NOTHING_WITHIN, head=head)
        return left_out(self._rule_to_skip(cells) if self.skips else None, raw, head)

    def _rule_to_skip(self, cells: Sequence[str]) -> Skipping | None:
        if len(cells) < self._width:
            return None
        return next((rule for rule in self.skips if rule.fits(cells[rule.index])), None)

    def _related(self, raw: RawRecord, family: Family, carrying: Carrying) -> Prepared:
        """A record with what it takes from its parent; a parent is remembered."""
        cells = raw.cells
        carrying.read += len(raw.sent)
        if cells is None or len(cells) < self._width:
            return self.alone(raw)
        parent = family.parent_of(cells)
        if parent is None and family.is_named(cells):
            family.note(raw, cells, {})
            return Prepared(raw, "skipped", WITH_VARIANTS)
        if parent is None and family.is_lost(cells):
            return Prepared(evolve(raw, cells=None, text=raw.sent, broken="no_parent"))
        if parent is None:
            if rules := [rule for rule in self.skips if rule.fits(cells[rule.index])]:
                family.note(raw, cells, {rule.index: rule for rule in rules})
            return self.alone(raw)
        if parent.rule is not None:
            return left_out(parent.rule, raw, None)
        completed = family.complete(parent, raw, cells)
        carrying.complete(cells, completed.cells or (), raw.line)
        return self.alone(completed, parent.raw)

    def _grouped(self, records: Iterable[RawRecord], group: "_GroupColumns") -> Iterator[Prepared]:
        """Each record waits for the one after it, which may be folded into it."""
        head: RawRecord | None = None
        waiting: Prepared | None = None
        folded: list[Prepared] = []
        characters, carrying, pictures = 0, Carrying(), tuple[str, ...]()
        for raw in records:
            carrying.read += len(raw.sent)
            cells, first = raw.cells, head.cells if head else None
            whole = cells is not None and len(cells) >= self._width
            ready = None
            if cells is not None and first and whole and group.continues(first, cells):
                if waiting is not None and not group.offers(cells):
                    waiting = _with_picture(waiting, group.picture(cells))
                    folded.append(Prepared(raw, "folded"))
                    characters += len(raw.sent)
                    if len(folded) > MOST_FOLDED or characters > LONGEST_RECORD:
                        raise _too_long(waiting.raw.line, raw.line)
                    continue
                completed = group.complete(first, raw, cells)
                carrying.complete(cells, completed.cells or (), raw.line)
                ready = self.alone(completed, head)
                if group.heads:
                    waiting, pictures = _parted(waiting, head, pictures)
                    ready = evolve(ready, pictures=pictures)
            elif cells is not None and whole and group.begins(cells):
                head, pictures = raw, ()
            yield from () if waiting is None else (waiting, *folded)
            waiting, folded, characters = ready or self.alone(raw), [], len(raw.sent)
        yield from () if waiting is None else (waiting, *folded)


def is_header(cells: Sequence[str], header: Sequence[str]) -> bool:
    """Whether a record is the header again, as in files that were joined to one."""
    first = cells[0]
    if (first.strip(BLANKS) if first.isascii() else tidy_header(first)) != header[0]:
        return False
    names, behind = cells[: len(header)], cells[len(header) :]
    return [*map(tidy_header, names)] == [*header] and not any(c.strip(BLANKS) for c in behind)


def _with_picture(record: Prepared, picture: str) -> Prepared:
    if not picture or len(record.pictures) >= _MOST_PICTURES:
        return record
    return evolve(record, pictures=(*record.pictures, picture[: LONGEST_CELL + 1]))


def _parted(
    waiting: Prepared | None, head: RawRecord | None, pictures: tuple[str, ...]
) -> tuple[Prepared | None, tuple[str, ...]]:
    """What waits before a variant: its head is no offer, and has the pictures of all of them."""
    if waiting is None or waiting.raw is not head:
        return waiting, pictures
    if waiting.fate is not None:
        return waiting, waiting.pictures
    return Prepared(waiting.raw, "skipped", WITH_VARIANTS), waiting.pictures


def _too_long(begins: int, line: int) -> FileRefused:
    """The refusal of a group whose records without a variant of their own don't end."""
    detail = (
        f"More than {MOST_FOLDED:,} records, or {LONGEST_RECORD:,} characters, continue "
        f"the record on line {begins}."
    )
    return FileRefused("too_large", detail, "End each group, or send it in parts.", line=line)


def _own_columns(mapping: HeaderMapping, profile: Profile) -> tuple[int, ...]:
    """The columns of records in others, if one that has nothing in them can't have a sku either."""
    own = [i for i, name in enumerate(mapping.header) if not name.startswith(AROUND)]
    sku = mapping.field_mappings["sku"]
    if len(own) == len(mapping.header) or profile.identity or not {*sku.indexes} <= {*own}:
        return ()
    return tuple(own)


@frozen
class _GroupColumns:
    """Where a group's columns are under one header; columns that the file lacks play no part."""

    key: int | None
    carry: tuple[int, ...]
    offer: tuple[int, ...]
    append: int | None
    heads: frozenset[str] = frozenset()

    @classmethod
    def of(cls, mapping: HeaderMapping, group: Group) -> "_GroupColumns":
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
        return self.key is not None and bool(cells[self.key].strip(BLANKS))

    def begins(self, cells: Sequence[str]) -> bool:
        """Whether the record may be the head of a group."""
        if self.key is None or not self.heads:
            return self.has_key(cells)
        return cells[self.key].strip(BLANKS).lower() in self.heads

    def continues(self, head: Sequence[str], cells: Sequence[str]) -> bool:
        """Whether the record is of the same group as the head, and not a head itself."""
        if self.heads:
            return self.has_key(cells) and not self.begins(cells)
        return self.has_key(cells) and head[self.key or 0] == cells[self.key or 0]

    def offers(self, cells: Sequence[str]) -> bool:
        """Whether the record is a variant; without any such column every one is."""
        return not self.offer or any(cells[index].strip(BLANKS) for index in self.offer)

    def picture(self, cells: Sequence[str]) -> str:
        return "" if self.append is None else cells[self.append].strip(BLANKS)

    def complete(self, head: Sequence[str], raw: RawRecord, cells: Sequence[str]) -> RawRecord:
        """The record, with blank cells to carry taken from the head of its group."""
        whole = list(cells)
        for index in self.carry:
            if not whole[index].strip(BLANKS):
                whole[index] = head[index]
        return raw.completed(whole)
