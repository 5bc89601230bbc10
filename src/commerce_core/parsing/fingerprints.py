"""Fingerprints, which tell that a record was read before and would change nothing.

A fingerprint is 128 bits of a record's text and of all that decides what the text means (see
`meaning`). A product keeps that of the record that wrote it last. If a file brings it again, and it
means the same there, reading the record would give what the catalog has already, so it isn't read.
Without fingerprints the results are the same, only slower.

A record with warnings is matched too, and they are reported again. So its fingerprint has them: a
code, which says how often it has each warning, flips the lowest bits of the hash of its text.

    hash of the text ^ code of the warnings ──> fingerprint, kept with the product
    fingerprint ^ hash of the same text     ──> code of the warnings
"""

import hashlib
from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Final, Protocol

from attrs import evolve, field, frozen

from commerce_core.schema.problems import Problem

ALGORITHM: Final = 6
"""Goes up whenever reading changes what a record means; then nothing matches once."""

Fingerprint = tuple[int, int]
"""The upper and the lower 64 bits, each as a signed number, as a database keeps them."""

Match = tuple[int, int]
"""The number of a fingerprint in an index, and the code of its record's warnings, 0 if none."""


@frozen
class Renewed:
    """Matched records that will be matched by another text from now on, in any order.

    By column: the numbers that they matched, and the halves of the fingerprints that they have now.
    """

    numbers: Sequence[int] = ()
    upper: Sequence[int] = ()
    lower: Sequence[int] = ()


NONE_RENEWED: Final = Renewed()
REMEMBERED: Final = (
    "exponent_number",
    "negative_quantity",
    "gtin_check_digit",
    "sale_not_below_price",
    "sale_ends_before_start",
    "thousands_or_decimals",
    "sale_price_of_zero",
    "several_urls",
    "invisible_characters",
    "shortened_sku",
    "spreadsheet_error_ignored",
    "spreadsheet_text",
    "sale_period_unread",
)
"""The warnings that codes have a place for, in the order of their places. Databases have these
codes, so others are only ever added at the end; a version that doesn't know them matches no record
that has one. A record with any other problem has no fingerprint."""
MOST_REMEMBERED: Final = 15
"""Warnings that a record with a fingerprint can have."""
_BITS: Final = MOST_REMEMBERED.bit_length()
CODES: Final = 1 << _BITS * len(REMEMBERED)
"""Codes are less than this."""
CODE_OF: Final[Mapping[str, int]] = {
    warning: 1 << _BITS * place for place, warning in enumerate(REMEMBERED)
}
"""The code of a record that has one warning; those of several are the sum."""


def with_warnings(text: Fingerprint, problems: Sequence[Problem]) -> Fingerprint | None:
    """The fingerprint of a record, by the hash of its text; None if it can't have one."""
    codes = [CODE_OF.get(problem.code) for problem in problems]
    if None in codes or len(codes) > MOST_REMEMBERED:
        return None
    upper, lower = text
    return upper, lower ^ sum(filter(None, codes))


def warnings_of(code: int) -> Counter[str]:
    """How often a record with this code has each warning."""
    times = {warning: code // one & MOST_REMEMBERED for warning, one in CODE_OF.items()}
    return +Counter(times)


class FingerprintIndex(Protocol):
    """The fingerprints of a source's active products, numbered from 0; some may be unknown.

    An index may also give them as two 64 bit columns, `upper` and `lower`, in the order of their
    numbers, through the Arrow C stream protocol (`__arrow_c_stream__`).
    """

    def __len__(self) -> int:
        """How many numbers there are."""
        ...

    def match(self, text: Fingerprint) -> Match | None:
        """What the hash of a record's text matches; None if no product has been written by it."""
        ...

    def without(self, numbers: Collection[int]) -> "FingerprintIndex":
        """The same numbers, but these have no fingerprint any more."""
        ...


@frozen
class IndexedFingerprints:
    """The simplest `FingerprintIndex`: by number, None where a product has no fingerprint."""

    _matches: dict[tuple[int, int], tuple[int, int]]
    _length: int

    @classmethod
    def of(cls, fingerprints: Iterable[Fingerprint | None]) -> "IndexedFingerprints":
        """Numbers them as they come."""
        listed = list(fingerprints)
        numbered = ((n, *found) for n, found in enumerate(listed) if found is not None)
        matches = {(upper, lower // CODES): (number, lower) for number, upper, lower in numbered}
        return cls(matches, len(listed))

    def __len__(self) -> int:
        return self._length

    def match(self, text: Fingerprint) -> Match | None:
        """What the hash of a record's text matches."""
        upper, lower = text
        number, kept = self._matches.get((upper, lower // CODES), (None, 0))
        return None if number is None else (number, kept ^ lower)

    def without(self, numbers: Collection[int]) -> "IndexedFingerprints":
        """The same numbers, but these have no fingerprint any more."""
        kept = {found: one for found, one in self._matches.items() if one[0] not in numbers}
        return evolve(self, matches=kept)


NO_FINGERPRINTS: Final = IndexedFingerprints.of(())


@frozen
class Fingerprinting:
    """Makes the fingerprints of one file's records.

    `key` stands for all that decides what a record's text means. It includes the engine's name,
    since engines may hash differently.
    """

    key: bytes = field(repr=False)

    @classmethod
    def of(cls, engine: str, meaning: str) -> "Fingerprinting":
        """For the records of a file whose texts have that meaning."""
        decisive = repr((engine, ALGORITHM, meaning))
        return cls(hashlib.blake2b(decisive.encode(), digest_size=32).digest())

    def __call__(self, sent: str) -> Fingerprint:
        """The hash of a record's text, the end of its last line not included."""
        text = sent.rstrip("\r\n").encode(errors="surrogatepass")
        digest = hashlib.blake2b(text, digest_size=16, key=self.key).digest()
        return (
            int.from_bytes(digest[:8], signed=True),
            int.from_bytes(digest[8:], signed=True),
        )
