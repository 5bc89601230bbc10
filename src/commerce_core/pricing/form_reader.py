"""Reading forms strictly: values of one type each, and every fault with its JSON pointer."""

import re
from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any, Final, cast

from attrs import define, field

from commerce_core.base.errors import Fault
from commerce_core.base.text import UNSTORABLE

LONGEST_TEXT: Final = 500
MOST_TEXTS: Final = 1_000
LARGEST_COUNT: Final = 1_000_000_000
_AMOUNT: Final = re.compile(r"[0-9]{1,12}(\.[0-9]{1,4})?", re.ASCII)
_PERCENT: Final = re.compile(r"[0-9]{1,4}(\.[0-9]{1,6})?", re.ASCII)


@define
class Reader:
    """One form being read, and all that is wrong with it so far.

    A value with a fault is replaced by an empty one, so that reading goes on.
    """

    faults: list[Fault] = field(factory=list[Fault])

    def fault(self, at: str, code: str, detail: str) -> None:
        """Records a fault."""
        self.faults.append(Fault(at, code, detail))

    def table(
        self, value: object, at: str, known: Sequence[str], required: Sequence[str] = ()
    ) -> dict[str, Any] | None:
        """An object with these members and no others."""
        if not isinstance(value, dict):
            self._missing_or(value, at, "not_an_object", "An object is expected.")
            return None
        table = cast("dict[str, Any]", value)
        for name in table:
            if name not in known:
                detail = f"{str(name)[:80]!r} is not a known name; known are {', '.join(known)}."
                self.fault(f"{at}/{escaped(name)}", "unknown_field", detail)
        lacking = [name for name in required if table.get(name) is None]
        for name in lacking:
            self.fault(f"{at}/{name}", "required", f"{name} is required.")
        return None if lacking else table

    def _missing_or(self, value: object, at: str, code: str, detail: str) -> None:
        if value is None:
            self.fault(at, "required", "A value is required.")
        else:
            self.fault(at, code, detail)

    def text(self, value: object, at: str) -> str:
        """A text that isn't empty and can be stored."""
        if not isinstance(value, str):
            self._missing_or(value, at, "not_a_text", "A text is expected.")
        elif not 1 <= len(value) <= LONGEST_TEXT or UNSTORABLE.search(value):
            detail = f"Use 1 to {LONGEST_TEXT} characters, without NUL."
            self.fault(at, "bad_text", detail)
        else:
            return value
        return ""

    def texts(self, value: object, at: str) -> tuple[str, ...]:
        """A text, or a list of them."""
        if not isinstance(value, list):
            return (self.text(value, at),)
        members = cast("list[object]", value)
        if not 1 <= len(members) <= MOST_TEXTS:
            self.fault(at, "bad_length", f"Name 1 to {MOST_TEXTS:,} values.")
        return tuple(self.text(each, f"{at}/{n}") for n, each in enumerate(members[:MOST_TEXTS]))

    def members(self, value: object, at: str, most: int) -> list[Any]:
        """A list that isn't empty and not too long."""
        if not isinstance(value, list):
            self._missing_or(value, at, "not_a_list", "A list is expected.")
            return []
        found = cast("list[Any]", value)
        if not 1 <= len(found) <= most:
            self.fault(at, "bad_length", f"Use 1 to {most:,} members.")
        return found[:most]

    def word(self, value: object, at: str, words: Sequence[str]) -> str:
        """One of these words."""
        if value not in words:
            self._missing_or(value, at, "not_one_of", f"One of {', '.join(words)} is expected.")
            return words[0]
        return cast("str", value)

    def flag(self, value: object, at: str) -> bool:
        """True or false."""
        if not isinstance(value, bool):
            self.fault(at, "not_a_boolean", "true or false is expected.")
        return value is True

    def whole(self, value: object, at: str) -> int:
        """A whole number."""
        if type(value) is not int:
            self._missing_or(value, at, "not_a_whole_number", "A whole number is expected.")
            return 1
        return value

    def count(self, value: object, at: str) -> int:
        """A whole number from 1 on."""
        number = self.whole(value, at)
        if not 1 <= number <= LARGEST_COUNT:
            self.fault(at, "out_of_range", f"Use a number from 1 to {LARGEST_COUNT:,}.")
            return 1
        return number

    def amount(self, value: object, at: str) -> Decimal:
        """An amount of money, as text."""
        return self._number(value, at, _AMOUNT, "not_an_amount", 'An amount such as "79.90"')

    def percent(self, value: object, at: str, most: int = 100) -> Decimal:
        """A percentage, as text."""
        read = self._number(value, at, _PERCENT, "not_a_percentage", 'A percentage such as "12.5"')
        if read > most:
            self.fault(at, "out_of_range", f"Use a percentage from 0 to {most}.")
        return read

    def _number(
        self, value: object, at: str, form: re.Pattern[str], code: str, wanted: str
    ) -> Decimal:
        if not isinstance(value, str) or not form.fullmatch(value):
            self._missing_or(value, at, code, f"{wanted} is expected, as text.")
            return Decimal(0)
        return Decimal(value)

    def bounds(self, table: Mapping[str, Any], at: str, *, money: bool) -> dict[str, Any]:
        """`min` and `max`, of which at least one is there."""
        found: dict[str, Any] = {}
        for name in ("min", "max"):
            if table.get(name) is not None:
                read = self.amount if money else self.count
                found[name] = read(table[name], f"{at}/{name}")
        if not found:
            self.fault(at, "required", "Use min, max, or both.")
        return found


def escaped(name: object) -> str:
    """A name as part of a JSON pointer."""
    text = str(name).encode(errors="backslashreplace").decode()
    return text.replace("~", "~0").replace("/", "~1")
