"""What the bytes of a file are: compressed or not, and in which encoding.

An undeclared encoding can only be guessed. Guesses are for people: they show how the bytes would
read in each encoding, and loading never uses them.
"""

import codecs
import re
from collections.abc import Iterable, Iterator
from itertools import pairwise
from typing import BinaryIO, Final, Literal

from attrs import define, field

from commerce_core.doctor.diagnosis import Encoding, EncodingGuess
from commerce_core.parsing.decoding import unpacked

Container = Literal["gz", "zip", "none"]

_MARKS: Final = {
    codecs.BOM_UTF8: "utf-8",
    codecs.BOM_UTF16_LE: "utf-16",
    codecs.BOM_UTF16_BE: "utf-16",
}
_WEST: Final = "éèêëàâäáãåçñöôóòõüûúùïîíìœæøßÉÖÄÜÀÇØÅ€£°®©™\u2013—\u2019\u2018“”«»½¼²"
_EAST: Final = "ąćęłńóśźżčďěňřšťůžýáíéúőűöüăâîșțşţŠŽČŁŚŻ\u2013„”\u2019°"
_CYRILLIC: Final = "аеиоунстрвлкмдпяыьгзбчйхжшюцщэфёъіїєґАЕИОНСТРВКМДПБГ«»№\u2013"
_GREEK: Final = "αβγδεζηθικλμνξοπρσςτυφχψωάέήίόύώΑΕΗΙΟΥΩΚΠΤΣ"
_TURKISH: Final = "ğışçöüİŞĞÇÖÜâî\u2019\u2013"
_CANDIDATES: Final = {
    "cp1252": _WEST,
    "iso-8859-15": _WEST,
    "cp1250": _EAST,
    "iso-8859-2": _EAST,
    "cp1251": _CYRILLIC,
    "koi8-r": _CYRILLIC,
    "cp1253": _GREEK,
    "cp1254": _TURKISH,
    "mac-roman": _WEST,
    "cp850": _WEST,
}
"""The encodings to try, each with the characters that are usual in its texts."""
_WIDE: Final = ("shift_jis", "gb18030", "big5", "euc-kr")
_WIDE_CHARACTER: Final = re.compile(r"[\u3000-\u30ff\u4e00-\u9fff\uac00-\ud7af\uff00-\uff60]")
_SYLLABLE: Final = re.compile(r"[\u3040-\u30ff\uac00-\ud7af]")
_MOST_ODD_LINES: Final = 300
_LONGEST_LINE: Final = 500
_MOST_GUESSES: Final = 4
_SAMPLES: Final = 3
_AROUND: Final = 18
_ODD: Final = re.compile(r"[^\x00-\x7f]")


def container_of(stream: BinaryIO) -> Container:
    """How the file is compressed; leaves the stream at its beginning."""
    head = stream.read(4)
    stream.seek(0)
    if head.startswith(b"\x1f\x8b"):
        return "gz"
    return "zip" if head == b"PK\x03\x04" else "none"


@define
class _Survey:
    """What is known of the bytes seen so far."""

    ascii: bool = True
    utf8: bool = True
    odd_lines: list[bytes] = field(factory=list[bytes])
    seen: int = 0
    ended: bool = False
    _decoder: codecs.IncrementalDecoder = field(
        factory=lambda: codecs.getincrementaldecoder("utf-8")("strict")
    )

    def take(self, block: bytes, *, final: bool = False) -> None:
        """Examines the next bytes."""
        self.seen += len(block)
        if not block.isascii():
            self.ascii = False
            if len(self.odd_lines) < _MOST_ODD_LINES:
                self._keep_odd_lines(block)
        if self.utf8:
            try:
                self._decoder.decode(block, final=final)
            except UnicodeDecodeError:
                self.utf8 = False

    def _keep_odd_lines(self, block: bytes) -> None:
        odd = (line[:_LONGEST_LINE] for line in re.split(rb"[\r\n]+", block) if not line.isascii())
        self.odd_lines += [line for _, line in zip(range(_MOST_ODD_LINES), odd, strict=False)]


