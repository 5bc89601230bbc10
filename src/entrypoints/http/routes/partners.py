"""Routes of partners."""

from attrs import frozen

from commerce_core.commerce import Commerce
from commerce_core.feeds.scorecard import DEFAULT_WEEKS, MOST_WEEKS, Scorecard
from commerce_core.partners.partner import Partner, PartnerStatus
from commerce_core.usecases.context import IdempotencyKey, Listed
from entrypoints.http.kit.handlers import get, patch, post
from entrypoints.http.kit.queries import Page
from entrypoints.reading import MISSING, optional, required, sent
from entrypoints.scalars import PartnerId


@frozen(kw_only=True)
class NewPartner:
    """A partner to add."""

    partner_name: str = required("Name of the partner, unique regardless of case.")
    currency: str | None = optional(None, "Currency (ISO 4217) of prices that don't specify one.")
    time_zone: str | None = optional(None, "IANA name of its time zone (default: UTC).")
    contact_email: str | None = optional(None, "Address for questions about its feeds.")


@frozen(kw_only=True)
class PartnerChange:
    """Changes to a partner; omitted fields stay as they are."""

    partner_name: str = optional(MISSING, "Name of the partner, unique regardless of case.")
    status: PartnerStatus = optional(MISSING, "Status; only active partners can send feeds.")
    currency: str | None = optional(
        MISSING, "Currency (ISO 4217) of prices that don't specify one."
    )
    time_zone: str = optional(MISSING, "IANA name of its time zone.")
    contact_email: str | None = optional(MISSING, "Address for questions about its feeds.")


@post(
    "/partners",
    scope="partners:write",
    status=(201,),
    refuses=[409],
    location="/v1/partners/{.partner_id}",
    example={"partner_name": "Acme", "currency": "EUR"},
)
def add_partner(commerce: Commerce, payload: NewPartner, key: IdempotencyKey | None) -> Partner:
    """Adds a partner, with a source called `main`."""
    return commerce.partners.add(
        payload.partner_name,
        currency=payload.currency,
        time_zone=payload.time_zone,
        contact_email=payload.contact_email,
        key=key,
    )


@get("/partners", scope="partners:read")
def list_partners(commerce: Commerce, parameters: Page) -> Listed[Partner]:
    """Lists partners, oldest first."""
    return commerce.partners.page(parameters.cursor, parameters.limit, count=parameters.count)


@get("/partners/{partner_id:str}", scope="partners:read")
def get_partner(commerce: Commerce, partner_id: PartnerId) -> Partner:
    """Shows a partner."""
    return commerce.partners.get(partner_id)


@patch(
    "/partners/{partner_id:str}",
    scope="partners:write",
    refuses=[409],
    example={"contact_email": "feeds@acme.example"},
)
def change_partner(commerce: Commerce, partner_id: PartnerId, payload: PartnerChange) -> Partner:
    """Changes a partner; omitted fields stay as they are."""
    return commerce.partners.change(partner_id, **sent(payload))


@frozen(kw_only=True)
class ScorecardOf:
    """Which weeks."""

    weeks: int = optional(
        DEFAULT_WEEKS,
        "Number of weeks, including the current one.",
        minimum=1,
        maximum=MOST_WEEKS,
    )


@get("/partners/{partner_id:str}/scorecard", scope="feeds:read")
def get_scorecard(commerce: Commerce, partner_id: PartnerId, parameters: ScorecardOf) -> Scorecard:
    """Shows week by week what the partner's sources sent, against what was expected of them."""
    return commerce.freshness.scorecard(partner_id, weeks=parameters.weeks)


ROUTES = (add_partner, list_partners, get_partner, change_partner, get_scorecard)
