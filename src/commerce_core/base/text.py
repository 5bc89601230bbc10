"""Texts: which characters are blank, which can't be stored, and words to search by.

A word is what stands between blanks. It is in a text that has its characters one after the other,
anywhere: so `schuh` finds a Laufschuh, and languages written without blanks can be searched. Case
is folded character by character (Unicode's simple folding: `ẞ` is `ß`, and neither is `ss`), so
another engine can do the very same by the spellings of each character.
"""

import re
from collections.abc import Iterator, Mapping
from functools import cache
from typing import Final

UNSTORABLE: Final = re.compile(r"[\x00\ud800-\udfff]")
"""What no text of ours may contain, since no database takes it: NUL, and halves of characters."""


def tidy_name(name: str) -> str:
    """The name with single spaces, none around it, and without what no database takes."""
    return " ".join(UNSTORABLE.sub(" ", name).split())


def squash(text: str) -> str:
    """A header or word without what partners vary: case, blanks, underscores and hyphens."""
    return text.strip(BLANKS).lower().translate(_DROPPED)


BLANKS: Final = (
    "\t\n\v\f\r \x85\xa0\u1680\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200a"
    "\u200b\u2028\u2029\u202f\u205f\u3000\ufeff"
)
"""The characters that are trimmed around a cell; one of nothing else is blank, that is missing."""
_DROPPED: Final = str.maketrans("", "", BLANKS + "_-")


_CASED_BELOW: Final = 0x1F000
"""No script beyond it has capitals."""
_BLANKS: Final = str.maketrans(dict.fromkeys(BLANKS, " "))


def words_of(text: str) -> tuple[str, ...]:
    """The words of a text, folded, each once."""
    return tuple(filter(None, dict.fromkeys(fold(text).translate(_BLANKS).split(" "))))


def fold(text: str) -> str:
    """The text as it is in any case."""
    return text.translate(_folded())


def spellings(word: str) -> Iterator[str]:
    """For each character of a folded word, all that it is in some case: `k` is `k`, `K` and `K`."""
    others = _others()
    return (character + others.get(character, "") for character in word)


@cache
def _folded() -> Mapping[int, str]:
    """What each character that changes becomes."""
    found = ((code, _fold(chr(code))) for code in range(_CASED_BELOW))
    return {code: folded for code, folded in found if folded != chr(code)}


def _fold(character: str) -> str:
    """Full folding makes several of some characters; those are but made small, if they can be."""
    made = (character.casefold(), character.lower(), character)
    return next(folded for folded in made if len(folded) == 1)


@cache
def _others() -> Mapping[str, str]:
    """The other spellings of each folded character that has any."""
    found: dict[str, str] = {}
    for code, folded in _folded().items():
        found[folded] = found.get(folded, "") + chr(code)
    return found
