"""One record of a feed as it was read: its line, its values, its problems, its fate."""

from collections.abc import Mapping
from typing import Literal

from attrs import field, frozen

from commerce_core.schema.fields import Value
from commerce_core.schema.problems import Problem

Fate = Literal["blank", "folded", "skipped", "overtaken"]
"""What becomes of a record that changes nothing: nothing in it, part of the one before, no offer,
older than what is known already."""


@frozen
class Record:
    """One record of a feed as read: where it stands, what it says, what is wrong with it.

    `values` holds the fields whose column the file has, None where the cell is blank; of a
    rejected record, those that could be read. `sku` is None where it can't be read.
    `fate` says what becomes of a record that is no offer, `reason` why it is left out.
    `fingerprint` is that of its text, None where it has a problem (see `fingerprints`).
    """

    line: int
    sku: str | None
    values: Mapping[str, Value]
    problems: tuple[Problem, ...] = ()
    fate: Fate | None = None
    reason: str | None = None
    fingerprint: tuple[int, int] | None = field(default=None, eq=False)

    @property
    def blank(self) -> bool:
        """Whether no cell of it says anything."""
        return self.fate == "blank"

    @property
    def rejected(self) -> bool:
        """Whether any of its problems is an error."""
        return any(problem.severity == "error" for problem in self.problems)

    @property
    def deletes(self) -> bool:
        """Whether it asks for the product to be removed."""
        return self.values.get("deleted") is True
