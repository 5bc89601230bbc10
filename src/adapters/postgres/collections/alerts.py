"""Alert channels, the streaks that they know, and their alerts, in PostgreSQL."""

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime, timedelta
from operator import attrgetter
from typing import Any, Final

from attrs import evolve, frozen

from adapters.postgres.collections.listing import Condition, ListById, asked, count, own
from adapters.postgres.connection.documents import document, read_as
from adapters.postgres.connection.locks import lock_channels_of
from adapters.postgres.connection.rows import (
    Connection,
    digits,
    fetch,
    fetch_by_id,
    fetch_one,
    found,
    maybe_digits,
    params_of,
    rows_as,
    rows_of,
)
from commerce_core.alerts.alert import Alert, AlertQuery, Entry
from commerce_core.alerts.channel import Channel, ChannelQuery, QuietHours
from commerce_core.alerts.streak import Streak
from commerce_core.base.paging import Page, Position

_CHANNELS: Final = rows_of(
    Channel, recipients=tuple, severities=tuple, kinds=tuple, quiet_hours=read_as(QuietHours)
)
_SELECT: Final = """
    SELECT channel_id, partner_id, recipients, url, sealed, severities, kinds, quiet_hours,
           digest_minutes, description, status, created_at, updated_at, messaged_at, failing_since,
           error
    FROM alert_channels"""
_LIST: Final = ListById(_CHANNELS, _SELECT, "channel_id", attrgetter("channel_id"))
_ALERTS: Final = rows_of(Alert, entries=read_as(tuple[Entry, ...]))
_COLUMNS: Final = """alert_id, channel_id, partner_id, severity, entries, more, status, attempts,
           created_at, due_at, sent_at, error"""
_SELECT_ALERTS: Final = f"SELECT {_COLUMNS} FROM alerts"  # noqa: S608 - names of ours
_LIST_ALERTS: Final = ListById(_ALERTS, _SELECT_ALERTS, "alert_id", attrgetter("alert_id"))
_STREAKS: Final = rows_as(lambda row: row["streak"], streak=read_as(Streak))


@frozen
class Channels:
    """Implements `commerce_core.ports.alerts.Channels`."""

    _db: Connection

    def page(self, query: ChannelQuery, after: Position | None, limit: int) -> Page[Channel]:
        """Pages of channels."""
        return _LIST.page(self._db, _channel_conditions(query), after, limit)

    def count(self, query: ChannelQuery) -> int:
        """How many fit."""
        return count(self._db, "alert_channels", _channel_conditions(query))

    def add(self, channel: Channel) -> None:
        """Keeps a new one."""
        self._db.execute(
            """
            INSERT INTO alert_channels (channel_id, partner_id, recipients, url, sealed, severities,
                                        kinds, quiet_hours, digest_minutes, description, status,
                                        created_at, updated_at)
            VALUES (%(channel_id)s, %(partner_id)s, %(recipients)s, %(url)s, %(sealed)s,
                    %(severities)s, %(kinds)s, %(quiet_hours)s, %(digest_minutes)s,
                    %(description)s, %(status)s, %(created_at)s, %(updated_at)s)
            """,
            _params(channel),
        )

    def put(self, channel: Channel) -> None:
        """Replaces one."""
        changed = self._db.execute(
            """
            UPDATE alert_channels
            SET recipients = %(recipients)s, url = %(url)s, sealed = %(sealed)s,
                severities = %(severities)s, kinds = %(kinds)s, quiet_hours = %(quiet_hours)s,
                digest_minutes = %(digest_minutes)s, description = %(description)s,
                status = %(status)s, updated_at = %(updated_at)s
            WHERE channel_id = %(channel_id)s
            RETURNING channel_id
            """,
            _params(channel),
        ).fetchone()
        found(changed, "alert channel", channel.channel_id)

    def get(self, channel_id: str) -> Channel:
        """One of them."""
        query = f"{_SELECT} WHERE channel_id = %s"
        return fetch_by_id(self._db, _CHANNELS, query, "alert channel", channel_id)

    def get_many(self, channel_ids: Collection[str]) -> Mapping[str, Channel]:
        """Those that there are."""
        query = f"{_SELECT} WHERE channel_id = ANY(%s::uuid[])"
        found = fetch(self._db, _CHANNELS, query, [[digits(id_) for id_ in channel_ids]])
        return {channel.channel_id: channel for channel in found}

    def lock(self, channel_id: str) -> Channel:
        """One of them, locked until this unit ends."""
        query = f"{_SELECT} WHERE channel_id = %s FOR NO KEY UPDATE"
        return fetch_by_id(self._db, _CHANNELS, query, "alert channel", channel_id)

    def lock_owner(self, partner_id: str | None) -> int:
        """Locks nothing but the owner's name."""
        lock_channels_of(self._db, partner_id or "operator")
        (number,) = self._db.execute(
            """
            SELECT count(*)
            FROM alert_channels
            WHERE partner_id IS NOT DISTINCT FROM %s::uuid AND status <> 'removed'
            """,
            [maybe_digits(partner_id)],
        ).fetchone() or (0,)
        return number

    def lock_active(self) -> Sequence[Channel]:
        """All that are active, locked in the same order by all units."""
        query = f"{_SELECT} WHERE status = 'active' ORDER BY channel_id FOR NO KEY UPDATE"
        return fetch(self._db, _CHANNELS, query)

    def remove_of(self, partner_id: str, at: datetime) -> Sequence[str]:
        """Removes a partner's, and what they were going to report."""
        rows = self._db.execute(
            """
            WITH gone AS (
                UPDATE alert_channels
                SET status = 'removed', sealed = NULL, updated_at = %s
                WHERE partner_id = %s AND status <> 'removed'
                RETURNING channel_id
            ),
            ended AS (
                DELETE FROM alert_streaks WHERE channel_id IN (SELECT channel_id FROM gone)
            ),
            dropped AS (
                UPDATE alerts
                SET status = 'failed', due_at = NULL, error = 'removed'
                WHERE channel_id IN (SELECT channel_id FROM gone) AND status = 'pending'
            )
            SELECT channel_id FROM gone
            """,
            [at, digits(partner_id)],
        ).fetchall()
        return [f"chan_{channel_id.hex}" for (channel_id,) in rows]

    def note_health(self, channel_id: str, error: str | None, at: datetime) -> None:
        """Notes how it does, if that is news."""
        self._db.execute(
            """
            UPDATE alert_channels
            SET failing_since = CASE WHEN %(error)s::text IS NOT NULL
                                     THEN coalesce(failing_since, %(at)s) END,
                error = %(error)s
            WHERE channel_id = %(channel_id)s AND error IS DISTINCT FROM %(error)s
            """,
            {"channel_id": digits(channel_id), "error": error, "at": at},
        )


