"""Routes of what partners are owed: terms, payouts, corrections, statements."""

from datetime import datetime
from decimal import Decimal
from typing import Any, Literal

from attrs import frozen
from litestar import Response

from commerce_core.analytics.ledger import SalesEntry
from commerce_core.analytics.statement import Statement, StatementQuery
from commerce_core.commerce import Commerce
from commerce_core.partners.terms import Cycle, PartnerTerms, Term
from commerce_core.usecases.context import IdempotencyKey, Listed
from commerce_core.usecases.statements import Closing, Trace
from entrypoints.http.kit.downloads import download
from entrypoints.http.kit.handlers import get, post, put
from entrypoints.http.kit.queries import Page, SpanQuery, WhoseQuery, instant, named_once
from entrypoints.reading import optional, required
from entrypoints.scalars import Change, EntryId, Moment, PartnerId, StatementId


@frozen(kw_only=True)
class TermBody:
    """What the platform takes from some of a partner's sales."""

    commission_percent: Decimal | None = optional(
        None, "Percentage of what the partner sells a line for."
    )
    fee: Decimal | None = optional(None, "Fee for each order line, in `currency`.")
    currency: str | None = optional(None, "Currency of the fee.")
    category: str | None = optional(None, "Only for this category and those below it.")
    sku: str | None = optional(None, "Only for this sku.")
    from_: datetime | None = optional(None, "Start, inclusive (default: always).")
    to: datetime | None = optional(None, "End, exclusive (default: without end).")

    @property
    def term(self) -> Term:
        """The term as the core takes it."""
        return Term(
            self.commission_percent or Decimal(0), self.fee or Decimal(0), self.currency,
            self.category, self.sku, self.from_, self.to,
        )  # fmt: skip


@frozen(kw_only=True)
class TermsBody:
    """All terms of a partner."""

    terms: tuple[TermBody, ...] = required("The terms; they replace the present ones.")
    cycle: Cycle | None = optional(
        None, "What a statement covers (default: as before; at first, a month)."
    )
    version: int | None = optional(
        None, "The version that this is a change of; if it isn't the latest, nothing is changed."
    )


@frozen(kw_only=True)
class StatementListing(WhoseQuery, SpanQuery, Page):
    """Filters of statements, by their ends."""

    currency: str | None = optional(None, "Only statements in this currency.")


@frozen(kw_only=True)
class StatementForm:
    """The form of a statement."""

    format: Literal["json", "csv"] = optional("json", "Its figures, or all of its lines as CSV.")


@frozen(kw_only=True)
class CloseRequest:
    """Which statements to close."""

    partner_id: PartnerId | None = optional(None, "Only those of this partner.")
    partner_name: str | None = optional(None, "Only those of the partner with this name.")
    to: Moment | None = optional(
        None, "Only those that end at this time, or before (default: now)."
    )


@frozen(kw_only=True)
class PayoutRequest:
    """A payment to a partner."""

    partner_id: PartnerId | None = optional(None, "Id of the partner.")
    partner_name: str | None = optional(None, "Name of the partner, instead of its id.")
    amount: Decimal = required("What was paid.")
    currency: str = required("Its currency.")
    reference: str = required("Reference on the bank statement.")
    advance: bool = optional(default=False, meaning="Whether it may be more than is owed.")


@frozen(kw_only=True)
class CorrectionRequest:
    """A correction of what a partner is owed."""

    partner_id: PartnerId | None = optional(None, "Id of the partner.")
    partner_name: str | None = optional(None, "Name of the partner, instead of its id.")
    amount: Change = required("Amount to add to what is owed; negative to subtract.")
    currency: str = required("Its currency.")
    reason: str = required("Why, in words.")
    reverses: EntryId | None = optional(None, "Id of the entry that was wrong.")


@get("/partners/{partner_id:str}/terms", scope="money:read")
def get_terms(commerce: Commerce, partner_id: PartnerId) -> PartnerTerms:
    """Shows what the platform takes from a partner's sales, and the cycle of its statements."""
    return commerce.partners.terms(partner_id)


