r"""Patterns of profiles: regular expressions that any engine matches in time linear in the text.

They have no look-around, no back-references and no possessive parts, so a pattern is a plain tree,
which an engine can compile in its own way. `matching` is the reference.

    Characters   one character of some ranges            [0-9]  .  \w
    Together     parts one behind the other              ab
    Either       the first option that lets all match    a|b
    Repeated     a part several times, as often as possible, or as seldom (lazy)
    Kept         the one group, whose text is the result
    Edge         a place: begin, end, word (\b), inside (\B)
"""

import re
from typing import Final, Literal

from attrs import frozen

LONGEST_PATTERN: Final = 200
LONGEST_MATCHED: Final = 2_000
"""The longest cell to which a pattern is applied, in characters; a longer one is a problem."""
MOST_STEPS: Final = 600
"""The characters and places that a pattern may have, each repeated part counted as often."""

_HIGHEST: Final = 0x10FFFF
Ranges = tuple[tuple[int, int], ...]
"""Code points from and to, both included; sorted, and none touches the next."""
Place = Literal["begin", "end", "word", "inside"]


@frozen
class Characters:
    """One character of these ranges."""

    ranges: Ranges


@frozen
class Edge:
    """No character, but a place between two."""

    place: Place


@frozen
class Together:
    """Parts one behind the other; none of them matches the empty text."""

    parts: "tuple[Node, ...]"


@frozen
class Either:
    """The first option with which all of the text matches."""

    options: "tuple[Node, ...]"


@frozen
class Repeated:
    """A part that is never empty, several times; `most` is None if there is no limit."""

    part: "Node"
    least: int
    most: int | None
    lazy: bool


@frozen
class Kept:
    """The part whose text is the result."""

    part: "Node"


Node = Characters | Edge | Together | Either | Repeated | Kept


class BadPattern(ValueError):
    """Why a text is no pattern, or one that isn't allowed; says what to write instead."""


def parse_pattern(text: str) -> Node:
    """The tree of a pattern, which has exactly one group to keep; BadPattern if there is none."""
    if len(text) > LONGEST_PATTERN:
        raise BadPattern(f"Use at most {LONGEST_PATTERN} characters.")
    parser = _Parser(text)
    node = parser.either()
    if not parser.at_end:
        raise BadPattern("There is a closing parenthesis too many.")
    if parser.kept != 1:
        raise BadPattern("Put the part to keep in one pair of parentheses.")
    if (steps := _steps(node)) > MOST_STEPS:
        detail = f"it takes {steps:,} steps; at most {MOST_STEPS:,} are allowed."
        raise BadPattern(f"Repeat less: {detail}")
    return node


def steps_of(pattern: str) -> int:
    """The steps of a pattern, to which the time that a character takes is proportional."""
    return _steps(parse_pattern(pattern))


def why_refused(pattern: str) -> str | None:
    """Why a pattern is refused, if it is."""
    try:
        parse_pattern(pattern)
    except BadPattern as bad:
        return str(bad)
    return None


def _ranges(*ranges: tuple[int, int]) -> Ranges:
    """Ranges sorted and joined."""
    joined: list[tuple[int, int]] = []
    for first, last in sorted(ranges):
        if joined and first <= joined[-1][1] + 1:
            joined[-1] = (joined[-1][0], max(last, joined[-1][1]))
        else:
            joined.append((first, last))
    return tuple(joined)


def _others(ranges: Ranges) -> Ranges:
    """All other characters."""
    edges = [0, *(edge for first, last in ranges for edge in (first, last + 1)), _HIGHEST + 1]
    pairs = zip(edges[::2], edges[1::2], strict=True)
    return tuple((first, last - 1) for first, last in pairs if first < last)


def _of(characters: str) -> Ranges:
    return _ranges(*((ord(c), ord(c)) for c in characters))


def _only(ranges: Ranges) -> int | None:
    """The one character of the ranges; None if there are several."""
    first, last = ranges[0]
    return first if len(ranges) == 1 and first == last else None


_DIGITS: Final = _ranges((0x30, 0x39))
_WORD: Final = _ranges((0x30, 0x39), (0x41, 0x5A), (0x5F, 0x5F), (0x61, 0x7A))
_SPACE: Final = _of(" \t\n\r\f\v")
_CLASSES: Final = {
    "d": _DIGITS, "D": _others(_DIGITS), "w": _WORD, "W": _others(_WORD),
    "s": _SPACE, "S": _others(_SPACE),
}  # fmt: skip
_ESCAPED: Final = {"n": "\n", "t": "\t", "r": "\r", "f": "\f", "v": "\v", "a": "\a"}
_CODES: Final = {"x": 2, "u": 4}
_EDGES: Final[dict[str, Place]] = {"A": "begin", "Z": "end", "b": "word", "B": "inside"}
_BRACES: Final = re.compile(r"\{(?=[0-9,]*[0-9])([0-9]{0,5})(,?)([0-9]{0,5})\}", re.ASCII)
_COUNTS: Final = {"*": (0, None), "+": (1, None), "?": (0, 1)}


