"""Arrivals: the feeds of a source that were applied, and whether each counts as fresh."""

from collections.abc import Sequence
from datetime import datetime
from statistics import median
from typing import Final, Literal

from attrs import frozen

from commerce_core.feeds.feed import Feed
from commerce_core.feeds.summary import Summary
from commerce_core.schema.fields import Mode

Verdict = Literal["fresh", "same_bytes", "shrunk", "returned", "overtaken"]
"""Whether an applied feed counts as fresh, or why not."""
ARRIVALS_COMPARED: Final = 10
"""How many former arrivals of its source a feed is compared with."""
SIZES_COMPARED: Final = 5
"""The number of former full files, among those, that a full file is compared with."""
SHRUNK_TO: Final = 2
"""A full file with less than one part in this many of their median has lost most of its records."""


@frozen
class Arrival:
    """A feed that was applied, and whether it counts as fresh.

    `at` is when it was received, `records` how many it had, `products` how many active products its
    source had afterwards. A feed that is `reverted` doesn't count, whatever the verdict.
    """

    feed_id: str
    source_id: str
    partner_id: str
    at: datetime
    mode: Mode
    sha256: str
    records: int | None
    products: int | None
    verdict: Verdict = "fresh"
    reverted: bool = False


def arrival_of(
    feed: Feed, summary: Summary, products: int | None, before: Sequence[Arrival], *, approved: bool
) -> Arrival:
    """The arrival that an applied feed is, after those of its source `before` it, newest first.

    The same bytes as the last ones aren't fresh, nor is a full file that has lost most of its
    records (unless a person approved it), one of our own files that came back corrected, or a feed
    of which newer ones have overtaken every record.
    """
    verdict: Verdict = "fresh"
    sizes = [a.records for a in before if a.mode == "full" and a.records is not None]
    usual = median(sizes[:SIZES_COMPARED]) if sizes else 0
    if feed.returned is not None:
        verdict = "returned"
    elif before and before[0].sha256 == feed.sha256:
        verdict = "same_bytes"
    elif summary.accepted and summary.overtaken == summary.accepted:
        verdict = "overtaken"
    elif feed.mode == "full" and summary.records * SHRUNK_TO < usual and not approved:
        verdict = "shrunk"
    return Arrival(
        feed.feed_id, feed.source_id, feed.partner_id, feed.received_at, feed.mode, feed.sha256,
        summary.records, products, verdict,
    )  # fmt: skip
