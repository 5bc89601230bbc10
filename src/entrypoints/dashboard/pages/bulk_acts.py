"""What failed, by cause; and acts on whole groups of feeds, beyond any page, with their results."""

from collections.abc import Mapping
from typing import Any, Final, Literal

from attrs import frozen
from litestar import Response

from commerce_core.base.errors import InvalidInput
from commerce_core.commerce import Commerce
from commerce_core.feeds.bulk_act import BulkKind, FeedGroup, ItemStatus
from entrypoints.dashboard.kit.live import live
from entrypoints.dashboard.kit.pages import Goto, act, page
from entrypoints.dashboard.kit.paging import Paging
from entrypoints.dashboard.kit.rendering import View, fragment
from entrypoints.dashboard.pages.shown import partner_names
from entrypoints.http.kit.queries import SpanQuery, WhoseQuery, instant
from entrypoints.http.kit.security import Asked
from entrypoints.problems import problem_of
from entrypoints.reading import optional, required
from entrypoints.scalars import BulkId, SourceId

TITLES: Final[Mapping[BulkKind, str]] = {
    "process_again": "Process failed feeds again",
    "approve": "Approve held feeds",
    "reject": "Reject held feeds",
}


@frozen(kw_only=True)
class Group(WhoseQuery, SpanQuery):
    """Which feeds, and what to do with them."""

    kind: BulkKind = required("What to do.")
    source_id: SourceId | None = optional(None, "Source.")
    code: str | None = optional(None, "Error code.")

    @property
    def group(self) -> FeedGroup:
        """The group as the core takes it."""
        return FeedGroup(
            self.kind, None, self.source_id, self.code, instant(self.from_), instant(self.to)
        )


@frozen(kw_only=True)
class Confirmed(Group):
    """A group, and the members that its plan showed."""

    count: int = required("Number of feeds.")
    digest: str = required("Digest of the feeds.")
    without: Literal["removals"] | None = optional(None, "What an approval leaves out.")
    note: str | None = optional(None, "Note.")


@frozen(kw_only=True)
class Members(Paging):
    """Which members."""

    status: ItemStatus | None = optional(None, "Status.")


@page("/failures", scope="feeds:read", is_expensive=lambda _: True)
def show_failures(commerce: Commerce, parameters: WhoseQuery) -> View:
    """Lists why feeds failed that nothing was done about, each cause as one row."""
    values = {
        "causes": commerce.bulk_acts.causes(partner=parameters.partner),
        "filters": parameters,
    }
    return View(
        "failures.html", "What failed, by cause", values=values, curl="/feed-failures",
        command="bulk failures", saved_as="failures",
    )  # fmt: skip


@page("/bulk-acts", scope="feeds:read")
def show_bulk_acts(commerce: Commerce, parameters: Paging) -> View:
    """Lists bulk acts."""
    values = {"acts": commerce.bulk_acts.page(parameters.cursor), "TITLES": TITLES}
    return View(
        "bulk-acts.html", "Bulk acts", values=values, curl="/bulk-acts", command="bulk list"
    )


@page("/bulk-acts/new", scope="feeds:write", is_expensive=lambda _: True)
def show_bulk_plan(commerce: Commerce, parameters: Group) -> View:
    """Shows which feeds a bulk act would concern, counted now."""
    plan, refused = None, None
    try:
        plan = commerce.bulk_acts.plan(parameters.group, partner=parameters.partner)
    except InvalidInput as error:
        refused = problem_of(error)
    given = {
        "kind": parameters.kind, "source_id": parameters.source_id, "code": parameters.code,
        "partner_id": parameters.partner_id, "partner_name": parameters.partner_name,
        "from": parameters.from_, "to": parameters.to,
    }  # fmt: skip
    values: dict[str, Any] = {
        "plan": plan,
        "refused": refused,
        "samples": [commerce.feeds.get(feed_id) for feed_id in plan.samples] if plan else [],
        "given": {name: value for name, value in given.items() if value is not None},
        "kind": parameters.kind,
    }
    return View(
        "bulk-plan.html", TITLES[parameters.kind], values=values,
        status=refused.status if refused else 200,
        command=f"bulk start {parameters.kind}"
        + (f" --code {parameters.code}" if parameters.code else ""),
    )  # fmt: skip


@act("/bulk-acts", scope="feeds:write")
def start_bulk_act(commerce: Commerce, form: Confirmed) -> Goto:
    """Acts on each feed of a group, if they are still those that were shown."""
    started = commerce.bulk_acts.start(
        form.group, count=form.count, digest=form.digest, partner=form.partner, note=form.note,
        without=(form.without,) if form.without else (),
    )  # fmt: skip
    return Goto(f"/bulk-acts/{started.bulk_id}", "A worker does it, feed by feed.")


@page("/bulk-acts/{bulk_id:str}", scope="feeds:read")
def show_bulk_act(commerce: Commerce, bulk_id: BulkId, parameters: Members) -> View:
    """Shows a bulk act: its progress, and what became of each feed."""
    shown = commerce.bulk_acts.get(bulk_id)
    owner = shown.group.partner_id
    values: dict[str, Any] = {
        "bulk": shown,
        "items": commerce.bulk_acts.page_items(bulk_id, parameters.status, parameters.cursor),
        "filters": parameters,
        "live": f"/bulk-acts/{bulk_id}/live" if shown.finished_at is None else None,
        "of_partner": partner_names(commerce, [owner]).get(owner) if owner else None,
    }
    return View(
        "bulk-act.html", TITLES[shown.group.kind], values=values, curl=f"/bulk-acts/{bulk_id}",
        command=f"bulk show {bulk_id}",
    )  # fmt: skip


@page("/bulk-acts/{bulk_id:str}/live", scope="feeds:read", lane="streams")
def watch_bulk_act(commerce: Commerce, bulk_id: BulkId, request: Asked) -> Response[Any]:
    """Sends the progress of a bulk act whenever it has changed."""
    commerce.bulk_acts.get(bulk_id)

    def look() -> str:
        return fragment(commerce, "bulk-state.html", bulk=commerce.bulk_acts.get(bulk_id))

    return live(request, look)


@act("/bulk-acts/{bulk_id:str}/cancel", scope="feeds:write")
def cancel_bulk_act(commerce: Commerce, bulk_id: BulkId) -> Goto:
    """Leaves alone the feeds that have no result yet."""
    commerce.bulk_acts.cancel(bulk_id)
    return Goto(f"/bulk-acts/{bulk_id}", "Cancelled. What was done stays done.")


ROUTES = (
    show_failures,
    show_bulk_acts,
    show_bulk_plan,
    start_bulk_act,
    show_bulk_act,
    watch_bulk_act,
    cancel_bulk_act,
)
