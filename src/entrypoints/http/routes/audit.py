"""The route of the audit trail: who did what."""

from attrs import frozen

from commerce_core.activity.audit import Action, AuditEntry, AuditQuery
from commerce_core.commerce import Commerce
from commerce_core.usecases.context import Listed
from entrypoints.http.kit.handlers import get
from entrypoints.http.kit.queries import Page, SpanQuery, WhoseQuery, instant
from entrypoints.reading import optional


@frozen(kw_only=True)
class AuditFilters(WhoseQuery, SpanQuery, Page):
    """Filters of entries; the range is of the times of the actions."""

    actor: str | None = optional(None, "Only actions of this actor: a key's id, or `operator`.")
    action: Action | None = optional(None, "Only actions of this kind.")
    subject: str | None = optional(None, "Only actions on the object with this id.")


@get("/audit", scope="keys:write")
def list_audit(commerce: Commerce, parameters: AuditFilters) -> Listed[AuditEntry]:
    """Lists who did what, newest first."""
    wanted = AuditQuery(
        actor=parameters.actor,
        action=parameters.action,
        subject=parameters.subject,
        since=instant(parameters.from_),
        until=instant(parameters.to),
    )
    return commerce.audit.page(
        wanted,
        parameters.cursor,
        parameters.limit,
        partner=parameters.partner,
        count=parameters.count,
    )


ROUTES = (list_audit,)
