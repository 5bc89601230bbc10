"""Partners, their sources, and API keys in PostgreSQL."""

from collections.abc import Iterable, Mapping, Sequence
from operator import attrgetter
from typing import Any, Final

import psycopg
from attrs import frozen

from adapters.postgres.documents import document, read_as
from adapters.postgres.pages import Condition, ListById, asked, count
from adapters.postgres.rows import (
    Connection,
    digits,
    fetch,
    fetch_one,
    found,
    maybe_digits,
    params_of,
    rows_of,
)
from commerce_core.errors import Conflict
from commerce_core.paging import Page, Position
from commerce_core.partners import ApiKey, Partner, Source
from commerce_core.profiles import UNPROFILED, Profile, SavedProfile

_PARTNERS: Final = rows_of(Partner)
_SOURCES: Final = rows_of(Source)
_PROFILES: Final = rows_of(SavedProfile, profile=read_as(Profile))
_KEYS: Final = rows_of(ApiKey, scopes=tuple)

_SELECT_PARTNERS: Final = """
    SELECT partner_id, partner_name, status, currency, time_zone, contact_email, created_at,
           updated_at
    FROM partners"""
_SELECT_SOURCES: Final = """
    SELECT source_id, partner_id, source_name, mode, created_at
    FROM sources"""
_SELECT_KEYS: Final = """
    SELECT key_id, partner_id, scopes, created_at, revoked_at, digest
    FROM api_keys"""

_PARTNER_LIST: Final = ListById(
    _PARTNERS, _SELECT_PARTNERS, "partner_id", attrgetter("partner_id"), newest_first=False
)
_KEY_LIST: Final = ListById(_KEYS, _SELECT_KEYS, "key_id", attrgetter("key_id"))


def _own(partner_id: str | None) -> Sequence[Condition]:
    """The condition of a query that names the only partner to see, or none."""
    return asked("partner_id = %s", maybe_digits(partner_id))


@frozen
class Partners:
    """Implements `commerce_core.ports.Partners`."""

    _db: Connection

    def page(self, query: str | None, after: Position | None, limit: int) -> Page[Partner]:
        """Pages of partners."""
        return _PARTNER_LIST.page(self._db, _own(query), after, limit)

    def count(self, query: str | None) -> int:
        """How many partners there are to see."""
        return count(self._db, "partners", _own(query))

    def add(self, partner: Partner) -> None:
        """Keeps a new partner."""
        added = self._db.execute(
            """
            INSERT INTO partners (partner_id, partner_name, name_key, status, currency, time_zone,
                                  contact_email, created_at, updated_at)
            VALUES (%(partner_id)s, %(partner_name)s, %(name_key)s, %(status)s, %(currency)s,
                    %(time_zone)s, %(contact_email)s, %(created_at)s, %(updated_at)s)
            ON CONFLICT (name_key) DO NOTHING
            """,
            _partner_params(partner),
        )
        if not added.rowcount:
            raise _name_taken(partner)

    def put(self, partner: Partner) -> None:
        """Replaces a partner."""
        try:
            with self._db.transaction():
                changed = self._db.execute(
                    """
                    UPDATE partners
                    SET partner_name = %(partner_name)s, name_key = %(name_key)s,
                        status = %(status)s, currency = %(currency)s, time_zone = %(time_zone)s,
                        contact_email = %(contact_email)s, updated_at = %(updated_at)s
                    WHERE partner_id = %(partner_id)s
                    RETURNING partner_id
                    """,
                    _partner_params(partner),
                ).fetchone()
        except psycopg.errors.UniqueViolation as error:
            raise _name_taken(partner) from error
        found(changed, "partner", partner.partner_id)

    def get(self, partner_id: str) -> Partner:
        """The partner."""
        query = f"{_SELECT_PARTNERS} WHERE partner_id = %s"
        row = fetch_one(self._db, _PARTNERS, query, [digits(partner_id)])
        return found(row, "partner", partner_id)

    def find(self, partner_name: str) -> Partner | None:
        """The partner of that name."""
        query = f"{_SELECT_PARTNERS} WHERE name_key = %s"
        return fetch_one(self._db, _PARTNERS, query, [partner_name.casefold()])

    def names(self, partner_ids: Iterable[str]) -> Mapping[str, str]:
        """The names of these partners."""
        query = f"{_SELECT_PARTNERS} WHERE partner_id = ANY(%s::uuid[])"
        rows = fetch(self._db, _PARTNERS, query, [[digits(id_) for id_ in partner_ids]])
        return {partner.partner_id: partner.partner_name for partner in rows}


