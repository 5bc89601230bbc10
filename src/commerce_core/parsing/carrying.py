"""Carrying: how much text records take from others, beside how much the file has."""

from collections.abc import Sequence
from typing import Final

from attrs import define

from commerce_core.base.errors import FileRefused

MOST_CARRIED: Final = 1 << 26
"""Characters that records may take from others, whatever is in the file."""
HIGHEST_CARRIED_RATIO: Final = 100
"""How many times the file's own text they may be beyond that."""


@define
class Carrying:
    """The characters read so far, and those that records took from others."""

    read: int = 0
    carried: int = 0

    def complete(self, cells: Sequence[str], completed: Sequence[str], line: int) -> None:
        """Counts what completes a record; FileRefused as in `take`."""
        self.take(sum(map(len, completed)) - sum(map(len, cells)), line)

    def allows(self, characters: int) -> bool:
        """Whether this many more are allowed, however little is read."""
        return self.carried + characters <= MOST_CARRIED

    def take(self, characters: int, line: int) -> None:
        """Counts what a record takes; FileRefused if it is out of all proportion."""
        self.carried += characters
        if self.carried > MOST_CARRIED and self.carried > HIGHEST_CARRIED_RATIO * self.read:
            detail = (
                f"Up to line {line}, records take {self.carried:,} characters from the first "
                f"record of their group; the file has {self.read:,}."
            )
            remedy = f"At most {HIGHEST_CARRIED_RATIO} times its own text is accepted."
            raise FileRefused("too_large", detail, remedy, line=line)
