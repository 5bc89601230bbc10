"""Texts: which characters are blank, which can't be stored, and words to search by.

A word is a run of characters between blanks. A text contains it if it has those characters in a
row, anywhere: so `schuh` finds a Laufschuh, and languages written without blanks can be searched.
Case is folded character by character (Unicode's simple folding: `ẞ` is `ß`, and neither is `ss`),
so another engine can get the same results from the spellings of each character.
"""

import difflib
import re
import unicodedata
from collections.abc import Iterable, Iterator, Mapping
from functools import cache
from typing import Final

UNSTORABLE: Final = re.compile(r"[\x00\ud800-\udfff]")
"""Characters that can't be stored: NUL, and halves of surrogate pairs."""
_JOINERS: Final = "\u200c\u200d"
"""Not seen, and yet needed to write some languages."""
_FILLERS: Final = "\u115f\u1160\u2800\u3164\uffa0"
"""Letters and symbols that look like a blank."""


def tidy_name(name: str) -> str:
    """The name with single spaces, trimmed, and without characters that can't be stored."""
    return " ".join(UNSTORABLE.sub(" ", name).split())


def given_name(name: str) -> str:
    """A name that someone gives, as it is kept: tidy, and without characters that aren't seen.

    Blank if none of it is seen. Names that were given before this rule stay as they are.
    """
    shown = "".join(map(_shown, name))
    return tidy_name(shown) if any(map(_is_seen, shown)) else ""


def _shown(character: str) -> str:
    """The character; a blank for a control, and nothing for what only steers how others are set."""
    category = unicodedata.category(character)
    if category == "Cc":
        return " "
    return "" if category == "Cf" and character not in _JOINERS else character


def _is_seen(character: str) -> bool:
    """Whether a character is seen without others, as a mark isn't, nor a blank or a filler."""
    return unicodedata.category(character)[0] in "LNPS" and character not in _FILLERS


def squash(text: str) -> str:
    """A header or word without what partners vary: case, blanks, underscores and hyphens."""
    plain = text if text.isascii() else visible(composed(text))
    return plain.strip(BLANKS).lower().translate(_DROPPED)


def composed(text: str) -> str:
    """The text in Unicode's NFC: an accent and its letter are one character if there is one."""
    return text if text.isascii() else unicodedata.normalize("NFC", text)


def visible(text: str) -> str:
    """The text without invisible characters."""
    return text if text.isascii() else text.translate(_SEEN).strip(BLANKS)


def with_plain_blanks(text: str) -> str:
    """The text with a plain blank for each no-break blank, and for others of some width."""
    return text if text.isascii() else text.translate(_PLAIN_BLANKS)


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """A hint that names the known word that is most like another; blank if none is."""
    near = difflib.get_close_matches(name.lower(), list(known), n=1)
    return f" Did you mean {near[0]}?" if near else ""


BLANKS: Final = (
    "\t\n\v\f\r \x85\xa0\u1680\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200a"
    "\u200b\u2028\u2029\u202f\u205f\u3000\ufeff"
)
"""The characters trimmed around a cell; a cell of nothing else is blank, that is, missing."""
UNSEEN: Final = (
    "\xad\u034f\u061c\u180e\u200b\u200c\u200d\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2060"
    "\u2061\u2062\u2063\u2064\u2066\u2067\u2068\u2069\u206a\u206b\u206c\u206d\u206e\u206f\ufeff"
    "\ufff9\ufffa\ufffb" + "".join(map(chr, range(0xFE00, 0xFE10)))
)
"""Characters that are there and can't be seen: soft hyphens, joiners, marks of direction."""
_SEEN: Final = str.maketrans(dict.fromkeys(UNSEEN))
_WIDE_BLANKS: Final = "".join(b for b in BLANKS if b not in UNSEEN and b not in "\t\n\v\f\r\x85")
_PLAIN_BLANKS: Final = str.maketrans(dict.fromkeys(_WIDE_BLANKS, " "))
_DROPPED: Final = str.maketrans("", "", BLANKS + "_-")


_CASED_BELOW: Final = 0x1F000
"""No script at or above this code point has upper case."""
_BLANKS: Final = str.maketrans(dict.fromkeys(BLANKS, " "))


def words_of(text: str) -> tuple[str, ...]:
    """The distinct words of a text, case folded, in order."""
    return tuple(filter(None, dict.fromkeys(fold(text).translate(_BLANKS).split(" "))))


def fold(text: str) -> str:
    """The text with its case folded."""
    return text.translate(_folded())


def spellings(word: str) -> Iterator[str]:
    """For each character of a folded word, all that fold to it: `k`, `K` and the kelvin sign."""
    others = _others()
    return (character + others.get(character, "") for character in word)


@cache
def _folded() -> Mapping[int, str]:
    """What each character that folding changes becomes."""
    found = ((code, _fold(chr(code))) for code in range(_CASED_BELOW))
    return {code: folded for code, folded in found if folded != chr(code)}


def _fold(character: str) -> str:
    """Folds a character to one: lower-cased, or left alone, if full folding makes several."""
    candidates = (character.casefold(), character.lower(), character)
    return next(folded for folded in candidates if len(folded) == 1)


@cache
def _others() -> Mapping[str, str]:
    """The other spellings of each folded character that has any."""
    found: dict[str, str] = {}
    for code, folded in _folded().items():
        found[folded] = found.get(folded, "") + chr(code)
    return found
