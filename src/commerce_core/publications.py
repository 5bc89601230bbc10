"""Publications: everything that changes the catalog, numbered by the one clock."""

from datetime import datetime

from attrs import frozen

from commerce_core.partners import Mode


@frozen
class Publication:
    """One change of the catalog as a whole: an applied feed.

    `number` and `published_at` are given by the store in the last statement before the commit
    (None until then): numbers are gapless and in the order of commits, and no time is before its
    predecessor's. Rows refer to `publication_id`;
    `profile_version` is that by which the feed was read.
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