def _partner_params(partner: Partner) -> dict[str, Any]:
    # Folded here, since lower() of PostgreSQL depends on its locale and folds fewer letters.
    return params_of(partner) | {"name_key": partner.partner_name.casefold()}


def _name_taken(partner: Partner) -> Conflict:
    return Conflict(
        f"There already is a partner named {partner.partner_name!r}.",
        "Names are unique without regard to case; choose another.",
        code="partner_name_taken",
    )


@frozen
class Sources:
    """Implements `commerce_core.ports.Sources`."""

    _db: Connection

    def add(self, source: Source) -> None:
        """Keeps a new source."""
        added = self._db.execute(
            """
            INSERT INTO sources (partner_id, source_name, source_id, mode, created_at)
            VALUES (%(partner_id)s, %(source_name)s, %(source_id)s, %(mode)s, %(created_at)s)
            ON CONFLICT (partner_id, source_name) DO NOTHING
            """,
            params_of(source),
        )
        if not added.rowcount:
            raise Conflict(
                f"The partner already has a source named {source.source_name!r}.",
                "Choose another name.",
                code="source_name_taken",
            )

    def get(self, source_id: str) -> Source:
        """The source."""
        query = f"{_SELECT_SOURCES} WHERE source_id = %s"
        return found(fetch_one(self._db, _SOURCES, query, [digits(source_id)]), "source", source_id)

    def find(self, partner_id: str, source_name: str) -> Source | None:
        """The partner's source of that name."""
        query = f"{_SELECT_SOURCES} WHERE partner_id = %s AND source_name = %s"
        return fetch_one(self._db, _SOURCES, query, [digits(partner_id), source_name])

    def of(self, partner_id: str) -> Sequence[Source]:
        """All sources of a partner."""
        query = f"{_SELECT_SOURCES} WHERE partner_id = %s ORDER BY source_name"
        return fetch(self._db, _SOURCES, query, [digits(partner_id)])

    def profile(self, source_id: str) -> SavedProfile:
        """The latest version of the source's profile."""
        saved = fetch_one(
            self._db,
            _PROFILES,
            """
            SELECT version, profile, author, saved_at
            FROM source_profiles
            WHERE source_id = %s
            ORDER BY version DESC
            LIMIT 1
            """,
            [digits(source_id)],
        )
        return saved or UNPROFILED

    def save_profile(self, source_id: str, saved: SavedProfile) -> None:
        """Keeps a new version."""
        added = self._db.execute(
            """
            INSERT INTO source_profiles (source_id, version, profile, author, saved_at)
            VALUES (%s, %s, %s, %s, %s)
            ON CONFLICT (source_id, version) DO NOTHING
            """,
            [
                digits(source_id),
                saved.version,
                document(saved.profile),
                saved.author,
                saved.saved_at,
            ],
        )
        if not added.rowcount:
            raise Conflict(
                f"Version {saved.version} of the profile has been saved by somebody else.",
                "Look at it, and save yours again.",
                code="profile_changed",
            )


@frozen
class Keys:
    """Implements `commerce_core.ports.Keys`."""

    _db: Connection

    def page(self, query: str | None, after: Position | None, limit: int) -> Page[ApiKey]:
        """Pages of keys."""
        return _KEY_LIST.page(self._db, _own(query), after, limit)

    def count(self, query: str | None) -> int:
        """How many keys there are to see."""
        return count(self._db, "api_keys", _own(query))

    def add(self, key: ApiKey) -> None:
        """Keeps a new key."""
        self._db.execute(
            """
            INSERT INTO api_keys (key_id, partner_id, scopes, created_at, revoked_at, digest)
            VALUES (%(key_id)s, %(partner_id)s, %(scopes)s, %(created_at)s, %(revoked_at)s,
                    %(digest)s)
            """,
            params_of(key),
        )

    def put(self, key: ApiKey) -> None:
        """Replaces a key."""
        changed = self._db.execute(
            """
            UPDATE api_keys
            SET scopes = %(scopes)s, revoked_at = %(revoked_at)s
            WHERE key_id = %(key_id)s
            RETURNING key_id
            """,
            params_of(key),
        ).fetchone()
        found(changed, "key", key.key_id)

    def get(self, key_id: str) -> ApiKey:
        """The key."""
        query = f"{_SELECT_KEYS} WHERE key_id = %s"
        return found(fetch_one(self._db, _KEYS, query, [digits(key_id)]), "key", key_id)

    def find(self, digest: bytes) -> ApiKey | None:
        """The key with this digest."""
        return fetch_one(self._db, _KEYS, f"{_SELECT_KEYS} WHERE digest = %s", [digest])
