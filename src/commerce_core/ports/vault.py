"""What the core needs to keep secrets of others: sealing, and opening what was sealed."""

from typing import Final, Protocol

from commerce_core.base.errors import Unavailable

LONGEST_SECRET: Final = 16_384
"""Characters of a secret; a private key has some thousand."""


class Vault(Protocol):
    """Seals secrets for storage. What is sealed names its key in front, so keys can be rotated."""

    def seal(self, plain: str, about: str) -> str:
        """The secret as text that only this vault can open; each time another text.

        `about` names what the secret belongs to. It isn't secret, but must be passed to `open`
        unchanged: a sealed text that was moved elsewhere doesn't open. InvalidInput if the secret
        is longer than LONGEST_SECRET; Unavailable if there is no key, or it can't be reached.
        """
        ...

    def open(self, sealed: str, about: str) -> str:
        """The secret again.

        Unavailable, code `cannot_open`, if its key isn't here, if it was sealed about something
        else, or if it was changed.
        """
        ...

    def is_current(self, sealed: str) -> bool:
        """Whether it was sealed with the key that seals now; if not, seal it again when you can."""
        ...


class Closed:
    """The vault of a platform that has no key: it refuses everything, and its reason says why."""

    def seal(self, plain: str, about: str) -> str:  # noqa: ARG002
        """Refused."""
        raise _closed()

    def open(self, sealed: str, about: str) -> str:  # noqa: ARG002
        """Refused."""
        raise _closed()

    def is_current(self, sealed: str) -> bool:  # noqa: ARG002
        """True, since nothing could be sealed better."""
        return True


def _closed() -> Unavailable:
    return Unavailable(
        "There is no key to seal secrets with.",
        "Set vault_keys, the same for all processes of the platform.",
        "The platform can't store secrets: it has no key for them.",
        code="vault_closed",
    )


def cannot_open(why: str) -> Unavailable:
    """The refusal of a sealed text that doesn't open."""
    return Unavailable(
        f"A stored secret can't be opened: {why}.",
        "Add the key that it was sealed with to vault_keys, or set the secret again.",
        "A stored secret can't be opened.",
        code="cannot_open",
    )
