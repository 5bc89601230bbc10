"""Query parameters that many routes share: the page, the partner, the range of time.

Routes combine these classes, so they have no slots, which several bases can't have at once.
"""

from collections.abc import Callable, Mapping
from datetime import UTC, datetime, time, tzinfo
from typing import ClassVar

from attrs import frozen

from commerce_core.base.errors import InvalidInput, Malformed
from commerce_core.base.paging import DEFAULT_LIMIT, LARGEST_LIMIT
from commerce_core.commerce import Commerce
from entrypoints.reading import optional
from entrypoints.scalars import Moment, PartnerId

Expensive = Mapping[str, Callable[[str], bool]]
"""Parameters that make a query an expensive one, each with a test of its text."""


def is_true(text: str) -> bool:
    """Whether the text of a parameter means true."""
    return text.lower() == "true"


@frozen(kw_only=True, slots=False)
class Part:
    """One page of a list."""

    limit: int = optional(
        DEFAULT_LIMIT, "Maximum number of items.", minimum=1, maximum=LARGEST_LIMIT
    )
    cursor: str | None = optional(
        None, "`next_cursor` of the previous page; all other parameters must be the same."
    )


@frozen(kw_only=True, slots=False)
class Page(Part):
    """A page of a list and, if requested, the length of the list."""

    EXPENSIVE: ClassVar[Expensive] = {"count": is_true}

    count: bool = optional(default=False, meaning="Whether to count all matching items.")


@frozen(kw_only=True, slots=False)
class WhoseQuery:
    """What belongs to one partner, named by id or by name."""

    partner_id: PartnerId | None = optional(None, "Id of the partner.")
    partner_name: str | None = optional(None, "Name of the partner, ignoring case.")

    def __attrs_post_init__(self) -> None:
        """Malformed if the partner is named twice."""
        if self.partner_id is not None and self.partner_name is not None:
            detail = "Name the partner by id or by name, not both."
            raise Malformed.at("/partner_name", "partner_named_twice", detail)

    @property
    def partner(self) -> str | None:
        """The partner as the core takes it."""
        return self.partner_id or self.partner_name


@frozen(kw_only=True, slots=False)
class SpanQuery:
    """A range of time, with its start and without its end."""

    from_: Moment | None = optional(None, "Start of the range, inclusive; a date means its start.")
    to: Moment | None = optional(None, "End of the range, exclusive; a date means its start.")


def named_once(commerce: Commerce, partner_id: str | None, partner_name: str | None) -> str:
    """The partner as the core takes it; InvalidInput unless it is named exactly once.

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
    """The time itself, or the first moment of the day in the time zone."""
    if moment is None or isinstance(moment, datetime):
        return moment
    return datetime.combine(moment, time.min, zone).astimezone(UTC)
