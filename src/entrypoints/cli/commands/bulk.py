"""`commerce bulk`: why feeds failed, and one act on each feed of a group."""

from datetime import datetime
from typing import TYPE_CHECKING, Any, Final

import click

from entrypoints.cli.kit.output import notice
from entrypoints.cli.kit.verbs import (
    Moment,
    Session,
    in_utc,
    key_option,
    limit_option,
    noun,
    partner_option,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    from commerce_core.feeds.bulk_act import BulkAct, BulkItem, BulkPlan, FailureCause, ItemStatus

bulk: Final = noun(
    "bulk", "Act on a group of feeds at once: all that failed for one reason, or all that are held."
)
_KINDS: Final = ("process_again", "approve", "reject")


@bulk.verb("failures", scope="feeds:read")
@partner_option("Only feeds of this partner.")
def failures(session: Session, partner: str | None) -> None:
    """List the causes of failures that haven't been dealt with."""
    from entrypoints.cli.kit.output import moment
    from entrypoints.cli.kit.tables import Column

    columns: list[Column[FailureCause]] = [
        Column("feeds", lambda c: f"{c.count:,}", right=True),
        Column("code", lambda c: c.code),
        Column("partners", lambda c: f"{c.partners:,}", right=True),
        Column("latest (UTC)", lambda c: moment(c.latest_at)),
        Column("message of the latest", lambda c: c.message, wraps=True),
    ]
    found = session.commerce.bulk_acts.causes(partner=partner)
    session.out.many(iter(found), columns, None, "No failed feed waits for anything.")


@bulk.verb("start", scope="feeds:write")
@click.argument("kind", type=click.Choice(_KINDS))
@partner_option("Only feeds of this partner.")
@click.option("--source", "source_id", metavar="ID", help="Only feeds of this source.")
@click.option("--code", metavar="CODE", help="Only feeds that failed with this error code.")
@click.option(
    "--from", "received_from", type=Moment(), help="Only feeds received at this time or later."
)
@click.option("--to", "received_to", type=Moment(), help="Only feeds received before this time.")
@click.option("--count", type=int, metavar="N", help="The number of feeds that the plan showed.")
@click.option("--without-removals", is_flag=True, help="Approve without the removals.")
@click.option("--note", metavar="TEXT", help="Note to keep with the decision.")
@click.option("--plan", is_flag=True, help="Only count the feeds.")
@key_option
def start(session: Session, **given: Any) -> None:  # noqa: ANN401 - options of several types
    """Process failed feeds again, or decide about held ones.

    A worker does it, feed by feed. Without --count, only the plan is shown; to go ahead, repeat the
    command with --count and the number in the plan.
    """
    from commerce_core.feeds.bulk_act import FeedGroup

    moments: list[datetime | None] = [in_utc(given[n]) for n in ("received_from", "received_to")]
    group = FeedGroup(given["kind"], None, given["source_id"], given["code"], *moments)
    acts, partner = session.commerce.bulk_acts, given["partner"]
    if given["plan"] or given["count"] is None:
        plan = acts.plan(group, partner=partner)
        session.out.one(
            plan,
            lambda: [("act", group.kind), ("feeds", f"{plan.count:,}"), *_samples(plan)],
        )
        notice(f"This is a plan; nothing was done. To do it, add --count {plan.count}.")
        return
    act = acts.start(
        group, count=given["count"], partner=partner, note=given["note"], key=given["key"],
        without=("removals",) if given["without_removals"] else (),
    )  # fmt: skip
    _show(session, act)


def _samples(plan: "BulkPlan") -> "Iterator[tuple[str, str]]":
    return (("such as" if n == 0 else "", feed_id) for n, feed_id in enumerate(plan.samples))


@bulk.verb("list", scope="feeds:read")
@limit_option
def list_(session: Session, limit: int | None) -> None:
    """List bulk acts, newest first."""
    from entrypoints.cli.kit.output import moment
    from entrypoints.cli.kit.tables import Column

    columns: list[Column[BulkAct]] = [
        Column("created (UTC)", lambda a: moment(a.created_at)),
        Column("act", lambda a: a.group.kind),
        Column("status", lambda a: a.status),
        Column("feeds", lambda a: f"{a.total:,}", right=True),
        Column("done", lambda a: f"{a.done:,}", right=True),
        Column("refused", lambda a: f"{a.refused:,}", right=True),
        Column("id", lambda a: a.bulk_id, from_width=120),
    ]
    session.out.many(session.commerce.bulk_acts.list(), columns, limit, "No bulk acts.")


@bulk.verb("show", scope="feeds:read")
@click.argument("bulk_id")
def show(session: Session, bulk_id: str) -> None:
    """Show a bulk act and its progress."""
    _show(session, session.commerce.bulk_acts.get(bulk_id))


@bulk.verb("items", scope="feeds:read")
@click.argument("bulk_id")
@click.option(
    "--status", type=click.Choice(("waiting", "done", "refused")), help="Only these feeds."
)
@limit_option
def items(session: Session, bulk_id: str, status: "ItemStatus | None", limit: int | None) -> None:
    """List what became of each feed of a bulk act."""
    from entrypoints.cli.kit.tables import Column

    columns: list[Column[BulkItem]] = [
        Column("#", lambda i: f"{i.number:,}", right=True),
        Column("feed", lambda i: i.feed_id),
        Column("status", lambda i: i.status),
        Column("why not", lambda i: i.detail or "", wraps=True),
    ]
    found = session.commerce.bulk_acts.items(bulk_id, status)
    session.out.many(found, columns, limit, "No feeds.")


@bulk.verb("cancel", scope="feeds:write")
@click.argument("bulk_id")
def cancel(session: Session, bulk_id: str) -> None:
    """Cancel a bulk act: feeds without a result are left alone."""
    _show(session, session.commerce.bulk_acts.cancel(bulk_id))


def _show(session: Session, act: "BulkAct") -> None:
    session.out.one(
        act,
        lambda: [
            ("bulk act", act.bulk_id),
            ("act", act.group.kind),
            ("status", act.status),
            ("feeds", f"{act.total:,}"),
            ("done", f"{act.done:,}"),
            ("refused", f"{act.refused:,}"),
            *([("problem", act.problem)] if act.problem else []),
        ],
    )
