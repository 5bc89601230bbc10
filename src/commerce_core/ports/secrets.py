"""Port: the sealed secrets of all nouns, for sealing them under another key of the vault."""

from collections.abc import Mapping, Sequence
from typing import Final, Literal, Protocol, get_args

from attrs import field, frozen

SecretKind = Literal["channel", "pull", "webhook"]
"""What has secrets: alert channels, pulled sources, webhooks."""
SECRET_KINDS: Final[tuple[SecretKind, ...]] = get_args(SecretKind)


@frozen
class Sealed:
    """The sealed secrets of one owner: a channel, a source or a webhook."""

    kind: SecretKind
    owner_id: str
    texts: tuple[str, ...] = field(repr=False)

    @property
    def about(self) -> str:
        """What they are sealed about."""
        return vault_name(self.kind, self.owner_id)


def vault_name(kind: SecretKind, owner_id: str) -> str:
    """What the secrets of that owner are sealed about."""
    return f"{kind}:{owner_id}"


class Secrets(Protocol):
    """All sealed secrets, wherever they are stored."""

    def page(self, kind: SecretKind, after: str | None, limit: int) -> Sequence[Sealed]:
        """The owners of that kind that have secrets, by id, after that id; at most `limit`."""
        ...

    def replace(self, kind: SecretKind, renewed: Mapping[str, Mapping[str, str]]) -> int:
        """Replaces sealed texts of owners, by id, each by another; returns how many were replaced.

        A text that its owner no longer has is left out, and so is one whose owner another unit is
        changing.
        """
        ...


class SecretsUnit(Protocol):
    """The part of a unit of work for sealed secrets."""

    @property
    def secrets(self) -> Secrets:
        """Sealed secrets of all nouns."""
        ...