def survey_encoding(stream: BinaryIO, declared: str | None, most_bytes: int) -> Encoding:
    """The file's encoding, from its first bytes; FileRefused if it isn't text at all."""
    survey, head = _Survey(), b""
    blocks = unpacked(stream)
    for block in blocks:
        head = head or block[:8]
        survey.take(block)
        if survey.seen >= most_bytes:
            break
    else:
        survey.take(b"", final=True)
    for mark, name in _MARKS.items():
        if head.startswith(mark):
            return Encoding(name, "a byte order mark says so")
    if survey.ascii:
        return Encoding("utf-8", "it is all ASCII, which is also UTF-8")
    if survey.utf8:
        return Encoding("utf-8", "it has characters beyond ASCII, all of them valid UTF-8")
    guesses = guess_encodings(survey.odd_lines)
    if declared:
        return Encoding(declared, "it isn't UTF-8, and the profile declares this", guesses)
    return Encoding(None, "it isn't UTF-8, and nothing declares another encoding", guesses)


def guess_encodings(lines: Iterable[bytes]) -> tuple[EncodingGuess, ...]:
    """The encodings that can decode the lines, the likeliest first, one for each resulting text."""
    text = b"\n".join(lines)
    wide = sorted(
        (name for name in _WIDE if _is_wide(text, name)),
        key=lambda name: -len(_SYLLABLE.findall(_read(text, name) or "")),
    )
    scored = sorted(
        ((_score(read, usual), name, read) for name, usual in _CANDIDATES.items()
         if (read := _read(text, name)) is not None),
        key=lambda found: -found[0],
    )  # fmt: skip
    best = scored[0][0] if scored else 0.0
    close = [(name, read) for score, name, read in scored if score > 0 and score >= best / 2]
    likely = close or [(name, read) for _, name, read in scored[:_MOST_GUESSES]]
    likely = [*((name, _read(text, name) or "") for name in wide), *likely]
    by_text: dict[str, EncodingGuess] = {}
    for name, read in likely:
        by_text.setdefault(read, EncodingGuess(name, tuple(_samples(read))))
    return tuple(by_text.values())[:_MOST_GUESSES]


def _read(text: bytes, name: str) -> str | None:
    try:
        return text.decode(name)
    except UnicodeDecodeError:
        return None


def _is_wide(text: bytes, name: str) -> bool:
    read = _read(text, name) or ""
    odd = [character for character in read if not character.isascii()]
    fitting = sum(bool(_WIDE_CHARACTER.match(character)) for character in odd)
    # In Latin text, odd letters stand alone among ASCII; in these scripts they come in runs.
    together = len(re.findall(rf"{_WIDE_CHARACTER.pattern}{{2}}", read))
    return bool(odd) and fitting > 0.9 * len(odd) and together > 0.3 * len(odd)


def _score(text: str, usual: str) -> float:
    """How much the characters beyond ASCII look like parts of words."""
    odd = [(before, now) for before, now in pairwise(f" {text}") if not now.isascii()]
    if not odd:
        return 0.0
    points = sum(_points(before, now, usual) for before, now in odd)
    return points / len(odd)


def _points(before: str, now: str, usual: str) -> float:
    if now < "\xa0":
        return -4.0
    base = 2.0 if now in usual else 0.3 if now.isalpha() else -0.5
    odd_case = now.isupper() and before.islower()
    other_script = now >= "\u0370" and now.isalpha() and before.isascii() and before.isalpha()
    inside = not now.isalpha() and before.isalpha() and now not in "\u2019®™°²"
    return base - 2.0 * odd_case - 4.0 * other_script - inside


def _samples(text: str) -> Iterator[str]:
    """A few places where the text isn't ASCII, each in a line with its surroundings."""
    seen: set[str] = set()
    for line in text.splitlines():
        found = next((f for f in _ODD.finditer(line) if f[0] not in seen), None)
        if found and len(seen) < _SAMPLES:
            seen.add(found[0])
            yield line[max(0, found.start() - _AROUND) : found.end() + _AROUND].strip()
