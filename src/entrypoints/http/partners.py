"""Routes of partners and of API keys."""

from attrs import frozen

from commerce_core.commerce import Commerce
from commerce_core.partners.access import ApiKey
from commerce_core.partners.partner import Partner, PartnerStatus
from commerce_core.usecases.context import IdempotencyKey, Listed
from commerce_core.usecases.keys import IssuedKey
from entrypoints.http.queries import Page
from entrypoints.http.reading import sent
from entrypoints.http.routing import route
from entrypoints.http.values import UNSAID, KeyId, PartnerId, needed, said


@frozen(kw_only=True)
class NewPartner:
    """A partner as it is added."""

    partner_name: str = needed("Its name, unique without regard to case.")
    currency: str | None = said(None, "ISO 4217 code for prices that name none.")
    time_zone: str | None = said(None, "IANA name; UTC unless said.")
    contact_email: str | None = said(None, "Whom to write to.")


@frozen(kw_only=True)
class PartnerChange:
    """What is to change of a partner; what isn't sent stays."""

    partner_name: str = said(UNSAID, "Its name, unique without regard to case.")
    status: PartnerStatus = said(UNSAID, "Only an active partner sends feeds.")
    currency: str | None = said(UNSAID, "ISO 4217 code for prices that name none.")
    time_zone: str = said(UNSAID, "IANA name.")
    contact_email: str | None = said(UNSAID, "Whom to write to.")


@frozen(kw_only=True)
class NewKey:
    """A key as it is made."""

    scopes: tuple[str, ...] | None = said(
        None, "What it may do; all that a partner's key has by default unless said."
    )


@route(
    "POST",
    "/partners",
    scope="partners:write",
    status=201,
    refuses=[409],
    location="/v1/partners/{partner_id}",
)
def add_partner(commerce: Commerce, body: NewPartner, key: IdempotencyKey | None) -> Partner:
    """Adds a partner with its source `main`."""
    return commerce.partners.add(
        body.partner_name,
        currency=body.currency,
        time_zone=body.time_zone,
        contact_email=body.contact_email,
        key=key,
    )


@route("GET", "/partners", scope="partners:read")
def list_partners(commerce: Commerce, query: Page) -> Listed[Partner]:
    """Lists partners, oldest first."""
    return commerce.partners.page(query.cursor, query.limit, count=query.count)


@route("GET", "/partners/{partner_id:str}", scope="partners:read")
def get_partner(commerce: Commerce, partner_id: PartnerId) -> Partner:
    """Shows a partner."""
    return commerce.partners.get(partner_id)


@route("PATCH", "/partners/{partner_id:str}", scope="partners:write", refuses=[409])
def change_partner(commerce: Commerce, partner_id: PartnerId, body: PartnerChange) -> Partner:
    """Changes the details of a partner that are sent."""
    return commerce.partners.change(partner_id, **sent(body))


@route("POST", "/partners/{partner_id:str}/keys", scope="keys:write", status=201)
def issue_key(
    commerce: Commerce, partner_id: PartnerId, body: NewKey, key: IdempotencyKey | None
) -> IssuedKey:
    """Makes an API key for a partner; its secret is in this answer only, in no replayed one."""
    scopes = None if body.scopes is None else list(body.scopes)
    return commerce.keys.add(partner=partner_id, scopes=scopes, key=key)


@route("GET", "/partners/{partner_id:str}/keys", scope="keys:write")
def list_keys(commerce: Commerce, partner_id: PartnerId, query: Page) -> Listed[ApiKey]:
    """Lists a partner's keys, newest first, without their secrets."""
    return commerce.keys.page(query.cursor, query.limit, partner=partner_id, count=query.count)


@route("DELETE", "/keys/{key_id:str}", scope="keys:write")
def revoke_key(commerce: Commerce, key_id: KeyId) -> ApiKey:
    """Ends a key for good; one that is ended stays as it is."""
    return commerce.keys.revoke(key_id)


ROUTES = (
    add_partner,
    list_partners,
    get_partner,
    change_partner,
    issue_key,
    list_keys,
    revoke_key,
)
