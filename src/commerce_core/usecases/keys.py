"""Keys: API keys, and the principal that a request acts as."""

from collections.abc import Iterator

from attrs import evolve, frozen

from commerce_core.activity.audit import Action
from commerce_core.base.errors import NotFound, Unauthenticated
from commerce_core.base.ids import parse
from commerce_core.base.paging import DEFAULT_LIMIT
from commerce_core.partners.access import (
    ApiKey,
    Principal,
    checked_scopes,
    digest_of,
    identity_of_scopes,
    new_secret,
)
from commerce_core.ports.activity import ActivityUnit
from commerce_core.ports.partners import PartnersUnit
from commerce_core.usecases.context import Context, IdempotencyKey, Listed


@frozen
class IssuedKey:
    """A new key with its secret, which is shown only once: it is None in a replayed answer."""

    key: ApiKey
    secret: str | None


@frozen
class Keys:
    """API keys and their holders."""

    _context: Context

    def add(
        self,
        *,
        partner: str | None = None,
        scopes: list[str] | None = None,
        key: IdempotencyKey | str | None = None,
    ) -> IssuedKey:
        """A new key for the partner, or for the operator if no partner is given."""
        with self._context.store.begin() as unit:
            owner = None if partner is None else self._context.partner(unit, partner).partner_id
            granted = checked_scopes(scopes, operator=owner is None)
            secret = new_secret(self._context.entropy)
            issued = ApiKey(
                self._context.mint("key"),
                owner,
                granted,
                self._context.clock(),
                digest=digest_of(secret),
            )

            def make() -> IssuedKey:
                unit.keys.add(issued)
                self._note(unit, "key.issued", None, issued)
                return IssuedKey(issued, secret)

            asked = identity_of_scopes(scopes, operator=owner is None)
            request = ("issue_key", owner, asked)
            return self._context.once(unit, key, request, make, _without_secret, answer=IssuedKey)

    def ensure_operator(self, secret: str) -> None:
        """Adds an operator's key with the given secret, unless a key with it exists."""
        with self._context.store.begin() as unit:
            if unit.keys.find(digest_of(secret)) is None:
                key = self._operator_key(secret)
                unit.keys.add(key)
                self._note(unit, "key.issued", None, key)

    def _operator_key(self, secret: str) -> ApiKey:
        now = self._context.clock()
        scopes = checked_scopes(None, operator=True)
        return ApiKey(self._context.mint("key"), None, scopes, now, digest=digest_of(secret))

    def list(self, partner: str | None = None) -> Iterator[ApiKey]:
        """All visible keys, newest first, without their secrets."""
        own = self._own(partner)
        return self._context.walk(lambda unit: unit.keys, own)

    def page(
        self,
        cursor: str | None = None,
        limit: int = DEFAULT_LIMIT,
        *,
        partner: str | None = None,
        count: bool = False,
    ) -> Listed[ApiKey]:
        """A page of the keys, newest first."""
        own = self._own(partner)
        with self._context.store.begin() as unit:
            return self._context.listed(unit.keys, own, cursor, limit, count=count)

    def _own(self, partner: str | None) -> str | None:
        with self._context.store.begin() as unit:
            return self._context.partner_filter(unit, partner)

    def revoke(self, key_id: str) -> ApiKey:
        """Revokes a key; does nothing if it is already revoked."""
        with self._context.store.begin() as unit:
            key = self._key(unit, key_id)
            if key.revoked_at is None:
                revoked = evolve(key, revoked_at=self._context.clock())
                unit.keys.put(revoked)
                self._note(unit, "key.revoked", key, revoked)
                return revoked
            return key

    def _note(
        self, unit: ActivityUnit, action: Action, before: ApiKey | None, after: ApiKey
    ) -> None:
        self._context.note(
            unit, action, after.key_id, partner_id=after.partner_id, before=before, after=after
        )

    def _key(self, unit: PartnersUnit, key_id: str) -> ApiKey:
        key = unit.keys.get(parse("key", key_id))
        if not self._context.principal.may_see(key.partner_id):
            raise NotFound(f"There is no key {key_id}.")
        return key

    def authenticate(self, secret: str | None) -> Principal:
        """The principal with this secret; Unauthenticated if no valid key has it."""
        if not secret:
            raise Unauthenticated("The request has no API key.", "Send one.")
        with self._context.store.read_only() as unit:
            key = unit.keys.find(digest_of(secret))
        if key is None or key.revoked_at is not None:
            raise Unauthenticated("The API key is unknown or was revoked.", "Send another one.")
        return key.principal()


def _without_secret(issued: IssuedKey) -> IssuedKey:
    """The answer to keep for a replay, without the secret, which is never stored."""
    return evolve(issued, secret=None, key=evolve(issued.key, digest=b""))
