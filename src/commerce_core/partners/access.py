"""Who may do what: principals, scopes, and the API keys that carry them."""

import hashlib
from datetime import datetime
from typing import Final, Literal

from attrs import field, frozen

from commerce_core.base.errors import Fault, Forbidden, refuse_if
from commerce_core.base.ids import Entropy

Scope = Literal[
    "partners:read",
    "partners:write",
    "keys:write",
    "feeds:read",
    "feeds:write",
    "catalog:read",
    "orders:read",
    "orders:write",
    "analytics:read",
]
OPERATOR_SCOPES: Final[tuple[Scope, ...]] = (
    "partners:read",
    "partners:write",
    "keys:write",
    "feeds:read",
    "feeds:write",
    "catalog:read",
    "orders:read",
    "orders:write",
    "analytics:read",
)
PARTNER_SCOPES: Final[tuple[Scope, ...]] = (
    "partners:read",
    "feeds:read",
    "feeds:write",
    "catalog:read",
    "orders:read",
    "analytics:read",
)
"""What a partner's key may do where nothing else is said; `orders:write` can be added to it."""


@frozen
class Principal:
    """Who asks: the operator (`partner_id` None) or one partner, and what they may do."""

    name: str
    partner_id: str | None
    scopes: frozenset[Scope]

    def require(self, scope: Scope) -> None:
        """Forbidden unless this principal has the scope."""
        if scope not in self.scopes:
            raise Forbidden(
                f"This needs the scope {scope}, which your key doesn't have.",
                "Ask the operator for a key that has it.",
                code="missing_scope",
            )

    def may_see(self, partner_id: str | None) -> bool:
        """Whether things of that partner exist for this principal; the operator sees all."""
        return self.partner_id is None or self.partner_id == partner_id


OPERATOR: Final = Principal("operator", None, frozenset(OPERATOR_SCOPES))
"""Who uses the library in process: the one who runs the platform."""


@frozen
class ApiKey:
    """A key to the HTTP API. Its secret is shown once; we keep the SHA-256 of it."""

    key_id: str
    partner_id: str | None
    scopes: tuple[Scope, ...]
    created_at: datetime
    revoked_at: datetime | None = None
    digest: bytes = field(default=b"", repr=False)

    def principal(self) -> Principal:
        """Who the holder of this key is."""
        return Principal(self.key_id, self.partner_id, frozenset(self.scopes))


def new_secret(entropy: Entropy) -> str:
    """A key's secret: `ck_` and 256 random bits in hexadecimal."""
    return f"ck_{entropy(32).hex()}"


def digest_of(secret: str) -> bytes:
    """What we keep of a secret. It has 256 bits of entropy, so a slow hash would add nothing."""
    return hashlib.sha256(secret.encode(errors="surrogatepass")).digest()


def checked_scopes(scopes: list[str] | None, *, operator: bool) -> tuple[Scope, ...]:
    """The scopes of a new key: those asked for, or all that its kind of holder has by default."""
    allowed = OPERATOR_SCOPES if operator else (*PARTNER_SCOPES, "orders:write")
    if scopes is None:
        return OPERATOR_SCOPES if operator else PARTNER_SCOPES
    refuse_if(
        "The key can't have these scopes.",
        *(
            (
                scope not in allowed,
                Fault(f"/scopes/{index}", "bad_scope", f"Allowed are {', '.join(allowed)}."),
            )
            for index, scope in enumerate(scopes)
        ),
        (not scopes, Fault("/scopes", "bad_scope", "A key has at least one scope.")),
    )
    return tuple(scope for scope in allowed if scope in scopes)
