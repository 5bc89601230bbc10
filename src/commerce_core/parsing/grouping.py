"""Records that belong together, and records that are no offers, before any cell is read.

A platform's export may spread a product over several records: the first one has the title, the
next ones their variant alone, others nothing but one more picture.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import chain
from typing import Final

from attrs import frozen

from commerce_core.base.text import BLANKS
from commerce_core.parsing.escapes import Unescaping
from commerce_core.parsing.groups import GroupColumns, Groups
from commerce_core.parsing.parents import Family, Relatives
from commerce_core.parsing.prepared import Prepared
from commerce_core.parsing.raw_records import RawRecord
from commerce_core.parsing.skipping import Skipping, left_out
from commerce_core.parsing.sum_rows import SUMS, Sums
from commerce_core.parsing.totals import Adding
from commerce_core.profiles.mapping import AROUND, HeaderMapping, tidy_header
from commerce_core.profiles.profile import Profile
from commerce_core.schema.fields import Mode

HEADER_AGAIN: Final = "the header, which comes again"
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
        self._group = GroupColumns.of(mapping, profile.group) if profile.group else None
        self._parents, self._named, self._mapping = profile.parents, named, mapping
        self.own = _own_columns(mapping, profile)
        self.adding = Adding.of(mapping, profile.totals)
        self.unescaping = Unescaping.of(mapping, profile)

    def __call__(self, records: Iterable[RawRecord]) -> Iterator[Prepared]:
        """The records in the order of the file, each with what it takes from others."""
        if self.unescaping is not None:
            records = map(self.unescaping, records)
        joining = self.joining()
        prepared = chain(joining(records), _end_of(joining))
        return prepared if self.adding is None else self.adding(prepared)

    def joining(self) -> "Joining":
        """What joins the records of one file, from its first one on."""
        if self._group is not None and self._group.key is not None:
            return Groups(self._group, self._width, self.alone)
        parents = self._parents
        family = Family.of(self._mapping, parents, self._named) if parents else None
        if family is not None:
            return Relatives(family, self._width, self.skips, self.alone)
        return Alone(self.alone)

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
        if self.own and not raw.delimiter and not any(cells[i].strip(BLANKS) for i in self.own):
            return Prepared(raw, "skipped", _NOTHING_WITHIN, head=head)
        return left_out(self._rule_to_skip(cells) if self.skips else None, raw, head)

    def _rule_to_skip(self, cells: Sequence[str]) -> Skipping | None:
        if len(cells) < self._width:
            return None
        return next((rule for rule in self.skips if rule.fits(cells[rule.index])), None)


@frozen
class Alone:
    """Records of which none takes anything from another."""

    alone: Callable[[RawRecord], Prepared]

    def __call__(self, records: Iterable[RawRecord]) -> Iterator[Prepared]:
        """Each of them."""
        return map(self.alone, records)

    def end(self) -> Iterator[Prepared]:
        """None: no record waits for another."""
        return iter(())


Joining = Groups | Relatives | Alone
"""What joins the records of one file, as far as they have come."""


def _end_of(joining: Joining) -> Iterator[Prepared]:
    """What waits when all have come, which isn't known before."""
    yield from joining.end()


def is_header(cells: Sequence[str], header: Sequence[str]) -> bool:
    """Whether a record is the header again, as in files that were joined to one."""
    first = cells[0]
    if (first.strip(BLANKS) if first.isascii() else tidy_header(first)) != header[0]:
        return False
    names, behind = cells[: len(header)], cells[len(header) :]
    return [*map(tidy_header, names)] == [*header] and not any(c.strip(BLANKS) for c in behind)


def _own_columns(mapping: HeaderMapping, profile: Profile) -> tuple[int, ...]:
    """The columns of records in others, if one that has nothing in them can't have a sku either."""
    own = [i for i, name in enumerate(mapping.header) if not name.startswith(AROUND)]
    sku = mapping.field_mappings["sku"]
    if len(own) == len(mapping.header) or profile.identity or not {*sku.indexes} <= {*own}:
        return ()
    return tuple(own)
