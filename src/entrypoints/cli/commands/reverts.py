"""`commerce feeds revert`: undo a feed that was applied."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

import click

from entrypoints.cli.kit.verbs import Session, verb

if TYPE_CHECKING:
    from commerce_core.plans.revert import Kept, RevertPlan


@verb("revert", scope="feeds:decide")
@click.argument("feed_id")
@click.option("--plan", is_flag=True, help="Only show what would change.")
@click.option("--undo", is_flag=True, help="Undo the revert, applying the feed's changes again.")
def revert(session: Session, feed_id: str, *, plan: bool, undo: bool) -> None:
    """Revert a feed: restore its products to their state before it.

    Products that have changed since are left as they are, and --plan lists them. The revert is a
    publication of its own.
    """
    if plan:
        planned = session.commerce.reverts.plan(feed_id, undo=undo)
        session.out.one(planned, lambda: _fields(planned))
        if planned.listed and not session.out.as_json:
            _show_kept(session, planned)
        return
    from entrypoints.cli.kit.running import conclude, run_or_watch

    job = session.commerce.reverts.start(feed_id, undo=undo)
    conclude(session, run_or_watch(session.commerce, job.job_id, new=True))


def _fields(plan: "RevertPlan") -> Iterator[tuple[str, str]]:
    from entrypoints.cli.kit.output import plural

    yield "updated", plural(plan.updated, "product")
    yield "restored", plural(plan.restored, "product")
    yield "removed", plural(plan.removed, "product")
    yield "unchanged", plural(plan.unchanged, "product") if plan.unchanged else ""
    yield "left as is", f"{plural(plan.kept, 'product')}, changed since" if plan.kept else ""


def _show_kept(session: Session, plan: "RevertPlan") -> None:
    from entrypoints.cli.kit.tables import Column

    columns: list[Column[Kept]] = [
        Column("left as is", lambda k: k.sku),
        Column("version", lambda k: str(k.version), right=True),
        Column("publication", lambda k: str(k.publication), right=True),
        Column("by feed", lambda k: k.feed_id),
    ]
    session.out.line()
    session.out.table(plan.listed, columns)
