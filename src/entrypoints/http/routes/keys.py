"""Routes of API keys."""

from datetime import datetime

from attrs import frozen

from commerce_core.commerce import Commerce
from commerce_core.partners.api_key import DEFAULT_GRACE_HOURS, LONGEST_GRACE_HOURS, ApiKey
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
    key_name: str | None = optional(None, "Name of the key, such as the program that uses it.")
    expires_at: datetime | None = optional(
        None, "Time from which the key is refused (default: it doesn't expire)."
    )


@frozen(kw_only=True)
class Rotation:
    """How a key is rotated."""

    grace_hours: int = optional(
        DEFAULT_GRACE_HOURS,
        "Hours for which the old key stays valid.",
        minimum=0,
        maximum=LONGEST_GRACE_HOURS,
    )
    expires_at: datetime | None = optional(
        None, "Time from which the new key is refused (default: it lives as long as the old one)."
    )


@post(
    "/partners/{partner_id:str}/keys",
    scope="keys:write",
    status=(201,),
    refuses=[409],
    example={"scopes": ["catalog:read"], "key_name": "shop"},
)
def issue_key(
    commerce: Commerce, partner_id: PartnerId, payload: NewKey, key: IdempotencyKey | None
) -> IssuedKey:
    """Issues an API key for a partner; its secret is shown in the first response only."""
    return commerce.keys.add(
        partner=partner_id,
        scopes=None if payload.scopes is None else list(payload.scopes),
        key_name=payload.key_name,
        expires_at=payload.expires_at,
        key=key,
    )


@get("/partners/{partner_id:str}/keys", scope="keys:write")
def list_keys(commerce: Commerce, partner_id: PartnerId, parameters: Page) -> Listed[ApiKey]:
    """Lists a partner's keys, newest first, without their secrets."""
    return commerce.keys.page(
        parameters.cursor, parameters.limit, partner=partner_id, count=parameters.count
    )


@post(
    "/keys/{key_id:str}/rotate",
    scope="keys:write",
    status=(201,),
    refuses=[409],
    example={"grace_hours": 24},
)
def rotate_key(
    commerce: Commerce, key_id: KeyId, payload: Rotation, key: IdempotencyKey | None
) -> IssuedKey:
    """Issues a successor of a key, with the same owner, name and scopes.

    Both are valid until the grace ends; then the old one expires.
    """
    return commerce.keys.rotate(
        key_id,
        grace_hours=payload.grace_hours,
        expires_at=payload.expires_at,
        key=key,
    )


@delete("/keys/{key_id:str}", scope="keys:write")
def revoke_key(commerce: Commerce, key_id: KeyId) -> ApiKey:
    """Revokes a key, permanently; does nothing if it is already revoked."""
    return commerce.keys.revoke(key_id)


ROUTES = (issue_key, list_keys, rotate_key, revoke_key)
