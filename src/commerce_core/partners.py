"""Partners who send feeds, and principals: who may do what."""

import hashlib
import re
from datetime import datetime
from typing import Final, Literal
from zoneinfo import ZoneInfo

from attrs import evolve, field, frozen

from commerce_core.errors import Conflict, Fault, Forbidden, refuse_if
from commerce_core.ids import Entropy
from commerce_core.money import find_currency

LONGEST_NAME: Final = 200
LONGEST_EMAIL: Final = 320
UNSTORABLE: Final = re.compile(r"[\x00\ud800-\udfff]")
"""What no text of ours may contain, since no database takes it: NUL, and halves of characters."""
_EMAIL: Final = re.compile(r"[^@\s]+@[^@\s]+\.[^@\s]+")

PartnerStatus = Literal["active", "paused", "offboarded"]
Mode = Literal["full", "delta"]
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
class Partner:
    """A retailer who sends feeds. Its name is unique without regard to case.

    `currency` is the default for prices that name none (None: every price must name its own);
    `time_zone` is the one of its schedules and local times.
    """

    partner_id: str
    partner_name: str
    status: PartnerStatus
    currency: str | None
    time_zone: str
    contact_email: str | None
    created_at: datetime
    updated_at: datetime

    def __attrs_post_init__(self) -> None:
        """A partner that exists is valid; InvalidInput lists every fault at once."""
        name, email = self.partner_name, self.contact_email
        refuse_if(
            "The partner can't be described so.",
            (
                name != tidy_name(name) or not 1 <= len(name) <= LONGEST_NAME,
                Fault("/partner_name", "bad_name", f"A name has 1 to {LONGEST_NAME} characters."),
            ),
            (
                self.status not in ("active", "paused", "offboarded"),
                Fault("/status", "bad_status", "A status is active, paused or offboarded."),
            ),
            (
                self.currency is not None and _is_unknown_currency(self.currency),
                Fault("/currency", "unknown_currency", "An ISO 4217 code is wanted, as USD."),
            ),
            (
                not _is_time_zone(self.time_zone),
                Fault("/time_zone", "unknown_time_zone", "An IANA name is wanted, as Europe/Rome."),
            ),
            (
                email is not None and not _is_email(email),
                Fault("/contact_email", "bad_email", "This is no e-mail address."),
            ),
        )

    def changed(self, at: datetime, **changes: str | None) -> "Partner":
        """The partner with some of its details changed; the result is checked as a new one is.

        Where nothing becomes another it is itself, `updated_at` too.
        """
        new = evolve(self, **tidy_details(changes))
        return self if new == self else evolve(new, updated_at=at)

    def check_may_send(self) -> None:
        """Conflict unless the partner is active: nobody else sends feeds."""
        if self.status != "active":
            raise Conflict(
                f"Partner {self.partner_name!r} is {self.status}; only an active one sends feeds.",
                "Set its status to active first.",
                code="partner_not_active",
            )


def name_taken(partner: Partner) -> Conflict:
    """The refusal of a partner whose name another one has, case folded."""
    return Conflict(
        f"There already is a partner named {partner.partner_name!r}.",
        "Names are unique without regard to case; choose another.",
        code="partner_name_taken",
    )


def tidy_name(name: str) -> str:
    """The name with single spaces, none around it, and without what no database takes."""
    return " ".join(UNSTORABLE.sub(" ", name).split())


def tidy_details(details: dict[str, str | None]) -> dict[str, str | None]:
    """Details of a partner in their one spelling: names tidied, currencies in capitals.

    A null where there has to be something becomes a blank text, which the partner then refuses.
    """
    tidied = dict(details)
    for needed in {"partner_name", "status", "time_zone"} & details.keys():
        tidied[needed] = tidy_name(details[needed] or "")
    if (code := details.get("currency")) is not None:
        tidied["currency"] = code.strip().upper()
    return tidied


def _is_unknown_currency(code: str) -> bool:
    return find_currency(code) is None or code != code.strip().upper()


def _is_time_zone(name: str) -> bool:
    try:
        ZoneInfo(name)
    except (KeyError, ValueError, OSError):
        return False
    return True


def _is_email(text: str) -> bool:
    well_formed = len(text) <= LONGEST_EMAIL and _EMAIL.fullmatch(text)
    return bool(well_formed) and not UNSTORABLE.search(text)


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
