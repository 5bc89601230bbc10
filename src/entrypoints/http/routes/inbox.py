"""Routes of the inbox: what needs a person now, and marks."""

from datetime import datetime
from typing import Literal

from attrs import frozen

from commerce_core.activity.inbox import Inbox, InboxItem, InboxQuery, ItemKind
from commerce_core.commerce import Commerce
from entrypoints.http.kit.handlers import get, post
from entrypoints.http.kit.queries import WhoseQuery
from entrypoints.reading import optional, required

AnyState = Literal["open", "acknowledged", "snoozed", "all"]


@frozen(kw_only=True)
class InboxFilters(WhoseQuery):
    """Filters of the inbox."""

    state: AnyState = optional("open", "Only items in this state.")
    kind: ItemKind | None = optional(None, "Only items of this kind.")
    assignee: str | None = optional(None, "Only items assigned to this person.")

    @property
    def query(self) -> InboxQuery:
        """The filters as the core takes them."""
        state = None if self.state == "all" else self.state
        return InboxQuery(state, self.kind, self.assignee)


@frozen(kw_only=True)
class NewMark:
    """What a person decides about an item; omitted fields stay as they are."""

    cause_id: str = required("Id of the item.")
    acknowledged: bool | None = optional(
        None, "Whether it is acknowledged, until its cause occurs again; false undoes a snooze too."
    )
    snoozed_until: datetime | None = optional(None, "Time until which it is snoozed.")
    assignee: str | None = optional(None, "Person who takes care of it; empty for none.")
    note: str | None = optional(None, "Note for others; empty for none.")


@get("/inbox", scope="feeds:read")
def get_inbox(commerce: Commerce, parameters: InboxFilters) -> Inbox:
    """Lists what needs a person now: held, late and failed feeds, oversold products, and more.

    Items appear with their cause and leave with it; equal causes are one item with a count.
    """
    return commerce.inbox.get(parameters.query, partner=parameters.partner)


@post(
    "/inbox/marks",
    scope="feeds:write",
    refuses=[404],
    example={"cause_id": "held:feed_0199c2f4a1b07e3d8c215f60a9d2b4c7", "acknowledged": True},
)
def mark_item(commerce: Commerce, payload: NewMark) -> InboxItem:
    """Acknowledges, snoozes or assigns an item of the inbox.

    The mark of an operator holds in the operators' view, that of a partner in the partner's own.
    """
    return commerce.inbox.mark(
        payload.cause_id,
        acknowledged=payload.acknowledged,
        snoozed_until=payload.snoozed_until,
        assignee=payload.assignee,
        note=payload.note,
    )


ROUTES = (get_inbox, mark_item)
