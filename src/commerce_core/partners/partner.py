"""Partners: the retailers who send feeds."""

import re
from datetime import datetime
from typing import Final, Literal

from attrs import evolve, frozen

from commerce_core.base.calendar import find_zone, iana_zone
from commerce_core.base.errors import Conflict, Fault, refuse_if
from commerce_core.base.money import find_currency
from commerce_core.base.text import UNSTORABLE, given_name, tidy_name
from commerce_core.partners.freshness_states import PartnerFreshness

LONGEST_NAME: Final = 200
LONGEST_EMAIL: Final = 320
_EMAIL: Final = re.compile(r"[^@\s]+@[^@\s]+\.[^@\s]+")
PartnerStatus = Literal["active", "paused", "offboarded"]


@frozen
class Partner:
    """A retailer that sends feeds. Its name is unique, ignoring case and what looks alike.

    `currency` is the default for prices without one (None: every price must name its own).
    `time_zone` is the zone of local times in its feeds and file names. `freshness` is how fresh its
    sources are at the moment; stores don't keep that.
    """

    partner_id: str
    partner_name: str
    status: PartnerStatus
    currency: str | None
    time_zone: str
    contact_email: str | None
    created_at: datetime
    updated_at: datetime
    freshness: PartnerFreshness | None = None

    def __attrs_post_init__(self) -> None:
        """A partner that exists is valid; InvalidInput lists every fault at once."""
        name, email = self.partner_name, self.contact_email
        refuse_if(
            "The partner's details aren't valid.",
            (
                name != tidy_name(name) or not 1 <= len(name) <= LONGEST_NAME,
                Fault("/partner_name", "bad_name", f"Use 1 to {LONGEST_NAME} characters."),
            ),
            (
                self.status not in ("active", "paused", "offboarded"),
                Fault("/status", "bad_status", "Use active, paused or offboarded."),
            ),
            (
                self.currency is not None and _is_unknown_currency(self.currency),
                Fault("/currency", "unknown_currency", "Use an ISO 4217 code, such as USD."),
            ),
            (
                find_zone(self.time_zone) is None,
                Fault("/time_zone", "unknown_time_zone", "Use an IANA name, such as Europe/Rome."),
            ),
            (
                email is not None and not _is_email(email),
                Fault("/contact_email", "bad_email", "This is not an e-mail address."),
            ),
        )

    def changed(self, at: datetime, **changes: str | None) -> "Partner":
        """Returns the partner with these details changed; they are checked as a new partner's are.

        Returns itself, `updated_at` included, if nothing changes.
        """
        new = evolve(self, **tidy_details(changes))
        return self if new == self else evolve(new, updated_at=at)

    def check_may_send(self) -> None:
        """Conflict unless the partner is active; only active partners send feeds."""
        if self.status != "active":
            raise Conflict(
                f"Partner {self.partner_name!r} is {self.status}, so it can't send feeds.",
                "Set its status to active first.",
                code="partner_not_active",
            )

    def check_not_offboarded(self, so: str) -> None:
        """Conflict if the partner is offboarded; `so` is what that makes impossible."""
        if self.status == "offboarded":
            raise Conflict(
                f"Partner {self.partner_name!r} is offboarded, so {so}.",
                "Set its status to active or paused first.",
                code="partner_offboarded",
            )


def name_taken(partner: Partner) -> Conflict:
    """The refusal of a partner whose name is taken, ignoring case."""
    return Conflict(
        f"There already is a partner named {partner.partner_name!r}.",
        "Choose another name; names are unique, ignoring case.",
        code="partner_name_taken",
    )


def looks_taken(partner: Partner, other: str) -> Conflict:
    """The refusal of a partner whose name looks like that of another."""
    return Conflict(
        f"The name {partner.partner_name!a} looks like that of the partner {other!r}.",
        "Choose a name that people can tell from it: characters that aren't seen, or that look "
        "like others, don't make it a different one.",
        code="partner_name_confusable",
    )


def tidy_details(details: dict[str, str | None]) -> dict[str, str | None]:
    """Details of a partner in their canonical spelling: names tidied, currencies upper-cased.

    None for a required detail becomes a blank text, which the partner then refuses; so does a time
    zone that differs between machines, which only partners from before that have.
    """
    tidied = dict(details)
    for needed in {"status", "time_zone"} & details.keys():
        tidied[needed] = tidy_name(details[needed] or "")
    if (zone := tidied.get("time_zone")) is not None and iana_zone(zone) is None:
        tidied["time_zone"] = ""
    if "partner_name" in details:
        tidied["partner_name"] = given_name(details["partner_name"] or "")
    if (code := details.get("currency")) is not None:
        tidied["currency"] = code.strip().upper()
    return tidied


def _is_unknown_currency(code: str) -> bool:
    return find_currency(code) is None or code != code.strip().upper()


def _is_email(text: str) -> bool:
    well_formed = len(text) <= LONGEST_EMAIL and _EMAIL.fullmatch(text)
    return bool(well_formed) and not UNSTORABLE.search(text)
