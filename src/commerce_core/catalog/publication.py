"""Publications: everything that changes the catalog, numbered by the one clock."""

from datetime import datetime, timedelta
from typing import Final, Literal

from attrs import frozen

from commerce_core.schema.fields import Mode

ChangeKind = Literal["created", "updated", "restored", "removed"]
CHANGE_KINDS: Final[tuple[ChangeKind, ...]] = ("created", "updated", "restored", "removed")


PublicationKind = Literal["feed", "revert"]
TICK: Final = timedelta(microseconds=1)
"""The least time between two publications, so that their times have the order of their numbers."""


@frozen
class Publication:
    """One change of the catalog as a whole: an applied feed, or the revert of one.

    `number` and `published_at` are given by the store in the last statement before the commit
    (None until then): numbers are gapless and in the order of commits, and each time is after its
    predecessor's. Rows refer to `publication_id`. `feed_id` is the feed that was applied or
    reverted, `profile_version` that by which it was read; `reverts` is the publication undone.
    `changes` counts the products that it wrote; None where nobody counted.

    The last four are what a feed was read and applied under: the partner's currency and time zone
    (None: not known, it is from before they were kept), how far a price might leap, and whether it
    was approved without its removals.
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
