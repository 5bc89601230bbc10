"""The queue of deliveries in PostgreSQL: what a claim reads, however many wait."""

from collections.abc import Callable, Mapping
from datetime import timedelta
from typing import Any, LiteralString

import psycopg
import pytest
from psycopg.abc import Params

from adapters.postgres.collections.deliveries import CLAIM, FORGET
from adapters.postgres.collections.listing import WALKING

Connect = Callable[[], psycopg.Connection]
WEBHOOKS = """
    INSERT INTO webhooks (webhook_id, url, kinds, body, ordered, status, secrets, begins_after,
                          created_at, updated_at)
    SELECT md5(%(name)s::text || n)::uuid, 'https://a.example/', '{}', 'full', FALSE, 'active',
           '[]', 0, now(), now()
    FROM generate_series(1, 10) AS n"""
QUEUED = """
    INSERT INTO webhook_deliveries (delivery_id, webhook_id, event_id, sequence, kind, subject,
                                    ordered, status, attempts, attempts_before, claims, created_at,
                                    due_at)
    SELECT md5('delivery ' || n)::uuid, md5(%(name)s::text || 1 + n %% 10)::uuid,
           gen_random_uuid(), n,
           'order.created', 's' || n %% 1000, n %% 2 = 0, 'pending', 0, 0, 0, now(),
           now() - interval '1 hour' + n * interval '1 microsecond'
    FROM generate_series(1, 50000) AS n"""


def nodes(plan: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    return [plan, *(node for part in plan.get("Plans", ()) for node in nodes(part))]


def planned(
    db: psycopg.Connection, statement: LiteralString, params: Params
) -> list[Mapping[str, Any]]:
    """What ran, with the pages that it read first."""
    with db.transaction(force_rollback=True):
        db.execute(WALKING if statement is CLAIM else "")
        (((plan,),),) = db.execute(
            f"EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) {statement}",
            params,
        ).fetchall()
    return nodes(plan["Plan"])


@pytest.mark.slow
@pytest.mark.parametrize("is_known", [False, True], ids=["never analysed", "analysed"])
def test_claims_and_expiry_read_along_indexes_however_many_wait(connect: Connect, is_known: bool):
    """Before the planner knows that there are so many, too."""
    with connect() as db:
        # Other names: what another test has deleted is still in the indexes.
        name = {"name": f"webhook {is_known} "}
        db.execute(WEBHOOKS, name)
        db.execute(QUEUED, name)
        if is_known:
            db.execute("ANALYZE webhook_deliveries")
        room = {
            "most": 20, "known": [], "rooms": [], "others": 2, "failing": False,
            "lease": timedelta(minutes=1),
        }  # fmt: skip
        claimed = planned(db, CLAIM, room)
        forgotten = planned(db, FORGET, ["f" * 32, 100])
    for found in (claimed, forgotten):
        scanned = {n["Relation Name"]: n["Node Type"] for n in found if "Relation Name" in n}
        assert scanned["webhook_deliveries"] != "Seq Scan"
        assert not any(
            n["Node Type"] == "Seq Scan" and n["Relation Name"] == "webhook_deliveries"
            for n in found
        )
    pages = claimed[0]["Shared Hit Blocks"] + claimed[0]["Shared Read Blocks"]
    assert pages < 1_500, "20 claims in 10 queues, with their writes to five indexes"
