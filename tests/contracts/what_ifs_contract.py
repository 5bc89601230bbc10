"""What the collection of what-if runs promises."""

from decimal import Decimal

import pytest
from attrs import evolve

from commerce_core.base.errors import NotFound
from commerce_core.ports.store import Store
from commerce_core.pricing.form import read_rule
from commerce_core.pricing.what_if import WhatIf, WhatIfRow, WhatIfRun
from tests.contracts import samples
from tests.contracts.samples import DAY, T0, line

ROW = WhatIfRow(
    "", "EUR", lines=2, before=Decimal("9.90"), after=Decimal("8.10"), difference=Decimal("-1.80"),
    platform_before=Decimal("0.00"), platform_after=Decimal("1.80"), partner_before=Decimal(0),
    partner_after=Decimal("-0.10"), costed_lines=1, margin_before=Decimal("4.90"),
    margin_after=Decimal("3.10"),
)  # fmt: skip


def what_if_run(**members: object) -> WhatIfRun:
    rule = read_rule({"name": "Sale", "benefit": {"percent": "10"}, "condition": {"brand": "A"}})
    run = WhatIfRun(
        what_if_id=samples.new_id("wif"), since=T0 - DAY, until=T0, rules=(rule,), created_at=T0
    )
    return evolve(run, **members)


def done(run: WhatIfRun, days: int = 1) -> WhatIfRun:
    report = WhatIf(1, 1, 0, 0, (ROW,), (ROW,), (evolve(ROW, key="Lamps"),), {"Sale": 1})
    return evolve(run, status="done", finished_at=T0 + days * DAY, report=report)


class TestWhatIfs:
    def test_a_run_is_kept_as_it_is(self, store: Store):
        run, bare = what_if_run(), what_if_run(rules=())
        failed = evolve(bare, status="failed", finished_at=T0, problem="The brand 'A' has gone.")
        with store.begin() as unit:
            unit.what_ifs.add(run)
            unit.what_ifs.add(bare)
        with store.begin() as unit:
            assert unit.what_ifs.get(run.what_if_id) == run
            assert unit.what_ifs.queued() == 2
            unit.what_ifs.put(done(run))
            unit.what_ifs.put(failed)
        with store.begin() as unit:
            assert unit.what_ifs.get(run.what_if_id) == done(run)
            assert unit.what_ifs.get(bare.what_if_id) == failed
            assert unit.what_ifs.queued() == 0

    def test_an_unknown_run_is_not_found(self, store: Store):
        with store.begin() as unit:
            for ask in (unit.what_ifs.get, lambda _: unit.what_ifs.put(what_if_run())):
                with pytest.raises(NotFound):
                    ask(samples.new_id("wif"))

    def test_runs_that_finished_before_a_moment_are_forgotten(self, store: Store):
        queued, old, new = what_if_run(), what_if_run(), what_if_run()
        with store.begin() as unit:
            for run in (queued, done(old, 1), done(new, 2)):
                unit.what_ifs.add(run)
            assert unit.what_ifs.forget(T0 + 2 * DAY) == 1
        with store.begin() as unit:
            assert unit.what_ifs.get(new.what_if_id) == done(new, 2)
            assert unit.what_ifs.queued() == 1
            with pytest.raises(NotFound):
                unit.what_ifs.get(old.what_if_id)

    def test_orders_of_a_range_come_in_the_order_of_their_ids(self, store: Store):
        one, _ = samples.settled(store)
        lines = [line(one.partner_id), line(one.partner_id)]
        orders = [
            evolve(samples.order(*lines), created_at=T0 + days * DAY) for days in (-1, 0, 1, 2, 3)
        ]
        with store.begin() as unit:
            for order in orders[::-1]:
                unit.orders.add(order)
        with store.begin() as unit:
            first = unit.orders.placed(T0, T0 + 3 * DAY, None, 2)
            rest = unit.orders.placed(T0, T0 + 3 * DAY, first[-1].order_id, 2)
        assert [*first, *rest] == sorted(orders[1:4], key=lambda order: order.order_id)
        assert (len(first), len(rest)) == (2, 1)
