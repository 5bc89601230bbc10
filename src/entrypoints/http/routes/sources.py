"""Routes of sources: where partners' feeds come from, and the profiles that read them."""

from datetime import date, timedelta
from typing import Any, BinaryIO, Literal, cast

from attrs import frozen
from litestar.datastructures import UploadFile

from commerce_core.base.calendar import Weekday
from commerce_core.commerce import Commerce
from commerce_core.feeds.freshness_settings import (
    MOST_DAYS_OFF,
    NOTHING_DECLARED,
    Expected,
)
from commerce_core.feeds.schedule import LONGEST_CRON
from commerce_core.feeds.source import OnError, Source
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
    """A file to try a profile on."""

    file: UploadFile = required("The file, which isn't stored.")
    mode: Mode | None = optional(None, "Mode of the file (default: the source's mode).")


@frozen(kw_only=True)
class Guards:
    """Changes to the guards; null turns one off."""

    removals: int | None = optional(MISSING, "Percentage of products that a feed may remove.")
    file_size: int | None = optional(MISSING, "Percentage by which a full file may shrink.")
    columns_gone: bool = optional(
        MISSING, "Whether a full file must have all columns of the previous one."
    )
    rekeyed: int | None = optional(MISSING, "Percentage of products whose skus may change.")
    price_median: int | None = optional(MISSING, "Percentage by which the median price may move.")
    price_leap: int | None = optional(MISSING, "Factor by which a single price may move at once.")
    out_of_stock: int | None = optional(
        MISSING, "Percentage of the products in stock that may sell out."
    )
    judged_from: int = optional(MISSING, "Number of products needed to apply a guard.")


@frozen(kw_only=True)
class ExpectedFiles:
    """When a source's files are expected; what is omitted is learned, or at its default."""

    cron: str | None = optional(
        None, "Schedule in five fields of cron, such as 30 6 * * mon-fri.", maxLength=LONGEST_CRON
    )
    every: timedelta | None = optional(None, "Longest time between two files, such as P1D.")
    time_zone: str | None = optional(
        None, "IANA name of the zone of the schedule and of the days off (default: the partner's)."
    )
    grace: timedelta | None = optional(
        None,
        "How long after the expected time a file counts as late (default: a quarter of the "
        "interval, from five minutes to one hour).",
    )
    weekdays_off: tuple[Weekday, ...] = optional(
        (), "Weekdays on which no file is expected.", maxItems=6
    )
    dates_off: tuple[date, ...] = optional(
        (), "Dates on which no file is expected.", maxItems=MOST_DAYS_OFF
    )


@frozen(kw_only=True)
class SourceSettings:
    """The settings of a source."""

    run: bool = optional(MISSING, "Whether the jobs of its feeds start automatically.")
    on_error: OnError = optional(
        MISSING,
        "What errors reject: only their records (records), or the whole feed, whether at the first "
        "one (feed) or beyond a threshold.",
    )
    guards: Guards = optional(MISSING, "Limits for its feeds; omitted ones stay as they are.")
    snapshot_pattern: str | None = optional(
        MISSING, "Pattern of the snapshot time in file names, such as catalog-{YYYY}{MM}{DD}.csv."
    )
    net_of_orders: bool = optional(
        MISSING, "Whether quantities leave out what was ordered before the snapshot."
    )
    expected: ExpectedFiles | None = optional(
        MISSING, "When its files are expected, as a whole; null: learn that from its history."
    )
    stop_selling_after: timedelta | None = optional(
        MISSING,
        "Age of its last fresh file at which its products are no longer sold, such as P3D; null: "
        "never.",
    )


@frozen(kw_only=True)
class NewSource(SourceSettings):
    """A source to add; its partner is named by id or by name."""

    partner_id: PartnerId | None = optional(None, "Id of the partner.")
    partner_name: str | None = optional(None, "Name of the partner, ignoring case.")
    source_name: str = required("Name of the source, unique within its partner.")
    mode: Mode = optional("delta", "Mode of feeds that don't specify one.")
    kind: Literal["push"] = optional(
        "push", "How its files arrive; where they are fetched from is set afterwards."
    )


@frozen(kw_only=True)
class SourceChange(SourceSettings):
    """Changes to a source; omitted fields stay as they are."""

    source_name: str = optional(MISSING, "Name of the source, unique within its partner.")
    mode: Mode = optional(MISSING, "Mode of feeds that don't specify one.")


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
    """Adds a source to a partner.

    Setting `guards`, `expected` or `stop_selling_after` also requires the scope `feeds:decide`.
    """
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
    """Changes the settings of a source; omitted ones stay as they are.

    Changing `guards`, `expected` or `stop_selling_after` also requires the scope `feeds:decide`, as
    do decisions about its feeds.
    """
    return commerce.sources.change(source_id, **_settings(payload))


def _settings(payload: SourceSettings) -> dict[str, Any]:
    """The settings that were sent, as the core takes them."""
    settings = sent(payload)
    if "guards" in settings:
        settings["guards"] = sent(settings["guards"])
    if "expected" in settings:
        expected = settings["expected"]
        settings["expected"] = Expected(**sent(expected)) if expected else NOTHING_DECLARED
    return settings


@delete("/sources/{source_id:str}", scope="feeds:write", refuses=[409])
def remove_source(commerce: Commerce, source_id: SourceId) -> Source:
    """Removes a source that has no active products and no unfinished feeds."""
    return commerce.sources.remove(source_id)


@get("/sources/{source_id:str}/profile", scope="feeds:read")
def get_profile(commerce: Commerce, source_id: SourceId) -> SavedProfile:
    """Shows the current profile, by which the source's files are read."""
    return commerce.sources.profile(source_id)


@put(
    "/sources/{source_id:str}/profile",
    scope="feeds:write",
    refuses=[409],
    example={"columns": {"sku": "Article", "price": {"from": "Price", "decimal": ","}}},
)
def set_profile(commerce: Commerce, source_id: SourceId, payload: Profile) -> SavedProfile:
    """Sets the source's profile, as a new version; an identical profile changes nothing."""
    return commerce.sources.set_profile(payload, source_id)


TRIED_BYTES = 64 * 1024**2
"""Maximum size of a file that a profile is tried on."""


@post("/sources/{source_id:str}/profile/test", scope="feeds:read", lane="examinations")
def try_profile(commerce: Commerce, source_id: SourceId, form: TriedFile) -> Trial:
    """Tries the source's profile on a file's first records; nothing is stored."""
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
