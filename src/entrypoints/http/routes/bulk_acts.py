"""Routes of bulk acts: why feeds failed, and one act on each feed of a group."""

from datetime import datetime

from attrs import frozen

from commerce_core.commerce import Commerce
from commerce_core.feeds.bulk_act import (
    BulkAct,
    BulkItem,
    BulkKind,
    BulkPlan,
    FailureCause,
    FeedGroup,
    ItemStatus,
)
from commerce_core.usecases.context import IdempotencyKey, Listed
from entrypoints.http.kit.handlers import get, post
from entrypoints.http.kit.queries import Page, Part, WhoseQuery
from entrypoints.reading import optional, required
from entrypoints.scalars import BulkId, PartnerId, SourceId


@frozen(kw_only=True, slots=False)
class GroupBody:
    """A group of feeds, and what to do with each."""

    kind: BulkKind = required("What to do: process failed feeds again, or decide about held ones.")
    partner_id: PartnerId | None = optional(None, "Only feeds of this partner.")
    source_id: SourceId | None = optional(None, "Only feeds of this source.")
    code: str | None = optional(None, "Only feeds that failed with this error code.")
    received_from: datetime | None = optional(None, "Only feeds received at this time or later.")
    received_to: datetime | None = optional(None, "Only feeds received before this time.")

    @property
    def group(self) -> FeedGroup:
        """The group as the core takes it."""
        return FeedGroup(
            self.kind, self.partner_id, self.source_id, self.code, self.received_from,
            self.received_to,
        )  # fmt: skip


@frozen(kw_only=True)
class NewBulkAct(GroupBody):
    """An act on each feed of a group, with the number of feeds that its plan showed."""

    count: int = required("Number of feeds that the plan showed.", minimum=1)
    digest: str | None = optional(
        None, "Digest of the plan: the act then applies to exactly its feeds."
    )
    without: tuple[str, ...] = optional((), "What an approval leaves out: removals.")
    note: str | None = optional(None, "Note of a decision about held feeds.")


@frozen(kw_only=True)
class Causes(WhoseQuery):
    """Whose feeds."""


@frozen(kw_only=True)
class Members(Part):
    """Which members."""

    status: ItemStatus | None = optional(None, "Only members with this status.")


@get("/feed-failures", scope="feeds:read")
def list_failures(commerce: Commerce, parameters: Causes) -> Listed[FailureCause]:
    """Lists the causes of failures that haven't been dealt with, the most frequent first."""
    causes = commerce.bulk_acts.causes(partner=parameters.partner)
    return Listed(tuple(causes), None)


@post(
    "/bulk-acts/plan",
    scope="feeds:write",
    refuses=[404],
    example={"kind": "process_again", "code": "html"},
)
def plan_bulk_act(commerce: Commerce, payload: GroupBody) -> BulkPlan:
    """Counts the feeds that a bulk act would concern now; nothing is done."""
    return commerce.bulk_acts.plan(payload.group)


@post(
    "/bulk-acts",
    scope="feeds:write",
    status=(202,),
    refuses=[404, 409],
    location="/v1/bulk-acts/{.bulk_id}",
    example={"kind": "process_again", "code": "html", "count": 12},
)
def start_bulk_act(commerce: Commerce, payload: NewBulkAct, key: IdempotencyKey | None) -> BulkAct:
    """Acts on each feed of a group, if it still has that many: workers do it.

    Decisions about held feeds need the scope feeds:decide.
    """
    return commerce.bulk_acts.start(
        payload.group, count=payload.count, digest=payload.digest, without=payload.without,
        note=payload.note, key=key,
    )  # fmt: skip


@get("/bulk-acts", scope="feeds:read")
def list_bulk_acts(commerce: Commerce, parameters: Page) -> Listed[BulkAct]:
    """Lists bulk acts, newest first."""
    return commerce.bulk_acts.page(parameters.cursor, parameters.limit, count=parameters.count)


@get("/bulk-acts/{bulk_id:str}", scope="feeds:read")
def get_bulk_act(commerce: Commerce, bulk_id: BulkId) -> BulkAct:
    """Shows a bulk act, and its progress."""
    return commerce.bulk_acts.get(bulk_id)


@get("/bulk-acts/{bulk_id:str}/items", scope="feeds:read")
def list_bulk_items(commerce: Commerce, bulk_id: BulkId, parameters: Members) -> Listed[BulkItem]:
    """Lists what became of each feed of a bulk act, oldest feed first."""
    return commerce.bulk_acts.page_items(
        bulk_id, parameters.status, parameters.cursor, parameters.limit
    )


@post("/bulk-acts/{bulk_id:str}/cancel", scope="feeds:write", refuses=[409])
def cancel_bulk_act(commerce: Commerce, bulk_id: BulkId) -> BulkAct:
    """Cancels a bulk act: feeds without a result are left alone."""
    return commerce.bulk_acts.cancel(bulk_id)


ROUTES = (
    list_failures,
    plan_bulk_act,
    start_bulk_act,
    list_bulk_acts,
    get_bulk_act,
    list_bulk_items,
    cancel_bulk_act,
)
