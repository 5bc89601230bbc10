"""Routes of sources: where partners' feeds come from, and the profiles that read them."""

from typing import BinaryIO, cast

from attrs import frozen
from litestar.datastructures import UploadFile

from commerce_core.context import Listed
from commerce_core.errors import InvalidInput
from commerce_core.partners import Mode, Source
from commerce_core.profiles import Profile, SavedProfile
from commerce_core.sourcing import Trial
from commerce_core.usecases import Commerce
from entrypoints.http.queries import WhoseQuery
from entrypoints.http.routing import route
from entrypoints.http.values import SourceId, needed, said


@frozen(kw_only=True)
class TriedFile:
    """A file on which a profile is tried."""

    file: UploadFile = needed("The file; nothing of it is kept.")
    mode: Mode | None = said(None, "full or delta; the source's unless said.")


@route("GET", "/sources", scope="feeds:read")
def list_sources(commerce: Commerce, query: WhoseQuery) -> Listed[Source]:
    """Lists a partner's sources by name, all of them at once."""
    partner = query.partner or commerce.context.principal.partner_id
    if partner is None:
        detail = "Name the partner whose sources to list."
        raise InvalidInput.at("/partner_id", "required", detail)
    return Listed(tuple(commerce.sourcing.of(partner)), None)


@route("GET", "/sources/{source_id:str}", scope="feeds:read")
def get_source(commerce: Commerce, source_id: SourceId) -> Source:
    """Shows a source."""
    return commerce.sourcing.get(source_id)


@route("GET", "/sources/{source_id:str}/profile", scope="feeds:read")
def get_profile(commerce: Commerce, source_id: SourceId) -> SavedProfile:
    """Shows the profile by which the source's files are read, in its latest version."""
    return commerce.sourcing.profile(source_id)


@route("PUT", "/sources/{source_id:str}/profile", scope="feeds:write", refuses=[409])
def set_profile(commerce: Commerce, source_id: SourceId, body: Profile) -> SavedProfile:
    """Reads the source's files by this profile from now on; a new version, if it differs."""
    return commerce.sourcing.set_profile(body, source_id)


TRIED_BYTES = 64 * 1024**2
"""How large a file may be that is only tried."""


@route("POST", "/sources/{source_id:str}/profile/test", scope="feeds:read")
def try_profile(commerce: Commerce, source_id: SourceId, form: TriedFile) -> Trial:
    """Reads a file's first records by the source's profile; nothing is kept."""
    source = commerce.sourcing.get(source_id)
    return commerce.sourcing.try_profile(
        cast("BinaryIO", form.file.file),
        partner=source.partner_id,
        source=source.source_id,
        mode=form.mode,
    )


ROUTES = (list_sources, get_source, get_profile, set_profile)
TRIAL = try_profile
