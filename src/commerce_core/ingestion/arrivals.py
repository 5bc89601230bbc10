"""Arrivals: a feed that is applied is noted with its source, as fresh or not."""

from commerce_core.feeds.arrival import ARRIVALS_COMPARED, arrival_of
from commerce_core.feeds.feed import Feed
from commerce_core.feeds.summary import Summary
from commerce_core.ports.freshness import FreshnessUnit


def note_arrival(
    unit: FreshnessUnit, feed: Feed, summary: Summary, products: int | None, *, approved: bool
) -> None:
    """Notes that the feed is applied; `products` are its source's active ones after it.

    None: as many as before.
    """
    before = unit.arrivals.before(feed.feed_id, feed.source_id, ARRIVALS_COMPARED)
    unit.arrivals.add(arrival_of(feed, summary, products, before, approved=approved))