class _Parser:
    """Reads one pattern from left to right; `kept` is how many groups to keep there were."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._at = 0
        self.kept = 0

    @property
    def at_end(self) -> bool:
        return self._at >= len(self._text)

    def _next(self, expected: str = "") -> bool:
        """Whether this follows; if so, it is passed."""
        found = self._text.startswith(expected, self._at)
        self._at += len(expected) * found
        return found

    def _take(self) -> str:
        if self.at_end:
            raise BadPattern("It ends too early.")
        self._at += 1
        return self._text[self._at - 1]

    def either(self) -> Node:
        """Options up to a closing parenthesis or the end."""
        options = [self._together()]
        while self._next("|"):
            options.append(self._together())
        return options[0] if len(options) == 1 else Either(tuple(options))

    def _together(self) -> Node:
        parts: list[Node] = []
        while not self.at_end and self._text[self._at] not in "|)":
            parts.append(self._repeated(self._part()))
        return parts[0] if len(parts) == 1 else Together(tuple(parts))

    def _part(self) -> Node:
        match self._take():
            case "(":
                return self._group()
            case "[":
                return Characters(self._set())
            case ".":
                return Characters(_others(_of("\n")))
            case "^":
                return Edge("begin")
            case "$":
                return Edge("end")
            case "\\":
                return self._escape()
            case "*" | "+" | "?" | "{" if self._is_count(self._at - 1):
                raise BadPattern("There is nothing in front of a * + ? or {} to repeat.")
            case character:
                return Characters(_of(character))

    def _group(self) -> Node:
        kept = not self._next("?:")
        if kept and self._next("?"):
            raise BadPattern("Use no look-around, names or flags: a group is (...) or (?:...).")
        self.kept += kept
        node = self.either()
        if not self._next(")"):
            raise BadPattern("A parenthesis isn't closed.")
        return Kept(node) if kept else node

    def _repeated(self, part: Node) -> Node:
        counts = self._counts()
        if counts is None:
            return part
        least, most = counts
        lazy = self._next("?")
        if self._next("+") or self._counts() is not None:
            raise BadPattern("Repeat a part once, and use no possessive * + ? or {}.")
        if has_kept(part):
            raise BadPattern("The part to keep can't be repeated; put the repetition within it.")
        if can_be_empty(part):
            raise BadPattern("A repeated part must not be able to be empty.")
        if most is not None and most >= LONGEST_MATCHED:
            most = None
        return Repeated(part, least, most, lazy)

    def _is_count(self, at: int) -> bool:
        return self._text[at] in _COUNTS or _BRACES.match(self._text, at) is not None

    def _counts(self) -> tuple[int, int | None] | None:
        """How often the part before is repeated; None if it isn't. Braces may be themselves."""
        for sign, counts in _COUNTS.items():
            if self._next(sign):
                return counts
        found = _BRACES.match(self._text, self._at)
        if found is None:
            return None
        self._at = found.end()
        least, comma, most = found.groups()
        low = int(least or 0)
        high = (int(most) if most else None) if comma else low
        if high is not None and high < low:
            raise BadPattern(f"In {found[0]}, the second number is smaller than the first.")
        if low > LONGEST_MATCHED:
            raise BadPattern(f"No cell that is matched has more than {LONGEST_MATCHED} characters.")
        return low, high

    def _escape(self) -> Node:
        following = self._take()
        if following in _EDGES:
            return Edge(_EDGES[following])
        if following in _CLASSES:
            return Characters(_CLASSES[following])
        return Characters(_of(self._escaped(following)))

    def _escaped(self, character: str) -> str:
        """The character that is meant by a backslash and this one."""
        if character in _ESCAPED:
            return _ESCAPED[character]
        if length := _CODES.get(character):
            digits = self._text[self._at : self._at + length]
            self._at += length
            try:
                return chr(int(digits, 16))
            except ValueError:
                raise BadPattern(f"Write {length} digits behind \\{character}.") from None
        if character.isdecimal():
            raise BadPattern("Use no back-references, such as \\1.")
        if character.isalpha():
            raise BadPattern(f"There is no \\{character}.")
        return character

    def _set(self) -> Ranges:
        """The characters between brackets."""
        negated = self._next("^")
        ranges: list[tuple[int, int]] = []
        while not ranges or not self._next("]"):
            member = self._member()
            if self._range_follows() and self._next("-"):
                last = self._member()
                begins, ends = _only(member), _only(last)
                if begins is None or ends is None or begins > ends:
                    raise BadPattern("A range in brackets goes from a character to a later one.")
                member = ((begins, ends),)
            ranges += member
        joined = _ranges(*ranges)
        return _others(joined) if negated else joined

    def _range_follows(self) -> bool:
        return self._text[self._at : self._at + 1] == "-" and self._text[self._at + 1 :][:1] != "]"

    def _member(self) -> Ranges:
        character = self._take()
        if character != "\\":
            return _of(character)
        following = self._take()
        if following in _CLASSES:
            return _CLASSES[following]
        return _of("\b" if following == "b" else self._escaped(following))


def has_kept(node: Node) -> bool:
    """Whether the group to keep is in it."""
    match node:
        case Kept():
            return True
        case Together(several) | Either(several):
            return any(map(has_kept, several))
        case Repeated(part):
            return has_kept(part)
        case Characters() | Edge():
            return False


def can_be_empty(node: Node) -> bool:
    """Whether it matches the empty text."""
    match node:
        case Characters():
            return False
        case Edge():
            return True
        case Together(parts):
            return all(map(can_be_empty, parts))
        case Either(options):
            return any(map(can_be_empty, options))
        case Repeated(part, least):
            return least == 0 or can_be_empty(part)
        case Kept(part):
            return can_be_empty(part)


def _steps(node: Node) -> int:
    """How many characters and places it has, if each repetition is written out."""
    match node:
        case Characters() | Edge():
            return 1
        case Together(several) | Either(several):
            return sum(map(_steps, several)) + 1
        case Repeated(part, least, most):
            return _steps(part) * max(1, least + 1 if most is None else most)
        case Kept(part):
            return _steps(part)
