"""Sealed secrets of all nouns in memory: the reference."""

from collections.abc import Iterator, Mapping, Sequence
from heapq import nsmallest
from operator import attrgetter

from attrs import evolve, frozen

from adapters.memory.tables import Tables
from commerce_core.ports.secrets import Sealed, SecretKind


@frozen
class Secrets:
    """Implements `commerce_core.ports.secrets.Secrets`."""

    _kept: Tables

    def page(self, kind: SecretKind, after: str | None, limit: int) -> Sequence[Sealed]:
        """Pages of owners."""
        rest = (o for o in self._owners(kind) if o.texts and (after is None or o.owner_id > after))
        return nsmallest(limit, rest, key=attrgetter("owner_id"))

    def _owners(self, kind: SecretKind) -> Iterator[Sealed]:
        match kind:
            case "channel":
                for channel in self._kept.channels.values():
                    yield Sealed(kind, channel.channel_id, _texts(channel.sealed))
            case "pull":
                for pull in self._kept.pulls.values():
                    yield Sealed(kind, pull.source_id, _texts(pull.sealed))
            case "webhook":
                for hook in self._kept.webhooks.values():
                    yield Sealed(kind, hook.webhook_id, tuple(s.sealed for s in hook.secrets))

    def replace(self, kind: SecretKind, renewed: Mapping[str, Mapping[str, str]]) -> int:
        """Replaces what is still there."""
        number = 0
        for owner in list(self._owners(kind)):
            texts = renewed.get(owner.owner_id, {})
            found = [text for text in owner.texts if text in texts]
            number += len(found)
            if found:
                self._put(owner, texts)
        return number

    def _put(self, owner: Sealed, texts: Mapping[str, str]) -> None:
        kept, owner_id = self._kept, owner.owner_id
        match owner.kind:
            case "channel":
                kept.channels[owner_id] = evolve(
                    kept.channels[owner_id], sealed=texts[owner.texts[0]]
                )
            case "pull":
                kept.pulls[owner_id] = evolve(kept.pulls[owner_id], sealed=texts[owner.texts[0]])
            case "webhook":
                webhook = kept.webhooks[owner_id]
                secrets = tuple(
                    evolve(s, sealed=texts.get(s.sealed, s.sealed)) for s in webhook.secrets
                )
                kept.webhooks[owner_id] = evolve(webhook, secrets=secrets)


def _texts(sealed: str | None) -> tuple[str, ...]:
    return () if sealed is None else (sealed,)
