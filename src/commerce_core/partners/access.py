"""Access: principals, their scopes, and the API keys that carry them."""

import hashlib
from collections.abc import Mapping
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
    "feeds:decide",
    "catalog:read",
    "orders:read",
    "orders:write",
    "analytics:read",
]
Grant = Literal["default", "on_request", "never"]
"""Whether a partner's key has a scope: by default, only if it is granted, or never."""

SCOPES: Final[Mapping[Scope, Grant]] = {
    "partners:read": "default",
    "partners:write": "never",
    "keys:write": "never",
    "feeds:read": "default",
    "feeds:write": "default",
    "feeds:decide": "on_request",
    "catalog:read": "default",
    "orders:read": "default",
    "orders:write": "on_request",
    "analytics:read": "default",
}
"""Every scope, one for each kind of act; an operator's key has all of them by default."""
OPERATOR_SCOPES: Final[tuple[Scope, ...]] = tuple(SCOPES)
PARTNER_SCOPES: Final[tuple[Scope, ...]] = tuple(
    scope for scope, grant in SCOPES.items() if grant == "default"
)
"""The default scopes of a partner's key."""
GRANTABLE_SCOPES: Final[tuple[Scope, ...]] = tuple(
    scope for scope, grant in SCOPES.items() if grant != "never"
)
"""The scopes that a partner's key can have."""
_FIRST_OPERATOR_SCOPES: Final[tuple[Scope, ...]] = (
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
"""The defaults of an operator's key in the first version, by which its requests are known."""


@frozen
class Principal:
    """The caller: the operator (`partner_id` None) or a partner, and what they may do."""

    name: str
    partner_id: str | None
    scopes: frozenset[Scope]

    def require(self, scope: Scope) -> None:
        """Forbidden unless this principal has the scope."""
        if scope not in self.scopes:
            raise Forbidden(
                f"This needs the scope {scope}, which your key doesn't have.",
                "Ask the operator for a key with that scope.",
                code="missing_scope",
            )

    def may_see(self, partner_id: str | None) -> bool:
        """Whether this principal may see that partner's data; the operator sees all."""
        return self.partner_id is None or self.partner_id == partner_id


OPERATOR: Final = Principal("operator", None, frozenset(OPERATOR_SCOPES))
"""The principal of the library when it is used in process."""


@frozen
class ApiKey:
    """A key to the HTTP API. Its secret is shown once; only its SHA-256 is stored."""

    key_id: str
    partner_id: str | None
    scopes: tuple[Scope, ...]
    created_at: datetime
    revoked_at: datetime | None = None
    digest: bytes = field(default=b"", repr=False)

    def principal(self) -> Principal:
        """The principal that a request with this key acts as."""
        return Principal(self.key_id, self.partner_id, frozenset(self.scopes))


def new_secret(entropy: Entropy) -> str:
    """A new secret: `ck_` and 256 random bits in hexadecimal."""
    return f"ck_{entropy(32).hex()}"


def digest_of(secret: str) -> bytes:
    """The hash stored for a secret. With 256 bits of entropy, a slow hash would add nothing."""
    return hashlib.sha256(secret.encode(errors="surrogatepass")).digest()


def checked_scopes(scopes: list[str] | None, *, operator: bool) -> tuple[Scope, ...]:
    """The scopes of a new key: the requested ones, or the defaults for its kind of owner."""
    allowed = OPERATOR_SCOPES if operator else GRANTABLE_SCOPES
    if scopes is None:
        return OPERATOR_SCOPES if operator else PARTNER_SCOPES
    refuse_if(
        "The key can't be given these scopes.",
        *(
            (
                scope not in allowed,
                Fault(f"/scopes/{index}", "bad_scope", f"Use any of: {', '.join(allowed)}."),
            )
            for index, scope in enumerate(scopes)
        ),
        (not scopes, Fault("/scopes", "bad_scope", "Name at least one scope.")),
    )
    return tuple(scope for scope in allowed if scope in scopes)


def identity_of_scopes(scopes: list[str] | None, *, operator: bool) -> tuple[Scope, ...]:
    """What stands for requested scopes in the hash of a request, which outlives new scopes."""
    if scopes is None and operator:
        return _FIRST_OPERATOR_SCOPES
    return checked_scopes(scopes, operator=operator)
