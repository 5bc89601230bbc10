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
from entrypoints.http.kit.handlers import delete, get, patch, post, put
from entrypoints.http.kit.queries import Page, WhoseQuery, named_once
from entrypoints.reading import MISSING, optional, required, sent
from entrypoints.scalars import PartnerId, SourceId


@frozen(kw_only=True)
class TriedFile:
    """A file on which a profile is tried."""

    file: UploadFile = required("The file; nothing of it is kept.")
    mode: Mode | None = optional(None, "full or delta (default: the source's mode).")


@frozen(kw_only=True)
class Guards:
    """Guards that are set otherwise than they were; null turns one off."""

    removals: int | None = optional(MISSING, "Percent of its products that a feed may remove.")
    file_size: int | None = optional(MISSING, "Percent by which a full file may shrink.")
    columns_gone: bool = optional(
        MISSING, "Whether a full file has to bring the last one's columns."
    )
    rekeyed: int | None = optional(MISSING, "Percent of the ids that may change.")
    price_median: int | None = optional(MISSING, "Percent by which the median price may move.")
    price_leap: int | None = optional(MISSING, "By how many fold one price may move at once.")
    out_of_stock: int | None = optional(
        MISSING, "Percent of the products in stock that may sell out."
    )
    judged_from: int = optional(MISSING, "From how many products on counts are judged.")


@frozen(kw_only=True)
class SourceSettings:
    """What may be set for a source."""

    run: bool = optional(MISSING, "Whether the jobs of its feeds begin by themselves.")
    on_error: OnError = optional(MISSING, "What rejected records mean for their feed.")
    guards: Guards = optional(MISSING, "How far its feeds may go; what isn't named stays as it is.")
    snapshot_pattern: str | None = optional(
        MISSING, "How a file's name contains the moment it shows, as catalog-{YYYY}{MM}{DD}.csv."
    )


@frozen(kw_only=True)
class NewSource(SourceSettings):
    """A source as it is added; the partner is named by id or by name."""

    partner_id: PartnerId | None = optional(None, "The partner, by id.")
    partner_name: str | None = optional(None, "The partner, by name, in any case.")
    source_name: str = required("Its name, unique among those of the partner.")
    mode: Mode = optional("delta", "The mode of its feeds where an upload declares none.")
    kind: SourceKind = optional("upload", "How its files come.")


@frozen(kw_only=True)
class SourceChange(SourceSettings):
    """What is to change of a source; what isn't sent stays."""

    source_name: str = optional(MISSING, "Its name, unique among those of the partner.")
    mode: Mode = optional(MISSING, "The mode of its feeds where an upload declares none.")


@frozen(kw_only=True)
class SourceFilters(WhoseQuery, Page):
    """Which sources."""


@post(
    "/sources",
    scope="feeds:write",
    status=(201,),
    refuses=[404, 409],
    location="/v1/sources/{.source_id}",
    example={"partner_name": "Acme", "source_name": "stock", "mode": "delta"},
)
def add_source(commerce: Commerce, payload: NewSource, key: IdempotencyKey | None) -> Source:
    """Adds a source to a partner."""
    settings = _settings(payload)
    for name in ("partner_id", "partner_name", "source_name", "kind"):
        del settings[name]
    partner = named_once(commerce, payload.partner_id, payload.partner_name)
    return commerce.sources.add(partner, payload.source_name, **settings, key=key)


@get("/sources", scope="feeds:read")
def list_sources(commerce: Commerce, parameters: SourceFilters) -> Listed[Source]:
    """Lists sources, oldest first."""
    return commerce.sources.page(
        parameters.cursor, parameters.limit, partner=parameters.partner, count=parameters.count
    )


@get("/sources/{source_id:str}", scope="feeds:read")
def get_source(commerce: Commerce, source_id: SourceId) -> Source:
    """Shows a source."""
    return commerce.sources.get(source_id)


@patch(
    "/sources/{source_id:str}",
    scope="feeds:write",
    refuses=[409],
    example={"guards": {"removals": 20}},
)
def change_source(commerce: Commerce, source_id: SourceId, payload: SourceChange) -> Source:
    """Changes the settings of a source that are sent."""
    return commerce.sources.change(source_id, **_settings(payload))


def _settings(payload: SourceSettings) -> dict[str, Any]:
    """The settings that were sent, the guards among them as a mapping of theirs."""
    settings = sent(payload)
    return {**settings, "guards": sent(settings["guards"])} if "guards" in settings else settings


@delete("/sources/{source_id:str}", scope="feeds:write", refuses=[409])
def remove_source(commerce: Commerce, source_id: SourceId) -> Source:
    """Removes a source that owns no active product and has no feed under way."""
    return commerce.sources.remove(source_id)


@get("/sources/{source_id:str}/profile", scope="feeds:read")
def get_profile(commerce: Commerce, source_id: SourceId) -> SavedProfile:
    """Shows the profile by which the source's files are read, in its latest version."""
    return commerce.sources.profile(source_id)


@put(
    "/sources/{source_id:str}/profile",
    scope="feeds:write",
    refuses=[409],
    example={"columns": {"sku": "Article", "price": {"from": "Price", "decimal": ","}}},
)
def set_profile(commerce: Commerce, source_id: SourceId, payload: Profile) -> SavedProfile:
    """Reads the source's files by this profile from now on; a new version, if it differs."""
    return commerce.sources.set_profile(payload, source_id)


TRIED_BYTES = 64 * 1024**2
"""How large a file may be that is only tried."""


@post("/sources/{source_id:str}/profile/test", scope="feeds:read")
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
