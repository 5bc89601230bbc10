"""Tasks: the function that runs each kind, in the one place where a new kind is registered."""

from typing import assert_never

from commerce_core.usecases.alert_sending import Alerting
from commerce_core.usecases.analytics import Analytics
from commerce_core.usecases.bulk_acts import BulkActs
from commerce_core.usecases.context import Context
from commerce_core.usecases.events import Events
from commerce_core.usecases.fetching.attempt import Fetching
from commerce_core.usecases.fetching.queues import Watching
from commerce_core.usecases.freshness import Freshness
from commerce_core.usecases.history import History
from commerce_core.usecases.orders import Orders
from commerce_core.usecases.secrets import Secrets
from commerce_core.usecases.statements import Statements
from commerce_core.usecases.webhook_sending import Sending
from commerce_core.usecases.what_ifs import WhatIfs
from commerce_core.work.task import Task


def run_task(context: Context, task: Task) -> int | None:  # noqa: C901 - one case for each kind
    """Runs a task, and returns how many things it changed; None for a fetch that is given up.

    It may run again after a crash, so it must be idempotent.
    """
    match task.kind:
        case "forget_events":
            return Events(context).forget_old()
        case "forget_versions":
            return History(context).forget_old()
        case "forget_deliveries":
            return Sending(context).forget_old()
        case "close_statements":
            return len(Statements(context).close().closed)
        case "check_statements":
            return Statements(context).check()
        case "roll_up_sales":
            return Analytics(context).roll_up()
        case "expire_orders":
            return Orders(context).expire_due()
        case "watch_freshness":
            return Freshness(context).watch()
        case "forget_arrivals":
            return Freshness(context).forget_old()
        case "reseal_secrets":
            return Secrets(context).reseal()
        case "send_alerts":
            return Alerting(context).run()
        case "fetch" | "backfill":
            return Fetching(context).perform(task)
        case "act_in_bulk":
            return BulkActs(context).run(task.subject)
        case "watch_queues":
            return Watching(context).look()
        case "run_what_if":
            return WhatIfs(context).run(task.subject)
        case _:
            assert_never(task.kind)


def give_up_task(context: Context, task: Task) -> None:
    """Records that a task isn't tried again, if a caller waits for its result."""
    if task.kind == "act_in_bulk":
        BulkActs(context).give_up(task.subject)
    if task.kind == "run_what_if":
        WhatIfs(context).give_up(task.subject)
