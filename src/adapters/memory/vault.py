"""A vault in the memory of one process: what it sealed it remembers, and the text is a token."""

from threading import Lock

from attrs import define, field

from commerce_core.base.errors import InvalidInput
from commerce_core.ports.vault import LONGEST_SECRET, cannot_open


@define
class MemoryVault:
    """Implements `commerce_core.ports.vault.Vault`; its secrets are lost with the process."""

    _sealed: dict[str, tuple[str, str]] = field(
        factory=dict[str, tuple[str, str]], init=False, repr=False
    )
    _lock: Lock = field(factory=Lock, init=False)

    def seal(self, plain: str, about: str) -> str:
        """A new token."""
        if len(plain) > LONGEST_SECRET:
            detail = f"A secret has at most {LONGEST_SECRET:,} characters."
            raise InvalidInput.at("/secret", "secret_too_long", detail)
        with self._lock:
            token = f"v1.memory.{len(self._sealed)}"
            self._sealed[token] = (plain, about)
        return token

    def open(self, sealed: str, about: str) -> str:
        """What the token stands for."""
        plain, bound = self._sealed.get(sealed, ("", None))
        if bound != about:
            raise cannot_open("it isn't one of this vault, about that")
        return plain

    def is_current(self, sealed: str) -> bool:
        """True: there is one key."""
        return sealed in self._sealed
