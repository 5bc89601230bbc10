"""Subscriptions of webhooks in PostgreSQL."""

from collections.abc import Collection, Sequence
from datetime import datetime
from operator import attrgetter
from typing import Any, Final

from attrs import evolve, frozen

from adapters.postgres.collections.listing import Condition, ListById, count, own
from adapters.postgres.connection.documents import document, read_as
from adapters.postgres.connection.locks import lock_webhooks_of
from adapters.postgres.connection.rows import (
    Connection,
    digits,
    fetch,
    fetch_by_id,
    found,
    params_of,
    rows_of,
)
from commerce_core.base.paging import Page, Position
from commerce_core.webhooks.subscription import Webhook, WebhookQuery, WebhookSecret

WEBHOOKS: Final = rows_of(Webhook, kinds=tuple, secrets=read_as(tuple[WebhookSecret, ...]))
SELECT_WEBHOOKS: Final = """
    SELECT webhook_id, partner_id, url, kinds, body, ordered, description, status, disabled_reason,
           secrets, begins_after, created_at, updated_at, failing_since
    FROM webhooks"""
_LIST: Final = ListById(WEBHOOKS, SELECT_WEBHOOKS, "webhook_id", attrgetter("webhook_id"))


@frozen
class Webhooks:
    """Implements `commerce_core.ports.webhooks.Webhooks`."""

    _db: Connection

    def page(self, query: WebhookQuery, after: Position | None, limit: int) -> Page[Webhook]:
        """Pages of subscriptions."""
        return _LIST.page(self._db, _conditions(query), after, limit)

    def count(self, query: WebhookQuery) -> int:
        """How many fit."""
        return count(self._db, "webhooks", _conditions(query))

    def add(self, webhook: Webhook) -> None:
        """Keeps a new one."""
        self._db.execute(
            """
            INSERT INTO webhooks (webhook_id, partner_id, url, kinds, body, ordered, description,
                                  status, disabled_reason, secrets, begins_after, created_at,
                                  updated_at, failing_since)
            VALUES (%(webhook_id)s, %(partner_id)s, %(url)s, %(kinds)s, %(body)s, %(ordered)s,
                    %(description)s, %(status)s, %(disabled_reason)s, %(secrets)s,
                    %(begins_after)s, %(created_at)s, %(updated_at)s, %(failing_since)s)
            """,
            _params(webhook),
        )

    def put(self, webhook: Webhook) -> None:
        """Replaces one."""
        changed = self._db.execute(
            """
            UPDATE webhooks
            SET url = %(url)s, kinds = %(kinds)s, body = %(body)s, ordered = %(ordered)s,
                description = %(description)s, status = %(status)s,
                disabled_reason = %(disabled_reason)s, secrets = %(secrets)s,
                updated_at = %(updated_at)s, failing_since = %(failing_since)s
            WHERE webhook_id = %(webhook_id)s
            RETURNING webhook_id
            """,
            _params(webhook),
        ).fetchone()
        found(changed, "webhook", webhook.webhook_id)

    def get(self, webhook_id: str) -> Webhook:
        """The subscription."""
        query = f"{SELECT_WEBHOOKS} WHERE webhook_id = %s"
        return fetch_by_id(self._db, WEBHOOKS, query, "webhook", webhook_id)

    def lock(self, webhook_id: str) -> Webhook:
        """The subscription, locked until this unit ends."""
        query = f"{SELECT_WEBHOOKS} WHERE webhook_id = %s FOR NO KEY UPDATE"
        return fetch_by_id(self._db, WEBHOOKS, query, "webhook", webhook_id)

    def lock_owner(self, partner_id: str | None) -> None:
        """Locks nothing but the owner's name."""
        lock_webhooks_of(self._db, partner_id or "operator")

    def live(self) -> Sequence[Webhook]:
        """All that aren't removed."""
        query = f"{SELECT_WEBHOOKS} WHERE status <> 'removed' ORDER BY webhook_id"
        return fetch(self._db, WEBHOOKS, query)

    def remove_of(self, partner_id: str, at: datetime) -> Sequence[str]:
        """Removes a partner's."""
        rows = self._db.execute(
            """
            UPDATE webhooks
            SET status = 'removed', secrets = '[]', updated_at = %s
            WHERE partner_id = %s AND status <> 'removed'
            RETURNING webhook_id
            """,
            [at, digits(partner_id)],
        ).fetchall()
        return [f"hook_{webhook_id.hex}" for (webhook_id,) in rows]

    def note_health(self, failed: Collection[str], ok: Collection[str], at: datetime) -> None:
        """Notes how they do, where that is news."""
        self._db.execute(
            """
            UPDATE webhooks
            SET failing_since = CASE WHEN webhook_id = ANY(%(ok)s::uuid[]) THEN NULL
                                     ELSE %(at)s::timestamptz END
            WHERE (webhook_id = ANY(%(ok)s::uuid[]) AND failing_since IS NOT NULL)
               OR (webhook_id = ANY(%(failed)s::uuid[]) AND failing_since IS NULL
                   AND NOT webhook_id = ANY(%(ok)s::uuid[]))
            """,
            {"ok": [*map(digits, ok)], "failed": [*map(digits, failed)], "at": at},
        )


def _params(webhook: Webhook) -> dict[str, Any]:
    return params_of(evolve(webhook, secrets=())) | {"secrets": document(webhook.secrets)}


def _conditions(query: WebhookQuery) -> list[Condition]:
    status: Condition = (
        ("status <> 'removed'", []) if query.status is None else ("status = %s", [query.status])
    )
    return [*own(query.partner_id), status]
