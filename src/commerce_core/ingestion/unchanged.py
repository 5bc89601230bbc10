"""Unchanged files: the same bytes as the source's last publication, known without reading them.

A file that is sent again changes nothing, so it isn't read: the summary of the last time describes
its records. The same bytes as an earlier publication are a new feed; that is how a partner rolls
back.
"""

from attrs import evolve, frozen

from commerce_core.catalog.publication import Publication
from commerce_core.feeds.feed import Feed
from commerce_core.feeds.job import Job, JobQuery
from commerce_core.feeds.summary import Summary
from commerce_core.parsing.fingerprints import ALGORITHM
from commerce_core.partners.partner import Partner
from commerce_core.ports.store import UnitOfWork
from commerce_core.schema.fields import Mode


@frozen
class Repeat:
    """A feed with the bytes of the one before: the job that read those, and what follows."""

    former: Job
    summary: Summary


def same_bytes(
    unit: UnitOfWork, feed: Feed, partner: Partner, profile_version: int
) -> Repeat | None:
    """What becomes of the feed's records if the source published these very bytes last; else None.

    None as well if reading them anew could give another result: under another profile or mode, by
    another version of reading, after the partner's details have changed, or if not all of the file
    has landed. The product of a rejected record may have left its source since, and a price that
    was kept back may pass other guards. And a feed whose job is run again is read again.
    """
    last = unit.publications.latest(feed.source_id)
    if last is None or not _reads_alike(last, feed, partner, profile_version):
        return None
    former = unit.feeds.get(last.feed_id)
    if (former.sha256, former.status) != (feed.sha256, "applied"):
        return None
    query = JobQuery(feed_id=former.feed_id, status="completed", kind="ingest")
    ended = unit.jobs.page(query, None, 1).items
    summary = ended[0].summary if ended else None
    if summary is None or not _landed_whole(summary, last.mode) or ended[0].leaves_out("removals"):
        return None
    if feed.expected_rows not in (None, summary.records):
        return None
    return Repeat(ended[0], _repeated(summary, former))


def _landed_whole(summary: Summary, mode: Mode) -> bool:
    """Whether all of the feed is in the catalog, and every product that it lacks is gone."""
    leaps = summary.problems_by_code.get("price_leap", 0)
    kept_back = summary.rejected + summary.overtaken + leaps
    stayed = summary.absent - (summary.removed - summary.deleted) if mode == "full" else 0
    return not kept_back and not stayed


def _reads_alike(last: Publication, feed: Feed, partner: Partner, profile_version: int) -> bool:
    """Whether the file would be read under the same terms as that publication's was."""
    terms = ("feed", feed.mode, profile_version, ALGORITHM)
    same_terms = (last.kind, last.mode, last.profile_version, last.reading_version) == terms
    since = last.published_at
    partner_as_then = since is not None and partner.updated_at <= since
    return same_terms and partner_as_then and last.feed_id != feed.feed_id


def _repeated(summary: Summary, former: Feed) -> Summary:
    """The summary of the same records, all of which the catalog agrees with already."""
    gone = summary.removed > summary.deleted
    return evolve(
        summary,
        created=0,
        updated=0,
        restored=0,
        deleted=0,
        unchanged=summary.accepted,
        guards=(),
        not_sellable={},
        absent=0 if gone else summary.absent,
        removed=0,
        drift=(),
        notes=(f"These are the bytes of {former.feed_id}, published last; nothing was read.",),
        stages=(),
    )
