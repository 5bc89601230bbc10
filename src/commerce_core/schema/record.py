"""One record of a feed as it was read: its line, its values, its problems, its fate."""

from collections.abc import Mapping
from typing import Literal

from attrs import field, frozen

from commerce_core.schema.fields import Value
from commerce_core.schema.problems import Problem

Fate = Literal["blank", "folded", "skipped", "overtaken"]
"""Why a record changes nothing: it is blank, is folded into the one before it, isn't an offer, or
is older than the data already in the catalog."""


@frozen
class Record:
    """One record of a feed as read: its line, its values and its problems.

    `values` has the fields for which the file has a column, None for blank cells; in a rejected
    record only the fields that could be read. `sku` is None if it can't be read. `fate` is set if
    the record isn't an offer, and `reason` is why it was left out. `fingerprint` is the hash of its
    text with its warnings, None if it is rejected (see `parsing.fingerprints`).
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
        """Whether all its cells are blank."""
        return self.fate == "blank"

    @property
    def rejected(self) -> bool:
        """Whether any of its problems is an error."""
        return any(problem.severity == "error" for problem in self.problems)

    @property
    def deletes(self) -> bool:
        """Whether it asks for the product to be removed."""
        return self.values.get("deleted") is True
