"""Routes of pulled sources: where files are fetched from, when, and what was fetched."""

from datetime import datetime

from attrs import frozen

from commerce_core.base.network import LONGEST_URL
from commerce_core.commerce import Commerce
from commerce_core.feeds.backfill import Backfill, BackfillPlan
from commerce_core.feeds.pull import Fetch, Pull
from commerce_core.usecases.context import IdempotencyKey, Listed
from commerce_core.usecases.fetching.rehearsal import Rehearsal
from entrypoints.http.kit.handlers import Answer, delete, get, post, put
from entrypoints.http.kit.queries import Page, WhoseQuery
from entrypoints.reading import MISSING, optional, required
from entrypoints.scalars import FetchId, SourceId


@frozen(kw_only=True)
class PullSettings:
    """Where a source is fetched from, and when."""

    url: str = required(
        "Address of the file, at a public address: https://HOST/FILE or sftp://HOST/FILE; of a "
        "folder, sftp://HOST/FOLDER/; or of the keys with a prefix, s3://BUCKET/PREFIX. Of a "
        "folder or prefix, each new file is fetched.",
        maxLength=LONGEST_URL,
    )
    username: str | None = optional(
        None,
        "User of the server, or id of the access key. Over https it is for basic authentication; "
        "without one, the secret is a bearer token.",
    )
    secret: str | None = optional(
        MISSING,
        "Password, private key, token, or secret access key. It is sealed, and never shown. "
        "If omitted, a stored one stays, for the same server; null deletes it.",
    )
    host_key: str | None = optional(
        None,
        "Public keys of the SFTP server, one in each line, such as ssh-ed25519 AAAA..., or "
        "fingerprints, such as SHA256:...; required for sftp.",
    )
    pattern: str | None = optional(
        None, "Which files of a folder, such as stock-*.csv (default: all).", maxLength=200
    )
    marker: str | None = optional(
        None,
        "Name of the file that shows that another one is complete, such as {name}.done; it may "
        "contain the number of records and the digest.",
        maxLength=200,
    )
    cron: str | None = optional(
        None,
        "When to fetch, as five fields of cron, such as 30 6 * * mon-fri (default: on request).",
    )
    time_zone: str = optional("UTC", "Time zone of the schedule, such as Europe/Berlin.")

    endpoint: str | None = optional(
        None, "URL of an S3 store that isn't Amazon's.", maxLength=LONGEST_URL
    )
    region: str | None = optional(None, "Region of the bucket (default: us-east-1).", maxLength=40)

    queue_url: str | None = optional(
        None,
        "URL of a queue of SQS that reports new keys of the bucket; with it, the bucket is listed "
        "every five minutes by default.",
        maxLength=LONGEST_URL,
    )


@frozen(kw_only=True)
class BackfillRequest:
    """Which files are backfilled."""

    url: str | None = optional(
        None,
        "Another folder or prefix, on the same server or in the same bucket (default: the "
        "source's own).",
        maxLength=LONGEST_URL,
    )
    pattern: str | None = optional(
        None, "Which files, such as stock-*.csv (default: the source's pattern).", maxLength=200
    )
    snapshot_from: datetime | None = optional(
        None, "Only files with a snapshot at this time or later."
    )
    snapshot_to: datetime | None = optional(None, "Only files with a snapshot before this time.")


@frozen(kw_only=True)
class BackfillTerms:
    """Whether anything is done."""

    plan: bool = optional(
        default=False, meaning="Whether only to return what would be taken, and keep nothing."
    )


@frozen(kw_only=True)
class FetchFilters(WhoseQuery, Page):
    """Which fetches."""

    source_id: SourceId | None = optional(None, "Only fetches of this source.")


@put(
    "/sources/{source_id:str}/pull",
    scope="feeds:write",
    example={
        "url": "https://partner.example/feed.csv",
        "cron": "30 6 * * *",
        "time_zone": "Europe/Berlin",
    },
)
def set_pull(commerce: Commerce, source_id: SourceId, payload: PullSettings) -> Pull:
    """Sets up fetching the source from an address, on a schedule or on request.

    The address is judged: only public addresses can be called, unless a setting allows others.
    """
    return commerce.pulls.set(
        source_id,
        payload.url,
        username=payload.username,
        secret=None if payload.secret is MISSING else payload.secret,
        keeps_secret=payload.secret is MISSING,
        cron=payload.cron,
        time_zone=payload.time_zone,
        host_key=payload.host_key,
        pattern=payload.pattern,
        marker=payload.marker,
        endpoint=payload.endpoint,
        region=payload.region,
        queue_url=payload.queue_url,
    )


