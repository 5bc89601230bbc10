"""Backfills: the past files of a folder, with a plan first; and one fetch with its progress."""

from typing import Any

from attrs import asdict, frozen
from litestar import Response

from commerce_core.commerce import Commerce
from commerce_core.feeds.backfill import Backfill
from commerce_core.feeds.pull import Fetch
from entrypoints.dashboard.kit.live import live
from entrypoints.dashboard.kit.pages import Goto, act, page
from entrypoints.dashboard.kit.rendering import View, fragment
from entrypoints.dashboard.pages.pulls import has_folders, pull_of
from entrypoints.http.kit.queries import instant
from entrypoints.http.kit.security import Asked
from entrypoints.reading import optional
from entrypoints.scalars import FetchId, Moment, SourceId


@frozen(kw_only=True)
class Chosen:
    """Which files; what is left blank is as the source has it."""

    url: str | None = optional(None, "Folder or prefix.")
    pattern: str | None = optional(None, "Which files.")
    snapshot_from: Moment | None = optional(None, "From when on.")
    snapshot_to: Moment | None = optional(None, "Until when.")

    @property
    def backfill(self) -> Backfill:
        """The same as the core takes it."""
        bounds = instant(self.snapshot_from), instant(self.snapshot_to)
        return Backfill(self.url, self.pattern, *bounds)


@page("/sources/{source_id:str}/backfill", scope="feeds:write")
def choose_backfill(commerce: Commerce, source_id: SourceId) -> View:
    """Asks which past files to load."""
    return _view(commerce, source_id, Chosen())


@act("/sources/{source_id:str}/backfill/plan", scope="feeds:write", lane="examinations")
def plan_backfill(commerce: Commerce, source_id: SourceId, form: Chosen) -> View:
    """Shows what a backfill would take, in which order and why; nothing is kept."""
    return _view(commerce, source_id, form, commerce.pulls.plan_backfill(source_id, form.backfill))


def _view(commerce: Commerce, source_id: str, chosen: Chosen, plan: object = None) -> View:
    pull = pull_of(commerce, source_id)
    values: dict[str, Any] = {
        "source": commerce.sources.get(source_id),
        "pull": pull,
        "has_folders": has_folders(pull),
        "chosen": asdict(chosen),
        "plan": plan,
    }
    return View(
        "backfill.html", "Load past files", values=values,
        command=f"sources backfill {source_id} --plan",
    )  # fmt: skip


@act("/sources/{source_id:str}/backfill", scope="feeds:write")
def start_backfill(commerce: Commerce, source_id: SourceId, form: Chosen) -> Goto:
    """Lets a worker load the files."""
    fetch = commerce.pulls.backfill(source_id, form.backfill)
    return Goto(f"/fetches/{fetch.fetch_id}", "A worker loads them, the oldest first.")


@page("/fetches/{fetch_id:str}", scope="feeds:read")
def show_fetch(commerce: Commerce, fetch_id: FetchId) -> View:
    """Shows a fetch or a backfill: how far it is, and what came of it."""
    fetch = commerce.pulls.get_fetch(fetch_id)
    values: dict[str, Any] = {
        "fetch": fetch,
        "source": commerce.sources.get(fetch.source_id),
        "live": f"/fetches/{fetch_id}/live" if fetch.outcome is None else None,
    }
    return View(
        "fetch.html", "Backfill" if fetch.backfill else "Fetch", values=values,
        curl=f"/fetches/{fetch_id}", command=f"sources fetches {fetch.source_id}",
    )  # fmt: skip


@page("/fetches/{fetch_id:str}/live", scope="feeds:read", lane="streams")
def watch_fetch(commerce: Commerce, fetch_id: FetchId, request: Asked) -> Response[Any]:
    """Sends the state of a fetch whenever it has changed."""
    commerce.pulls.get_fetch(fetch_id)

    def look() -> str:
        fetch: Fetch = commerce.pulls.get_fetch(fetch_id)
        return fragment(commerce, "fetch-state.html", fetch=fetch)

    return live(request, look)


@act("/fetches/{fetch_id:str}/cancel", scope="feeds:write")
def cancel_fetch(commerce: Commerce, fetch_id: FetchId) -> Goto:
    """Ends a fetch or a backfill; what it took stays."""
    commerce.pulls.cancel(fetch_id)
    return Goto(f"/fetches/{fetch_id}", "Cancelled. What it took stays.")


ROUTES = (choose_backfill, plan_backfill, start_backfill, show_fetch, watch_fetch, cancel_fetch)
