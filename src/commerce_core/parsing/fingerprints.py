"""Fingerprints, which tell that a record was read before and would change nothing.

A fingerprint is 128 bits of a record's text and of all that decides what the text means. A product
keeps that of the record that wrote it last. If a file brings it again, under the same header,
profile and mode, reading the record would give what the catalog has already, so it isn't read.
Without fingerprints the results are the same, only slower.
"""

import hashlib
from collections.abc import Collection, Iterable, Sequence
from typing import Final, Protocol

from attrs import evolve, field, frozen

from commerce_core.parsing.record_reader import Terms

ALGORITHM: Final = 3
"""Goes up whenever reading changes what a record means; then nothing matches once."""

Fingerprint = tuple[int, int]
"""The upper and the lower 64 bits, each as a signed number, as a database keeps them."""


class FingerprintIndex(Protocol):
    """The fingerprints of a source's active products, numbered from 0; some may be unknown.

    An index may also give them as two 64 bit columns, `upper` and `lower`, in the order of their
    numbers, through the Arrow C stream protocol (`__arrow_c_stream__`).
    """

    def __len__(self) -> int:
        """How many numbers there are."""
        ...

    def number_of(self, fingerprint: Fingerprint) -> int | None:
        """The number of a fingerprint; None if no product has it."""
        ...

    def without(self, numbers: Collection[int]) -> "FingerprintIndex":
        """The same numbers, but these have no fingerprint any more."""
        ...


@frozen
class IndexedFingerprints:
    """The simplest `FingerprintIndex`: by number, None where a product has no fingerprint."""

    _numbers: dict[Fingerprint, int]
    _length: int

    @classmethod
    def of(cls, fingerprints: Iterable[Fingerprint | None]) -> "IndexedFingerprints":
        """Numbers them as they come."""
        listed = list(fingerprints)
        return cls({found: n for n, found in enumerate(listed) if found is not None}, len(listed))

    def __len__(self) -> int:
        return self._length

    def number_of(self, fingerprint: Fingerprint) -> int | None:
        """The number of a fingerprint."""
        return self._numbers.get(fingerprint)

    def without(self, numbers: Collection[int]) -> "IndexedFingerprints":
        """The same numbers, but these have no fingerprint any more."""
        kept = {found: n for found, n in self._numbers.items() if n not in numbers}
        return evolve(self, numbers=kept)


NO_FINGERPRINTS: Final = IndexedFingerprints.of(())


@frozen
class Fingerprinting:
    """Makes the fingerprints of one file's records.

    `key` stands for all that decides what a record's text means. It includes the engine's name,
    since engines may hash differently.
    """

    key: bytes = field(repr=False)

    @classmethod
    def of(
        cls, engine: str, header: Sequence[str], delimiter: str | None, terms: Terms
    ) -> "Fingerprinting":
        """For the records under that header, read under these terms (their profile in full)."""
        meaning = (
            engine,
            ALGORITHM,
            tuple(header),
            delimiter,
            terms.mode,
            terms.currency,
            str(terms.zone),
            terms.profile.spelled_out(),
        )
        return cls(hashlib.blake2b(repr(meaning).encode(), digest_size=32).digest())

    def __call__(self, sent: str) -> Fingerprint:
        """The fingerprint of a record's text, the end of its last line not included."""
        text = sent.rstrip("\r\n").encode(errors="surrogatepass")
        digest = hashlib.blake2b(text, digest_size=16, key=self.key).digest()
        return (
            int.from_bytes(digest[:8], signed=True),
            int.from_bytes(digest[8:], signed=True),
        )
