"""Routes of sources: where partners' feeds come from, and the profiles that read them."""

from typing import Any, BinaryIO, cast

from attrs import frozen
from litestar.datastructures import UploadFile

from commerce_core.commerce import Commerce
from commerce_core.feeds.source import OnError, Source, SourceKind
from commerce_core.profiles.profile import Profile, SavedProfile
from commerce_core.schema.fields import Mode
from commerce_core.usecases.context import IdempotencyKey, Listed
from commerce_core.usecases.sources import Trial
from entrypoints.http.queries import Page, WhoseQuery, named_once
from entrypoints.http.reading import sent
from entrypoints.http.routing import route
from entrypoints.http.values import UNSAID, PartnerId, SourceId, needed, said


@frozen(kw_only=True)
class TriedFile:
    """A file on which a profile is tried."""

    file: UploadFile = needed("The file; nothing of it is kept.")
    mode: Mode | None = said(None, "full or delta; the source's unless said.")


@frozen(kw_only=True)
class Guards:
    """Guards that are set otherwise than they were; null turns one off."""

    removals: int | None = said(UNSAID, "Percent of its products that a feed may remove.")
    file_size: int | None = said(UNSAID, "Percent by which a full file may shrink.")
    columns_gone: bool = said(UNSAID, "Whether a full file has to bring the last one's columns.")
    rekeyed: int | None = said(UNSAID, "Percent of the ids that may change.")
    price_median: int | None = said(UNSAID, "Percent by which the median price may move.")
    price_leap: int | None = said(UNSAID, "By how many fold one price may move at once.")
    out_of_stock: int | None = said(UNSAID, "Percent of the products in stock that may sell out.")
    judged_from: int = said(UNSAID, "From how many products on counts are judged.")


@frozen(kw_only=True)
class SourceSettings:
    """What may be set for a source."""

    run: bool = said(UNSAID, "Whether the jobs of its feeds begin by themselves.")
    on_error: OnError = said(UNSAID, "What rejected records mean for their feed.")
    guards: Guards = said(UNSAID, "How far its feeds may go; what isn't named stays as it is.")
    snapshot_pattern: str | None = said(
        UNSAID, "How a file's name tells the moment it shows, as catalog-{YYYY}{MM}{DD}.csv."
    )


@frozen(kw_only=True)
class NewSource(SourceSettings):
    """A source as it is added; the partner is named by id or by name."""

    partner_id: PartnerId | None = said(None, "The partner, by id.")
    partner_name: str | None = said(None, "The partner, by name, in any case.")
    source_name: str = needed("Its name, unique among those of the partner.")
    mode: Mode = said("delta", "The mode of its feeds where an upload says none.")
    kind: SourceKind = said("upload", "How its files come.")


@frozen(kw_only=True)
class SourceChange(SourceSettings):
    """What is to change of a source; what isn't sent stays."""

    source_name: str = said(UNSAID, "Its name, unique among those of the partner.")
    mode: Mode = said(UNSAID, "The mode of its feeds where an upload says none.")


@frozen(kw_only=True)
class SourceFilters(WhoseQuery, Page):
    """Which sources."""


@route(
    "POST",
    "/sources",
    scope="feeds:write",
    status=201,
    refuses=[404, 409],
    location="/v1/sources/{source_id}",
)
def add_source(commerce: Commerce, body: NewSource, key: IdempotencyKey | None) -> Source:
    """Adds a source to a partner."""
    said_of_it = _said(body)
    for name in ("partner_id", "partner_name", "source_name", "kind"):
        del said_of_it[name]
    partner = named_once(commerce, body.partner_id, body.partner_name)
    return commerce.sources.add(partner, body.source_name, **said_of_it, key=key)


@route("GET", "/sources", scope="feeds:read")
def list_sources(commerce: Commerce, query: SourceFilters) -> Listed[Source]:
    """Lists sources, oldest first."""
    return commerce.sources.page(
        query.cursor, query.limit, partner=query.partner, count=query.count
    )


@route("GET", "/sources/{source_id:str}", scope="feeds:read")
def get_source(commerce: Commerce, source_id: SourceId) -> Source:
    """Shows a source."""
    return commerce.sources.get(source_id)


@route("PATCH", "/sources/{source_id:str}", scope="feeds:write", refuses=[409])
def change_source(commerce: Commerce, source_id: SourceId, body: SourceChange) -> Source:
    """Changes the settings of a source that are sent."""
    return commerce.sources.change(source_id, **_said(body))


def _said(body: SourceSettings) -> dict[str, Any]:
    """The settings that were sent, the guards among them as a mapping of theirs."""
    settings = sent(body)
    return {**settings, "guards": sent(settings["guards"])} if "guards" in settings else settings


@route("DELETE", "/sources/{source_id:str}", scope="feeds:write", refuses=[409])
def remove_source(commerce: Commerce, source_id: SourceId) -> Source:
    """Removes a source that owns no active product and has no feed under way."""
    return commerce.sources.remove(source_id)


@route("GET", "/sources/{source_id:str}/profile", scope="feeds:read")
def get_profile(commerce: Commerce, source_id: SourceId) -> SavedProfile:
    """Shows the profile by which the source's files are read, in its latest version."""
    return commerce.sources.profile(source_id)


@route("PUT", "/sources/{source_id:str}/profile", scope="feeds:write", refuses=[409])
def set_profile(commerce: Commerce, source_id: SourceId, body: Profile) -> SavedProfile:
    """Reads the source's files by this profile from now on; a new version, if it differs."""
    return commerce.sources.set_profile(body, source_id)


TRIED_BYTES = 64 * 1024**2
"""How large a file may be that is only tried."""


@route("POST", "/sources/{source_id:str}/profile/test", scope="feeds:read")
def try_profile(commerce: Commerce, source_id: SourceId, form: TriedFile) -> Trial:
    """Reads a file's first records by the source's profile; nothing is kept."""
    source = commerce.sources.get(source_id)
    return commerce.sources.try_profile(
        cast("BinaryIO", form.file.file),
        partner=source.partner_id,
        source=source.source_id,
        mode=form.mode,
    )


ROUTES = (
    add_source,
    list_sources,
    get_source,
    change_source,
    remove_source,
    get_profile,
    set_profile,
)
TRIAL = try_profile
