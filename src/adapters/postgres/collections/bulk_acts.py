"""Bulk acts in PostgreSQL: one row for each, and one for each member."""

from collections.abc import Sequence
from datetime import datetime
from operator import attrgetter
from typing import Any, Final

from attrs import asdict, frozen
from psycopg import sql

from adapters.postgres.collections.listing import Condition, ListById, asked, count, own, where
from adapters.postgres.connection.rows import (
    Connection,
    digits,
    fetch,
    fetch_by_id,
    found,
    maybe_digits,
    named,
    params_of,
    rows_as,
    rows_of,
)
from commerce_core.base.paging import Page, Position
from commerce_core.feeds.bulk_act import (
    BulkAct,
    BulkItem,
    BulkQuery,
    FailureCause,
    FeedGroup,
    ItemStatus,
)

_GROUP: Final = ("kind", "of_partner_id", "source_id", "code", "received_from", "received_to")


def _act(row: dict[str, Any]) -> BulkAct:
    group: dict[str, Any] = {name.removeprefix("of_"): row.pop(name) for name in _GROUP}
    row["without"] = tuple(row["without"])
    return BulkAct(**row, group=FeedGroup(**group))


_ACTS: Final = rows_as(_act, of_partner_id=named("ptn"))
_ITEMS: Final = rows_of(BulkItem)
_CAUSES: Final = rows_of(FailureCause, latest_feed_id=named("feed"))
_SELECT: Final = """
    SELECT bulk_id, partner_id, actor, key_id, kind, of_partner_id, source_id, code, received_from,
           received_to, without, note, status, total, done, refused, created_at, finished_at,
           problem
    FROM bulk_acts"""
_SELECT_ITEMS: Final = """
    SELECT number, feed_id, status, job_id, code, detail
    FROM bulk_act_items"""
_LIST: Final = ListById(_ACTS, _SELECT, "bulk_id", attrgetter("bulk_id"))
_FAILED: Final = """
    FROM feeds f
    CROSS JOIN LATERAL (
        SELECT kind, status, error
        FROM jobs
        WHERE jobs.feed_id = f.feed_id
        ORDER BY job_id DESC
        LIMIT 1
    ) j
    WHERE f.status IN ('failed', 'rejected') AND j.kind = 'ingest' AND j.status = 'failed'
      AND j.error IS NOT NULL"""

_COUNT_CAUSES: Final = f"""
    WITH failed AS (
        SELECT f.feed_id, f.partner_id, f.source_id, f.received_at,
               j.error ->> 'code' AS code, j.error ->> 'message' AS message
        {_FAILED}
          AND (%(partner_id)s::uuid IS NULL OR f.partner_id = %(partner_id)s::uuid)
        ORDER BY f.feed_id DESC
        LIMIT %(most)s
    )
    SELECT code, count(*) AS count, count(DISTINCT partner_id) AS partners,
           count(DISTINCT source_id) AS sources, min(received_at) AS first_at,
           max(received_at) AS latest_at,
           (array_agg(feed_id ORDER BY feed_id DESC))[1] AS latest_feed_id,
           (array_agg(message ORDER BY feed_id DESC))[1] AS message
    FROM failed
    GROUP BY code
    ORDER BY count(*) DESC, code COLLATE "C"
    LIMIT %(limit)s"""  # noqa: S608 - a text of ours