@put(
    "/partners/{partner_id:str}/terms",
    scope="money:write",
    refuses=[409],
    example={"terms": [{"commission_percent": "12.5"}], "cycle": "month"},
)
def set_terms(commerce: Commerce, partner_id: PartnerId, payload: TermsBody) -> PartnerTerms:
    """Replaces a partner's terms, for orders placed from now on, as their next version."""
    terms = [body.term for body in payload.terms]
    return commerce.partners.set_terms(
        partner_id, terms, cycle=payload.cycle, version=payload.version
    )


@get("/statements", scope="money:read")
def list_statements(commerce: Commerce, parameters: StatementListing) -> Listed[Statement]:
    """Lists closed statements, newest first."""
    query = StatementQuery(
        currency=parameters.currency,
        since=instant(parameters.from_),
        until=instant(parameters.to),
    )
    return commerce.statements.page(
        query,
        parameters.cursor,
        parameters.limit,
        partner=parameters.partner,
        count=parameters.count,
    )


@get("/statements/open", scope="money:read", lane="queries")
def open_statements(commerce: Commerce, parameters: WhoseQuery) -> Listed[Statement]:
    """Lists what is owed so far: the statements that aren't closed, as they would be now."""
    return Listed(tuple(commerce.statements.open(partner=parameters.partner)), None)


@get("/statements/{statement_id:str}", scope="money:read", media=["text/csv"], lane="queries")
def get_statement(
    commerce: Commerce, statement_id: StatementId, parameters: StatementForm
) -> Statement | Response[Any]:
    """Shows a closed statement, or downloads it line by line; its digest is that of the CSV."""
    if parameters.format == "csv":
        opened = commerce.statements.file(statement_id)
        return download(opened, f"{statement_id}.csv", "text/csv; charset=utf-8")
    return commerce.statements.get(statement_id)


@post("/statements/close", scope="money:write", refuses=[404, 409], example={}, lane="queries")
def close_statements(commerce: Commerce, payload: CloseRequest) -> Closing:
    """Closes the statements of periods that have ended; if `more` is true, call it again."""
    named = payload.partner_id, payload.partner_name
    partner = None if named == (None, None) else named_once(commerce, *named)
    return commerce.statements.close(partner=partner, until=instant(payload.to))


@post(
    "/payouts",
    scope="money:write",
    status=(201,),
    refuses=[404, 409],
    example={
        "partner_name": "Acme", "amount": "120.50", "currency": "EUR", "reference": "SEPA 2026-11",
    },
)  # fmt: skip
def add_payout(
    commerce: Commerce, payload: PayoutRequest, key: IdempotencyKey | None
) -> SalesEntry:
    """Records that a partner was paid."""
    partner = named_once(commerce, payload.partner_id, payload.partner_name)
    return commerce.statements.pay_out(
        partner,
        payload.amount,
        currency=payload.currency,
        reference=payload.reference,
        advance=payload.advance,
        key=key,
    )


@post(
    "/corrections",
    scope="money:write",
    status=(201,),
    refuses=[404],
    example={
        "partner_name": "Acme", "amount": "-5.00", "currency": "EUR", "reason": "Paid twice.",
    },
)  # fmt: skip
def add_correction(
    commerce: Commerce, payload: CorrectionRequest, key: IdempotencyKey | None
) -> SalesEntry:
    """Corrects what a partner is owed, by an entry of its own."""
    partner = named_once(commerce, payload.partner_id, payload.partner_name)
    return commerce.statements.correct(
        partner,
        payload.amount,
        currency=payload.currency,
        reason=payload.reason,
        reverses=payload.reverses,
        key=key,
    )


@get("/analytics/entries/{entry_id:str}/trace", scope="money:read", lane="queries")
def trace_entry(commerce: Commerce, entry_id: EntryId) -> Trace:
    """Follows an entry to its order line, the steps of its price, and the line of the feed."""
    return commerce.statements.trace(entry_id)


ROUTES = (
    get_terms, set_terms, list_statements, open_statements, get_statement, close_statements,
    add_payout, add_correction, trace_entry,
)  # fmt: skip
