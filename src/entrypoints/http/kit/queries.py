"""The query parameters that many routes share: pages, whose things, from when to when.

Routes combine these classes, so they have no slots: those of several bases don't go together.
"""

from datetime import UTC, datetime, time, tzinfo

from attrs import frozen

from commerce_core.base.errors import InvalidInput, Malformed
from commerce_core.base.paging import DEFAULT_LIMIT, LARGEST_LIMIT
from commerce_core.commerce import Commerce
from entrypoints.reading import optional
from entrypoints.scalars import Moment, PartnerId


@frozen(kw_only=True, slots=False)
class Part:
    """A part of a list."""

    limit: int = optional(DEFAULT_LIMIT, "How many items.", minimum=1, maximum=LARGEST_LIMIT)
    cursor: str | None = optional(
        None, "`next_cursor` of the page before; nothing else may change."
    )


@frozen(kw_only=True, slots=False)
class Page(Part):
    """A page of a list, and its length if wanted."""

    count: bool = optional(default=False, meaning="Whether to count all that fit.")


@frozen(kw_only=True, slots=False)
class WhoseQuery:
    """Whose things: those of one partner, by id or by name."""

    partner_id: PartnerId | None = optional(None, "The partner, by id.")
    partner_name: str | None = optional(None, "The partner, by name, in any case.")

    def __attrs_post_init__(self) -> None:
        """Malformed where a partner is named twice."""
        if self.partner_id is not None and self.partner_name is not None:
            detail = "Name the partner by id or by name, not by both."
            raise Malformed.at("/partner_name", "partner_named_twice", detail)

    @property
    def partner(self) -> str | None:
        """The partner as the core takes it."""
        return self.partner_id or self.partner_name


@frozen(kw_only=True, slots=False)
class SpanQuery:
    """From when (included) to when (not)."""

    from_: Moment | None = optional(
        None, "From this time on, or from the first moment of this day."
    )
    to: Moment | None = optional(None, "Before this time, or before the first moment of this day.")


def named_once(commerce: Commerce, partner_id: str | None, partner_name: str | None) -> str:
    """The partner as the core takes it; InvalidInput unless it is named just once.

    A partner's own key needn't name it.
    """
    own = commerce.context.principal.partner_id
    if own is not None and partner_id is None and partner_name is None:
        return own
    if (partner_id is None) == (partner_name is None):
        detail = "Name the partner, either by partner_id or by partner_name."
        raise InvalidInput.at("/partner_id", "required", detail)
    return partner_id or partner_name or ""


def instant(moment: Moment | None, zone: tzinfo = UTC) -> datetime | None:
    """The time that is meant, a day's being its first moment by the clocks of the zone."""
    if moment is None or isinstance(moment, datetime):
        return moment
    return datetime.combine(moment, time.min, zone).astimezone(UTC)
