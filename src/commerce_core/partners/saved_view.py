"""Saved views: the filters of a list under a name, for the key that saved them or for all."""

from collections.abc import Mapping
from datetime import datetime
from typing import ClassVar, Final, Literal, get_args

from attrs import field, frozen

from commerce_core.base.errors import Conflict, Fault, refuse_if
from commerce_core.base.text import UNSTORABLE, given_name
from commerce_core.partners.access import Principal

PageName = Literal[
    "inbox",
    "feeds",
    "jobs",
    "failures",
    "products",
    "orders",
    "analytics",
    "best_sellers",
    "hours",
    "refunds",
    "rule_costs",
    "statements",
    "alerts",
]
"""A list that has filters."""
PAGE_NAMES: Final[tuple[PageName, ...]] = get_args(PageName)

MOST_VIEWS: Final = 50
"""How many views a key can have, and how many the operator, or a partner, can share."""
LONGEST_VIEW_NAME: Final = 80
MOST_FILTERS: Final = 30
LONGEST_FILTER_NAME: Final = 60
LONGEST_FILTER: Final = 500


@frozen(kw_only=True)
class SavedView:
    """The `filters` of a page under a name; without any, it is the whole list.

    It belongs to the operator or a partner, and there to a key, or to all if `key_id` is None. The
    filters are checked by the page, whenever it is opened.
    """

    view_id: str
    partner_id: str | None
    key_id: str | None
    page: PageName
    view_name: str = field(converter=given_name)
    filters: Mapping[str, str] = field(factory=dict[str, str])
    created_at: datetime
    updated_at: datetime

    def __attrs_post_init__(self) -> None:
        """Checks it; InvalidInput lists every fault at once."""
        refuse_if(
            "The view can't be saved.",
            (
                not 1 <= len(self.view_name) <= LONGEST_VIEW_NAME,
                Fault("/view_name", "bad_name", f"Use 1 to {LONGEST_VIEW_NAME} characters."),
            ),
            (
                self.page not in PAGE_NAMES,
                Fault("/page", "unknown_page", f"Use one of: {', '.join(PAGE_NAMES)}."),
            ),
            (
                len(self.filters) > MOST_FILTERS,
                Fault("/filters", "too_many_filters", f"Use at most {MOST_FILTERS} filters."),
            ),
            *(
                (not _is_filter(name, value), Fault(f"/filters/{name[:80]}", "bad_filter", _LIMITS))
                for name, value in [*self.filters.items()][:MOST_FILTERS]
            ),
        )

    @property
    def shared(self) -> bool:
        """Whether all who act for its owner have it."""
        return self.key_id is None

    def is_of(self, principal: Principal) -> bool:
        """Whether this principal has it."""
        own = self.key_id is None or self.key_id == principal.key_id
        return self.partner_id == principal.partner_id and own


_LIMITS: Final = (
    f"Use a name of 1 to {LONGEST_FILTER_NAME} and a value of at most {LONGEST_FILTER} characters."
)


def _is_filter(name: str, value: str) -> bool:
    fits = 1 <= len(name) <= LONGEST_FILTER_NAME and len(value) <= LONGEST_FILTER
    return fits and not UNSTORABLE.search(name + value)


@frozen
class SavedViewQuery:
    """Selects the views of one owner: those that are shared, and those of one key."""

    IDENTITY: ClassVar = (
        "SavedViewQuery(partner_id={0.partner_id!r}, key_id={0.key_id!r}, page={0.page!r})"
    )
    partner_id: str | None
    key_id: str | None
    page: PageName | None = None


def view_name_taken(name: str) -> Conflict:
    """The refusal of a name that another view of that page has."""
    return Conflict(
        f"There is a view {name!r} of that page already.",
        "Use another name, or change that view.",
        code="view_name_taken",
    )


def too_many_views() -> Conflict:
    """The refusal of a view beyond the limit."""
    return Conflict(
        f"There are {MOST_VIEWS} views already.",
        "Remove one that isn't needed any more.",
        code="too_many_views",
    )
