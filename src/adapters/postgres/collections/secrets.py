"""Sealed secrets of all nouns in PostgreSQL."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, LiteralString

from attrs import frozen

from adapters.postgres.connection.rows import Connection, digits, fetch, maybe_digits, rows_of
from commerce_core.ports.secrets import Sealed, SecretKind

_PAGES: Final[Mapping[SecretKind, LiteralString]] = {
    "channel": """
        SELECT channel_id, ARRAY[sealed] AS texts
        FROM alert_channels
        WHERE sealed IS NOT NULL AND (channel_id > %(after)s OR %(after)s::uuid IS NULL)
        ORDER BY channel_id
        LIMIT %(limit)s
        """,
    "pull": """
        SELECT source_id, ARRAY[sealed] AS texts
        FROM pulls
        WHERE sealed IS NOT NULL AND (source_id > %(after)s OR %(after)s::uuid IS NULL)
        ORDER BY source_id
        LIMIT %(limit)s
        """,
    "webhook": """
        SELECT webhook_id,
               ARRAY(SELECT secret ->> 'sealed' FROM jsonb_array_elements(secrets) AS secret)
               AS texts
        FROM webhooks
        WHERE secrets <> '[]' AND (webhook_id > %(after)s OR %(after)s::uuid IS NULL)
        ORDER BY webhook_id
        LIMIT %(limit)s
        """,
}
_LOCK: Final[Mapping[SecretKind, LiteralString]] = {
    "channel": """
        SELECT channel_id
        FROM alert_channels
        WHERE channel_id = ANY(%s::uuid[])
        FOR NO KEY UPDATE SKIP LOCKED
        """,
    "pull": """
        SELECT source_id
        FROM pulls
        WHERE source_id = ANY(%s::uuid[])
        FOR NO KEY UPDATE SKIP LOCKED
        """,
    "webhook": """
        SELECT webhook_id
        FROM webhooks
        WHERE webhook_id = ANY(%s::uuid[])
        FOR NO KEY UPDATE SKIP LOCKED
        """,
}
"""Waits for no other unit: two that lock many rows in different orders would block each other."""
_REPLACE: Final[Mapping[SecretKind, LiteralString]] = {
    "channel": """
        UPDATE alert_channels c
        SET sealed = r.new
        FROM unnest(%s::uuid[], %s::text[], %s::text[]) AS r (channel_id, old, new)
        WHERE c.channel_id = r.channel_id AND c.sealed = r.old
        RETURNING 1
        """,
    "pull": """
        UPDATE pulls p
        SET sealed = r.new
        FROM unnest(%s::uuid[], %s::text[], %s::text[]) AS r (source_id, old, new)
        WHERE p.source_id = r.source_id AND p.sealed = r.old
        RETURNING 1
        """,
    # One row for each webhook, since a row is updated once in a statement.
    "webhook": """
        WITH renewed AS (
            SELECT webhook_id, jsonb_object_agg(old, new) AS texts
            FROM unnest(%s::uuid[], %s::text[], %s::text[]) AS r (webhook_id, old, new)
            GROUP BY webhook_id
        )
        UPDATE webhooks w
        SET secrets = (
            SELECT jsonb_agg(
                CASE WHEN r.texts ? (secret ->> 'sealed')
                     THEN jsonb_set(secret, '{sealed}', r.texts -> (secret ->> 'sealed'))
                     ELSE secret
                END
                ORDER BY place
            )
            FROM jsonb_array_elements(w.secrets) WITH ORDINALITY AS s (secret, place)
        )
        FROM renewed r
        WHERE w.webhook_id = r.webhook_id
          AND EXISTS (
              SELECT FROM jsonb_array_elements(w.secrets) AS secret
              WHERE r.texts ? (secret ->> 'sealed')
          )
        RETURNING (
            SELECT count(*)
            FROM jsonb_array_elements(w.secrets) AS secret
            JOIN jsonb_each_text(r.texts) AS t ON t.value = secret ->> 'sealed'
        )
        """,
}


def _owner(kind: SecretKind, name: str) -> Callable[..., Sealed]:
    def made(**row: Any) -> Sealed:  # noqa: ANN401 - cells of any type
        return Sealed(kind, row[name], tuple(row["texts"]))

    return made


_ROWS: Final = {
    "channel": rows_of(_owner("channel", "channel_id")),
    "pull": rows_of(_owner("pull", "source_id")),
    "webhook": rows_of(_owner("webhook", "webhook_id")),
}


@frozen
class Secrets:
    """Implements `commerce_core.ports.secrets.Secrets`."""

    _db: Connection

    def page(self, kind: SecretKind, after: str | None, limit: int) -> Sequence[Sealed]:
        """Pages of owners."""
        params = {"after": maybe_digits(after), "limit": limit}
        return fetch(self._db, _ROWS[kind], _PAGES[kind], params)

    def replace(self, kind: SecretKind, renewed: Mapping[str, Mapping[str, str]]) -> int:
        """Replaces what is still there."""
        ids = [digits(owner_id) for owner_id in renewed]
        locked = {id_.hex for (id_,) in self._db.execute(_LOCK[kind], [ids]).fetchall()}
        rows = [
            (digits(owner_id), old, new)
            for owner_id, texts in renewed.items()
            if digits(owner_id) in locked
            for old, new in texts.items()
        ]
        if not rows:
            return 0
        columns = [list(column) for column in zip(*rows, strict=True)]
        return sum(number for (number,) in self._db.execute(_REPLACE[kind], columns).fetchall())
