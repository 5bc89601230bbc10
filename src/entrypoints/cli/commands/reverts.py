"""`commerce feeds revert`: back to before a feed."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

import click

from entrypoints.cli.kit.verbs import Session, verb

if TYPE_CHECKING:
    from commerce_core.plans.revert import Kept, RevertPlan


@verb("revert", scope="feeds:write")
@click.argument("feed_id")
@click.option("--plan", is_flag=True, help="Only show what it would do.")
@click.option("--undo", is_flag=True, help="Undo the revert of a feed, instead of the feed.")
def revert(session: Session, feed_id: str, *, plan: bool, undo: bool) -> None:
    """Goes back to before a feed; what was changed since is kept, and listed.

    It is a publication of its own. With --undo what the feed wrote is brought back.
    """
    if plan:
        found = session.commerce.reverts.plan(feed_id, undo=undo)
        session.out.one(found, lambda: _fields(found))
        if found.listed and not session.out.as_json:
            _show_kept(session, found)
        return
    from entrypoints.cli.kit.running import conclude, run_or_watch

    job = session.commerce.reverts.start(feed_id, undo=undo)
    conclude(session, run_or_watch(session.commerce, job.job_id, new=True))


def _fields(plan: "RevertPlan") -> Iterator[tuple[str, str]]:
    from entrypoints.cli.kit.output import plural

    yield "goes back", plural(plan.updated, "product")
    yield "comes back", plural(plan.restored, "product")
    yield "is removed", plural(plan.removed, "product")
    yield "is as it was", plural(plan.unchanged, "product") if plan.unchanged else ""
    yield "is kept", f"{plural(plan.kept, 'product')}, changed since" if plan.kept else ""


def _show_kept(session: Session, plan: "RevertPlan") -> None:
    from entrypoints.cli.kit.tables import Column

    columns: list[Column[Kept]] = [
        Column("kept", lambda k: k.sku),
        Column("version", lambda k: str(k.version), right=True),
        Column("publication", lambda k: str(k.publication), right=True),
        Column("by feed", lambda k: k.feed_id),
    ]
    session.out.line()
    session.out.table(plan.listed, columns)
