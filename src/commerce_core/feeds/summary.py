"""The counts of a run, the identities that must hold of them, and the summary they are part of."""

from collections.abc import Mapping, Sequence
from itertools import accumulate, takewhile
from typing import Any, Final, Literal, cast

from attrs import evolve, field, fields, frozen

from commerce_core.feeds.guards import GuardResult
from commerce_core.schema.fields import PRODUCT_FIELDS

MOST_SHOWN: Final = 100
"""Columns in each list of a brief summary."""
CHARACTERS_SHOWN: Final = 2_000
"""Characters of their names, in each list."""
_PLACES: Final = {name: place for place, name in enumerate(("sku", *PRODUCT_FIELDS))}
_LONG: Final = ("columns", "mapping", "made_of", "errors_by_column", "drift", "unused_columns")

Outcome = Literal["superseded", "with_rejects", "nothing_changed", "clean"]


@frozen
class Stage:
    """One stage of a run: how long it took, and how many records went through."""

    name: str
    seconds: float
    records: int


@frozen
class Drift:
    """A column that appeared, disappeared, or can no longer be read."""

    kind: Literal["column_added", "column_gone", "column_unreadable"]
    column: str
    field: str | None
    detail: str


@frozen
class Counts:
    """What became of every record of a feed, and of the products of its source.

    Every record has exactly one fate, so these add up to `records_read`: `created`, `updated`,
    `restored`, `unchanged`, `deleted`, `folded`, `skipped`, `rejected`, `duplicate`, `overtaken`,
    `blank`. `absent` and `removed` count products, `warnings` problems. `check` asserts both
    identities.
    """

    records_read: int = 0
    created: int = 0
    updated: int = 0
    restored: int = 0
    unchanged: int = 0
    deleted: int = 0
    folded: int = 0
    skipped: int = 0
    rejected: int = 0
    duplicate: int = 0
    overtaken: int = 0
    blank: int = 0
    absent: int = 0
    removed: int = 0
    warnings: int = 0

    @property
    def counts(self) -> Mapping[str, int]:
        """All of these counts by name, to be copied to another value that has them."""
        return {attribute.name: getattr(self, attribute.name) for attribute in fields(Counts)}

    @property
    def records(self) -> int:
        """The records that have something in them."""
        return self.records_read - self.blank

    @property
    def accepted(self) -> int:
        """Records that the catalog now agrees with."""
        return (
            self.created + self.updated + self.restored + self.unchanged + self.deleted
            + self.overtaken
        )  # fmt: skip

    @property
    def changes(self) -> int:
        """Products that are not as they were."""
        return self.created + self.updated + self.restored + self.removed

    @property
    def outcome(self) -> Outcome:
        """The outcome of a completed ingest with these counts."""
        if self.rejected:
            return "with_rejects"
        return "clean" if self.changes else "nothing_changed"

    def check(self, before: int, after: int) -> None:
        """AssertionError if a record was lost, or the catalog didn't grow by these counts."""
        fates = (
            self.accepted + self.folded + self.skipped + self.rejected + self.duplicate + self.blank
        )
        if fates != self.records_read:
            raise AssertionError(f"{self.records_read} records read, {fates} accounted for: {self}")
        if after != before + self.created + self.restored - self.removed:
            raise AssertionError(f"{before} products before, {after} after: {self}")


@frozen
class Summary(Counts):
    """What became of a feed, as its job reports it.

    `columns` are the header, `mapping` is each field's column in it, and `made_of` all columns that
    a field is made of, or that decide what becomes of records (`records`); `drift` is how this file
    differs in form from its baseline. `guards` are the verdicts of the guards that were exceeded,
    those that only warn too; `not_sellable` counts the products that it created or changed and that
    can't be sold, by reason. `report_records` are the rejected records in the report, for the
    partner to correct. `left_out` counts what a list of jobs leaves out of a long summary, such as
    the names of further columns; the job itself has all of it.
    """

    problems_by_code: Mapping[str, int] = field(factory=dict[str, int])
    columns: tuple[str, ...] = ()
    mapping: Mapping[str, str] = field(factory=dict[str, str])
    made_of: Mapping[str, tuple[str, ...]] = field(factory=dict[str, tuple[str, ...]])
    errors_by_column: Mapping[str, int] = field(factory=dict[str, int])
    drift: tuple[Drift, ...] = ()
    guards: tuple[GuardResult, ...] = ()
    not_sellable: Mapping[str, int] = field(factory=dict[str, int])
    unused_columns: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    stages: tuple[Stage, ...] = ()
    report_records: int = 0
    left_out: int = 0

    def brief(self) -> "Summary":
        """The summary as lists of jobs show it: the beginning of each of its own lists.

        A file has up to a thousand columns with long names, and a page up to a thousand jobs.
        """
        kept: dict[str, Any] = {name: _beginning(getattr(self, name)) for name in _LONG}
        left_out = sum(len(getattr(self, name)) - len(some) for name, some in kept.items())
        return evolve(self, **kept, left_out=left_out) if left_out else self

    @property
    def sources(self) -> Mapping[str, tuple[str, ...]]:
        """All columns that a field is made of; one each in a summary of an earlier version.

        In the order of the fields: stores may keep mappings in an order of their own.
        """
        found = self.made_of or {name: (column,) for name, column in self.mapping.items()}
        return {name: found[name] for name in sorted(found, key=_place_of_field)}


def _place_of_field(name: str) -> tuple[int, str]:
    return _PLACES.get(name, len(_PLACES)), name


def _beginning(items: "Sequence[object] | Mapping[str, object]") -> object:
    """The first items of a list or a mapping, as long as there aren't too many, or too long."""
    if isinstance(items, Mapping):
        pairs = list(items.items())
        return dict(pairs[: _fitting(pairs)])
    return tuple(items[: _fitting(items)])


def _fitting(items: Sequence[object]) -> int:
    lengths = accumulate(map(_characters_of, items))
    return min(MOST_SHOWN, sum(1 for _ in takewhile(CHARACTERS_SHOWN.__ge__, lengths)))


def _characters_of(item: object) -> int:
    match item:
        case str():
            return len(item)
        case Drift():
            return len(item.column) + len(item.detail)
        case tuple():
            return sum(map(_characters_of, cast("tuple[object, ...]", item)))
        case _:
            return 0
