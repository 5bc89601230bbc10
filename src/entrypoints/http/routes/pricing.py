"""Routes of price rules, and of quotes."""

from collections.abc import Sequence
from datetime import datetime
from typing import Final

from attrs import frozen

from commerce_core.base.errors import Fault, InvalidInput, NotFound
from commerce_core.commerce import Commerce
from commerce_core.orders.wanted import Wanted
from commerce_core.pricing.basket_terms import BasketTerms
from commerce_core.pricing.lint import Finding
from commerce_core.pricing.priced import PricedBasket
from commerce_core.pricing.rules import PriceRule, Rule, RuleQuery, RuleStatus
from commerce_core.pricing.what_if import WhatIf, WhatIfRun
from commerce_core.usecases.context import IdempotencyKey, Listed
from entrypoints.http.kit.handlers import delete, get, post, put
from entrypoints.http.kit.queries import Page
from entrypoints.reading import NewRule, RuleBody, optional, required
from entrypoints.scalars import RuleId, WhatIfId

_SALE: Final = {
    "name": "Spring sale",
    "condition": {"category": "Shoes"},
    "benefit": {"percent": "20"},
}
_PRODUCT: Final = "prod_0199c2f4a1b07e3d8c215f60a9d2b4c7"


@frozen(kw_only=True)
class BasketLine:
    """An item of a basket: a product, by id or by partner and sku."""

    quantity: int = required("Number of units.")
    product_id: str | None = optional(None, "Id of the product.")
    partner_id: str | None = optional(None, "Id of the product's partner, with `sku`.")
    partner_name: str | None = optional(None, "Name of the product's partner, with `sku`.")
    sku: str | None = optional(None, "Sku of the product, with its partner.")


@frozen(kw_only=True)
class TermsBody:
    """What decides the price of a basket beside its items."""

    codes: tuple[str, ...] = optional((), "Codes of price rules.")
    customer: str | None = optional(None, "The client's own id of the customer.")
    customer_group: str | None = optional(None, "The customer's group.")
    channel: str | None = optional(None, "The sales channel.")

    @property
    def terms(self) -> BasketTerms:
        """The terms as the core takes them."""
        return BasketTerms(self.codes, self.customer, self.customer_group, self.channel)


@frozen(kw_only=True)
class QuoteRequest(TermsBody):
    """A basket to price."""

    items: tuple[BasketLine, ...] = required("The items, all in one currency.")
    at: datetime | None = optional(None, "Time to price it for (default: now).")
    rules: tuple[Rule, ...] | None = optional(None, "Rules to try instead of the active ones.")
    why_not: str | None = optional(None, "Id or name of a rule: why it did not apply.")
    explain: bool = optional(
        default=False, meaning="Whether to say what became of every rule that could apply."
    )


@frozen(kw_only=True)
class LintRequest:
    """Rules to examine beside the active ones."""

    rules: tuple[Rule, ...] = optional(
        (), "Rules that aren't saved yet; one with the name of an active rule replaces it."
    )


@frozen(kw_only=True)
class WhatIfRequest(LintRequest):
    """Rules to try on orders that were placed."""

    from_: datetime = required("Start of the range of orders, inclusive.")
    to: datetime | None = optional(None, "End of the range, exclusive; by default, now.")


@frozen(kw_only=True)
class RuleFilters(Page):
    """Filters of price rules."""

    status: RuleStatus | None = optional(
        None, "Only rules with this status; archived ones are listed only if asked for."
    )


@post(
    "/pricing/rules",
    scope="pricing:write",
    status=(201,),
    refuses=[409],
    location="/v1/pricing/rules/{.rule_id}",
    example=_SALE,
)
def add_price_rule(commerce: Commerce, payload: NewRule, key: IdempotencyKey | None) -> PriceRule:
    """Adds a price rule, or reports everything that is wrong with it."""
    return commerce.pricing.add(payload.rule, status=payload.status or "active", key=key)


@get("/pricing/rules", scope="pricing:read")
def list_price_rules(commerce: Commerce, parameters: RuleFilters) -> Listed[PriceRule]:
    """Lists the current versions of price rules, oldest first."""
    return commerce.pricing.page(
        RuleQuery(parameters.status), parameters.cursor, parameters.limit, count=parameters.count
    )


@get("/pricing/rules/{rule_id:str}", scope="pricing:read", versioned=True)
def get_price_rule(commerce: Commerce, rule_id: RuleId) -> PriceRule:
    """Shows the current version of a price rule."""
    return commerce.pricing.get(rule_id)


