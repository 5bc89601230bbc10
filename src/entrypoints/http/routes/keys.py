"""Routes of API keys."""

from attrs import frozen

from commerce_core.commerce import Commerce
from commerce_core.partners.access import ApiKey
from commerce_core.usecases.context import IdempotencyKey, Listed
from commerce_core.usecases.keys import IssuedKey
from entrypoints.http.kit.handlers import delete, get, post
from entrypoints.http.kit.queries import Page
from entrypoints.reading import optional
from entrypoints.scalars import KeyId, PartnerId


@frozen(kw_only=True)
class NewKey:
    """A key to issue."""

    scopes: tuple[str, ...] | None = optional(
        None, "Scopes of the key (default: the usual ones of a partner's key)."
    )


@post(
    "/partners/{partner_id:str}/keys",
    scope="keys:write",
    status=(201,),
    example={"scopes": ["catalog:read"]},
)
def issue_key(
    commerce: Commerce, partner_id: PartnerId, payload: NewKey, key: IdempotencyKey | None
) -> IssuedKey:
    """Issues an API key for a partner; its secret is shown in the first response only."""
    scopes = None if payload.scopes is None else list(payload.scopes)
    return commerce.keys.add(partner=partner_id, scopes=scopes, key=key)


@get("/partners/{partner_id:str}/keys", scope="keys:write")
def list_keys(commerce: Commerce, partner_id: PartnerId, parameters: Page) -> Listed[ApiKey]:
    """Lists a partner's keys, newest first, without their secrets."""
    return commerce.keys.page(
        parameters.cursor, parameters.limit, partner=partner_id, count=parameters.count
    )


@delete("/keys/{key_id:str}", scope="keys:write")
def revoke_key(commerce: Commerce, key_id: KeyId) -> ApiKey:
    """Revokes a key, permanently; does nothing if it is already revoked."""
    return commerce.keys.revoke(key_id)


ROUTES = (issue_key, list_keys, revoke_key)
