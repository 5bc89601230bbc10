"""Publications: the numbered changes of the catalog as a whole."""

from datetime import datetime, timedelta
from typing import Final, Literal

from attrs import frozen

from commerce_core.schema.fields import Mode

ChangeKind = Literal["created", "updated", "restored", "removed"]
CHANGE_KINDS: Final[tuple[ChangeKind, ...]] = ("created", "updated", "restored", "removed")


PublicationKind = Literal["feed", "revert"]
TICK: Final = timedelta(microseconds=1)
"""The least time between two publications, so that their times sort as their numbers do."""


@frozen
class Publication:
    """One change of the catalog as a whole: an applied feed, or the revert of one.

    The store assigns `number` and `published_at` in the last statement before the commit (None
    until then): numbers have no gaps and follow the order of commits, and each time is later than
    the one before. Rows refer to `publication_id`. `feed_id` is the feed that was applied or
    reverted, `profile_version` the version it was read by; `reverts` is the publication undone.
    `changes` is the number of products it wrote; None if they weren't counted.

    The last five fields are the conditions under which the feed was read and applied: the partner's
    currency and time zone (None for publications older than these fields), the limit of a price
    leap, whether it was approved without its removals, and the version of reading that read it
    (`parsing.fingerprints.ALGORITHM`; of no meaning for a revert).
    """

    publication_id: str
    partner_id: str
    source_id: str
    feed_id: str
    mode: Mode
    actor: str
    profile_version: int = 0
    number: int | None = None
    published_at: datetime | None = None
    kind: PublicationKind = "feed"
    reverts: str | None = None
    changes: int | None = None
    currency: str | None = None
    time_zone: str | None = None
    price_leap: int | None = None
    without_removals: bool = False
    reading_version: int = 0
