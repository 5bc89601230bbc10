"""Partners and API keys in memory."""

from collections.abc import Iterable, Mapping

from attrs import frozen

from adapters.memory.pages import by_id, page_of
from adapters.memory.tables import Tables, found
from commerce_core.base.paging import Page, Position
from commerce_core.partners.access import ApiKey
from commerce_core.partners.partner import Partner, name_taken


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
        if self.find(partner.partner_name):
            raise name_taken(partner)
        self._kept.partners[partner.partner_id] = partner

    def put(self, partner: Partner) -> None:
        """Replaces a partner."""
        before = self.get(partner.partner_id)
        if self.find(partner.partner_name) not in (None, before):
            raise name_taken(partner)
        self._kept.partners[partner.partner_id] = partner

    def get(self, partner_id: str) -> Partner:
        """The partner."""
        return found(self._kept.partners, partner_id, "partner")

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
        self.get(key.key_id)
        self.add(key)

    def get(self, key_id: str) -> ApiKey:
        """The key."""
        return found(self._kept.keys, key_id, "key")

    def find(self, digest: bytes) -> ApiKey | None:
        """The key with this digest."""
        return next((key for key in self._kept.keys.values() if key.digest == digest), None)
