"""What-ifs: runs over more orders than a request prices again, done by workers.

start     the rules are checked, and the run is queued
run       a worker prices the orders again, and stores the report; safe to repeat
get       the run, with its report once it is done
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Final

from attrs import evolve, frozen

from commerce_core.base.errors import Conflict, InvalidInput
from commerce_core.base.ids import parse
from commerce_core.pricing.form import rule_form
from commerce_core.pricing.rules import Rule
from commerce_core.pricing.what_if import (
    MOST_ORDERS_OF_RUN,
    MOST_QUEUED_RUNS,
    RUNS_KEPT,
    WhatIfRun,
)
from commerce_core.usecases.context import Context, IdempotencyKey
from commerce_core.usecases.pricing import Pricing
from commerce_core.usecases.repricing import Repricing, check_size
from commerce_core.usecases.rule_book import RuleForm, as_rule, faults_at

_BROKEN: Final = "The run broke off too often; its worker's log has the reason."


@frozen
class WhatIfs:
    """What orders would have cost under other rules, as runs."""

    _context: Context

    def start(
        self,
        rules: Sequence[Rule | RuleForm] = (),
        *,
        since: datetime,
        until: datetime | None = None,
        key: IdempotencyKey | str | None = None,
    ) -> WhatIfRun:
        """Queues a run over the orders placed in a range, under the active rules with these.

        A rule with the name of an active one is taken instead of it. InvalidInput if a rule isn't
        valid, or `too_many_orders`; Conflict `too_many_what_ifs` if too many aren't finished.
        """
        c, read = self._context, list[Rule]()
        for number, rule in enumerate(rules):
            with faults_at(f"/rules/{number}"):
                read.append(as_rule(rule))
        Pricing(c).proposed(read)
        now = c.clock()
        run = WhatIfRun(
            what_if_id=c.mint("wif"), since=since, until=until or now, rules=tuple(read),
            created_at=now,
        )  # fmt: skip
        check_size(c, run.since, run.until, MOST_ORDERS_OF_RUN)
        request = ("start_what_if", [rule_form(rule) for rule in read], since, until)

        def queued() -> WhatIfRun:
            if unit.what_ifs.queued() >= MOST_QUEUED_RUNS:
                raise Conflict(
                    f"{MOST_QUEUED_RUNS} what-ifs aren't finished.",
                    "Wait until one of them is.",
                    code="too_many_what_ifs",
                )
            unit.what_ifs.add(run)
            unit.tasks.add("run_what_if", run.what_if_id)
            return run

        with c.writing() as unit:
            return c.once(unit, key, request, queued, answer=WhatIfRun)

    def get(self, what_if_id: str) -> WhatIfRun:
        """The run, with its report once it is done."""
        with self._context.store.read_only() as unit:
            run = unit.what_ifs.get(parse("wif", what_if_id))
            task = unit.tasks.find("run_what_if", run.what_if_id)
        is_running = run.status == "queued" and task is not None and task.status == "running"
        return evolve(run, status="running") if is_running else run

    def run(self, what_if_id: str) -> int:
        """Prices the orders of a run again, stores the report, and returns how many there were."""
        with self._context.store.read_only() as unit:
            run = unit.what_ifs.get(what_if_id)
        if run.finished_at is not None:
            return 0
        try:
            proposed = Pricing(self._context).proposed(run.rules)
            trial = Repricing(self._context, proposed)
            report = trial.run(run.since, run.until, MOST_ORDERS_OF_RUN)
        except InvalidInput as error:
            # What the rules name may have gone since they were checked.
            self._finish(evolve(run, status="failed", problem=str(error)))
            return 0
        self._finish(evolve(run, status="done", report=report))
        return report.orders

    def give_up(self, what_if_id: str) -> None:
        """Records that a run isn't tried again."""
        with self._context.store.read_only() as unit:
            run = unit.what_ifs.get(what_if_id)
        if run.finished_at is None:
            self._finish(evolve(run, status="failed", problem=_BROKEN))

    def _finish(self, run: WhatIfRun) -> None:
        now = self._context.clock()
        with self._context.store.begin() as unit:
            unit.what_ifs.put(evolve(run, finished_at=now))
            unit.what_ifs.forget(now - RUNS_KEPT)
