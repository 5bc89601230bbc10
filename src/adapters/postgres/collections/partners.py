"""Partners and API keys in PostgreSQL."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from operator import attrgetter
from typing import Any, Final, LiteralString

import psycopg
from attrs import frozen

from adapters.postgres.collections.listing import ListById, count, own
from adapters.postgres.connection.locks import lock_names_of_partners
from adapters.postgres.connection.rows import (
    Connection,
    digits,
    fetch,
    fetch_by_id,
    fetch_one,
    found,
    params_of,
    prefixed,
    rows_of,
)
from commerce_core.base.paging import Page, Position
from commerce_core.partners.api_key import USE_NOTED_EVERY, ApiKey
from commerce_core.partners.lookalikes import look_alike, skeletons
from commerce_core.partners.partner import Partner, looks_taken, name_taken

_PARTNERS: Final = rows_of(Partner)
_KEYS: Final = rows_of(ApiKey, scopes=tuple)
_key_id: Final = prefixed("key")

_SELECT_PARTNERS: Final = """
    SELECT partner_id, partner_name, status, currency, time_zone, contact_email, created_at,
           updated_at
    FROM partners"""
_SELECT_KEYS: Final = """
    SELECT key_id, partner_id, scopes, created_at, revoked_at, digest, key_name, expires_at,
           last_used_at, successor_id
    FROM api_keys"""

_PARTNER_LIST: Final = ListById(
    _PARTNERS, _SELECT_PARTNERS, "partner_id", attrgetter("partner_id"), newest_first=False
)
_KEY_LIST: Final = ListById(_KEYS, _SELECT_KEYS, "key_id", attrgetter("key_id"))


@frozen
class Partners:
    """Implements `commerce_core.ports.partners.Partners`."""

    _db: Connection

    def page(self, query: str | None, after: Position | None, limit: int) -> Page[Partner]:
        """Pages of partners."""
        return _PARTNER_LIST.page(self._db, own(query), after, limit)

    def count(self, query: str | None) -> int:
        """How many partners there are to see."""
        return count(self._db, "partners", own(query))

    def add(self, partner: Partner) -> None:
        """Keeps a new partner."""
        self._check_looks(partner)
        added = self._db.execute(
            """
            INSERT INTO partners (partner_id, partner_name, name_key, name_skeletons, status,
                                  currency, time_zone, contact_email, created_at, updated_at)
            VALUES (%(partner_id)s, %(partner_name)s, %(name_key)s, %(name_skeletons)s, %(status)s,
                    %(currency)s, %(time_zone)s, %(contact_email)s, %(created_at)s, %(updated_at)s)
            ON CONFLICT (name_key) DO NOTHING
            """,
            _partner_params(partner),
        )
        if not added.rowcount:
            raise name_taken(partner)

    def put(self, partner: Partner) -> None:
        """Replaces a partner."""
        if self.get(partner.partner_id).partner_name != partner.partner_name:
            self._check_looks(partner)
        try:
            with self._db.transaction():
                changed = self._db.execute(
                    """
                    UPDATE partners
                    SET partner_name = %(partner_name)s, name_key = %(name_key)s,
                        name_skeletons = %(name_skeletons)s, status = %(status)s,
                        currency = %(currency)s, time_zone = %(time_zone)s,
                        contact_email = %(contact_email)s, updated_at = %(updated_at)s
                    WHERE partner_id = %(partner_id)s
                    RETURNING partner_id
                    """,
                    _partner_params(partner),
                ).fetchone()
        except psycopg.errors.UniqueViolation as error:
            raise name_taken(partner) from error
        found(changed, "partner", partner.partner_id)

    def _check_looks(self, partner: Partner) -> None:
        """Conflict if the name looks like another's; until the unit ends, no name is taken."""
        lock_names_of_partners(self._db)
        # Names that an earlier version has kept have no skeletons, and are judged one by one.
        rows = self._db.execute(
            """
            SELECT partner_name
            FROM partners
            WHERE (name_skeletons && %(name_skeletons)s::text[] OR name_skeletons IS NULL)
              AND partner_id <> %(partner_id)s AND name_key <> %(name_key)s
            ORDER BY partner_id
            """,
            _partner_params(partner),
        )
        for (name,) in rows:
            if look_alike(partner.partner_name, name):
                raise looks_taken(partner, name)

    def get(self, partner_id: str) -> Partner:
        """The partner."""
        return self._one(f"{_SELECT_PARTNERS} WHERE partner_id = %s", partner_id)

    def lock_shared(self, partner_id: str) -> Partner:
        """The partner, which can't be changed until this unit ends."""
        return self._one(f"{_SELECT_PARTNERS} WHERE partner_id = %s FOR SHARE", partner_id)

    def lock(self, partner_id: str) -> Partner:
        """The partner, locked until this unit ends."""
        query: LiteralString = f"{_SELECT_PARTNERS} WHERE partner_id = %s FOR NO KEY UPDATE"
        return self._one(query, partner_id)

    def _one(self, query: LiteralString, partner_id: str) -> Partner:
        return fetch_by_id(self._db, _PARTNERS, query, "partner", partner_id)

    def find(self, partner_name: str) -> Partner | None:
        """The partner with that name."""
        query = f"{_SELECT_PARTNERS} WHERE name_key = %s"
        return fetch_one(self._db, _PARTNERS, query, [partner_name.casefold()])

    def names(self, partner_ids: Iterable[str]) -> Mapping[str, str]:
        """The names of these partners."""
        query = f"{_SELECT_PARTNERS} WHERE partner_id = ANY(%s::uuid[])"
        rows = fetch(self._db, _PARTNERS, query, [[digits(id_) for id_ in partner_ids]])
        return {partner.partner_id: partner.partner_name for partner in rows}