@frozen
class BulkActs:
    """Implements `commerce_core.ports.bulk_acts.BulkActs`."""

    _db: Connection

    def causes(self, partner_id: str | None, most: int, limit: int) -> Sequence[FailureCause]:
        """The causes of the latest failures."""
        params = {"partner_id": maybe_digits(partner_id), "most": most, "limit": limit}
        return fetch(self._db, _CAUSES, _COUNT_CAUSES, params)

    def members(self, group: FeedGroup, limit: int) -> Sequence[str]:
        """The group's feeds."""
        chosen: list[Condition] = [
            *asked("f.partner_id = %s", maybe_digits(group.partner_id)),
            *asked("f.source_id = %s", maybe_digits(group.source_id)),
            *asked("f.received_at >= %s", group.received_from),
            *asked("f.received_at < %s", group.received_to),
        ]
        if group.kind == "process_again":
            head = sql.SQL("SELECT f.feed_id" + _FAILED)
            chosen += asked("j.error ->> 'code' = %s", group.code)
        else:
            head = sql.SQL("SELECT f.feed_id FROM feeds f WHERE f.status = 'held'")
        texts = sql.SQL("").join(sql.SQL(" AND " + text) for text, _ in chosen)
        params = [value for _, values in chosen for value in values]
        order = sql.SQL(" ORDER BY f.feed_id LIMIT %s")
        rows = self._db.execute(head + texts + order, [*params, limit]).fetchall()
        return [f"feed_{feed_id.hex}" for (feed_id,) in rows]

    def add(self, act: BulkAct, feed_ids: Sequence[str]) -> None:
        """Keeps a new one, and its members by one statement."""
        group = {n: v for n, v in asdict(act.group).items() if n != "partner_id"}
        group |= {"source_id": maybe_digits(act.group.source_id)}
        self._db.execute(
            """
            INSERT INTO bulk_acts (bulk_id, partner_id, actor, key_id, kind, of_partner_id,
                                   source_id, code, received_from, received_to, without, note,
                                   status, total, done, refused, created_at, finished_at, problem)
            VALUES (%(bulk_id)s, %(partner_id)s, %(actor)s, %(key_id)s, %(kind)s,
                    %(of_partner_id)s, %(source_id)s, %(code)s, %(received_from)s,
                    %(received_to)s, %(without)s, %(note)s, %(status)s, %(total)s, %(done)s,
                    %(refused)s, %(created_at)s, %(finished_at)s, %(problem)s)
            """,
            params_of(act) | group | {"of_partner_id": maybe_digits(act.group.partner_id)},
        )
        self._db.execute(
            """
            INSERT INTO bulk_act_items (bulk_id, number, feed_id, status)
            SELECT %s, member.number, member.feed_id, 'waiting'
            FROM unnest(%s::uuid[]) WITH ORDINALITY AS member (feed_id, number)
            """,
            [digits(act.bulk_id), [digits(feed_id) for feed_id in feed_ids]],
        )

    def get(self, bulk_id: str) -> BulkAct:
        """One of them."""
        query = f"{_SELECT} WHERE bulk_id = %s"
        return fetch_by_id(self._db, _ACTS, query, "bulk act", bulk_id)

    def lock(self, bulk_id: str) -> BulkAct:
        """The same, locked."""
        query = f"{_SELECT} WHERE bulk_id = %s FOR NO KEY UPDATE"
        return fetch_by_id(self._db, _ACTS, query, "bulk act", bulk_id)

    def put(self, act: BulkAct) -> None:
        """Replaces what becomes of one."""
        changed = self._db.execute(
            """
            UPDATE bulk_acts
            SET status = %(status)s, done = %(done)s, refused = %(refused)s,
                finished_at = %(finished_at)s, problem = %(problem)s
            WHERE bulk_id = %(bulk_id)s
            RETURNING bulk_id
            """,
            {n: v for n, v in params_of(act).items() if n != "group"},
        ).fetchone()
        found(changed, "bulk act", act.bulk_id)

    def unfinished(self) -> int:
        """How many aren't finished."""
        query = "SELECT count(*) FROM bulk_acts WHERE finished_at IS NULL"
        (counted,) = self._db.execute(query).fetchone() or (0,)
        return counted

    def waiting(self, bulk_id: str, limit: int) -> Sequence[BulkItem]:
        """The first without a result."""
        query = f"""{_SELECT_ITEMS}
            WHERE bulk_id = %s AND status = 'waiting' ORDER BY number LIMIT %s"""
        return fetch(self._db, _ITEMS, query, [digits(bulk_id), limit])

    def record(self, bulk_id: str, items: Sequence[BulkItem]) -> None:
        """Keeps results, by one statement."""
        self._db.execute(
            """
            UPDATE bulk_act_items AS item
            SET status = result.status, job_id = result.job_id, code = result.code,
                detail = result.detail
            FROM unnest(%s::int[], %s::text[], %s::uuid[], %s::text[], %s::text[])
                AS result (number, status, job_id, code, detail)
            WHERE item.bulk_id = %s AND item.number = result.number
            """,
            [
                [item.number for item in items],
                [item.status for item in items],
                [maybe_digits(item.job_id) for item in items],
                [item.code for item in items],
                [item.detail for item in items],
                digits(bulk_id),
            ],
        )

    def items(
        self, bulk_id: str, status: ItemStatus | None, after: Position | None, limit: int
    ) -> Page[BulkItem]:
        """The members."""
        condition, params = where(
            [
                ("bulk_id = %s", [digits(bulk_id)]),
                *asked("status = %s", status),
                *asked("number > %s", after.number if after else None),
            ]
        )
        query = sql.SQL(_SELECT_ITEMS) + condition + sql.SQL(" ORDER BY number LIMIT %s")
        rows = fetch(self._db, _ITEMS, query, [*params, limit + 1])
        return Page[BulkItem].cut(rows, limit, lambda row: Position(str(row.number), ""))

    def page(self, query: BulkQuery, after: Position | None, limit: int) -> Page[BulkAct]:
        """Pages of bulk acts."""
        return _LIST.page(self._db, own(query.partner_id), after, limit)

    def count(self, query: BulkQuery) -> int:
        """How many fit."""
        return count(self._db, "bulk_acts", own(query.partner_id))

    def forget(self, before: datetime) -> int:
        """Deletes old ones, with their members."""
        return self._db.execute("DELETE FROM bulk_acts WHERE finished_at < %s", [before]).rowcount
