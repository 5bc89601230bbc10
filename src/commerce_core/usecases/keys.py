"""Keys: API keys, and the principal that a request acts as."""

from collections.abc import Iterator
from contextlib import suppress
from datetime import datetime

from attrs import evolve, frozen

from commerce_core.activity.audit import Action
from commerce_core.base.errors import Unauthenticated, Unavailable
from commerce_core.base.paging import DEFAULT_LIMIT
from commerce_core.partners.access import (
    OPERATOR_SCOPES,
    Principal,
    Scope,
    checked_scopes,
    identity_of_scopes,
)
from commerce_core.partners.api_key import (
    DEFAULT_GRACE_HOURS,
    ApiKey,
    check_terms,
    digest_of,
    new_secret,
    tidy_key_name,
    unknown_key,
)
from commerce_core.ports.activity import ActivityUnit
from commerce_core.ports.partners import PartnersUnit
from commerce_core.ports.store import UnitOfWork
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
        key_name: str | None = None,
        expires_at: datetime | None = None,
        key: IdempotencyKey | str | None = None,
    ) -> IssuedKey:
        """A new key for the partner, or for the operator if no partner is given.

        Conflict if the partner is offboarded; InvalidInput for scopes that it can't have, and for
        an expiry that isn't in the future.
        """
        context, now = self._context, self._context.clock()
        with context.writing() as unit:
            owner = None if partner is None else context.partner(unit, partner).partner_id
            new = self._new(owner, checked_scopes(scopes, operator=owner is None), now)
            new = evolve(new, key_name=tidy_key_name(key_name), expires_at=expires_at)

            def make() -> IssuedKey:
                check_terms(expires_at, now)
                check_partner_stays(unit, owner, "no key can be issued for it")
                return self._issue(unit, "key.issued", None, new)

            asked = identity_of_scopes(scopes, operator=owner is None)
            request = ("issue_key", owner, asked, *_given(new.key_name, expires_at))
            return context.once(unit, key, request, make, _without_secret, answer=IssuedKey)

    def rotate(
        self,
        key_id: str,
        *,
        grace_hours: int = DEFAULT_GRACE_HOURS,
        expires_at: datetime | None = None,
        key: IdempotencyKey | str | None = None,
    ) -> IssuedKey:
        """A successor of a key, with its owner, name and scopes; the key expires after the grace.

        By default, the successor lives as long as the key was to. Conflict `key_rotated` if the key
        has a successor already, `key_not_valid` if it was revoked or has expired.
        """
        context, now = self._context, self._context.clock()
        with context.writing() as unit:
            known = self._context.seen("key", key_id, unit.keys.get)

            def make() -> IssuedKey:
                check_terms(expires_at, now, grace_hours=grace_hours)
                check_partner_stays(unit, known.partner_id, "no key can be issued for it")
                old = self._locked(unit, key_id)  # Behind its owner, as offboarding locks them.
                new = evolve(
                    self._new(old.partner_id, old.scopes, now),
                    key_name=old.key_name,
                    expires_at=expires_at or old.lifetime_from(now),
                )
                unit.keys.put(old.succeeded(new.key_id, now, grace_hours))
                unit.saved_views.hand_over(old.key_id, new.key_id)
                return self._issue(unit, "key.rotated", old, new)

            request = ("rotate_key", known.key_id, grace_hours, expires_at)
            return context.once(unit, key, request, make, _without_secret, answer=IssuedKey)

    def _new(self, owner: str | None, scopes: tuple[Scope, ...], now: datetime) -> ApiKey:
        return ApiKey(self._context.mint("key"), owner, scopes, now)

    def _issue(
        self, unit: UnitOfWork, action: Action, before: ApiKey | None, new: ApiKey
    ) -> IssuedKey:
        """Gives the new key a secret, and keeps it."""
        secret = new_secret(self._context.entropy)
        issued = evolve(new, digest=digest_of(secret))
        unit.keys.add(issued)
        subjects = (issued.key_id,) if before is None else (issued.key_id, before.key_id)
        self._context.note(
            unit, action, *subjects, partner_id=issued.partner_id, before=before, after=issued
        )
        return IssuedKey(issued, secret)

    def ensure_operator(self, secret: str) -> None:
        """Adds an operator's key with the given secret, unless a key with it exists."""
        with self._context.store.begin() as unit:
            if unit.keys.find(digest_of(secret)) is None:
                key = self._new(None, OPERATOR_SCOPES, self._context.clock())
                unit.keys.add(evolve(key, digest=digest_of(secret)))
                self._note(unit, "key.issued", None, key)

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
        with self._context.store.read_only() as unit:
            return self._context.listed(unit.keys, own, cursor, limit, count=count)

    def _own(self, partner: str | None) -> str | None:
        with self._context.store.begin() as unit:
            return self._context.partner_filter(unit, partner)

    def revoke(self, key_id: str) -> ApiKey:
        """Revokes a key; does nothing if it is already revoked."""
        with self._context.writing() as unit:
            key = self._locked(unit, key_id)
            if key.revoked_at is None:
                revoked = evolve(key, revoked_at=self._context.clock())
                unit.keys.put(revoked)
                unit.saved_views.remove_of(key.key_id)
                self._note(unit, "key.revoked", key, revoked)
                return revoked
            return key

    def _note(
        self, unit: ActivityUnit, action: Action, before: ApiKey | None, after: ApiKey
    ) -> None:
        self._context.note(
            unit, action, after.key_id, partner_id=after.partner_id, before=before, after=after
        )

    def _locked(self, unit: PartnersUnit, key_id: str) -> ApiKey:
        return self._context.seen("key", key_id, unit.keys.lock)

    def authenticate(self, secret: str | None) -> Principal:
        """The principal with this secret, whose use is noted.

        Unauthenticated if no key has it, or the key was revoked; `key_expired` if it has expired.
        """
        if not secret:
            raise Unauthenticated("The request has no API key.", "Send one.")
        now = self._context.clock()
        with self._context.store.read_only() as unit:
            key = unit.keys.find(digest_of(secret))
        if key is None:
            raise unknown_key()
        key.check_valid(now)
        if key.is_due(now):
            self._note_use(key, now)
        return key.principal()

    def _note_use(self, key: ApiKey, now: datetime) -> None:
        # What only reads has to succeed while nothing can be written; the next use is noted again.
        with suppress(Unavailable), self._context.store.begin() as unit:
            unit.keys.note_use(key.key_id, now)


def check_partner_stays(unit: PartnersUnit, owner: str | None, so: str) -> None:
    """Conflict for a partner that is offboarded; until the unit ends, it can't become so.

    `so` is what that makes impossible.
    """
    if owner is not None:
        unit.partners.lock_shared(owner).check_not_offboarded(so)


def _given(name: str | None, expires_at: datetime | None) -> tuple[object, ...]:
    """What stands in the hash of a request for terms that it has; none for those it hasn't."""
    given = {"key_name": name, "expires_at": expires_at}
    terms = {term: value for term, value in given.items() if value is not None}
    return (terms,) if terms else ()


def _without_secret(issued: IssuedKey) -> IssuedKey:
    """The answer to keep for a replay, without the secret, which is never stored."""
    return evolve(issued, secret=None, key=evolve(issued.key, digest=b""))
