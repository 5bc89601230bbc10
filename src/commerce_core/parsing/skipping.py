"""Skipping: which records of one file are no offers, by the rules of its profile.

In a full feed such a record is as good as absent. In a delta it says nothing of its product, unless
its rule withdraws it: what a shop has taken offline is sold no longer.
"""

import re
from typing import Final

from attrs import field, frozen

from commerce_core.base.text import BLANKS
from commerce_core.parsing.prepared import Prepared
from commerce_core.parsing.raw_records import RawRecord
from commerce_core.profiles.profile import Skip
from commerce_core.schema.fields import Mode

_MOST_KNOWN: Final = 1_000
_LONGEST_KNOWN: Final = 100
ANY_TEXT: Final = "*"
"""The word of a rule that any cell has that isn't blank."""


@frozen
class Skipping:
    """A rule by which records of one file are no offers, and in which cell it looks."""

    index: int
    reason: str
    words: frozenset[str]
    withdraws: bool = False
    like: re.Pattern[str] | None = None
    _known: dict[str, bool] = field(factory=dict[str, bool], init=False, eq=False, repr=False)
    """Whether it fits cells that were seen; most have one of few words."""

    @classmethod
    def of(cls, index: int, rule: Skip, mode: Mode) -> "Skipping":
        """A rule of a profile, for a file in that mode whose column it names is there."""
        words = frozenset(map(_plain, rule.words))
        parts = [word.split("*") for word in sorted(words) if "*" in word and word != ANY_TEXT]
        like = re.compile("|".join(".*".join(map(re.escape, each)) for each in parts))
        withdraws = rule.withdraws and mode == "delta"
        return cls(index, rule.reason, words, withdraws, like if parts else None)

    def fits(self, cell: str) -> bool:
        """Whether one of the cell's words, which commas separate, is among those of the rule."""
        known = self._known.get(cell)
        if known is None:
            known = self._fits(cell)
            if len(self._known) < _MOST_KNOWN and len(cell) <= _LONGEST_KNOWN:
                self._known[cell] = known
        return known

    def _fits(self, cell: str) -> bool:
        if ANY_TEXT in self.words and cell.strip(BLANKS):
            return True
        words = list(map(_plain, cell.split(",")))
        if not self.words.isdisjoint(words):
            return True
        return self.like is not None and any(map(self.like.fullmatch, words))


def left_out(rule: Skipping | None, raw: RawRecord, head: RawRecord | None) -> Prepared:
    """A record of which such a rule, if there is one, says that it is no offer."""
    if rule is None or rule.withdraws:
        return Prepared(raw, head=head, withdrawn=rule is not None)
    return Prepared(raw, "skipped", rule.reason, head=head)


def _plain(word: str) -> str:
    return word.strip(BLANKS).lower()
