"""Secrets: how many are sealed under which key, and sealing those of a former key anew."""

from collections.abc import Iterator, Sequence
from typing import Final

from attrs import frozen

from commerce_core.base.errors import Unavailable
from commerce_core.ports.secrets import SECRET_KINDS, Sealed, SecretKind
from commerce_core.usecases.context import Context

MOST_AT_ONCE: Final = 200
"""How many owners' secrets are read, and sealed anew in one transaction."""
MOST_NAMED: Final = 20
"""How many owners of secrets that can't be opened are named."""


@frozen
class SecretCounts:
    """How many secrets are sealed under the key that seals now, and under a former one.

    Those that can't be opened are counted as `lost` only; `lost_of` names their first owners. The
    former keys are still needed until `former` is 0.
    """

    current: int
    former: int
    lost: int
    lost_of: tuple[str, ...] = ()


@frozen
class Secrets:
    """The stored secrets of alert channels, pulled sources and webhooks."""

    _context: Context

    def count(self) -> SecretCounts:
        """Opens every secret, and counts them by their key."""
        self._context.principal.require("keys:write")
        current = former = lost = 0
        lost_of: list[str] = []
        for page in self._pages():
            for owner in page:
                for text in owner.texts:
                    if self._opened(owner, text) is None:
                        lost += 1
                        lost_of.append(owner.owner_id)
                    elif self._context.vault.is_current(text):
                        current += 1
                    else:
                        former += 1
        return SecretCounts(current, former, lost, tuple(dict.fromkeys(lost_of))[:MOST_NAMED])

    def reseal(self) -> int:
        """Seals the secrets of former keys anew, and returns how many: workers do this.

        A secret that is changed meanwhile stays as it is then, until next time, and so does one
        that can't be opened, which `count` reports.
        """
        number = 0
        for page in self._pages():
            renewed = {
                owner.owner_id: texts for owner in page if (texts := self._sealed_anew(owner))
            }
            if renewed:
                with self._context.store.begin() as unit:
                    number += unit.secrets.replace(page[0].kind, renewed)
        return number

    def _sealed_anew(self, owner: Sealed) -> dict[str, str]:
        vault = self._context.vault
        return {
            text: vault.seal(secret, owner.about)
            for text in owner.texts
            if not vault.is_current(text) and (secret := self._opened(owner, text)) is not None
        }

    def _opened(self, owner: Sealed, text: str) -> str | None:
        try:
            return self._context.vault.open(text, owner.about)
        except Unavailable as refusal:
            if refusal.code in ("cannot_open", "vault_closed"):
                return None
            raise

    def _pages(self) -> Iterator[Sequence[Sealed]]:
        for kind in SECRET_KINDS:
            yield from self._pages_of(kind)

    def _pages_of(self, kind: SecretKind) -> Iterator[Sequence[Sealed]]:
        after: str | None = None
        while True:
            with self._context.store.read_only() as unit:
                page = unit.secrets.page(kind, after, MOST_AT_ONCE)
            if page:
                yield page
            if len(page) < MOST_AT_ONCE:
                return
            after = page[-1].owner_id
