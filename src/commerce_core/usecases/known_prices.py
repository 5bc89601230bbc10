"""Public prices of products that were computed before, for as long as they are right.

A price depends on the version of its product, on the revision of rules and lists, and on the moment
until it changes by itself.
"""

from datetime import datetime
from typing import Final

from attrs import define, field

from commerce_core.ports.rules import Revision
from commerce_core.pricing.public_price import Lasting, PublicPrice

MOST_KNOWN: Final = 40_000
"""Prices of each kind that a process keeps: those that were asked for last."""
Key = tuple[str, int, str]
"""The id of a product, its version, and the name of its partner, which rules may compare."""


@define
class Kept:
    """The prices of one revision that were asked for last, and the moment each was computed at.

    They are kept in two halves: a full one takes the place of the other.
    """

    _recent: dict[Key, tuple[datetime, Lasting]] = field(
        factory=dict[Key, tuple[datetime, Lasting]]
    )
    _earlier: dict[Key, tuple[datetime, Lasting]] = field(
        factory=dict[Key, tuple[datetime, Lasting]]
    )

    def get(self, key: Key, at: datetime) -> PublicPrice | None:
        """The price at that moment; None if it isn't known."""
        known = self._recent.get(key)
        if known is None:
            known = self._earlier.get(key)
            if known is None:
                return None
            self._keep(key, known)
        since, lasting = known
        right = since <= at and (lasting.until is None or at < lasting.until)
        return lasting.price if right else None

    def put(self, key: Key, at: datetime, lasting: Lasting) -> None:
        """Keeps a price that was computed at that moment."""
        self._keep(key, (at, lasting))

    def _keep(self, key: Key, known: tuple[datetime, Lasting]) -> None:
        if len(self._recent) >= MOST_KNOWN // 2:
            self._earlier, self._recent = self._recent, {}
        self._recent[key] = known


@define
class KnownPrices:
    """The prices of the latest revision: with what was before them, and without."""

    _kept: dict[bool, tuple[Revision, Kept]] = field(factory=dict[bool, tuple[Revision, Kept]])

    def of(self, revision: Revision, *, prior: bool) -> Kept:
        """Those of a revision; a new one begins without any."""
        known = self._kept.get(prior)
        if known is None or known[0] != revision:
            known = self._kept[prior] = revision, Kept()
        return known[1]
