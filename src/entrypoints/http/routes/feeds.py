"""Routes of feeds: upload, list, show, the raw file, a new job for a feed."""

import re
from datetime import datetime
from typing import Any, BinaryIO, Final, cast

from attrs import frozen
from litestar import Response
from litestar.datastructures import UploadFile

from commerce_core.commerce import Commerce
from commerce_core.feeds.feed import Feed, FeedQuery, FeedStatus
from commerce_core.feeds.job import FeedJobKind, Job
from commerce_core.schema.fields import Mode
from commerce_core.usecases.context import IdempotencyKey, Listed
from commerce_core.usecases.feeds import Receipt
from entrypoints.http.kit.downloads import download, is_known
from entrypoints.http.kit.handlers import get, post, put
from entrypoints.http.kit.queries import Page, SpanQuery, WhoseQuery, instant, named_once
from entrypoints.http.kit.security import Asked
from entrypoints.reading import optional, required
from entrypoints.scalars import FeedId, PartnerId, SourceId

UNKNOWN_TYPE: Final = "application/octet-stream"
_MEDIA_TYPE: Final = re.compile(r"[\w.+-]+/[\w.+-]+(; ?[\w.+-]+=[\w.+-]+)*", re.ASCII)


@frozen(kw_only=True)
class UploadTerms:
    """What an upload declares; a partner's own key needn't name the partner."""

    partner_id: PartnerId | None = optional(None, "Id of the partner.")
    partner_name: str | None = optional(None, "Name of the partner, ignoring case.")
    source: str | None = optional(None, "Source of the partner: an id or a name (default: `main`).")
    mode: Mode | None = optional(
        None,
        "full: products missing from the file are removed; delta: they stay "
        "(default: the source's mode).",
    )
    kind: FeedJobKind = optional(
        "ingest",
        "What the job does: apply the feed (ingest), only check its records (validate), or also "
        "compare them with the catalog (plan).",
    )
    run: bool | None = optional(
        None, "Whether the job starts automatically (default: the source's setting)."
    )
    snapshot_at: datetime | None = optional(
        None,
        "Time of the state that the file shows (default: the time in the file name, by the "
        "source's pattern, else the time of receipt).",
    )
    expected_rows: int | None = optional(
        None, "Number of records that the file must contain, without blank ones."
    )
    sha256: str | None = optional(None, "SHA-256 that the file must have, in hexadecimal.")

    def receive(
        self,
        commerce: Commerce,
        file: BinaryIO,
        name: str,
        content_type: str,
        key: IdempotencyKey | None,
    ) -> Receipt:
        """Uploads the file on these terms."""
        return commerce.feeds.upload(
            file,
            partner=named_once(commerce, self.partner_id, self.partner_name),
            file_name=name,
            content_type=content_type,
            source=self.source,
            mode=self.mode,
            kind=self.kind,
            run=self.run,
            snapshot_at=self.snapshot_at,
            expected_rows=self.expected_rows,
            sha256=self.sha256,
            key=key,
        )


@frozen(kw_only=True)
class FeedUpload(UploadTerms):
    """A feed uploaded as a form."""

    file: UploadFile = required("The feed's file, which is stored exactly as sent.")


@frozen(kw_only=True)
class ContentTerms(UploadTerms):
    """A feed uploaded as the request's body."""

    filename: str = optional("feed.csv", "Name of the file.")


@frozen(kw_only=True)
class FeedFilters(WhoseQuery, SpanQuery, Page):
    """Filters of feeds; the range is of the times of receipt."""

    source_id: SourceId | None = optional(None, "Only feeds of this source.")
    status: FeedStatus | None = optional(None, "Only feeds with this status.")


@frozen(kw_only=True)
class NewJob:
    """A job to create for a feed."""

    kind: FeedJobKind = optional(
        "ingest", "What the job does; a held feed can't be ingested again."
    )
    run: bool = optional(default=False, meaning="Whether the job starts automatically.")


@post(
    "/feeds/upload",
    lane="uploads",
    scope="feeds:write",
    status=(201,),
    refuses=[404, 409],
    location="/v1/feeds/{.feed_id}",
)
def upload_feed(commerce: Commerce, form: FeedUpload, key: IdempotencyKey | None) -> Receipt:
    """Stores a feed's file and creates its job, which reports all problems of the content."""
    file = form.file
    return form.receive(
        commerce, cast("BinaryIO", file.file), file.filename, file.content_type, key
    )


@put(
    "/feeds/content",
    lane="uploads",
    scope="feeds:write",
    status=(201,),
    refuses=[404, 409],
    location="/v1/feeds/{.feed_id}",
)
def put_content(
    commerce: Commerce,
    parameters: ContentTerms,
    content: BinaryIO,
    request: Asked,
    key: IdempotencyKey | None,
) -> Receipt:
    """Stores the request's body as a feed's file, and creates its job."""
    return parameters.receive(commerce, content, parameters.filename, request.content_type[0], key)


@get("/feeds", scope="feeds:read")
def list_feeds(commerce: Commerce, parameters: FeedFilters) -> Listed[Feed]:
    """Lists feeds, newest first."""
    wanted = FeedQuery(
        source_id=parameters.source_id,
        status=parameters.status,
        received_from=instant(parameters.from_),
        received_to=instant(parameters.to),
    )
    return commerce.feeds.page(
        wanted,
        parameters.cursor,
        parameters.limit,
        partner=parameters.partner,
        count=parameters.count,
    )


@get("/feeds/{feed_id:str}", scope="feeds:read")
def get_feed(commerce: Commerce, feed_id: FeedId) -> Feed:
    """Shows a feed."""
    return commerce.feeds.get(feed_id)


@get(
    "/feeds/{feed_id:str}/raw",
    lane="streams",
    scope="feeds:read",
    status=(200, 304),
    media=[UNKNOWN_TYPE, "*/*"],
)
def get_raw(commerce: Commerce, feed_id: FeedId, request: Asked) -> Response[Any]:
    """Downloads a feed's file exactly as it was received; the ETag is its SHA-256."""
    feed = commerce.feeds.get(feed_id)
    etag = f'"{feed.sha256}"'
    if is_known(request.headers.get("if-none-match"), etag):
        return Response(None, status_code=304, headers={"ETag": etag})
    headers = {"ETag": etag, "Content-Length": str(feed.bytes)}
    media_type = _media_type(feed.content_type)
    return download(commerce.feeds.raw(feed_id), feed.file_name, media_type, **headers)


def _media_type(declared: str) -> str:
    """The type that the sender declared, if it is valid in a header."""
    return declared if _MEDIA_TYPE.fullmatch(declared) else UNKNOWN_TYPE


@post(
    "/feeds/{feed_id:str}/jobs",
    scope="feeds:write",
    status=(201,),
    refuses=[409],
    location="/v1/jobs/{.job_id}",
    example={"kind": "validate", "run": True},
)
def start_job(
    commerce: Commerce, feed_id: FeedId, payload: NewJob, key: IdempotencyKey | None
) -> Job:
    """Creates a new job for a feed whose last job has finished."""
    return commerce.jobs.start(feed_id, kind=payload.kind, run=payload.run, key=key)


ROUTES = (list_feeds, get_feed, get_raw, start_job)
UPLOADS = (upload_feed, put_content)
"""Separate from the others, since only these accept large bodies."""