def _partner_params(partner: Partner) -> dict[str, Any]:
    # Folded here, since lower() of PostgreSQL depends on its locale and folds fewer letters.
    name = partner.partner_name
    folded = {"name_key": name.casefold(), "name_skeletons": list(skeletons(name))}
    return params_of(partner) | folded


@frozen
class Keys:
    """Implements `commerce_core.ports.partners.Keys`."""

    _db: Connection

    def page(self, query: str | None, after: Position | None, limit: int) -> Page[ApiKey]:
        """Pages of keys."""
        return _KEY_LIST.page(self._db, own(query), after, limit)

    def count(self, query: str | None) -> int:
        """How many keys there are to see."""
        return count(self._db, "api_keys", own(query))

    def add(self, key: ApiKey) -> None:
        """Keeps a new key."""
        self._db.execute(
            """
            INSERT INTO api_keys (key_id, partner_id, scopes, created_at, revoked_at, digest,
                                  key_name, expires_at, last_used_at, successor_id)
            VALUES (%(key_id)s, %(partner_id)s, %(scopes)s, %(created_at)s, %(revoked_at)s,
                    %(digest)s, %(key_name)s, %(expires_at)s, %(last_used_at)s, %(successor_id)s)
            """,
            params_of(key),
        )

    def put(self, key: ApiKey) -> None:
        """Replaces a key."""
        changed = self._db.execute(
            """
            UPDATE api_keys
            SET scopes = %(scopes)s, revoked_at = %(revoked_at)s, key_name = %(key_name)s,
                expires_at = %(expires_at)s, successor_id = %(successor_id)s
            WHERE key_id = %(key_id)s
            RETURNING key_id
            """,
            params_of(key),
        ).fetchone()
        found(changed, "key", key.key_id)

    def get(self, key_id: str) -> ApiKey:
        """The key."""
        query = f"{_SELECT_KEYS} WHERE key_id = %s"
        return fetch_by_id(self._db, _KEYS, query, "key", key_id)

    def lock(self, key_id: str) -> ApiKey:
        """The key, locked until this unit ends."""
        query = f"{_SELECT_KEYS} WHERE key_id = %s FOR NO KEY UPDATE"
        return fetch_by_id(self._db, _KEYS, query, "key", key_id)

    def find(self, digest: bytes) -> ApiKey | None:
        """The key with this digest."""
        return fetch_one(self._db, _KEYS, f"{_SELECT_KEYS} WHERE digest = %s", [digest])

    def note_use(self, key_id: str, at: datetime) -> None:
        """Notes a use of the key, at most once a minute."""
        self._db.execute(
            """
            UPDATE api_keys
            SET last_used_at = %(at)s
            WHERE key_id = (
                SELECT key_id
                FROM api_keys
                WHERE key_id = %(key_id)s AND (last_used_at IS NULL OR last_used_at <= %(due)s)
                FOR NO KEY UPDATE SKIP LOCKED
            )
            """,
            {"at": at, "due": at - USE_NOTED_EVERY, "key_id": digits(key_id)},
        )

    def revoke_of(self, partner_id: str, at: datetime) -> Sequence[str]:
        """Revokes the keys of a partner."""
        rows = self._db.execute(
            """
            UPDATE api_keys
            SET revoked_at = %s
            WHERE partner_id = %s AND revoked_at IS NULL
            RETURNING key_id
            """,
            [at, digits(partner_id)],
        )
        return sorted(_key_id(row[0]) for row in rows)