@put(
    "/pricing/rules/{rule_id:str}",
    scope="pricing:write",
    refuses=[409],
    versioned=True,
    example=_SALE,
)
def change_price_rule(
    commerce: Commerce, rule_id: RuleId, payload: RuleBody, if_match: int | None
) -> PriceRule:
    """Makes the next version of a price rule; orders keep the prices that they have.

    A rule may be sent as it was shown, with its members changed; then its version is expected.
    """
    if payload.rule_id not in {None, rule_id}:
        detail = f"The rule at this address is {rule_id}."
        raise InvalidInput.at("/rule_id", "other_rule", detail)
    return commerce.pricing.change(
        rule_id, payload.rule, status=payload.status, version=payload.version, seen=if_match
    )


@delete("/pricing/rules/{rule_id:str}", scope="pricing:write", versioned=True)
def archive_price_rule(commerce: Commerce, rule_id: RuleId, if_match: int | None) -> PriceRule:
    """Archives a price rule: it no longer applies, but it is kept with all its versions."""
    return commerce.pricing.archive(rule_id, seen=if_match)


@get("/pricing/rules/{rule_id:str}/versions", scope="pricing:read")
def list_price_rule_versions(commerce: Commerce, rule_id: RuleId) -> Listed[PriceRule]:
    """Lists all versions of a price rule, newest first."""
    return Listed(tuple(commerce.pricing.versions(rule_id)), None)


@post("/pricing/rules/lint", scope="pricing:read", example={"rules": [_SALE]})
def lint_price_rules(commerce: Commerce, payload: LintRequest) -> Listed[Finding]:
    """Finds what is odd about price rules: those that never match, are always beaten, or add up."""
    return Listed(tuple(commerce.pricing.lint(payload.rules)), None)


@post(
    "/pricing/what-if",
    scope="pricing:read",
    example={"rules": [_SALE], "from": "2026-03-01T00:00:00Z"},
)
def what_if(commerce: Commerce, payload: WhatIfRequest) -> WhatIf:
    """Prices the orders of a range again under proposed rules, and adds up what would differ."""
    return commerce.pricing.what_if(payload.rules, since=payload.from_, until=payload.to)


@post(
    "/pricing/what-ifs",
    scope="pricing:read",
    status=(202,),
    refuses=[409],
    location="/v1/pricing/what-ifs/{.what_if_id}",
    example={"rules": [_SALE], "from": "2026-03-01T00:00:00Z"},
)
def start_what_if(
    commerce: Commerce, payload: WhatIfRequest, key: IdempotencyKey | None
) -> WhatIfRun:
    """Queues the same for a worker, for up to a million orders; the report is fetched later."""
    return commerce.what_ifs.start(payload.rules, since=payload.from_, until=payload.to, key=key)


@get("/pricing/what-ifs/{what_if_id:str}", scope="pricing:read")
def get_what_if(commerce: Commerce, what_if_id: WhatIfId) -> WhatIfRun:
    """Shows a what-if that was queued: its status, and its report once it is done."""
    return commerce.what_ifs.get(what_if_id)


@post(
    "/pricing/quote",
    scope="pricing:read",
    refuses=[404],
    example={"items": [{"product_id": _PRODUCT, "quantity": 2}], "codes": ["SPRING"]},
)
def quote(commerce: Commerce, payload: QuoteRequest) -> PricedBasket:
    """Prices a basket, and explains the price; nothing is reserved."""
    return commerce.pricing.quote(
        wanted_items(commerce, payload.items),
        terms=payload.terms,
        at=payload.at,
        rules=payload.rules,
        why_not=payload.why_not,
        explain=payload.explain,
    )


def wanted_items(commerce: Commerce, lines: Sequence[BasketLine]) -> Sequence[Wanted]:
    """The items as the core takes them; InvalidInput at each name that no partner has."""
    partners: dict[str, str | None] = {}
    faults: list[Fault] = []
    wanted: list[Wanted] = []
    for number, line in enumerate(lines):
        partner, name = line.partner_id, line.partner_name
        if partner is None and name is not None:
            if name not in partners:
                partners[name] = _partner_named(commerce, name)
            partner = partners[name]
            if partner is None:
                detail = f"There is no partner {name[:80]!r}."
                faults.append(Fault(f"/items/{number}/partner_name", "unknown_partner", detail))
        wanted.append(Wanted(line.quantity, line.product_id, partner, line.sku))
    if faults:
        raise InvalidInput("The items name partners that don't exist.", faults=faults)
    return wanted


def _partner_named(commerce: Commerce, name: str) -> str | None:
    try:
        return commerce.partners.get(name).partner_id
    except NotFound:
        return None


ROUTES = (
    add_price_rule,
    list_price_rules,
    get_price_rule,
    change_price_rule,
    archive_price_rule,
    list_price_rule_versions,
    lint_price_rules,
    what_if,
    start_what_if,
    get_what_if,
    quote,
)
