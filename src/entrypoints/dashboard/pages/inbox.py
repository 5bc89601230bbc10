"""The inbox: the first page, and marks of its items."""

from datetime import timedelta
from typing import Final, Literal

from attrs import frozen

from commerce_core.activity.inbox import ITEM_KINDS, InboxItem, InboxQuery, ItemKind
from commerce_core.commerce import Commerce
from entrypoints.dashboard.kit.pages import Goto, act, page
from entrypoints.dashboard.kit.rendering import View
from entrypoints.dashboard.pages.entry import own_path
from entrypoints.http.routes.inbox import AnyState
from entrypoints.links import path_of
from entrypoints.reading import optional, required

ACTS: Final = {
    "held": "Decide",
    "failed": "See why",
    "rejects": "See problems",
    "oversold": "See the product",
    "statement": "See the statement",
    "webhook": "See its log",
    "late": "See its source",
}
"""The main act of each kind of item; those of files lead to a feed."""
_SNOOZES: Final = {"1h": timedelta(hours=1), "1d": timedelta(days=1), "7d": timedelta(days=7)}


@frozen(kw_only=True)
class Filters:
    """Filters of the inbox."""

    state: AnyState = optional("open", "State.")
    kind: ItemKind | None = optional(None, "Kind.")
    assignee: str | None = optional(None, "Assignee.")


@frozen(kw_only=True)
class Marking:
    """What a person decides about an item."""

    cause_id: str = required("The item.")
    back: str = optional("/", "Where to go afterwards.")
    acknowledged: bool | None = optional(None, "Acknowledged.")
    snooze: Literal["1h", "1d", "7d"] | None = optional(None, "For how long.")
    assignee: str | None = optional(None, "Assignee.")
    note: str | None = optional(None, "Note.")


@page("/", scope="feeds:read")
def show_inbox(commerce: Commerce, parameters: Filters) -> View:
    """Shows what needs a person now."""
    state = None if parameters.state == "all" else parameters.state
    inbox = commerce.inbox.get(InboxQuery(state, parameters.kind, parameters.assignee))
    values = {
        "inbox": inbox,
        "filters": parameters,
        "paths": {item.cause_id: _path(item) for item in inbox.items},
        "KINDS": ITEM_KINDS,
        "ACTS": ACTS,
    }
    return View(
        "inbox.html", "Inbox", values=values, curl="/inbox", command="inbox list", saved_as="inbox"
    )


def _path(item: InboxItem) -> str:
    """The page on which a person does something about it."""
    return path_of(item.kind, item.subjects[0])


@act("/inbox/marks", scope="feeds:write")
def mark_item(commerce: Commerce, form: Marking) -> Goto:
    """Acknowledges, snoozes or assigns an item."""
    is_details = form.acknowledged is None
    until = commerce.context.clock() + _SNOOZES[form.snooze] if form.snooze else None
    item = commerce.inbox.mark(
        form.cause_id,
        acknowledged=form.acknowledged,
        snoozed_until=until,
        # The form of the details has both fields; one that was emptied isn't sent.
        assignee=(form.assignee or "") if is_details else None,
        note=(form.note or "") if is_details else None,
    )
    done = "Saved" if is_details and not form.snooze else f"Now {item.state}"
    return Goto(own_path(form.back), f"{done}: {item.title}.")


ROUTES = (show_inbox, mark_item)