@frozen
class Alerts:
    """Implements `commerce_core.ports.alerts.Alerts`."""

    _db: Connection

    def page(self, query: AlertQuery, after: Position | None, limit: int) -> Page[Alert]:
        """Pages of alerts."""
        return _LIST_ALERTS.page(self._db, _conditions(query), after, limit)

    def count(self, query: AlertQuery) -> int:
        """How many fit."""
        return count(self._db, "alerts", _conditions(query))

    def streaks(self, channel_ids: Collection[str]) -> Sequence[Streak]:
        """All of these channels."""
        query = "SELECT streak FROM alert_streaks WHERE channel_id = ANY(%s::uuid[])"
        return fetch(self._db, _STREAKS, query, [[*map(digits, channel_ids)]])

    def put_streaks(self, changed: Collection[Streak]) -> None:
        """Keeps them."""
        if not changed:
            return
        self._db.execute(
            """
            INSERT INTO alert_streaks (channel_id, cause_id, streak)
            SELECT * FROM unnest(%s::uuid[], %s::text[], %s::jsonb[])
            ON CONFLICT (channel_id, cause_id) DO UPDATE SET streak = excluded.streak
            """,
            [
                [digits(streak.channel_id) for streak in changed],
                [streak.cause_id for streak in changed],
                [document(streak) for streak in changed],
            ],
        )

    def end_streaks(self, ended: Mapping[str, Collection[str]]) -> None:
        """Deletes them."""
        named = [(digits(id_), cause_id) for id_, causes in ended.items() for cause_id in causes]
        if not named:
            return
        self._db.execute(
            """
            DELETE FROM alert_streaks AS s
            USING unnest(%s::uuid[], %s::text[]) AS ended (channel_id, cause_id)
            WHERE s.channel_id = ended.channel_id AND s.cause_id = ended.cause_id
            """,
            [[channel_id for channel_id, _ in named], [cause_id for _, cause_id in named]],
        )

    def end_all_streaks(self, channel_id: str) -> None:
        """Deletes all of a channel."""
        self._db.execute("DELETE FROM alert_streaks WHERE channel_id = %s", [digits(channel_id)])

    def add(self, alerts: Collection[Alert]) -> None:
        """Keeps new ones."""
        if not alerts:
            return
        columns = zip(*map(_row, alerts), strict=True)
        self._db.execute(
            """
            WITH new AS (
                INSERT INTO alerts (alert_id, channel_id, partner_id, severity, entries, more,
                                    status, attempts, created_at, due_at)
                SELECT alert_id, channel_id, partner_id, severity, entries, more, status, 0,
                       created_at, now()
                FROM unnest(%s::uuid[], %s::uuid[], %s::uuid[], %s::text[], %s::jsonb[],
                            %s::integer[], %s::text[], %s::timestamptz[])
                     AS new (alert_id, channel_id, partner_id, severity, entries, more, status,
                             created_at)
                RETURNING channel_id, created_at
            )
            UPDATE alert_channels AS c
            SET messaged_at = new.created_at
            FROM new
            WHERE c.channel_id = new.channel_id
            """,
            [list(column) for column in columns],
        )

    def claim(self, lease: timedelta, without: Collection[str]) -> Alert | None:
        """The one that has been due longest."""
        query = f"""
            WITH due AS (
                SELECT a.alert_id
                FROM alerts AS a
                JOIN alert_channels AS c ON c.channel_id = a.channel_id AND c.status = 'active'
                WHERE a.status = 'pending' AND a.due_at <= now()
                  AND a.channel_id <> ALL(%s::uuid[])
                ORDER BY a.due_at, a.alert_id
                LIMIT 1
                FOR NO KEY UPDATE OF a SKIP LOCKED
            )
            UPDATE alerts AS a
            SET attempts = a.attempts + 1, due_at = clock_timestamp() + %s
            FROM due
            WHERE a.alert_id = due.alert_id
            RETURNING {_COLUMNS.replace("alert_id,", "a.alert_id,", 1)}"""  # noqa: S608 - the same
        return fetch_one(self._db, _ALERTS, query, [[*map(digits, without)], lease])

    def record(self, alert: Alert) -> bool:
        """Keeps what became of it."""
        return (
            self._db.execute(
                """
                UPDATE alerts
                SET status = %(status)s, due_at = %(due_at)s, sent_at = %(sent_at)s,
                    error = %(error)s
                WHERE alert_id = %(alert_id)s AND status = 'pending' AND attempts = %(attempts)s
                """,
                {
                    "alert_id": digits(alert.alert_id), "attempts": alert.attempts,
                    "status": alert.status, "due_at": alert.due_at, "sent_at": alert.sent_at,
                    "error": alert.error,
                },
            ).rowcount
            == 1
        )  # fmt: skip

    def oldest_due(self) -> datetime | None:
        """When the one became due that has waited longest."""
        (oldest,) = self._db.execute(
            """
            SELECT min(a.due_at)
            FROM alerts AS a
            JOIN alert_channels AS c ON c.channel_id = a.channel_id AND c.status = 'active'
            WHERE a.status = 'pending' AND a.due_at <= now()
            """
        ).fetchone() or (None,)
        return oldest

    def drop(self, channel_id: str, error: str) -> None:
        """Fails what is pending."""
        self._db.execute(
            """
            UPDATE alerts
            SET status = 'failed', due_at = NULL, error = %s
            WHERE channel_id = %s AND status = 'pending'
            """,
            [error, digits(channel_id)],
        )

    def forget(self, before: str, most: int) -> int:
        """Deletes the oldest."""
        return self._db.execute(
            """
            DELETE FROM alerts
            WHERE alert_id IN (
                SELECT alert_id
                FROM alerts
                WHERE alert_id < %s AND status <> 'pending'
                ORDER BY alert_id
                LIMIT %s
            )
            """,
            [digits(before), most],
        ).rowcount


def _params(channel: Channel) -> dict[str, Any]:
    return params_of(evolve(channel, quiet_hours=None)) | {
        "quiet_hours": document(channel.quiet_hours)
    }


def _row(alert: Alert) -> tuple[Any, ...]:
    return (
        digits(alert.alert_id), digits(alert.channel_id), maybe_digits(alert.partner_id),
        alert.severity, document(alert.entries), alert.more, alert.status, alert.created_at,
    )  # fmt: skip


def _channel_conditions(query: ChannelQuery) -> list[Condition]:
    status: Condition = (
        ("status <> 'removed'", []) if query.status is None else ("status = %s", [query.status])
    )
    return [*own(query.partner_id), status]


def _conditions(query: AlertQuery) -> list[Condition]:
    return [
        *own(query.partner_id),
        *asked("channel_id = %s", maybe_digits(query.channel_id)),
        *asked("status = %s", query.status),
    ]