@get("/sources/{source_id:str}/pull", scope="feeds:read")
def get_pull(commerce: Commerce, source_id: SourceId) -> Pull:
    """Shows where a source is fetched from, and when the next five fetches are due."""
    return commerce.pulls.get(source_id)


@delete("/sources/{source_id:str}/pull", scope="feeds:write")
def remove_pull(commerce: Commerce, source_id: SourceId) -> Pull:
    """Stops fetching a source, and deletes its secret; its files are uploaded from now on."""
    return commerce.pulls.remove(source_id)


@post(
    "/sources/{source_id:str}/fetch",
    scope="feeds:write",
    status=(201,),
    refuses=[409],
    location="/v1/fetches/{.fetch_id}",
)
def fetch_source(commerce: Commerce, source_id: SourceId, key: IdempotencyKey | None) -> Fetch:
    """Queues a fetch of the source for a worker; the fetch shows its progress."""
    return commerce.pulls.fetch(source_id, key=key)


@post(
    "/sources/{source_id:str}/test",
    scope="feeds:write",
    refuses=[404],
    lane="examinations",
)
def test_source(commerce: Commerce, source_id: SourceId) -> Rehearsal:
    """Rehearses a fetch: what it would take now, what it would skip and why, and a file's content.

    It connects, lists, and examines the first 64 KB of a file. Nothing is kept. If
    something goes wrong, `error` in the response says what.
    """
    return commerce.pulls.test(source_id)


@post(
    "/sources/{source_id:str}/backfill",
    scope="feeds:write",
    status=(201, 200),
    refuses=[409],
    lane="examinations",
    example={"snapshot_from": "2026-10-01T00:00:00Z"},
)
def backfill_source(
    commerce: Commerce,
    source_id: SourceId,
    parameters: BackfillTerms,
    payload: BackfillRequest,
    key: IdempotencyKey | None,
) -> Answer[BackfillPlan | Fetch]:
    """Loads the files that a folder or prefix has already, in the order of their snapshots.

    With `plan`, shows what would be taken, in which order and why, and keeps nothing: 200.
    Otherwise a worker does it, as a fetch that shows its progress: 201. Each file becomes a feed
    with the snapshot that the plan shows; what was taken before is left out.
    """
    wanted = Backfill(payload.url, payload.pattern, payload.snapshot_from, payload.snapshot_to)
    if parameters.plan:
        return Answer(commerce.pulls.plan_backfill(source_id, wanted), 200)
    return Answer(commerce.pulls.backfill(source_id, wanted, key=key), 201)


@post("/fetches/{fetch_id:str}/cancel", scope="feeds:write", refuses=[409])
def cancel_fetch(commerce: Commerce, fetch_id: FetchId) -> Fetch:
    """Cancels a fetch or a backfill: files that weren't taken yet are left alone."""
    return commerce.pulls.cancel(fetch_id)


@get("/fetches", scope="feeds:read")
def list_fetches(commerce: Commerce, parameters: FetchFilters) -> Listed[Fetch]:
    """Lists fetches, newest first."""
    return commerce.pulls.page(
        parameters.cursor,
        parameters.limit,
        source=parameters.source_id,
        partner=parameters.partner,
        count=parameters.count,
    )


@get("/fetches/{fetch_id:str}", scope="feeds:read")
def get_fetch(commerce: Commerce, fetch_id: FetchId) -> Fetch:
    """Shows a fetch: its progress, and what became of it."""
    return commerce.pulls.get_fetch(fetch_id)


ROUTES = (
    set_pull,
    get_pull,
    remove_pull,
    fetch_source,
    test_source,
    backfill_source,
    list_fetches,
    get_fetch,
    cancel_fetch,
)
