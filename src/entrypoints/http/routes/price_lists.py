"""Routes of price lists: lists, their content as files, their versions."""

from typing import BinaryIO

from attrs import frozen

from commerce_core.commerce import Commerce
from commerce_core.pricing.price_list import ListReport, ListVersion, PriceList
from commerce_core.profiles.profile import DecimalMark
from commerce_core.usecases.context import IdempotencyKey, Listed
from commerce_core.usecases.price_lists import check_taken
from entrypoints.http.kit.handlers import get, post, put
from entrypoints.http.kit.queries import Page
from entrypoints.reading import optional, required
from entrypoints.scalars import ListId


@frozen(kw_only=True)
class NewPriceList:
    """A price list to add."""

    name: str = required("Unique among price lists.")
    currency: str = required("Currency of all its prices, as an ISO 4217 code.")


@frozen(kw_only=True, slots=False)
class OnlyPlan:
    """Whether anything is done."""

    plan: bool = optional(
        default=False, meaning="Whether only to return what would change, or which problems exist."
    )


@frozen(kw_only=True)
class ContentTerms(OnlyPlan):
    """How the file of a price list is read."""

    decimal: DecimalMark | None = optional(None, "Decimal mark of its prices (default: a point).")


@frozen(kw_only=True)
class VersionToRestore:
    """A version of a price list."""

    version: int = required("The version whose content to bring back; 0 is the empty list.")


@post(
    "/pricing/lists",
    scope="pricing:write",
    status=(201,),
    refuses=[409],
    location="/v1/pricing/lists/{.list_id}",
    example={"name": "Trade", "currency": "EUR"},
)
def add_price_list(
    commerce: Commerce, payload: NewPriceList, key: IdempotencyKey | None
) -> PriceList:
    """Adds an empty price list."""
    return commerce.price_lists.add(payload.name, currency=payload.currency, key=key)


@get("/pricing/lists", scope="pricing:read")
def list_price_lists(commerce: Commerce, parameters: Page) -> Listed[PriceList]:
    """Lists price lists, oldest first."""
    return commerce.price_lists.page(parameters.cursor, parameters.limit, count=parameters.count)


@get("/pricing/lists/{list_id:str}", scope="pricing:read")
def get_price_list(commerce: Commerce, list_id: ListId) -> PriceList:
    """Shows a price list."""
    return commerce.price_lists.get(list_id)


@put(
    "/pricing/lists/{list_id:str}/content",
    lane="uploads",
    scope="pricing:write",
    refuses=[409],
)
def put_price_list_content(
    commerce: Commerce,
    list_id: ListId,
    parameters: ContentTerms,
    content: BinaryIO,
    key: IdempotencyKey | None,
) -> ListReport:
    """Replaces the content of a price list with the request's body.

    The file has the columns `sku`, `price` and, if prices depend on it, `minimum_quantity`. It is
    read as feeds are, and is the whole list. If a record can't be read, the list stays as it was,
    and each problem is an error at `/lines/{line}/{column}`.
    """
    report = commerce.price_lists.load(
        list_id, content, decimal=parameters.decimal, plan=parameters.plan, key=key
    )
    return report if parameters.plan else check_taken(report)


@get("/pricing/lists/{list_id:str}/versions", scope="pricing:read")
def list_price_list_versions(commerce: Commerce, list_id: ListId) -> Listed[ListVersion]:
    """Lists all versions of a price list, newest first, with what each changed."""
    return Listed(tuple(commerce.price_lists.versions(list_id)), None)


@post(
    "/pricing/lists/{list_id:str}/revert",
    scope="pricing:write",
    refuses=[409],
    example={"version": 1},
)
def revert_price_list(
    commerce: Commerce,
    list_id: ListId,
    parameters: OnlyPlan,
    payload: VersionToRestore,
    key: IdempotencyKey | None,
) -> ListReport:
    """Brings back the content of a version of a price list, as its next version."""
    return commerce.price_lists.revert(list_id, payload.version, plan=parameters.plan, key=key)


ROUTES = (
    add_price_list,
    list_price_lists,
    get_price_list,
    put_price_list_content,
    list_price_list_versions,
    revert_price_list,
)
