"""API keys: how long each is valid, when it was used, and which one replaces it."""

import hashlib
from datetime import datetime, timedelta
from typing import Final

from attrs import evolve, field, frozen

from commerce_core.base.errors import Conflict, Fault, Unauthenticated, refuse_if
from commerce_core.base.ids import Entropy
from commerce_core.base.text import given_name, tidy_name
from commerce_core.partners.access import Principal, Scope

LONGEST_KEY_NAME: Final = 100
USE_NOTED_EVERY: Final = timedelta(minutes=1)
"""How precisely the last use of a key is known; a use sooner after the last is not noted."""
DEFAULT_GRACE_HOURS: Final = 24
LONGEST_GRACE_HOURS: Final = 30 * 24
"""How long a key may stay valid beside its successor."""


@frozen
class ApiKey:
    """A key to the HTTP API. Its secret is shown once; only its SHA-256 is stored.

    It is valid until `expires_at`, or until it is revoked. `successor_id` is the key that replaces
    it. `last_used_at` is precise to a minute.
    """

    key_id: str
    partner_id: str | None
    scopes: tuple[Scope, ...]
    created_at: datetime
    revoked_at: datetime | None = None
    digest: bytes = field(default=b"", repr=False)
    key_name: str | None = None
    expires_at: datetime | None = None
    last_used_at: datetime | None = None
    successor_id: str | None = None

    def __attrs_post_init__(self) -> None:
        """A key that exists is valid in form; InvalidInput lists every fault at once."""
        name, expires = self.key_name, self.expires_at
        refuse_if(
            "The key's details aren't valid.",
            (
                name is not None and not (_is_tidy(name) and 1 <= len(name) <= LONGEST_KEY_NAME),
                Fault("/key_name", "bad_name", f"Use 1 to {LONGEST_KEY_NAME} characters."),
            ),
            (
                expires is not None and expires.tzinfo is None,
                Fault("/expires_at", "not_a_time", "Add the offset to the time."),
            ),
        )

    def principal(self) -> Principal:
        """The principal that a request with this key acts as."""
        return Principal(self.key_id, self.partner_id, frozenset(self.scopes), self.key_id)

    def is_valid(self, now: datetime) -> bool:
        """Whether requests may use it."""
        return self.revoked_at is None and (self.expires_at is None or now < self.expires_at)

    def check_valid(self, now: datetime) -> None:
        """Unauthenticated if it was revoked; `key_expired` if its time is over."""
        if self.revoked_at is not None:
            raise unknown_key()
        if not self.is_valid(now):
            raise Unauthenticated(
                f"The API key expired at {self.expires_at:%Y-%m-%d %H:%M} UTC.",
                "Ask the operator for another one.",
                code="key_expired",
            )

    def is_due(self, now: datetime) -> bool:
        """Whether a use of it now is to be noted."""
        return self.last_used_at is None or now - self.last_used_at >= USE_NOTED_EVERY

    def lifetime_from(self, now: datetime) -> datetime | None:
        """When a key issued now expires if it lives as long as this one was to."""
        return None if self.expires_at is None else now + (self.expires_at - self.created_at)

    def succeeded(self, successor_id: str, now: datetime, grace_hours: int) -> "ApiKey":
        """The key once it has a successor: it expires after the grace, or as it was to, if sooner.

        Conflict if it has one already, or isn't valid; so at most two keys are live in a rotation.
        """
        if self.successor_id is not None:
            raise Conflict(
                f"The key {self.key_id} was rotated already: {self.successor_id} replaces it.",
                "Rotate that one.",
                code="key_rotated",
            )
        if not self.is_valid(now):
            raise Conflict(
                f"The key {self.key_id} is no longer valid, so it can't be rotated.",
                "Issue a new one.",
                code="key_not_valid",
            )
        ends = now + timedelta(hours=grace_hours)
        sooner = self.expires_at if self.expires_at and self.expires_at < ends else ends
        return evolve(self, successor_id=successor_id, expires_at=sooner)


def unknown_key() -> Unauthenticated:
    """The refusal of a secret that no key has, or that of a key which was revoked."""
    return Unauthenticated("The API key is unknown or was revoked.", "Send another one.")


def check_terms(expires_at: datetime | None, now: datetime, *, grace_hours: int = 0) -> None:
    """InvalidInput for an expiry that isn't in the future, and a grace that is out of range."""
    refuse_if(
        "The key's terms aren't valid.",
        (
            expires_at is not None and expires_at.tzinfo is not None and expires_at <= now,
            Fault("/expires_at", "expiry_in_past", "Use a time in the future."),
        ),
        (
            not 0 <= grace_hours <= LONGEST_GRACE_HOURS,
            Fault("/grace_hours", "bad_grace", f"Use 0 to {LONGEST_GRACE_HOURS} hours."),
        ),
    )


def tidy_key_name(name: str | None) -> str | None:
    """The name in its canonical spelling."""
    return None if name is None else given_name(name)


def _is_tidy(name: str) -> bool:
    return name == tidy_name(name)


def new_secret(entropy: Entropy) -> str:
    """A new secret: `ck_` and 256 random bits in hexadecimal."""
    return f"ck_{entropy(32).hex()}"


def digest_of(secret: str) -> bytes:
    """The hash stored for a secret. With 256 bits of entropy, a slow hash would add nothing."""
    return hashlib.sha256(secret.encode(errors="surrogatepass")).digest()
