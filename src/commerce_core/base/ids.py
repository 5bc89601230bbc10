"""Identifiers: a prefix that names the kind, and a body that sorts by creation.

`prod_0199c2f4a1b07e3d8c215f60a9d2b4c7`: 32 hexadecimal digits, of which the first twelve are the
milliseconds since 1970 and the next three the microseconds beyond. The same 128 bits are a database
`uuid`, so a key costs sixteen bytes there and new keys always land at the end of their index.
"""

import re
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime, timedelta
from typing import Final, Literal

from commerce_core.base.errors import NotFound

Kind = Literal[
    "ptn",
    "src",
    "feed",
    "job",
    "prod",
    "pub",
    "ord",
    "item",
    "rule",
    "list",
    "wif",
    "bulk",
    "key",
    "ent",
    "evt",
    "ftch",
    "aud",
    "part",
    "ful",
    "rfnd",
    "stmt",
    "ses",
    "view",
    "hook",
    "dlv",
    "chan",
    "alrt",
]
Entropy = Callable[[int], bytes]
"""Returns that many random bytes."""

_BODY: Final = re.compile(r"[0-9a-f]{32}", re.ASCII)
_COUNTER_BITS: Final = 32
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
NOUNS: Final[Mapping[Kind, str]] = {
    "ptn": "partner",
    "src": "source",
    "feed": "feed",
    "job": "job",
    "prod": "product",
    "pub": "publication",
    "ord": "order",
    "item": "order item",
    "part": "part of an order",
    "ful": "fulfilment",
    "rfnd": "refund",
    "rule": "price rule",
    "list": "price list",
    "wif": "what-if run",
    "bulk": "bulk act",
    "key": "key",
    "ent": "ledger entry",
    "ses": "session",
    "view": "saved view",
    "evt": "event",
    "ftch": "fetch",
    "aud": "audit entry",
    "stmt": "statement",
    "hook": "webhook",
    "dlv": "delivery",
    "chan": "alert channel",
    "alrt": "alert",
}


def mint(kind: Kind, at: datetime, entropy: Entropy) -> str:
    """A new identifier; later ones sort after earlier ones, to the microsecond."""
    return f"{kind}_{_stamp(at)}{entropy(9).hex()[1:]}"


def mint_block(kind: Kind, at: datetime, entropy: Entropy) -> "Block":
    """A block of up to 2**32 consecutive identifiers, for a feed's new products."""
    return Block(kind, f"{_stamp(at)}{entropy(5).hex()[1:]}")


class Block:
    """Consecutive identifiers: a shared stem of 24 digits, and a counter of eight."""

    def __init__(self, kind: Kind, stem: str) -> None:
        """Starts at number 0; with the `stem`, a store can number rows by itself."""
        self.kind: Kind = kind
        self.stem = stem

    def __getitem__(self, number: int) -> str:
        """The identifier with that number, from 0."""
        if not 0 <= number < 1 << _COUNTER_BITS:
            raise IndexError(number)
        return f"{self.kind}_{self.stem}{number:08x}"

    def __iter__(self) -> Iterator[str]:
        """All identifiers, in order."""
        return (self[number] for number in range(1 << _COUNTER_BITS))


def parse(kind: Kind, text: str) -> str:
    """The identifier in its canonical spelling; NotFound if the text can't be one."""
    prefix, _, body = text.strip().lower().partition("_")
    if prefix != kind or not _BODY.fullmatch(body):
        noun = NOUNS[kind]
        article = "an" if noun[0] in "aeio" else "a"
        raise NotFound(
            f"{text[:80]!r} is not the id of {article} {noun}.",
            f"Such an id looks like {kind}_0199c2f4a1b07e3d8c215f60a9d2b4c7.",
            code="malformed_id",
        )
    return f"{prefix}_{body}"


def looks_like(kind: Kind, text: str) -> bool:
    """Whether the text is spelled like an identifier of this kind, rather than a name."""
    prefix, _, body = text.strip().lower().partition("_")
    return prefix == kind and _BODY.fullmatch(body) is not None


def _stamp(at: datetime) -> str:
    milliseconds, beyond = divmod(at - _EPOCH, timedelta(milliseconds=1))
    return f"{milliseconds:012x}{beyond.microseconds:03x}"
