"""`commerce inbox`: what needs a person now, and what people decide about it."""

from datetime import datetime
from typing import TYPE_CHECKING, Final

import click

from entrypoints.cli.kit.verbs import Moment, Session, in_utc, noun, partner_option

if TYPE_CHECKING:
    from commerce_core.activity.inbox import ItemKind, ItemState

inbox: Final = noun("inbox", "Show what needs a person now, and mark it.")
_STATES: Final = ("open", "acknowledged", "snoozed", "all")
_KINDS: Final = ("held", "oversold", "statement", "late", "failed", "rejects", "webhook")


@inbox.verb("list", scope="feeds:read")
@partner_option("Only what concerns this partner.")
@click.option(
    "--state", type=click.Choice(_STATES), default="open", show_default=True,
    help="Only items in this state.",
)  # fmt: skip
@click.option("--kind", type=click.Choice(_KINDS), help="Only items of this kind.")
@click.option("--assignee", metavar="NAME", help="Only items assigned to this person.")
def list_(
    session: Session,
    partner: str | None,
    state: str,
    kind: "ItemKind | None",
    assignee: str | None,
) -> None:
    """List what needs a person now, most urgent first."""
    from typing import cast

    from commerce_core.activity.inbox import InboxItem, InboxQuery
    from entrypoints.cli.kit.output import moment
    from entrypoints.cli.kit.tables import Column

    columns: list[Column[InboxItem]] = [
        Column("since (UTC)", lambda i: moment(i.first_at)),
        Column("partner", lambda i: i.partner_name),
        Column("what", lambda i: i.title, wraps=True),
        Column("products", lambda i: "" if i.products is None else f"{i.products:,}", right=True),
        Column("assignee", lambda i: i.assignee or "", from_width=120),
        Column("id", lambda i: i.cause_id, from_width=140),
    ]
    wanted = cast("ItemState | None", None if state == "all" else state)
    found = session.commerce.inbox.get(InboxQuery(wanted, kind, assignee), partner=partner)
    session.out.many(iter(found.items), columns, None, "Nothing needs a person.")


@inbox.verb("mark", scope="feeds:write")
@click.argument("cause_id")
@click.option("--acknowledge/--reopen", "acknowledged", default=None, help="Hide it, or undo that.")
@click.option("--snooze-until", type=Moment(), help="Hide it until this time (UTC by default).")
@click.option("--assign", "assignee", metavar="NAME", help="Who takes care of it; '' clears it.")
@click.option("--note", help="A note for others; '' for none.")
def mark(
    session: Session,
    cause_id: str,
    *,
    acknowledged: bool | None,
    snooze_until: datetime | None,
    assignee: str | None,
    note: str | None,
) -> None:
    """Acknowledge, snooze or assign an item."""
    item = session.commerce.inbox.mark(
        cause_id,
        acknowledged=acknowledged,
        snoozed_until=in_utc(snooze_until),
        assignee=assignee,
        note=note,
    )
    session.out.one(
        item,
        lambda: [("item", item.cause_id), ("state", item.state), ("assignee", item.assignee or "")],
    )
