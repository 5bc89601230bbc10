"""Routes of partners."""

from attrs import frozen

from commerce_core.commerce import Commerce
from commerce_core.partners.partner import Partner, PartnerStatus
from commerce_core.usecases.context import IdempotencyKey, Listed
from entrypoints.http.kit.handlers import get, patch, post
from entrypoints.http.kit.queries import Page
from entrypoints.reading import MISSING, optional, required, sent
from entrypoints.scalars import PartnerId


@frozen(kw_only=True)
class NewPartner:
    """A partner as it is added."""

    partner_name: str = required("Its name, unique without regard to case.")
    currency: str | None = optional(None, "ISO 4217 code for prices that name none.")
    time_zone: str | None = optional(None, "IANA name (default: UTC).")
    contact_email: str | None = optional(None, "Whom to write to.")


@frozen(kw_only=True)
class PartnerChange:
    """What is to change of a partner; what isn't sent stays."""

    partner_name: str = optional(MISSING, "Its name, unique without regard to case.")
    status: PartnerStatus = optional(MISSING, "Only an active partner sends feeds.")
    currency: str | None = optional(MISSING, "ISO 4217 code for prices that name none.")
    time_zone: str = optional(MISSING, "IANA name.")
    contact_email: str | None = optional(MISSING, "Whom to write to.")


@post(
    "/partners",
    scope="partners:write",
    status=(201,),
    refuses=[409],
    location="/v1/partners/{.partner_id}",
    example={"partner_name": "Acme", "currency": "EUR"},
)
def add_partner(commerce: Commerce, payload: NewPartner, key: IdempotencyKey | None) -> Partner:
    """Adds a partner with its source `main`."""
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
    """Changes the details of a partner that are sent."""
    return commerce.partners.change(partner_id, **sent(payload))


ROUTES = (add_partner, list_partners, get_partner, change_partner)
