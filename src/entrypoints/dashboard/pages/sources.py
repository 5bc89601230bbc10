"""Sources: their list, and one source with its settings, its schedule and its fetches."""

from typing import Any, Final

from attrs import fields, frozen
from litestar import Response

from commerce_core.commerce import Commerce
from commerce_core.feeds.guards import GuardSettings
from commerce_core.feeds.pull import Fetch, Pull
from commerce_core.schema.fields import Mode
from commerce_core.usecases.context import Listed
from entrypoints.dashboard.kit.live import live
from entrypoints.dashboard.kit.pages import Goto, act, page
from entrypoints.dashboard.kit.paging import Paging
from entrypoints.dashboard.kit.rendering import View, fragment
from entrypoints.dashboard.pages.pulls import has_folders, pull_of
from entrypoints.dashboard.pages.shown import partner_names
from entrypoints.http.kit.security import Asked
from entrypoints.profile_files import write_toml
from entrypoints.reading import required
from entrypoints.scalars import SourceId

FETCHES_SHOWN: Final = 20
"""The most fetches on the page of a source."""
_SETTINGS: Final = {
    "url": "Address",
    "endpoint": "Endpoint",
    "region": "Region",
    "host_key": "Public keys of the server",
    "username": "User",
    "pattern": "Which files",
    "marker": "Complete once there is",
    "queue_url": "Queue that reports new keys",
    "cron": "When",
}
"""What is shown of how a source is fetched, under the same names as in its form."""


@frozen(kw_only=True)
class SourceChange:
    """Settings of a source."""

    mode: Mode = required("Mode.")
    run: bool = required("Whether its jobs start by themselves.")


@page("/sources", scope="feeds:read")
def show_sources(commerce: Commerce, parameters: Paging) -> View:
    """Lists sources."""
    listed = commerce.sources.page(parameters.cursor)
    names = partner_names(commerce, (source.partner_id for source in listed.items))
    sources = [(source, names.get(source.partner_id, "")) for source in listed.items]
    values = {"sources": sources, "listed": listed}
    return View("sources.html", "Sources", values=values, curl="/sources", command="sources list")


@page("/sources/{source_id:str}", scope="feeds:read")
def show_source(commerce: Commerce, source_id: SourceId, parameters: Paging) -> View:
    """Shows a source: how its files come, its guards, its profile, its settings."""
    source = commerce.sources.get(source_id)
    saved = commerce.sources.profile(source_id)
    guards = [(a.name, getattr(source.guards, a.name)) for a in fields(GuardSettings)]
    pull = pull_of(commerce, source_id)
    fetches = _fetches(commerce, source_id, parameters.cursor)
    is_live = parameters.cursor is None and any(one.outcome is None for one in fetches.items)
    values: dict[str, Any] = {
        "source": source,
        "partner": commerce.partners.get(source.partner_id),
        "guards": guards,
        "profile": saved if saved.version else None,
        "profile_text": write_toml(saved.profile),
        "pull": pull,
        "has_folders": has_folders(pull),
        "settings": _settings(pull) if pull else [],
        "fetches": fetches,
        "live": f"/sources/{source_id}/live" if is_live else None,
    }
    return View(
        "source.html", source.source_name, values=values, curl=f"/sources/{source_id}",
        command=f"sources show {source.source_name} --partner {source.partner_id}",
    )  # fmt: skip


def _fetches(commerce: Commerce, source_id: str, cursor: str | None) -> Listed[Fetch]:
    return commerce.pulls.page(cursor, FETCHES_SHOWN, source=source_id)


def _settings(pull: Pull) -> list[tuple[str, str]]:
    """The settings that it has, and whether there is a secret."""
    found = [(label, getattr(pull, name)) for name, label in _SETTINGS.items()]
    shown = [(label, value) for label, value in found if value is not None]
    if pull.cron:
        shown.append(("Time zone of that", pull.time_zone))
    shown.append(("Secret", "stored, never shown" if pull.has_secret else "none"))
    if pull.queue_error:
        shown.append(("Its queue fails", pull.queue_error.message))
    return shown


@page("/sources/{source_id:str}/live", scope="feeds:read", lane="streams")
def watch_source(commerce: Commerce, source_id: SourceId, request: Asked) -> Response[Any]:
    """Sends the source's latest fetches whenever they have changed."""
    commerce.sources.get(source_id)

    def look() -> str:
        return fragment(commerce, "fetches.html", fetches=_fetches(commerce, source_id, None))

    return live(request, look)


@act("/sources/{source_id:str}", scope="feeds:write")
def change_source(commerce: Commerce, source_id: SourceId, form: SourceChange) -> Goto:
    """Changes a source."""
    commerce.sources.change(source_id, mode=form.mode, run=form.run)
    return Goto(f"/sources/{source_id}", "Saved.")


@act("/sources/{source_id:str}/fetch", scope="feeds:write")
def fetch_source(commerce: Commerce, source_id: SourceId) -> Goto:
    """Fetches a source now."""
    commerce.pulls.fetch(source_id)
    return Goto(f"/sources/{source_id}", "A worker fetches it now.")


ROUTES = (show_sources, show_source, watch_source, change_source, fetch_source)
