"""Partners and API keys in memory."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime

from attrs import evolve, frozen

from adapters.memory.pages import by_id, page_of
from adapters.memory.tables import Tables, found
from commerce_core.base.paging import Page, Position
from commerce_core.partners.api_key import ApiKey
from commerce_core.partners.lookalikes import look_alike
from commerce_core.partners.partner import Partner, looks_taken, name_taken


@frozen
class Partners:
    """Implements `commerce_core.ports.partners.Partners`."""

    _kept: Tables

    def page(self, query: str | None, after: Position | None, limit: int) -> Page[Partner]:
        """Pages of partners."""
        rows = self._fitting(query)
        return page_of(rows, lambda p: by_id(p.partner_id), after, limit, descending=False)

    def count(self, query: str | None) -> int:
        """How many partners there are to see."""
        return len(self._fitting(query))

    def _fitting(self, query: str | None) -> list[Partner]:
        return [p for p in self._kept.partners.values() if query in (None, p.partner_id)]

    def add(self, partner: Partner) -> None:
        """Keeps a new partner."""
        self._check_name(partner, None)
        self._kept.partners[partner.partner_id] = partner

    def put(self, partner: Partner) -> None:
        """Replaces a partner."""
        before = self.get(partner.partner_id)
        if partner.partner_name != before.partner_name:
            self._check_name(partner, before)
        self._kept.partners[partner.partner_id] = partner

    def _check_name(self, partner: Partner, before: Partner | None) -> None:
        if self.find(partner.partner_name) not in (None, before):
            raise name_taken(partner)
        for other in self._kept.partners.values():
            if other != before and look_alike(partner.partner_name, other.partner_name):
                raise looks_taken(partner, other.partner_name)

    def get(self, partner_id: str) -> Partner:
        """The partner."""
        return found(self._kept.partners, partner_id, "partner")

    def lock_shared(self, partner_id: str) -> Partner:
        """The partner; no other unit is about."""
        return self.get(partner_id)

    def lock(self, partner_id: str) -> Partner:
        """The partner; no other unit is about."""
        return self.get(partner_id)

    def find(self, partner_name: str) -> Partner | None:
        """The partner of that name."""
        folded = partner_name.casefold()
        everyone = self._kept.partners.values()
        return next((p for p in everyone if p.partner_name.casefold() == folded), None)

    def names(self, partner_ids: Iterable[str]) -> Mapping[str, str]:
        """The names of these partners."""
        kept = self._kept.partners
        return {known: kept[known].partner_name for known in partner_ids if known in kept}


@frozen
class Keys:
    """Implements `commerce_core.ports.partners.Keys`."""

    _kept: Tables

    def page(self, query: str | None, after: Position | None, limit: int) -> Page[ApiKey]:
        """Pages of keys."""
        return page_of(self._fitting(query), lambda key: by_id(key.key_id), after, limit)

    def count(self, query: str | None) -> int:
        """How many keys there are to see."""
        return len(self._fitting(query))

    def _fitting(self, query: str | None) -> list[ApiKey]:
        return [key for key in self._kept.keys.values() if query in (None, key.partner_id)]

    def add(self, key: ApiKey) -> None:
        """Keeps a new key."""
        self._kept.keys[key.key_id] = key

    def put(self, key: ApiKey) -> None:
        """Replaces a key."""
        self.add(evolve(key, last_used_at=self.get(key.key_id).last_used_at))

    def get(self, key_id: str) -> ApiKey:
        """The key."""
        return found(self._kept.keys, key_id, "key")

    def lock(self, key_id: str) -> ApiKey:
        """The key; no other unit is about."""
        return self.get(key_id)

    def find(self, digest: bytes) -> ApiKey | None:
        """The key with this digest."""
        return next((key for key in self._kept.keys.values() if key.digest == digest), None)

    def note_use(self, key_id: str, at: datetime) -> None:
        """Notes a use of the key, at most once a minute."""
        key = self._kept.keys.get(key_id)
        if key is not None and key.is_due(at):
            self._kept.keys[key_id] = evolve(key, last_used_at=at)

    def revoke_of(self, partner_id: str, at: datetime) -> Sequence[str]:
        """Revokes the keys of a partner."""
        live = [key for key in self._fitting(partner_id) if key.revoked_at is None]
        for key in live:
            self._kept.keys[key.key_id] = evolve(key, revoked_at=at)
        return sorted(key.key_id for key in live)
