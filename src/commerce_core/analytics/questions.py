"""Questions about sales: which entries count, in which period, and what is ranked."""

from collections.abc import Iterator
from datetime import datetime
from typing import Final, Literal

from attrs import frozen

from commerce_core.base.calendar import Grain, periods

Basis = Literal["event", "order"]
"""When an entry counts: when it happened, or when its order was placed."""
Dimension = Literal["product", "brand", "category"]
"""What sales can be ranked by."""
Measure = Literal["net", "gross", "units"]
"""The figure by which they are ranked."""
MOST_RANKED: Final = 200
"""Maximum number of ranks in each currency."""


@frozen
class SalesQuestion:
    """Selects entries: from `since` (inclusive) to `until` (exclusive), by partner and currency.

    With a `grain` they are grouped by period, in the local time of `zone`; weeks start on Monday.
    By the basis `order` an entry counts when its order was placed, however late it was itself; then
    what happened after `until` to an order from before counts too. `by_partner`: one row for each
    partner; without it an order of several partners is one order.
    """

    since: datetime
    until: datetime
    partner_id: str | None = None
    currency: str | None = None
    grain: Grain | None = None
    zone: str = "UTC"
    basis: Basis = "event"
    by_partner: bool = True

    def periods(self) -> Iterator[datetime]:
        """The first moments of all its periods, including empty ones; of days, without a grain.

        InvalidInput if there are too many, or if one begins or ends outside the calendar.
        """
        return periods(self.since, self.until, self.grain or "day", self.zone)


@frozen
class Ranking:
    """By what sales are ranked, by which figure, and how many ranks there are by currency."""

    by: Dimension = "product"
    measure: Measure = "net"
    limit: int = 10
