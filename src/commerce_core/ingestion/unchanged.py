"""Recognition: the same bytes as the source's last publication, known without reading one of them.

A file that is sent again changes nothing, so nothing of it is read: its records are as they were
told to be the last time. The same bytes as an earlier publication are a new feed; that is how a
partner rolls back.
"""

from attrs import evolve

from commerce_core.catalog.publication import Publication
from commerce_core.feeds.feed import Feed
from commerce_core.feeds.job import JobQuery
from commerce_core.feeds.summary import Summary
from commerce_core.partners.partner import Partner
from commerce_core.ports.store import UnitOfWork
from commerce_core.schema.fields import Mode


def same_bytes(
    unit: UnitOfWork, feed: Feed, partner: Partner, profile_version: int
) -> Summary | None:
    """What becomes of the feed's records if the source published these very bytes last; else None.

    None too where reading them anew could say something else: by another profile or mode, after the
    partner's details have changed, or where not all that it says has landed. A product of a record
    that was rejected may have been given up by its source since, a price that was kept may be taken
    by other guards. And a feed that is run again is to be read again.
    """
    last = unit.publications.latest(feed.source_id)
    if last is None or not _reads_alike(last, feed, partner, profile_version):
        return None
    former = unit.feeds.get(last.feed_id)
    if (former.sha256, former.status) != (feed.sha256, "applied"):
        return None
    query = JobQuery(feed_id=former.feed_id, status="completed", kind="ingest")
    ended = unit.jobs.page(query, None, 1).items
    told = ended[0].summary if ended else None
    if told is None or not _landed_whole(told, last.mode) or ended[0].leaves_out("removals"):
        return None
    if feed.expected_rows not in (None, told.records):
        return None
    return _again(told, former)


def _landed_whole(told: Summary, mode: Mode) -> bool:
    """Whether everything that the feed said is in the catalog, and what it left out is gone."""
    kept_back = told.rejected + told.overtaken + told.problems_by_code.get("price_leap", 0)
    stayed = told.absent - (told.removed - told.deleted) if mode == "full" else 0
    return not kept_back and not stayed


def _reads_alike(last: Publication, feed: Feed, partner: Partner, profile_version: int) -> bool:
    """Whether the file would be read as that publication's was, as far as we know."""
    read_so = ("feed", feed.mode, profile_version)
    same_terms = (last.kind, last.mode, last.profile_version) == read_so
    since = last.published_at
    partner_as_then = since is not None and partner.updated_at <= since
    return same_terms and partner_as_then and last.feed_id != feed.feed_id


def _again(told: Summary, former: Feed) -> Summary:
    """The same records, all of them as the catalog has them already."""
    gone = told.removed > told.deleted
    return evolve(
        told,
        created=0,
        updated=0,
        restored=0,
        deleted=0,
        unchanged=told.accepted,
        absent=0 if gone else told.absent,
        removed=0,
        drift=(),
        notes=(f"These are the bytes of {former.feed_id}, published last; nothing was read.",),
        stages=(),
    )
