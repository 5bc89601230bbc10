"""Routes of feeds: upload, list, show, the raw bytes, a new job for what was received."""

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
    """What an upload declares; the partner is named by id or by name, or uploads it itself."""

    partner_id: PartnerId | None = optional(None, "The partner, by id.")
    partner_name: str | None = optional(None, "The partner, by name, in any case.")
    source: str | None = optional(None, "The partner's source, by id or name (default: `main`).")
    mode: Mode | None = optional(
        None, "full: what the file lacks is removed; delta: it stays (default: the source's mode)."
    )
    kind: FeedJobKind = optional(
        "ingest",
        "What its first job does: ingest brings it into the catalog, plan compares it with the "
        "catalog, validate only reads and checks it.",
    )
    run: bool | None = optional(
        None, "Whether the job begins by itself (default: as set for the source)."
    )
    snapshot_at: datetime | None = optional(
        None,
        "The moment whose state the file shows (default: the one in its name by the source's "
        "pattern, else the time of receipt).",
    )
    expected_rows: int | None = optional(
        None, "How many records there are, blank ones not counted."
    )
    sha256: str | None = optional(None, "The SHA-256 of the file, in hexadecimal.")

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
    """A feed as it is uploaded by a form."""

    file: UploadFile = required("The feed's file, exactly as it is to be kept.")


@frozen(kw_only=True)
class ContentTerms(UploadTerms):
    """A feed whose file is the body itself."""

    filename: str = optional("feed.csv", "What the file is called.")


@frozen(kw_only=True)
class FeedFilters(WhoseQuery, SpanQuery, Page):
    """Which feeds; the times are those of receipt."""

    source_id: SourceId | None = optional(None, "The source they were received from.")
    status: FeedStatus | None = optional(None, "The state they are in.")


@frozen(kw_only=True)
class NewJob:
    """A job as it is made for a feed."""

    kind: FeedJobKind = optional("ingest", "What is to be done; a held feed isn't ingested anew.")
    run: bool = optional(default=False, meaning="Whether it begins by itself.")


@post(
    "/feeds/upload",
    scope="feeds:write",
    status=(201,),
    refuses=[404, 409],
    location="/v1/feeds/{.feed_id}",
)
def upload_feed(commerce: Commerce, form: FeedUpload, key: IdempotencyKey | None) -> Receipt:
    """Keeps a feed's file and makes a job for it; all about the content ends in that job."""
    file = form.file
    return form.receive(
        commerce, cast("BinaryIO", file.file), file.filename, file.content_type, key
    )


@put(
    "/feeds/content",
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
    """Keeps the body as a feed's file and makes a job for it, as the upload by form does."""
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
    scope="feeds:read",
    status=(200, 304),
    media=[UNKNOWN_TYPE, "*/*"],
)
def get_raw(commerce: Commerce, feed_id: FeedId, request: Asked) -> Response[Any]:
    """Gives the file exactly as it was received; its ETag is its SHA-256."""
    feed = commerce.feeds.get(feed_id)
    etag = f'"{feed.sha256}"'
    if is_known(request.headers.get("if-none-match"), etag):
        return Response(None, status_code=304, headers={"ETag": etag})
    headers = {"ETag": etag, "Content-Length": str(feed.bytes)}
    media_type = _media_type(feed.content_type)
    return download(commerce.feeds.raw(feed_id), feed.file_name, media_type, **headers)


def _media_type(declared: str) -> str:
    """The type that the sender declared, if it can stand in a header."""
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
    """Makes a new job for a feed that was received, whose last job has ended."""
    return commerce.jobs.start(feed_id, kind=payload.kind, run=payload.run, key=key)


ROUTES = (list_feeds, get_feed, get_raw, start_job)
UPLOADS = (upload_feed, put_content)
"""Apart from the others, since a body may be large here only."""
