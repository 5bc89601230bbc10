"""Runs of what-ifs in PostgreSQL, their rules and reports as documents."""

from datetime import datetime
from typing import Final

from attrs import frozen

from adapters.postgres.connection.documents import document, read_as
from adapters.postgres.connection.rows import (
    Connection,
    digits,
    fetch_one,
    found,
    params_of,
    rows_of,
)
from commerce_core.pricing.rules import Rule
from commerce_core.pricing.what_if import WhatIf, WhatIfRun

_RUNS: Final = rows_of(WhatIfRun, rules=read_as(tuple[Rule, ...]), report=read_as(WhatIf))


@frozen
class WhatIfs:
    """Implements `commerce_core.ports.what_ifs.WhatIfs`."""

    _db: Connection

    def add(self, run: WhatIfRun) -> None:
        """Keeps a new run."""
        self._db.execute(
            """
            INSERT INTO what_ifs (what_if_id, status, since, until, rules, created_at, finished_at,
                                  report, problem)
            VALUES (%(what_if_id)s, %(status)s, %(since)s, %(until)s, %(rules)s, %(created_at)s,
                    %(finished_at)s, %(report)s, %(problem)s)
            """,
            params_of(run) | {"rules": document(run.rules), "report": document(run.report)},
        )

    def get(self, what_if_id: str) -> WhatIfRun:
        """The run."""
        query = """
            SELECT what_if_id, status, since, until, rules, created_at, finished_at, report, problem
            FROM what_ifs
            WHERE what_if_id = %s"""
        run = fetch_one(self._db, _RUNS, query, [digits(what_if_id)])
        return found(run, "what-if run", what_if_id)

    def put(self, run: WhatIfRun) -> None:
        """Replaces what becomes of a run."""
        changed = self._db.execute(
            """
            UPDATE what_ifs
            SET status = %(status)s, finished_at = %(finished_at)s, report = %(report)s,
                problem = %(problem)s
            WHERE what_if_id = %(what_if_id)s
            RETURNING what_if_id
            """,
            params_of(run) | {"rules": None, "report": document(run.report)},
        ).fetchone()
        found(changed, "what-if run", run.what_if_id)

    def queued(self) -> int:
        """How many runs aren't finished."""
        query = "SELECT count(*) FROM what_ifs WHERE finished_at IS NULL"
        (counted,) = self._db.execute(query).fetchone() or (0,)
        return counted

    def forget(self, before: datetime) -> int:
        """Deletes old runs."""
        return self._db.execute("DELETE FROM what_ifs WHERE finished_at < %s", [before]).rowcount
