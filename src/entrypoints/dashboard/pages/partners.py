"""Partners: their list, and one partner with its latest feeds and its sources."""

from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any, Final, Literal

from attrs import asdict, frozen

from commerce_core.commerce import Commerce
from commerce_core.feeds.feed import Feed
from commerce_core.feeds.job import Job
from commerce_core.feeds.scorecard import ScoreRow
from entrypoints.dashboard.kit.pages import Goto, act, page
from entrypoints.dashboard.kit.paging import Paging
from entrypoints.dashboard.kit.rendering import View
from entrypoints.dashboard.pages.shown import latest
from entrypoints.reading import optional, required
from entrypoints.scalars import PartnerId

RANGES: Final = (("4", "4 weeks"), ("13", "13 weeks"), ("26", "Half a year"), ("53", "A year"))
_SUMMED: Final = (
    "expected", "on_time", "late", "missed", "received", "held", "rejected", "failed", "records",
    "records_rejected", "drifted",
)  # fmt: skip


@frozen(kw_only=True)
class NewPartner:
    """A partner to add."""

    partner_name: str = required("Name.")
    currency: str | None = optional(None, "Currency.")
    time_zone: str | None = optional(None, "Time zone.")
    contact_email: str | None = optional(None, "E-mail.")


@frozen(kw_only=True)
class PartnerChange:
    """All of a partner; what was emptied isn't sent."""

    partner_name: str | None = optional(None, "Name.")
    currency: str | None = optional(None, "Currency.")
    time_zone: str | None = optional(None, "Time zone.")
    contact_email: str | None = optional(None, "E-mail.")
    status: Literal["active", "paused", "offboarded"] | None = optional(None, "Status.")


@frozen(kw_only=True)
class Weeks:
    """How many weeks."""

    weeks: Literal["4", "13", "26", "53"] = optional("4", "Weeks.")


@page("/partners", scope="partners:read")
def show_partners(commerce: Commerce, parameters: Paging) -> View:
    """Lists partners."""
    values = {"partners": commerce.partners.page(parameters.cursor)}
    return View(
        "partners.html", "Partners", values=values, curl="/partners", command="partners list"
    )


@act("/partners", scope="partners:write")
def add_partner(commerce: Commerce, form: NewPartner) -> Goto:
    """Adds a partner."""
    partner = commerce.partners.add(
        form.partner_name, currency=form.currency, time_zone=form.time_zone,
        contact_email=form.contact_email,
    )  # fmt: skip
    return Goto(f"/partners/{partner.partner_id}", "Added.")


@page("/partners/{partner_id:str}", scope="partners:read")
def show_partner(commerce: Commerce, partner_id: PartnerId) -> View:
    """Shows a partner: its latest feeds, its sources, its details."""
    partner = commerce.partners.get(partner_id)
    may_read = "feeds:read" in commerce.context.principal.scopes
    feeds = latest(commerce, partner_id) if may_read else ()
    values = {
        "partner": partner,
        "feeds": feeds,
        "score": _score(feeds),
        "sources": commerce.sources.of(partner_id) if may_read else (),
    }
    return View(
        "partner.html", partner.partner_name, values=values, curl=f"/partners/{partner_id}",
        command=f"partners show {partner_id}",
    )  # fmt: skip


def _score(feeds: Sequence[tuple[Feed, Job | None]]) -> dict[str, Any]:
    """What became of the latest feeds."""
    statuses = [feed.status for feed, _ in feeds]
    summaries = [job.summary for _, job in feeds if job and job.summary]
    records = sum(summary.records for summary in summaries)
    rejected = sum(summary.rejected for summary in summaries)
    share = Decimal(rejected) * 100 / records if records else Decimal(0)
    return {
        "feeds": len(feeds),
        "applied": statuses.count("applied"),
        "held": statuses.count("held"),
        "failed": statuses.count("failed") + statuses.count("rejected"),
        "rejected_share": f"{share:.1f}",
    }


@act("/partners/{partner_id:str}", scope="partners:write")
def change_partner(commerce: Commerce, partner_id: PartnerId, form: PartnerChange) -> Goto:
    """Changes a partner."""
    before = commerce.partners.get(partner_id)
    wanted = asdict(form)
    # A name, a zone and a state can't be emptied; the others can.
    wanted = {
        n: v for n, v in wanted.items() if v is not None or n in ("currency", "contact_email")
    }
    changes = {name: value for name, value in wanted.items() if value != getattr(before, name)}
    commerce.partners.change(partner_id, **changes)
    return Goto(f"/partners/{partner_id}", "Saved." if changes else "Nothing changed.")


@page("/partners/{partner_id:str}/scorecard", scope="feeds:read", is_expensive=lambda _: True)
def show_scorecard(commerce: Commerce, partner_id: PartnerId, parameters: Weeks) -> View:
    """Shows week by week what the partner's sources sent, against what was expected of them."""
    card = commerce.freshness.scorecard(partner_id, weeks=int(parameters.weeks))
    weeks: dict[datetime, list[ScoreRow]] = {}
    for row in card.results:
        weeks.setdefault(row.week, []).append(row)
    values: dict[str, Any] = {
        "card": card,
        "weeks": [*reversed(weeks.items())],
        "sums": {name: sum(getattr(row, name) or 0 for row in card.results) for name in _SUMMED},
        "filters": parameters,
        "RANGES": RANGES,
    }
    return View(
        "scorecard.html", f"Scorecard of {card.partner_name}", values=values,
        curl=f"/partners/{partner_id}/scorecard?weeks={parameters.weeks}",
        command=f"partners scorecard {partner_id} --weeks {parameters.weeks}",
    )  # fmt: skip


ROUTES = (show_partners, add_partner, show_partner, change_partner, show_scorecard)
