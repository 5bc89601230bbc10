"""Words: what is in a text when one searches it, whatever the case.

A word is what stands between blanks. It is in a text that has its characters one after the other,
anywhere: so `schuh` finds a Laufschuh, and languages that write no blanks can be searched. Case is
folded character by character (Unicode's simple folding: `ẞ` is `ß`, and neither is `ss`), so
whatever searches elsewhere can do the very same by the spellings of each character.
"""

from collections.abc import Iterator, Mapping
from functools import cache
from typing import Final

from commerce_core.feed_schema import BLANKS

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
