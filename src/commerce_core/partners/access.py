"""Access: principals, and the scopes that they have."""

from collections.abc import Mapping
from typing import Final, Literal

from attrs import evolve, frozen

from commerce_core.base.errors import Fault, Forbidden, refuse_if
from commerce_core.base.text import given_name

LONGEST_ACTOR: Final = 100

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
    "orders:act",
    "pricing:read",
    "pricing:write",
    "money:read",
    "money:write",
    "analytics:read",
    "webhooks:read",
    "webhooks:write",
    "alerts:read",
    "alerts:write",
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
    "orders:act": "on_request",
    "pricing:read": "never",
    "pricing:write": "never",
    "money:read": "default",
    "money:write": "never",
    "analytics:read": "default",
    "webhooks:read": "on_request",
    "webhooks:write": "on_request",
    "alerts:read": "on_request",
    "alerts:write": "on_request",
}
"""Every scope, one for each kind of act; an operator's key has all of them by default."""
OPERATOR_SCOPES: Final[tuple[Scope, ...]] = tuple(SCOPES)
PARTNER_SCOPES: Final[tuple[Scope, ...]] = tuple(
    scope for scope, grant in SCOPES.items() if grant == "default"
)
"""The default scopes of a partner's key."""
GRANTABLE_SCOPES: Final[tuple[Scope, ...]] = (
    *PARTNER_SCOPES,
    *(scope for scope, grant in SCOPES.items() if grant == "on_request"),
)
"""The scopes that a partner's key can have."""
_FIRST_PARTNER_SCOPES: Final = (
    "partners:read", "feeds:read", "feeds:write", "catalog:read", "orders:read", "analytics:read",
)  # fmt: skip
_FIRST_OPERATOR_SCOPES: Final = (
    "partners:read", "partners:write", "keys:write", "feeds:read", "feeds:write", "catalog:read",
    "orders:read", "orders:write", "analytics:read",
)  # fmt: skip
"""The default scopes of the first version, by which requests for the default ones are known."""


@frozen
class Principal:
    """The caller: the operator (`partner_id` None) or a partner, and what they may do.

    `key_id` is the key that the caller has shown; None in process, where none is needed.
    """

    name: str
    partner_id: str | None
    scopes: frozenset[Scope]
    key_id: str | None = None

    def known_as(self, name: str) -> "Principal":
        """The same principal under another name in the audit; InvalidInput if it can't be one.

        A name that looks like a key's id would put the act down to that key.
        """
        tidy = given_name(name)
        refuse_if(
            f"{name[:LONGEST_ACTOR]!r} can't be the name of who acts.",
            (
                not 1 <= len(tidy) <= LONGEST_ACTOR or tidy.lower().startswith("key_"),
                Fault(
                    "/as",
                    "bad_actor",
                    f"Use 1 to {LONGEST_ACTOR} characters, which don't look like a key's id.",
                ),
            ),
        )
        return evolve(self, name=tidy)

    @property
    def seen_by_partners(self) -> str:
        """How this principal is named where partners read: an operator's own name stays inside."""
        return "the operator" if self.partner_id is None else self.name

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


def identity_of_scopes(scopes: list[str] | None, *, operator: bool) -> tuple[str, ...]:
    """What stands for requested scopes in the hash of a request, which outlives new scopes."""
    if scopes is None:
        return _FIRST_OPERATOR_SCOPES if operator else _FIRST_PARTNER_SCOPES
    return checked_scopes(scopes, operator=operator)
